package datatype

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func writeFile(t testing.TB, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func tempFile(t testing.TB, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	writeFile(t, path, content)
	return path
}

func gzipped(t testing.TB, content string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(content)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestSniff(t *testing.T) {
	for name, c := range map[string]struct{ content, want string }{
		"empty":                        {"", "txt"},
		"one word":                     {"hello", "txt"},
		"numbers in lines":             {"1\n2\n3\n", "gro"}, // so says Galaxy
		"a table":                      {"a\tb\nc\td\n", "tabular"},
		"a table with a short row":     {"a\tb\tc\nd\te\nf\tg\th\n", "txt"},
		"fastq with a broken quality":  {"@r\nACGT\n+\nI~II\n", "fastq"},
		"fastq cut after three lines":  {"@r\nACGT\n+\n", "txt"},
		"fasta without a sequence":     {">only a name\n", "txt"},
		"fasta of structure":           {">s\nACGU\n(..)\n", "dbn"},
		"sqlite":                       {"SQLite format 3\x00rest", "sqlite"},
		"hdf5":                         {"\x89HDF\r\n\x1a\n\x00\x00", "h5"},
		"a NUL":                        {"text\x00text", "binary"},
		"latin-1":                      {"na\xefve\n", "data"},
		"a lone continuation byte":     {"\x80\x01", "binary"},
		"truncated gzip":               {"\x1f\x8b\x08\x00", "binary"},
		"gzip magic only":              {"\x1f\x8b", "binary"},
		"zip magic only":               {"PK\x03\x04", "txt"},
		"png cut short":                {"\x89PNG\r\n\x1a\n", "png"},
		"gff2":                         {"##gff-version 2\nx\n", "gff"},
		"json array":                   {"[1]", "json"},
		"json with a stray word":       {"[1] x", "txt"},
		"deep brackets":                {strings.Repeat("[", 5000), "txt"},
		"braces that never close":      {strings.Repeat("{", 40000), "txt"},
		"yaml with two documents":      {"a: 1\n---\nb: 2\n", "txt"},
		"prose with a colon":           {"he said: go home\nand left\n", "txt"},
		"xml":                          {"<?xml version=\"1.0\"?><a/>", "xml"},
		"phyloxml":                     {"<?xml version=\"1.0\"?>\n<phyloxml/>", "phyloxml"},
		"mzML":                         {"<?xml version=\"1.0\"?>\n<mzML xmlns=\"x\">", "mzml"},
		"html":                         {"<HTML><body></body></HTML>", "html"},
		"newick is text, as in Galaxy": {"(a,b);\n", "txt"},
		"bed with a bad score":         {"chr1\t1\t2\tn\t2000\t+\n", "interval"},
		"wiggle":                       {"track type=wiggle_0\nfixedStep chrom=c start=1 step=1\n1\n", "wig"},
		"semicolons are no csv":        {"a;b\n1;2\n3;4\n", "txt"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Default().Sniff(tempFile(t, c.content), SniffOptions{})
			if err != nil || got != c.want {
				t.Errorf("%q (%v), want %q", got, err, c.want)
			}
		})
	}
}

func TestSniffLooksThroughGzip(t *testing.T) {
	path := tempFile(t, gzipped(t, ">s\nACGT\n"))
	if got, err := Default().Sniff(path, SniffOptions{}); err != nil || got != "fasta.gz" {
		t.Errorf("%q (%v)", got, err)
	}
	plain := tempFile(t, gzipped(t, "just text\n"))
	if got, err := Default().Sniff(plain, SniffOptions{KeepCompressed: true}); err != nil || got != "binary" {
		t.Errorf("kept compressed: %q (%v)", got, err)
	}
}

func TestSniffReadsABoundedHeader(t *testing.T) {
	// 64 MiB of one line, compressed: only the first MiB may be inflated.
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	block := bytes.Repeat([]byte("ACGT"), 1<<18)
	if _, err := w.Write([]byte(">s\n")); err != nil {
		t.Fatal(err)
	}
	for range 64 {
		if _, err := w.Write(block); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	path := tempFile(t, b.String())
	p, err := readPrefix(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.header) != HeaderSize || !p.truncated {
		t.Errorf("read %d bytes", len(p.header))
	}
	if got, err := Default().Sniff(path, SniffOptions{}); err != nil || got != "fasta.gz" {
		t.Errorf("%q (%v)", got, err)
	}
}

func TestHeaderEndsBetweenCharacters(t *testing.T) {
	// The last character straddles the end of the header.
	path := tempFile(t, strings.Repeat("a", HeaderSize-1)+"é and more\n")
	if got, err := Default().Sniff(path, SniffOptions{}); err != nil || got != "txt" {
		t.Errorf("%q (%v)", got, err)
	}
}

func TestSniffRefusesWhatIsNoFile(t *testing.T) {
	if _, err := Default().Sniff(t.TempDir(), SniffOptions{}); err == nil {
		t.Error("a folder was recognised")
	}
	if _, err := Default().Sniff(filepath.Join(t.TempDir(), "missing"), SniffOptions{}); err == nil {
		t.Error("a missing file was recognised")
	}
}

func TestIsType(t *testing.T) {
	bed := tempFile(t, "chr1\t1\t2\n")
	if ok, known, err := Default().IsType(bed, "bed"); !ok || !known || err != nil {
		t.Errorf("bed: %v, %v, %v", ok, known, err)
	}
	if ok, known, err := Default().IsType(bed, "fasta"); ok || !known || err != nil {
		t.Errorf("fasta: %v, %v, %v", ok, known, err)
	}
	if _, known, _ := Default().IsType(bed, "tabular"); known {
		t.Error("tabular has no rule of its own")
	}
}

func FuzzSniff(f *testing.F) {
	entries, err := os.ReadDir("testdata/files")
	if err != nil {
		f.Fatal(err)
	}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join("testdata/files", e.Name()))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	for _, s := range []string{"a: &b [*b]\n", "? ? ?\n", "\"\"\"\"\n\"a\",'b'\n", "P6\n", "\n@\n+\n", "-9223372036854775808\t1\n", "1 1\n", "3\nx\nH 1 1 1\n"} {
		f.Add([]byte(s))
	}
	r := Default()
	f.Fuzz(func(t *testing.T, data []byte) {
		path := tempFile(t, string(data))
		ext, err := r.Sniff(path, SniffOptions{})
		if err != nil {
			return
		}
		if _, ok := r.Lookup(ext); !ok {
			t.Fatalf("sniffed the unknown type %q", ext)
		}
		// Every rule has to bear every file, whatever comes before it in the order.
		p, err := readPrefix(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range r.sniffers {
			s.match(p)
		}
	})
}

func FuzzMetadataAndPeek(f *testing.F) {
	f.Add([]byte("a\tb\n1\t2\n"), "tabular")
	f.Add([]byte("a,b\n\"1\n2\",3\n"), "csv")
	f.Add([]byte("@HD\tVN:1\n@SQ\tSN:x\tLN:99999999999999999999\n"), "sam")
	f.Add([]byte("GIF89a\x01\x00\x01\x00\x80\x00\x00,"), "gif")
	f.Add([]byte("II*\x00\x08\x00\x00\x00\xff\xff"), "tiff")
	f.Add([]byte(gzipped(f, "BAM\x01\xff\xff\xff\x7f")), "bam")
	f.Add([]byte("chr1\ts\tf\t1\t2\t.\t+\t.\t=;=\"\n"), "gff3")
	f.Add([]byte("@data\n{1 2}"), "arff")
	f.Add([]byte("\r\r\n\n\r"), "txt")
	f.Add([]byte("-"), "expression.json")
	r := Default()
	f.Fuzz(func(t *testing.T, data []byte, ext string) {
		path := tempFile(t, string(data))
		md, err := r.SetMetadata(path, ext, MetadataOptions{})
		if err != nil {
			return
		}
		peek, blurb, err := r.Peek(path, ext, md)
		if err != nil {
			return
		}
		if len(peek) > peekLines*(peekWidth+1)*4+64 && !strings.HasPrefix(peek, "SQLite") {
			t.Errorf("the peek has %d bytes", len(peek))
		}
		_ = blurb
		r.PeekHTML(ext, peek, md)
		r.APIMetadata(ext, md)
		if _, err := r.ReadChunk(path, ext, int64(len(data)/2), 10); err != nil && len(data) == 0 {
			t.Errorf("chunk: %v", err)
		}
	})
}

func BenchmarkSmallFile(b *testing.B) {
	path := tempFile(b, "Hello there\nThis is a note of a few words.\n")
	r := Default()
	b.ReportAllocs()
	for b.Loop() {
		ext, err := r.Sniff(path, SniffOptions{})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := r.SetMetadata(path, ext, MetadataOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSmallTable(b *testing.B) {
	path := tempFile(b, strings.Repeat("chr1\t100\t200\tname\t5\t+\n", 40))
	r := Default()
	b.ReportAllocs()
	for b.Loop() {
		ext, err := r.Sniff(path, SniffOptions{})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := r.SetMetadata(path, ext, MetadataOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}

func bigTable(b *testing.B, size int) string {
	path := filepath.Join(b.TempDir(), "big")
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	var block bytes.Buffer
	for n := 0; n < size; n += block.Len() {
		if n == 0 {
			for i := range 40000 {
				fmt.Fprintf(&block, "chr%d\t%d\tname%d\t%d.5\n", i%22, i, i, i)
			}
		}
		if _, err := f.Write(block.Bytes()); err != nil {
			b.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
	return path
}

func BenchmarkBigTable(b *testing.B) {
	path := bigTable(b, 100<<20)
	r := Default()
	b.SetBytes(100 << 20)
	b.ReportAllocs()
	for b.Loop() {
		ext, err := r.Sniff(path, SniffOptions{})
		if err != nil || ext != "tabular" {
			b.Fatal(ext, err)
		}
		if _, err := r.SetMetadata(path, ext, MetadataOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkBigText(b *testing.B) {
	path := bigTable(b, 100<<20)
	r := Default()
	b.SetBytes(100 << 20)
	for b.Loop() {
		if _, err := r.SetMetadata(path, "txt", MetadataOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}
