package destination

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"orrery/internal/cheetah"
	"orrery/internal/config"
)

// Options are what the rules need beyond the job configuration.
type Options struct {
	// Dir is where relative paths of rule files begin: Galaxy's root.
	Dir string
	// ToolDestinations is the path of tool_destinations.yml.
	ToolDestinations string
	// Fetch gets a rule file by its URL, under the server's guard against requests to its inside; nil: files only.
	Fetch func(ctx context.Context, url string) ([]byte, error)
	// Counts answers the rules that look at other jobs; nil refuses them.
	Counts Counts
	// Intn gives a random number below n; nil: from the system.
	Intn func(n int) int
	// Now is the clock; nil: time.Now.
	Now func() time.Time
	// Config are the options of galaxy.yml that rules may look at, as app.config.NAME.
	Config map[string]any
	// File answers os.path.exists, isfile, isdir and getsize of rules; nil refuses them.
	File func(path string) (cheetah.FileInfo, error)
	// DataTables are the server's tool data tables, for rules that size jobs by their reference data; nil: there are none.
	DataTables DataTables
	// Warn takes what a rule writes into its log; nil drops it.
	Warn func(message string)
}

// DataTables looks into tool data tables.
type DataTables interface {
	// Has tells whether there is a table of this name.
	Has(table string) bool
	// Entry gives what stands in the column want of the first row that has value in column.
	Entry(table, column, value, want string) (entry string, found bool)
}

// Counts counts jobs for the rules that ask.
type Counts interface {
	// Count counts the jobs for which everything that is set in the filter holds. An error ends the choice; the question is
	// asked again later.
	Count(ctx context.Context, f JobFilter) (int, error)
}

// JobFilter says which jobs count. What is empty does not narrow.
type JobFilter struct {
	// Tool is a tool's id; ToolPrefix is what it begins with (all versions of a tool shed's tool).
	Tool, ToolPrefix string
	// UserID and UserEmail are of the jobs' owner; RegisteredOnly leaves out jobs of nobody.
	UserID         int64
	UserEmail      string
	RegisteredOnly bool
	Destinations   []string
	States         []string
	// CreatedIn and UpdatedIn look back from now.
	CreatedIn, UpdatedIn time.Duration
}

// Router chooses destinations. It is safe for use by several goroutines.
type Router struct {
	cfg     *config.JobConfig
	opts    Options
	dynamic map[string]rule // by the destination's id
	resub   expressions
}

// rule is a dynamic destination: it gives another destination, or the job's.
type rule interface {
	choose(ctx context.Context, req *Request) (Choice, error)
}

// maxHops bounds a chain of dynamic destinations.
const maxHops = 20

// New reads the rules of all dynamic destinations and the conditions of all resubmissions, and refuses what it cannot
// do. The error joins one [*Problem] for each thing that is wrong.
func New(cfg *config.JobConfig, opts Options) (*Router, error) {
	if opts.Intn == nil {
		opts.Intn = rand.IntN
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Warn == nil {
		opts.Warn = func(string) {}
	}
	r := &Router{cfg: cfg, opts: opts, dynamic: map[string]rule{}}
	var problems []error
	for _, d := range cfg.Destinations {
		if d.Runner == "dynamic" {
			rule, err := r.rule(d)
			if err != nil {
				problems = append(problems, err)
				continue
			}
			r.dynamic[d.ID] = rule
		}
		for i, s := range d.Resubmit {
			for _, e := range []struct{ what, source string }{{"condition", s.Condition}, {"delay", s.Delay}} {
				if err := r.resub.check(e.source); err != nil {
					problems = append(problems, r.problem("the %s of resubmission %d of the destination %s: %v", e.what, i+1, d.ID, err))
				}
			}
			if s.Destination != "" && len(cfg.DestinationsFor(s.Destination)) == 0 {
				problems = append(problems, r.problem("resubmission %d of the destination %s goes to “%s”, which is neither a destination's id nor a tag", i+1, d.ID, s.Destination))
			}
		}
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return r, nil
}

// Problem is something in the administrator's files that keeps the server from starting.
type Problem struct {
	File    string // "" when it is known only that it is in the job configuration
	Line    int    // from 1; 0 when it is not known
	Message string
}

func (p *Problem) Error() string {
	switch {
	case p.File == "":
		return p.Message
	case p.Line == 0:
		return p.File + ": " + p.Message
	}
	return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Message)
}

// problem makes a Problem of the job configuration.
func (r *Router) problem(format string, args ...any) *Problem {
	return &Problem{File: r.cfg.Source, Message: fmt.Sprintf(format, args...)}
}

// Choose gives a job its destination. The error is a [*Refused], with which the job fails, or a [*NotReady], with which
// it waits; any other error is the context's or that of Options.Counts, and the question may be asked again.
func (r *Router) Choose(ctx context.Context, req Request) (Choice, error) {
	target := r.target(&req)
	var via []string
	for {
		d, ok := r.pick(target)
		if !ok {
			return Choice{}, refused("This job cannot be sent anywhere: the server's job configuration has no destination “%s”. Please tell its administrators.", target)
		}
		if d.Runner != "dynamic" {
			c := r.choice(d)
			c.Via = via
			return c, nil
		}
		if slices.Contains(via, d.ID) || len(via) >= maxHops {
			return Choice{}, refused("This job cannot be sent anywhere: the server's dynamic destinations lead in a circle (%s). Please tell its administrators.", strings.Join(append(via, d.ID), " → "))
		}
		via = append(via, d.ID)
		c, err := r.dynamic[d.ID].choose(ctx, &req)
		if err != nil {
			return Choice{}, err
		}
		if c.Runner != "" && c.Runner != "dynamic" {
			c.Via = via
			return r.limited(c), nil
		}
		target = c.ID
	}
}

func refused(format string, args ...any) *Refused {
	return &Refused{Message: fmt.Sprintf(format, args...)}
}
