package config

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
)

// jobXML turns job_conf.xml into the nodes of the same configuration in YAML, so that both are read and checked alike.
// It returns nil when the file is not XML, which is reported.
func (l *loader) jobXML(path string, data []byte) *node {
	root, err := parseXML(path, data)
	if err == nil {
		err = expandMacros(root, filepath.Dir(path))
	}
	if err != nil {
		p := Problem{Severity: Error, File: path, Message: err.Error()}
		var at *xmlError
		if errors.As(err, &at) {
			p.File, p.Line, p.Column, p.Message = at.file, at.line, at.column, at.message
		}
		l.report.problems = append(l.report.problems, p)
		return nil
	}
	x := jobXML{loader: l, out: root.node(mapNode)}
	if root.name != "job_conf" {
		l.report.add(Error, x.out, "the file's outermost element is <job_conf>, not <%s>", clip(root.name, 60))
		return nil
	}
	x.plugins(root.child("plugins"))
	x.handlers(root.child("handlers"))
	x.destinations(root)
	x.tools(root.child("tools"))
	x.resources(root.child("resources"))
	x.limits(root.child("limits"))
	return x.out
}

// jobXML is the state of one conversion.
type jobXML struct {
	*loader
	out *node
}

// element is one XML element with its place.
type element struct {
	name         string
	attrs        []xml.Attr
	text         string // the character data before the first child
	children     []*element
	file         string
	line, column int
}

type xmlError struct {
	file         string
	line, column int
	message      string
}

func (e *xmlError) Error() string { return e.message }

func (e *element) problem(format string, args ...any) error {
	return &xmlError{e.file, e.line, e.column, fmt.Sprintf(format, args...)}
}

func (e *element) attr(name string) (string, bool) {
	for _, a := range e.attrs {
		if a.Name.Space == "" && a.Name.Local == name {
			return a.Value, true
		}
	}
	return "", false
}

func (e *element) get(name string) string {
	v, _ := e.attr(name)
	return v
}

// child returns the first child of a name, or nil.
func (e *element) child(name string) *element {
	for _, c := range e.children {
		if c.name == name {
			return c
		}
	}
	return nil
}

// all returns the children of a name.
func (e *element) all(name string) []*element {
	var out []*element
	if e == nil {
		return nil
	}
	for _, c := range e.children {
		if c.name == name {
			out = append(out, c)
		}
	}
	return out
}

// node makes an empty node that stands where the element stands.
func (e *element) node(kind nodeKind) *node {
	return &node{kind: kind, file: e.file, line: e.line, column: e.column}
}

// value makes a text that stands where the element stands.
func (e *element) value(text string) *node {
	n := e.node(scalarNode)
	n.text = text
	return n
}

// put adds an entry to a mapping.
func (e *element) put(n *node, key string, value *node) {
	n.pairs = append(n.pairs, pair{key: key, at: e.node(scalarNode), value: value})
}

// parseXML reads a document into elements. Comments and processing instructions are left out.
func parseXML(path string, data []byte) (*element, error) {
	if len(data) > maxFileSize {
		return nil, &xmlError{path, 0, 0, fmt.Sprintf("the file is larger than %d MiB, which no configuration needs", maxFileSize>>20)}
	}
	d := xml.NewDecoder(bytes.NewReader(data))
	d.CharsetReader = func(charset string, in io.Reader) (io.Reader, error) {
		switch strings.ToLower(charset) {
		case "utf-8", "utf8", "us-ascii", "ascii":
			return in, nil
		case "iso-8859-1", "latin-1", "latin1":
			raw, err := io.ReadAll(in)
			if err != nil {
				return nil, err
			}
			runes := make([]rune, len(raw))
			for i, b := range raw {
				runes[i] = rune(b)
			}
			return strings.NewReader(string(runes)), nil
		}
		return nil, fmt.Errorf("the encoding %s is not known; save the file as UTF-8", clip(charset, 40))
	}
	var stack []*element
	var root *element
	count := 0
	for {
		line, column := d.InputPos()
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			atLine, atColumn := d.InputPos()
			var syntax *xml.SyntaxError
			message := err.Error()
			if errors.As(err, &syntax) {
				message = syntax.Msg
			}
			return nil, &xmlError{path, atLine, atColumn, "this is not valid XML: " + clip(message, 200)}
		}
		switch t := tok.(type) {
		case xml.StartElement:
			e := &element{name: t.Name.Local, attrs: slices.Clone(t.Attr), file: path, line: line, column: column}
			if count++; count > maxNodes {
				return nil, e.problem("the file has too many elements")
			}
			if len(stack) > maxDepth {
				return nil, e.problem("elements are nested more than %d levels deep", maxDepth)
			}
			if len(stack) > 0 {
				parent := stack[len(stack)-1]
				parent.children = append(parent.children, e)
			} else if root != nil {
				return nil, e.problem("the file has a second outermost element <%s>", clip(e.name, 60))
			} else {
				root = e
			}
			stack = append(stack, e)
		case xml.EndElement:
			stack = stack[:len(stack)-1]
		case xml.CharData:
			if len(stack) > 0 && len(stack[len(stack)-1].children) == 0 {
				stack[len(stack)-1].text += string(t)
			}
		}
	}
	if root == nil {
		return nil, &xmlError{path, 0, 0, "the file is empty; it takes a <job_conf> element"}
	}
	return root, nil
}

