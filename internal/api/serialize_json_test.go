package api

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"orrery/internal/store"
)

func FuzzJSONString(f *testing.F) {
	for _, s := range []string{"", "a\"b\\c", "\x00\x1f\n\t\r", "é<&>", "\xff\xfe", "\u2028"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		w := jsonWriter{}
		w.string(s)
		var got string
		if err := json.Unmarshal(w.buf, &got); err != nil {
			t.Fatalf("%q became %s: %v", s, w.buf, err)
		}
		if want := string([]rune(s)); got != want {
			t.Errorf("%q came back as %q", s, got)
		}
		if !utf8.Valid(w.buf) {
			t.Errorf("%q became %q", s, w.buf)
		}
	})
}

func TestSearchTerms(t *testing.T) {
	for in, want := range map[string][]store.SearchTerm{
		"":                         nil,
		"one two":                  {{Text: "one"}, {Text: "two"}},
		"name:x tag:'a b' is:mine": {{Field: "name", Text: "x"}, {Field: "tag", Text: "a b", Exact: true}, {Field: "is", Text: "mine"}},
		`user:"ann`:                {{Field: "user", Text: "ann", Exact: true}},
		"name: ":                   nil,
	} {
		got := searchTerms(in, "name", "tag", "user", "is")
		if len(got) != len(want) {
			t.Errorf("%q: %+v, want %+v", in, got, want)
			continue
		}
		for i := range got {
			if got[i] != want[i] {
				t.Errorf("%q: %+v, want %+v", in, got, want)
			}
		}
	}
	if n := len(searchTerms(strings.Repeat("a ", 1000))); n != maxTerms {
		t.Errorf("%d terms", n)
	}
}
