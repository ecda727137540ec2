package destination

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"

	"orrery/internal/cheetah"
)

// codeMode is how the code of a property is taken.
type codeMode int

const (
	codeValue codeMode = iota // its last line is an expression, the property's value
	codeBlock                 // statements
	codeText                  // text with {expressions} in it
)

type codeKey struct {
	source string
	mode   codeMode
}

// tpvCode holds the compiled code of a rule configuration.
type tpvCode struct {
	router  *Router
	modules pyModules
	mu      sync.Mutex
	blocks  map[codeKey]*pyBlock
	made    int // blocks compiled while jobs were mapped
}

// maxMade bounds the memory for code that rules put together job by job.
const maxMade = 2000

func (c *tpvCode) compile(at place, source string, mode codeMode) (*pyBlock, error) {
	key := codeKey{source, mode}
	c.mu.Lock()
	defer c.mu.Unlock()
	if b, ok := c.blocks[key]; ok {
		return b, nil
	}
	text := source
	if mode == codeText {
		text = "f'''" + source + "'''"
	}
	b, err := compilePython(at, text, mode != codeBlock, c.modules)
	if err != nil {
		return nil, err
	}
	if err := c.knownHelpers(at, source); err != nil {
		return nil, err
	}
	if at.file == "" {
		if c.made++; c.made > maxMade {
			return b, nil // not kept
		}
	}
	c.blocks[key] = b
	return b, nil
}

var helperCall = regexp.MustCompile(`(?:^|[^\w.])helpers\.([A-Za-z_]\w*)`)

// knownHelpers finds calls of functions that TPV's helpers do not have, which would fail each job.
func (c *tpvCode) knownHelpers(at place, source string) error {
	v, _ := c.modules.module("tpv.core.helpers")
	helpers, ok := v.(*cheetah.Module)
	if !ok {
		return nil
	}
	for _, m := range helperCall.FindAllStringSubmatchIndex(source, -1) {
		name := source[m[2]:m[3]]
		if _, ok := helpers.Attrs[name]; !ok {
			return at.problem(1+strings.Count(source[:m[2]], "\n"), "helpers.%s is no function of Total Perspective Vortex that is known here; there are %s", clip(name, 60), strings.Join(slices.Sorted(maps.Keys(helpers.Attrs)), ", "))
		}
	}
	return nil
}

// eval evaluates the code of a property.
func (c *tpvCode) eval(ctx context.Context, source string, mode codeMode, scope cheetah.Scope) (cheetah.Value, error) {
	if mode == codeText && !strings.ContainsAny(source, "{}\\'") {
		return source, nil
	}
	b, err := c.compile(place{what: "a value that a rule made up"}, source, mode)
	if err != nil {
		return nil, err
	}
	return b.run(ctx, scope, c.router.pyLimits())
}

// evalTexts evaluates the text in lists and dicts.
func (c *tpvCode) evalTexts(ctx context.Context, v cheetah.Value, scope cheetah.Scope, depth int) (cheetah.Value, error) {
	if depth > maxDepth {
		return v, nil
	}
	switch v := v.(type) {
	case string:
		return c.eval(ctx, v, codeText, scope)
	case *cheetah.List:
		out := cheetah.NewList()
		for _, item := range v.Items {
			x, err := c.evalTexts(ctx, item, scope, depth+1)
			if err != nil {
				return nil, err
			}
			out.Items = append(out.Items, x)
		}
		return out, nil
	case *cheetah.Dict:
		out := cheetah.NewDict()
		var err error
		v.Each(func(key, val cheetah.Value) bool {
			var x cheetah.Value
			if x, err = c.evalTexts(ctx, val, scope, depth+1); err != nil {
				return false
			}
			out.Set(key, x)
			return true
		})
		return out, err
	}
	return v, nil
}
