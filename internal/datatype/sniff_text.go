package datatype

import (
	"regexp"
	"strings"
)

// Rules for text that is neither table, sequence nor markup.
var textRules = map[string]func(*prefix) bool{
	"data.Nexus":                func(p *prefix) bool { return strings.EqualFold(p.start(6), "#NEXUS") },
	"data.Newick":               never, // Galaxy does not recognise it either
	"text.IQTree":               func(p *prefix) bool { return p.startsWith("IQ-TREE") },
	"text.Obo":                  isObo,
	"text.Arff":                 isArff,
	"text.Prm":                  func(p *prefix) bool { return p.startsWith("RBT_PARAMETER_FILE_V1.00") },
	"text.Castep":               isCastep,
	"text.FormattedDensity":     isFormattedDensity,
	"text.BCSLmodel":            func(p *prefix) bool { return strings.Contains(p.text, "#! ") && bcslHeading.MatchString(p.text) },
	"text.PithyaProperty":       func(p *prefix) bool { return strings.Contains(p.text, ":?") && pithyaProperty.MatchString(p.text) },
	"text.PithyaModel":          func(p *prefix) bool { return !p.notText && containsAll(p.text, "VARS", "EQ", "THRES") },
	"text.StormSample":          func(p *prefix) bool { return containsAll(p.text, "Storm-pars", "Result (initial states)") },
	"text.StormCheck":           func(p *prefix) bool { return containsAll(p.text, "Storm ", "Result (for initial states)") },
	"text.CTLresult":            func(p *prefix) bool { return containsAll(p.text, "Result:", "Number of satisfying states:") },
	"phylip.Phylip":             isPhylip,
	"msa.Hmmer2":                func(p *prefix) bool { return p.startsWith("HMMER2.0") },
	"msa.Hmmer3":                func(p *prefix) bool { return p.startsWith("HMMER3/f") },
	"msa.InfernalCM":            func(p *prefix) bool { return p.startsWith("INFERNAL") },
	"msa.MauveXmfa":             func(p *prefix) bool { return p.startsWith("#FormatVersion Mauve1") },
	"msa.Stockholm_1_0":         func(p *prefix) bool { return strings.Contains(p.text, "STOCKHOLM") && stockholm.MatchString(p.text) },
	"annotation.SnapHmm":        func(p *prefix) bool { return p.startsWith("zoeHMM") },
	"larch.AthenaProject":       func(p *prefix) bool { return p.startsWith("# Athena project file") },
	"plant_tribes.Smat":         isSmat,
	"proteomics.Mgf":            func(p *prefix) bool { return hasLine(p, "BEGIN IONS", 101) },
	"proteomics.Msp":            func(p *prefix) bool { return startsOfLines(p, "Name:", "MW:") },
	"proteomics.SPLib":          func(p *prefix) bool { return startsOfLines(p, "Name:", "LibID:") },
	"proteomics.Ms2":            isMs2,
	"speech.TextGrid":           func(p *prefix) bool { return p.startsWith("File type = \"ooTextFile\"\nObject class = \"TextGrid\"\n") },
	"images.Star":               isStar,
	"tabular.BaseCSV":           never, // csv and tsv have rules of their own, below
	"tabular.ConnectivityTable": isConnectivityTable,
	"constructive_solid_geometry.AsciiRaster": func(p *prefix) bool { return strings.HasPrefix(strings.ToLower(firstLine(p)), "ncols") },
	"constructive_solid_geometry.NeperTess":   func(p *prefix) bool { return p.startsWith("***tess") },
	"constructive_solid_geometry.GmshMsh":     func(p *prefix) bool { return p.startsWith("$MeshFormat") },
	"constructive_solid_geometry.GocadSGrid":  func(p *prefix) bool { return p.startsWith("GOCAD SGrid ") },
	"constructive_solid_geometry.FeflowFem":   func(p *prefix) bool { return p.startsWith("PROBLEM:") },
	"genetics.MarkerMap":                      isMarkerMap,
	"genetics.AllegroLOD":                     isAllegroLOD,
	"genetics.DataIn":                         isLinkageData,
	"genetics.GenomeGraphs":                   isGenomeGraph,
	"assembly.Amos":                           isAmos,
	"speech.BPF":                              isBPF,
	"constructive_solid_geometry.VtkXml":      func(p *prefix) bool { return xmlRootStarts(p, "VTKFile") },
	"genetics.GenotypeMatrix":                 func(p *prefix) bool { return strings.HasPrefix(firstLine(p), "Name") && isGenotypes(p) },
}

