package tool

import (
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// MaxProfile is the newest profile that tools may ask for: Galaxy's release whose behaviour is followed.
const MaxProfile = "26.1"

// LoadFile reads a tool's XML file, with the macro files that it imports, into the model. Errors are *FileError with the
// file and line of the mistake.
func LoadFile(path string) (*Tool, error) {
	path = filepath.Clean(path)
	src, err := readBounded(path)
	if err != nil {
		if os.IsNotExist(err) {
			return nil, &FileError{File: path, Msg: "the file does not exist"}
		}
		return nil, &FileError{File: path, Msg: err.Error()}
	}
	t, _, err := load(path, src, readBounded)
	return t, err
}

// LoadBytes is LoadFile for a tool whose text is at hand; read opens the macro files that it imports.
func LoadBytes(path string, src []byte, read func(string) ([]byte, error)) (*Tool, error) {
	t, _, err := load(path, src, read)
	return t, err
}

// readBounded reads a file that may not be larger than a tool file can be.
func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	if st.Size() > maxXMLBytes {
		return nil, fmt.Errorf("%s has %d bytes, more than the %d a tool file may have", path, st.Size(), maxXMLBytes)
	}
	return io.ReadAll(io.LimitReader(f, maxXMLBytes+1))
}

// load also returns the macro files that were read before an error, so that the toolbox notices when they are mended.
func load(path string, src []byte, read func(string) ([]byte, error)) (*Tool, []string, error) {
	root, err := parseXML(path, src)
	if err != nil {
		return nil, nil, err
	}
	if root.Tag != "tool" {
		return nil, nil, errorAt(root, "the file holds <%s>, not <tool>", root.Tag)
	}
	macros, templates, err := expandMacros(root, path, read)
	if err != nil {
		return nil, macros, err
	}
	l := &loader{root: root, tool: &Tool{Path: path, Dir: filepath.Dir(path), MacroPaths: macros, TemplateMacros: templates}}
	if err := l.parse(); err != nil {
		return nil, macros, err
	}
	return l.tool, macros, nil
}

type loader struct {
	root *Element
	tool *Tool
}

func (l *loader) warn(e *Element, format string, args ...any) {
	l.tool.Warnings = append(l.tool.Warnings, errorAt(e, format, args...).Error())
}

func (l *loader) parse() error {
	r, t := l.root, l.tool
	t.Profile = strings.TrimSpace(r.Get("profile", "16.01"))
	if _, err := strconv.ParseFloat(t.Profile, 64); err != nil {
		return errorAt(r, "profile %q is not a Galaxy release such as 24.0", t.Profile)
	}
	if t.ProfileAtLeast("16.04") && CompareVersions(t.Profile, MaxProfile) > 0 {
		return errorAt(r, "the tool asks for profile %s; the newest that is known here is %s", t.Profile, MaxProfile)
	}
	legacy := CompareVersions(t.Profile, "16.01") == 0
	t.OldID = r.Get("id", "")
	t.ID = t.OldID
	if t.ID == "" {
		return errorAt(r, "<tool> has no id")
	}
	if t.Name = r.Get("name", ""); t.Name == "" {
		t.Name = t.ID
	}
	if t.Version = r.Get("version", ""); t.Version == "" {
		if t.ProfileAtLeast("16.04") {
			return errorAt(r, "tool %s has no version, which profile %s demands", t.ID, t.Profile)
		}
		t.Version = "1.0.0"
	}
	t.ToolType = r.Get("tool_type", "")
	if e := r.Find("type"); e != nil {
		t.TypeModule, t.TypeClass = e.Get("module", "galaxy.tools"), e.Get("class", "")
	}
	if err := l.modelClass(); err != nil {
		return err
	}
	if e := r.Find("action"); e != nil {
		t.ActionModule, t.ActionClass = e.Get("module", ""), e.Get("class", "")
	}
	t.Description = xmlText(r, "description", "")
	if e := r.Find("icon"); e != nil {
		t.Icon = e.Get("src", "")
	}
	t.License = r.Get("license", "")
	t.DisplayInterface = stringBool(r.Get("display_interface", "true"))
	t.RequireLogin = stringBool(r.Get("require_login", "false"))
	if h := xmlText(r, "hidden", ""); h != "" {
		t.Hidden, t.HiddenWritten = stringBool(h), true
	}
	t.PythonTemplateVersion = r.Get("python_template_version", "")
	if t.PythonTemplateVersion == "" {
		t.PythonTemplateVersion = "2.7"
		if t.ProfileAtLeast("19.05") {
			t.PythonTemplateVersion = "3.5"
		}
	}
	l.about()
	if err := l.command(legacy); err != nil {
		return err
	}
	if err := l.requirements(); err != nil {
		return err
	}
	l.configFiles()
	l.requestTranslation()
	if err := l.entryPoints(); err != nil {
		return err
	}
	if err := l.inputs(); err != nil {
		return err
	}
	if err := l.outputs(legacy); err != nil {
		return err
	}
	if err := l.stdio(legacy); err != nil {
		return err
	}
	t.Sanitize, t.Refresh = l.option("sanitize", true), l.option("refresh", false)
	t.WorkflowCompatible = !t.HasPages && !strings.HasPrefix(t.classType(), "data_source") &&
		stringBool(r.Get("workflow_compatible", "True"))
	return l.tests()
}

