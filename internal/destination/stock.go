package destination

import (
	"context"
	"crypto/md5" //nolint:gosec // Galaxy spreads jobs by it; nothing is kept secret
	"math/big"
	"slices"
	"strconv"

	"orrery/internal/config"
)

// Galaxy's stock rules. Each names its destinations in parameters of the dynamic destination.

// list reads a parameter that holds names, as a list or divided by commas.
func list(v any) []string {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		var out []string
		for _, item := range v {
			out = append(out, text(item))
		}
		return out
	}
	return listify(text(v))
}

// named checks that destinations exist.
func (r *Router) named(d config.Destination, param string, ids ...string) error {
	if len(ids) == 0 || ids[0] == "" {
		return r.problem("the dynamic destination %s (type: %s) needs the parameter %s", d.ID, text(d.Params["type"]), param)
	}
	for _, id := range ids {
		if len(r.cfg.DestinationsFor(id)) == 0 {
			return r.problem("the dynamic destination %s names “%s” in %s, which is neither a destination's id nor a tag", d.ID, id, param)
		}
	}
	return nil
}

// chooseOne spreads jobs over destinations; what hashes alike goes to the same one.
type chooseOne struct {
	ids    []string
	hashBy []string
}

var hashStrategies = []string{"job", "user", "history", "workflow_invocation"}

func (r *Router) chooseOne(d config.Destination) (rule, error) {
	c := &chooseOne{ids: list(d.Params["destination_ids"]), hashBy: list(d.Params["hash_by"])}
	for _, by := range c.hashBy {
		if !slices.Contains(hashStrategies, by) {
			return nil, r.problem("the dynamic destination %s hashes jobs by “%s”; there are job, user, history and workflow_invocation", d.ID, by)
		}
	}
	return c, r.named(d, "destination_ids", c.ids...)
}

func (c *chooseOne) choose(_ context.Context, req *Request) (Choice, error) {
	hash := uint64(req.Job.ID)
	for _, by := range c.hashBy {
		id := int64(0)
		switch by {
		case "job":
			id = req.Job.ID
		case "history":
			id = req.Job.HistoryID
		case "user":
			if req.User != nil {
				id = req.User.ID
			}
		case "workflow_invocation":
			if uuid := req.Job.WorkflowInvocation; uuid != "" {
				sum := md5.Sum([]byte(uuid)) //nolint:gosec // see above
				i := new(big.Int).Mod(new(big.Int).SetBytes(sum[:]), big.NewInt(int64(len(c.ids))))
				return Choice{ID: c.ids[i.Int64()]}, nil
			}
		}
		if id != 0 {
			hash = uint64(id)
			break
		}
	}
	return Choice{ID: c.ids[hash%uint64(len(c.ids))]}, nil
}

// burst sends jobs elsewhere once some destinations are full.
type burst struct {
	router *Router
	from   []string
	to     string
	jobs   int
	states []string
}

func (r *Router) burst(d config.Destination) (rule, error) {
	b := &burst{router: r, from: list(d.Params["from_destination_ids"]), to: text(d.Params["to_destination_id"]), states: list(d.Params["job_states"])}
	if len(b.states) == 0 {
		b.states = []string{"queued", "running"}
	}
	var err error
	if b.jobs, err = strconv.Atoi(text(d.Params["num_jobs"])); err != nil {
		return nil, r.problem("the dynamic destination %s (type: burst) needs num_jobs, a number of jobs", d.ID)
	}
	if err := r.named(d, "from_destination_ids", b.from...); err != nil {
		return nil, err
	}
	if r.opts.Counts == nil {
		return nil, r.problem("the dynamic destination %s (type: burst) counts jobs, which is not possible here", d.ID)
	}
	return b, r.named(d, "to_destination_id", b.to)
}

func (b *burst) choose(ctx context.Context, _ *Request) (Choice, error) {
	n, err := b.router.opts.Counts.Count(ctx, JobFilter{RegisteredOnly: true, Destinations: b.from, States: b.states})
	if err != nil {
		return Choice{}, err
	}
	if n+1 > b.jobs {
		return Choice{ID: b.to}, nil
	}
	return Choice{ID: b.from[0]}, nil
}

// dockerDispatch sends tools that name a Docker container to one destination, and all others to another.
type dockerDispatch struct{ docker, other string }

func (r *Router) dockerDispatch(d config.Destination) (rule, error) {
	c := &dockerDispatch{docker: text(d.Params["docker_destination_id"]), other: text(d.Params["default_destination_id"])}
	if err := r.named(d, "docker_destination_id", c.docker); err != nil {
		return nil, err
	}
	return c, r.named(d, "default_destination_id", c.other)
}

func (c *dockerDispatch) choose(_ context.Context, req *Request) (Choice, error) {
	if slices.ContainsFunc(req.Tool.Containers, func(k Container) bool { return k.Type == "docker" }) {
		return Choice{ID: c.docker}, nil
	}
	return Choice{ID: c.other}, nil
}
