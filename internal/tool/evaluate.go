package tool

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"orrery/internal/cheetah"
)

// EvalInput is what a job's command is made of.
type EvalInput struct {
	Tool *Tool
	// Job holds the job's parameters (see DecodeJob); its datasets need their paths.
	Job *JobState
	// Inputs and Outputs are the job's datasets under the names of job_to_input_dataset and job_to_output_dataset.
	Inputs, Outputs []JobInput

	Datatypes Datatypes
	Tables    DataTables

	User      *EvalUser // nil: nobody is logged in
	HistoryID string    // encoded

	Dir EvalDirs
	// GalaxyURL is the address of the server; AdminUsers the text of the setting admin_users.
	GalaxyURL, AdminUsers string
	// Config holds the settings that templates may read as $__app__.config.x.
	Config map[string]string
	// APIKey makes or finds the user's key, for environment variables with inject="api_key".
	APIKey func(context.Context) (string, error)

	Limits cheetah.Limits
}

// EvalUser is the user who runs the job.
type EvalUser struct {
	ID          int64
	Email, Name string
}

// EvalDirs are folders as the command sees them.
type EvalDirs struct {
	Tool    string // the tool's own
	Job     string // the job's working directory (the one that holds working/ and configs/)
	Configs string // where the files of Evaluated.Files are; "" is configs/ in Job
	Root    string // Galaxy's root folder
	Data    string // tool_data_path
	NewFile string // new_file_path
}

// Evaluated is what runs.
type Evaluated struct {
	// Command is one line for a shell; "" for tools without a command.
	Command string
	// VersionCommand prints the version of the wrapped program; "" when there is none.
	VersionCommand string
	Env            []EnvVar
	// Files have to be written before the command starts.
	Files []File
	// ReadsNames says that the command depends on the names of its inputs, not only on their content.
	ReadsNames bool
}

// EnvVar is an environment variable of the command. Its value is data: the caller quotes it.
type EnvVar struct{ Name, Value string }

// File is a file of the job.
type File struct {
	Name string // the variable that holds its path; "" for none
	Path string // absolute, inside EvalDirs.Configs
	// Link is a path, relative and inside the job's folder working/, at which the file also has to appear; "" for none.
	Link    string
	Content string
}

// EvalError is a command, or one of its files, that cannot be made. Its message is for the scientist; Cause has the details.
type EvalError struct {
	Tool, Part string
	Cause      error
}

func (e *EvalError) Error() string {
	return fmt.Sprintf("Error occurred while building the %s for tool '%s': %v", e.Part, e.Tool, e.Cause)
}

func (e *EvalError) Unwrap() error { return e.Cause }

// Evaluate makes the command line, environment and files of a job. The error is an *EvalError when the tool is at fault.
func Evaluate(ctx context.Context, in EvalInput) (*Evaluated, error) {
	t := in.Tool
	if in.Dir.Configs == "" {
		in.Dir.Configs = filepath.Join(in.Dir.Job, "configs")
	}
	scope := evalScope(&in)
	ev := &Evaluated{}
	render := func(part, name, source string) (string, error) {
		tpl, err := compiledTemplate(t, name, source)
		var s string
		if err == nil {
			s, err = renderTemplate(ctx, tpl, scope, in.Limits)
		}
		if err == nil {
			return s, nil
		}
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		return "", &EvalError{Tool: t.ID, Part: part, Cause: err}
	}

	for i, c := range t.ConfigFiles {
		f, err := configFile(&in, scope, c, i, render)
		if err != nil {
			return nil, err
		}
		ev.Files = append(ev.Files, f)
		if c.Name != "" {
			scope.names[c.Name] = f.Path
		}
	}

	if t.Command.Text != "" {
		text, err := render("command line", "command", t.Command.Text)
		if err != nil {
			return nil, err
		}
		ev.Command = withInterpreter(t, in.Dir.Tool, oneLine(text))
	}

	ev.VersionCommand = versionCommand(t.VersionCommand, in.Dir.Tool)

	for i, v := range t.EnvironmentVariables {
		value, err := environmentValue(ctx, &in, v, func(source string) (string, error) {
			return render("environment variable "+v.Name, "environment_variable "+strconv.Itoa(i), source)
		})
		if err != nil {
			return nil, err
		}
		ev.Env = append(ev.Env, EnvVar{v.Name, value})
	}
	return ev, nil
}

