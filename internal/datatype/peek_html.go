package datatype

import (
	"fmt"
	"strconv"
	"strings"
)

// maxPeekColumns is how many columns of a table its peek shows.
const maxPeekColumns = 50

var htmlEscape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "'", "&#39;", `"`, "&#34;")

// PeekHTML returns a stored peek as the API shows it: a table of lines or of
// cells, or for types of binary data the text itself. Everything that comes
// from the file is escaped, but for the types whose peek Galaxy shows as it is
// (JSON, archives), where the client escapes it.
func (r *Registry) PeekHTML(ext, peek string, md Metadata) string {
	t := r.Type(ext)
	switch {
	case t.html.Raw:
		return peek
	case t.Is("sequence.Maf"):
		return mafHTML(peek, md)
	case t.html.Table && t.Is("tabular.TabularData"):
		return tableHTML(t, peek, md)
	}
	if peek == "" {
		return "Peek not available"
	}
	var b strings.Builder
	b.WriteString(`<table cellspacing="0" cellpadding="3">`)
	writeLines(&b, peek)
	b.WriteString("</table>")
	return b.String()
}

func writeLines(b *strings.Builder, peek string) {
	for _, line := range pySplitLines(peek) {
		if line = pyStrip(line); line != "" {
			b.WriteString("<tr><td>")
			b.WriteString(htmlEscape.Replace(line))
			b.WriteString("</td></tr>")
		}
	}
}

func mafHTML(peek string, md Metadata) string {
	var b strings.Builder
	b.WriteString(`<table cellspacing="0" cellpadding="3"><tr><th>Species:&nbsp;`)
	species, _ := asList(md["species"])
	for _, s := range species {
		b.WriteString(htmlEscape.Replace(fmt.Sprint(s)))
		b.WriteString("&nbsp;")
	}
	b.WriteString("</th></tr>")
	writeLines(&b, peek)
	b.WriteString("</table>")
	return b.String()
}

func tableHTML(t *Type, peek string, md Metadata) string {
	columns := 0
	switch n := md.valueOf(t, "columns").(type) {
	case int64:
		columns = int(n)
	case float64:
		columns = int(n)
	case int:
		columns = n
	}
	columns = max(0, min(columns, maxPeekColumns))
	var b strings.Builder
	b.WriteString(`<table cellspacing="0" cellpadding="3">`)
	if !t.html.noHead {
		writeHeadings(&b, t, md, columns)
	}
	delimiter, _ := md.valueOf(t, "delimiter").(string)
	if delimiter == "" {
		delimiter = "\t"
	}
	for i, line := range pySplitLines(peek) {
		if i < t.LineOffset || line == "" {
			continue
		}
		cells := strings.Split(line, delimiter)
		cells = cells[:min(len(cells), maxPeekColumns)]
		if len(cells) > columns || hasAnyPrefix(line, t.html.Skip) {
			// A comment, or a line that does not fit the table.
			b.WriteString(`<tr><td colspan="100%">`)
			b.WriteString(htmlEscape.Replace(line))
			b.WriteString("</td></tr>")
			continue
		}
		b.WriteString("<tr>")
		for c := range columns {
			b.WriteString("<td>")
			b.WriteString(htmlEscape.Replace(at(cells, c)))
			b.WriteString("</td>")
		}
		b.WriteString("</tr>")
	}
	b.WriteString("</table>")
	return b.String()
}

func hasAnyPrefix(s string, prefixes []string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	return false
}

func (m Metadata) valueOf(t *Type, name string) any {
	for i := range t.spec {
		if e := &t.spec[i]; e.Name == name {
			return m.Value(e)
		}
	}
	return nil
}

func writeHeadings(b *strings.Builder, t *Type, md Metadata, columns int) {
	heads := make([]string, columns)
	named := make([]bool, columns)
	if len(t.html.Columns) > 0 {
		for i := range min(columns, len(t.html.Columns)) {
			heads[i], named[i] = t.html.Columns[i], true
		}
	} else if names, ok := asList(md.valueOf(t, "column_names")); ok {
		for i := range min(columns, len(names)) {
			if names[i] != nil {
				heads[i], named[i] = fmt.Sprint(names[i]), true
			}
		}
	}
	for i := range t.spec {
		e := &t.spec[i]
		if e.Param != "Column" || e.Multiple {
			continue
		}
		n := -1
		switch v := md.Value(e).(type) {
		case int64:
			n = int(v) - 1
		case float64:
			n = int(v) - 1
		case string:
			if v, err := strconv.Atoi(v); err == nil {
				n = v - 1
			}
		}
		if n >= 0 && n < columns && !named[n] {
			heads[n], named[n] = e.Name, true
			if alias, ok := t.html.Alias[e.Name]; ok {
				heads[n] = alias
			}
		}
	}
	b.WriteString("<tr>")
	for i, h := range heads {
		b.WriteString("<th>")
		b.WriteString(strconv.Itoa(i + 1))
		if named[i] {
			b.WriteByte('.')
			b.WriteString(htmlEscape.Replace(h))
		}
		b.WriteString("</th>")
	}
	b.WriteString("</tr>")
}