// required reports an element that lacks an attribute.
func (x jobXML) required(e *element, names ...string) bool {
	for _, name := range names {
		if _, ok := e.attr(name); !ok {
			x.report.add(Warning, e.node(scalarNode), "<%s> is ignored, since it has no attribute “%s”", e.name, name)
			return false
		}
	}
	return true
}

// params reads <param id="…">value</param>, which may take its value from the environment or the configuration.
func (x jobXML) params(parent *element) *node {
	out := parent.node(mapNode)
	seen := map[string]int{}
	for _, p := range parent.all("param") {
		if !x.required(p, "id") {
			continue
		}
		id := p.get("id")
		value := p.value(p.text)
		if id == "container" || id == "container_override" {
			value = p.node(listNode)
			for _, c := range p.all("container") {
				item := c.node(mapNode)
				for _, a := range c.attrs {
					c.put(item, a.Name.Local, c.value(a.Value))
				}
				c.put(item, "identifier", c.value(strings.TrimSpace(c.text)))
				value.items = append(value.items, item)
			}
		}
		if name, ok := p.attr("from_environ"); ok {
			if v, set := x.env[name]; set {
				value = p.value(v)
			}
		} else if name, ok := p.attr("from_config"); ok {
			if _, set := x.set[current(name)]; set {
				value = p.value(asText(x.values[current(name)]))
			}
		}
		// A repeated parameter takes its last value, as in Galaxy.
		if i, again := seen[id]; again {
			out.pairs[i].value = value
			continue
		}
		seen[id] = len(out.pairs)
		p.put(out, id, value)
	}
	return out
}

// defaultOf reads the attribute `default` and where else it may come from.
func (x jobXML) defaultOf(e *element) (string, bool) {
	v, ok := e.attr("default")
	if name, from := e.attr("default_from_environ"); from {
		if fromEnv, set := x.env[name]; set {
			return fromEnv, true
		}
	} else if name, from := e.attr("default_from_config"); from {
		if _, set := x.set[current(name)]; set {
			return asText(x.values[current(name)]), true
		}
	}
	return v, ok
}

func (x jobXML) plugins(e *element) {
	if e == nil {
		return
	}
	runners := e.node(mapNode)
	for _, p := range e.all("plugin") {
		if !x.required(p, "id", "type") {
			continue
		}
		if kind := p.get("type"); kind != "runner" {
			x.report.add(Warning, p.node(scalarNode), "the plugin %s has the type “%s”, which nobody knows; it is ignored", p.get("id"), clip(kind, 40))
			continue
		}
		if p.get("id") == "dynamic" {
			p.put(x.out, "dynamic", x.params(p))
			continue
		}
		if !x.required(p, "load") {
			continue
		}
		r := p.node(mapNode)
		p.put(r, "load", p.value(p.get("load")))
		if workers, ok := p.attr("workers"); ok {
			p.put(r, "workers", p.value(workers))
		} else if workers, ok := e.attr("workers"); ok {
			p.put(r, "workers", e.value(workers))
		}
		p.put(r, "kwds", x.params(p))
		p.put(runners, p.get("id"), r)
	}
	e.put(x.out, "runners", runners)
}

func (x jobXML) handlers(e *element) {
	if e == nil {
		return
	}
	h := e.node(mapNode)
	for xmlName, name := range map[string]string{"assign_with": "assign", "max_grab": "max_grab", "ready_window_size": "ready_window_size"} {
		if v := e.get(xmlName); v != "" {
			e.put(h, name, e.value(v))
		}
	}
	if v, ok := x.defaultOf(e); ok && v != "" {
		e.put(h, "default", e.value(v))
	}
	processes := e.node(mapNode)
	for _, c := range e.all("handler") {
		if !x.required(c, "id") {
			continue
		}
		p := c.node(mapNode)
		if tags, ok := c.attr("tags"); ok {
			c.put(p, "tags", c.value(tags))
		}
		plugins := c.node(listNode)
		for _, plugin := range c.all("plugin") {
			if x.required(plugin, "id") {
				plugins.items = append(plugins.items, plugin.value(plugin.get("id")))
			}
		}
		if len(plugins.items) > 0 {
			c.put(p, "plugins", plugins)
		}
		c.put(processes, c.get("id"), p)
	}
	e.put(h, "processes", processes)
	e.put(x.out, "handling", h)
}

