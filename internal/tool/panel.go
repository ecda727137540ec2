package tool

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
)

type itemKind int

const (
	itemTool itemKind = iota
	itemSection
	itemLabel
)

// panelItem is a tool, a label, or a section with what is in it.
type panelItem struct {
	kind        itemKind
	id          string
	name        string // the text of labels
	version     string
	description string
	links       ordered
	tool        *Entry
	items       []*panelItem
}

// Document is a finished answer. It is made once per snapshot and shared; nobody may change the bytes.
type Document struct {
	JSON []byte
	Gzip []byte // the same, compressed, for clients that accept it
	ETag string // strong, quoted
}

// docKey names one of the documents of a snapshot.
type docKey struct {
	kind string // "tools", "flat", "panel", "views", "tests"
	view string
	who  Audience
	help bool
}

// UnknownViewError is the answer to a panel view that does not exist.
type UnknownViewError struct{ View string }

func (e *UnknownViewError) Error() string { return fmt.Sprintf("No panel view %s found.", e.View) }

// document returns a document, making it on first use.
func (s *Snapshot) document(k docKey, make func() (any, error)) (*Document, error) {
	s.docMu.Lock()
	d := s.docs[k]
	s.docMu.Unlock()
	if d != nil {
		return d, nil
	}
	v, err, _ := s.flight.Do(fmt.Sprint(k), func() (any, error) {
		v, err := make()
		if err != nil {
			return nil, err
		}
		d, err := newDocument(v, s.earlier[k])
		if err != nil {
			return nil, err
		}
		s.docMu.Lock()
		s.docs[k] = d
		s.docMu.Unlock()
		return d, nil
	})
	if err != nil {
		return nil, err
	}
	return v.(*Document), nil
}

// inherit makes the documents that people asked an earlier snapshot for, so that nobody waits for them once this one
// takes its place. What did not change is taken over.
func (s *Snapshot) inherit(earlier *Snapshot) {
	earlier.docMu.Lock()
	s.earlier = maps.Clone(earlier.docs)
	earlier.docMu.Unlock()
	for k := range s.earlier {
		// One that cannot be made is told to whoever asks for it.
		switch k.kind {
		case "tools":
			_, _ = s.Tools(k.view, k.who, k.help)
		case "flat":
			_, _ = s.FlatTools(k.who, k.help)
		case "panel":
			_, _ = s.PanelView(k.view, k.who)
		case "views":
			_, _ = s.PanelViews()
		case "tests":
			_, _ = s.TestsSummary(k.who)
		}
	}
	s.earlier = nil
}

// newDocument makes a document, or gives the earlier one, which may be nil, if it says the same.
func newDocument(v any, earlier *Document) (*Document, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	if earlier != nil && bytes.Equal(earlier.JSON, data) {
		return earlier, nil
	}
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(data); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(data)
	return &Document{JSON: data, Gzip: bytes.Clone(b.Bytes()), ETag: `"` + hex.EncodeToString(sum[:12]) + `"`}, nil
}

// Panel views.
const (
	ViewDefault    = "default"
	ViewMyTools    = "my_panel"
	ViewOperations = "ontology:edam_operations"
	ViewTopics     = "ontology:edam_topics"
)

// view returns the items of a panel view that the audience may see.
func (s *Snapshot) view(name string, who Audience) ([]*panelItem, error) {
	var items []*panelItem
	switch name {
	case "", ViewDefault, "default_panel_view":
		items = s.panel
	case ViewMyTools:
		// The client fills this section from the user's preferences.
		return []*panelItem{{kind: itemSection, id: "favorites", name: "Favorites"}}, nil
	case ViewOperations:
		items = s.edamPanel(func(e *Entry) []string { return e.EdamOperations })
	case ViewTopics:
		items = s.edamPanel(func(e *Entry) []string { return e.EdamTopics })
	default:
		return nil, &UnknownViewError{name}
	}
	var kept []*panelItem
	for _, p := range items {
		switch p.kind {
		case itemTool:
			if !p.tool.visibleTo(who) {
				continue
			}
		case itemSection:
			in := visibleItems(p.items, who)
			if len(in) == 0 {
				continue
			}
			q := *p
			q.items = in
			p = &q
		}
		kept = append(kept, p)
	}
	return kept, nil
}

// visibleItems leaves out what the audience may not see, and labels without a tool below them.
func visibleItems(items []*panelItem, who Audience) []*panelItem {
	var r []*panelItem
	var label *panelItem
	for _, p := range items {
		if p.kind == itemLabel {
			label = p
			continue
		}
		if !p.tool.visibleTo(who) {
			continue
		}
		if label != nil {
			r = append(r, label)
			label = nil
		}
		r = append(r, p)
	}
	return r
}

