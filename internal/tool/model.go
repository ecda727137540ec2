package tool

import (
	"strings"
)

// Tool is one parsed tool file, after macros and tokens were expanded. It is read-only once loaded and may be shared
// between goroutines.
type Tool struct {
	ID          string // the id that lookups use; equals OldID unless the toolbox gave the tool a guid
	OldID       string // the id written in the file
	GUID        string // tool_conf.xml's guid attribute, or ""
	Name        string
	Version     string // "1.0.0" when the file has none and its profile is older than 16.04
	Profile     string // as written; "16.01" when the file has none
	Description string
	Icon        string // <icon src>
	ToolType    string // "default", "data_source", "expression", "interactive", "manage_data", "upload", …
	ModelClass  string // Galaxy's class name of the tool in its JSON: "Tool", "DataSourceTool", …
	License     string
	Creators    []map[string]any // persons and organisations, each with "class"

	EdamOperations []string
	EdamTopics     []string
	Xrefs          []Xref
	Labels         []string // tool_conf.xml's labels attribute

	Help       string // the source text of <help>
	HelpFormat string // "restructuredtext" (also when not said) or "markdown"; "" when there is no <help>
	Citations  []Citation

	Requirements         []Requirement
	Containers           []Container
	ResourceRequirements []ResourceRequirement
	Credentials          []*Element
	RequiredFiles        *Element

	Command              Command
	Expression           string // <expression type="ecma5.1">
	VersionCommand       string // stripped
	EnvironmentVariables []EnvironmentVariable
	ConfigFiles          []ConfigFile
	TemplateMacros       map[string]string // <template name="…"> macros, given to the command's template
	EntryPoints          []EntryPoint
	CodeFiles            []CodeFile
	UIHints              map[string]string

	Stdio         Stdio
	ParallelismOf map[string]string // <parallelism>'s attributes, method included; nil without
	HomeTarget    string            // "job_home", "shared_home", or "" when the tool sets HOME itself

	Inputs        []*Param // the tree in document order; several <page>s are joined
	InputsDefined bool     // an <inputs> element exists
	HasPages      bool     // several <page>s
	Display       string   // the XML text of <inputs><display>
	Action        string   // <inputs action>, "/tool_runner/index" by default
	Method        string   // <inputs method>, "post" by default
	Target        string   // <inputs target>, "galaxy_main" by default
	CheckValues   bool     // <inputs check_values>, true by default
	NginxUpload   bool

	Outputs           []*Output // data, collection and expression outputs in document order
	OutputsByName     map[string]*Output
	OutputCollections []*Output // those of Outputs that are collections

	ProvidedMetadataFile  string // "galaxy.json" by default
	ProvidedMetadataStyle string // "legacy" before profile 17.09, else "default"
	// ProvidedMetadataExplicit says that <outputs> names a metadata file or style.
	ProvidedMetadataExplicit bool

	Tests []*TestCase

	RequestParamTranslation []RequestParam // data_source tools
	RedirectURLParams       string

	// Hidden keeps the tool out of the panel. HiddenWritten says that the file or the toolbox says anything about it,
	// which Galaxy's JSON shows ("" instead of false).
	Hidden, HiddenWritten bool

	RequireLogin       bool
	DisplayInterface   bool
	WorkflowCompatible bool
	Sanitize           bool // <options sanitize>, true by default
	Refresh            bool // <options refresh>

	// ActionModule and ActionClass are <action module class>, TypeModule and TypeClass <type module class>: Galaxy's
	// Python names, kept to recognise Galaxy's own special tools.
	ActionModule, ActionClass string
	TypeModule, TypeClass     string

	PythonTemplateVersion string // "3.5" from profile 19.05 on, else "2.7", unless written

	Path       string   // the tool file
	Dir        string   // its folder, Cheetah's $__tool_directory__
	MacroPaths []string // imported macro files
	Warnings   []string // oddities that do not keep the tool from working, each with file and line
}

// Xref is an <xref>: an entry of a registry such as bio.tools.
type Xref struct {
	Value string `json:"value"`
	Type  string `json:"type"`
}

