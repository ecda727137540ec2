package dataset

import (
	"mime"
	"os"
	"path/filepath"
	"strings"
)

// Handover is the path of the file, absolute, for a proxy that sends it in this server's place; "" when this server
// has to send the body itself: when it is no file as it stands on disk, or is something that a browser might run.
// nginx drops the header that forbids that, Content-Security-Policy, unless its configuration passes it on.
func (b *Body) Handover() string {
	if b.File == nil || !filepath.IsAbs(b.File.Name()) {
		return ""
	}
	for name := range b.Header {
		switch name {
		case "X-Content-Type-Options", "Content-Disposition", "Content-Security-Policy":
		default:
			return "" // it says something about the contents, and would be lost, too
		}
	}
	if b.Header["Content-Disposition"] == "" && !passive(b.ContentType) {
		return ""
	}
	// The proxy opens the file by its name, so the name has to lead to what was opened here.
	opened, err1 := b.File.Stat()
	named, err2 := os.Stat(b.File.Name())
	if err1 != nil || err2 != nil || !opened.Mode().IsRegular() || !os.SameFile(opened, named) {
		return ""
	}
	return filepath.Clean(b.File.Name())
}

// passive tells whether browsers only show or save what has this type.
func passive(contentType string) bool {
	kind, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return false
	}
	switch family, form, _ := strings.Cut(kind, "/"); family {
	case "image", "audio", "video":
		return !strings.Contains(form, "xml") // SVG and its like hold scripts
	}
	switch kind {
	case "application/octet-stream", "application/json", "application/pdf", "application/gzip", "application/x-gzip", "application/zip",
		"text/plain", "text/csv", "text/tab-separated-values":
		return true
	}
	return false
}
