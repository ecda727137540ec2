package datatype

import (
	"regexp"
	"slices"
	"strings"
)

// Rules for tables that are not intervals.
var tableRules = map[string]func(*prefix) bool{
	"tabular.Vcf":           isVcf,
	"tabular.VcfGz":         isVcfGz,
	"tabular.Pileup":        isPileup,
	"tabular.Psl":           isPsl,
	"tabular.Sam":           isSam,
	"tabular.FourDNPairs":   func(p *prefix) bool { return isPairs(p, false) },
	"tabular.FourDNPairsam": func(p *prefix) bool { return isPairs(p, true) },
	"tabular.Eland":         isEland,
	"tabular.CMAP":          isCMAP,
	"tabular.GeoCSV":        isGeoCSV,
	"tabular.MatrixMarket":  func(p *prefix) bool { return p.startsWith("%%MatrixMarket matrix coordinate") },
	"metacyto.mSummary":     func(p *prefix) bool { return p.startsWith("study_id\tantibodies\tfilenames") },
	"goldenpath.GoldenPath": isGoldenPath,
	"qiime2.QIIME2Metadata": isQiimeMetadata,
	"text.Paf":              isPaf,
	"text.Taf":              isTaf,
	"text.Gfa1":             isGfa1,
	"text.Gfa2":             isGfa2,
	"plant_tribes.PlantTribesKsComponents": func(p *prefix) bool {
		return strings.TrimRight(firstLine(p), "\r\n") == "species\tn\tnumber_comp\tlnL\tAIC\tBIC\tmean\tvariance\tporportion"
	},
	"proteomics.PepList": func(p *prefix) bool {
		return hasHeadings(p, []string{"m/z", "rt(min)", "snr", "charge", "intensity"})
	},
	"proteomics.PSMS": func(p *prefix) bool {
		return hasHeadings(p, []string{"PSMId", "score", "q-value", "posterior_error_prob", "peptide", "proteinIds"})
	},
	"microarrays.Gal": func(p *prefix) bool { return isGenePix(p, "GenePix ArrayList") },
	"microarrays.Gpr": func(p *prefix) bool { return isGenePix(p, "GenePix Results") },
}

// at returns a column of a row, or the empty string.
func at(row []string, i int) string {
	if i < len(row) {
		return row[i]
	}
	return ""
}

// firstLine is the first line with its end.
func firstLine(p *prefix) string {
	if i := strings.IndexByte(p.text, '\n'); i >= 0 {
		return p.text[:i+1]
	}
	return p.text
}

func hasHeadings(p *prefix, want []string) bool {
	line := firstLine(p)
	if strings.Count(line, "\t")+1 != len(want) {
		return false
	}
	got := strings.Split(line, "\t")
	for i := range got {
		got[i] = pyStrip(got[i])
	}
	return slices.Equal(got, want)
}

func isVcf(p *prefix) bool { return p.startsWith("##fileformat=VCF") }

// bgzfEnd is the empty block that ends a file compressed with bgzip.
const bgzfEnd = "\x1f\x8b\x08\x04\x00\x00\x00\x00\x00\xff\x06\x00\x42\x43\x02\x00\x1b\x00\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00"

func isVcfGz(p *prefix) bool {
	return isVcf(p) && string(fileTail(p.path, int64(len(bgzfEnd)))) == bgzfEnd
}

func isPileup(p *prefix) bool {
	found := false
	for row := range p.rows("\t", sniffRows, "") {
		if strings.HasPrefix(row[0], "#") {
			continue
		}
		if len(row) < 5 {
			return false
		}
		if n, ok := toInt(row[1]); !ok || n < 0 {
			return false
		}
		if len(row[2]) != 1 || !strings.Contains("ACGTNacgtn", row[2]) {
			return false
		}
		found = true
	}
	return found
}

func isPsl(p *prefix) bool {
	count := 0
	natural := func(s string) bool { n, ok := toInt(s); return ok && n >= 0 }
	list := func(s string) bool {
		for item := range strings.SplitSeq(strings.TrimRight(s, ","), ",") {
			if !natural(item) {
				return false
			}
		}
		return true
	}
	for line := range p.lines() {
		line = pyStrip(line)
		if line == "" {
			break
		}
		if strings.HasPrefix(line, "browser") || strings.HasPrefix(line, "track") {
			continue
		}
		f := strings.Split(line, "\t")
		if len(f) != 21 {
			return false
		}
		switch f[8] {
		case "-", "+", "+-", "-+":
		default:
			return false
		}
		if !list(f[18]) || !list(f[19]) || !list(f[20]) {
			return false
		}
		for i, s := range f[:18] {
			if i != 8 && i != 9 && i != 13 && !natural(s) {
				return false
			}
		}
		if count++; count == 10 {
			break
		}
	}
	return count > 0
}

