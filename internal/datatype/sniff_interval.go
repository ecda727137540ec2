package datatype

import (
	"slices"
	"strings"
)

// Rules for features on a genome.
var intervalRules = map[string]func(*prefix) bool{
	"interval.Bed":         isBed,
	"interval.CustomTrack": isCustomTrack,
	"interval.Gff":         isGff,
	"interval.Gff3":        isGff3,
	"interval.Gtf":         isGtf,
	"interval.Interval":    isInterval,
	"interval.Wiggle":      isWiggle,
	"interval.ScIdx":       isScIdx,
	"sequence.Axt":         isAxt,
	"chain.Chain":          isChain,
	"chain.Net":            isNet,
}

func isStrand(s string) bool { return s == "+" || s == "-" || s == "." }

func emptyRow(row []string) bool { return len(row) == 1 && row[0] == "" }

func isInterval(p *prefix) bool {
	found := false
	for f := range p.rows("\t", sniffRows, "#") {
		if len(f) < 3 || !isInt(f[1]) || !isInt(f[2]) {
			return false
		}
		found = true
	}
	return found
}

func isBed(p *prefix) bool {
	found := false
	for f := range p.rows("\t", sniffRows, "#") {
		if emptyRow(f) {
			continue
		}
		if len(f) < 3 || len(f) > 12 || !isInt(f[1]) || !isInt(f[2]) {
			return false
		}
		if len(f) > 4 {
			if n, ok := toInt(f[4]); !ok || n < 0 || n > 1000 {
				return false
			}
		}
		if len(f) > 5 && !isStrand(f[5]) || len(f) > 6 && !isInt(f[6]) || len(f) > 7 && !isInt(f[7]) ||
			len(f) > 9 && !isInt(f[9]) {
			return false
		}
		if len(f) > 11 {
			n, _ := toInt(f[9])
			sizes := strings.Count(strings.TrimRight(f[10], ","), ",") + 1
			starts := strings.Count(strings.TrimRight(f[11], ","), ",") + 1
			if int64(sizes) != n || int64(starts) != n {
				return false
			}
		}
		found = true
	}
	return found
}

// gffLines checks the nine columns that the GFF family shares and lets more
// decide about the rest. version says what a ##gff-version line means: 1 is
// yes, -1 is no, 0 is to go on.
func gffLines(p *prefix, version func(string) int, row func([]string) bool) bool {
	if len(p.headRows("\t", 2, "")) < 2 {
		return false
	}
	found := false
	for f := range p.rows("\t", sniffRows, "") {
		if emptyRow(f) {
			continue
		}
		head := pyFields(f[0])
		if len(head) == 0 {
			return false
		}
		if head[0] == "##gff-version" {
			if len(head) < 2 {
				return false
			}
			if v := version(head[1]); v != 0 {
				return v > 0
			}
		}
		if strings.HasPrefix(f[0], "#") {
			continue
		}
		if len(f) != 9 || f[5] != "." && !isFloat(f[5]) || !row(f) {
			return false
		}
		found = true
	}
	return found
}

func isFrame(s string) bool { return s == "." || s == "0" || s == "1" || s == "2" }

func gffRow(f []string) bool {
	return isInt(f[3]) && isInt(f[4]) && isStrand(f[6]) && isFrame(f[7])
}

func isGff(p *prefix) bool {
	return gffLines(p, func(v string) int {
		if strings.HasPrefix(v, "2") {
			return 1
		}
		return -1
	}, gffRow)
}

func isGff3(p *prefix) bool {
	return gffLines(p, func(v string) int {
		if strings.HasPrefix(v, "3") {
			return 1
		}
		return -1
	}, func(f []string) bool {
		return (isInt(f[3]) || f[3] == ".") && (isInt(f[4]) || f[4] == ".") && (isStrand(f[6]) || f[6] == "?") &&
			isFrame(f[7]) && gff3Attributes(f[8])
	})
}

// gff3Attributes reports whether the ninth column is tag=value pairs.
func gff3Attributes(s string) bool {
	for pair := range strings.SplitSeq(s, ";") {
		pair = pyStrip(pair)
		if pair == "" {
			continue
		}
		tag, _, ok := strings.Cut(pair, "=")
		if !ok || pyStrip(tag) == "" {
			return false
		}
	}
	return true
}

