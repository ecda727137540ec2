package destination

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"orrery/internal/cheetah"
	"orrery/internal/config"
)

// entityList is a mapping of entities in the file's order.
type entityList struct {
	order []string
	by    map[string]*entity
}

func (l *entityList) set(id string, e *entity) {
	if l.by == nil {
		l.by = map[string]*entity{}
	}
	if _, ok := l.by[id]; !ok {
		l.order = append(l.order, id)
	}
	l.by[id] = e
}

func (l *entityList) drop(id string) {
	delete(l.by, id)
	l.order = slices.DeleteFunc(l.order, func(other string) bool { return other == id })
}

func (l *entityList) copy() *entityList {
	out := &entityList{}
	for _, id := range l.order {
		out.set(id, l.by[id])
	}
	return out
}

// The sections of a rule file that hold entities.
var (
	tpvSections = []string{"tools", "users", "roles", "destinations"}
	tpvKinds    = map[string]entityKind{"tools": toolEntity, "users": userEntity, "roles": roleEntity, "destinations": destinationEntity}
)

// tpvConfig is one rule file, with those before it merged in.
type tpvConfig struct {
	defaultInherits string
	context         cheetah.Value // a Dict
	lists           map[string]*entityList
}

// tpvRouter reads the rule files of a dynamic destination.
func (r *Router) tpvRouter(d config.Destination) (rule, error) {
	files := d.Params["tpv_config_files"]
	if files == nil {
		files = d.Params["tpv_configs"]
	}
	var paths []string
	switch v := files.(type) {
	case nil:
	case string:
		for _, p := range strings.Split(v, ",") {
			if p = strings.TrimSpace(p); p != "" {
				paths = append(paths, p)
			}
		}
	case []any:
		for _, item := range v {
			p, ok := item.(string)
			if !ok {
				return nil, r.problem("the dynamic destination %s has rules of Total Perspective Vortex written out in tpv_configs; put them into a file and name it in tpv_config_files", d.ID)
			}
			paths = append(paths, p)
		}
	default:
		return nil, r.problem("the dynamic destination %s: tpv_config_files takes a list of files", d.ID)
	}
	if d.Params["tpv_config_files"] != nil && d.Params["tpv_configs"] != nil {
		return nil, r.problem("the dynamic destination %s has tpv_config_files and tpv_configs; keep one of them", d.ID)
	}
	if len(paths) == 0 {
		return nil, r.problem("the dynamic destination %s uses Total Perspective Vortex and names no rule files; add tpv_config_files: [rules.yml]", d.ID)
	}
	l := &tpvLoader{router: r, code: &tpvCode{router: r, blocks: map[codeKey]*pyBlock{}}}
	l.code.modules = newTPVModules(r)
	var merged *tpvConfig
	for _, path := range paths {
		next, err := l.file(path)
		if err != nil {
			return nil, err
		}
		if merged != nil {
			next = l.merge(merged, next)
		}
		for _, section := range tpvSections {
			list := next.lists[section]
			for _, id := range list.order {
				resolved, err := resolve(list, list.by[id], nil)
				if err != nil {
					return nil, err
				}
				list.by[id] = resolved
			}
		}
		merged = next
	}
	t := &tpv{router: r, id: d.ID, cfg: merged, code: l.code}
	if err := t.patterns(); err != nil {
		return nil, err
	}
	t.offer()
	return t, nil
}

// tpvLoader reads rule files.
type tpvLoader struct {
	router   *Router
	code     *tpvCode
	rules    int // counted, to name those without an id
	problems []error
}

func isURL(path string) bool {
	return strings.HasPrefix(path, "http://") || strings.HasPrefix(path, "https://")
}

// maxProblems bounds what is told about one file.
const maxProblems = 50

func (l *tpvLoader) file(path string) (*tpvConfig, error) {
	var data []byte
	var err error
	name := path
	if isURL(path) {
		if l.router.opts.Fetch == nil {
			return nil, &Problem{File: path, Message: "rule files are not fetched from other servers here; put a copy beside the others and name that"}
		}
		data, err = l.router.opts.Fetch(context.Background(), path)
	} else {
		if !filepath.IsAbs(path) {
			name = filepath.Join(l.router.opts.Dir, path)
		}
		data, err = readFile(name)
	}
	if err != nil {
		return nil, &Problem{File: name, Message: "the rule file cannot be read: " + err.Error()}
	}
	root, err := parseYAML(name, data)
	if err != nil {
		return nil, err
	}
	l.problems = nil
	cfg := l.config(root)
	return cfg, errors.Join(l.problems...)
}