// oneLine strips each line and joins them: a command is one line.
func oneLine(s string) string {
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		lines[i] = strings.TrimFunc(l, isPySpace)
	}
	return strings.TrimFunc(strings.ReplaceAll(strings.Join(lines, " "), "\r", " "), isPySpace)
}

// isPySpace is what Python's str.strip() removes.
func isPySpace(r rune) bool {
	switch r {
	case ' ', '\t', '\n', '\r', '\v', '\f', 0x1c, 0x1d, 0x1e, 0x1f, 0x85, 0xa0, 0x1680, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000:
		return true
	}
	return r >= 0x2000 && r <= 0x200a
}

// withInterpreter puts the interpreter of older tools, and their own folder, before the script they name first.
func withInterpreter(t *Tool, dir, command string) string {
	if t.Command.Interpreter == "" {
		return command
	}
	words := strings.FieldsFunc(command, isPySpace)
	if len(words) == 0 {
		return command
	}
	script := words[0]
	if !filepath.IsAbs(script) {
		script = dir + "/" + script
	}
	return strings.Replace(command, words[0], t.Command.Interpreter+" "+shellQuote(script), 1)
}

// versionCommand fills in the tool's folder; nothing else is a variable there.
func versionCommand(text, dir string) string {
	var b strings.Builder
	for {
		i := strings.IndexByte(text, '$')
		if i < 0 {
			return b.String() + text
		}
		b.WriteString(text[:i])
		text = text[i:]
		const name = "__tool_directory__"
		switch {
		case strings.HasPrefix(text, "$$"):
			b.WriteByte('$')
			text = text[2:]
		case strings.HasPrefix(text, "${"+name+"}"):
			b.WriteString(dir)
			text = text[len(name)+3:]
		case strings.HasPrefix(text, "$"+name) && !startsWithWord(text[len(name)+1:]):
			b.WriteString(dir)
			text = text[len(name)+1:]
		default:
			b.WriteByte('$')
			text = text[1:]
		}
	}
}

func startsWithWord(s string) bool {
	return s != "" && (s[0] == '_' || strings.IndexByte(letters+digits, s[0]) >= 0)
}

// environmentValue is the value of one environment variable. Newlines at the end go, as in Galaxy, which reads the value
// back with the shell's `cat`.
func environmentValue(ctx context.Context, in *EvalInput, v EnvironmentVariable, render func(string) (string, error)) (string, error) {
	var value string
	switch {
	case v.Inject == "api_key":
		if in.User != nil && in.APIKey != nil {
			key, err := in.APIKey(ctx)
			if err != nil {
				return "", err
			}
			value = key
		}
	case strings.HasPrefix(v.Inject, "oidc_"):
		value = "token-unavailable"
	case v.Inject == "entry_point_path_for_label" && v.Template != "":
		value = ""
	default:
		s, err := render(v.Template)
		if err != nil {
			return "", err
		}
		value = s
	}
	if v.Strip {
		value = strings.TrimFunc(value, isPySpace)
	}
	return strings.TrimRight(value, "\n"), nil
}

func configFile(in *EvalInput, scope *templateScope, c ConfigFile, i int, render func(part, name, source string) (string, error)) (File, error) {
	name := c.Name
	if name == "" {
		name = c.Kind
	}
	f := File{Name: c.Name, Path: filepath.Join(in.Dir.Configs, fmt.Sprintf("config_%d_%s", i, fileWord(name))), Link: c.Filename}
	if c.Filename != "" && !filepath.IsLocal(c.Filename) {
		return f, &EvalError{Tool: in.Tool.ID, Part: "config files", Cause: fmt.Errorf(
			"the file name %q of a <configfile> must be a relative path inside the job's working directory", c.Filename)}
	}
	switch c.Kind {
	case "inputs":
		v, err := jsonInputs(in.Tool, scope, c.DataStyle)
		if err != nil {
			return f, &EvalError{Tool: in.Tool.ID, Part: "config files", Cause: err}
		}
		f.Content = unsortedJSON(v)
	case "file_sources":
		return f, &EvalError{Tool: in.Tool.ID, Part: "config files", Cause: errors.New("file sources are not available on this server yet")}
	default:
		text, err := render("config file "+name, "configfile "+strconv.Itoa(i)+" "+name, c.Text)
		if err != nil {
			return f, err
		}
		f.Content = text
	}
	return f, nil
}

