package datatype

import (
	"encoding/json"
	"encoding/xml"
	"regexp"
	"strings"
)

// Rules for XML, HTML, JSON and other marked-up text.
var markupRules = map[string]func(*prefix) bool{
	"text.Html":        isHTML,
	"text.Hocr":        isHocr,
	"xml.GenericXml":   func(p *prefix) bool { return p.startsWith("<?xml ") },
	"xml.Phyloxml":     func(p *prefix) bool { return xmlRootStarts(p, "phyloxml") },
	"xml.Owl":          func(p *prefix) bool { return strings.Contains(p.text, "<owl:") },
	"xml.Sbml":         func(p *prefix) bool { return strings.Contains(p.text, "<sbml") },
	"xml.Dzi":          isDzi,
	"xml.PageXml":      func(p *prefix) bool { return xmlRoot(p, "PcGts", pageNamespace) },
	"xml.Alto":         func(p *prefix) bool { return xmlRoot(p, "alto", altoNamespace) },
	"xml.AbbyyXml":     func(p *prefix) bool { return xmlRoot(p, "document", abbyyNamespace) },
	"blast.BlastXml":   isBlastXML,
	"images.Gifti":     isGifti,
	"molecules.CML":    isCML,
	"triples.Rdf":      isRdf,
	"triples.Sbol":     func(p *prefix) bool { return strings.Contains(p.text, "sbol") && sbolPattern.MatchString(p.text) },
	"triples.Turtle":   isTurtle,
	"triples.NTriples": isNTriples,
	"triples.Jsonld":   func(p *prefix) bool { return p.looksLikeJSON() && containsAny(p.text, `"@id"`, `"@context"`) },
	"text.Json":        (*prefix).looksLikeJSON,
	"text.Ipynb":       isNotebook,
	"text.Biom1":       isBiom1,
	"text.ImgtJson":    isImgt,
	"text.CytoscapeJson": func(p *prefix) bool {
		return p.looksLikeJSON() && containsAny(p.start(20000), "generated_by", "target_cytoscapejs_version")
	},
	"text.GeoJson": isGeoJSON,
	"text.VitessceJson": func(p *prefix) bool {
		return p.looksLikeJSON() && containsAll(p.start(20000), "version", "datasets", "layout", "coordinationSpace")
	},
	"text.PithyaResult": func(p *prefix) bool {
		return p.looksLikeJSON() && containsAll(p.text, `"variables":`, `"states":`, `"parameter_values":`, `"results":`)
	},
	"text.BCSLts": func(p *prefix) bool {
		return p.looksLikeJSON() && containsAll(p.text, `"edges":`, `"nodes":`, `"ordering":`, `"initial":`)
	},
	"text.SourmashSignature": isSourmash,
	"text.Yaml":              (*prefix).looksLikeYAML,
	"text.Param":             isCastepParam,
}

// xmlRoots is by extension: the proteomics formats share one rule, a root element.
var xmlRoots = map[string]func(*prefix) bool{
	"consensusxml": rootRule("consensusXML"), "idxml": rootRule("IdXML"), "featurexml": rootRule("featureMap"),
	"mascotxml": rootRule("mascot_search_results"), "mzdata": rootRule("mzData"), "mzid": rootRule("MzIdentML"),
	"mzml": rootRule("mzML", "indexedmzML"), "mzq": rootRule("MzQuantML"), "mzxml": rootRule("mzXML"),
	"nmrml": rootRule("nmrML"), "pepxml": rootRule("msms_pipeline_analysis"), "protxml": rootRule("protein_summary"),
	"tandem": rootRule("bioml"), "traml": rootRule("TraML"), "trafoxml": rootRule("TrafoXML"),
	"uniprotxml": rootRule("uniprot"), "xquest.xml": rootRule("xquest_results"), "spec.xml": rootRule("xquest_spectra"),
	"paramxml": func(p *prefix) bool {
		line := afterDeclarations(p)
		return strings.Contains(line, "PARAMETERS") || hasOpening(line, "parameters")
	},
	"qcml": never,
}

var (
	pageNamespace  = regexp.MustCompile(`^http://schema\.primaresearch\.org/PAGE/gts/pagecontent/\d{4}-\d{2}-\d{2}$`)
	altoNamespace  = regexp.MustCompile(`^(?:http://www\.loc\.gov/standards/alto/ns-v\d+#|http://schema\.ccs-gmbh\.com/ALTO)$`)
	abbyyNamespace = regexp.MustCompile(`^http://www\.abbyy\.com/FineReader_xml/FineReader\d+-schema-v\d+\.xml$`)
	sbolPattern    = regexp.MustCompile(`https?://[w.]*sbols?.org/v\d#`)
	turtlePrefix   = regexp.MustCompile(`@prefix\s+[^:]*:\s+<[^>]*>\s\.|@base\s+<[^>]*>\s\.`)
	nTriple        = regexp.MustCompile(`<[^>]*>\s<[^>]*>\s<[^>]*>\s\.`)
	rdfNamespace   = regexp.MustCompile(`xmlns:([^=]*)="http://www\.w3\.org/1999/02/22-rdf-syntax-ns#"`)
	classAttribute = regexp.MustCompile(`(?is)<[a-z][^<>]*\sclass\s*=\s*("[^"]*"|'[^']*'|[^\s>]+)`)
	biomFormat     = regexp.MustCompile(`"format"\s*:\s*"Biological\s*Observation\s*Matrix`)
	castepTask     = regexp.MustCompile(`(?im)^TASK ?: ?([A-Z+]*)$`)
)