// readFile reads a file of bounded size.
func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errors.New("it is not a file")
	case info.Size() > maxFileSize:
		return nil, fmt.Errorf("it is larger than %d MiB", maxFileSize>>20)
	}
	return os.ReadFile(path)
}

func (l *tpvLoader) problem(n *node, format string, args ...any) {
	if len(l.problems) < maxProblems {
		l.problems = append(l.problems, n.problem(format, args...))
	}
}

func (l *tpvLoader) fail(err error) {
	if err != nil && len(l.problems) < maxProblems {
		l.problems = append(l.problems, err)
	}
}

// mapping checks that a value is a mapping; nothing is none.
func (l *tpvLoader) mapping(n *node, what string) bool {
	if n.isNull() {
		return false
	}
	if n.kind != mapNode {
		l.problem(n, "%s takes a mapping, not %s", what, n.describe())
		return false
	}
	return true
}

func (l *tpvLoader) config(root *node) *tpvConfig {
	cfg := &tpvConfig{context: cheetah.NewDict(), lists: map[string]*entityList{}}
	for _, section := range tpvSections {
		cfg.lists[section] = &entityList{}
	}
	if !l.mapping(root, "a rule file of Total Perspective Vortex") {
		return cfg
	}
	if global := root.get("global"); l.mapping(global, "global") {
		if v := global.get("default_inherits"); !v.isNull() {
			cfg.defaultInherits = v.text
		}
		if context := global.get("context"); l.mapping(context, "context") {
			cfg.context = context.value(yaml12)
		}
		if store := global.get("resource_pool_store"); !store.isNull() {
			l.problem(store, "resource pools of Total Perspective Vortex keep their accounts in Valkey, which is not used here; bound what users may run with limits in the job configuration")
		}
	}
	if pools := root.get("pools"); !pools.isNull() {
		l.problem(pools, "resource pools of Total Perspective Vortex are not done here; bound what users may run with limits in the job configuration (registered_user_concurrent_jobs, destination_user_concurrent_jobs)")
	}
	for _, section := range tpvSections {
		n := root.get(section)
		if !l.mapping(n, section) {
			continue
		}
		for _, p := range n.entries() {
			cfg.lists[section].set(p.key.text, l.entity(tpvKinds[section], p.key.text, p.key, p.value))
		}
	}
	return cfg
}

// tpvKeys are the keys of an entity in the file with the property that each becomes.
var tpvKeys = map[string]string{"tags": "handler_tags", "destination_name_override": "dest_name", "if": "if_condition"}

func (l *tpvLoader) entity(kind entityKind, id string, key, n *node) *entity {
	e := newEntity(kind, id)
	e.at = key
	if !l.mapping(n, "the entry "+clip(id, 60)) {
		return e
	}
	for _, p := range n.entries() {
		name := p.key.text
		if to, ok := tpvKeys[name]; ok && (kind == destinationEntity || name == "if" && kind == ruleEntity) {
			name = to
		}
		switch name {
		case "rules":
			if kind == ruleEntity {
				l.problem(p.key, "a rule has no rules of its own")
				continue
			}
			l.rulesOf(e, p.value)
		case "scheduling":
			t := l.tags(p.value)
			if kind == destinationEntity {
				e.destTags = t
			} else {
				e.tags = t
			}
		case "id":
			if kind == ruleEntity && !p.value.isNull() {
				e.id = p.value.text
			}
		case "abstract":
			e.vals[name] = asBool(p.value.value(yaml12))
		case "env":
			e.vals[name] = l.env(p.value)
		case "params", "resubmit", "context":
			if l.mapping(p.value, name) {
				e.vals[name] = p.value.value(yaml12)
			}
		case "handler_tags":
			if p.value.kind != listNode && !p.value.isNull() {
				l.problem(p.value, "tags takes a list, not %s", p.value.describe())
				continue
			}
			e.vals[name] = p.value.value(yaml12)
			if e.vals[name] == nil {
				delete(e.vals, name)
			}
		default:
			if (p.value.kind == listNode || p.value.kind == mapNode) && e.knows(name) {
				l.problem(p.value, "%s takes a value or an expression, not %s", p.key.text, p.value.describe())
				continue
			}
			if strings.Contains(name, "_accepted_") && !p.value.isNull() {
				if _, ok := p.value.value(yaml12).(string); ok {
					l.problem(p.value, "%s takes a number, not %s", name, p.value.describe())
					continue
				}
			}
			v := p.value.value(yaml12)
			if v == nil {
				if name != "dest_name" {
					delete(e.vals, name)
				}
				continue
			}
			e.vals[name] = v
			if !e.knows(name) {
				l.router.opts.Warn(fmt.Sprintf("%s:%d: “%s” is no property that Total Perspective Vortex knows; it has no effect", p.key.file, p.key.line, clip(name, 60)))
			}
		}
		l.compile(kind, name, p.value)
	}
	if kind == ruleEntity {
		if n.get("if") == nil {
			l.problem(n, "a rule needs “if”; one that always holds is “if: true”")
		}
	}
	return e
}

