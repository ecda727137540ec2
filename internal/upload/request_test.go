package upload

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"unicode/utf8"

	"orrery/internal/galaxy"
)

func TestParseTargets(t *testing.T) {
	files := []File{{SessionID: "a", Name: `C:\data\..\one.txt`}, {SessionID: "b", Name: "two.txt"}}
	for _, c := range []struct {
		name, text string
		want       func(e []Element) bool
	}{
		{"pasted", `[{"destination":{"type":"hdas"},"elements":[{"src":"pasted","paste_content":"x","name":null,"dbkey":null,"ext":null,"elements":null,"composite":null}]}]`,
			func(e []Element) bool {
				return len(e) == 1 && e[0].Name == "Pasted Entry" && e[0].Ext == "auto" && e[0].DBKey == "?" && e[0].PasteContent == "x" && !e[0].AutoDecompress
			}},
		{"a string of JSON", `"[{\"destination\":{\"type\":\"hdas\"},\"items\":[{\"src\":\"url\",\"url\":\" http://x.org/a%20b.txt?q \"}]}]"`,
			func(e []Element) bool { return e[0].Name == "a b.txt" && e[0].URL == "http://x.org/a%20b.txt?q" }},
		{"one target", `{"destination":{"type":"hdas"},"auto_decompress":"yes","elements":[{"src":"files","to_posix_lines":"Yes","space_to_tab":1},{"src":"files","name":"n","auto_decompress":false}]}`,
			func(e []Element) bool {
				return e[0].Upload == "a" && e[0].Name == "one.txt" && e[0].ToPosixLines && e[0].SpaceToTab && e[0].AutoDecompress &&
					e[1].Upload == "b" && e[1].Name == "n" && !e[1].AutoDecompress
			}},
		{"a host without a path", `[{"destination":{"type":"hdas"},"elements":[{"src":"url","url":"https://x.org"}]}]`,
			func(e []Element) bool { return e[0].Name == "x.org" }},
	} {
		got, err := ParseTargets(json.RawMessage(c.text), files, false)
		if err != nil || !c.want(got) {
			t.Errorf("%s: %+v, %v", c.name, got, err)
		}
	}
	element := func(e string) string { return `[{"destination":{"type":"hdas"},"elements":[` + e + `]}]` }
	for name, c := range map[string]struct {
		text string
		kind galaxy.Kind
	}{
		"nothing":          {`[]`, galaxy.Invalid},
		"null":             {`null`, galaxy.Invalid},
		"not JSON":         {`[{`, galaxy.Invalid},
		"a number":         {`5`, galaxy.Invalid},
		"no elements":      {element(""), galaxy.Invalid},
		"no source":        {element(`{}`), galaxy.Invalid},
		"unknown source":   {element(`{"src":"ftp_import"}`), galaxy.NotImplemented},
		"file address":     {element(`{"src":"url","url":"file:///etc/passwd"}`), galaxy.Invalid},
		"no host":          {element(`{"src":"url","url":"http:///x"}`), galaxy.Invalid},
		"control in URL":   {element(`{"src":"url","url":"http://x\u0000y/"}`), galaxy.Invalid},
		"too few files":    {element(`{"src":"files"},{"src":"files"},{"src":"files"}`), galaxy.Invalid},
		"bad flag":         {element(`{"src":"pasted","space_to_tab":"perhaps"}`), galaxy.Invalid},
		"nested":           {element(`{"src":"pasted","elements":[]}`), galaxy.NotImplemented},
		"a collection":     {`[{"destination":{"type":"hdca"},"elements":[]}]`, galaxy.NotImplemented},
		"no destination":   {`[{"elements":[]}]`, galaxy.Invalid},
		"too many":         {element(strings.TrimSuffix(strings.Repeat(`{"src":"pasted"},`, maxElements+1), ",")), galaxy.TooLarge},
		"deferred":         {element(`{"src":"pasted","deferred":true}`), galaxy.NotImplemented},
		"deeply nested":    {strings.Repeat("[", 100000), galaxy.Invalid},
		"an object's name": {element(`{"src":"pasted","name":{}}`), galaxy.Invalid},
	} {
		if got, err := ParseTargets(json.RawMessage(c.text), files, false); err == nil || galaxy.KindOf(err) != c.kind {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

func TestNames(t *testing.T) {
	long := strings.Repeat("é", 290) + ".fastq.gz"
	for in, want := range map[string]string{
		"../../etc/passwd": "passwd", `..\..\boot.ini`: "boot.ini", "a\x00b\n.txt": "ab.txt", "..": "Uploaded file", "/": "Uploaded file",
		"": "Uploaded file", "a/": "a", "x\xffy": "xy", " spaced ": "spaced",
	} {
		if got := baseName(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
	got := baseName(long)
	if n := utf8.RuneCountInString(got); n != maxName || !strings.HasSuffix(got, ".fastq.gz") {
		t.Errorf("a long name became %d characters, %q", n, got)
	}
}

func FuzzParseTargets(f *testing.F) {
	f.Add(`[{"destination":{"type":"hdas"},"elements":[{"src":"pasted","paste_content":"x"}]}]`)
	f.Add(`{"destination":{"type":"hdas"},"items":[{"src":"files","name":"../x"},{"src":"url","url":"http://a/b"}]}`)
	f.Add(`"[]"`)
	f.Fuzz(func(t *testing.T, text string) {
		got, err := ParseTargets(json.RawMessage(text), []File{{SessionID: "s", Name: text}}, true)
		if (err == nil) == (len(got) == 0) {
			t.Fatalf("%d elements, %v", len(got), err)
		}
		if err != nil && galaxy.KindOf(err) == galaxy.Internal {
			t.Fatalf("an error of the server's: %v", err)
		}
		for _, e := range got {
			if utf8.RuneCountInString(e.Name) > maxName || strings.ContainsAny(e.Name, "\x00\n") || !utf8.ValidString(e.Name) {
				t.Errorf("the name %q", e.Name)
			}
		}
	})
}

func TestAllowedAddresses(t *testing.T) {
	for addr, want := range map[string]bool{
		"93.184.216.34": true, "2606:2800:220:1::1": true, "127.0.0.1": false, "127.1.2.3": false, "::1": false, "0.0.0.0": false, "::": false,
		"10.1.2.3": false, "172.16.0.1": false, "192.168.1.1": false, "169.254.169.254": false, "::ffff:127.0.0.1": false,
		"::ffff:10.0.0.1": false, "::127.0.0.1": false, "fe80::1%eth0": false, "fd00::1": false, "fec0::1": false, "224.0.0.1": false,
		"255.255.255.255": false, "100.64.0.1": false, "64:ff9b::7f00:1": false, "2002:7f00:1::": false, "192.0.0.8": false, "ff02::1": false,
	} {
		if got := allowed(netip.MustParseAddr(addr), nil); got != want {
			t.Errorf("%s: %v, want %v", addr, got, want)
		}
	}
	list := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	for addr, want := range map[string]bool{"10.9.9.9": true, "::ffff:10.9.9.9": true, "::1": true, "127.0.0.1": false} {
		if got := allowed(netip.MustParseAddr(addr), list); got != want {
			t.Errorf("with an allow list, %s: %v, want %v", addr, got, want)
		}
	}
}