// Citation is one <citation>; Type is "doi" or "bibtex".
type Citation struct {
	Type    string `json:"type"`
	Content string `json:"content"`
}

// Requirement is a <requirement>.
type Requirement struct {
	Type    string // "package", "set_environment", "resource", "javascript"
	Name    string
	Version string
}

// Container is a <container>; Type is "docker" or "singularity".
type Container struct {
	Type       string
	Identifier string
}

// ResourceRequirement is a <resource type="cores_min">.
type ResourceRequirement struct {
	Type  string
	Value string
}

// EnvironmentVariable is an <environment_variable>; its Template is a Cheetah template.
type EnvironmentVariable struct {
	Name     string
	Template string
	Inject   string // "api_key", "entry_point_path_for_label", "oidc_…" or ""
	Strip    bool
	Line     int
}

// Command is the <command> element.
type Command struct {
	Text          string // the Cheetah template as written
	Interpreter   string // only with profile 16.01, as Galaxy ignores it later
	Strict        bool   // set -e; default from profile 20.09 on
	UseSharedHome bool
	DetectErrors  string // "default", "exit_code" or "aggressive"
	OOMExitCode   *int
	Line          int    // line of <command> in File
	File          string // the file that holds the text (a macro file perhaps)
	Defined       bool   // a <command> element exists
}

// ConfigFile is a <configfile>, or the <inputs> or <file_sources> of <configfiles>.
type ConfigFile struct {
	Kind     string // "template", "inputs" or "file_sources"
	Name     string // the Cheetah variable that holds its path, or ""
	Filename string // path in the job's folder, or ""
	Text     string // the template
	Format   string // kind inputs: "json"
	// DataStyle (kind inputs) is "", "paths" or "staging_path_and_source_path".
	DataStyle string
	Line      int
}

// EntryPoint is an <entry_point> of an interactive tool.
type EntryPoint struct {
	Name, Label, Port, URL, RequiresPathInHeaderNamed string
	RequiresDomain, RequiresPathInURL                 bool
}

// CodeFile is a <code file> with its hooks. Orrery runs no Python of tools; it is kept to say so where it matters.
type CodeFile struct {
	File  string
	Hooks map[string]string
}

// ErrorLevel is the weight of a matched stdio rule.
type ErrorLevel float64

// The levels, in rising order, with Galaxy's numbers.
const (
	LevelNone     ErrorLevel = 0
	LevelLog      ErrorLevel = 1
	LevelQC       ErrorLevel = 1.1
	LevelWarning  ErrorLevel = 2
	LevelFatal    ErrorLevel = 3
	LevelFatalOOM ErrorLevel = 4
)

// Stdio holds the rules that judge a finished command: those of <stdio> first, then what detect_errors and the profile
// add (exit codes other than 0 are fatal from profile 16.04 on unless <stdio> is given).
type Stdio struct {
	ExitCodes []ExitCodeRule
	Regexes   []RegexRule
}

// Legacy says that no rule judges the exit code, so that any output on standard error fails the job (profile 16.01).
func (s Stdio) Legacy() bool { return len(s.ExitCodes) == 0 && len(s.Regexes) == 0 }

// ExitCodeRule matches exit codes from Start to End, both included; infinities are ±math.MaxInt.
type ExitCodeRule struct {
	Start, End int
	Level      ErrorLevel
	Desc       string
}

// RegexRule matches lines of the command's output, case-insensitively, as Python's re.search does.
type RegexRule struct {
	Match          string
	Stdout, Stderr bool
	Level          ErrorLevel
	Desc           string
}

// Kind is what an input is: the type attribute of a <param>, or the element's own name for groups.
type Kind string

