package tool

import (
	"encoding/json"
	"path/filepath"
	"strings"
)

// Summary is what the panel, the lists and the search need of a tool; the toolbox holds one for every tool and keeps them
// in its cache file, so that no tool has to be parsed to start.
type Summary struct {
	ID             string
	Name           string
	Version        string
	Description    string
	ModelClass     string
	Icon           string
	Profile        string
	EdamOperations []string
	EdamTopics     []string
	Xrefs          []Xref
	MinWidth       string // <uihints minwidth>
	Target         string
	Help           string
	HelpFormat     string
	Tests          int

	Hidden             bool
	HiddenWritten      bool
	WorkflowCompatible bool
	HasParameters      bool // Galaxy can describe all inputs by its parameter models
	RequireLogin       bool
}

func summarise(t *Tool) *Summary {
	return &Summary{
		ID: t.OldID, Name: t.Name, Version: t.Version, Description: t.Description, ModelClass: t.ModelClass, Icon: t.Icon,
		Profile: t.Profile, EdamOperations: t.EdamOperations, EdamTopics: t.EdamTopics, Xrefs: t.Xrefs, MinWidth: t.UIHints["minwidth"],
		Target: t.Target, Help: t.Help, HelpFormat: t.HelpFormat, Tests: len(t.Tests), Hidden: t.Hidden, HiddenWritten: t.HiddenWritten,
		WorkflowCompatible: t.WorkflowCompatible, HasParameters: hasParameterModels(t), RequireLogin: t.RequireLogin,
	}
}

// hasParameterModels is false for the tools whose inputs depend on more than the file: those of uploads.
func hasParameterModels(t *Tool) bool {
	ok := true
	t.WalkInputs(func(p *Param) bool {
		switch {
		case p.Kind == KindUploadDataset, p.Kind == KindConditional && p.ValueFrom != "", p.Kind == KindFile, p.Kind == KindFTPFile:
			ok = false
		}
		return ok
	})
	return ok
}

// Audience is who an answer is for: it decides which tools are shown and whether paths are.
type Audience int

// The audiences. Only administrators see the paths of tool files and data managers; tools that require a login are not
// shown to visitors without one.
const (
	AudienceAnonymous Audience = iota
	AudienceUser
	AudienceAdmin
)

func (e *Entry) visibleTo(a Audience) bool {
	if e.RequireLogin && a == AudienceAnonymous {
		return false
	}
	return e.ModelClass != "DataManagerTool" || a == AudienceAdmin
}

// Accessible says whether someone of the audience may use the tool.
func (e *Entry) Accessible(a Audience) bool { return e.visibleTo(a) }

// detail says what a tool's JSON holds beyond the basics.
type detail struct {
	admin bool
	link  bool
	help  bool
}

// fields is the tool's JSON in Galaxy's order; inputs and outputs go before has_parameters when they are asked for.
func (e *Entry) fields(d detail, io ordered) ordered {
	var hidden any = e.Hidden
	if !e.Hidden && !e.HiddenWritten {
		hidden = ""
	}
	xrefs := e.Xrefs
	if xrefs == nil {
		xrefs = []Xref{}
	}
	o := ordered{
		{"model_class", e.ModelClass}, {"id", e.ID}, {"name", e.Name}, {"version", e.Version}, {"description", e.Description},
		{"labels", stringList(e.Labels)}, {"icon", nullable(e.Icon)}, {"edam_operations", stringList(e.EdamOperations)},
		{"edam_topics", stringList(e.EdamTopics)}, {"hidden", hidden}, {"is_workflow_compatible", e.WorkflowCompatible}, {"xrefs", xrefs},
		{"versions", stringList(e.versions)}, {"hidden_versions", stringList(e.hiddenVersions)},
	}
	if r := e.Repository; r != nil {
		o = append(o, field{"tool_shed_repository", ordered{{"name", r.Name}, {"owner", r.Owner}, {"changeset_revision", r.Changeset}, {"tool_shed", r.ToolShed}}})
	}
	if d.admin {
		path := e.Path
		if abs, err := filepath.Abs(path); err == nil {
			path = abs
		}
		o = append(o, field{"config_file", path})
	}
	if d.link {
		link := "/tool_runner?tool_id=" + queryEscape(e.ID)
		if strings.HasSuffix(e.ModelClass, "DataSourceTool") {
			link = "/tool_runner/data_source_redirect?tool_id=" + queryEscape(e.ID)
		}
		var width any = -1
		if e.MinWidth != "" {
			width = e.MinWidth
		}
		o = append(o, field{"link", link}, field{"min_width", width}, field{"target", e.Target})
	}
	o = append(o, io...)
	var sectionID, sectionName any
	if e.inPanel {
		sectionID, sectionName = e.SectionID, e.SectionName
	}
	form := "special"
	if e.ModelClass == "Tool" || e.ModelClass == "InteractiveTool" || databaseOperations[e.ModelClass] {
		form = "regular"
	}
	o = append(o, field{"has_parameters", e.HasParameters}, field{"panel_section_id", sectionID}, field{"panel_section_name", sectionName}, field{"form_style", form})
	if d.help {
		format := e.HelpFormat
		if format == "" {
			format = "restructuredtext"
		}
		o = append(o, field{"help", e.Help}, field{"help_format", format})
	}
	return o
}