// toolClasses are Galaxy's class names by tool_type, which its JSON shows as model_class.
var toolClasses = map[string]string{
	"default": "Tool", "set_metadata": "SetMetadataTool", "output_parameter_json": "OutputParameterJSONTool",
	"expression": "ExpressionTool", "interactive": "InteractiveTool", "manage_data": "DataManagerTool",
	"data_source": "DataSourceTool", "data_source_async": "AsyncDataSourceTool", "unzip_collection": "UnzipCollectionTool",
	"zip_collection": "ZipCollectionTool", "merge_collection": "MergeCollectionTool", "relabel_from_file": "RelabelFromFileTool",
	"filter_from_file": "FilterFromFileTool", "duplicate_file_to_collection": "DuplicateFileToCollectionTool",
	"build_list": "BuildListCollectionTool", "extract_dataset": "ExtractDatasetCollectionTool",
	"data_destination": "DataDestinationTool", "convert_sample_sheet": "ConvertSampleSheetTool",
}

// classTypes are the tool types of the classes that <type class> may name.
var classTypes = func() map[string]string {
	m := map[string]string{
		"ExportHistoryTool": "export_history", "ImportHistoryTool": "import_history",
		"CrossProductFlatCollectionTool": "cross_product_flat", "CrossProductNestedCollectionTool": "cross_product_nested",
		"SplitPairedAndUnpairedTool": "split_paired_and_unpaired", "FilterFailedDatasetsTool": "filter_failed_datasets_collection",
		"KeepSuccessDatasetsTool": "keep_success_datasets_collection", "FilterEmptyDatasetsTool": "filter_empty_datasets_collection",
		"FilterNullTool": "filter_null", "FlattenTool": "flatten_collection", "NestTool": "nest_collection",
		"SortTool": "sort_collection", "HarmonizeTool": "harmonize_list", "ApplyRulesTool": "apply_rules",
		"TagFromFileTool": "tag_from_file",
	}
	for typ, class := range toolClasses {
		m[class] = typ
	}
	return m
}()

// databaseOperations are the classes whose work happens in the database, without a job script.
var databaseOperations = map[string]bool{
	"UnzipCollectionTool": true, "ZipCollectionTool": true, "CrossProductFlatCollectionTool": true,
	"CrossProductNestedCollectionTool": true, "BuildListCollectionTool": true, "SplitPairedAndUnpairedTool": true,
	"ExtractDatasetCollectionTool": true, "MergeCollectionTool": true, "FilterFailedDatasetsTool": true,
	"KeepSuccessDatasetsTool": true, "FilterEmptyDatasetsTool": true, "FilterNullTool": true, "FlattenTool": true,
	"NestTool": true, "SortTool": true, "HarmonizeTool": true, "RelabelFromFileTool": true, "ApplyRulesTool": true,
	"TagFromFileTool": true, "FilterFromFileTool": true, "DuplicateFileToCollectionTool": true, "ConvertSampleSheetTool": true,
}

