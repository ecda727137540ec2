package dataset

import (
	"mime"
	"strings"
	"testing"

	"orrery/internal/store"
)

func TestDisposition(t *testing.T) {
	for name, want := range map[string]string{
		"Galaxy1-[a b].txt":     `attachment; filename="Galaxy1-[a_b].txt"; filename*=UTF-8''Galaxy1-%5Ba%20b%5D.txt`,
		`x"; filename="evil.sh`: `attachment; filename="x___filename__evil.sh"; filename*=UTF-8''x_%3B%20filename%3D_evil.sh`,
		"../../etc/passwd":      `attachment; filename=".._.._etc_passwd"; filename*=UTF-8''.._.._etc_passwd`,
		"a\r\nSet-Cookie: x":    `attachment; filename="a__Set-Cookie__x"; filename*=UTF-8''a__Set-Cookie_%20x`,
	} {
		if got := disposition(name); got != want {
			t.Errorf("%q:\n got %s\nwant %s", name, got, want)
		}
	}
	long := disposition(strings.Repeat("é", 400) + ".fastq.gz")
	if len(long) > 700 || strings.Contains(long, "%C.") {
		t.Errorf("a long name became %s", long)
	}
}

func TestDecodeMetadata(t *testing.T) {
	md, err := DecodeMetadata([]byte(`{"columns": 3, "dbkey": ["hg38"], "list": [1, 2.5, "x"], "big": 1e400}`))
	if err != nil {
		t.Fatal(err)
	}
	if md["columns"] != int64(3) || md["list"].([]any)[1] != 2.5 || DBKey(md) != "hg38" {
		t.Errorf("decoded %#v", md)
	}
	for in, want := range map[string]string{`{}`: "?", `{"dbkey": "mm9"}`: "mm9", `{"dbkey": []}`: "?", `{"dbkey": [7]}`: "?", `null`: "?", ``: "?"} {
		md, err := DecodeMetadata([]byte(in))
		if err != nil || DBKey(md) != want {
			t.Errorf("%s: %q, %v; want %q", in, DBKey(md), err, want)
		}
	}
	if _, err := DecodeMetadata([]byte(`{`)); err == nil {
		t.Error("broken metadata was taken")
	}
}

func TestMutable(t *testing.T) {
	for _, c := range []struct {
		h  store.History
		ok bool
	}{{store.History{}, true}, {store.History{Deleted: true}, true}, {store.History{Deleted: true, Purged: true}, false}, {store.History{Archived: true}, false}} {
		if err := Mutable(&c.h); (err == nil) != c.ok {
			t.Errorf("%+v: %v", c.h, err)
		}
	}
}

func FuzzDisposition(f *testing.F) {
	for _, s := range []string{"a.txt", "", ".", "0.0(0000", "é\x00\"", strings.Repeat("x", 300), "a.\r\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := disposition(s)
		if strings.ContainsAny(got, "\r\n\x00") || len(got) > 2000 {
			t.Errorf("%q became %q", s, got)
		}
		if _, _, err := mime.ParseMediaType(got); err != nil && !strings.Contains(err.Error(), "duplicate") {
			t.Errorf("%q became %q: %v", s, got, err)
		}
	})
}

func FuzzDecodeMetadata(f *testing.F) {
	for _, s := range []string{`{"dbkey": ["?"]}`, `{"a": 1e999}`, `[]`, `{"a": {"b": [1]}}`, "\x00"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if md, err := DecodeMetadata(b); err == nil {
			_ = DBKey(md)
		}
	})
}
