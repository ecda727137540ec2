package destination

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"orrery/internal/cheetah"
	"orrery/internal/config"
)

// dtd is Galaxy's declarative tool_destinations.yml.
type dtd struct {
	router *Router
	file   string
	// priorities are the valid ones, in the order of the file.
	priorities      []string
	defaultPriority string
	fallback        dtdTarget
	users           map[string]string // priority by e-mail address
	tools           map[string]*dtdTool
}

// dtdTarget is a destination, or one for each priority.
type dtdTarget struct {
	id         string
	byPriority map[string]string
}

func (t dtdTarget) empty() bool { return t.id == "" && t.byPriority == nil }

// get is the destination for a priority; "" when there is none for it nor for the default.
func (t dtdTarget) get(priority, fallback string) string {
	if t.byPriority == nil {
		return t.id
	}
	if id, ok := t.byPriority[priority]; ok {
		return id
	}
	return t.byPriority[fallback]
}

type dtdTool struct {
	rules    []dtdRule
	fallback dtdTarget
}

// dtdRule is one rule of a tool. Bounds hold for what is at least lower and below upper.
type dtdRule struct {
	kind         string
	nice         float64
	users        []string // nil: all
	lower, upper float64
	arguments    *cheetah.Dict
	target       dtdTarget
	fail         string // unless empty: the job fails with this message
}

var dtdKinds = []string{"file_size", "num_input_datasets", "records", "arguments"}

// dtdReader reads a tool_destinations.yml. What Galaxy repairs or leaves out is repaired or left out with a warning;
// what makes all jobs fail there keeps the server from starting.
type dtdReader struct {
	*dtd
	errs []error
}

func (r *Router) dtd(config.Destination) (rule, error) {
	path := r.opts.ToolDestinations
	if path == "" {
		path = "tool_destinations.yml"
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(r.opts.Dir, path)
	}
	data, err := readFile(path)
	if err != nil {
		return nil, &Problem{File: path, Message: "the rules of dynamic tool destinations (type: dtd) cannot be read: " + err.Error() + "; tool_destinations_config_file names them"}
	}
	root, err := parseYAML(path, data)
	if err != nil {
		return nil, err
	}
	in := &dtdReader{dtd: &dtd{router: r, file: path, users: map[string]string{}, tools: map[string]*dtdTool{}}}
	in.read(root)
	if err := errors.Join(in.errs...); err != nil {
		return nil, err
	}
	return in.dtd, nil
}

func (in *dtdReader) fail(n *node, format string, args ...any) {
	if len(in.errs) < maxProblems {
		in.errs = append(in.errs, n.problem(format, args...))
	}
}

func (in *dtdReader) warn(n *node, format string, args ...any) {
	in.router.opts.Warn(n.problem(format, args...).Error())
}

func (in *dtdReader) read(root *node) {
	if root.kind != mapNode {
		in.fail(root, "the file takes a mapping with tools and default_destination, not %s", root.describe())
		return
	}
	for _, p := range root.entries() {
		if !slices.Contains([]string{"verbose", "tools", "default_destination", "users", "default_priority"}, p.key.text) {
			in.warn(p.key, "“%s” is no section of this file; it has no effect", clip(p.key.text, 60))
		}
	}
	in.globalDefault(root)
	if users := root.get("users"); !users.isNull() {
		if users.kind != mapNode {
			in.warn(users, "users takes a mapping, not %s; it has no effect", users.describe())
		}
		for _, p := range users.entries() {
			priority := p.value.get("priority")
			switch {
			case priority.isNull():
				in.warn(p.key, "the user %s has no priority", clip(p.key.text, 80))
			case !slices.Contains(in.priorities, priority.text):
				in.warn(priority, "the priority “%s” is not among those of default_destination", clip(priority.text, 60))
			default:
				in.users[p.key.text] = priority.text
			}
		}
	}
	tools := root.get("tools")
	if !tools.isNull() && tools.kind != mapNode {
		in.fail(tools, "tools takes a mapping of tools' ids, not %s", tools.describe())
		return
	}
	for _, p := range tools.entries() {
		if p.value.kind != mapNode {
			in.warn(p.value, "the tool %s takes a mapping with rules, not %s; it has no effect", clip(p.key.text, 80), p.value.describe())
			continue
		}
		t := &dtdTool{}
		if d := p.value.get("default_destination"); !d.isNull() {
			t.fallback = in.target(d)
		}
		rules := p.value.get("rules")
		if rules.isNull() || rules.kind != listNode {
			if t.fallback.empty() {
				in.warn(p.value, "the tool %s has neither rules nor a default_destination", clip(p.key.text, 80))
			}
		} else {
			for i, item := range rules.items {
				if rule, ok := in.rule(item, i+1, p.key.text); ok {
					t.rules = append(t.rules, rule)
				}
			}
		}
		in.tools[p.key.text] = t
	}
}

