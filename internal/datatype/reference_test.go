package datatype

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// referenceCase is one upload and what Galaxy 26.1.2 made of it.
type referenceCase struct {
	Ext            string `json:"ext"`
	KeepLines      bool   `json:"keep_lines"`
	SpaceToTab     bool   `json:"space_to_tab"`
	KeepCompressed bool   `json:"keep_compressed"`
	Refused        bool   `json:"refused"`
	Result         struct {
		Ext      string         `json:"ext"`
		SHA256   string         `json:"sha256"`
		Warned   bool           `json:"warned"`
		Newlines bool           `json:"newlines"`
		Spaces   bool           `json:"spaces"`
		Metadata map[string]any `json:"metadata"`
		Peek     string         `json:"peek"`
		Blurb    string         `json:"blurb"`
		HTML     string         `json:"html"`
		API      map[string]any `json:"api"`
	} `json:"result"`
}

func referenceCases(t testing.TB) map[string]referenceCase {
	t.Helper()
	data, err := os.ReadFile("testdata/reference.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases map[string]referenceCase
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	return cases
}

// Our own small files went through Galaxy 26.1.2; each step must agree with it.
func TestUploadsAsGalaxy(t *testing.T) {
	r := Default()
	for name, c := range referenceCases(t) {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join("testdata/files", name)
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			res, err := r.PrepareUpload(path, UploadOptions{
				Ext: c.Ext, Name: name, ToPosixLines: !c.KeepLines, SpaceToTab: c.SpaceToTab, KeepCompressed: c.KeepCompressed,
				TempDir: t.TempDir(),
			})
			if c.Refused {
				var unsuitable *UnsuitableError
				if !errors.As(err, &unsuitable) {
					t.Fatalf("err = %v, want a refusal", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := c.Result
			if res.Ext != want.Ext {
				t.Fatalf("type = %q, want %q", res.Ext, want.Ext)
			}
			content, err := os.ReadFile(res.Path)
			if err != nil {
				t.Fatal(err)
			}
			sum := sha256.Sum256(content)
			if got := hex.EncodeToString(sum[:]); got != want.SHA256 {
				t.Errorf("content = %q, which is not Galaxy's", content[:min(len(content), 200)])
			}
			if res.ConvertedNewlines != want.Newlines || res.ConvertedSpaces != want.Spaces {
				t.Errorf("converted newlines %v, spaces %v; want %v, %v", res.ConvertedNewlines, res.ConvertedSpaces, want.Newlines, want.Spaces)
			}
			if (res.Warning != "") != want.Warned {
				t.Errorf("warning = %q; Galaxy warned: %v", res.Warning, want.Warned)
			}
			after, err := os.ReadFile(path)
			if err != nil || string(after) != string(before) {
				t.Errorf("the uploaded file was changed (%v)", err)
			}

			md, err := r.SetMetadata(res.Path, res.Ext, MetadataOptions{})
			if err != nil {
				t.Fatal(err)
			}
			peek, blurb, err := r.Peek(res.Path, res.Ext, md)
			if err != nil {
				t.Fatal(err)
			}
			compareJSON(t, "metadata", r.Type(res.Ext), md, want.Metadata)
			compareJSON(t, "API metadata", r.Type(res.Ext), r.APIMetadata(res.Ext, md), want.API)
			if peek != want.Peek {
				t.Errorf("peek = %q, want %q", peek, want.Peek)
			}
			if blurb != want.Blurb {
				t.Errorf("blurb = %q, want %q", blurb, want.Blurb)
			}
			if html := r.PeekHTML(res.Ext, peek, md); html != want.HTML {
				t.Errorf("html = %s\n    want %s", html, want.HTML)
			}
		})
	}
}

// notRead is metadata that this package does not find out yet.
var notRead = map[string][]string{
	"images.Tiff": {"num_unique_values"},
}

// compareJSON compares as JSON, which is how metadata is kept.
func compareJSON(t *testing.T, what string, typ *Type, got any, want map[string]any) {
	t.Helper()
	data, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	var plain map[string]any
	if err := json.Unmarshal(data, &plain); err != nil {
		t.Fatal(err)
	}
	for class, names := range notRead {
		for _, n := range names {
			if typ.Is(class) {
				delete(want, n)
				delete(want, "metadata_"+n)
				delete(plain, "metadata_"+n)
			}
		}
	}
	for k, v := range want {
		if !reflect.DeepEqual(plain[k], v) {
			t.Errorf("%s %s = %v, want %v", what, k, plain[k], v)
		}
	}
	for k := range plain {
		if _, ok := want[k]; !ok {
			t.Errorf("%s has %s = %v, which Galaxy does not have", what, k, plain[k])
		}
	}
}
