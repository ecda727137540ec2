package tool

import (
	"strings"
	"testing"
)

func TestParseXML(t *testing.T) {
	e, err := parseXML("f.xml", []byte("<?xml version=\"1.0\"?>\n<!-- c -->\n<a x=\"1 \n2&#10;3\" y='&lt;&quot;'>t<!-- c -->u<b/>tail<![CDATA[<&]]>\r\n</a>\n"))
	if err != nil {
		t.Fatal(err)
	}
	if e.Tag != "a" || e.Line != 3 || e.Text != "tu" {
		t.Errorf("root: %q line %d text %q", e.Tag, e.Line, e.Text)
	}
	if v := e.Get("x", ""); v != "1  2\n3" {
		t.Errorf("white space in an attribute is normalised unless written as a reference: %q", v)
	}
	if v := e.Get("y", ""); v != `<"` {
		t.Errorf("references: %q", v)
	}
	if b := e.Children[0]; b.Tag != "b" || b.Tail != "tail<&\n" || b.Line != 4 {
		t.Errorf("child: %+v", b)
	}
}

func TestParseXMLEncodings(t *testing.T) {
	for name, src := range map[string]string{
		"byte order mark": "\xef\xbb\xbf<a>é</a>",
		"latin 1":         "<?xml version='1.0' encoding='ISO-8859-1'?><a>\xe9</a>",
		"entity":          `<!DOCTYPE a [ <!ENTITY e "é"> <!-- c --> <!ELEMENT a ANY> ]><a>&e;</a>`,
		"hex":             "<a>&#xE9;</a>",
	} {
		e, err := parseXML("f.xml", []byte(src))
		if err != nil || e.Text != "é" {
			t.Errorf("%s: %v %v", name, e, err)
		}
	}
}

func TestParseXMLErrors(t *testing.T) {
	deep := strings.Repeat("<a>", maxXMLDepth+2)
	for _, c := range []struct{ src, want string }{
		{"", "the file has no element"},
		{"text", "does not start with an element"},
		{"<a>\n<b>\n</a>", "f.xml:3: not well-formed XML: </a> closes <b> of line 2"},
		{"<a>\n<b/>", "<a> of line 1 is never closed"},
		{"<a/><b/>", "after </a>"},
		{"<a x=1/>", "not quoted"},
		{"<a x='1' x='2'/>", "given twice"},
		{"<a x='<'/>", "write &lt;"},
		{"<a>a & b</a>", "write &amp;"},
		{"<a>&nbsp;</a>", "unknown entity &nbsp;"},
		{"<a>&#0;</a>", "is no character"},
		{"<a>1 < 2</a>", "a bare '<'"},
		{"<a><!-- ", "a comment is not closed"},
		{"<a><![CDATA[ ", "is not closed with ]]>"},
		{"<a>\n\xff</a>", "f.xml:2: not valid UTF-8"},
		{"<?xml version='1.0' encoding='utf-16'?><a/>", "save the file as UTF-8"},
		{`<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>`, "external entities never are"},
		{`<!DOCTYPE a [<!ENTITY x "&y;&y;">]><a>&x;</a>`, "is not plain text"},
		{deep, "nested deeper"},
	} {
		_, err := parseXML("f.xml", []byte(c.src))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.40q: got %v, want %q", c.src, err, c.want)
		}
	}
}

func TestElementWritesItselfBack(t *testing.T) {
	const src = `<a x="1&quot;&amp;">t<b/>u<c y="">v</c></a>`
	e, err := parseXML("f.xml", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	if got := e.xmlString(); got != `<a x="1&quot;&amp;">t<b/>u<c y="">v</c></a>` {
		t.Errorf("got %s", got)
	}
}