// The kinds of inputs.
const (
	KindText           Kind = "text"
	KindInteger        Kind = "integer"
	KindFloat          Kind = "float"
	KindBoolean        Kind = "boolean"
	KindSelect         Kind = "select"
	KindGenomeBuild    Kind = "genomebuild"
	KindColor          Kind = "color"
	KindDataColumn     Kind = "data_column"
	KindHidden         Kind = "hidden"
	KindHiddenData     Kind = "hidden_data"
	KindBaseURL        Kind = "baseurl"
	KindFile           Kind = "file"
	KindFTPFile        Kind = "ftpfile"
	KindData           Kind = "data"
	KindDataCollection Kind = "data_collection"
	KindLibraryData    Kind = "library_data"
	KindRules          Kind = "rules"
	KindFieldType      Kind = "field"
	KindDrillDown      Kind = "drill_down"
	KindGroupTag       Kind = "group_tag"
	KindDirectoryURI   Kind = "directory_uri"

	KindConditional   Kind = "conditional"
	KindRepeat        Kind = "repeat"
	KindSection       Kind = "section"
	KindUploadDataset Kind = "upload_dataset"
)

// Group says that the kind holds other inputs.
func (k Kind) Group() bool {
	switch k {
	case KindConditional, KindRepeat, KindSection, KindUploadDataset:
		return true
	}
	return false
}

// Param is one input: a <param> or a group. Fields that do not belong to its Kind are zero. Attributes for which «absent»
// differs from «empty» are pointers.
type Param struct {
	Kind     Kind
	Name     string // name, or made from argument: "--min-len" is "min_len"
	Argument string
	Label    string // for repeat and section: the title
	Help     string // raw; HelpFormat says how to read it
	// HelpFormat is "html" or "markdown".
	HelpFormat string

	Optional        bool
	OptionalWritten bool // the attribute optional is in the file
	// OptionalInferred: a text parameter that is optional because nothing demands a value.
	OptionalInferred bool
	Hidden           bool
	RefreshOnChange  bool

	// Value is the attribute value: default of text, integer, float, hidden, color, baseurl, genomebuild, hidden_data.
	Value *string

	// text
	Area     bool
	Size     string
	Datalist []Option

	// integer, float, and min/max of repeats (RepeatMin…) and data lists
	Min, Max *string

	// boolean. A nil Checked is the undecided state of an optional boolean.
	TrueValue, FalseValue string
	Checked               *bool

	// select, genomebuild, drill_down, data_column, data, …
	Multiple  bool
	Display   string // "", "checkboxes" or "radio"
	Separator string // "," by default
	Options   []Option
	Dynamic   *DynamicOptions // <options>, also on data parameters
	// DynamicCode is the attribute dynamic_options: Python of a <code> file, which Orrery does not run.
	DynamicCode string

	// data_column, group_tag
	DataRef        string
	Numerical      bool
	UseHeaderNames bool
	AcceptDefault  bool
	DefaultValue   *string // default_value, or value without it
	ForceSelect    bool

	// drill_down
	Hierarchy string // "exact" or "recurse"
	DrillDown []*DrillOption
	FromFile  string

	// data, data_collection, hidden_data
	Formats          []string // as written, lower case; ["data"] by default
	CollectionTypes  []string // empty: any
	LoadContents     int
	Tag              string
	Conversions      []Conversion
	DefaultObject    map[string]any // <default>: a File or a Collection with its location
	AllowURI         []string       // allow_uri_if_protocol
	NoValidation     bool
	Fields           string // fields of record collections
	ColumnDefinition string // column_definitions of sample sheets

	// color
	RGB bool

	// baseurl
	URLBuilder *Element

	Validators []Validator
	Sanitizer  *Sanitizer

	// section
	Expanded bool

	// repeat. A RepeatMax of -1 is «no limit».
	RepeatMin, RepeatMax, RepeatDefault int

	// conditional
	Test  *Param // its test parameter: a select or a boolean
	Cases []Case
	// ValueRef names an earlier parameter whose value selects the case.
	ValueRef        string
	ValueRefInGroup bool
	ValueFrom       string

	// upload_dataset
	FileTypeName     string // "file_type" by default
	DefaultFileType  string // "auto" by default
	MetadataRef      string
	GalaxyStandalone bool

	// Children are the inputs of repeat, section and upload_dataset.
	Children []*Param

	Parent *Param // the enclosing group, nil at the top
	Line   int
	File   string // where it was written: the tool file or a macro file
}

// Case is a <when> of a conditional.
type Case struct {
	Value  string
	Inputs []*Param
}