func (in *dtdReader) globalDefault(root *node) {
	d := root.get("default_destination")
	switch {
	case d.isNull():
		in.fail(root, "the file has no default_destination, without which every job would fail")
		return
	case d.kind == scalarNode:
		in.fallback = in.target(d)
	default:
		for _, p := range d.get("priority").entries() {
			in.priorities = append(in.priorities, p.key.text)
		}
		if len(in.priorities) == 0 {
			in.fail(d, "default_destination takes a destination, or priority with a mapping of priorities to destinations")
			return
		}
		in.fallback = in.target(d)
		p := root.get("default_priority")
		switch {
		case !p.isNull() && slices.Contains(in.priorities, p.text):
			in.defaultPriority = p.text
		case !p.isNull():
			in.warn(p, "the default_priority “%s” is not among those of default_destination; “%s” is taken", clip(p.text, 60), in.priorities[0])
			in.defaultPriority = in.priorities[0]
		case slices.Contains(in.priorities, "med"):
			in.defaultPriority = "med"
		default:
			in.warn(d, "the file has no default_priority; “%s” is taken", in.priorities[0])
			in.defaultPriority = in.priorities[0]
		}
	}
	if in.fallback.get(in.defaultPriority, "") == "" {
		in.fail(d, "default_destination names no destination")
	}
}

// target reads a destination, or one for each priority.
func (in *dtdReader) target(n *node) dtdTarget {
	check := func(n *node) string {
		if n.text != "fail" && len(in.router.cfg.DestinationsFor(n.text)) == 0 {
			in.fail(n, "“%s” is neither a destination's id nor a tag of the job configuration", clip(n.text, 60))
		}
		return n.text
	}
	if n.kind == scalarNode {
		return dtdTarget{id: check(n)}
	}
	priorities := n.get("priority")
	if priorities.isNull() || priorities.kind != mapNode {
		in.warn(n, "a destination is a name, or priority with a mapping of priorities to names")
		return dtdTarget{}
	}
	t := dtdTarget{byPriority: map[string]string{}}
	for _, p := range priorities.entries() {
		switch {
		case !slices.Contains(in.priorities, p.key.text):
			in.warn(p.key, "the priority “%s” is not among those of default_destination", clip(p.key.text, 60))
		case p.value.kind != scalarNode:
			in.warn(p.value, "a destination is a name, not %s", p.value.describe())
		default:
			t.byPriority[p.key.text] = check(p.value)
		}
	}
	return t
}

var dtdEmail = regexp.MustCompile(`^[A-Za-z0-9.+_-]+@[A-Za-z0-9._-]+\.[a-zA-Z]*$`)