func containsAny(s string, words ...string) bool {
	for _, w := range words {
		if strings.Contains(s, w) {
			return true
		}
	}
	return false
}

func containsAll(s string, words ...string) bool {
	for _, w := range words {
		if !strings.Contains(s, w) {
			return false
		}
	}
	return true
}

// start is the first n bytes of the text.
func (p *prefix) start(n int) string { return p.text[:min(n, len(p.text))] }

func isHTML(p *prefix) bool {
	if strings.IndexByte(p.text, '<') < 0 {
		return false
	}
	for f := range p.rows("", sniffRows, "") {
		if len(f) > 0 && strings.Contains(strings.ToLower(f[0]), "<html>") {
			return true
		}
	}
	return false
}

func isHocr(p *prefix) bool {
	if !strings.Contains(p.text, "ocr_page") {
		return false
	}
	for _, m := range classAttribute.FindAllStringSubmatch(p.text, -1) {
		for _, class := range strings.Fields(strings.Trim(m[1], `"'`)) {
			if class == "ocr_page" {
				return true
			}
		}
	}
	return false
}

// afterDeclarations is the first line that is no <?…?> declaration.
func afterDeclarations(p *prefix) string {
	last := ""
	if !p.truncated && !strings.HasPrefix(p.text, "<?") {
		return pyStrip(firstLine(p))
	}
	for line := range p.lines() {
		last = pyStrip(line)
		if !strings.HasPrefix(last, "<?") {
			break
		}
	}
	return last
}

func rootRule(names ...string) func(*prefix) bool {
	return func(p *prefix) bool {
		line := afterDeclarations(p)
		for _, n := range names {
			if hasOpening(line, n) {
				return true
			}
		}
		return false
	}
}

// hasOpening finds "<name" or "<prefix:name" in a line.
func hasOpening(line, name string) bool {
	for i := strings.IndexByte(line, '<'); i >= 0; {
		if opensWith(line[i:], name) {
			return true
		}
		next := strings.IndexByte(line[i+1:], '<')
		if next < 0 {
			break
		}
		i += 1 + next
	}
	return false
}

func opensWith(s, name string) bool {
	s = strings.TrimPrefix(s, "<")
	if strings.HasPrefix(s, name) {
		return true
	}
	i := 0
	for i < len(s) && (s[i] == '_' || asciiDigit(s[i]) || s[i]|0x20 >= 'a' && s[i]|0x20 <= 'z') {
		i++
	}
	return i < len(s) && s[i] == ':' && strings.HasPrefix(s[i+1:], name)
}

func xmlRootStarts(p *prefix, name string) bool {
	line := afterDeclarations(p)
	return strings.HasPrefix(line, "<") && opensWith(line, name)
}

// xmlRoot parses up to the root element, which may be cut off further on.
func xmlRoot(p *prefix, name string, namespace *regexp.Regexp) bool {
	if !strings.Contains(p.text, name) || !strings.HasPrefix(strings.TrimLeft(p.text, " \t\r\n\ufeff"), "<") {
		return false
	}
	d := xml.NewDecoder(strings.NewReader(p.text))
	for range 1000 {
		tok, err := d.Token()
		if err != nil {
			return false
		}
		if el, ok := tok.(xml.StartElement); ok {
			return el.Name.Local == name && namespace.MatchString(el.Name.Space)
		}
	}
	return false
}

func isDzi(p *prefix) bool {
	if strings.IndexByte(p.text, '<') < 0 {
		return false
	}
	for line := range p.lines() {
		if l := strings.ToLower(line); strings.Contains(l, "<collection") || strings.Contains(l, "<image") {
			return true
		}
	}
	return false
}

func isBlastXML(p *prefix) bool {
	c := cursor{p.text}
	var l [3]string
	for i := range l {
		s, _ := c.line()
		l[i] = pyStrip(s)
	}
	return l[0] == `<?xml version="1.0"?>` && l[2] == "<BlastOutput>" &&
		strings.HasPrefix(l[1], `<!DOCTYPE BlastOutput PUBLIC "-//NCBI//NCBI BlastOutput/EN" "`) &&
		strings.HasSuffix(l[1], `NCBI_BlastOutput.dtd">`)
}

func isGifti(p *prefix) bool {
	c := cursor{p.text}
	l1, _ := c.line()
	l2, _ := c.line()
	l3, _ := c.line()
	return strings.HasPrefix(pyStrip(l1), `<?xml version="1.0"`) &&
		(strings.HasPrefix(pyStrip(l2), "<!DOCTYPE GIFTI SYSTEM") || strings.HasPrefix(pyStrip(l3), "<GIFTI"))
}