// DatabaseOperation says whether the tool rearranges collections in the database instead of running a command.
func (t *Tool) DatabaseOperation() bool { return databaseOperations[t.ModelClass] }

// classType is the tool type of the tool's class: "default" for the usual ones.
func (t *Tool) classType() string {
	if c, ok := classTypes[t.ModelClass]; ok {
		return c
	}
	return "default"
}

func (l *loader) modelClass() error {
	t := l.tool
	switch {
	case t.TypeClass != "":
		if _, ok := classTypes[t.TypeClass]; !ok {
			return errorAt(l.root.Find("type"), "tool class %q is not one of Galaxy's; leave <type> out for a usual tool", t.TypeClass)
		}
		t.ModelClass = t.TypeClass
	case t.ToolType != "":
		c, ok := toolClasses[t.ToolType]
		if !ok {
			return errorAt(l.root, "tool_type %q is unknown; leave it out for a usual tool", t.ToolType)
		}
		t.ModelClass = c
	default:
		t.ModelClass = "Tool"
	}
	t.ToolType = t.classType()
	return nil
}

// about reads what describes the tool.
func (l *loader) about() {
	r, t := l.root, l.tool
	list := func(outer, inner string) []string {
		var v []string
		if e := r.Find(outer); e != nil {
			for _, c := range e.FindAll(inner) {
				v = append(v, c.Text)
			}
		}
		return v
	}
	t.EdamOperations = list("edam_operations", "edam_operation")
	t.EdamTopics = list("edam_topics", "edam_topic")
	if ops, ok := edamOperationOf[strings.ToLower(t.ID)]; ok {
		t.EdamOperations = ops
	}
	if e := r.Find("xrefs"); e != nil {
		for _, x := range e.FindAll("xref") {
			if typ := x.Get("type", ""); typ != "" && x.Text != "" {
				t.Xrefs = append(t.Xrefs, Xref{Value: strings.TrimSpace(x.Text), Type: typ})
			}
		}
	}
	if e := r.Find("creator"); e != nil {
		for _, c := range e.Children {
			class := map[string]string{"person": "Person", "organization": "Organization"}[c.Tag]
			if class == "" {
				continue
			}
			m := map[string]any{"class": class}
			for _, a := range c.Attrs {
				m[a.Name] = a.Value
			}
			t.Creators = append(t.Creators, m)
		}
	}
	if e := r.Find("help"); e != nil {
		t.Help, t.HelpFormat = e.Text, e.Get("format", "restructuredtext")
	}
	if e := r.Find("citations"); e != nil {
		for _, c := range e.FindAll("citation") {
			text := strings.TrimSpace(c.Text)
			if text == "" {
				l.warn(c, "an empty <citation> is left out")
				continue
			}
			t.Citations = append(t.Citations, Citation{Type: c.Get("type", ""), Content: text})
		}
	}
	if e := r.Find("uihints"); e != nil {
		t.UIHints = attrMap(e)
	}
	for _, c := range r.FindAll("code") {
		cf := CodeFile{File: c.Get("file", ""), Hooks: map[string]string{}}
		for _, h := range c.FindAll("hook") {
			for _, a := range h.Attrs {
				cf.Hooks[a.Name] = a.Value
			}
		}
		t.CodeFiles = append(t.CodeFiles, cf)
	}
}

// edamOperationOf is Galaxy's own assignment for tools that cannot carry it themselves.
var edamOperationOf = map[string][]string{"sort1": {"operation_3802"}}

