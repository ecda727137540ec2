package datatype

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"
	"testing/iotest"
)

func TestConvert(t *testing.T) {
	for _, c := range []struct {
		in           string
		posix, tabs  bool
		want         string
		lines, space bool
	}{
		{"a\r\nb\rc", true, false, "a\nb\nc\n", true, false},
		{"a\r\r\nb\n", true, false, "a\n\nb\n", true, false},
		{"a\n", true, false, "a\n", false, false},
		{"", true, true, "", false, false},
		{"a b  c\t d\n", true, true, "a\tb\tc\td\n", false, true},
		{"a b\r\nc", false, true, "a\tb\r\nc", false, true},
		{"  a", true, true, "\ta\n", true, true},
	} {
		for name, in := range map[string]*strings.Reader{"whole": strings.NewReader(c.in), "byte by byte": strings.NewReader(c.in)} {
			var out bytes.Buffer
			var did conversion
			var err error
			if name == "whole" {
				did, err = convert(in, &out, c.posix, c.tabs)
			} else {
				did, err = convert(iotest.OneByteReader(in), &out, c.posix, c.tabs)
			}
			if err != nil || out.String() != c.want || did.newlines != c.lines || did.spaces != c.space {
				t.Errorf("%q (%s): %q, %+v, %v", c.in, name, out.String(), did, err)
			}
		}
	}
}

func TestDecompressionIsBounded(t *testing.T) {
	path := tempFile(t, gzipped(t, strings.Repeat("word word\n", 100000)))
	dir := t.TempDir()
	_, err := Default().PrepareUpload(path, UploadOptions{TempDir: dir, MaxBytes: 1000})
	if !errors.Is(err, ErrTooLarge) {
		t.Errorf("err = %v", err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("%d files were left behind", len(left))
	}
}

func TestDamagedGzipIsRefused(t *testing.T) {
	whole := gzipped(t, strings.Repeat("some words\n", 1000))
	path := tempFile(t, whole[:len(whole)/2])
	dir := t.TempDir()
	var unsuitable *UnsuitableError
	if _, err := Default().PrepareUpload(path, UploadOptions{TempDir: dir}); !errors.As(err, &unsuitable) {
		t.Errorf("err = %v", err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("%d files were left behind", len(left))
	}
}

func TestLinkedFilesAreLeftAlone(t *testing.T) {
	path := tempFile(t, "a\r\nb\r\n")
	res, err := Default().PrepareUpload(path, UploadOptions{LinkOnly: true, ToPosixLines: true})
	if err != nil || res.Path != path || res.Ext != "txt" {
		t.Errorf("%+v, %v", res, err)
	}
}

func TestUploadInfo(t *testing.T) {
	if got := (UploadResult{Ext: "bed"}).Info(); got != "uploaded bed file" {
		t.Errorf("%q", got)
	}
	if got := (UploadResult{Ext: "bed", Warning: "careful"}).Info(); got != "uploaded bed file\ncareful" {
		t.Errorf("%q", got)
	}
}

func TestReadChunk(t *testing.T) {
	path := tempFile(t, "one\ttwo\nthree\tfour\nfünf\tsix")
	r := Default()
	for _, c := range []struct {
		offset int64
		size   int
		data   string
		next   int64
	}{
		{0, 3, "one\ttwo\n", 8},
		{0, 8, "one\ttwo\n", 8},
		{0, 9, "one\ttwo\nthree\tfour\n", 19},
		{8, 1, "three\tfour\n", 19},
		{19, 2, "fünf\tsix", 28},
		{0, 0, "one\ttwo\nthree\tfour\nfünf\tsix", 28},
		{28, 5, "", 28},
		{1000, 5, "", 28},
	} {
		got, err := r.ReadChunk(path, "tabular", c.offset, c.size)
		if err != nil || got.Data != c.data || got.Offset != c.next {
			t.Errorf("from %d, %d: %+v, %v", c.offset, c.size, got, err)
		}
	}
	if _, err := r.ReadChunk(path, "tabular", -1, 5); !errors.Is(err, ErrOffset) {
		t.Errorf("a negative offset: %v", err)
	}
	if _, err := r.ReadChunk(tempFile(t, "a\xff\xfeb\n"), "tabular", 0, 5); !errors.Is(err, ErrNotText) {
		t.Errorf("binary data: %v", err)
	}
	zipped := tempFile(t, gzipped(t, "one\ttwo\nthree\tfour\n"))
	if got, err := r.ReadChunk(zipped, "tabular", 8, 2); err != nil || got.Data != "three\tfour\n" || got.Offset != 19 {
		t.Errorf("compressed: %+v, %v", got, err)
	}
}

func TestPeekOfLargeFiles(t *testing.T) {
	path := tempFile(t, strings.Repeat("this is a line\n", 100000))
	peek, blurb, err := Default().Peek(path, "txt", Metadata{"data_lines": nil})
	if err != nil || blurb != "~99999 lines" || strings.Count(peek, "\n") != 5 {
		t.Errorf("%q, %q, %v", peek, blurb, err)
	}
}

func TestNiceSize(t *testing.T) {
	for n, want := range map[int64]string{0: "0 bytes", 999: "999 bytes", 1000: "1.0 KB", 1234567: "1.2 MB", 5e12: "5.0 TB"} {
		if got := NiceSize(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}

func TestLargeFilesKeepOptionalMetadataUnset(t *testing.T) {
	path := tempFile(t, strings.Repeat("@r\nACGT\n+\nIIII\n", 10))
	md, err := Default().SetMetadata(path, "fastqsanger", MetadataOptions{MaxOptionalSize: 100})
	if err != nil || md["sequences"] != nil {
		t.Errorf("%v, %v", md, err)
	}
	md, err = Default().SetMetadata(path, "fastqsanger", MetadataOptions{MaxOptionalSize: -1})
	if err != nil || md["sequences"] != int64(10) {
		t.Errorf("%v, %v", md, err)
	}
}

func TestTableBeyondTheLinesThatAreRead(t *testing.T) {
	path := tempFile(t, strings.Repeat("1\tx\n", maxDataLines)+"")
	md, err := Default().SetMetadata(path, "tabular", MetadataOptions{})
	if err != nil || md["data_lines"] != int64(maxDataLines) {
		t.Errorf("exactly the limit: %v, %v", md["data_lines"], err)
	}
	path = tempFile(t, strings.Repeat("1\tx\n", maxDataLines+1))
	md, err = Default().SetMetadata(path, "tabular", MetadataOptions{})
	if v, set := md["data_lines"]; err != nil || v != nil || !set {
		t.Errorf("one more: %v, %v", v, err)
	}
}

func TestParseBuilds(t *testing.T) {
	got, err := ParseBuilds(strings.NewReader("#c\nhg19\tHuman (hg19)\nhg38\tHuman (hg38)\n?\tnone\nmm9\tA mouse\r\n12\tBug\nbroken\n\nhg19\tagain\n"))
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, b := range got {
		keys = append(keys, b.Key)
	}
	if s := strings.Join(keys, " "); s != "? mm9 hg38 hg19 12" || got[0].Name != "none" {
		t.Errorf("%v", got)
	}
	if a := GenomesAnswer(DefaultBuilds()); len(a) != 1 || a[0] != [2]string{"unspecified (?)", "?"} {
		t.Errorf("%v", a)
	}
}
