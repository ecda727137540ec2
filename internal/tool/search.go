package tool

import (
	"sort"
	"strings"
	"unicode"
)

// searchIndex finds tools by words. Each word of a tool counts by where it stands: name most, help least.
type searchIndex struct {
	words    []string // sorted
	postings [][]posting
}

type posting struct {
	entry  int32
	weight float32
}

const (
	weightName        = 20
	weightID          = 12
	weightDescription = 8
	weightLabel       = 6
	weightSection     = 3
	weightHelp        = 0.5
	// maxHelpWords bounds what a long help adds to the index.
	maxHelpWords = 400
)

func buildSearch(entries []*Entry) *searchIndex {
	weights := map[string]map[int32]float32{}
	add := func(i int, text string, w float32, limit int) {
		n := 0
		for _, word := range words(text) {
			m := weights[word]
			if m == nil {
				m = map[int32]float32{}
				weights[word] = m
			}
			if m[int32(i)] < w {
				m[int32(i)] = w
			}
			if n++; limit > 0 && n >= limit {
				return
			}
		}
	}
	for i, e := range entries {
		add(i, e.Name, weightName, 0)
		add(i, e.OldID, weightID, 0)
		add(i, e.Description, weightDescription, 0)
		add(i, strings.Join(e.Labels, " "), weightLabel, 0)
		add(i, e.SectionName, weightSection, 0)
		for _, t := range append(append([]string(nil), e.EdamOperations...), e.EdamTopics...) {
			add(i, edamTerms[t].Label, weightSection, 0)
		}
		add(i, e.Help, weightHelp, maxHelpWords)
	}
	ix := &searchIndex{words: sortedKeys(weights)}
	for _, w := range ix.words {
		var ps []posting
		for entry, weight := range weights[w] {
			ps = append(ps, posting{entry, weight})
		}
		sort.Slice(ps, func(i, j int) bool { return ps[i].entry < ps[j].entry })
		ix.postings = append(ix.postings, ps)
	}
	return ix
}

// words splits a text into lower-case words of letters and digits. camelCase and names with digits stay whole.
func words(s string) []string {
	return strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

// Search returns the ids of the tools that match the query, best first, at most limit (0: all). A word of the query
// matches words that begin with it, and with three letters or more the inside of words, for less. Every word has to match.
func (s *Snapshot) Search(query string, who Audience, limit int) []string {
	s.indexOnce.Do(func() { s.index = buildSearch(s.order) })
	if len(query) > 1000 {
		query = query[:1000]
	}
	ws := words(query)
	ids := []string{}
	if len(ws) == 0 {
		return ids
	}
	if len(ws) > 20 {
		ws = ws[:20]
	}
	scores := make([]float32, len(s.order))
	matched := make([]int, len(s.order))
	for _, w := range ws {
		best := make([]float32, len(s.order))
		for i, word := range s.index.words {
			var factor float32
			switch {
			case word == w:
				factor = 1
			case strings.HasPrefix(word, w):
				factor = 0.6
			case len(w) >= 3 && strings.Contains(word, w):
				factor = 0.25
			case len(word) >= 4 && len(w) > len(word) && strings.HasPrefix(w, word):
				// «sorting» finds «sort»
				factor = 0.4
			default:
				continue
			}
			for _, p := range s.index.postings[i] {
				if v := p.weight * factor; v > best[p.entry] {
					best[p.entry] = v
				}
			}
		}
		for i, b := range best {
			if b > 0 {
				scores[i] += b
				matched[i]++
			}
		}
	}
	whole := strings.ToLower(strings.TrimSpace(query))
	var found []int
	for i, e := range s.order {
		switch {
		case strings.ToLower(e.OldID) == whole, strings.ToLower(e.ID) == whole:
			scores[i] += 1000
		case matched[i] < len(ws):
			continue
		case strings.ToLower(e.Name) == whole:
			scores[i] += 500
		}
		if !e.Hidden && e.inPanel && e.visibleTo(who) {
			found = append(found, i)
		}
	}
	sort.SliceStable(found, func(i, j int) bool { return scores[found[i]] > scores[found[j]] })
	for _, i := range found {
		if limit > 0 && len(ids) >= limit {
			break
		}
		ids = append(ids, s.order[i].ID)
	}
	return ids
}