func (l *tpvLoader) rulesOf(e *entity, n *node) {
	add := func(id string, at, body *node) {
		if id == "" {
			l.rules++
			id = fmt.Sprintf("tpv_rule_%d", l.rules)
		}
		r := l.entity(ruleEntity, id, at, body)
		if i := e.rule(r.id); i >= 0 {
			e.rules[i] = r
			return
		}
		e.rules = append(e.rules, r)
	}
	switch {
	case n.isNull():
	case n.kind == listNode:
		for _, item := range n.items {
			add("", item, item)
		}
	case n.kind == mapNode:
		for _, p := range n.entries() {
			add(p.key.text, p.key, p.value)
		}
	default:
		l.problem(n, "rules takes a list, not %s", n.describe())
	}
}

func (l *tpvLoader) tags(n *node) *tags {
	t := newTags()
	if !l.mapping(n, "scheduling") {
		return t
	}
	where := map[string]string{}
	for _, p := range n.entries() {
		for typ, name := range tagNames {
			if name != p.key.text {
				continue
			}
			switch {
			case p.value.isNull():
				t.lists[typ] = nil
			case p.value.kind != listNode:
				l.problem(p.value, "%s takes a list of tags, not %s", name, p.value.describe())
			default:
				for _, item := range p.value.items {
					if other, again := where[item.text]; again {
						l.problem(item, "the tag %s is given twice, in %s and %s", clip(item.text, 60), other, name)
						continue
					}
					where[item.text] = name
					t.lists[typ].Items = append(t.lists[typ].Items, cheetah.Value(item.text))
				}
			}
		}
	}
	return t
}

// env reads a list of entries, or a mapping of names to values.
func (l *tpvLoader) env(n *node) cheetah.Value {
	out := cheetah.NewList()
	switch {
	case n.isNull():
	case n.kind == mapNode:
		for _, p := range n.entries() {
			d := cheetah.NewDict()
			d.Set("name", p.key.text)
			d.Set("value", cheetah.Str(p.value.value(yaml12)))
			out.Items = append(out.Items, d)
		}
	case n.kind == listNode:
		for _, item := range n.items {
			if item.kind != mapNode {
				l.problem(item, "an entry of env is a mapping with name and value, file, or execute, not %s", item.describe())
				continue
			}
			out.Items = append(out.Items, item.value(yaml12))
		}
	default:
		l.problem(n, "env takes a mapping or a list, not %s", n.describe())
	}
	return out
}

// compile compiles the code of a property, so that what cannot be done is known at the start.
func (l *tpvLoader) compile(kind entityKind, name string, n *node) {
	at := func(n *node) place { return place{file: n.file, line: n.body, what: name} }
	switch {
	case n.isNull():
	case name == "if_condition", name == "rank", slices.Contains(resourceOrder, name):
		if n.kind == scalarNode && (!n.plain || name != "if_condition" || n.text != "") {
			_, err := l.code.compile(at(n), cheetah.Str(n.scalar(yaml12)), codeValue)
			l.fail(err)
		}
	case name == "execute" && kind == ruleEntity:
		_, err := l.code.compile(at(n), n.text, codeBlock)
		l.fail(err)
	case name == "fail" && kind == ruleEntity, name == "dest_name":
		_, err := l.code.compile(at(n), n.text, codeText)
		l.fail(err)
	case name == "env", name == "params", name == "resubmit", name == "handler_tags":
		l.texts(name, n)
	}
}