// Case returns the case whose value is v.
func (p *Param) Case(v string) (*Case, bool) {
	for i := range p.Cases {
		if p.Cases[i].Value == v {
			return &p.Cases[i], true
		}
	}
	return nil, false
}

// Option is an <option> of a select or of a text's datalist.
type Option struct {
	Text     string // the label shown; the value when empty
	Value    string
	Selected bool
}

// DrillOption is an <option> of a drill_down with those below it.
type DrillOption struct {
	Name     string
	Value    string
	Selected bool
	Options  []*DrillOption
}

// Conversion is <conversion name type>: an implicit conversion whose result the command reaches as $name.
type Conversion struct {
	Name      string
	Extension string
}

// DynamicOptions is an <options> element.
type DynamicOptions struct {
	FromDataTable string
	FromFile      string
	FromDataset   string
	FromParameter string
	FromURL       string
	OptionsFilter string // options_filter_attribute
	Separator     string // as written; "" means a tab
	Comment       string // lines that start so are left out; from attribute startswith_comment… "" means "#"
	StartsWith    string // only lines that start so
	Meta          string // meta_file_key
	TransformList string
	RequestMethod string
	Columns       []OptionColumn
	Filters       []OptionFilter
	Validators    []Validator
	Options       []Option // static options written inside <options>
	Files         []string // <file>
	Postprocess   string   // <postprocess_expression>
	RequestBody   string
	RequestHeader map[string]string
	Element       *Element // everything as written
}

// OptionColumn is <column name index>.
type OptionColumn struct {
	Name  string
	Index int // -1 when not written
}

// OptionFilter is a <filter> of <options>: its type and its attributes.
type OptionFilter struct {
	Type  string
	Attrs map[string]string
}

// Validator is a <validator>. Expression is the text of expression and regex validators.
type Validator struct {
	Type       string
	Message    *string
	Negate     bool
	Expression string
	// Min and Max are in the form written; nil is «no bound».
	Min, Max               *string
	ExcludeMin, ExcludeMax bool
	Check, Skip            []string // metadata
	MetadataName           string
	MetadataColumn         string // "0" by default: an index or a name
	TableName              string
	Filename               string
	LineStartsWith         string
	Split                  string  // "\t" by default
	Value                  *string // dataset_metadata_equal
	ValueJSON              *string
	Line                   int
}

// Sanitizer is a <sanitizer> as written: the order of its actions matters.
type Sanitizer struct {
	Sanitize    bool
	InvalidChar string // "X" by default
	Valid       []SanitizerSet
	Mapping     []SanitizerSet
}

// SanitizerSet is a <valid> or a <mapping>.
type SanitizerSet struct {
	Initial string // "default" when not written
	Actions []SanitizerAction
}

// SanitizerAction is an <add> or <remove>.
type SanitizerAction struct {
	Remove         bool
	Preset         string
	Value          string  // valid: the characters
	Source, Target *string // mapping
}

// OutputKind is the kind of an output.
type OutputKind string

// The kinds of outputs.
const (
	OutputData       OutputKind = "data"
	OutputCollection OutputKind = "collection"
	OutputExpression OutputKind = "expression" // <output type="integer|float|boolean|text">
)

// Output is a <data>, <collection> or <output> of <outputs>.
type Output struct {
	Kind OutputKind
	Name string
	Line int

	Label          *string // a Cheetah template; nil: "${tool.name} on ${on_string}"
	Hidden         bool
	Filters        []OutputFilter // all have to be true
	FromExpression string         // from

	// data
	Format                  string // "data" by default, "_sniff_" for auto_format, "input" for the first input's
	FormatSource            string
	MetadataSource          string
	DefaultIdentifierSource string // "None" when not written, as in Galaxy
	FromWorkDir             string
	PrecreateDirectory      bool
	Count                   int
	ChangeFormat            []ChangeFormat
	Actions                 []*Element // the children of <actions>
	Discover                []DiscoverDatasets
	ParentName              string // parent

	// collection
	CollectionType       string
	CollectionTypeSource string
	CollectionTypeRules  string // type_from_rules
	StructuredLike       string
	InheritFormat        bool
	InheritMetadata      bool
	Elements             []*Output // its <data> children

	// expression
	ValueType string // "integer", "float", "boolean", "text", …
	ValuePath string // attribute value
}

