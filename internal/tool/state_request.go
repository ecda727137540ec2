package tool

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"orrery/internal/galaxy"
)

// The forms in which a request names its inputs.
const (
	FormatLegacy = "legacy" // flat: "cond|selector", "queries_0|input2"
	FormatNested = "21.01"  // nested objects and lists
)

const maxRequestDepth = 100

// ParseInputs decodes the "inputs" of a request, keeping whole numbers whole. It also takes an object that arrived as
// JSON text inside a string. Nothing at all is no inputs.
func ParseInputs(raw []byte) (map[string]any, error) {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || string(raw) == "null" {
		return map[string]any{}, nil
	}
	if raw[0] == '"' {
		var text string
		if err := json.Unmarshal(raw, &text); err != nil {
			return nil, galaxy.Errorf(galaxy.Invalid, "The inputs are not valid JSON: %v", err)
		}
		raw = []byte(text)
	}
	var v any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return nil, galaxy.Errorf(galaxy.Invalid, "The inputs are not valid JSON: %v", err)
	}
	if d.More() {
		return nil, galaxy.Errorf(galaxy.Invalid, "The inputs are not valid JSON: something follows the object")
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, galaxy.Errorf(galaxy.Invalid, "The inputs must be an object of parameter names and values.")
	}
	n, err := normalize(m, 0)
	if err != nil {
		return nil, err
	}
	return n.(map[string]any), nil
}

// normalize turns JSON numbers into int64, *big.Int or float64 and bounds the depth.
func normalize(v any, depth int) (any, error) {
	if depth > maxRequestDepth {
		return nil, galaxy.Errorf(galaxy.Invalid, "The inputs are nested too deeply.")
	}
	switch x := v.(type) {
	case json.Number:
		return numberValue(x), nil
	case map[string]any:
		for k, e := range x {
			n, err := normalize(e, depth+1)
			if err != nil {
				return nil, err
			}
			x[k] = n
		}
	case []any:
		for i, e := range x {
			n, err := normalize(e, depth+1)
			if err != nil {
				return nil, err
			}
			x[i] = n
		}
	}
	return v, nil
}

// Expand makes one set of inputs per job out of the inputs of a request. A "batch" of one value, and {"values": […]}
// around the values of a parameter, are replaced by those values. No values at all in a batch are no jobs.
//
// Several values in a batch, or a collection in one, would run the tool once for each: that comes with collections, and
// until then is refused with an error that says what to do instead.
func Expand(t *Tool, inputs map[string]any, format string) ([]map[string]any, error) {
	if format != "" && format != FormatLegacy && format != FormatNested {
		return nil, galaxy.Errorf(galaxy.Invalid, "input_format invalid %s", format)
	}
	none := false
	out, err := expandLevel(inputs, "", 0, &none)
	if err != nil {
		return nil, err
	}
	if none {
		return nil, nil
	}
	return []map[string]any{out}, nil
}

func expandLevel(in map[string]any, prefix string, depth int, none *bool) (map[string]any, error) {
	if depth > maxRequestDepth {
		return nil, galaxy.Errorf(galaxy.Invalid, "The inputs are nested too deeply.")
	}
	out := make(map[string]any, len(in))
	for k, v := range in {
		if strings.HasSuffix(k, "|__identifier__") {
			continue
		}
		n, err := expandValue(v, prefix+k, depth, none)
		if err != nil {
			return nil, err
		}
		out[k] = n
	}
	return out, nil
}

func expandValue(v any, name string, depth int, none *bool) (any, error) {
	switch x := v.(type) {
	case []any:
		l := make([]any, len(x))
		for i, e := range x {
			n, err := expandValue(e, fmt.Sprintf("%s_%d", name, i), depth+1, none)
			if err != nil {
				return nil, err
			}
			l[i] = n
		}
		return l, nil
	case map[string]any:
		raw, wrapped := x["values"]
		if !wrapped {
			return expandLevel(x, name+"|", depth+1, none)
		}
		if batch, _ := x["batch"].(bool); !batch {
			return raw, nil
		}
		values, ok := raw.([]any)
		if !ok {
			return nil, galaxy.Errorf(galaxy.Invalid, "The values of the batch in parameter '%s' must be a list.", name)
		}
		switch len(values) {
		case 0:
			*none = true
			return nil, nil
		case 1:
			if d, ok := values[0].(map[string]any); ok && (d["src"] == "hdca" || d["src"] == "dce") {
				return nil, galaxy.Errorf(galaxy.NotImplemented,
					"Parameter '%s': running a tool over the elements of a collection is not available on this server yet. Choose a single dataset.", name)
			}
			return values[0], nil
		}
		return nil, galaxy.Errorf(galaxy.NotImplemented,
			"Parameter '%s': running a tool over %d datasets at once is not available on this server yet. Choose one dataset and run the tool again for each of the others.", name, len(values))
	}
	return v, nil
}

