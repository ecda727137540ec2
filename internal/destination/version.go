package destination

import (
	"cmp"
	"regexp"
	"strconv"
	"strings"
)

// pep440 is the form of a version that Python's packaging reads.
var pep440 = regexp.MustCompile(`(?i)^\s*v?(?:([0-9]+)!)?([0-9]+(?:\.[0-9]+)*)(?:[-_.]?(a|b|c|rc|alpha|beta|pre|preview)[-_.]?([0-9]*))?((?:-([0-9]+))|(?:[-_.]?(post|rev|r)[-_.]?([0-9]*)))?([-_.]?dev[-_.]?([0-9]*))?(?:\+([a-z0-9]+(?:[-_.][a-z0-9]+)*))?\s*$`)

// compareVersions orders versions as Galaxy does: as packaging's, and what those do not read before them.
func compareVersions(a, b string) int {
	ka, okA := versionKey(a)
	kb, okB := versionKey(b)
	switch {
	case okA && okB:
		return compareKeys(ka, kb)
	case okA != okB:
		if okA {
			return 1
		}
		return -1
	}
	return compareKeys(legacyKey(a), legacyKey(b))
}

// part is a piece of a version: a number, or text. Rank puts kinds of pieces in order before their values.
type part struct {
	rank int
	num  string // without leading zeros
	text string
}

func compareKeys(a, b []part) int {
	for i := 0; i < len(a) && i < len(b); i++ {
		if c := cmp.Or(cmp.Compare(a[i].rank, b[i].rank), cmp.Compare(len(a[i].num), len(b[i].num)), strings.Compare(a[i].num, b[i].num), strings.Compare(a[i].text, b[i].text)); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(a), len(b))
}

func numeral(s string) string { return strings.TrimLeft(s, "0") }

// Pieces of a release stand between these: what comes before a release, and after.
const (
	rankEnd   = 0 // of the release's numbers
	rankNum   = 1
	rankDev   = 10 // 1.0.dev1
	rankPre   = 20 // 1.0a1
	rankFinal = 30
)

func versionKey(s string) ([]part, bool) {
	m := pep440.FindStringSubmatch(s)
	if m == nil {
		return nil, false
	}
	key := []part{{rank: rankNum, num: numeral(m[1])}}
	numbers := strings.Split(m[2], ".")
	for len(numbers) > 1 && numeral(numbers[len(numbers)-1]) == "" {
		numbers = numbers[:len(numbers)-1]
	}
	for _, n := range numbers {
		key = append(key, part{rank: rankNum, num: numeral(n)})
	}
	key = append(key, part{rank: rankEnd})
	post, dev := m[5] != "", m[9] != ""
	switch pre := strings.ToLower(m[3]); {
	case pre != "":
		names := map[string]string{"alpha": "a", "beta": "b", "c": "rc", "pre": "rc", "preview": "rc"}
		if short, ok := names[pre]; ok {
			pre = short
		}
		// The letters order themselves: a, b, rc.
		key = append(key, part{rank: rankPre + strings.Index("a b rc", pre)}, part{rank: rankNum, num: numeral(m[4])})
	case dev && !post:
		key = append(key, part{rank: rankDev}, part{rank: rankNum})
	default:
		key = append(key, part{rank: rankFinal}, part{rank: rankNum})
	}
	if post {
		key = append(key, part{rank: rankNum, num: numeral(m[6] + m[8])})
	} else {
		key = append(key, part{rank: rankEnd})
	}
	if dev {
		key = append(key, part{rank: rankNum, num: numeral(m[10])})
	} else {
		key = append(key, part{rank: rankFinal})
	}
	if m[11] != "" {
		for _, p := range regexp.MustCompile(`[-_.]`).Split(strings.ToLower(m[11]), -1) {
			if _, err := strconv.ParseUint(p, 10, 64); err == nil {
				key = append(key, part{rank: rankNum + 1, num: numeral(p)})
			} else {
				key = append(key, part{rank: rankNum, text: p})
			}
		}
	}
	return key, true
}

// legacyKey is how versions that are none are ordered: numbers by value, after text.
func legacyKey(s string) []part {
	var key []part
	for _, p := range regexp.MustCompile(`[0-9]+|[a-z]+|\.|-`).FindAllString(strings.ToLower(s), -1) {
		switch {
		case p == ".":
		case p[0] >= '0' && p[0] <= '9':
			key = append(key, part{rank: rankFinal, num: numeral(p)})
		case p == "-" || p == "final":
			key = append(key, part{rank: rankNum, text: "final-"})
		default:
			key = append(key, part{rank: rankNum, text: p})
		}
	}
	return append(key, part{rank: rankNum, text: "*final"})
}