// queryEscape escapes an id for a link as Galaxy does: spaces as plus signs.
func queryEscape(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == ' ':
			b.WriteByte('+')
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte("-_.~/", c) >= 0:
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		}
	}
	return b.String()
}

// JSON is the answer of GET /api/tools/{id}: the summary, with links and with what io_details adds. inputs is the JSON
// array that the form half makes of the inputs; nil leaves inputs and outputs out.
func (e *Entry) JSON(who Audience, link bool, t *Tool, inputs json.RawMessage) ([]byte, error) {
	var io ordered
	if inputs != nil && t != nil {
		outs := []any{}
		for _, o := range t.Outputs {
			outs = append(outs, o.json())
		}
		io = ordered{{"inputs", inputs}, {"outputs", outs}}
	}
	return json.Marshal(e.fields(detail{admin: who == AudienceAdmin, link: link}, io))
}

// json is an output in the form that io_details shows.
func (o *Output) json() ordered {
	discover := []any{}
	for i := range o.Discover {
		discover = append(discover, o.Discover[i].json())
	}
	var label any
	if o.Label != nil {
		label = *o.Label
	}
	switch o.Kind {
	case OutputCollection:
		return ordered{{"model_class", "ToolOutputCollection"}, {"name", o.Name}, {"format", nil}, {"label", orEmpty(label)}, {"hidden", o.Hidden}, {"output_type", "collection"},
			{"default_format", o.Format}, {"format_source", nullable(o.FormatSource)}, {"metadata_source", nullable(o.MetadataSource)},
			{"inherit_format", o.InheritFormat}, {"inherit_metadata", o.InheritMetadata},
			{"structure", ordered{{"collection_type", nullable(o.CollectionType)}, {"collection_type_source", nullable(o.CollectionTypeSource)},
				{"collection_type_from_rules", nullable(o.CollectionTypeRules)}, {"structured_like", nullable(o.StructuredLike)}, {"discover_datasets", discover}}}}
	case OutputExpression:
		return ordered{{"model_class", "ToolExpressionOutput"}, {"name", o.Name}, {"format", o.Format}, {"label", label}, {"hidden", o.Hidden}, {"output_type", o.ValueType}}
	}
	return ordered{{"model_class", "ToolOutput"}, {"name", o.Name}, {"format", o.Format}, {"label", label}, {"hidden", o.Hidden}, {"output_type", "data"},
		{"format_source", nullable(o.FormatSource)}, {"default_identifier_source", o.DefaultIdentifierSource}, {"metadata_source", nullable(o.MetadataSource)},
		{"parent", nullable(o.ParentName)}, {"count", o.Count}, {"from_work_dir", nullable(o.FromWorkDir)}, {"discover_datasets", discover}}
}

func orEmpty(v any) any {
	if v == nil {
		return ""
	}
	return v
}

func (d *DiscoverDatasets) json() ordered {
	o := ordered{{"discover_via", d.Via}, {"format", nullable(d.Format)}, {"visible", d.Visible}, {"assign_primary_output", d.AssignPrimaryOutput},
		{"directory", nullable(d.Directory)}, {"recurse", d.Recurse}, {"match_relative_path", d.MatchRelativePath}}
	if d.Via == "pattern" {
		o = append(o, field{"sort_key", d.SortKey}, field{"sort_comp", d.SortComp}, field{"sort_reverse", d.SortReverse}, field{"pattern", d.Pattern})
	}
	return o
}

// CitationsJSON is the answer of GET /api/tools/{id}/citations. A DOI is given as the BibTeX entry that can be made of it
// without asking anyone.
func (t *Tool) CitationsJSON() ([]byte, error) {
	list := []any{}
	for _, c := range t.Citations {
		switch c.Type {
		case "bibtex":
			list = append(list, ordered{{"format", "bibtex"}, {"content", c.Content}})
		case "doi":
			doi := strings.TrimPrefix(strings.TrimPrefix(c.Content, "https://doi.org/"), "doi:")
			list = append(list, ordered{{"format", "bibtex"}, {"content", "@misc{" + doi + ",\n  doi = {" + doi + "},\n  url = {https://doi.org/" + doi + "},\n}"}})
		}
	}
	return json.Marshal(list)
}
