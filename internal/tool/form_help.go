package tool

// helpHTML is a tool's help as HTML.
func helpHTML(rst string) string {
	if rst == "" {
		return ""
	}
	return RenderRST(rst, "/static", "/")
}