func (l *tpvLoader) texts(name string, n *node) {
	switch n.kind {
	case scalarNode:
		if s, ok := n.scalar(yaml12).(string); ok {
			_, err := l.code.compile(place{file: n.file, line: n.body, what: name}, s, codeText)
			l.fail(err)
		}
	case listNode:
		for _, item := range n.items {
			l.texts(name, item)
		}
	case mapNode:
		for _, p := range n.entries() {
			l.texts(name, p.value)
		}
	}
}

func asBool(v cheetah.Value) bool {
	switch v := v.(type) {
	case bool:
		return v
	case nil:
		return false
	}
	switch strings.ToLower(cheetah.Str(v)) {
	case "true", "yes", "on", "1":
		return true
	}
	return false
}

// resolve lays an entity over its parents.
func resolve(list *entityList, e *entity, visited []string) (*entity, error) {
	parent := e.text("inherits")
	if parent == "" {
		return e, nil
	}
	problem := func(format string, args ...any) error {
		if e.at == nil {
			return fmt.Errorf(format, args...)
		}
		return e.at.problem(format, args...)
	}
	if slices.Contains(visited, parent) {
		return nil, problem("%s inherits from itself, by way of %s", e.id, strings.Join(append(visited, parent), ", "))
	}
	p, ok := list.by[parent]
	if !ok {
		return nil, problem("%s inherits from %s, which does not exist", e.id, parent)
	}
	resolved, err := resolve(list, p, append(visited, parent))
	if err != nil {
		return nil, err
	}
	return e.inherit(resolved), nil
}

// merge lays a rule file over those before it.
func (l *tpvLoader) merge(before, cfg *tpvConfig) *tpvConfig {
	if cfg.defaultInherits == "" {
		cfg.defaultInherits = before.defaultInherits
	}
	cfg.context = mergeDicts(before.context, cfg.context)
	for _, section := range tpvSections {
		older, newer := before.lists[section], cfg.lists[section]
		merged := older.copy()
		for _, id := range newer.order {
			e := newer.by[id]
			prior, ok := merged.by[id]
			if !ok {
				merged.set(id, e)
				continue
			}
			// The later definition with its parents, from either file, lies over the earlier one.
			both := merged.copy()
			for _, other := range newer.order {
				both.set(other, newer.by[other])
			}
			resolved, err := resolve(both, e, nil)
			if err != nil {
				l.fail(err)
				resolved = e
			}
			merged.drop(id)
			merged.set(id, resolved.inherit(prior))
		}
		cfg.lists[section] = merged
	}
	return cfg
}

// pattern is the id of an entity as a regular expression, which matches from the beginning of a name.
type pattern struct {
	id string
	re *regexp.Regexp // nil: the engine's own, for what Go does not have
}

// goPattern finds patterns that mean something else to Go than to Python.
var goPattern = regexp.MustCompile(`\\[pPQEzCxNuU0-9]|\[\[:|\(\?[^:]|[^\x00-\x7f]`)

// patterns compiles the ids of all entities.
func (t *tpv) patterns() error {
	t.names = map[string][]pattern{}
	for _, section := range tpvSections[:3] {
		list := t.cfg.lists[section]
		for _, id := range list.order {
			p := pattern{id: id}
			if !goPattern.MatchString(id) {
				p.re, _ = regexp.Compile(`^(?:` + id + `)`)
			}
			if p.re == nil {
				if _, err := p.match(context.Background(), "", t.router.pyLimits()); err != nil {
					message := fmt.Sprintf("“%s” is not a regular expression: %v", clip(id, 80), err)
					if at := list.by[id].at; at != nil {
						return at.problem("%s", message)
					}
					return errors.New(message)
				}
			}
			t.names[section] = append(t.names[section], p)
		}
	}
	return nil
}

var matchExpr = mustExpr("__import__('re').match(k, s) is not None")

func (p pattern) match(ctx context.Context, name string, lim cheetah.Limits) (bool, error) {
	if p.re != nil {
		return p.re.MatchString(name), nil
	}
	v, err := matchExpr.Eval(ctx, cheetah.MapScope{"k": p.id, "s": name}, lim)
	return v == true, err
}