// requestRefs collects the datasets that a request may mean, to look them all up at once.
type requestRefs struct {
	ids  IDCodec
	seen map[DatasetRef]bool
	list []DatasetRef
}

func (r *requestRefs) add(ref DatasetRef) {
	if r.seen == nil {
		r.seen = map[DatasetRef]bool{}
	}
	if !r.seen[ref] {
		r.seen[ref] = true
		r.list = append(r.list, ref)
	}
}

// walk finds every {"src": …, "id": …}.
func (r *requestRefs) walk(v any) error {
	switch x := v.(type) {
	case map[string]any:
		if src, ok := x["src"].(string); ok && x["id"] != nil {
			switch src {
			case "hda", "ldda", "hdca", "dce":
				id, err := decodeRequestID(r.ids, x["id"])
				if err != nil {
					return err
				}
				r.add(DatasetRef{Src: src, ID: id})
			}
			return nil
		}
		for _, e := range x {
			if err := r.walk(e); err != nil {
				return err
			}
		}
	case []any:
		for _, e := range x {
			if err := r.walk(e); err != nil {
				return err
			}
		}
	}
	return nil
}

// bare finds the datasets that data parameters name by an id alone.
func (r *requestRefs) bare(v any) {
	switch x := v.(type) {
	case string:
		for _, s := range strings.Split(x, ",") {
			if id, ok := bareID(r.ids, s); ok {
				r.add(DatasetRef{Src: "hda", ID: id})
			}
		}
	case int64:
		r.add(DatasetRef{Src: "hda", ID: x})
	case []any:
		for _, e := range x {
			switch e.(type) {
			case string, int64:
				r.bare(e)
			}
		}
	}
}

// decodeRequestID reads an id of a {"src","id"}: an encoded id, or a database id as a number.
func decodeRequestID(ids IDCodec, v any) (int64, error) {
	switch x := v.(type) {
	case int64:
		return x, nil
	case string:
		id, err := ids.Decode(x)
		if err != nil {
			return 0, galaxy.Errorf(galaxy.MalformedID, "Wrong  id ( %s ) specified, unable to decode.", x)
		}
		return id, nil
	}
	return 0, galaxy.Errorf(galaxy.MalformedID, "Wrong  id ( %s ) specified, unable to decode.", pyStr(v))
}

// bareID reads the id of a dataset that is given without its source.
func bareID(ids IDCodec, s string) (int64, bool) {
	s = strings.TrimSpace(s)
	if s == "" {
		return 0, false
	}
	if strings.Trim(s, "0123456789") == "" && len(s) < 16 {
		n, ok := pyInt(s)
		id, small := n.(int64)
		return id, ok && small
	}
	if len(s)%16 != 0 {
		return 0, false
	}
	id, err := ids.Decode(s)
	return id, err == nil
}

// lookupAll fetches, in one query, every dataset that the inputs of a request name.
func lookupAll(ctx context.Context, env *Env, t *Tool, inputs map[string]any) (map[DatasetRef]*DatasetInfo, error) {
	r := requestRefs{ids: env.IDs}
	if err := r.walk(inputs); err != nil {
		return nil, err
	}
	data := map[string]bool{}
	t.WalkInputs(func(p *Param) bool {
		if p.Kind == KindData || p.Kind == KindHiddenData {
			data[p.Name] = true
		}
		return true
	})
	r.walkBare(inputs, data)
	if len(r.list) == 0 {
		return nil, nil
	}
	return env.Datasets.Lookup(ctx, r.list)
}

// walkBare looks at the values of keys that end in the name of a data parameter.
func (r *requestRefs) walkBare(v any, data map[string]bool) {
	switch x := v.(type) {
	case map[string]any:
		for k, e := range x {
			if data[k[strings.LastIndexByte(k, '|')+1:]] {
				r.bare(e)
			}
			r.walkBare(e, data)
		}
	case []any:
		for _, e := range x {
			switch e.(type) {
			case map[string]any, []any:
				r.walkBare(e, data)
			}
		}
	}
}
