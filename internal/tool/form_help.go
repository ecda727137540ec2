package tool

import "html"

// helpHTML is a tool's help as HTML.
func helpHTML(rst string) string {
	if rst == "" {
		return ""
	}
	return "<pre>" + html.EscapeString(rst) + "</pre>"
}
