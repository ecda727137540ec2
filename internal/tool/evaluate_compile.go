package tool

import (
	"runtime"
	"sync"
	"weak"

	"orrery/internal/cheetah"
)

// compiled holds what is made of a tool once, on first use: its templates, expressions and sanitizers.
type compiled struct {
	mu        sync.Mutex
	templates map[string]*cheetah.Template
	exprs     map[string]*cheetah.Expr
	charMaps  map[*Param]*charMap
	failed    map[string]error
}

// compiledTools finds them by tool; an entry goes when its tool does, after the toolbox was reloaded.
var compiledTools sync.Map // weak.Pointer[Tool] to *compiled

func compiledOf(t *Tool) *compiled {
	key := weak.Make(t)
	if c, ok := compiledTools.Load(key); ok {
		return c.(*compiled)
	}
	c, loaded := compiledTools.LoadOrStore(key, &compiled{
		templates: map[string]*cheetah.Template{}, exprs: map[string]*cheetah.Expr{}, charMaps: map[*Param]*charMap{}, failed: map[string]error{},
	})
	if !loaded && t != nil {
		runtime.AddCleanup(t, func(k weak.Pointer[Tool]) { compiledTools.Delete(k) }, key)
	}
	return c.(*compiled)
}

// compiledTemplate compiles a template of the tool, or finds it compiled. name is for messages.
func compiledTemplate(t *Tool, name, source string) (*cheetah.Template, error) {
	c := compiledOf(t)
	key := name + "\x00" + source
	c.mu.Lock()
	defer c.mu.Unlock()
	if tpl, ok := c.templates[key]; ok {
		return tpl, nil
	}
	if err, ok := c.failed[key]; ok {
		return nil, err
	}
	tpl, err := cheetah.Compile(name, source)
	if err != nil {
		c.failed[key] = err
		return nil, err
	}
	c.templates[key] = tpl
	return tpl, nil
}

func compiledExpr(t *Tool, source string) (*cheetah.Expr, error) {
	c := compiledOf(t)
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.exprs[source]; ok {
		return e, nil
	}
	key := "expr\x00" + source
	if err, ok := c.failed[key]; ok {
		return nil, err
	}
	e, err := cheetah.CompileExpr(source)
	if err != nil {
		c.failed[key] = err
		return nil, err
	}
	c.exprs[source] = e
	return e, nil
}

func (c *compiled) charMap(par *Param) *charMap {
	c.mu.Lock()
	defer c.mu.Unlock()
	m, ok := c.charMaps[par]
	if !ok {
		m = newCharMap(par.Sanitizer)
		c.charMaps[par] = m
	}
	return m
}
