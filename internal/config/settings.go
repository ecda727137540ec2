package config

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// typed converts the value that an administrator wrote to the option's type. ok is false when a problem was reported.
func (o *option) typed(n *node, r *report) (value any, ok bool) {
	wrong := func(form string) (any, bool) {
		r.add(Error, n, "%s takes %s, not %s", o.name, form, n.describe())
		return nil, false
	}
	switch o.kind {
	case kindBool:
		if n.kind == scalarNode {
			switch strings.ToLower(strings.TrimSpace(n.text)) {
			case "true", "yes", "on", "1", "t", "y":
				return true, true
			case "false", "no", "off", "0", "f", "n", "none":
				return false, true
			}
		}
		return wrong("true or false")
	case kindInt:
		if n.kind == scalarNode {
			text := strings.TrimSpace(n.text)
			if i, ok := parseInt(text); ok {
				return i, true
			}
			if f, ok := parseFloat(text); ok && f == float64(int64(f)) && f < 1e15 && f > -1e15 {
				return int64(f), true
			}
		}
		return wrong("a whole number such as " + exampleNumber(o))
	case kindFloat:
		if n.kind == scalarNode {
			text := strings.TrimSpace(n.text)
			if i, ok := parseInt(text); ok {
				return float64(i), true
			}
			if f, ok := parseFloat(text); ok {
				return f, true
			}
		}
		return wrong("a number such as " + exampleNumber(o))
	case kindString:
		switch n.kind {
		case scalarNode:
			if len(o.enum) > 0 && !contains(o.enum, n.text) {
				r.add(Error, n, "%s is one of %s, not %s", o.name, strings.Join(o.enum, ", "), n.describe())
				return nil, false
			}
			if strings.Contains(n.text, "%(here)s") {
				r.add(Warning, n, "%s: “%%(here)s” is expanded in .ini files only; in YAML write the directory itself", o.name)
			}
			return n.text, true
		case listNode:
			if isActed(o.name) && !listed[o.name] {
				return wrong("one text")
			}
			out := make([]any, 0, len(n.items))
			for _, item := range n.items {
				if item.isNull() {
					continue
				}
				if item.kind != scalarNode {
					r.add(Error, item, "%s takes a list of texts, not %s in it", o.name, item.describe())
					return nil, false
				}
				out = append(out, item.text)
			}
			return out, true
		}
		return wrong("a text")
	case kindList:
		if n.kind != listNode {
			return wrong("a list (lines that begin with “- ”)")
		}
		return n.plainValue(), true
	case kindMap:
		if n.kind != mapNode {
			return wrong("a mapping (indented lines of “name: value”)")
		}
		return n.plainValue(), true
	default:
		return n.plainValue(), true
	}
}

// listed are the options that are one text in Galaxy's schema and a comma-separated list in its code.
var listed = wordSet(`admin_users tool_config_file datatypes_config_file tool_data_table_config_path fetch_url_allowlist
	allowed_origin_hostnames allowed_login_redirect_hosts user_library_import_symlink_allowlist tool_filters
	tool_label_filters tool_section_filters user_tool_filters user_tool_label_filters user_tool_section_filters
	toolbox_filter_base_modules mulled_channels`)

func exampleNumber(o *option) string {
	switch v := o.def.(type) {
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	return "1"
}

func contains(list []string, s string) bool {
	for _, item := range list {
		if item == s {
			return true
		}
	}
	return false
}

// asText renders a value as one line of text.
func asText(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case []any:
		parts := make([]string, len(v))
		for i, item := range v {
			parts[i] = asText(item)
		}
		return strings.Join(parts, ",")
	case []string:
		return strings.Join(v, ",")
	default:
		b, err := json.Marshal(v)
		if err != nil {
			return fmt.Sprint(v)
		}
		return string(b)
	}
}

// asBool reads a value as Galaxy reads text that means a boolean.
func asBool(v any) bool {
	switch strings.ToLower(strings.TrimSpace(asText(v))) {
	case "true", "yes", "on", "1":
		return true
	}
	return false
}

// asList splits a value as Galaxy splits comma-separated options, without empty items.
func asList(v any) []string {
	var items []string
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		for _, item := range v {
			items = append(items, asText(item))
		}
	case []string:
		items = v
	default:
		items = strings.Split(asText(v), ",")
	}
	var out []string
	for _, item := range items {
		if item = strings.TrimSpace(item); item != "" {
			out = append(out, item)
		}
	}
	return out
}