func isSam(p *prefix) bool {
	count := 0
	for line := range p.lines() {
		line = pyStrip(line)
		if line == "" || line[0] == '@' {
			continue
		}
		f := strings.Split(line, "\t")
		if len(f) < 11 || !isInt(f[1]) || !isInt(f[3]) || !isInt(f[4]) || !isInt(f[7]) || !isInt(f[8]) {
			return false
		}
		if count++; count == 5 {
			return true
		}
	}
	return count > 0
}

func isPairs(p *prefix, sam bool) bool {
	if !p.startsWith("## pairs format v1.0.0") {
		return false
	}
	for line := range p.lines() {
		if !strings.HasPrefix(line, "#") {
			return false
		}
		if strings.HasPrefix(line, "#columns:") {
			f := pyFields(line)
			if !sam {
				return strings.HasSuffix(strings.TrimRightFunc(line, pySpace), "pair_type")
			}
			return len(f) >= 3 && strings.HasSuffix(f[len(f)-3], "pair_type") && f[len(f)-2] == "sam1" && f[len(f)-1] == "sam2"
		}
	}
	return false
}

func isEland(p *prefix) bool {
	count := 0
	for line := range p.lines() {
		line = pyStrip(line)
		if line == "" {
			break
		}
		f := strings.Split(line, "\t")
		if len(f) != 22 || !isInt(f[4]) || !isInt(f[5]) {
			return false
		}
		for _, s := range f[1:4] {
			if n, ok := toInt(s); !ok || n < 0 {
				return false
			}
		}
		if count++; count == 5 {
			break
		}
	}
	return count > 0
}

func isCMAP(p *prefix) bool {
	for line := range p.rawLines() {
		if !strings.HasPrefix(line, "#") {
			return false
		}
		if strings.HasPrefix(line, "# CMAP File Version:") {
			return true
		}
	}
	return false
}

func isGeoCSV(p *prefix) bool {
	head := pyStrip(firstLine(p))
	if !strings.Contains(head, ",") {
		return false
	}
	lat, lon := false, false
	for col := range strings.SplitSeq(head, ",") {
		switch strings.ToLower(pyStrip(col)) {
		case "lat", "latitude":
			lat = true
		case "lon", "lng", "longitude":
			lon = true
		}
	}
	return lat && lon
}

func isGoldenPath(p *prefix) bool {
	found := false
	positive := func(s string) bool { n, ok := toInt(s); return ok && n > 0 && isDecimal(s) }
	oneOf := func(s, list string) bool { return s != "" && slices.Contains(strings.Fields(list), s) }
	for f := range p.rows("\t", sniffRows, "#") {
		if len(f) != 9 || !oneOf(f[4], "A D F G O P W N U") || !positive(f[1]) || !positive(f[2]) {
			return false
		}
		if f[4] == "U" || f[4] == "N" {
			if !positive(f[5]) || !oneOf(f[7], "yes no") ||
				!oneOf(f[6], "scaffold contig centromere short_arm heterochromatin telomere repeat") ||
				!oneOf(f[8], "na paired-ends align_genus align_xgenus align_trnscript within_clone clone_contig map strobe unspecified") {
				return false
			}
			if n, _ := toInt(f[5]); f[4] == "U" && n != 100 {
				return false
			}
		} else if !positive(f[6]) || !positive(f[7]) || !oneOf(f[8], "+ - ? 0 na") {
			return false
		}
		found = true
	}
	return found
}

func isQiimeMetadata(p *prefix) bool {
	n := 0
	for line := range p.lines() {
		if strings.HasPrefix(line, "#q2:types") {
			return true
		}
		if n++; n == 2 {
			break
		}
	}
	return false
}