func isGtf(p *prefix) bool {
	return gffLines(p, func(v string) int {
		if strings.HasPrefix(v, "2") {
			return 0
		}
		return -1
	}, func(f []string) bool {
		if !gffRow(f) {
			return false
		}
		for _, a := range gffAttributes(f[8]) {
			if a.name == "gene_id" {
				return true
			}
		}
		return false
	})
}

type attribute struct{ name, value string }

// gffAttributes reads the ninth column of GFF and GTF: name=value or name
// "value", separated by semicolons; a column without pairs is a group's name.
func gffAttributes(s string) []attribute {
	var out []attribute
	for pair := range strings.SplitSeq(s, ";") {
		pair = pyStrip(pair)
		parts := strings.Split(pair, "=")
		if len(parts) == 1 {
			parts = strings.Split(pair, `"`)
		}
		if len(parts) == 1 {
			continue
		}
		if name := pyStrip(parts[0]); name != "" {
			out = append(out, attribute{name, strings.Trim(parts[1], ` "`)})
		}
	}
	if len(out) == 0 {
		out = append(out, attribute{"group", s})
	}
	return out
}

func isWiggle(p *prefix) bool {
	for f := range p.rows("", sniffRows, "") {
		if len(f) > 1 && f[0] == "track" && strings.HasPrefix(f[1], "type=wiggle") {
			return true
		}
	}
	return false
}

func isCustomTrack(p *prefix) bool {
	found := false
	first := true
	for f := range p.rows("", sniffRows, "") {
		if len(f) == 0 {
			return false
		}
		if first {
			first = false
			has := func(start string) bool {
				return slices.ContainsFunc(f[1:], func(s string) bool { return strings.HasPrefix(s, start) })
			}
			if !strings.HasPrefix(f[0], "track") || !has("color") || !has("visibility") {
				return false
			}
			continue
		}
		if strings.HasPrefix(f[0], "#") {
			continue
		}
		if len(f) < 3 || !isInt(f[1]) || !isInt(f[2]) {
			return false
		}
		found = true
	}
	return found
}

func isScIdx(p *prefix) bool {
	count := -1
	for f := range p.rows("\t", sniffRows, "") {
		count++
		switch count {
		case 0:
			if !strings.HasPrefix(f[0], "#") {
				return false
			}
		case 1:
			if !slices.Equal(f, []string{"chrom", "index", "forward", "reverse", "value"}) {
				return false
			}
		default:
			if len(f) != 5 || !isDecimal(f[1]) {
				return false
			}
			a, ok1 := toInt(f[2])
			b, ok2 := toInt(f[3])
			c, ok3 := toInt(f[4])
			return ok1 && ok2 && ok3 && a+b == c
		}
	}
	return count >= 1
}

func allDecimal(f []string, columns ...int) bool {
	for _, c := range columns {
		if !isDecimal(f[c]) {
			return false
		}
	}
	return true
}

func isAxt(p *prefix) bool {
	h := p.headRows("", 4, "#")
	if len(h) < 3 || len(h[0]) != 9 || h[0][0] != "0" || !allDecimal(h[0], 2, 3, 5, 6, 8) || !isStrand(h[0][7]) ||
		len(h[1]) != 1 || len(h[2]) != 1 {
		return false
	}
	return len(h) < 4 || len(h[3]) == 0
}

func isChain(p *prefix) bool {
	h := p.headRows("", 2, "#")
	if len(h) != 2 || (len(h[0]) != 12 && len(h[0]) != 13) || h[0][0] != "chain" || (len(h[1]) != 1 && len(h[1]) != 3) {
		return false
	}
	plusMinus := func(s string) bool { return s == "+" || s == "-" }
	return allDecimal(h[0], 1, 3, 5, 6, 8, 10, 11) && plusMinus(h[0][4]) && plusMinus(h[0][9]) && isDecimal(h[1][0])
}

func isNet(p *prefix) bool {
	h := p.headRows("", 2, "#")
	if len(h) != 2 || len(h[0]) != 3 || h[0][0] != "net" || !isDecimal(h[0][2]) || len(h[1]) < 7 || len(h[1]) > 41 {
		return false
	}
	return (h[1][0] == "fill" || h[1][0] == "gap") && allDecimal(h[1], 1, 2, 5, 6) && (h[1][4] == "+" || h[1][4] == "-")
}
