package datatype

import (
	"compress/gzip"
	"encoding/json"
	"os"
	"reflect"
	"testing"
)

// The recorded answers of a Galaxy 26.1.2 server must come out of the registry.
func TestAnswersAsGalaxy(t *testing.T) {
	f, err := os.Open("testdata/api.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]any
	if err := json.NewDecoder(z).Decode(&want); err != nil {
		t.Fatal(err)
	}
	// Galaxy's configuration has stl twice, and lists it twice; we list it once.
	var index []any
	described := map[any]any{}
	for _, e := range want["index"].([]any) {
		entry := e.(map[string]any)
		if first, ok := described[entry["extension"]]; ok {
			first.(map[string]any)["description"] = entry["description"]
			continue
		}
		described[entry["extension"]] = entry
		index = append(index, entry)
	}
	want["index"] = index
	r := Default()
	details := map[string]any{}
	for ext := range want["detail"].(map[string]any) {
		d, ok := r.Detail(ext)
		if !ok {
			t.Errorf("no detail of %s", ext)
		}
		details[ext] = d
	}
	for name, got := range map[string]any{
		"index":      r.Index(false, false),
		"upload":     r.Index(true, true),
		"all":        r.Index(true, false),
		"mapping":    r.Mapping(),
		"sniffers":   r.SnifferNames(),
		"converters": r.Converters(),
		"ef":         r.EdamFormats(),
		"ed":         r.EdamData(),
		"detail":     details,
	} {
		t.Run(name, func(t *testing.T) {
			data, err := json.Marshal(got)
			if err != nil {
				t.Fatal(err)
			}
			var plain any
			if err := json.Unmarshal(data, &plain); err != nil {
				t.Fatal(err)
			}
			if reflect.DeepEqual(plain, want[name]) {
				return
			}
			switch p := plain.(type) {
			case []any:
				w := want[name].([]any)
				if len(p) != len(w) {
					t.Fatalf("%d entries, want %d", len(p), len(w))
				}
				for i := range p {
					if !reflect.DeepEqual(p[i], w[i]) {
						t.Fatalf("entry %d = %v, want %v", i, p[i], w[i])
					}
				}
			case map[string]any:
				for k, v := range want[name].(map[string]any) {
					if !reflect.DeepEqual(p[k], v) {
						t.Fatalf("%s = %v, want %v", k, p[k], v)
					}
				}
				t.Fatal("there are entries that Galaxy does not have")
			}
		})
	}
}

func TestUploadOnlyIndexLeavesOutHiddenTypes(t *testing.T) {
	for _, info := range Default().Index(false, true).([]Info) {
		if !info.DisplayInUpload {
			t.Fatalf("%s is not offered for upload", info.Extension)
		}
	}
}

func TestVisualizations(t *testing.T) {
	if got := Default().Visualizations("bam"); len(got) != 1 || got[0] != (Visualization{"bam", "igv"}) {
		t.Errorf("bam: %v", got)
	}
	if got := Default().Visualizations("txt"); got == nil || len(got) != 0 {
		t.Errorf("txt: %v, want an empty list", got)
	}
}