// Tools is the answer of GET /api/tools with in_panel=true: the panel with all tools in it.
func (s *Snapshot) Tools(view string, who Audience, help bool) (*Document, error) {
	return s.document(docKey{"tools", view, who, help}, func() (any, error) {
		items, err := s.view(view, who)
		if err != nil {
			return nil, err
		}
		d := detail{admin: who == AudienceAdmin, link: true, help: help}
		list := []any{}
		for _, p := range items {
			list = append(list, p.json(d))
		}
		return list, nil
	})
}

// FlatTools is the answer of GET /api/tools with in_panel=false: every tool once.
func (s *Snapshot) FlatTools(who Audience, help bool) (*Document, error) {
	return s.document(docKey{"flat", "", who, help}, func() (any, error) {
		d := detail{admin: who == AudienceAdmin, link: true, help: help}
		list := []any{}
		for _, e := range s.order {
			if e.visibleTo(who) && !e.Hidden {
				list = append(list, e.fields(d, nil))
			}
		}
		return list, nil
	})
}

func (p *panelItem) json(d detail) any {
	switch p.kind {
	case itemTool:
		return p.tool.fields(d, nil)
	case itemLabel:
		return p.labelJSON()
	}
	elems := []any{}
	for _, q := range p.items {
		elems = append(elems, q.json(d))
	}
	return append(p.sectionJSON(), field{"elems", elems})
}

func (p *panelItem) sectionJSON() ordered {
	return ordered{{"model_class", "ToolSection"}, {"id", p.id}, {"name", p.name}, {"version", p.version}, {"description", nullable(p.description)}, {"links", p.linksJSON()}}
}

func (p *panelItem) labelJSON() ordered {
	return ordered{{"model_class", "ToolSectionLabel"}, {"id", p.id}, {"text", p.name}, {"version", p.version}, {"description", nullable(p.description)}, {"links", p.linksJSON()}}
}

func (p *panelItem) linksJSON() any {
	if p.links == nil {
		return nil
	}
	return p.links
}

// PanelView is the answer of GET /api/tool_panels/{view}: the sections with the ids of their tools.
func (s *Snapshot) PanelView(view string, who Audience) (*Document, error) {
	return s.document(docKey{"panel", view, who, false}, func() (any, error) {
		items, err := s.view(view, who)
		if err != nil {
			return nil, err
		}
		d := detail{admin: who == AudienceAdmin, link: true}
		o := ordered{}
		at := map[string]int{}
		set := func(key string, v any) {
			if i, ok := at[key]; ok {
				o[i].value = v
				return
			}
			at[key] = len(o)
			o = append(o, field{key, v})
		}
		for _, p := range items {
			switch p.kind {
			case itemTool:
				set(p.tool.ID, p.tool.fields(d, nil))
			case itemLabel:
				set(p.id, p.labelJSON())
			case itemSection:
				tools := []any{}
				for _, q := range p.items {
					if q.kind == itemTool {
						tools = append(tools, q.tool.ID)
					} else if q.name != "" {
						tools = append(tools, q.labelJSON())
					}
				}
				set(p.id, append(p.sectionJSON(), field{"tools", tools}))
			}
		}
		return o, nil
	})
}

// PanelViews is the answer of GET /api/tool_panels: which views there are.
func (s *Snapshot) PanelViews() (*Document, error) {
	return s.document(docKey{kind: "views"}, func() (any, error) {
		view := func(id, class, name, description, typ string) field {
			return field{id, ordered{{"id", id}, {"model_class", class}, {"name", name}, {"description", description}, {"view_type", typ}, {"searchable", true}}}
		}
		return ordered{{"default_panel_view", ViewDefault}, {"views", ordered{
			view(ViewDefault, "type", "Full Tool Panel", "All tools and sections as they are configured.", "default"),
			view(ViewMyTools, "MyToolsToolPanelView", "My Tools", "Your favorite tools, and a search through all others.", "favorites"),
			view(ViewOperations, "EdamToolPanelView", "EDAM Operations", "Tools grouped by what they do, as far as they say it in EDAM's terms.", "ontology"),
			view(ViewTopics, "EdamToolPanelView", "EDAM Topics", "Tools grouped by their topic, as far as they say it in EDAM's terms.", "ontology"),
		}}}, nil
	})
}

// TestsSummary is the answer of GET /api/tools/tests_summary: how many tests each tool has.
func (s *Snapshot) TestsSummary(who Audience) (*Document, error) {
	return s.document(docKey{kind: "tests", who: who}, func() (any, error) {
		o := ordered{}
		for _, e := range s.order {
			if e.Tests == 0 || !e.visibleTo(who) {
				continue
			}
			o = append(o, field{e.ID, ordered{{e.Version, ordered{{"tool_name", e.Name}, {"count", e.Tests}}}}})
		}
		return o, nil
	})
}

// VersionsOf is the answer of GET /api/tools?tool_id=: the versions of a tool, oldest first.
func (s *Snapshot) VersionsOf(id string) []string {
	versions := []string{}
	for _, e := range s.Versions(id) {
		versions = append(versions, e.Version)
	}
	return versions
}