// OutputFilter is a <filter>: a Python expression over the parameters.
type OutputFilter struct {
	Expression string
	Line       int
}

// ChangeFormat is a <when> of <change_format>.
type ChangeFormat struct {
	Value        string
	Format       string
	Input        string // a Cheetah expression such as "$param", "" if InputDataset is used
	InputDataset string
	Attribute    string
}

// DiscoverDatasets is a <discover_datasets>.
type DiscoverDatasets struct {
	Via                 string // "pattern" or "tool_provided_metadata"
	Pattern             string // a Python regular expression, named patterns replaced
	Directory           string
	Format              string // ext or format; "" when not written
	DBKey               string // "__input__" by default
	Visible             bool
	AssignPrimaryOutput bool
	Recurse             bool
	MatchRelativePath   bool
	SortKey             string // "filename", "name", "designation" or "dbkey"
	SortComp            string // "lexical" or "numeric"
	SortReverse         bool
}

// RequestParam is a <request_param> of <request_param_translation>.
type RequestParam struct {
	GalaxyName string
	RemoteName string
	Missing    string
	Separator  string
	Translate  map[string]string // <value_translation>: remote value to Galaxy's
	Append     *Element          // <append_param>
}

// Element is an XML element after macro expansion, for parts of a tool that are kept as written.
type Element struct {
	Tag      string
	Attrs    []Attr
	Text     string // the text before the first child, which is all that Galaxy reads
	Children []*Element
	Tail     string // the text after the end tag, before the next sibling
	Line     int
	File     string
}

// Attr is an attribute of an Element.
type Attr struct{ Name, Value string }

// Get returns the value of an attribute, or def.
func (e *Element) Get(name, def string) string {
	if v, ok := e.Lookup(name); ok {
		return v
	}
	return def
}

// Lookup returns the value of an attribute and whether it is there.
func (e *Element) Lookup(name string) (string, bool) {
	for i := range e.Attrs {
		if e.Attrs[i].Name == name {
			return e.Attrs[i].Value, true
		}
	}
	return "", false
}

// Find returns the first child with that tag, or nil.
func (e *Element) Find(tag string) *Element {
	for _, c := range e.Children {
		if c.Tag == tag {
			return c
		}
	}
	return nil
}

// FindAll returns the children with that tag.
func (e *Element) FindAll(tag string) []*Element {
	var r []*Element
	for _, c := range e.Children {
		if c.Tag == tag {
			r = append(r, c)
		}
	}
	return r
}

// TestCase is one <test>.
type TestCase struct {
	Index             int
	Inputs            []TestInput
	Outputs           []TestOutput
	OutputCollections []TestOutputCollection
	ExpectNumOutputs  *int
	ExpectExitCode    *int
	ExpectFailure     bool
	ExpectTestFailure bool
	MaxSeconds        *int
	Command           []TestAssertion // assert_command; nil when absent
	CommandVersion    []TestAssertion
	Stdout            []TestAssertion
	Stderr            []TestAssertion
	Line              int
	Error             string // why the test cannot be used; "" when it can
}

// TestInput is a <param> of a test under its full name ("cond|repeat_0|name").
type TestInput struct {
	Name  string
	Value any // string, []string (attribute values), decoded value_json, or nil
	Attrs map[string]string
	// Metadata, CompositeData and Collection are the <metadata>, <composite_data> and <collection> children.
	Metadata      map[string]string
	CompositeData []string
	Collection    *TestCollection
}

// TestCollection is a <collection> of a test's input.
type TestCollection struct {
	Type     string
	Name     string // "Unnamed Collection" when not written
	Attrs    map[string]string
	Fields   string // the JSON of <fields> for records, "" without
	Elements []TestCollectionElement
}

// TestCollectionElement is one element: a dataset or another collection.
type TestCollectionElement struct {
	Identifier string
	Dataset    *TestInput
	Collection *TestCollection
}

