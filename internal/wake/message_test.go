package wake

import (
	"encoding/json"
	"log/slog"
	"os"
	"testing"
)

// What comes in by a socket may be anything that a process of this user sends.
func FuzzHandle(f *testing.F) {
	b, err := Open(f.TempDir(), "h1", true, slog.New(slog.DiscardHandler))
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = b.Close() })
	b.Subscribe(Jobs("special"))
	b.Serve("role", func(_ []byte, answer func([]byte)) { answer([]byte("1")) })
	for _, seed := range []string{
		`{"Kind":"wake","Topic":"jobs special"}`, `{"Kind":"one","Topic":"jobs special","From":"../../etc/x.wake","ID":3}`,
		`{"Kind":"ask","Topic":"role","From":"h1","Payload":{"a":1}}`, `{"Kind":"yes","ID":18446744073709551615}`, `{"Kind":"one","From":""}`, `[]`,
	} {
		f.Add([]byte(seed))
	}
	outside := f.TempDir()
	f.Fuzz(func(t *testing.T, text []byte) {
		var m message
		if json.Unmarshal(text, &m) == nil {
			b.handle(m)
			b.fromElsewhere(message{Kind: m.Kind, Topic: m.Topic})
		}
		if _, err := os.Stat(outside); err != nil {
			t.Error(err)
		}
	})
}