var (
	bcslHeading    = regexp.MustCompile(`(?m)^#! (rules|inits|definitions)`)
	pithyaProperty = regexp.MustCompile(`:\?[a-zA-Z0-9_]+[ ]*=`)
	stockholm      = regexp.MustCompile(`#\s+STOCKHOLM\s+1\.0`)
	genotypesLine  = regexp.MustCompile(`^[a-zA-Z0-9]+(\s([0-9]{2}|[A-Z]{2}|NC|\?\?))+\s*$`)
	ctHeader       = regexp.MustCompile(`^[0-9]+(?:\t| +).*?(?:ENERGY|energy|dG)[ \t].*?=`)
	ctRow          = regexp.MustCompile(`^([0-9]+)(?:\t| +)[ACGTURYKMSWBDHVN]+(?:\t| +)[^\t]+(?:\t| +)[^\t]+(?:\t| +)[^\t]+(?:\t| +)[^\t]+`)
)

func hasLine(p *prefix, want string, most int) bool {
	if !strings.Contains(p.text, want) {
		return false
	}
	n := 0
	for line := range p.rawLines() {
		if strings.TrimRightFunc(line, pySpace) == want {
			return true
		}
		if n++; n > most {
			break
		}
	}
	return false
}

func startsOfLines(p *prefix, first, second string) bool {
	c := cursor{p.text}
	l1, ok1 := c.line()
	l2, ok2 := c.line()
	return ok1 && ok2 && strings.HasPrefix(l1, first) && strings.HasPrefix(l2, second)
}

func isObo(p *prefix) bool {
	if !p.startsWith("format-version:") {
		return false
	}
	stanza := false
	for line := range p.rawLines() {
		if stanza && strings.HasPrefix(line, "id:") {
			return true
		}
		line = pyStrip(line)
		stanza = strings.HasPrefix(line, "[") && strings.HasSuffix(line, "]")
	}
	return false
}

func isArff(p *prefix) bool {
	relation, attr := false, false
	n := 0
	for line := range p.rawLines() {
		if n++; n > 1001 {
			return false
		}
		line = strings.ToUpper(pyStrip(line))
		switch {
		case strings.HasPrefix(line, "@RELATION"):
			relation = true
		case strings.HasPrefix(line, "@ATTRIBUTE"):
			attr = true
		case strings.HasPrefix(line, "@DATA"):
			if relation && attr {
				return true
			}
		}
	}
	return false
}

func isCastep(p *prefix) bool {
	want := []string{"+---", "|   ", "|      CCC   AA    SSS  TTTTT  EEEEE  PPPP        |"}
	i := 0
	for line := range p.rawLines() {
		if !strings.HasPrefix(pyStrip(line), want[i]) {
			return false
		}
		if i++; i == len(want) {
			return true
		}
	}
	return false
}

func isFormattedDensity(p *prefix) bool {
	if !p.startsWith("BEGIN header") && !p.startsWith(" BEGIN header") {
		return false
	}
	n := 0
	for line := range p.rawLines() {
		if n++; n == 10 {
			return strings.HasPrefix(pyStrip(line), `END header: data is "<a b c> charge`)
		}
	}
	return false
}

