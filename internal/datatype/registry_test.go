package datatype

import (
	"slices"
	"testing"
)

func TestMatches(t *testing.T) {
	r := Default()
	for _, c := range []struct {
		ext      string
		accepted []string
		want     bool
	}{
		{"bed", []string{"tabular"}, true},
		{"interval", []string{"tabular"}, true},
		{"gff3", []string{"tabular"}, true},
		{"vcf", []string{"tabular"}, true},
		{"tabular", []string{"bed"}, false},
		{"bed", []string{"interval"}, true},
		{"interval", []string{"bed"}, false},
		{"csv", []string{"tabular"}, false},
		{"csv", []string{"txt"}, true},
		{"tabular", []string{"txt"}, true},
		{"fasta", []string{"txt"}, true},
		{"png", []string{"txt"}, false},
		{"png", []string{"data"}, true},
		{"fastqsanger", []string{"fastq"}, true},
		{"fastq", []string{"fastqsanger"}, false},
		{"fastqsanger.gz", []string{"fastqsanger.gz"}, true},
		{"fastqsanger.gz", []string{"fastq.gz"}, true},
		{"fastqsanger.gz", []string{"fastqsanger"}, false},
		{"fastqsanger.gz", []string{"fastqsanger.bz2"}, false},
		{"fastqsanger.gz", []string{"txt"}, false},
		{"fastqsanger.gz", []string{"data"}, true},
		{"fastqsanger.gz", []string{"binary"}, true},
		{"fastqsanger", []string{"fastqsanger.gz", "fastqsanger"}, true},
		{"vcf_bgzip", []string{"vcf"}, false},
		{"bam", []string{"unsorted.bam"}, true},
		{"unsorted.bam", []string{"bam"}, false},
		{"velvet", []string{"html"}, true},
		{"neverheard", []string{"data"}, true},
		{"neverheard", []string{"txt"}, false},
		{"txt", []string{"neverheard"}, false},
		{"txt", nil, false},
		{"BED", []string{"Tabular"}, true},
		{"source.c", []string{"source.h"}, false},
		{"source.c", []string{"txt"}, true},
	} {
		if got := r.Matches(c.ext, c.accepted); got != c.want {
			t.Errorf("Matches(%q, %q) = %v", c.ext, c.accepted, got)
		}
	}
}

func TestEveryTypeMatchesItselfAndData(t *testing.T) {
	r := Default()
	for _, ext := range r.Extensions() {
		if !r.Matches(ext, []string{ext}) {
			t.Errorf("%s does not match itself", ext)
		}
		if !r.Matches(ext, []string{"data"}) {
			t.Errorf("%s is no data", ext)
		}
	}
}

func TestEveryTypeHasABuildAndAWayToBeShown(t *testing.T) {
	r := Default()
	path := t.TempDir() + "/empty"
	writeFile(t, path, "")
	for _, ext := range r.Extensions() {
		if !slices.ContainsFunc(r.MetadataSpec(ext), func(e Element) bool { return e.Name == "dbkey" }) {
			t.Errorf("%s has no dbkey", ext)
		}
		md, err := r.SetMetadata(path, ext, MetadataOptions{})
		if err != nil && ext != "expression.json" {
			t.Errorf("%s: metadata of an empty file: %v", ext, err)
		}
		peek, blurb, err := r.Peek(path, ext, md)
		if err != nil {
			t.Errorf("%s: peek of an empty file: %v", ext, err)
		}
		if blurb == "" {
			t.Errorf("%s: no summary", ext)
		}
		r.PeekHTML(ext, peek, md)
	}
}

func TestUnknownExtensionsAreData(t *testing.T) {
	r := Default()
	if got := r.Type("neverheard").Ext; got != Fallback {
		t.Errorf("type = %q", got)
	}
	if r.MimeType("neverheard") != "application/octet-stream" || !r.IsBinary("neverheard") || r.IsText("neverheard") {
		t.Error("an unknown extension is not treated as data")
	}
}

func TestMimeTypes(t *testing.T) {
	for ext, want := range map[string]string{
		"txt": "text/plain", "html": "text/html", "json": "application/json", "xml": "application/xml", "png": "image/png",
		"pdf": "application/pdf", "bam": "application/octet-stream", "fastqsanger.gz": "application/octet-stream", "tabular": "text/plain",
	} {
		if got := Default().MimeType(ext); got != want {
			t.Errorf("%s: %q, want %q", ext, got, want)
		}
	}
}

func TestFromFileName(t *testing.T) {
	for name, want := range map[string]string{
		"a.bed": "bed", "x.y.fastq.gz": "fastq.gz", "noending": "data", "a.xyzzy": "data", ".bed": "bed", "": "data", "A.PNG": "png",
	} {
		if got := Default().FromFileName(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

func TestBrokenTables(t *testing.T) {
	for _, s := range []string{
		``, `{}`, `{"types":[{"e":"data","c":[0],"spec":0,"peek":"x"}]}`,
		`{"specs":[[3]],"types":[]}`,
		`{"specs":[[]],"classes":["data.Data"],"types":[{"e":"x","c":[9],"spec":0,"peek":"x"}]}`,
	} {
		if _, err := parseTable([]byte(s)); err == nil {
			t.Errorf("%s: no error", s)
		}
	}
}
