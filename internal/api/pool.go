package api

import (
	"orrery/internal/galaxy"
	"orrery/internal/pool"
)

// Pool is the API of job handlers, for administrators: what `orrery pool` does
// on the command line. Galaxy has no such routes, so they are under
// /api/orrery.
type Pool struct {
	Operator *pool.Operator
}

// Register adds the routes.
func (p *Pool) Register(rt *Router) {
	for pattern, h := range map[string]Handler{
		"GET /api/orrery/pool":                 p.show,
		"GET /api/orrery/pool/jobs":            p.jobs,
		"POST /api/orrery/pool/reassign":       p.reassign,
		"POST /api/orrery/pool/{name}/drain":   p.drain,
		"POST /api/orrery/pool/{name}/undrain": p.undrain,
		"DELETE /api/orrery/pool/{name}":       p.remove,
	} {
		rt.Handle(pattern, func(r *Request) (any, error) {
			if err := r.RequireAdmin(); err != nil {
				return nil, err
			}
			return h(r)
		})
	}
}

func (p *Pool) show(r *Request) (any, error) { return p.Operator.Overview(r.Ctx()) }

func (p *Pool) jobs(r *Request) (any, error) {
	jobs, err := p.Operator.Jobs(r.Ctx(), r.Param("handler"), r.Param("state"))
	return map[string]any{"jobs": jobs}, err
}

// drain and undrain answer with the overview after the change.
func (p *Pool) drain(r *Request) (any, error) {
	if err := p.Operator.Drain(r.Ctx(), r.PathValue("name")); err != nil {
		return nil, err
	}
	return p.show(r)
}

func (p *Pool) undrain(r *Request) (any, error) {
	if err := p.Operator.Undrain(r.Ctx(), r.PathValue("name")); err != nil {
		return nil, err
	}
	return p.show(r)
}

func (p *Pool) remove(r *Request) (any, error) {
	n, err := p.Operator.Remove(r.Ctx(), r.PathValue("name"))
	return map[string]int{"returned": n}, err
}

// maxReassigned bounds the jobs that one request may name.
const maxReassigned = 10000

func (p *Pool) reassign(r *Request) (any, error) {
	body, err := r.payload()
	if err != nil {
		return nil, err
	}
	var s pool.Selection
	var to string
	for name, into := range map[string]*string{"from": &s.From, "tool_id": &s.Tool, "to": &to} {
		text, err := body.text(name)
		if err != nil {
			return nil, err
		}
		if text != nil {
			*into = *text
		}
	}
	jobs, err := body.texts("jobs")
	if err != nil {
		return nil, err
	}
	if jobs != nil {
		if len(*jobs) > maxReassigned {
			return nil, galaxy.Errorf(galaxy.Invalid, "Name at most %d jobs at once", maxReassigned)
		}
		if s.Jobs, err = r.decodeIDs(*jobs); err != nil {
			return nil, err
		}
	}
	n, err := p.Operator.Reassign(r.Ctx(), s, to)
	return map[string]int{"moved": n}, err
}