// isPhylip accepts interleaved alignments, names of ten characters or up to
// the first blank.
func isPhylip(p *prefix) bool {
	head := pyFields(firstLine(p))
	if len(head) != 2 {
		return false
	}
	n, ok1 := toInt(head[0])
	length, ok2 := toInt(head[1])
	if !ok1 || !ok2 || n <= 0 || length <= 0 {
		return false
	}
	body := cursor{p.text}
	body.line()
	return phylipBlock(body, n, length, true) || phylipBlock(body, n, length, false)
}

func phylipBlock(c cursor, n, length int64, strict bool) bool {
	found := int64(-1)
	for range n {
		line, ok := c.line()
		if !ok {
			return false
		}
		line = strings.TrimRight(line, "\n")
		var seq string
		if strict {
			r := []rune(line)
			if len(r) < 11 {
				return false
			}
			seq = string(r[10:])
		} else {
			line = strings.TrimLeftFunc(line, pySpace)
			i := strings.IndexFunc(line, pySpace)
			if i < 0 {
				return false
			}
			if seq = strings.TrimLeftFunc(line[i:], pySpace); seq == "" {
				return false
			}
		}
		seq = strings.ReplaceAll(seq, " ", "")
		this := int64(len(seq))
		if this > length || found >= 0 && this != found {
			return false
		}
		for i := 0; i < len(seq); i++ {
			if seq[i] >= 0x80 || asciiDigit(seq[i]) {
				return false
			}
		}
		found = this
	}
	if strict {
		return true
	}
	next, _ := c.line()
	return pyStrip(next) == ""
}

func isSmat(p *prefix) bool {
	if !p.startsWith("FORMAT") {
		return false
	}
	n := 0
	for line := range p.rawLines() {
		if n++; n > 10000 {
			return true
		}
		if strings.HasPrefix(line, "FORMAT") {
			continue
		}
		f := pyFields(line)
		if strings.Contains(line, "\t") || len(f) != 4 {
			return false
		}
		for _, s := range f {
			if s = strings.TrimLeft(s[:1], "+-") + s[1:]; !isDecimal(s) {
				return false
			}
		}
	}
	return n > 2
}

func isMs2(p *prefix) bool {
	if !strings.Contains(p.text, "ExtractorVersion") {
		return false
	}
	want := map[string]bool{"CreationDate": false, "Extractor": false, "ExtractorVersion": false, "ExtractorOptions": false}
	for line := range p.lines() {
		if pyStrip(line) == "" {
			continue
		}
		field, ok := strings.CutPrefix(line, "H\t")
		if !ok {
			break
		}
		for w := range want {
			if strings.HasPrefix(field, w) {
				want[w] = true
			}
		}
	}
	for _, ok := range want {
		if !ok {
			return false
		}
	}
	return true
}

func isStar(p *prefix) bool {
	if !strings.Contains(p.text, "data_") {
		return false
	}
	in := false
	for line := range p.lines() {
		line = pyStrip(line)
		switch {
		case line == "":
		case strings.HasPrefix(line, "data_"):
			in = true
		case in:
			return strings.HasPrefix(line, "loop_") || strings.HasPrefix(line, "_")
		}
	}
	return false
}

func isGenotypes(p *prefix) bool {
	columns, n := -1, 0
	for line := range p.rawLines() {
		if n++; n == 1 {
			continue
		}
		if n > 12 {
			return true
		}
		count := strings.Count(line, "\t")
		if columns >= 0 && count != columns || !genotypesLine.MatchString(strings.TrimRight(line, "\n")) {
			return false
		}
		columns = count
	}
	return true
}