func isCML(p *prefix) bool {
	return containsAll(p.text, `<?xml version="1.0"?>`, "http://www.xml-cml.org/schema")
}

func isRdf(p *prefix) bool {
	if !strings.Contains(p.text, "22-rdf-syntax-ns#") {
		return false
	}
	m := rdfNamespace.FindStringSubmatch(p.text)
	return m != nil && strings.Contains(p.text, m[1]+":RDF")
}

func isTurtle(p *prefix) bool {
	return containsAny(p.text, "@prefix", "@base") && turtlePrefix.MatchString(p.text)
}

func isNTriples(p *prefix) bool {
	return strings.IndexByte(p.text, '<') >= 0 && nTriple.MatchString(p.text)
}

// jsonWhole is up to which size a file is parsed to know that it is JSON;
// above it the first character decides.
const jsonWhole = 50000

func (p *prefix) looksLikeJSON() bool {
	if p.isJSON == nil {
		v := p.sniffJSON()
		p.isJSON = &v
	}
	return *p.isJSON
}

func (p *prefix) sniffJSON() bool {
	if p.notText {
		return false
	}
	if p.size < jsonWhole && !p.truncated {
		s := strings.TrimLeft(p.text, " \t\r\n")
		return s != "" && (s[0] == '{' || s[0] == '[') && validJSON(s)
	}
	head := p.text
	n := 0
	for i := range head { // 100 characters, not bytes
		if n++; n > 100 {
			head = head[:i]
			break
		}
	}
	head = pyStrip(head)
	return strings.HasPrefix(head, "[") || strings.HasPrefix(head, "{")
}

// validJSON is json.Valid, and accepts NaN and Infinity as Python does.
func validJSON(s string) bool {
	if json.Valid([]byte(s)) {
		return true
	}
	if !containsAny(s, "NaN", "Infinity") {
		return false
	}
	var b strings.Builder
	inString := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case inString:
			if c == '\\' && i+1 < len(s) {
				b.WriteByte(c)
				i++
			} else if c == '"' {
				inString = false
			}
		case c == '"':
			inString = true
		case strings.HasPrefix(s[i:], "NaN"):
			b.WriteByte('0')
			i += len("NaN") - 1
			continue
		case strings.HasPrefix(s[i:], "-Infinity"):
			b.WriteByte('0')
			i += len("-Infinity") - 1
			continue
		case strings.HasPrefix(s[i:], "Infinity"):
			b.WriteByte('0')
			i += len("Infinity") - 1
			continue
		}
		b.WriteByte(s[i])
	}
	return json.Valid([]byte(b.String()))
}

// isNotebook needs the whole object; of a notebook larger than the header the
// two keys are looked for in the header and in the end of the file, where
// notebooks keep them.
func isNotebook(p *prefix) bool {
	if !p.looksLikeJSON() || !strings.HasPrefix(strings.TrimLeft(p.text, " \t\r\n"), "{") {
		return false
	}
	if p.truncated {
		tail := string(fileTail(p.path, 65536))
		return containsAny(p.text+tail, `"nbformat"`) && strings.Contains(p.text+tail, `"cells"`)
	}
	var nb map[string]json.RawMessage
	if json.Unmarshal([]byte(p.text), &nb) != nil {
		return false
	}
	format, ok := nb["nbformat"]
	return ok && string(format) != "false" && nb["metadata"] != nil
}

func isBiom1(p *prefix) bool {
	return p.looksLikeJSON() && strings.HasPrefix(pyStrip(p.start(25000)), "{") && biomFormat.MatchString(p.text)
}

func isImgt(p *prefix) bool {
	return p.looksLikeJSON() && strings.HasPrefix(pyStrip(p.start(5000)), "[") &&
		containsAll(p.start(5000), `"taxonId"`, `"anchorPoints"`)
}

func isGeoJSON(p *prefix) bool {
	return p.looksLikeJSON() && containsAny(p.start(5000), "Point", "LineString", "Polygon", "GeometryCollection") &&
		containsAll(p.start(5000), "type", "geometry", "coordinates")
}

func isSourmash(p *prefix) bool {
	s := p.start(5000)
	return p.looksLikeJSON() && (containsAny(s, `"sourmash_signature"`) || containsAll(s, `"signatures"`, `"ksize"`))
}

func isCastepParam(p *prefix) bool {
	if !p.looksLikeYAML() || !castepTask.MatchString(p.text) {
		return false
	}
	switch strings.ToUpper(castepTask.FindStringSubmatch(p.text)[1]) {
	case "SINGLEPOINT", "BANDSTRUCTURE", "GEOMETRYOPTIMIZATION", "GEOMETRYOPTIMISATION", "MOLECULARDYNAMICS", "OPTICS",
		"PHONON", "EFIELD", "PHONON+EFIELD", "TRANSITIONSTATESEARCH", "MAGRES", "ELNES", "ELECTRONICSPECTROSCOPY":
		return true
	}
	return false
}