// TestOutput says what an output, or an element of one, has to be.
type TestOutput struct {
	Name            string
	File            string // the expected file in test-data, "" when there is none
	FType           string
	Compare         string // "diff" by default
	LinesDiff       int
	Delta           int // 10000 by default
	DeltaFrac       *float64
	Sort            bool
	Decompress      bool
	Location        string
	Count, Min, Max *int
	Metadata        map[string]string
	MD5, Checksum   string
	Assertions      []TestAssertion // nil when assert_contents is absent
	ValueJSON       *string
	ExtraFiles      []TestExtraFile
	Discovered      []TestOutput // <discovered_dataset>, Name is the designation
	Elements        []TestOutput // <element>, Name is the identifier
	Attrs           map[string]string
}

// TestExtraFile is an <extra_files>.
type TestExtraFile struct {
	Type string // "file" or "directory"
	TestOutput
}

// TestOutputCollection is an <output_collection>.
type TestOutputCollection struct {
	Name     string
	Type     string
	Count    *int
	Attrs    map[string]string
	Elements []TestOutput
}

// TestAssertion is one assertion such as <has_text text="x"/>.
type TestAssertion struct {
	Tag      string
	Attrs    map[string]string
	Children []TestAssertion
}

// ProfileAtLeast says whether the tool's profile is the given one ("20.09") or newer.
func (t *Tool) ProfileAtLeast(profile string) bool {
	return CompareVersions(t.Profile, profile) >= 0
}

// CompareVersions orders two dotted versions by their numbers, then by what is left as text: -1, 0 or 1. It is enough for
// Galaxy's profiles and for the tool versions people write ("1.2.0+galaxy1").
func CompareVersions(a, b string) int {
	as, bs := versionParts(a), versionParts(b)
	for i := 0; i < len(as) || i < len(bs); i++ {
		var x, y string
		if i < len(as) {
			x = as[i]
		}
		if i < len(bs) {
			y = bs[i]
		}
		if c := compareVersionPart(x, y); c != 0 {
			return c
		}
	}
	return 0
}

func versionParts(v string) []string {
	return strings.FieldsFunc(v, func(r rune) bool { return r == '.' || r == '+' || r == '-' || r == '_' })
}

func compareVersionPart(x, y string) int {
	xn, xr := leadingNumber(x)
	yn, yr := leadingNumber(y)
	if xn != yn {
		if len(xn) != len(yn) {
			if len(xn) < len(yn) {
				return -1
			}
			return 1
		}
		if xn < yn {
			return -1
		}
		return 1
	}
	if px, py := preRelease(xr), preRelease(yr); px != py {
		if px {
			return -1
		}
		return 1
	}
	return strings.Compare(xr, yr)
}

// preRelease says that a part such as "rc1" comes before the version without it.
func preRelease(s string) bool {
	s = strings.ToLower(s)
	for _, p := range []string{"rc", "alpha", "beta", "dev", "pre", "a", "b", "c"} {
		if rest, ok := strings.CutPrefix(s, p); ok && (rest == "" || rest[0] >= '0' && rest[0] <= '9') {
			return true
		}
	}
	return false
}

// leadingNumber splits a part into its leading digits, without leading zeros, and the rest.
func leadingNumber(s string) (digits, rest string) {
	i := 0
	for i < len(s) && s[i] >= '0' && s[i] <= '9' {
		i++
	}
	return strings.TrimLeft(s[:i], "0"), s[i:]
}

// WalkInputs calls f for every input of the tree in document order, groups before what they hold, a conditional's test
// parameter first, and the parameters of all its cases. It stops when f returns false.
func (t *Tool) WalkInputs(f func(*Param) bool) { walkParams(t.Inputs, f) }

func walkParams(ps []*Param, f func(*Param) bool) bool {
	for _, p := range ps {
		if !f(p) {
			return false
		}
		if p.Test != nil && !f(p.Test) {
			return false
		}
		for i := range p.Cases {
			if !walkParams(p.Cases[i].Inputs, f) {
				return false
			}
		}
		if !walkParams(p.Children, f) {
			return false
		}
	}
	return true
}
