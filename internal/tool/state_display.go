package tool

import (
	"math"
	"strings"
)

// DisplayParameters lists a job's parameters for people: the "parameters" of GET /api/jobs/{id}/parameters_display.
// Datasets are given by their encoded ids.
func DisplayParameters(job *JobState, ids IDCodec) []any {
	return displayLevel(job.Tool.Inputs, job.Values, 1, ids)
}

func displayLevel(inputs []*Param, v Values, depth int, ids IDCodec) []any {
	out := []any{}
	for _, p := range inputs {
		label := p.Label
		if label == "" {
			label = p.Name
		}
		val, ok := v[p.Name]
		if !ok {
			if p.Kind == KindConditional {
				label = p.Test.Label
			}
			out = append(out, map[string]any{"text": label, "depth": depth, "value": nil, "notes": "not used (parameter was added after this job was run)"})
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
			out = append(out, map[string]any{"text": p.Name, "depth": depth, "value": nil, "notes": nil})
			out = append(out, displayLevel(p.Children, g, depth+1, ids)...)
		case KindConditional:
			g, _ := val.(Values)
			i, ok := p.caseOf(g[p.Test.Name])
			if !ok {
				out = append(out, map[string]any{"text": p.Name, "depth": depth, "notes": "The previously used value is no longer valid.", "error": true})
				continue
			}
			text := p.Test.Label
			if text == "" {
				text = p.Test.Name
			}
			out = append(out, map[string]any{"text": text, "depth": depth, "value": displayed(p.allCases()[i].Value), "notes": nil})
			out = append(out, displayLevel(p.caseAt(i).Inputs, g, depth+1, ids)...)
		case KindUploadDataset:
			continue
		case KindData, KindHiddenData, KindDataCollection:
			list := []any{}
			for _, d := range datasetsOf(val) {
				if d == nil {
					list = append(list, nil)
					continue
				}
				m := map[string]any{"src": d.src(), "id": ids.Encode(d.ID), "name": d.Name}
				if d.src() != "dce" {
					m["hid"] = d.HID
				}
				list = append(list, m)
			}
			out = append(out, map[string]any{"text": label, "depth": depth, "value": list, "notes": nil})
		default:
			out = append(out, map[string]any{"text": label, "depth": depth, "value": displayed(displayText(p, val)), "notes": ""})
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
