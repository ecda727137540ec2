package tool

import (
	"errors"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/goccy/go-yaml"
)

// Bounds of <tool_dir>, against folders that hold something else than tools.
const (
	maxToolDirDepth = 20
	maxToolDirFiles = 20_000
)

// confItem is one thing that a toolbox file lists.
type confItem struct {
	kind    string // "tool", "section", "label"
	elem    *Element
	path    string // tool: the file
	items   []confItem
	hidden  bool
	labels  []string
	guid    string
	version string // tools of a tool shed: the version that the toolbox file names
	repo    *Repository
	file    string // the toolbox file and line that list it
	line    int
	fromDir bool
}

// confReader turns toolbox files into items and notices.
type confReader struct {
	opts    *Options
	notices []Notice
	files   []string // read, for the reload check
	count   int
}

func (r *confReader) note(file string, line int, msg string) {
	r.notices = append(r.notices, Notice{File: file, Line: line, Msg: msg})
}

// read reads all toolbox files; a folder stands for the .xml files in it.
func (r *confReader) read() []confItem {
	var items []confItem
	for _, f := range r.opts.Files {
		f = r.absolute(f)
		st, err := os.Stat(f)
		if err != nil {
			r.note(f, 0, "the toolbox file cannot be read: "+err.Error())
			continue
		}
		if !st.IsDir() {
			items = append(items, r.readFile(f)...)
			continue
		}
		names, err := os.ReadDir(f)
		if err != nil {
			r.note(f, 0, "the toolbox folder cannot be read: "+err.Error())
		}
		for _, n := range names {
			if strings.HasSuffix(n.Name(), ".xml") {
				items = append(items, r.readFile(filepath.Join(f, n.Name()))...)
			}
		}
	}
	return items
}

func (r *confReader) absolute(path string) string {
	if !filepath.IsAbs(path) {
		path = filepath.Join(r.opts.Root, path)
	}
	return filepath.Clean(path)
}

func (r *confReader) readFile(file string) []confItem {
	r.files = append(r.files, file)
	src, err := readBounded(file)
	if err != nil {
		r.note(file, 0, "the toolbox file cannot be read: "+err.Error())
		return nil
	}
	var root *Element
	switch filepath.Ext(file) {
	case ".yml", ".yaml", ".json":
		root, err = yamlToolConf(file, src)
	default:
		root, err = parseXML(file, src)
	}
	if err != nil {
		r.noteError(file, err)
		return nil
	}
	if root.Tag != "toolbox" {
		r.note(file, root.Line, "the file holds <"+root.Tag+">, not <toolbox>")
		return nil
	}
	dir := r.opts.ToolPath
	if v := root.Get("tool_path", ""); v != "" {
		dir = substitute(v, map[string]string{"tool_conf_dir": filepath.Dir(file)})
	}
	return r.items(root, r.absolute(dir), false)
}

func (r *confReader) noteError(file string, err error) {
	var fe *FileError
	if errors.As(err, &fe) {
		r.note(fe.File, fe.Line, fe.Msg)
		return
	}
	r.note(file, 0, err.Error())
}

func (r *confReader) items(parent *Element, dir string, inSection bool) []confItem {
	var items []confItem
	for _, e := range parent.Children {
		switch e.Tag {
		case "tool":
			name := e.Get("file", "")
			if name == "" {
				r.note(e.File, e.Line, "<tool> has no attribute file")
				continue
			}
			path := substitute(name, r.opts.PathVars)
			if !filepath.IsAbs(path) {
				path = filepath.Join(dir, path)
			}
			it := confItem{kind: "tool", elem: e, path: filepath.Clean(path), hidden: stringBool(e.Get("hidden", "")), guid: e.Get("guid", ""), file: e.File, line: e.Line}
			if v, ok := e.Lookup("labels"); ok {
				it.labels = commaList(v)
			}
			if it.guid != "" {
				it.repo = repositoryOf(e)
				if v := e.Find("version"); v != nil {
					it.version = strings.TrimSpace(v.Text)
				}
			}
			items = append(items, it)
		case "tool_dir":
			name := e.Get("dir", "")
			if name == "" {
				r.note(e.File, e.Line, "<tool_dir> has no attribute dir")
				continue
			}
			path := substitute(name, r.opts.PathVars)
			if !filepath.IsAbs(path) {
				path = filepath.Join(dir, path)
			}
			items = append(items, r.toolDir(e, filepath.Clean(path), stringBool(e.Get("recursive", "True")), 0)...)
		case "label":
			items = append(items, confItem{kind: "label", elem: e, file: e.File, line: e.Line})
		case "section":
			if inSection {
				r.note(e.File, e.Line, "a <section> inside a <section> is left out; Galaxy's panel has one level")
				continue
			}
			items = append(items, confItem{kind: "section", elem: e, items: r.items(e, dir, true), file: e.File, line: e.Line})
		case "workflow":
			r.note(e.File, e.Line, "workflows in the tool panel are not shown yet")
		case "macros", "tool_path", "display":
		default:
			r.note(e.File, e.Line, "<"+e.Tag+"> is unknown; use tool, tool_dir, section or label")
		}
	}
	return items
}

