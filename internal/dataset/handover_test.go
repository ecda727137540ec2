package dataset

import (
	"os"
	"path/filepath"
	"testing"
)

func TestHandover(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "dataset_1.dat")
	if err := os.WriteFile(name, []byte("hello\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link.dat")
	if err := os.Symlink(name, link); err != nil {
		t.Fatal(err)
	}
	gone := filepath.Join(dir, "gone.dat")
	replaced := filepath.Join(dir, "replaced.dat")
	for _, name := range []string{gone, replaced} {
		if err := os.WriteFile(name, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	csp := map[string]string{"Content-Security-Policy": sandbox}
	for _, test := range []struct {
		what, file, contentType string
		header                  map[string]string
		want                    string
	}{
		{"bytes", name, "application/octet-stream", nil, name},
		{"text", name, "text/plain; charset=utf-8", csp, name},
		{"a picture", name, "image/png", csp, name},
		{"a film", name, "video/mp4", csp, name},
		{"a linked file", link, "text/plain", csp, link},
		{"a download, of whatever type", name, "text/html", map[string]string{"Content-Disposition": "attachment"}, name},
		{"a page", name, "text/html", csp, ""},
		{"a page of a trusted tool", name, "text/html", nil, ""},
		{"a picture with scripts", name, "image/svg+xml", csp, ""},
		{"XML", name, "application/rss+xml", csp, ""},
		{"no type", name, "", csp, ""},
		{"what says more about itself", name, "text/plain", map[string]string{"X-Sanitized-Tool-Id": "cat1"}, ""},
		{"a relative name", "dataset_1.dat", "text/plain", nil, ""},
		{"a folder", dir, "text/plain", nil, ""},
		{"a file that is gone", gone, "text/plain", nil, ""},
		{"a file that is another by now", replaced, "text/plain", nil, ""},
	} {
		t.Run(test.what, func(t *testing.T) {
			f, err := os.Open(test.file)
			if err != nil {
				t.Fatal(err)
			}
			switch test.file {
			case gone:
				err = os.Remove(gone)
			case replaced:
				if err = os.WriteFile(name+".new", nil, 0o644); err == nil {
					err = os.Rename(name+".new", replaced)
				}
			}
			if err != nil {
				t.Fatal(err)
			}
			body := &Body{File: f, ContentType: test.contentType, Header: test.header}
			defer body.Close()
			if got := body.Handover(); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
	if got := (&Body{Data: []byte("x"), ContentType: "text/plain"}).Handover(); got != "" {
		t.Errorf("what is in memory is handed over as %q", got)
	}
}
