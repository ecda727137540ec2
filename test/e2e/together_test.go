package e2e

import (
	"fmt"
	"slices"
	"sync"
	"testing"
)

// TestTogether lets four browsers of one user change one history at once: uploads, runs, names, tags and annotations.
// Each item has a number of its own, and no change is lost.
func TestTogether(t *testing.T) {
	onEachServer(t, func(t *testing.T, s server) {
		p := newPerson(t, s, "both")
		history := p.newHistory("Together")
		input := p.paste(history, "input", "a\n")
		p.ok(input, "a\n")
		browsers := []*person{p, p.withCookie(), p.withCookie(), p.withCookie()}
		const each = 12
		// Everything is made before anything is checked: a failed check must not end a goroutine.
		var mu sync.Mutex
		var outputs []string
		var wg sync.WaitGroup
		failures := make(chan string, 1000)
		for b, browser := range browsers {
			wg.Go(func() {
				for i := range each {
					var m made
					if i%2 == 0 {
						browser.try(failures, "POST", "/api/tools/fetch", fetchRequest(history, map[string]any{
							"src": "pasted", "paste_content": fmt.Sprintf("%d %d\n", b, i), "name": fmt.Sprintf("paste %d %d", b, i), "ext": "txt",
						}), &m)
					} else {
						browser.try(failures, "POST", "/api/tools", map[string]any{
							"history_id": history, "tool_id": "cat1", "inputs": map[string]any{"input1": hda(input)},
						}, &m)
					}
					for _, o := range m.Outputs {
						mu.Lock()
						outputs = append(outputs, o.ID)
						mu.Unlock()
						// Each browser changes something else of the same input, and its own output.
						browser.try(failures, "PUT", "/api/histories/"+history+"/contents/"+o.ID, map[string]any{"annotation": fmt.Sprintf("by %d", b)}, nil)
					}
					change := map[string]any{"name": fmt.Sprintf("input %d", i)}
					switch b {
					case 1:
						change = map[string]any{"tags": []string{fmt.Sprintf("tag%d", i)}}
					case 2:
						change = map[string]any{"annotation": fmt.Sprintf("note %d", i)}
					case 3:
						change = map[string]any{"genome_build": fmt.Sprintf("build%d", i)}
					}
					browser.try(failures, "PUT", "/api/histories/"+history+"/contents/"+input, change, nil)
					switch b {
					case 0:
						browser.try(failures, "PUT", "/api/histories/"+history, map[string]any{"name": fmt.Sprintf("Together %d", i)}, nil)
					case 1:
						browser.try(failures, "PUT", "/api/histories/"+history, map[string]any{"annotation": fmt.Sprintf("together %d", i)}, nil)
					}
				}
			})
		}
		wg.Wait()
		close(failures)
		for failure := range failures {
			t.Error(failure)
		}
		if len(outputs) != len(browsers)*each {
			t.Fatalf("%d datasets were made, want %d", len(outputs), len(browsers)*each)
		}
		for _, output := range outputs {
			if d := p.ended(output); d.State != "ok" {
				t.Errorf("dataset %d is %s: %s", d.HID, d.State, d.Info)
			}
		}
		var contents []shown
		p.must("GET", "/api/histories/"+history+"/contents?v=dev&limit=1000", nil, &contents)
		hids := make([]int, 0, len(contents))
		for _, d := range contents {
			hids = append(hids, d.HID)
		}
		slices.Sort(hids)
		for i, hid := range hids {
			if hid != i+1 {
				t.Fatalf("the items' numbers are %v", hids)
			}
		}
		if len(hids) != 1+len(outputs) {
			t.Errorf("the history has %d items, want %d", len(hids), 1+len(outputs))
		}
		var after struct{ Name, Annotation string }
		p.must("GET", "/api/histories/"+history, nil, &after)
		if after.Name != fmt.Sprintf("Together %d", each-1) || after.Annotation != fmt.Sprintf("together %d", each-1) {
			t.Errorf("the history is %+v", after)
		}
		var last struct {
			Name, Annotation string
			Tags             []string
			Build            string `json:"genome_build"`
		}
		p.must("GET", "/api/datasets/"+input, nil, &last)
		if want := fmt.Sprintf("input %d, note %d, [tag%d], build%d", each-1, each-1, each-1, each-1); fmt.Sprintf(
			"%s, %s, %v, %s", last.Name, last.Annotation, last.Tags, last.Build) != want {
			t.Errorf("the input is %+v, want %s", last, want)
		}
		for _, d := range contents {
			if d.ID == input {
				continue
			}
			var a struct{ Annotation string }
			p.must("GET", "/api/datasets/"+d.ID, nil, &a)
			if a.Annotation == "" {
				t.Errorf("dataset %d has lost its annotation", d.HID)
			}
		}
	})
}
