package tool

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestRenderRST(t *testing.T) {
	for name, c := range map[string]struct{ src, want string }{
		"paragraphs":                {"one\ntwo\n\nthree", "<p>one\ntwo</p>\n<p>three</p>\n"},
		"inline":                    {"**b** *i* ``a <b>`` :sup:`2` a*b*c \\*x\\*", `<p><strong>b</strong> <em>i</em> <tt class="docutils literal">a &lt;b&gt;</tt> <sup>2</sup> a*b*c *x*</p>` + "\n"},
		"links":                     {"`a <https://x.org/?a=1&b=2>`_ https://y.org/z. b_\n\n.. _b: http://b.org", `<p><a class="reference external" href="https://x.org/?a=1&amp;b=2">a</a> <a class="reference external" href="https://y.org/z">https://y.org/z</a>. <a class="reference external" href="http://b.org">b</a></p>` + "\n"},
		"an underscore":             {"file_name_ and a_", "<p>file_name_ and a_</p>\n"},
		"titles":                    {"A\n==\n\ntext\n\nB\n--\n\nA\n==\n", "<div class=\"section\" id=\"a\">\n<h1>A</h1>\n<p>text</p>\n<div class=\"section\" id=\"b\">\n<h2>B</h2>\n</div>\n</div>\n<div class=\"section\" id=\"a-1\">\n<h1>A</h1>\n</div>\n"},
		"a title with a line above": {"====\n A\n====", "<div class=\"section\" id=\"a\">\n<h1>A</h1>\n</div>\n"},
		"a transition":              {"a\n\n----\n\nb", "<p>a</p>\n<hr class=\"docutils\" />\n<p>b</p>\n"},
		"a list":                    {"- a\n- b\n  c\n\n  d\n\n* e", "<ul class=\"simple\">\n<li>a</li>\n<li><p>b\nc</p>\n<p>d</p>\n</li>\n</ul>\n<ul class=\"simple\">\n<li>e</li>\n</ul>\n"},
		"nested lists":              {"1. a\n\n   - x\n   - y\n\n2. b", "<ol class=\"arabic simple\">\n<li><p>a</p>\n<ul class=\"simple\">\n<li>x</li>\n<li>y</li>\n</ul>\n</li>\n<li>b</li>\n</ol>\n"},
		"a literal block":           {"Example::\n\n  <a>\n    b\n\n  c\n\nend", "<p>Example:</p>\n<pre class=\"literal-block\">\n&lt;a&gt;\n  b\n\nc\n</pre>\n<p>end</p>\n"},
		"a lone double colon":       {"Text\n\n::\n\n  x", "<p>Text</p>\n<pre class=\"literal-block\">\nx\n</pre>\n"},
		"a definition list":         {"term\n  what it is", "<dl class=\"docutils\">\n<dt>term</dt>\n<dd>what it is</dd>\n</dl>\n"},
		"a quote":                   {"  a\n  b", "<blockquote>\n<p>a\nb</p>\n</blockquote>\n"},
		"a line block":              {"| a\n| b", "<div class=\"line-block\">\n<div class=\"line\">a</div>\n<div class=\"line\">b</div>\n</div>\n"},
		"a class":                   {".. class:: warningmark\n\ntext", "<p class=\"warningmark\">text</p>\n"},
		"a note":                    {".. note:: be\n   careful", "<div class=\"note\">\n<p class=\"first admonition-title\">Note</p>\n<p>be\ncareful</p>\n</div>\n"},
		"an image":                  {".. image:: ${static_path}/a.png\n   :width: 50 %\n   :alt: A", `<img alt="A" src="/static/a.png" style="width: 50%;" />` + "\n"},
		"a substitution":            {"a |x| b\n\n.. |x| image:: http://x/y.png", `<p>a <img alt="http://x/y.png" src="http://x/y.png" /> b</p>` + "\n"},
		"a comment":                 {".. nothing\n   to see\n\na", "<p>a</p>\n"},
		"a simple table":            {"=== ===\na   b\n=== ===\n1   *2*\n    3\n=== ===\n", "<table border=\"1\" class=\"docutils\">\n<thead valign=\"top\">\n<tr><th>a</th>\n<th>b</th>\n</tr>\n</thead>\n<tbody valign=\"top\">\n<tr><td>1</td>\n<td><em>2</em>\n3</td>\n</tr>\n</tbody>\n</table>\n"},
		"a grid table":              {"+---+---+\n| a | b |\n+===+===+\n| 1 | 2 |\n+---+---+", "<table border=\"1\" class=\"docutils\">\n<thead valign=\"top\">\n<tr><th>a</th>\n<th>b</th>\n</tr>\n</thead>\n<tbody valign=\"top\">\n<tr><td>1</td>\n<td>2</td>\n</tr>\n</tbody>\n</table>\n"},
		"a list table":              {".. list-table:: T\n   :header-rows: 1\n\n   * - a\n     - b\n   * - 1\n     - 2", "<table border=\"1\" class=\"docutils\">\n<caption>T</caption>\n<tr><th>a</th>\n<th>b</th>\n</tr>\n<tr><td>1</td>\n<td>2</td>\n</tr>\n</table>\n"},
		"an option list":            {"-a        all\n--long=X  much", "<table class=\"docutils option-list\">\n<tbody valign=\"top\">\n<tr><td class=\"option-group\"><kbd>-a</kbd></td>\n<td>all</td></tr>\n<tr><td class=\"option-group\"><kbd>--long=X</kbd></td>\n<td>much</td></tr>\n</tbody>\n</table>\n"},
		"a footnote":                {"a [1]_\n\n.. [1] note", "<p>a <a class=\"footnote-reference\" href=\"#fn-1\">[1]</a></p>\n<table class=\"docutils footnote\" id=\"fn-1\">\n<tbody valign=\"top\">\n<tr><td class=\"label\">[1]</td><td>note</td></tr>\n</tbody>\n</table>\n"},
		"nothing":                   {"", ""},
	} {
		if got := RenderRST(c.src, "/static", "http://host/"); got != c.want {
			t.Errorf("%s:\n got %q\nwant %q", name, got, c.want)
		}
	}
}