func (in *dtdReader) rule(n *node, number int, tool string) (dtdRule, bool) {
	ignored := func(at *node, format string, args ...any) (dtdRule, bool) {
		in.warn(at, "rule %d of the tool %s is ignored: %s", number, clip(tool, 80), fmt.Sprintf(format, args...))
		return dtdRule{}, false
	}
	if n.kind != mapNode {
		return ignored(n, "it takes a mapping, not %s", n.describe())
	}
	kind := n.get("rule_type")
	if kind.isNull() || !slices.Contains(dtdKinds, kind.text) {
		return ignored(n, "its rule_type is %s; there are %s", kind.describe(), strings.Join(dtdKinds, ", "))
	}
	r := dtdRule{kind: kind.text, upper: math.Inf(1)}
	if users := n.get("users"); users != nil {
		if users.kind != listNode {
			return ignored(n, "users takes a list of e-mail addresses, not %s", users.describe())
		}
		for _, u := range users.items {
			if u.kind != scalarNode || !dtdEmail.MatchString(u.text) {
				in.warn(u, "%s is not an e-mail address; it is left out", u.describe())
				continue
			}
			r.users = append(r.users, u.text)
		}
		if len(r.users) == 0 {
			return ignored(users, "it names no user")
		}
	}
	nice := n.get("nice_value")
	if v, ok := number64(nice); ok && v >= -20 && v <= 20 {
		r.nice = v
	} else {
		in.warn(n, "rule %d of the tool %s: nice_value goes from -20 to 20; 0 is taken", number, clip(tool, 80))
	}
	message, target := n.get("fail_message"), n.get("destination")
	switch {
	case !message.isNull():
		r.fail = message.text
		if target == nil || target.text != "fail" {
			in.warn(message, "rule %d of the tool %s has a fail_message, so that its jobs fail, whatever its destination", number, clip(tool, 80))
		}
	case target.isNull():
		return ignored(n, "it has no destination")
	case target.kind == scalarNode && target.text == "fail":
		in.warn(target, "rule %d of the tool %s fails jobs without a fail_message", number, clip(tool, 80))
		r.fail = fmt.Sprintf("Invalid parameters for rule %d in '%s'.", number, tool)
	default:
		r.target = in.target(target)
	}
	if r.kind == "arguments" {
		arguments := n.get("arguments")
		if arguments.isNull() || arguments.kind != mapNode {
			return ignored(n, "it has no arguments")
		}
		r.arguments, _ = arguments.value(yaml11).(*cheetah.Dict)
		return r, true
	}
	lower, upper := n.get("lower_bound"), n.get("upper_bound")
	if lower.isNull() || upper.isNull() {
		return ignored(n, "it has no lower_bound or no upper_bound")
	}
	for _, b := range []struct {
		n  *node
		to *float64
	}{{lower, &r.lower}, {upper, &r.upper}} {
		v, ok := bound(b.n, r.kind != "num_input_datasets")
		if !ok {
			in.fail(b.n, "%s is not a bound: write a number, one with a unit (4 GB), or Infinity", b.n.describe())
			return dtdRule{}, false
		}
		*b.to = v
	}
	if math.IsInf(r.lower, 1) {
		in.warn(lower, "lower_bound is Infinity; 0 is taken")
		r.lower = 0
	}
	if r.lower > r.upper {
		in.warn(n, "rule %d of the tool %s: lower_bound exceeds upper_bound; they change places", number, clip(tool, 80))
		r.lower, r.upper = r.upper, r.lower
	}
	return r, true
}