func isPaf(p *prefix) bool {
	found := false
	for f := range p.rows("\t", sniffRows, "") {
		if len(f) < 12 || (f[4] != "+" && f[4] != "-") {
			return false
		}
		for _, i := range []int{1, 2, 3, 6, 7, 8, 9, 10, 11} {
			if !isInt(f[i]) {
				return false
			}
		}
		if q, _ := toInt(f[11]); q < 0 || q > 255 {
			return false
		}
		for _, tag := range f[12:] {
			if strings.Count(tag, ":") != 2 {
				return false
			}
		}
		found = true
	}
	return found
}

func isTaf(p *prefix) bool {
	rest, ok := strings.CutPrefix(firstLine(p), "#taf")
	if !ok || !strings.HasPrefix(rest, " ") && !strings.HasPrefix(rest, "\t") {
		return false
	}
	pairs := strings.FieldsFunc(strings.TrimRight(rest, "\n"), func(r rune) bool { return r == ' ' || r == '\t' })
	for _, pair := range pairs {
		i := strings.Index(pair, ":")
		if i < 1 || i == len(pair)-1 {
			return false
		}
	}
	return len(pairs) > 0
}

// mzTab sections and the fields that the metadata section must have, with the
// values allowed.
var (
	mzTab1Sections = []string{"PRH", "PRT", "PEH", "PEP", "PSH", "PSM", "SMH", "SML", "COM"}
	mzTab1Fields   = map[string][]string{
		"mzTab-mode": {"complete", "summary"}, "mzTab-type": {"quantification", "identification"}, "description": nil,
	}
	mzTab2Sections = []string{"SMH", "SML", "SFH", "SMF", "SEH", "SME", "COM"}
	mzTab2Fields   = map[string][]string{"mzTab-ID": nil}
	mzTab2Version  = regexp.MustCompile(`^2(\.[0-9]+)?(\.[0-9]+)?-M$`)
)

func isMzTab1(p *prefix) bool {
	return isMzTab(p, mzTab1Sections, mzTab1Fields, func(v string) bool { return strings.HasPrefix(v, "1") })
}

func isMzTab2(p *prefix) bool {
	return isMzTab(p, mzTab2Sections, mzTab2Fields, mzTab2Version.MatchString)
}

func isMzTab(p *prefix, sections []string, fields map[string][]string, version func(string) bool) bool {
	if !strings.Contains(p.text, "mzTab-version") {
		return false
	}
	hasVersion := false
	found := map[string]bool{}
	for line := range p.rawLines() {
		if pyStrip(line) == "" {
			continue
		}
		f := strings.Split(strings.Trim(line, "\r\n"), "\t")
		if f[0] != "MTD" {
			if !slices.Contains(sections, f[0]) {
				return false
			}
			continue
		}
		if len(f) < 3 {
			return false
		}
		if f[1] == "mzTab-version" {
			hasVersion = hasVersion || version(f[2])
		} else if allowed, ok := fields[f[1]]; ok && (allowed == nil || slices.Contains(allowed, strings.ToLower(f[2]))) {
			found[f[1]] = true
		}
	}
	return hasVersion && len(found) == len(fields)
}

func isGfa1(p *prefix) bool {
	strands := func(f []string) bool { return (f[2] == "+" || f[2] == "-") && (f[4] == "+" || f[4] == "-") }
	found := false
	for f := range p.rows("\t", sniffRows, "") {
		if strings.HasPrefix(f[0], "#") {
			continue
		}
		ok := false
		switch f[0] {
		case "H":
			return len(f) == 2 && f[1] == "VN:Z:1.0"
		case "S":
			ok = len(f) >= 3
		case "L":
			ok = len(f) >= 6 && strands(f)
		case "C":
			ok = len(f) >= 7 && strands(f) && isInt(f[5])
		case "P":
			ok = len(f) >= 4
		}
		if !ok {
			return false
		}
		found = true
	}
	return found
}

func isGfa2(p *prefix) bool {
	columns := map[string]int{"S": 3, "F": 8, "E": 9, "G": 6, "O": 3, "U": 3}
	found := false
	for f := range p.rows("\t", sniffRows, "") {
		if strings.HasPrefix(f[0], "#") {
			continue
		}
		if f[0] == "H" {
			return len(f) >= 2 && f[1] == "VN:Z:2.0"
		}
		if n, ok := columns[f[0]]; !ok || len(f) < n {
			return false
		}
		found = true
	}
	return found
}

func isGenePix(p *prefix, kind string) bool {
	rows := p.headRows("\t", 3, "")
	return len(rows) == 3 && strings.Contains(rows[0][0], "ATF") && strings.Contains(rows[2][0], kind)
}
