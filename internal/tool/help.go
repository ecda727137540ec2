package tool

import (
	"html"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// Bounds of help texts, which come from people who wrote a tool, not from the server's administrator.
const (
	maxHelpBytes = 1 << 20
	maxHelpDepth = 30
)

// HelpHTML returns the help as the form shows it, with its format: reStructuredText is rendered to HTML, Markdown is left to
// the client. staticPath ("/static") and hostURL replace ${static_path} and ${host_url}.
func (t *Tool) HelpHTML(staticPath, hostURL string) (text, format string) {
	if t.HelpFormat != "" && t.HelpFormat != "restructuredtext" {
		return t.Help, t.HelpFormat
	}
	return RenderRST(t.Help, staticPath, hostURL), "restructuredtext"
}

// RenderRST renders the part of reStructuredText that tool helps use, with docutils' class names: sections, paragraphs, lists,
// definition, field and option lists, literal and line blocks, quotes, grid and simple tables, images, admonitions, class,
// code and list-table directives, links and inline markup. Everything else becomes text. The answer holds no HTML of the author:
// all text is escaped, and links and images lead only to http, https, ftp, mailto or the server itself.
func RenderRST(src, staticPath, hostURL string) string {
	if len(src) > maxHelpBytes {
		src = strings.ToValidUTF8(src[:maxHelpBytes], "")
	}
	src = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\t", "        ", "\x00", "").Replace(src)
	src = strings.NewReplacer("${static_path}", staticPath, "${host_url}", hostURL).Replace(src)
	lines := strings.Split(src, "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	r := &rst{targets: map[string]string{}, substitutions: map[string]string{}, ids: map[string]int{}}
	r.collect(lines)
	r.blocks(lines, 0)
	for r.open > 0 {
		r.out.WriteString("</div>\n")
		r.open--
	}
	return r.out.String()
}

type rst struct {
	out           strings.Builder
	targets       map[string]string // link name in lower case → URL
	substitutions map[string]string // name → HTML
	anonymous     []string
	ids           map[string]int
	titles        []string // adornment styles in the order of their appearance
	open          int      // <div class="section"> that are open
	class         string   // of the next block
}

// dedent takes away the indentation that all lines share.
func dedent(lines []string) []string {
	least := -1
	for _, l := range lines {
		if l != "" {
			if n := indentOf(l); least < 0 || n < least {
				least = n
			}
		}
	}
	if least <= 0 {
		return lines
	}
	r := make([]string, len(lines))
	for i, l := range lines {
		if l != "" {
			r[i] = l[least:]
		}
	}
	return r
}

func indentOf(l string) int { return len(l) - len(strings.TrimLeft(l, " ")) }

var (
	targetLine       = regexp.MustCompile("^ *\\.\\. _(`[^`]+`|[^:`]+(?:\\\\:[^:`]+)*): *(.*)$")
	anonymousLine    = regexp.MustCompile(`^ *(?:\.\. __:|__) +(\S.*)$`)
	substitutionLine = regexp.MustCompile(`^ *\.\. \|([^|]+)\| (image|replace|unicode):: *(.*)$`)
	footnoteLine     = regexp.MustCompile(`^\.\. \[([^\]]+)\] ?(.*)$`)
	directiveLine    = regexp.MustCompile(`^\.\. ([A-Za-z][A-Za-z0-9_+:.-]*?):: ?(.*)$`)
	bulletLine       = regexp.MustCompile(`^([-*+•‣]) +(\S.*)?$|^([-*+•‣])$`)
	enumLine         = regexp.MustCompile(`^(\(?)([0-9]{1,6}|[A-Za-z]|#|[ivxlc]{2,8}|[IVXLC]{2,8})([.)]) +(\S.*)$`)
	fieldLine        = regexp.MustCompile(`^:([^:` + "`" + `\s][^:` + "`" + `]*):(?: +(.*))?$`)
	optionLine       = regexp.MustCompile(`^((?:--?[A-Za-z0-9][\w-]*(?:[ =][\w<>.-]+)?|/[A-Z])(?:, (?:--?[A-Za-z0-9][\w-]*(?:[ =][\w<>.-]+)?))*)(?:  +(\S.*))?$`)
	gridLine         = regexp.MustCompile(`^\+[-=]+(\+[-=]+)*\+$`)
	simpleLine       = regexp.MustCompile(`^=+( +=+)+$`)
)

// collect finds link targets and substitutions wherever they stand.
func (r *rst) collect(lines []string) {
	for i, l := range lines {
		if m := substitutionLine.FindStringSubmatch(l); m != nil {
			switch m[2] {
			case "image":
				opts, _ := options(body(lines, i, indentOf(l)))
				r.substitutions[m[1]] = r.image(m[3], opts)
			default:
				r.substitutions[m[1]] = html.EscapeString(m[3])
			}
			continue
		}
		if m := anonymousLine.FindStringSubmatch(l); m != nil {
			r.anonymous = append(r.anonymous, m[1])
			continue
		}
		if m := targetLine.FindStringSubmatch(l); m != nil {
			u := strings.TrimSpace(m[2])
			for j := i + 1; u == "" && j < len(lines) && indentOf(lines[j]) > indentOf(l); j++ {
				u = strings.TrimSpace(lines[j])
			}
			name := linkName(strings.ReplaceAll(strings.Trim(m[1], "`"), "\\:", ":"))
			if u == "" {
				u = "#" + slug(name)
			}
			r.targets[name] = u
		}
	}
	// A target may name another one.
	for n, u := range r.targets {
		if strings.HasSuffix(u, "_") {
			if to, ok := r.targets[linkName(strings.Trim(strings.TrimSuffix(u, "_"), "`"))]; ok && !strings.HasSuffix(to, "_") {
				r.targets[n] = to
			}
		}
	}
}

func linkName(s string) string { return strings.ToLower(strings.Join(strings.Fields(s), " ")) }

func slug(s string) string {
	var b strings.Builder
	for _, c := range strings.ToLower(s) {
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9' && b.Len() > 0:
			b.WriteRune(c)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	return strings.Trim(b.String(), "-")
}

// body returns the lines after i that are blank or indented more than indent, without blank ones at the end.
func body(lines []string, i, indent int) []string {
	j := i + 1
	for j < len(lines) && (lines[j] == "" || indentOf(lines[j]) > indent) {
		j++
	}
	for j > i+1 && lines[j-1] == "" {
		j--
	}
	return lines[i+1 : j]
}

// adornment says whether a line is made of one punctuation character, as titles and transitions have.
func adornment(l string) bool {
	if len(l) < 2 || strings.IndexByte("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", l[0]) < 0 {
		return false
	}
	return strings.Trim(l, l[:1]) == ""
}

func (r *rst) takeClass(more string) string {
	c := strings.TrimSpace(more + " " + r.class)
	r.class = ""
	if c == "" {
		return ""
	}
	return ` class="` + html.EscapeString(c) + `"`
}

// blocks renders lines whose smallest indentation is 0.
func (r *rst) blocks(lines []string, depth int) {
	if depth > maxHelpDepth {
		r.out.WriteString("<p>" + html.EscapeString(strings.Join(lines, " ")) + "</p>\n")
		return
	}
	for i := 0; i < len(lines); {
		l := lines[i]
		switch {
		case l == "":
			i++
		case l[0] == ' ':
			b := quoted(lines, i)
			i += len(b)
			r.out.WriteString("<blockquote" + r.takeClass("") + ">\n")
			r.blocks(dedent(b), depth+1)
			r.out.WriteString("</blockquote>\n")
		case depth == 0 && i+2 < len(lines) && adornment(l) && lines[i+1] != "" && lines[i+2] == l && len(l) >= len(strings.TrimSpace(lines[i+1])) && !gridLine.MatchString(l):
			r.title(strings.TrimSpace(lines[i+1]), "over"+l[:1])
			i += 3
		case depth == 0 && i+1 < len(lines) && adornment(lines[i+1]) && !adornment(l) && (len(lines[i+1]) >= len([]rune(l)) || len(lines[i+1]) >= 4) && lines[i+1] != "::" && !strings.HasPrefix(l, ".. "):
			r.title(l, lines[i+1][:1])
			i += 2
		case gridLine.MatchString(l):
			i += r.gridTable(lines[i:], depth)
		case simpleLine.MatchString(l):
			i += r.simpleTable(lines[i:], depth)
		case adornment(l) && len(l) >= 4 && (i+1 == len(lines) || lines[i+1] == ""):
			r.out.WriteString("<hr class=\"docutils\" />\n")
			i++
		case l == ".." || strings.HasPrefix(l, ".. "):
			i += r.explicit(lines, i, depth)
		case anonymousLine.MatchString(l):
			i++
		case bulletLine.MatchString(l):
			i += r.list(lines, i, depth, "ul")
		case enumLine.MatchString(l) && !adornment(l):
			i += r.list(lines, i, depth, "ol")
		case strings.HasPrefix(l, "| ") || l == "|":
			i += r.lineBlock(lines, i)
		case strings.HasPrefix(l, ">>> "):
			j := i
			for j < len(lines) && lines[j] != "" {
				j++
			}
			r.out.WriteString("<pre class=\"doctest-block\">\n" + html.EscapeString(strings.Join(lines[i:j], "\n")) + "\n</pre>\n")
			i = j
		case fieldLine.MatchString(l):
			i += r.fields(lines, i, depth)
		case optionLine.MatchString(l) && (optionLine.FindStringSubmatch(l)[2] != "" || i+1 < len(lines) && indentOf(lines[i+1]) > 0):
			i += r.optionList(lines, i, depth)
		case i+1 < len(lines) && lines[i+1] != "" && lines[i+1][0] == ' ' && !strings.HasSuffix(l, "::") && !strings.HasPrefix(l, ".."):
			i += r.definitions(lines, i, depth)
		default:
			i += r.paragraph(lines, i)
		}
	}
}

// quoted returns the indented lines from i on.
func quoted(lines []string, i int) []string {
	j := i
	for j < len(lines) && (lines[j] == "" || lines[j][0] == ' ') {
		j++
	}
	for j > i && lines[j-1] == "" {
		j--
	}
	return lines[i:j]
}

func (r *rst) title(text, style string) {
	level := -1
	for k, s := range r.titles {
		if s == style {
			level = k
		}
	}
	if level < 0 {
		level = len(r.titles)
		r.titles = append(r.titles, style)
	}
	for r.open > level {
		r.out.WriteString("</div>\n")
		r.open--
	}
	id := slug(text)
	if id == "" {
		id = "section"
	}
	if n := r.ids[id]; n > 0 {
		r.ids[id]++
		id += "-" + strconv.Itoa(n)
	} else {
		r.ids[id] = 1
	}
	h := "h" + strconv.Itoa(min(level+1, 6))
	r.out.WriteString("<div" + r.takeClass("section") + ` id="` + id + "\">\n<" + h + ">" + r.inline(text) + "</" + h + ">\n")
	r.open++
}

func (r *rst) paragraph(lines []string, i int) int {
	j := i
	for j < len(lines) && lines[j] != "" && (j == i || lines[j][0] != ' ') {
		j++
	}
	n := j - i
	text := strings.Join(lines[i:j], "\n")
	literal := strings.HasSuffix(text, "::")
	if literal {
		text = strings.TrimSuffix(text, "::")
		if t := strings.TrimRight(text, " \n"); t != "" && t == text {
			text += ":"
		} else {
			text = t
		}
	}
	if text != "" {
		r.out.WriteString("<p" + r.takeClass("") + ">" + r.inline(text) + "</p>\n")
	}
	if literal {
		k := j
		for k < len(lines) && lines[k] == "" {
			k++
		}
		if k < len(lines) && lines[k][0] == ' ' {
			b := quoted(lines, k)
			r.literal(b)
			n = k + len(b) - i
		}
	}
	return n
}

func (r *rst) literal(b []string) {
	r.out.WriteString("<pre" + r.takeClass("literal-block") + ">\n" + html.EscapeString(strings.Join(dedent(b), "\n")) + "\n</pre>\n")
}

// itemBody is the text of a list item: what follows its mark, and the lines indented below it.
func itemBody(lines []string, i, width int) (item []string, n int) {
	first := ""
	if len(lines[i]) > width {
		first = lines[i][width:]
	}
	rest := body(lines, i, 0)
	item = []string{first}
	for _, l := range rest {
		item = append(item, l[min(width, indentOf(l)):])
	}
	return item, 1 + len(rest)
}

// fieldBody is the same for marks of any width: the lines below may have any indentation.
func fieldBody(lines []string, i int, first string) (item []string, n int) {
	rest := body(lines, i, 0)
	return append([]string{first}, dedent(rest)...), 1 + len(rest)
}

func (r *rst) list(lines []string, i, depth int, tag string) int {
	start := i
	attrs := ` class="simple"`
	if tag == "ol" {
		m := enumLine.FindStringSubmatch(lines[i])
		attrs = ` class="` + enumClass(m[2]) + ` simple"`
		if n, err := strconv.Atoi(m[2]); err == nil && n != 1 {
			attrs += ` start="` + strconv.Itoa(n) + `"`
		}
	}
	if r.class != "" {
		attrs = strings.Replace(attrs, `class="`, `class="`+html.EscapeString(r.class)+" ", 1)
		r.class = ""
	}
	r.out.WriteString("<" + tag + attrs + ">\n")
	mark := ""
	for i < len(lines) {
		if lines[i] == "" {
			i++
			continue
		}
		var width int
		if tag == "ul" {
			m := bulletLine.FindStringSubmatch(lines[i])
			if m == nil || (mark != "" && mark != m[1]+m[3]) {
				break
			}
			mark = m[1] + m[3]
			width = len(lines[i]) - len(m[2])
		} else {
			m := enumLine.FindStringSubmatch(lines[i])
			if m == nil || (mark != "" && mark != m[1]+m[3]) {
				break
			}
			mark = m[1] + m[3]
			width = len(lines[i]) - len(m[4])
		}
		item, n := itemBody(lines, i, width)
		i += n
		r.out.WriteString("<li>")
		r.compact(item, depth+1)
		r.out.WriteString("</li>\n")
	}
	r.out.WriteString("</" + tag + ">\n")
	return i - start
}

func enumClass(s string) string {
	switch {
	case s == "#" || s[0] >= '0' && s[0] <= '9':
		return "arabic"
	case len(s) > 1 && s == strings.ToLower(s):
		return "lowerroman"
	case len(s) > 1:
		return "upperroman"
	case s == strings.ToLower(s):
		return "loweralpha"
	}
	return "upperalpha"
}

// compact renders an item; a single paragraph goes without <p>.
func (r *rst) compact(item []string, depth int) {
	end := len(item)
	for end > 0 && item[end-1] == "" {
		end--
	}
	item = item[:end]
	single := end > 0
	for _, l := range item {
		if l == "" || l[0] == ' ' {
			single = false
		}
	}
	if single && !strings.HasSuffix(item[end-1], "::") && !bulletLine.MatchString(item[0]) && !enumLine.MatchString(item[0]) && !strings.HasPrefix(item[0], "..") &&
		!strings.HasPrefix(item[0], "| ") && !gridLine.MatchString(item[0]) && !simpleLine.MatchString(item[0]) {
		r.out.WriteString(r.inline(strings.Join(item, "\n")))
		return
	}
	if end > 0 {
		r.blocks(item, max(depth, 1))
	}
}

func (r *rst) lineBlock(lines []string, i int) int {
	start := i
	r.out.WriteString("<div class=\"line-block\">\n")
	for i < len(lines) && (strings.HasPrefix(lines[i], "| ") || lines[i] == "|") {
		text := r.inline(strings.TrimPrefix(strings.TrimPrefix(lines[i], "|"), " "))
		if text == "" {
			text = "<br />"
		}
		r.out.WriteString("<div class=\"line\">" + text + "</div>\n")
		i++
	}
	r.out.WriteString("</div>\n")
	return i - start
}

func (r *rst) fields(lines []string, i, depth int) int {
	start := i
	r.out.WriteString("<table class=\"docutils field-list\">\n<tbody valign=\"top\">\n")
	for i < len(lines) {
		m := fieldLine.FindStringSubmatch(lines[i])
		if m == nil {
			break
		}
		item, n := fieldBody(lines, i, m[2])
		i += n
		r.out.WriteString("<tr class=\"field\"><th class=\"field-name\">" + r.inline(m[1]) + ":</th><td class=\"field-body\">")
		r.compact(item, depth+1)
		r.out.WriteString("</td>\n</tr>\n")
		for i < len(lines) && lines[i] == "" {
			i++
		}
	}
	r.out.WriteString("</tbody>\n</table>\n")
	return i - start
}

func (r *rst) optionList(lines []string, i, depth int) int {
	start := i
	r.out.WriteString("<table class=\"docutils option-list\">\n<tbody valign=\"top\">\n")
	for i < len(lines) {
		m := optionLine.FindStringSubmatch(lines[i])
		if m == nil {
			break
		}
		item, n := fieldBody(lines, i, m[2])
		i += n
		r.out.WriteString("<tr><td class=\"option-group\"><kbd>" + html.EscapeString(m[1]) + "</kbd></td>\n<td>")
		r.compact(item, depth+1)
		r.out.WriteString("</td></tr>\n")
		for i < len(lines) && lines[i] == "" {
			i++
		}
	}
	r.out.WriteString("</tbody>\n</table>\n")
	return i - start
}

func (r *rst) definitions(lines []string, i, depth int) int {
	start := i
	r.out.WriteString("<dl" + r.takeClass("docutils") + ">\n")
	for i+1 < len(lines) && lines[i] != "" && lines[i][0] != ' ' && lines[i+1] != "" && lines[i+1][0] == ' ' && !bulletLine.MatchString(lines[i]) && !strings.HasPrefix(lines[i], "..") {
		b := body(lines, i, 0)
		r.out.WriteString("<dt>" + r.inline(lines[i]) + "</dt>\n<dd>")
		r.compact(dedent(b), depth+1)
		r.out.WriteString("</dd>\n")
		i += 1 + len(b)
		for i < len(lines) && lines[i] == "" {
			i++
		}
	}
	r.out.WriteString("</dl>\n")
	return i - start
}

// options splits the lines of a directive into its :name: value options and the rest.
func options(b []string) (map[string]string, []string) {
	opts := map[string]string{}
	b = dedent(b)
	i := 0
	for i < len(b) && b[i] == "" {
		i++
	}
	for i < len(b) {
		m := fieldLine.FindStringSubmatch(b[i])
		if m == nil {
			break
		}
		opts[m[1]] = m[2]
		i++
	}
	return opts, b[i:]
}

var admonitions = map[string]string{
	"note": "Note", "warning": "Warning", "tip": "Tip", "important": "Important", "hint": "Hint", "caution": "Caution",
	"attention": "Attention", "danger": "!DANGER!", "error": "Error", "seealso": "See also", "todo": "Todo",
}

// explicit renders what starts with two dots and returns how many lines it took.
func (r *rst) explicit(lines []string, i, depth int) int {
	l := lines[i]
	b := body(lines, i, 0)
	n := 1 + len(b)
	if m := footnoteLine.FindStringSubmatch(l); m != nil {
		r.out.WriteString("<table class=\"docutils footnote\" id=\"" + slug("fn-"+m[1]) + "\">\n<tbody valign=\"top\">\n<tr><td class=\"label\">[" + html.EscapeString(strings.TrimPrefix(m[1], "#")) + "]</td><td>")
		r.compact(append([]string{m[2]}, dedent(b)...), depth+1)
		r.out.WriteString("</td></tr>\n</tbody>\n</table>\n")
		return n
	}
	if targetLine.MatchString(l) || substitutionLine.MatchString(l) || anonymousLine.MatchString(l) {
		return n
	}
	m := directiveLine.FindStringSubmatch(l)
	if m == nil {
		return n // a comment
	}
	name, arg := strings.ToLower(m[1]), strings.TrimSpace(m[2])
	opts, content := options(b)
	switch name {
	case "class":
		if len(content) == 0 {
			r.class = classNames(arg)
			return n
		}
		r.class = classNames(arg)
		r.blocks(dedent(content), depth+1)
	case "image", "figure":
		r.out.WriteString(r.image(arg, opts) + "\n")
		if name == "figure" && len(content) > 0 {
			r.blocks(dedent(content), depth+1)
		}
	case "code", "code-block", "sourcecode", "parsed-literal", "highlight":
		for len(content) > 0 && content[0] == "" {
			content = content[1:]
		}
		r.class = strings.TrimSpace("code " + classNames(arg))
		r.literal(content)
	case "math":
		r.out.WriteString("<pre class=\"math\">" + html.EscapeString(strings.TrimSpace(arg+"\n"+strings.Join(content, "\n"))) + "</pre>\n")
	case "rubric":
		r.out.WriteString("<p class=\"rubric\">" + r.inline(arg) + "</p>\n")
	case "list-table", "csv-table":
		r.listTable(arg, opts, content, depth)
	case "table":
		if arg != "" {
			r.out.WriteString("<p class=\"caption\">" + r.inline(arg) + "</p>\n")
		}
		r.blocks(dedent(content), depth+1)
	case "container", "compound", "epigraph", "pull-quote", "topic", "sidebar", "admonition":
		r.out.WriteString("<div class=\"" + html.EscapeString(name) + "\">\n")
		if arg != "" && name != "container" {
			r.out.WriteString("<p class=\"" + html.EscapeString(name) + "-title\">" + r.inline(arg) + "</p>\n")
		}
		r.blocks(dedent(content), depth+1)
		r.out.WriteString("</div>\n")
	default:
		title, ok := admonitions[name]
		if !ok {
			return n // raw, include, contents and what else would reach outside of the text
		}
		if arg != "" {
			content = append([]string{arg}, content...)
		}
		r.out.WriteString("<div class=\"" + name + "\">\n<p class=\"first admonition-title\">" + title + "</p>\n")
		r.blocks(dedent(content), depth+1)
		r.out.WriteString("</div>\n")
	}
	return n
}

func classNames(s string) string {
	var names []string
	for _, f := range strings.Fields(s) {
		if f = slug(f); f != "" {
			names = append(names, f)
		}
	}
	return strings.Join(names, " ")
}

func (r *rst) image(src string, opts map[string]string) string {
	u := safeURL(src, true)
	if u == "" {
		return html.EscapeString(src)
	}
	alt := opts["alt"]
	if alt == "" {
		alt = src
	}
	var b strings.Builder
	b.WriteString(`<img alt="` + html.EscapeString(alt) + `"`)
	if c := opts["align"]; c == "left" || c == "right" || c == "center" {
		b.WriteString(` class="align-` + c + `"`)
	}
	b.WriteString(` src="` + html.EscapeString(u) + `"`)
	var style []string
	for _, d := range []string{"width", "height"} {
		v := strings.ReplaceAll(opts[d], " ", "")
		if imageSize.MatchString(v) {
			if strings.TrimRight(v, "0123456789") != v {
				v += "px"
			}
			style = append(style, d+": "+v+";")
		}
	}
	if style != nil {
		b.WriteString(` style="` + strings.Join(style, " ") + `"`)
	}
	b.WriteString(" />")
	if t := safeURL(opts["target"], false); t != "" {
		return `<a class="reference external image-reference" href="` + html.EscapeString(t) + `">` + b.String() + "</a>"
	}
	return b.String()
}

var imageSize = regexp.MustCompile(`^[0-9]{1,5}(\.[0-9]{1,3})?(px|em|ex|pt|cm|mm|in|%)?$`)

// safeURL returns the URL, or "" when it could run something in the reader's browser.
func safeURL(s string, image bool) string {
	s = strings.TrimSpace(s)
	if s == "" || strings.ContainsAny(s, "\x00\n\r\t\\\"<>") {
		return ""
	}
	u, err := url.Parse(s)
	if err != nil {
		return ""
	}
	switch strings.ToLower(u.Scheme) {
	case "http", "https", "ftp":
		return s
	case "mailto":
		if !image {
			return s
		}
	case "":
		return s
	}
	return ""
}

// gridTable renders a table drawn with +---+ and returns its number of lines. Cells that span are split at the columns of
// the first line.
func (r *rst) gridTable(lines []string, depth int) int {
	n := 0
	for n < len(lines) && (strings.HasPrefix(lines[n], "+") || strings.HasPrefix(lines[n], "|")) {
		n++
	}
	var cols []int
	for i := 0; i < len(lines[0]); i++ {
		if lines[0][i] == '+' {
			cols = append(cols, i)
		}
	}
	header := -1
	for i := 1; i < n; i++ {
		if strings.HasPrefix(lines[i], "+=") {
			header = i
		}
	}
	r.out.WriteString("<table border=\"1\"" + r.takeClass("docutils") + ">\n")
	part := ""
	begin := func(p string) {
		if part != p {
			if part != "" {
				r.out.WriteString("</" + part + ">\n")
			}
			part = p
			r.out.WriteString("<" + part + " valign=\"top\">\n")
		}
	}
	for i := 1; i < n; {
		j := i
		for j < n && !gridLine.MatchString(lines[j]) {
			j++
		}
		if j > i {
			cell := "td"
			if i < header {
				begin("thead")
				cell = "th"
			} else {
				begin("tbody")
			}
			r.out.WriteString("<tr>")
			for c := 0; c+1 < len(cols); c++ {
				var text []string
				for _, l := range lines[i:j] {
					runes := []rune(l)
					from, to := min(cols[c]+1, len(runes)), min(cols[c+1], len(runes))
					text = append(text, strings.TrimRight(string(runes[from:to]), " |"))
				}
				r.out.WriteString("<" + cell + ">")
				r.compact(dedent(text), depth+1)
				r.out.WriteString("</" + cell + ">\n")
			}
			r.out.WriteString("</tr>\n")
		}
		i = j + 1
	}
	if part != "" {
		r.out.WriteString("</" + part + ">\n")
	}
	r.out.WriteString("</table>\n")
	return max(n, 1)
}

// simpleTable renders a table between lines of ===.
func (r *rst) simpleTable(lines []string, depth int) int {
	var starts []int
	top := lines[0]
	for i := 0; i < len(top); i++ {
		if top[i] == '=' && (i == 0 || top[i-1] == ' ') {
			starts = append(starts, i)
		}
	}
	var rules []int
	n := 1
	for ; n < len(lines); n++ {
		if simpleLine.MatchString(lines[n]) {
			rules = append(rules, n)
			if len(rules) == 2 || n+1 >= len(lines) || lines[n+1] == "" {
				n++
				break
			}
		}
	}
	if len(rules) == 0 {
		return r.paragraph(lines, 0)
	}
	end := rules[len(rules)-1]
	header := 0
	if len(rules) == 2 {
		header = rules[0]
	}
	cells := func(l string) []string {
		runes := []rune(l)
		var cs []string
		for k, from := range starts {
			to := len(runes)
			if k+1 < len(starts) {
				to = min(starts[k+1], len(runes))
			}
			cs = append(cs, strings.TrimSpace(string(runes[min(from, len(runes)):max(to, min(from, len(runes)))])))
		}
		return cs
	}
	r.out.WriteString("<table border=\"1\"" + r.takeClass("docutils") + ">\n")
	var rows [][]string
	flush := func(part, cell string) {
		if len(rows) == 0 {
			return
		}
		r.out.WriteString("<" + part + " valign=\"top\">\n")
		for _, row := range rows {
			r.out.WriteString("<tr>")
			for _, c := range row {
				r.out.WriteString("<" + cell + ">" + r.inline(c) + "</" + cell + ">\n")
			}
			r.out.WriteString("</tr>\n")
		}
		r.out.WriteString("</" + part + ">\n")
		rows = nil
	}
	for i := 1; i < end; i++ {
		switch {
		case header > 0 && i == header:
			flush("thead", "th")
		case lines[i] == "" || adornment(strings.ReplaceAll(lines[i], " ", "")) && strings.HasPrefix(lines[i], "--"):
		default:
			cs := cells(lines[i])
			if cs[0] == "" && len(rows) > 0 {
				// The first column is empty: the row goes on.
				last := rows[len(rows)-1]
				for k := range cs {
					last[k] = strings.TrimSpace(last[k] + "\n" + cs[k])
				}
				continue
			}
			rows = append(rows, cs)
		}
	}
	flush("tbody", "td")
	r.out.WriteString("</table>\n")
	return n
}

// listTable renders a list-table: a list of rows, each a list of cells. A csv-table has its rows as lines.
func (r *rst) listTable(caption string, opts map[string]string, content []string, depth int) {
	content = dedent(content)
	var rows [][][]string
	for i := 0; i < len(content); {
		m := bulletLine.FindStringSubmatch(content[i])
		if m == nil {
			if strings.Contains(content[i], ",") {
				var row [][]string
				for _, c := range strings.Split(content[i], ",") {
					row = append(row, []string{strings.Trim(strings.TrimSpace(c), `"`)})
				}
				rows = append(rows, row)
			}
			i++
			continue
		}
		item, n := itemBody(content, i, len(content[i])-len(m[2]))
		i += n
		var row [][]string
		for k := 0; k < len(item); {
			cm := bulletLine.FindStringSubmatch(item[k])
			if cm == nil {
				k++
				continue
			}
			cell, cn := itemBody(item, k, len(item[k])-len(cm[2]))
			k += cn
			row = append(row, cell)
		}
		rows = append(rows, row)
	}
	headers, _ := strconv.Atoi(strings.TrimSpace(opts["header-rows"]))
	r.out.WriteString("<table border=\"1\"" + r.takeClass("docutils") + ">\n")
	if caption != "" {
		r.out.WriteString("<caption>" + r.inline(caption) + "</caption>\n")
	}
	for i, row := range rows {
		cell := "td"
		if i < headers {
			cell = "th"
		}
		r.out.WriteString("<tr>")
		for _, c := range row {
			r.out.WriteString("<" + cell + ">")
			r.compact(c, depth+1)
			r.out.WriteString("</" + cell + ">\n")
		}
		r.out.WriteString("</tr>\n")
	}
	r.out.WriteString("</table>\n")
}