func number64(n *node) (float64, bool) {
	if n.isNull() || n.kind != scalarNode {
		return 0, false
	}
	switch v := n.scalar(yaml11).(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

var boundForm = regexp.MustCompile(`^(?i)\s*([0-9]+(?:\.[0-9]+)?)\s*([kmgtpezy]?b)?\s*$`)

// bound reads a bound: bytes, with a unit of powers of 1024, or Infinity. -1 is Infinity, too.
func bound(n *node, units bool) (float64, bool) {
	if v, ok := number64(n); ok {
		if v == -1 {
			return math.Inf(1), true
		}
		return v, true
	}
	if strings.EqualFold(strings.TrimSpace(n.text), "infinity") || strings.EqualFold(n.text, ".inf") {
		return math.Inf(1), true
	}
	m := boundForm.FindStringSubmatch(n.text)
	if m == nil || !units && m[2] != "" {
		return 0, false
	}
	v, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		return 0, false
	}
	if m[2] != "" && len(m[2]) == 2 {
		v *= math.Pow(1024, float64(strings.IndexByte("kmgtpezy", strings.ToLower(m[2])[0])+1))
	}
	return v, true
}

func (d *dtd) choose(ctx context.Context, req *Request) (Choice, error) {
	email := ""
	if req.User != nil {
		email = req.User.Email
	}
	priority := d.defaultPriority
	asked := req.Resources
	if req.Job.WorkflowResources != nil {
		asked = req.Job.WorkflowResources
	}
	if v := asked["priority"]; v != nil {
		priority = text(v)
	}
	if p, ok := d.users[email]; ok && email != "" {
		priority = p
	}
	id := d.fallback.get(priority, d.defaultPriority)
	ids := IDs(req.Tool)
	tool := d.tools[ids[len(ids)-1]]
	if tool == nil {
		return Choice{ID: id}, nil
	}
	facts := &dtdFacts{req: req}
	var best *dtdRule
	for i := range tool.rules {
		rule := &tool.rules[i]
		if rule.users != nil && !slices.Contains(rule.users, email) {
			continue
		}
		holds, err := facts.hold(ctx, rule)
		if err != nil {
			return Choice{}, err
		}
		if holds && (best == nil || rule.nice < best.nice) {
			best = rule
		}
	}
	target := tool.fallback
	if best != nil {
		if best.fail != "" {
			return Choice{}, &Refused{Message: best.fail}
		}
		target = best.target
	}
	if own := target.get(priority, d.defaultPriority); own != "" {
		id = own
	}
	if id == "fail" {
		return Choice{}, refused("The rules of this server refuse the tool %s.", req.Tool.ID)
	}
	return Choice{ID: id}, nil
}

// dtdFacts are what rules compare of a job, computed when a rule asks.
type dtdFacts struct {
	req     *Request
	counted bool
	records float64
}

func (f *dtdFacts) hold(ctx context.Context, r *dtdRule) (bool, error) {
	var v float64
	switch r.kind {
	case "arguments":
		return argumentsMatch(cheetah.FromGo(orEmpty(f.req.Params)), r.arguments), nil
	case "file_size":
		for _, in := range f.inputs() {
			v += float64(in.Size)
		}
	case "num_input_datasets":
		v = float64(len(f.inputs()))
	case "records":
		if !f.counted {
			for _, in := range f.inputs() {
				n, err := fastaRecords(ctx, in)
				if err != nil {
					return false, err
				}
				f.records += n
			}
			f.counted = true
		}
		v = f.records
	}
	return r.lower <= v && v < r.upper, nil
}

// inputs are the job's, one for each name.
func (f *dtdFacts) inputs() []Input {
	at := map[string]int{}
	var out []Input
	for _, in := range f.req.Inputs {
		if i, again := at[in.Name]; again {
			out[i] = in
			continue
		}
		at[in.Name] = len(out)
		out = append(out, in)
	}
	return out
}

// fastaRecords counts the sequences of a FASTA dataset: by its metadata, else in the file. A file that is gone has none.
func fastaRecords(ctx context.Context, in Input) (float64, error) {
	if in.Ext != "fasta" {
		return 0, nil
	}
	if n, ok := number(cheetah.FromGo(in.Metadata["sequences"])); ok {
		return n, nil
	}
	if in.Path == "" {
		return 0, nil
	}
	f, err := os.Open(in.Path)
	if err != nil {
		return 0, nil
	}
	defer f.Close()
	n := 0.0
	start := true
	r := bufio.NewReaderSize(f, 1<<16)
	for {
		line, err := r.ReadSlice('\n')
		if start && len(line) > 0 && line[0] == '>' {
			n++
		}
		start = err == nil
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF):
			return n, nil
		case err != nil:
			return 0, fmt.Errorf("counting the sequences of an input: %w", err)
		}
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
	}
}