// fileWord makes a part of a file name out of any name.
func fileWord(s string) string {
	var b strings.Builder
	for _, r := range s {
		if b.Len() >= 60 {
			break
		}
		if r < 128 && strings.ContainsRune(letters+digits+"_.-", r) {
			b.WriteRune(r)
		} else {
			b.WriteByte('_')
		}
	}
	return b.String()
}

// evalScope makes the names that a job's templates may use.
func evalScope(in *EvalInput) *templateScope {
	t := in.Tool
	job := in.Job
	w := &wrapper{tool: t, dt: in.Datatypes, tables: in.Tables, extra: job.Extra, root: job.Values}
	names := map[string]cheetah.Value{}

	safe := func(k, v string) {
		if t.Sanitize {
			names[k] = newSafeText(v)
		} else {
			names[k] = v
		}
	}
	config := filepath.Join(in.Dir.Job, "registry.xml")
	safe("__datatypes_config__", config)
	safe("GALAXY_DATATYPES_CONF_FILE", config)
	if in.HistoryID != "" {
		safe("__history_id__", in.HistoryID)
	}
	safe("__galaxy_url__", in.GalaxyURL)
	for k, v := range t.TemplateMacros {
		names[k] = v
	}
	for k, v := range job.Extra {
		if k == "chromInfo" { // a file name, never cleaned
			names[k] = pyStr(v)
			continue
		}
		names[k] = safeValue(v)
	}
	user := EvalUser{Email: "Anonymous", Name: "Anonymous"}
	userID := "Anonymous"
	if in.User != nil {
		user = *in.User
		userID = strconv.FormatInt(user.ID, 10)
	}
	safe("__user_id__", userID)
	safe("__user_email__", user.Email)
	safe("__user_name__", user.Name)

	for _, p := range t.Inputs {
		if v, ok := job.Values[p.Name]; ok {
			names[p.Name] = w.value(p, v, p.Name)
		}
	}
	if !t.CheckValues {
		for k, v := range job.Values {
			if _, ok := names[k]; !ok {
				names[k] = safeValue(v)
			}
		}
	}
	for _, i := range in.Inputs {
		if v, ok := names[i.Name]; ok && v != nil {
			continue
		}
		names[i.Name] = newDatasetValue(i.Dataset, in.Datatypes, t, true)
	}
	for _, o := range in.Outputs {
		names[o.Name] = newDatasetValue(o.Dataset, in.Datatypes, t, true)
		if _, short, ok := strings.Cut(o.Name, "|__part__|"); ok {
			if _, taken := names[short]; !taken {
				names[short] = names[o.Name]
			}
		}
	}
	for _, o := range t.Outputs {
		if _, ok := names[o.Name]; !ok && len(o.Filters) > 0 {
			names[o.Name] = newDatasetValue(nil, in.Datatypes, t, true)
		}
	}

	// What follows is the server's own and is not cleaned.
	names["__tool_directory__"] = in.Dir.Tool
	names["__get_data_table_entry__"] = dataTableEntry(in.Tables)
	names["__local_working_directory__"] = in.Dir.Job
	names["__new_file_path__"] = in.Dir.NewFile
	names["__tool_data_path__"], names["GALAXY_DATA_INDEX_DIR"] = in.Dir.Data, in.Dir.Data
	names["__root_dir__"], names["GALAXY_ROOT_DIR"] = in.Dir.Root, in.Dir.Root
	names["__admin_users__"] = in.AdminUsers
	names["__app__"] = appObject{in}
	names["__user__"] = userObject{in.User}
	return &templateScope{names: names, tree: &job.State}
}