func (l *loader) command(legacy bool) error {
	r, t := l.root, l.tool
	c := r.Find("command")
	strict := t.ProfileAtLeast("20.09")
	t.HomeTarget = "shared_home"
	if t.ProfileAtLeast("18.01") {
		t.HomeTarget = "job_home"
	}
	t.Command = Command{Strict: strict, DetectErrors: "default"}
	if c != nil {
		cmd := &t.Command
		cmd.Defined, cmd.Text, cmd.Line, cmd.File = true, c.Text, c.Line, c.File
		if v, ok := c.Lookup("strict"); ok {
			cmd.Strict = stringBool(v)
		}
		if v := c.Get("interpreter", ""); v != "" {
			if legacy {
				cmd.Interpreter = v
			} else {
				l.warn(c, "the attribute interpreter is ignored from profile 16.04 on; write the interpreter into the command")
			}
		}
		if v, ok := c.Lookup("use_shared_home"); ok {
			t.HomeTarget = "job_home"
			if stringBool(v) {
				t.HomeTarget = "shared_home"
			}
		}
		if v := c.Get("detect_errors", ""); v != "" {
			cmd.DetectErrors = v
		}
		if v, ok := c.Lookup("oom_exit_code"); ok {
			n, err := strconv.Atoi(strings.TrimSpace(v))
			if err != nil {
				return errorAt(c, "oom_exit_code %q is not a number", v)
			}
			cmd.OOMExitCode = &n
		}
	}
	t.Command.UseSharedHome = t.HomeTarget == "shared_home"
	if e := r.Find("expression"); e != nil {
		if typ := e.Get("type", ""); typ != "ecma5.1" {
			return errorAt(e, "expression type %q is unknown; it has to be ecma5.1", typ)
		}
		t.Expression = e.Text
	}
	if e := r.Find("version_command"); e != nil {
		t.VersionCommand = strings.TrimSpace(e.Text)
		if in := e.Get("interpreter", ""); in != "" && t.VersionCommand != "" {
			program, rest, _ := strings.Cut(t.VersionCommand, " ")
			t.VersionCommand = in + " " + filepath.Join(t.Dir, program)
			if rest != "" {
				t.VersionCommand += " " + rest
			}
		}
	}
	if e := r.Find("environment_variables"); e != nil {
		for _, v := range e.FindAll("environment_variable") {
			env := EnvironmentVariable{Name: v.Get("name", ""), Template: v.Text, Inject: v.Get("inject", ""), Strip: stringBool(v.Get("strip", "")), Line: v.Line}
			if env.Name == "" {
				return errorAt(v, "<environment_variable> has no name")
			}
			switch {
			case env.Inject == "", env.Inject == "api_key" && env.Template == "",
				env.Inject == "entry_point_path_for_label" && env.Template != "",
				strings.HasPrefix(env.Inject, "oidc_") && env.Template == "":
			default:
				return errorAt(v, "<environment_variable name=%q inject=%q>: inject may be api_key, oidc_…_token_… (both without text) or entry_point_path_for_label (with the label as text)", env.Name, env.Inject)
			}
			if env.Name == "HOME" {
				t.HomeTarget = ""
			}
			t.EnvironmentVariables = append(t.EnvironmentVariables, env)
		}
	}
	if e := r.Find("parallelism"); e != nil && e.Get("method", "") != "" {
		t.ParallelismOf = attrMap(e)
	}
	return nil
}

func (l *loader) requirements() error {
	e := l.root.Find("requirements")
	if e == nil {
		l.tool.RequiredFiles = l.root.Find("required_files")
		return nil
	}
	t := l.tool
	for _, c := range e.Children {
		text := elementText(c)
		switch c.Tag {
		case "requirement":
			t.Requirements = append(t.Requirements, Requirement{Type: c.Get("type", "package"), Name: text, Version: c.Get("version", "")})
		case "container":
			t.Containers = append(t.Containers, Container{Type: c.Get("type", "docker"), Identifier: text})
		case "resource":
			t.ResourceRequirements = append(t.ResourceRequirements, ResourceRequirement{Type: c.Get("type", ""), Value: text})
		case "credentials":
			t.Credentials = append(t.Credentials, c)
		}
	}
	t.RequiredFiles = l.root.Find("required_files")
	return nil
}

func (l *loader) configFiles() {
	e := l.root.Find("configfiles")
	if e == nil {
		return
	}
	t := l.tool
	if in := e.Find("inputs"); in != nil {
		t.ConfigFiles = append(t.ConfigFiles, ConfigFile{Kind: "inputs", Name: in.Get("name", ""), Filename: in.Get("filename", ""),
			Format: in.Get("format", "json"), DataStyle: in.Get("data_style", ""), Line: in.Line})
	}
	if fs := e.Find("file_sources"); fs != nil {
		t.ConfigFiles = append(t.ConfigFiles, ConfigFile{Kind: "file_sources", Name: fs.Get("name", ""), Filename: fs.Get("filename", ""), Line: fs.Line})
	}
	for _, c := range e.FindAll("configfile") {
		t.ConfigFiles = append(t.ConfigFiles, ConfigFile{Kind: "template", Name: c.Get("name", ""), Filename: c.Get("filename", ""), Text: c.Text, Line: c.Line})
	}
}

