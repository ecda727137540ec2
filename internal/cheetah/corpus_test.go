package cheetah

import (
	"encoding/json"
	"errors"
	"os"
	"testing"
)

type corpus struct {
	Vars  json.RawMessage
	Cases []struct {
		Template string
		Want     string
		Error    string // the type of exception; any error of ours will do
	}
}

// TestCorpus renders templates whose output was recorded from the real
// Cheetah (CT3 3.4 on Python 3.11).
func TestCorpus(t *testing.T) {
	b, err := os.ReadFile("testdata/corpus.json")
	if err != nil {
		t.Fatal(err)
	}
	var c corpus
	if err := json.Unmarshal(b, &c); err != nil {
		t.Fatal(err)
	}
	if len(c.Cases) < 150 {
		t.Fatalf("only %d cases", len(c.Cases))
	}
	for _, k := range c.Cases {
		scope := MapScope{}
		FromGo(c.Vars).(*Dict).Each(func(key, v Value) bool { scope[key.(string)] = v; return true })
		tm, err := Compile("t", k.Template)
		got := ""
		if err == nil {
			got, err = tm.Render(t.Context(), scope, Limits{})
		}
		if err != nil {
			var ee *EvalError
			var se *SyntaxError
			if k.Error == "" || !errors.As(err, &ee) && !errors.As(err, &se) || errors.As(err, &ee) && ee.Type == "InternalError" {
				t.Errorf("%q: %v; want %q", k.Template, err, k.Want)
			}
			continue
		}
		if k.Error != "" {
			t.Errorf("%q: got %q, want %s", k.Template, got, k.Error)
		} else if got != k.Want {
			t.Errorf("%q:\n got %q\nwant %q", k.Template, got, k.Want)
		}
	}
}