func isConnectivityTable(p *prefix) bool {
	var length int64
	row := int64(0)
	for line := range p.rawLines() {
		if line = pyStrip(line); line == "" {
			continue
		}
		if length == 0 {
			if !ctHeader.MatchString(line) {
				return false
			}
			end := strings.IndexFunc(line, func(r rune) bool { return r < '0' || r > '9' })
			if length, _ = toInt(line[:end]); length == 0 {
				return false
			}
			continue
		}
		row++
		m := ctRow.FindStringSubmatch(strings.ToUpper(line))
		if m == nil {
			return false
		}
		if n, _ := toInt(m[1]); n != row {
			return false
		}
		if row == length {
			return true
		}
	}
	return false
}

// linkageLines is how many lines of the linkage formats are checked.
const linkageLines = 10

func isMarkerMap(p *prefix) bool {
	n := 0
	for line := range p.rawLines() {
		f := pyFields(line)
		n++
		switch {
		case len(f) != 5:
			return false
		case n == 1:
			if f[0] != "#Chr" {
				return false
			}
			continue
		case n > linkageLines+2:
			return true
		}
		if !isFloat(f[1]) || !isInt(f[3]) || !isInt(f[0]) && !strings.ContainsAny(strings.ToLower(f[0][:1]), "xym") {
			return false
		}
	}
	return n > 0
}

func isAllegroLOD(p *prefix) bool {
	n := 0
	for line := range p.rawLines() {
		f := pyFields(line)
		if n++; n == 1 {
			if strings.Join(f, " ") != "family location LOD marker" {
				return false
			}
			continue
		}
		if n > linkageLines+2 {
			return true
		}
		if len(f) < 3 || !isInt(f[0]) || !isFloat(f[1]) || !isFloat(f[2]) {
			return false
		}
	}
	return n > 0
}

func isLinkageData(p *prefix) bool {
	var markers int64
	between, n := 0, 0
	for line := range p.rawLines() {
		f := pyFields(line)
		if n++; n > linkageLines+1 {
			break
		}
		switch n {
		case 1:
			if len(f) == 0 || !isInt(f[0]) {
				return false
			}
			markers, _ = toInt(f[0])
		case 2:
			if len(f) != 4 {
				return false
			}
		case 3:
			if len(f) == 0 || !isInt(f[len(f)-1]) {
				return false
			}
			if last, _ := toInt(f[len(f)-1]); last != int64(len(f)) || last != markers {
				return false
			}
		default:
			if len(f) < 2 {
				if len(f) == 0 || f[0] == "3" {
					return false
				}
				continue
			}
			if f[0] == "3" && f[1] == "2" {
				between++
			}
		}
	}
	return between > 0
}

func isGenomeGraph(p *prefix) bool {
	c := cursor{p.text}
	c.line()
	n := 0
	for ; n < 3; n++ {
		line, ok := c.line()
		if !ok {
			break
		}
		f := pyFields(line)
		if len(f) < 2 || !hasAnyPrefix(f[0], []string{"chr", "RH", "rs", "SNP_", "CN", "A_"}) || !allFloats(f[1:]) {
			return false
		}
	}
	return n > 0
}

func isAmos(p *prefix) bool {
	if strings.IndexByte(p.text, '{') < 0 {
		return false
	}
	for line := range p.lines() {
		switch pyStrip(line) {
		case "{RED", "{CTG", "{TLE":
			return true
		}
	}
	return false
}

func isBPF(p *prefix) bool {
	const mandatory, optional = "LHD REP SNB SAM SBF SSB NCH SPN LBD", "FIL TYP DBN VOL DIR SRC BEG END RED RET RCC CMT SPI PCF PCN EXP SYS DAT SPA MAO GPO SAO"
	if !strings.Contains(p.text, "LBD") {
		return false
	}
	seen := map[string]bool{}
	for f := range p.rows(":", 40, "") {
		seen[f[0]] = true
		if f[0] == "LBD" {
			break
		}
	}
	for name := range strings.FieldsSeq(mandatory) {
		if !seen[name] {
			return false
		}
		delete(seen, name)
	}
	for name := range strings.FieldsSeq(optional) {
		delete(seen, name)
	}
	return len(seen) == 0
}
