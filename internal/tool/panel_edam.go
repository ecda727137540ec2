package tool

import (
	"sort"
	"strings"
)

// EdamTerm is the name of a term of the EDAM ontology, and the term at the top of its branch.
type EdamTerm struct {
	Label string
	Top   string // "" for a term that is itself at the top
}

// edamPanel groups the tools of the panel by their terms: a label for each branch that has tools, below it one section for
// each term, and at the end the tools that name none.
func (s *Snapshot) edamPanel(terms func(*Entry) []string) []*panelItem {
	type branch struct {
		order []string
		tools map[string][]*Entry
	}
	branches := map[string]*branch{}
	var rest []*Entry
	seen := map[*Entry]bool{}
	visit := func(e *Entry) {
		if seen[e] {
			return
		}
		seen[e] = true
		known := false
		for _, t := range terms(e) {
			term, ok := s.edamTerm(t)
			if !ok {
				continue
			}
			known = true
			top := term.Top
			if top == "" {
				top = t
			}
			b := branches[top]
			if b == nil {
				b = &branch{tools: map[string][]*Entry{}}
				branches[top] = b
			}
			if _, ok := b.tools[t]; !ok {
				b.order = append(b.order, t)
			}
			b.tools[t] = append(b.tools[t], e)
		}
		if !known {
			rest = append(rest, e)
		}
	}
	for _, p := range s.panel {
		switch p.kind {
		case itemTool:
			visit(p.tool)
		case itemSection:
			for _, q := range p.items {
				if q.kind == itemTool {
					visit(q.tool)
				}
			}
		}
	}
	tops := sortedKeys(branches)
	sort.SliceStable(tops, func(i, j int) bool { return s.edamLabel(tops[i]) < s.edamLabel(tops[j]) })
	links := func(t string) ordered {
		return ordered{{"edam_browser", "https://edamontology.github.io/edam-browser/#" + t}}
	}
	var items []*panelItem
	for _, top := range tops {
		b := branches[top]
		label := &panelItem{kind: itemLabel, id: top, name: s.edamLabel(top), links: links(top)}
		if len(b.order) != 1 || b.order[0] != top {
			items = append(items, label)
		}
		for _, t := range b.order {
			sec := &panelItem{kind: itemSection, id: t, name: s.edamLabel(t), links: links(t)}
			for _, e := range b.tools[t] {
				sec.items = append(sec.items, &panelItem{kind: itemTool, tool: e})
			}
			items = append(items, sec)
		}
	}
	if len(rest) > 0 {
		sec := &panelItem{kind: itemSection, id: "uncategorized", name: "Uncategorized"}
		for _, e := range rest {
			sec.items = append(sec.items, &panelItem{kind: itemTool, tool: e})
		}
		items = append(items, sec)
	}
	return items
}

// edamTerm finds a term. Terms without a known name are kept under their number, as the tool's author meant them.
func (s *Snapshot) edamTerm(id string) (EdamTerm, bool) {
	if t, ok := s.box.opts.Edam[id]; ok {
		return t, true
	}
	if t, ok := edamTerms[id]; ok {
		return t, true
	}
	if rest, ok := strings.CutPrefix(id, "operation_"); ok && rest != "" {
		return EdamTerm{Label: id, Top: "operation_0004"}, true
	}
	if rest, ok := strings.CutPrefix(id, "topic_"); ok && rest != "" {
		return EdamTerm{Label: id, Top: "topic_0003"}, true
	}
	return EdamTerm{}, false
}

func (s *Snapshot) edamLabel(id string) string {
	t, _ := s.edamTerm(id)
	return t.Label
}

// edamTerms are the names of the terms that tools use most.
var edamTerms = map[string]EdamTerm{
	"operation_0004": {"Operation", ""},
	"operation_2409": {"Data handling", ""},
	"operation_2945": {"Analysis", ""},
	"operation_2429": {"Mapping", ""},
	"operation_0337": {"Visualisation", ""},
	"operation_2423": {"Prediction and recognition", ""},
	"operation_2428": {"Validation", ""},
	"operation_2425": {"Optimisation and refinement", ""},
	"operation_2424": {"Comparison", ""},
	"operation_2421": {"Indexing", "operation_2409"},
	"operation_0226": {"Annotation", ""},
	"operation_3429": {"Generation", ""},
	"operation_3432": {"Clustering", ""},
	"operation_3434": {"Conversion", ""},
	"operation_2238": {"Statistical calculation", ""},
	"operation_0224": {"Query and retrieval", "operation_2409"},
	"operation_2422": {"Data retrieval", "operation_2409"},
	"operation_3695": {"Filtering", "operation_2409"},
	"operation_3436": {"Aggregation", "operation_2409"},
	"operation_3802": {"Sorting", "operation_2409"},
	"operation_0335": {"Formatting", "operation_2409"},
	"operation_3096": {"Editing", "operation_2409"},
	"operation_3359": {"Splitting", "operation_2409"},
	"operation_1812": {"Parsing", "operation_2409"},
	"operation_0232": {"Sequence merging", "operation_2409"},
	"operation_3435": {"Standardisation and normalisation", "operation_2409"},
	"operation_3357": {"Format detection", "operation_2409"},
	"operation_3198": {"Read mapping", "operation_2945"},
	"operation_2403": {"Sequence analysis", "operation_2945"},
	"operation_2928": {"Alignment", "operation_2945"},
	"operation_0292": {"Sequence alignment", "operation_2945"},
	"operation_0310": {"Sequence assembly", "operation_2945"},
	"operation_3218": {"Sequencing quality control", "operation_2945"},
	"operation_3227": {"Variant calling", "operation_2945"},
	"operation_3192": {"Sequence trimming", "operation_2945"},
	"operation_3443": {"Image analysis", "operation_2945"},
	"operation_3799": {"Quantification", "operation_2945"},

	"topic_0003": {"Topic", ""},
	"topic_3307": {"Computational biology", ""},
	"topic_3315": {"Mathematics", ""},
	"topic_3316": {"Computer science", ""},
	"topic_0605": {"Informatics", ""},
	"topic_3071": {"Data management", "topic_0605"},
	"topic_0091": {"Bioinformatics", "topic_0605"},
	"topic_0102": {"Mapping", "topic_3307"},
	"topic_0080": {"Sequence analysis", "topic_3307"},
	"topic_3168": {"Sequencing", "topic_3307"},
	"topic_3170": {"RNA-Seq", "topic_3307"},
	"topic_3169": {"ChIP-seq", "topic_3307"},
	"topic_2269": {"Statistics and probability", "topic_3315"},
	"topic_0092": {"Data visualisation", "topic_3316"},
	"topic_0622": {"Genomics", "topic_3307"},
	"topic_3174": {"Metagenomics", "topic_3307"},
	"topic_0121": {"Proteomics", "topic_3307"},
	"topic_3172": {"Metabolomics", "topic_3307"},
	"topic_0199": {"Genetic variation", "topic_3307"},
	"topic_0637": {"Taxonomy", "topic_3307"},
	"topic_3382": {"Imaging", "topic_3307"},
}
