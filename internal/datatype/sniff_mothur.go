package datatype

import (
	"math"
	"regexp"
	"strings"
)

// Rules of the mothur suite. They come first in Galaxy's order and look at
// nothing but columns of numbers, so plain tables meet them too.
var mothurRules = map[string]func(*prefix) bool{
	"mothur.Sabund":                      func(p *prefix) bool { return isOtu(p, true) },
	"mothur.Otu":                         func(p *prefix) bool { return isOtu(p, false) },
	"mothur.GroupAbund":                  isGroupAbund,
	"mothur.SecondaryStructureMap":       isStructureMap,
	"mothur.LowerTriangleDistanceMatrix": func(p *prefix) bool { return isDistances(p, true) },
	"mothur.SquareDistanceMatrix":        func(p *prefix) bool { return isDistances(p, false) },
	"mothur.PairwiseDistanceMatrix":      isPairDistances,
	"mothur.Oligos":                      isOligos,
	"mothur.Quantile":                    isQuantile,
	"mothur.Frequency":                   isFrequency,
	"mothur.LaneMask":                    isLaneMask,
	"mothur.RefTaxonomy":                 isRefTaxonomy,
	"mothur.Axes":                        isAxes,
}

func isOtu(p *prefix, counts bool) bool {
	count := 0
	for f := range p.rows("\t", sniffRows, "") {
		if strings.HasPrefix(f[0], "@") {
			continue
		}
		if len(f) < 2 {
			return false
		}
		if counts || count >= 1 {
			if n, ok := toInt(f[1]); !ok || n+2 != int64(len(f)) {
				return false
			}
		}
		if counts && !allInts(f[2:]) {
			return false
		}
		count++
	}
	if counts {
		return count > 0
	}
	return count > 2
}

func allFloats(f []string) bool {
	for _, s := range f {
		if !isFloat(s) {
			return false
		}
	}
	return true
}

func isGroupAbund(p *prefix) bool {
	count := 0
	for f := range p.rows("\t", sniffRows, "") {
		if strings.HasPrefix(f[0], "@") {
			continue
		}
		if len(f) < 3 {
			return false
		}
		if count > 0 || f[0] != "label" {
			if n, ok := toInt(f[2]); !ok || n+3 != int64(len(f)) || !allFloats(f[3:]) {
				return false
			}
		}
		count++
	}
	return count > 1
}

func isStructureMap(p *prefix) bool {
	row := int64(0)
	back := map[int64]int64{}
	for f := range p.rows("\t", sniffRows, "") {
		row++
		pointer, ok := toInt(f[0])
		if len(f) > 1 || !ok {
			return false
		}
		from, seen := back[row]
		if pointer > row {
			back[pointer] = row
		} else if pointer > 0 || seen {
			if !seen || from != pointer {
				return false
			}
		}
	}
	return row >= 3
}

func isDistances(p *prefix, triangle bool) bool {
	const most = 300
	if first := firstLine(p); !strings.HasPrefix(first, "@") && !isInt(strings.ReplaceAll(first, "\t", "")) {
		return false
	}
	row, size := int64(0), int64(0)
	for f := range p.rows("\t", most, "") {
		if strings.HasPrefix(f[0], "@") {
			continue
		}
		if row == 0 {
			n, ok := toInt(strings.Join(f, ""))
			if len(f) > 2 || !ok || n <= 0 {
				return false
			}
			size = n
		} else {
			want := size + 1
			if triangle {
				want = row
			}
			if int64(len(f)) != want || !allFloats(f[min(2, len(f)):]) {
				return false
			}
		}
		row++
	}
	return row > 0 && (row == size+1 || row == most+1)
}

func isPairDistances(p *prefix) bool {
	count := 0
	names := [2]bool{}
	fraction := false
	for f := range p.rows("\t", sniffRows, "") {
		if strings.HasPrefix(f[0], "@") {
			continue
		}
		if len(f) != 3 || !isFloat(f[2]) {
			return false
		}
		fraction = fraction || !isInt(f[2])
		count++
		for c := range names {
			names[c] = names[c] || !isFloat(f[c])
		}
	}
	return names[0] && names[1] && count > 2 && fraction
}

func isOligos(p *prefix) bool {
	count := 0
	for f := range p.rows("\t", sniffRows, "") {
		if strings.HasPrefix(f[0], "@") || strings.HasPrefix(f[0], "#") {
			continue
		}
		primer := len(f) == 2 && (f[0] == "forward" || f[0] == "reverse")
		if !primer && (len(f) != 3 || f[0] != "barcode") {
			return false
		}
		count++
	}
	return count > 0
}

func isQuantile(p *prefix) bool {
	count := 0
	for f := range p.rows("\t", sniffRows, "") {
		if strings.HasPrefix(f[0], "@") || strings.HasPrefix(f[0], "#") {
			continue
		}
		if len(f) != 7 || !isInt(f[0]) || !allFloats(f[1:]) {
			return false
		}
		count++
	}
	return count > 0
}

func isFrequency(p *prefix) bool {
	count := 0
	for f := range p.rows("\t", sniffRows, "") {
		if strings.HasPrefix(f[0], "@") {
			continue
		}
		if count == 0 {
			if !strings.HasPrefix(f[0], "#") || len(f) != 1 {
				return false
			}
		} else if len(f) != 2 || !isInt(f[0]) || !isFloat(f[1]) || !strings.Contains(f[1], ".") {
			return false
		}
		count++
	}
	return count > 1
}

func isLaneMask(p *prefix) bool {
	h := p.headRows("\t", 2, "")
	return len(h) == 1 && len(h[0]) == 1 && len(h[0][0]) >= 1000 && strings.Trim(h[0][0], "01") == ""
}

var lineage = regexp.MustCompile(`^[^ \t\n\r\f\v;]+(\(\d+\))?(;[^ \t\n\r\f\v;]+(\(\d+\))?)*;?$`)

func isRefTaxonomy(p *prefix) bool {
	count := 0
	semicolon := false
	for f := range p.rows("\t", 300, "") {
		if strings.HasPrefix(f[0], "@") || strings.HasPrefix(f[0], "#") {
			continue
		}
		if len(f) < 2 || len(f) > 3 || !lineage.MatchString(f[1]) || len(f) == 3 && !isInt(f[2]) {
			return false
		}
		semicolon = semicolon || strings.Contains(f[1], ";")
		count++
	}
	return count > 0 && semicolon
}

func isAxes(p *prefix) bool {
	count, columns := 0, 0
	fraction := false
	for f := range p.rows("\t", sniffRows, "") {
		count++
		switch {
		case count == 1:
		case columns == 0:
			if columns = len(f); columns < 2 {
				return false
			}
		default:
			if len(f) != columns {
				return false
			}
			for _, s := range f[1:] {
				v, ok := toFloat(s)
				if !ok || math.Abs(v) > 1 {
					return false
				}
				fraction = fraction || !isInt(s)
			}
		}
	}
	return fraction
}