func TestRenderRSTLetsNothingHarmfulThrough(t *testing.T) {
	for _, src := range []string{
		"<script>alert(1)</script>",
		"`x <javascript:alert(1)>`_",
		"`x <JaVaScRiPt:alert(1)>`_ x_\n\n.. _x: javascript:alert(1)",
		".. image:: javascript:alert(1)",
		".. image:: x\" onerror=\"alert(1)",
		".. image:: a.png\n   :alt: \"><script>alert(1)</script>\n   :width: 1px;background:url(javascript:alert(1))\n   :target: javascript:alert(1)",
		".. raw:: html\n\n   <script>alert(1)</script>",
		".. include:: /etc/passwd",
		".. class:: \"><script>\n\ntext",
		".. |x| replace:: <script>alert(1)</script>\n\n|x|",
		".. code-block:: \"><script>\n\n   x",
		"data:text/html,<script> `x <data:text/html,1>`_",
		"<b>\n===\n",
	} {
		got := RenderRST(src, "/static", "http://host/")
		low := strings.ToLower(got)
		if strings.Contains(low, "<script") || strings.Contains(low, "href=\"javascript") || strings.Contains(low, "src=\"javascript") || strings.Contains(low, `" onerror=`) ||
			strings.Contains(low, "href=\"data:") || strings.Contains(low, "background:url(") && !strings.Contains(low, "&") && strings.Contains(low, "style=\"width: 1px;background") {
			t.Errorf("%q gives %s", src, got)
		}
	}
}

func TestHelpFormats(t *testing.T) {
	md := &Tool{Help: "# <b>", HelpFormat: "markdown"}
	if text, format := md.HelpHTML("/static", "/"); text != "# <b>" || format != "markdown" {
		t.Errorf("%q %q", text, format)
	}
	if text, format := (&Tool{}).HelpHTML("/static", "/"); text != "" || format != "restructuredtext" {
		t.Errorf("%q %q", text, format)
	}
}

// wellFormed says whether HTML that is also XML has its tags in order.
func wellFormed(s string) error {
	d := xml.NewDecoder(strings.NewReader("<x>" + s + "</x>"))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

func FuzzRenderRST(f *testing.F) {
	for _, s := range []string{"A\n==\n\n- a\n\n  - b\n\n1. c::\n\n    d\n\n.. class:: x\n\n`a <http://b>`_ **c**", "+--+--+\n|a | b|\n+--+--+", "=== ==\na   b\n=== ==", ".. list-table::\n\n   * - a\n     -",
		"|a\n| b\n", ":a: b\n:c: d\n\n-a  b", "a\n b\n  c", ".. _a: b_\n.. _b: a_\n\na_ `b`_ __\n\n__ http://x", "====\n a\n====", ".. |a| image:: b\n\n|a|", "*\\", "``", "`<>`_", "[#a]_", "..:\n  * b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) {
		out := RenderRST(src, "/static", "http://host/")
		if strings.Contains(strings.ToLower(out), "<script") {
			t.Errorf("a script: %s", out)
		}
		clean := strings.Map(func(r rune) rune {
			if r < 0x20 && r != '\n' && r != '\t' || r == 0xFFFE || r == 0xFFFF || r == 0xFFFD {
				return ' '
			}
			return r
		}, out)
		if err := wellFormed(clean); err != nil {
			t.Errorf("%v in %q", err, out)
		}
	})
}