// dataTableEntry is $__get_data_table_entry__(table, column, value, wanted column).
func dataTableEntry(tables DataTables) cheetah.Value {
	return cheetah.Func("__get_data_table_entry__", func(_ context.Context, args []cheetah.Value, _ map[string]cheetah.Value) (cheetah.Value, error) {
		if len(args) != 4 {
			return nil, &cheetah.RaiseError{Type: "TypeError", Msg: "get_data_table_entry() takes 4 arguments"}
		}
		if tables == nil {
			return nil, nil
		}
		columns, rows, ok := tables.Table(cheetah.Str(args[0]))
		by, want := -1, -1
		for i, c := range columns {
			if c == cheetah.Str(args[1]) {
				by = i
			}
			if c == cheetah.Str(args[3]) {
				want = i
			}
		}
		if !ok || by < 0 || want < 0 {
			return nil, nil
		}
		for _, r := range rows {
			if by < len(r) && want < len(r) && r[by] == rawText(args[2]) {
				return r[want], nil
			}
		}
		return nil, nil
	})
}

// appObject is $__app__: only settings and data tables, nothing that acts.
type appObject struct{ in *EvalInput }

func (appObject) TypeName() string { return "galaxy.app:UniverseApplication" }
func (a appObject) Str() string    { return "galaxy.app:UniverseApplication" }
func (a appObject) Attr(name string) (cheetah.Value, error) {
	switch name {
	case "config":
		return configObject(a), nil
	case "tool_data_tables":
		return tablesObject{a.in.Tables}, nil
	}
	return nil, fmt.Errorf("$__app__.%s is not available to tools on this server: %w", name, cheetah.ErrNoAttr)
}

type configObject struct{ in *EvalInput }

func (configObject) TypeName() string { return "GalaxyAppConfiguration" }
func (c configObject) Attr(name string) (cheetah.Value, error) {
	switch name {
	case "tool_data_path":
		return c.in.Dir.Data, nil
	case "new_file_path":
		return c.in.Dir.NewFile, nil
	case "root":
		return c.in.Dir.Root, nil
	case "admin_users":
		return c.in.AdminUsers, nil
	case "galaxy_infrastructure_url":
		return c.in.GalaxyURL, nil
	}
	if v, ok := c.in.Config[name]; ok {
		return v, nil
	}
	return nil, fmt.Errorf("the setting %s is not available to tools on this server: %w", name, cheetah.ErrNoAttr)
}

// tablesObject is $__app__.tool_data_tables["name"].get_fields().
type tablesObject struct{ tables DataTables }

func (tablesObject) TypeName() string { return "ToolDataTableManager" }
func (o tablesObject) Contains(key cheetah.Value) bool {
	_, err := o.Item(key)
	return err == nil
}
func (o tablesObject) Item(key cheetah.Value) (cheetah.Value, error) {
	if o.tables == nil {
		return nil, cheetah.ErrNoKey
	}
	columns, rows, ok := o.tables.Table(cheetah.Str(key))
	if !ok {
		return nil, cheetah.ErrNoKey
	}
	return tableObject{columns, rows}, nil
}

type tableObject struct {
	columns []string
	rows    [][]string
}

func (tableObject) TypeName() string { return "TabularToolDataTable" }
func (o tableObject) Attr(name string) (cheetah.Value, error) {
	switch name {
	case "get_fields":
		return noArgs(name, func() cheetah.Value {
			l := cheetah.NewList()
			for _, r := range o.rows {
				row := cheetah.NewList()
				for _, f := range r {
					row.Items = append(row.Items, f)
				}
				l.Items = append(l.Items, row)
			}
			return l
		}), nil
	case "columns":
		d := cheetah.NewDict()
		for i, c := range o.columns {
			d.Set(c, int64(i))
		}
		return d, nil
	}
	return nil, cheetah.ErrNoAttr
}

// userObject is $__user__.
type userObject struct{ u *EvalUser }

func (userObject) TypeName() string { return "galaxy.model:User" }
func (o userObject) Str() string {
	if o.u == nil {
		return "None"
	}
	return "galaxy.model:User"
}
func (o userObject) Truth() bool { return o.u != nil }
func (o userObject) Attr(name string) (cheetah.Value, error) {
	if o.u != nil {
		switch name {
		case "email":
			return newSafeText(o.u.Email), nil
		case "username":
			return newSafeText(o.u.Name), nil
		case "id":
			return o.u.ID, nil
		}
	}
	return nil, cheetah.ErrNoAttr
}
