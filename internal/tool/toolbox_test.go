package tool

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
)

// write makes files below a new folder.
func write(t testing.TB, fs map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range fs {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func simpleTool(id, version, more string) string {
	return fmt.Sprintf(`<tool id=%q name="Tool %s" version=%q profile="24.0"%s><description>does %s</description><command>true</command><inputs/></tool>`, id, id, version, more, id)
}

func openBox(t testing.TB, dir string, o Options) *Toolbox {
	t.Helper()
	o.Root = dir
	if o.Files == nil {
		o.Files = []string{"tool_conf.xml"}
	}
	b, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func notices(s *Snapshot, dir string) []string {
	var r []string
	for _, n := range s.Notices {
		r = append(r, strings.ReplaceAll(n.String(), dir+"/", ""))
	}
	return r
}

func standardBox() map[string]string {
	return map[string]string{
		"tool_conf.xml": `<toolbox tool_path="${tool_conf_dir}/tools">
  <label id="top" text="Top"/>
  <tool file="out.xml"/>
  <section id="s1" name="One" version="2">
    <label id="l1" text="First"/>
    <tool file="a1.xml"/>
    <tool file="a2.xml" labels="new, good"/>
    <label id="l2" text="Only for those with a login"/>
    <tool file="login.xml"/>
  </section>
  <section id="s2" name="Two">
    <tool file="hidden.xml" hidden="true"/>
  </section>
  <section id="s3" name="Three"><tool file="manager.xml"/></section>
  <tool_dir dir="more"/>
</toolbox>`,
		"tools/out.xml":          simpleTool("out", "1", ""),
		"tools/a1.xml":           simpleTool("a", "1.9", ""),
		"tools/a2.xml":           simpleTool("a", "1.10", ""),
		"tools/login.xml":        simpleTool("login", "1", ` require_login="true"`),
		"tools/hidden.xml":       simpleTool("hidden", "1", ""),
		"tools/manager.xml":      simpleTool("manager", "1", ` tool_type="manage_data"`),
		"tools/more/z.xml":       simpleTool("z", "1", ""),
		"tools/more/sub/y.xml":   simpleTool("y", "1", ""),
		"tools/more/macros.xml":  `<macros/>`,
		"tools/more/_old/no.xml": simpleTool("no", "1", ""),
	}
}

// outline writes a panel as text: sections with what is in them.
func outline(t *testing.T, s *Snapshot, view string, who Audience) string {
	t.Helper()
	items, err := s.view(view, who)
	if err != nil {
		t.Fatal(err)
	}
	var line func([]*panelItem) string
	line = func(items []*panelItem) string {
		var r []string
		for _, p := range items {
			switch p.kind {
			case itemTool:
				r = append(r, p.tool.ID+"@"+p.tool.Version)
			case itemLabel:
				r = append(r, "<"+p.name+">")
			case itemSection:
				r = append(r, p.id+"("+line(p.items)+")")
			}
		}
		return strings.Join(r, " ")
	}
	return line(items)
}

func TestToolboxPanel(t *testing.T) {
	dir := write(t, standardBox())
	s := openBox(t, dir, Options{}).Snapshot()
	if n := notices(s, dir); n != nil {
		t.Errorf("notices: %v", n)
	}
	for who, want := range map[Audience]string{
		AudienceAnonymous: "<Top> out@1 s1(<First> a@1.10) y@1 z@1",
		AudienceUser:      "<Top> out@1 s1(<First> a@1.10 <Only for those with a login> login@1) y@1 z@1",
		AudienceAdmin:     "<Top> out@1 s1(<First> a@1.10 <Only for those with a login> login@1) s3(manager@1) y@1 z@1",
	} {
		if got := outline(t, s, "default", who); got != want {
			t.Errorf("audience %d: %s", who, got)
		}
	}
	if _, err := s.Tools("nope", AudienceUser, false); err == nil || err.Error() != "No panel view nope found." {
		t.Errorf("unknown view: %v", err)
	}
}

func TestToolboxLookup(t *testing.T) {
	dir := write(t, standardBox())
	b := openBox(t, dir, Options{ExtraTools: []string{"tools/more/_old/no.xml"}})
	s := b.Snapshot()
	for _, c := range []struct {
		id, version string
		exact       bool
		want        string
	}{
		{"a", "", false, "1.10"}, {"a", "1.9", true, "1.9"}, {"a", "3", false, "1.10"}, {"a", "3", true, ""}, {"hidden", "", false, "1"}, {"no", "", false, "1"}, {"nope", "", false, ""},
	} {
		e, ok := s.Lookup(c.id, c.version, c.exact)
		if got := ""; ok != (c.want != "") {
			t.Errorf("Lookup(%+v): found is %v", c, ok)
		} else if ok {
			if got = e.Version; got != c.want {
				t.Errorf("Lookup(%+v): %s", c, got)
			}
		}
	}
	if got := s.VersionsOf("a"); !reflect.DeepEqual(got, []string{"1.9", "1.10"}) {
		t.Errorf("versions: %v", got)
	}
	tool, e, err := b.Tool("a", "1.9", true)
	if err != nil || tool.Version != "1.9" || e.SectionID != "s1" || e.Labels != nil {
		t.Errorf("%+v %+v %v", tool, e, err)
	}
	again, _, _ := b.Tool("a", "1.9", true)
	if again != tool {
		t.Error("a parsed tool is kept")
	}
	if tool, _, err := b.Tool("nope", "", false); tool != nil || err != nil {
		t.Errorf("an unknown tool: %v %v", tool, err)
	}
}

func TestToolboxToolShed(t *testing.T) {
	item := func(version, file string) string {
		return `<tool file="` + file + `" guid="shed.org/repos/me/box/a/` + version + `"><tool_shed>shed.org</tool_shed><repository_name>box</repository_name>
			<repository_owner>me</repository_owner><installed_changeset_revision>abc` + version + `</installed_changeset_revision><version>` + version + `</version></tool>`
	}
	dir := write(t, map[string]string{
		"tool_conf.xml": `<toolbox><section id="s" name="S">` + item("1.0", "a1.xml") + item("2.0", "a2.xml") + `</section></toolbox>`,
		"a1.xml":        simpleTool("a", "1.0", ""),
		"a2.xml":        simpleTool("a", "2.0", ""),
	})
	s := openBox(t, dir, Options{ToolPath: "."}).Snapshot()
	if got := outline(t, s, "", AudienceUser); got != "s(shed.org/repos/me/box/a/2.0@2.0)" {
		t.Errorf("the panel shows the newest version: %s", got)
	}
	for id, want := range map[string]string{"shed.org/repos/me/box/a/1.0": "1.0", "shed.org/repos/me/box/a": "2.0", "a": "2.0"} {
		e, ok := s.Lookup(id, "", false)
		if !ok || e.Version != want || e.Repository.Owner != "me" {
			t.Errorf("Lookup(%s): %+v", id, e)
			continue
		}
		if !reflect.DeepEqual(e.versions, []string{"1.0", "2.0"}) {
			t.Errorf("versions of %s: %v", id, e.versions)
		}
	}
	if e, ok := s.Lookup("shed.org/repos/me/box/a/1.0", "2.0", true); !ok || e.Version != "2.0" {
		t.Errorf("another version by the guid of one: %+v", e)
	}
}

func TestToolboxGoesOnAfterBrokenTools(t *testing.T) {
	dir := write(t, map[string]string{
		"tool_conf.xml": `<toolbox tool_path="${tool_conf_dir}">
  <tool file="broken.xml"/>
  <tool file="missing.xml"/>
  <tool file="macro.xml"/>
  <tool file="tool.yml"/>
  <tool/>
  <workflow id="x"/>
  <strange/>
  <tool_dir dir="nowhere"/>
  <tool file="good.xml"/>
  <tool file="again.xml"/>
  <tool file="folder.xml"/>
</toolbox>`,
		"broken.xml":       "<tool id=\"b\">\n<command>",
		"macro.xml":        `<tool id="m"><macros><import>gone.xml</import></macros></tool>`,
		"tool.yml":         "class: GalaxyTool\n",
		"good.xml":         simpleTool("good", "1", ""),
		"again.xml":        simpleTool("good", "1", ""),
		"folder.xml/x.txt": "",
	})
	s := openBox(t, dir, Options{Files: []string{"tool_conf.xml", "no_conf.xml"}}).Snapshot()
	got := strings.Join(notices(s, dir), "\n")
	for _, want := range []string{
		"broken.xml:2: not well-formed XML: <command> of line 2 is never closed",
		"tool_conf.xml:3: missing.xml: the tool file does not exist",
		"macro.xml:1: macro file gone.xml does not exist",
		"tool_conf.xml:5: tool.yml: tools in YAML are not supported yet",
		"tool_conf.xml:6: <tool> has no attribute file",
		"tool_conf.xml:7: workflows in the tool panel",
		"tool_conf.xml:8: <strange> is unknown",
		"tool_conf.xml:9: tool folder nowhere cannot be read",
		"tool_conf.xml:11: again.xml holds tool good 1 again; good.xml is used",
		"folder.xml is not a regular file",
		"no_conf.xml: the toolbox file cannot be read",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no notice %q in\n%s", want, got)
		}
	}
	if s.Len() != 1 {
		t.Errorf("%d tools", s.Len())
	}
	if _, err := Open(Options{Root: dir, Files: []string{"no_conf.xml"}}); err == nil || !strings.Contains(err.Error(), "no toolbox file could be read") {
		t.Errorf("nothing to read at all: %v", err)
	}
}

func TestToolboxYAMLAndFolders(t *testing.T) {
	dir := write(t, map[string]string{
		"conf/a.xml":  `<toolbox tool_path="${tool_conf_dir}/.."><tool file="x.xml"/></toolbox>`,
		"conf.d.yml":  "tool_path: .\nitems:\n- type: section\n  id: s\n  name: S\n  items:\n  - {type: label, id: l, text: L}\n  - {type: tool, file: y.xml}\n",
		"x.xml":       simpleTool("x", "1", ""),
		"y.xml":       simpleTool("y", "1", ""),
		"conf/no.txt": "",
	})
	s := openBox(t, dir, Options{Files: []string{"conf", "conf.d.yml"}}).Snapshot()
	if got := outline(t, s, "", AudienceUser); got != "x@1 s(<L> y@1)" {
		t.Errorf("%s %v", got, notices(s, dir))
	}
}

func TestToolboxIndexIsUsedAndChecked(t *testing.T) {
	fs := standardBox()
	fs["tools/a1.xml"] = `<tool id="a" name="A" version="1.9"><macros><import>m.xml</import></macros><expand macro="d"/></tool>`
	fs["tools/m.xml"] = `<macros><xml name="d"><description>before</description></xml></macros>`
	dir := write(t, fs)
	cache := filepath.Join(dir, "cache")
	o := Options{CacheDir: cache}
	cold := openBox(t, dir, o).Snapshot()
	if cold.Parsed != 8 {
		t.Errorf("a cold start parses everything: %d", cold.Parsed)
	}
	warm := openBox(t, dir, o).Snapshot()
	if warm.Parsed != 0 {
		t.Errorf("a warm start parses nothing: %d", warm.Parsed)
	}
	for _, view := range []string{ViewDefault, ViewOperations} {
		a, _ := cold.Tools(view, AudienceAdmin, true)
		b, _ := warm.Tools(view, AudienceAdmin, true)
		if !bytes.Equal(a.JSON, b.JSON) {
			t.Errorf("%s differs after a warm start", view)
		}
	}
	// A changed macro file of the same size and time is noticed.
	m := filepath.Join(dir, "tools/m.xml")
	st, _ := os.Stat(m)
	if err := os.WriteFile(m, []byte(strings.Replace(fs["tools/m.xml"], "before", "behind", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(m, time.Time{}, st.ModTime()); err != nil {
		t.Fatal(err)
	}
	s := openBox(t, dir, o).Snapshot()
	if e, _ := s.Lookup("a", "1.9", true); s.Parsed != 1 || e.Description != "behind" {
		t.Errorf("parsed %d, description %q", s.Parsed, e.Description)
	}
	index := filepath.Join(cache, indexName)
	data, err := os.ReadFile(index)
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string][]byte{"cut": data[:len(data)/2], "empty": nil, "changed": append(append([]byte(nil), data[:len(data)-1]...), data[len(data)-1]^1), "other": []byte("something else")} {
		if err := os.WriteFile(index, bad, 0o644); err != nil {
			t.Fatal(err)
		}
		if s := openBox(t, dir, o).Snapshot(); s.Parsed != 8 || len(s.Notices) != 0 {
			t.Errorf("%s index: parsed %d, notices %v", name, s.Parsed, s.Notices)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(cache, ".*")); len(left) != 0 {
		t.Errorf("files left behind: %v", left)
	}
	// A folder that cannot be written is a notice, not an end.
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	s = openBox(t, dir, Options{CacheDir: filepath.Join(dir, "file")}).Snapshot()
	if s.Len() != 7 || len(s.Notices) != 1 || !strings.Contains(s.Notices[0].Msg, "index cannot be kept") {
		t.Errorf("%d tools, notices %v", s.Len(), s.Notices)
	}
}

func TestToolboxBrokenToolIsMended(t *testing.T) {
	dir := write(t, map[string]string{"tool_conf.xml": `<toolbox tool_path="."><tool file="a.xml"/></toolbox>`, "a.xml": `<tool id="a" version="1"><macros><import>m.xml</import></macros></tool>`})
	b := openBox(t, dir, Options{CacheDir: filepath.Join(dir, "cache")})
	if b.Snapshot().Len() != 0 {
		t.Fatal("a tool with a missing macro file was loaded")
	}
	old := b.Snapshot()
	if err := os.WriteFile(filepath.Join(dir, "m.xml"), []byte("<macros/>"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := b.Reload(); err != nil {
		t.Fatal(err)
	}
	if b.Snapshot().Len() != 1 || len(b.Snapshot().Notices) != 0 {
		t.Errorf("after mending: %v", b.Snapshot().Notices)
	}
	if old.Len() != 0 {
		t.Error("an old snapshot changed")
	}
}

func TestToolboxChangedFile(t *testing.T) {
	dir := write(t, map[string]string{"tool_conf.xml": `<toolbox tool_path="."><tool file="a.xml"/></toolbox>`, "a.xml": simpleTool("a", "1", "")})
	b := openBox(t, dir, Options{})
	if err := os.WriteFile(filepath.Join(dir, "a.xml"), []byte(simpleTool("other", "1", "")), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.Tool("a", "", false); err == nil || !strings.Contains(err.Error(), "now holds tool other; reload the toolbox") {
		t.Errorf("%v", err)
	}
	if err := os.Remove(filepath.Join(dir, "a.xml")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.Tool("a", "", false); err == nil || !strings.Contains(err.Error(), "does not exist") {
		t.Errorf("%v", err)
	}
}

func TestToolboxKeepsFewParsedTools(t *testing.T) {
	fs := map[string]string{}
	conf := `<toolbox tool_path=".">`
	for i := range 10 {
		name := fmt.Sprintf("t%d", i)
		fs[name+".xml"] = simpleTool(name, "1", "")
		conf += `<tool file="` + name + `.xml"/>`
	}
	fs["tool_conf.xml"] = conf + `</toolbox>`
	b := openBox(t, write(t, fs), Options{MaxParsed: 3})
	for i := range 10 {
		if _, _, err := b.Tool(fmt.Sprintf("t%d", i), "", false); err != nil {
			t.Fatal(err)
		}
	}
	if b.parsed.Len() != 3 || len(b.byKey) != 3 {
		t.Errorf("%d parsed tools are kept", b.parsed.Len())
	}
}

func TestToolboxConcurrentUse(t *testing.T) {
	dir := write(t, standardBox())
	b := openBox(t, dir, Options{CacheDir: filepath.Join(dir, "cache"), MaxParsed: 2})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range 20 {
				s := b.Snapshot()
				if _, err := s.Tools("", Audience(i%3), false); err != nil {
					t.Error(err)
				}
				s.Search("tool", AudienceUser, 5)
				if _, _, err := b.Tool([]string{"a", "out", "z", "login"}[i%4], "", false); err != nil {
					t.Error(err)
				}
				if i == 0 {
					if err := b.Reload(); err != nil {
						t.Error(err)
					}
				}
			}
		}()
	}
	wg.Wait()
}

func TestToolJSON(t *testing.T) {
	dir := write(t, standardBox())
	s := openBox(t, dir, Options{}).Snapshot()
	e, _ := s.Lookup("a", "", false)
	got, err := e.JSON(AudienceUser, true, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"model_class":"Tool","id":"a","name":"Tool a","version":"1.10","description":"does a","labels":["new","good"],"icon":null,` +
		`"edam_operations":[],"edam_topics":[],"hidden":"","is_workflow_compatible":true,"xrefs":[],"versions":["1.9","1.10"],"hidden_versions":[],` +
		`"link":"/tool_runner?tool_id=a","min_width":-1,"target":"galaxy_main","has_parameters":true,"panel_section_id":"s1","panel_section_name":"One","form_style":"regular"}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	admin, _ := e.JSON(AudienceAdmin, false, nil, nil)
	if !strings.Contains(string(admin), `"config_file":"`+filepath.Join(dir, "tools/a2.xml")+`"`) || strings.Contains(string(got), dir) {
		t.Errorf("only administrators see paths: %s", admin)
	}
	tool, err := s.Tool(e)
	if err != nil {
		t.Fatal(err)
	}
	withIO, _ := e.JSON(AudienceUser, false, tool, json.RawMessage(`[]`))
	if !strings.Contains(string(withIO), `"inputs":[],"outputs":[],"has_parameters"`) {
		t.Errorf("io_details: %s", withIO)
	}
}

func TestPanelDocuments(t *testing.T) {
	dir := write(t, standardBox())
	s := openBox(t, dir, Options{}).Snapshot()
	d, err := s.PanelView("default", AudienceUser)
	if err != nil {
		t.Fatal(err)
	}
	var view map[string]struct {
		Class string `json:"model_class"`
		Tools []any
	}
	if err := json.Unmarshal(d.JSON, &view); err != nil {
		t.Fatal(err)
	}
	if view["s1"].Class != "ToolSection" || view["s1"].Tools[1] != "a" || view["out"].Class != "Tool" || view["top"].Class != "ToolSectionLabel" {
		t.Errorf("%s", d.JSON)
	}
	r, err := gzip.NewReader(bytes.NewReader(d.Gzip))
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := io.ReadAll(r); err != nil || !bytes.Equal(plain, d.JSON) {
		t.Errorf("compressed form: %v", err)
	}
	if again, _ := s.PanelView("default", AudienceUser); again != d {
		t.Error("a document is made once")
	}
	if other, _ := s.PanelView("default", AudienceAdmin); other.ETag == d.ETag {
		t.Error("audiences share a document")
	}
	flat, _ := s.FlatTools(AudienceUser, false)
	var list []map[string]any
	if err := json.Unmarshal(flat.JSON, &list); err != nil || len(list) != 5 {
		t.Errorf("%d tools in the flat list: %v", len(list), err)
	}
	help, _ := s.FlatTools(AudienceUser, true)
	if !strings.Contains(string(help.JSON), `"help":"","help_format":"restructuredtext"`) {
		t.Error("the help is missing")
	}
	if views, err := s.PanelViews(); err != nil || !strings.Contains(string(views.JSON), `"ontology:edam_topics"`) {
		t.Errorf("views: %v", err)
	}
	if mine, err := s.PanelView(ViewMyTools, AudienceUser); err != nil || string(mine.JSON) != `{"favorites":{"model_class":"ToolSection","id":"favorites","name":"Favorites","version":"","description":null,"links":null,"tools":[]}}` {
		t.Errorf("%s %v", mine.JSON, err)
	}
}

func TestEdamView(t *testing.T) {
	op := func(id, term string) string {
		return `<tool id="` + id + `" version="1"><edam_operations><edam_operation>` + term + `</edam_operation></edam_operations></tool>`
	}
	dir := write(t, map[string]string{
		"tool_conf.xml": `<toolbox tool_path="."><tool file="a.xml"/><section id="s" name="S"><tool file="b.xml"/><tool file="c.xml"/></section><tool file="d.xml"/><tool file="e.xml"/></toolbox>`,
		"a.xml":         op("a", "operation_3695"), "b.xml": op("b", "operation_3198"), "c.xml": op("c", "operation_2409"), "d.xml": simpleTool("d", "1", ""), "e.xml": op("e", "operation_9999"),
	})
	s := openBox(t, dir, Options{}).Snapshot()
	if got := outline(t, s, ViewOperations, AudienceUser); got != "<Analysis> operation_3198(b@1) <Data handling> operation_3695(a@1) operation_2409(c@1) <Operation> operation_9999(e@1) uncategorized(d@1)" {
		t.Error(got)
	}
}

func TestSearch(t *testing.T) {
	tool := func(id, name, description, help string) string {
		return `<tool id="` + id + `" name="` + name + `" version="1"><description>` + description + `</description><help>` + help + `</help></tool>`
	}
	fs := map[string]string{
		"tool_conf.xml": `<toolbox tool_path="."><section id="s" name="Text"><tool file="a.xml"/><tool file="b.xml"/><tool file="c.xml"/><tool file="d.xml" hidden="true"/></section></toolbox>`,
		"a.xml":         tool("sort1", "Sort", "lines", "orders lines"), "b.xml": tool("cat1", "Concatenate datasets", "tail-to-head", "no sorting is done"),
		"c.xml": tool("Cut1", "Cut", "columns", ""), "d.xml": tool("sort_hidden", "Sort secretly", "", ""),
	}
	s := openBox(t, write(t, fs), Options{}).Snapshot()
	for q, want := range map[string][]string{
		"sort": {"sort1", "cat1"}, "SORT lines": {"sort1"}, "concat": {"cat1"}, "catenate": {"cat1"}, "cut1": {"Cut1"}, "cut": {"Cut1"}, "columns sort": {}, "": {}, "!!": {}, "sorting": {"sort1", "cat1"},
	} {
		got := s.Search(q, AudienceUser, 0)
		if q == "sorting" {
			if len(got) != 2 {
				t.Errorf("%q: %v", q, got)
			}
			continue
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %v, want %v", q, got, want)
		}
	}
	if got := s.Search("text", AudienceUser, 2); len(got) != 2 {
		t.Errorf("limit: %v", got)
	}
	s.Search(strings.Repeat("é ", 5000), AudienceUser, 0)
}

func FuzzIndex(f *testing.F) {
	program := []byte("p")
	f.Add(encodeIndex(map[string]*record{
		"/a": {path: "/a", stamps: []stamp{{"/a", 1, 2, 3, 4}}, summary: &Summary{ID: "a", EdamTopics: []string{"t"}, Xrefs: []Xref{{"v", "t"}}, Hidden: true}},
		"/b": {path: "/b", stamps: []stamp{{"/b", -1, 0, -1, 0}}, err: FileError{"/b", 3, "no"}},
	}, program)[len(indexMagic)+len(program)+8:])
	f.Fuzz(func(t *testing.T, body []byte) {
		d := &indexDecoder{s: string(body)}
		n := d.length()
		records := map[string]*record{}
		for i := 0; i < n && !d.bad; i++ {
			r := d.record()
			records[r.path] = r
		}
		if d.bad || d.s != "" {
			return
		}
		again, err := decodeIndex(encodeIndex(records, program), program)
		if err != nil || !reflect.DeepEqual(again, records) {
			t.Errorf("a decoded index does not survive: %v", err)
		}
	})
}

// generated makes a toolbox of n tools that share a macro file.
func generated(b testing.TB, n int) (string, Options) {
	fs := map[string]string{"m.xml": `<macros><xml name="in"><param name="input" type="data" format="txt"/><param name="n" type="integer" value="1"/></xml><token name="@V@">1.0</token></macros>`}
	conf := `<toolbox tool_path=".">`
	for i := range n {
		fs[fmt.Sprintf("t%d.xml", i)] = fmt.Sprintf(`<tool id="t%d" name="Tool %d" version="@V@"><macros><import>m.xml</import></macros><description>%s</description>
			<command>head -n $n '$input' > '$out'</command><inputs><expand macro="in"/><conditional name="c"><param name="s" type="select"><option value="a">A</option></param><when value="a"/></conditional></inputs>
			<outputs><data name="out" format="txt"/></outputs><help>%s</help></tool>`, i, i, strings.Repeat("word ", 5), strings.Repeat("some more words of help\n\n", 40))
		conf += fmt.Sprintf(`<tool file="t%d.xml"/>`, i)
	}
	fs["tool_conf.xml"] = conf + `</toolbox>`
	dir := write(b, fs)
	return dir, Options{CacheDir: filepath.Join(dir, "cache")}
}

func BenchmarkOpenCold464(b *testing.B) {
	dir, _ := generated(b, 464)
	b.ResetTimer()
	for range b.N {
		openBox(b, dir, Options{})
	}
}

func BenchmarkOpenWarm464(b *testing.B) {
	dir, o := generated(b, 464)
	openBox(b, dir, o)
	b.ResetTimer()
	for range b.N {
		if s := openBox(b, dir, o).Snapshot(); s.Parsed != 0 {
			b.Fatal("not warm")
		}
	}
}

func BenchmarkToolsDocument(b *testing.B) {
	dir, o := generated(b, 464)
	s := openBox(b, dir, o).Snapshot()
	b.ResetTimer()
	for range b.N {
		if _, err := s.Tools("", AudienceUser, false); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSearch464(b *testing.B) {
	dir, o := generated(b, 464)
	s := openBox(b, dir, o).Snapshot()
	b.ResetTimer()
	for range b.N {
		s.Search("tool 33", AudienceUser, 20)
	}
}

func TestAReloadKeepsTheAnswersThatDidNotChange(t *testing.T) {
	dir, o := generated(t, 20)
	box := openBox(t, dir, o)
	before := box.Snapshot()
	tools, err := before.Tools("", AudienceUser, false)
	if err != nil {
		t.Fatal(err)
	}
	if err := box.Reload(); err != nil {
		t.Fatal(err)
	}
	after := box.Snapshot()
	if after == before || len(after.docs) != 1 || after.earlier != nil {
		t.Fatalf("%d answers are ready after the reload", len(after.docs))
	}
	if again, err := after.Tools("", AudienceUser, false); err != nil || again != tools {
		t.Errorf("the same answer was made again: %v", err)
	}
	conf := `<toolbox><label id="new" text="New"/></toolbox>`
	if err := os.WriteFile(filepath.Join(dir, "tool_conf.xml"), []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := box.Reload(); err != nil {
		t.Fatal(err)
	}
	if again, err := box.Snapshot().Tools("", AudienceUser, false); err != nil || again == tools || !bytes.Contains(again.JSON, []byte("New")) {
		t.Errorf("a changed toolbox gave the old answer: %v", err)
	}
}
