package api

import (
	"encoding/json"
	"strings"

	"orrery/internal/galaxy"
)

// payload is the body of a change: which fields are there matters, and each is
// taken as strictly as Galaxy takes it.
type payload map[string]json.RawMessage

func (r *Request) payload() (payload, error) {
	p := payload{}
	return p, r.JSON(&p)
}

// has tells whether a field is there and not null.
func (p payload) has(name string) bool {
	raw, ok := p[name]
	return ok && string(raw) != "null"
}

func invalidField(name, should string) error {
	return galaxy.Errorf(galaxy.Invalid, "Input should be %s in ('body', '%s')", should, name)
}

// text is a field of text; nil when it is not there.
func (p payload) text(name string) (*string, error) {
	if !p.has(name) {
		return nil, nil
	}
	var s string
	if json.Unmarshal(p[name], &s) != nil {
		return nil, invalidField(name, "a valid string")
	}
	return &s, nil
}

// textOrEmpty is a field of text for which null stands for the empty one.
func (p payload) textOrEmpty(name string) (*string, error) {
	if raw, ok := p[name]; ok && string(raw) == "null" {
		return new(string), nil
	}
	return p.text(name)
}

// flag is a field that is true or false; nil when it is not there.
func (p payload) flag(name string) (*bool, error) {
	if !p.has(name) {
		return nil, nil
	}
	var b bool
	switch strings.ToLower(strings.Trim(string(p[name]), `"`)) {
	case "true", "1", "yes", "on", "t", "y":
		b = true
	case "false", "0", "no", "off", "f", "n":
	default:
		return nil, invalidField(name, "a valid boolean, unable to interpret input")
	}
	return &b, nil
}

// texts is a list of texts; nil when it is not there. One text with commas is a
// list too.
func (p payload) texts(name string) (*[]string, error) {
	if !p.has(name) {
		return nil, nil
	}
	var list []string
	if json.Unmarshal(p[name], &list) == nil {
		return &list, nil
	}
	var one string
	if json.Unmarshal(p[name], &one) != nil {
		return nil, invalidField(name, "a valid list")
	}
	for part := range strings.SplitSeq(one, ",") {
		if part = strings.TrimSpace(part); part != "" {
			list = append(list, part)
		}
	}
	return &list, nil
}

// flags reads several flags at once.
func (p payload) flags(into map[string]**bool) (err error) {
	for name, dst := range into {
		if *dst, err = p.flag(name); err != nil {
			return err
		}
	}
	return nil
}

// ids decodes a list of encoded ids.
func (r *Request) decodeIDs(encoded []string) ([]int64, error) {
	ids := make([]int64, len(encoded))
	for i, e := range encoded {
		var err error
		if ids[i], err = r.DecodeID(e); err != nil {
			return nil, err
		}
	}
	return ids, nil
}