func (l *loader) requestTranslation() {
	t := l.tool
	if e := l.root.Find("request_param_translation"); e != nil {
		for _, p := range e.FindAll("request_param") {
			rp := RequestParam{GalaxyName: p.Get("galaxy_name", ""), RemoteName: p.Get("remote_name", ""), Missing: p.Get("missing", ""),
				Separator: p.Get("separator", ""), Append: p.Find("append_param")}
			if v := p.Find("value_translation"); v != nil {
				rp.Translate = map[string]string{}
				for _, x := range v.FindAll("value") {
					g, ok1 := x.Lookup("galaxy_value")
					rem, ok2 := x.Lookup("remote_value")
					if ok1 && ok2 {
						rp.Translate[rem] = g
					}
				}
			}
			t.RequestParamTranslation = append(t.RequestParamTranslation, rp)
		}
	}
	if e := l.root.Find("redirect_url_params"); e != nil {
		t.RedirectURLParams = strings.TrimSpace(e.Text)
	}
}

func (l *loader) entryPoints() error {
	e := l.root.Find("entry_points")
	if e == nil {
		return nil
	}
	for _, p := range e.FindAll("entry_point") {
		port := p.Find("port")
		if port == nil {
			return errorAt(p, "<entry_point> has no <port>")
		}
		ep := EntryPoint{Name: strings.TrimSpace(p.Get("name", "")), Label: strings.TrimSpace(p.Get("label", "")), Port: strings.TrimSpace(port.Text),
			RequiresDomain: stringBool(p.Get("requires_domain", "")), RequiresPathInURL: stringBool(p.Get("requires_path_in_url", "")),
			RequiresPathInHeaderNamed: strings.TrimSpace(p.Get("requires_path_in_header_named", ""))}
		if u := p.Find("url"); u != nil {
			ep.URL = strings.TrimSpace(u.Text)
		}
		l.tool.EntryPoints = append(l.tool.EntryPoints, ep)
	}
	return nil
}

// option reads an attribute of the <options> elements directly below <tool>.
func (l *loader) option(key string, def bool) bool {
	for _, e := range l.root.FindAll("options") {
		if v, ok := e.Lookup(key); ok {
			return stringBool(v)
		}
	}
	return def
}

// stdio gathers the rules of <stdio> and those that detect_errors and the profile stand for.
func (l *loader) stdio(legacy bool) error {
	t := l.tool
	elems := l.root.FindAll("stdio")
	for _, e := range elems {
		for _, c := range e.FindAll("exit_code") {
			if rule, ok := l.exitCode(c); ok {
				t.Stdio.ExitCodes = append(t.Stdio.ExitCodes, rule)
			}
		}
		for _, c := range e.FindAll("regex") {
			if rule, ok := l.regex(c); ok {
				t.Stdio.Regexes = append(t.Stdio.Regexes, rule)
			}
		}
	}
	nonZero := []ExitCodeRule{{Start: math.MinInt, End: -1, Level: LevelFatal}, {Start: 1, End: math.MaxInt, Level: LevelFatal}}
	switch d := t.Command.DetectErrors; d {
	case "exit_code":
		if oom := t.Command.OOMExitCode; oom != nil {
			t.Stdio.ExitCodes = append(t.Stdio.ExitCodes, ExitCodeRule{Start: *oom, End: *oom, Level: LevelFatalOOM})
		}
		t.Stdio.ExitCodes = append(t.Stdio.ExitCodes, nonZero...)
	case "aggressive":
		t.Stdio.ExitCodes = append(t.Stdio.ExitCodes, nonZero...)
		for _, m := range []string{"MemoryError", "std::bad_alloc", "java.lang.OutOfMemoryError", "Out of memory"} {
			t.Stdio.Regexes = append(t.Stdio.Regexes, RegexRule{Match: m, Stdout: true, Stderr: true, Level: LevelFatalOOM})
		}
		for _, m := range []string{"exception:", "error:"} {
			t.Stdio.Regexes = append(t.Stdio.Regexes, RegexRule{Match: m, Stdout: true, Stderr: true, Level: LevelFatal})
		}
	case "default":
		if len(elems) == 0 && !legacy {
			t.Stdio.ExitCodes = nonZero
		}
	default:
		return errorAt(l.root.Find("command"), "detect_errors %q is unknown; use default, exit_code or aggressive", d)
	}
	return nil
}

