package tool

import (
	"math"
	"strings"
)

// DisplayedParameter is one line of the parameters on a job's page.
type DisplayedParameter struct {
	Text  string `json:"text"`
	Depth int    `json:"depth"` // 1 at the top
	// Value is a text, a number or a boolean (see displayed), a list of datasets, or nil.
	Value any     `json:"value"`
	Notes *string `json:"notes"`
}

// displayedDataset is a dataset in such a line.
type displayedDataset struct {
	ID   string `json:"id"`
	Src  string `json:"src"`
	HID  int64  `json:"hid"`
	Name string `json:"name"`
}

// Display lists a job's parameters with the labels of the tool's form: the "parameters" of
// GET /api/jobs/{id}/parameters_display. What is inside of a group is one level deeper.
func (s *JobState) Display(ids IDCodec) []DisplayedParameter {
	return displayLevel(s.Tool.Inputs, s.Values, 1, ids)
}

func displayLevel(inputs []*Param, v Values, depth int, ids IDCodec) []DisplayedParameter {
	out := []DisplayedParameter{}
	note := func(s string) *string { return &s }
	for _, p := range inputs {
		label := p.Label
		if label == "" {
			label = p.Name
		}
		val, ok := v[p.Name]
		if !ok {
			if p.Kind == KindConditional && p.Test != nil {
				label = p.Test.Label
			}
			out = append(out, DisplayedParameter{Text: label, Depth: depth, Notes: note("not used (parameter was added after this job was run)")})
			continue
		}
		switch p.Kind {
		case KindRepeat:
			l, _ := val.([]Values)
			for _, e := range l {
				out = append(out, displayLevel(p.Children, e, depth+1, ids)...)
			}
		case KindSection:
			g, _ := val.(Values)
			out = append(out, DisplayedParameter{Text: p.Name, Depth: depth})
			out = append(out, displayLevel(p.Children, g, depth+1, ids)...)
		case KindConditional:
			g, _ := val.(Values)
			i, ok := p.caseOf(g[p.Test.Name])
			if !ok {
				out = append(out, DisplayedParameter{Text: p.Name, Depth: depth, Notes: note("The previously used value is no longer valid.")})
				continue
			}
			text := p.Test.Label
			if text == "" {
				text = p.Test.Name
			}
			out = append(out, DisplayedParameter{Text: text, Depth: depth, Value: displayed(p.allCases()[i].Value)})
			out = append(out, displayLevel(p.caseAt(i).Inputs, g, depth+1, ids)...)
		case KindUploadDataset:
			continue
		case KindData, KindHiddenData, KindDataCollection:
			list := []*displayedDataset{}
			for _, d := range datasetsOf(val) {
				if d == nil {
					list = append(list, nil) // it is gone
					continue
				}
				list = append(list, &displayedDataset{ID: ids.Encode(d.ID), Src: d.src(), HID: d.HID, Name: d.Name})
			}
			out = append(out, DisplayedParameter{Text: label, Depth: depth, Value: list})
		default:
			out = append(out, DisplayedParameter{Text: label, Depth: depth, Value: displayed(displayText(p, val)), Notes: note("")})
		}
	}
	return out
}

// displayed is a text as Galaxy's answer has it: what reads as a number is one, what reads as true or false is too.
func displayed(s string) any {
	if f, ok := pyFloat(s); ok && !math.IsNaN(f) && !math.IsInf(f, 0) {
		return f
	}
	switch strings.ToLower(s) {
	case "true", "t", "yes", "y", "on":
		return true
	case "false", "f", "no", "n", "off":
		return false
	}
	return s
}