// toolDir lists the tools of a folder in the order of their names.
func (r *confReader) toolDir(e *Element, dir string, recursive bool, depth int) []confItem {
	entries, err := os.ReadDir(dir)
	if err != nil {
		r.note(e.File, e.Line, "tool folder "+dir+" cannot be read: "+err.Error())
		return nil
	}
	var items []confItem
	for _, de := range entries {
		name := de.Name()
		if strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") {
			continue
		}
		path := filepath.Join(dir, name)
		st, err := os.Stat(path)
		if err != nil {
			continue
		}
		if r.count++; r.count > maxToolDirFiles {
			r.note(e.File, e.Line, "tool folder "+dir+" holds too many files; the rest is left out")
			return items
		}
		switch {
		case st.IsDir():
			if recursive && depth < maxToolDirDepth {
				items = append(items, r.toolDir(e, path, recursive, depth+1)...)
			}
		case strings.HasSuffix(name, ".xml") && looksLikeTool(path):
			items = append(items, confItem{kind: "tool", elem: e, path: path, file: e.File, line: e.Line, fromDir: true})
		}
	}
	return items
}

// looksLikeTool says whether a file starts like a tool, as folders of tools hold macro files, too.
func looksLikeTool(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	buf := make([]byte, 5*1024)
	n, _ := f.Read(buf)
	s := string(buf[:n])
	for {
		i := strings.Index(s, "<tool")
		if i < 0 {
			return false
		}
		s = s[i+len("<tool"):]
		if s != "" && (isXMLSpace(s[0]) || s[0] == '>') {
			return true
		}
	}
}

// substitute replaces $name and ${name}; names that are not known stay as they are.
func substitute(s string, vars map[string]string) string {
	if !strings.Contains(s, "$") {
		return s
	}
	for _, k := range sortedKeys(vars) {
		s = strings.ReplaceAll(s, "${"+k+"}", vars[k])
		s = strings.ReplaceAll(s, "$"+k, vars[k])
	}
	return s
}

// Repository says which tool shed repository a tool was installed from.
type Repository struct {
	ToolShed, Name, Owner, Changeset string
}

func repositoryOf(e *Element) *Repository {
	text := func(name string) string {
		if c := e.Find(name); c != nil {
			return strings.TrimSpace(c.Text)
		}
		return ""
	}
	r := &Repository{ToolShed: text("tool_shed"), Name: text("repository_name"), Owner: text("repository_owner"), Changeset: text("installed_changeset_revision")}
	if r.Name == "" {
		return nil
	}
	return r
}

// yamlToolConf reads the YAML form of a toolbox file into the elements of the XML form.
func yamlToolConf(file string, src []byte) (*Element, error) {
	var doc struct {
		ToolPath string           `yaml:"tool_path"`
		Items    []map[string]any `yaml:"items"`
	}
	if err := yaml.Unmarshal(src, &doc); err != nil {
		return nil, &FileError{File: file, Msg: "not valid YAML: " + err.Error()}
	}
	root := &Element{Tag: "toolbox", File: file}
	if doc.ToolPath != "" {
		root.Attrs = []Attr{{"tool_path", doc.ToolPath}}
	}
	var convert func(items []map[string]any, into *Element, depth int)
	convert = func(items []map[string]any, into *Element, depth int) {
		for _, m := range items {
			e := &Element{File: file}
			for _, k := range sortedKeys(m) {
				switch v := m[k].(type) {
				case string:
					if k == "type" {
						e.Tag = v
						continue
					}
					e.Attrs = append(e.Attrs, Attr{k, v})
				case bool:
					s := "false"
					if v {
						s = "true"
					}
					e.Attrs = append(e.Attrs, Attr{k, s})
				case []any:
					var sub []map[string]any
					for _, x := range v {
						if xm, ok := x.(map[string]any); ok {
							sub = append(sub, xm)
						}
					}
					if depth < 3 {
						convert(sub, e, depth+1)
					}
				}
			}
			sort.SliceStable(e.Attrs, func(i, j int) bool { return e.Attrs[i].Name < e.Attrs[j].Name })
			into.Children = append(into.Children, e)
		}
	}
	convert(doc.Items, root, 0)
	return root, nil
}
