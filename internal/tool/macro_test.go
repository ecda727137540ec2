package tool

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// files is a file system for tests.
type files map[string]string

func (f files) read(path string) ([]byte, error) {
	s, ok := f[path]
	if !ok {
		return nil, &os.PathError{Op: "open", Path: path, Err: os.ErrNotExist}
	}
	return []byte(s), nil
}

func expandString(t *testing.T, src string, f files) (string, error) {
	t.Helper()
	root, err := parseXML("/t/tool.xml", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := expandMacros(root, "/t/tool.xml", f.read); err != nil {
		return "", err
	}
	var b strings.Builder
	for _, c := range root.Children {
		if c.Tag != "macros" {
			b.WriteString(c.xmlString())
		}
	}
	return b.String(), nil
}

func TestExpandMacros(t *testing.T) {
	for name, c := range map[string]struct {
		src, want string
		files     files
	}{
		"a macro": {
			src:  `<tool><macros><xml name="m"><x/><y/></xml></macros><in><expand macro="m"/><z/></in></tool>`,
			want: `<in><x/><y/><z/></in>`,
		},
		"the long form of a macro": {
			src:  `<tool><macros><macro name="m" type="xml"><x/></macro></macros><expand macro="m"/></tool>`,
			want: `<x/>`,
		},
		"tokens in text, values and names": {
			src:  `<tool><macros><token name="@V@">1</token><token name="@W@">w@V@</token></macros><x @V@a="@W@">t @V@ @W@</x></tool>`,
			want: "",
		},
		"parameters, some with a default": {
			src:  `<tool><macros><xml name="m" tokens="a" token_b="B"><x p="@A@" q="@B@"/></xml></macros><expand macro="m" a="1"/><expand macro="m" a="2" b="3"/></tool>`,
			want: `<x p="1" q="B"/><x p="2" q="3"/>`,
		},
		"another quote for parameters": {
			src:  `<tool><macros><xml name="m" tokens="a" token_quote="$"><x p="$A$"/></xml></macros><expand macro="m" a="1"/></tool>`,
			want: `<x p="1"/>`,
		},
		"a yield": {
			src:  `<tool><macros><xml name="m"><x><yield/></x></xml></macros><expand macro="m"><y/><z/></expand></tool>`,
			want: `<x><y/><z/></x>`,
		},
		"a yield without content": {
			src:  `<tool><macros><xml name="m"><x><yield/></x></xml></macros><expand macro="m"/></tool>`,
			want: `<x/>`,
		},
		"named yields": {
			src:  `<tool><macros><xml name="m"><x><yield name="a"/><yield/><yield name="b"/></x></xml></macros><expand macro="m"><token name="b"><b/></token><token name="a"><a/></token><c/></expand></tool>`,
			want: `<x><a/><c/><b/></x>`,
		},
		"macros in macros": {
			src:  `<tool><macros><xml name="in"><i><yield/></i></xml><xml name="out"><expand macro="in"><o/><yield/></expand></xml></macros><expand macro="out"><z/></expand></tool>`,
			want: `<i><o/><z/></i>`,
		},
		"a macro inside what the same macro yields": {
			src:  `<tool><macros><xml name="m"><x><yield/></x></xml></macros><expand macro="m"><y><expand macro="m"/></y></expand></tool>`,
			want: `<x><y><x/></y></x>`,
		},
		"what is written here wins over what is imported": {
			src:   `<tool><macros><import>m.xml</import><token name="@T@">here</token></macros><expand macro="m"/></tool>`,
			files: files{"/t/m.xml": `<macros><xml name="m"><x>@T@</x></xml><token name="@T@">there</token></macros>`},
			want:  `<x>here</x>`,
		},
		"nested imports are relative to the tool, above it too": {
			src:   `<tool><macros><import>sub/a.xml</import></macros><expand macro="b"/></tool>`,
			files: files{"/t/sub/a.xml": `<macros><import>../b.xml</import></macros>`, "/b.xml": `<macros><xml name="b"><b/></xml></macros>`},
			want:  `<b/>`,
		},
		"nothing is expanded without <macros>": {
			src:  `<tool><expand macro="m"/></tool>`,
			want: `<expand macro="m"/>`,
		},
	} {
		if name == "tokens in text, values and names" {
			c.src = `<tool><macros><token name="V_">1</token><token name="@W@">wV_</token></macros><x aV_="@W@">t V_ @W@</x></tool>`
			c.want = `<x a1="w1">t 1 w1</x>`
		}
		got, err := expandString(t, c.src, c.files)
		if err != nil || got != c.want {
			t.Errorf("%s: got %s (%v), want %s", name, got, err, c.want)
		}
	}
}

func TestExpandMacrosErrors(t *testing.T) {
	double := "<xml name=\"m0\"><x/></xml>"
	for i := 1; i < 40; i++ {
		double += fmt.Sprintf(`<xml name="m%d"><expand macro="m%d"/><expand macro="m%d"/></xml>`, i, i-1, i-1)
	}
	yields := "<xml name=\"m\"><x><yield/><yield/></x></xml>"
	nested := strings.Repeat(`<expand macro="m">`, 40) + "<y/>" + strings.Repeat("</expand>", 40)
	tokens := "<token name=\"T0_\">xxxxxxxxxx</token>"
	for i := 1; i < 40; i++ {
		tokens += fmt.Sprintf(`<token name="T%d_">T%d_T%d_</token>`, i, i-1, i-1)
	}
	for name, c := range map[string]struct {
		src, want string
		files     files
	}{
		"unknown macro":   {src: "<tool><macros><xml name=\"a\"/><xml name=\"b\"/></macros>\n<expand macro=\"c\"/></tool>", want: `/t/tool.xml:2: there is no macro "c"; the tool and its imports define a, b`},
		"itself":          {src: `<tool><macros><xml name="a"><expand macro="a"/></xml></macros><expand macro="a"/></tool>`, want: "expands itself: a → a"},
		"a cycle":         {src: `<tool><macros><xml name="a"><x><expand macro="b"/></x></xml><xml name="b"><expand macro="a"/></xml></macros><expand macro="a"/></tool>`, want: "a → b → a"},
		"itself by yield": {src: `<tool><macros><xml name="a"><expand macro="b"><expand macro="a"/></expand></xml><xml name="b"><yield/></xml></macros><expand macro="a"/></tool>`, want: "expands itself"},
		"missing import":  {src: "<tool><macros>\n<import>x.xml</import></macros></tool>", want: "/t/tool.xml:2: macro file x.xml does not exist"},
		"import cycle": {src: `<tool><macros><import>a.xml</import></macros></tool>`, want: "imports itself",
			files: files{"/t/a.xml": `<macros><import>b.xml</import></macros>`, "/t/b.xml": `<macros><import>a.xml</import></macros>`}},
		"importing the tool":       {src: `<tool><macros><import>tool.xml</import></macros></tool>`, want: "imports itself"},
		"absolute import":          {src: `<tool><macros><import>/etc/passwd</import></macros></tool>`, want: "has to be relative"},
		"broken import":            {src: `<tool><macros><import>a.xml</import></macros></tool>`, want: "/t/a.xml:1: not well-formed", files: files{"/t/a.xml": "<macros>"}},
		"missing parameter":        {src: `<tool><macros><xml name="m" tokens="a"/></macros><expand macro="m"/></tool>`, want: "needs the attribute a"},
		"no such yield":            {src: `<tool><macros><xml name="m"/></macros><expand macro="m"><token name="t"/></expand></tool>`, want: `no <yield name="t"/>`},
		"a token in itself":        {src: `<tool><macros><token name="@T@">x@T@</token></macros></tool>`, want: "contains itself"},
		"macros that double":       {src: `<tool><macros>` + double + `</macros><expand macro="m39"/></tool>`, want: "macros expand to more than"},
		"yields that double":       {src: `<tool><macros>` + yields + `</macros>` + nested + `</tool>`, want: "macros"},
		"tokens that double":       {src: `<tool><macros>` + tokens + `</macros><x>T39_</x></tool>`, want: "grow beyond"},
		"a token many times":       {src: `<tool><macros><token name="T">` + strings.Repeat("x", 1<<16) + `</token></macros><x>` + strings.Repeat("T", 1<<16) + `</x></tool>`, want: "tokens expand to more than"},
		"a macro without a name":   {src: `<tool><macros><xml/></macros></tool>`, want: "has no name"},
		"an unknown type of macro": {src: `<tool><macros><macro name="m" type="x"/></macros></tool>`, want: "use xml, token or template"},
	} {
		_, err := expandString(t, c.src, c.files)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

func TestTemplateMacros(t *testing.T) {
	tool, err := LoadBytes("/t/tool.xml", []byte(`<tool id="t" name="t" version="1"><macros><template name="part">echo @V@</template><token name="@V@">1</token></macros></tool>`), files{}.read)
	if err != nil || tool.TemplateMacros["part"] != "echo 1" {
		t.Errorf("%v %v", tool, err)
	}
}

func FuzzLoad(f *testing.F) {
	f.Add(`<tool id="a" name="b" version="1" profile="24.0"><macros><import>m.xml</import></macros><expand macro="m" p="1"><y/></expand><inputs><param name="x" type="text"/></inputs></tool>`,
		`<macros><xml name="m" tokens="p"><command>@P@ @T@</command><yield/></xml><token name="@T@">t</token></macros>`)
	f.Add(`<tool id="a"><inputs><conditional name="c"><param name="s" type="select"><option value="1"/></param><when value="1"><repeat name="r" min="1" max="3"><param name="x" type="integer" value="3"/></repeat></when></conditional></inputs>
		<outputs><collection name="o" type="list"><discover_datasets pattern="__name__"/></collection><data name="d"><change_format><when input="s" value="1" format="x"/></change_format></data></outputs>
		<tests><test><conditional name="c"><repeat name="r"><param name="x" value="1"/></repeat></conditional><output name="d" file="f"/></test></tests><help>x</help></tool>`, `<macros/>`)
	f.Add(`<!DOCTYPE a [<!ENTITY e "x">]><tool id="&e;"><stdio><exit_code range="1:"/><regex match="x"/></stdio></tool>`, `<macros><import>m.xml</import></macros>`)
	f.Fuzz(func(t *testing.T, src, macros string) {
		read := func(string) ([]byte, error) { return []byte(macros), nil }
		tool, err := LoadBytes("/t/tool.xml", []byte(src), read)
		if err != nil {
			return
		}
		if tool.ID == "" {
			t.Error("a tool without an id was loaded")
		}
		if _, err := tool.TestsJSON(); err != nil {
			t.Error(err)
		}
		tool.HelpHTML("/static", "/")
	})
}