func (x jobXML) destinations(root *element) {
	e := root.child("destinations")
	if e == nil {
		x.report.add(Error, x.out, "job_conf.xml has no <destinations>; a local one is <destinations><destination id=\"local\" runner=\"local\"/></destinations>")
		e = root
	}
	execution, environments := e.node(mapNode), e.node(mapNode)
	for _, d := range e.all("destination") {
		if !x.required(d, "id", "runner") {
			continue
		}
		n := d.node(mapNode)
		d.put(n, "runner", d.value(d.get("runner")))
		if tags, ok := d.attr("tags"); ok {
			d.put(n, "tags", d.value(tags))
		}
		if metrics, ok := d.attr("metrics"); ok {
			d.put(n, "metrics", d.value(metrics))
		} else if inside := d.child("job_metrics"); inside != nil {
			plugins := inside.node(listNode)
			for _, plugin := range inside.children {
				item := plugin.node(mapNode)
				plugin.put(item, "type", plugin.value(plugin.name))
				for _, a := range plugin.attrs {
					plugin.put(item, a.Name.Local, plugin.value(a.Value))
				}
				plugins.items = append(plugins.items, item)
			}
			inside.put(n, "metrics", plugins)
		}
		params := x.params(d)
		if params.get("docker_sudo") == nil {
			d.put(params, "docker_sudo", d.value("true")) // the old format's default
		}
		d.put(n, "params", params)
		env := d.node(listNode)
		for _, v := range d.all("env") {
			item := v.node(mapNode)
			for xmlName, name := range map[string]string{"id": "name", "file": "file", "exec": "execute", "raw": "raw"} {
				if value, ok := v.attr(xmlName); ok {
					v.put(item, name, v.value(value))
				}
			}
			v.put(item, "value", v.value(v.text))
			env.items = append(env.items, item)
		}
		d.put(n, "env", env)
		resubmit := d.node(listNode)
		for _, v := range d.all("resubmit") {
			item := v.node(mapNode)
			for _, name := range []string{"condition", "destination", "handler", "delay"} {
				if value, ok := v.attr(name); ok {
					v.put(item, name, v.value(value))
				}
			}
			resubmit.items = append(resubmit.items, item)
		}
		d.put(n, "resubmit", resubmit)
		d.put(environments, d.get("id"), n)
	}
	if v, ok := x.defaultOf(e); ok && e != root {
		e.put(execution, "default", e.value(v))
	}
	e.put(execution, "environments", environments)
	e.put(x.out, "execution", execution)
}

func (x jobXML) tools(e *element) {
	if e == nil {
		return
	}
	list := e.node(listNode)
	for _, t := range e.all("tool") {
		n := t.node(mapNode)
		for _, name := range []string{"handler", "destination", "id", "resources", "class"} {
			if v := t.get(name); v != "" {
				t.put(n, name, t.value(v))
			}
		}
		t.put(n, "params", x.params(t))
		list.items = append(list.items, n)
	}
	e.put(x.out, "tools", list)
}

func (x jobXML) resources(e *element) {
	if e == nil {
		return
	}
	n, groups := e.node(mapNode), e.node(mapNode)
	if v := e.get("default"); v != "" {
		e.put(n, "default", e.value(v))
	}
	for _, g := range e.all("group") {
		if x.required(g, "id") {
			fields := g.get("fields")
			if fields == "" {
				fields = g.text
			}
			g.put(groups, g.get("id"), g.value(fields))
		}
	}
	e.put(n, "groups", groups)
	e.put(x.out, "resources", n)
}

func (x jobXML) limits(e *element) {
	if e == nil {
		return
	}
	list := e.node(listNode)
	for _, limit := range e.all("limit") {
		if !x.required(limit, "type") {
			continue
		}
		n := limit.node(mapNode)
		for _, name := range []string{"type", "tag", "id", "window"} {
			if v := limit.get(name); v != "" {
				limit.put(n, name, limit.value(v))
			}
		}
		limit.put(n, "value", limit.value(strings.TrimSpace(limit.text)))
		list.items = append(list.items, n)
	}
	e.put(x.out, "limits", list)
}