func (l *loader) exitCode(c *Element) (ExitCodeRule, bool) {
	rule := ExitCodeRule{Start: math.MinInt, End: math.MaxInt, Level: errorLevel(c.Get("level", "")), Desc: description(c)}
	r, ok := c.Lookup("range")
	if !ok {
		r, ok = c.Lookup("value")
	}
	if !ok {
		l.warn(c, "<exit_code> has neither range nor value and is left out")
		return rule, false
	}
	r = strings.Join(strings.Fields(r), "")
	from, to, ranged := strings.Cut(r, ":")
	if !ranged {
		to = from
	}
	var err error
	if from != "" || !ranged {
		if rule.Start, err = strconv.Atoi(from); err != nil {
			l.warn(c, "exit code range %q is not of the form 3, 3:, :3 or 3:5 and is left out", r)
			return rule, false
		}
	}
	if to != "" {
		if rule.End, err = strconv.Atoi(to); err != nil {
			l.warn(c, "exit code range %q is not of the form 3, 3:, :3 or 3:5 and is left out", r)
			return rule, false
		}
	}
	return rule, true
}

func (l *loader) regex(c *Element) (RegexRule, bool) {
	rule := RegexRule{Level: errorLevel(c.Get("level", "")), Desc: description(c)}
	m, ok := c.Lookup("match")
	if !ok {
		l.warn(c, "<regex> has no match and is left out")
		return rule, false
	}
	rule.Match = m
	src := "output,error"
	for _, a := range []string{"src", "source", "sources"} {
		if v, ok := c.Lookup(a); ok {
			src = v
			break
		}
	}
	src = strings.ToLower(src)
	rule.Stdout = strings.Contains(src, "out") || strings.Contains(src, "both")
	rule.Stderr = strings.Contains(src, "err") || strings.Contains(src, "both")
	if !rule.Stdout && !rule.Stderr {
		rule.Stdout, rule.Stderr = true, true
	}
	return rule, true
}

func description(c *Element) string { return c.Get("desc", c.Get("description", "")) }

func errorLevel(s string) ErrorLevel {
	s = strings.ToLower(s)
	switch {
	case strings.Contains(s, "log"):
		return LevelLog
	case strings.Contains(s, "qc"):
		return LevelQC
	case strings.Contains(s, "warning"):
		return LevelWarning
	case strings.Contains(s, "fatal_oom"):
		return LevelFatalOOM
	}
	return LevelFatal
}

// xmlText is an attribute, or the text of a child of that name with its line ends taken out.
func xmlText(e *Element, name, def string) string {
	if v := e.Get(name, ""); v != "" {
		return v
	}
	if c := e.Find(name); c != nil && c.Text != "" {
		return elementText(c)
	}
	return def
}

func elementText(e *Element) string {
	return strings.TrimSpace(strings.NewReplacer("\r\n", "", "\n", "", "\r", "").Replace(e.Text))
}

// stringBool is Galaxy's reading of a boolean attribute: everything that is not clearly true is false.
func stringBool(s string) bool {
	switch strings.ToLower(s) {
	case "true", "yes", "on", "1":
		return true
	}
	return false
}

// looseBool is the reading that some attributes have instead; ok is false for a word that is neither.
func looseBool(s string) (v, ok bool) {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "true", "yes", "on", "y", "t", "1":
		return true, true
	case "false", "no", "off", "n", "f", "0":
		return false, true
	}
	return false, false
}

func attrMap(e *Element) map[string]string {
	m := make(map[string]string, len(e.Attrs))
	for _, a := range e.Attrs {
		m[a.Name] = a.Value
	}
	return m
}

func attrPointer(e *Element, name string) *string {
	if v, ok := e.Lookup(name); ok {
		return &v
	}
	return nil
}
