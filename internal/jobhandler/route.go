package jobhandler

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"orrery/internal/destination"
	"orrery/internal/galaxy"
	"orrery/internal/jobdir"
	"orrery/internal/store"
	"orrery/internal/tool"
)

// choose asks where a job goes.
func (h *Handler) choose(ctx context.Context, p *prepared) (destination.Choice, error) {
	if p.next != nil { // a resubmission has chosen already
		return *p.next, nil
	}
	req, err := h.request(ctx, p)
	if err != nil {
		return destination.Choice{}, err
	}
	choice, err := h.Router.Choose(ctx, req)
	if len(choice.Resubmit) == 0 {
		choice.Resubmit = h.DefaultResubmit
	}
	var refused *destination.Refused
	if errors.As(err, &refused) {
		if refused.Cause != nil {
			h.Log.Warn("a destination rule failed", "job", p.claim.JobID, "tool", p.job.ToolID, "error", refused.Cause)
		}
		return choice, &galaxy.Error{Kind: galaxy.Invalid, Message: refused.Message, Cause: refused.Cause}
	}
	return choice, err
}

// request is what rules may know of a job.
func (h *Handler) request(ctx context.Context, p *prepared) (destination.Request, error) {
	req := destination.Request{
		Tool: destination.Tool{ID: p.job.ToolID, Version: p.job.ToolVersion, Local: p.inner != nil},
		Job:  destination.Job{ID: p.job.ID, HistoryID: p.job.HistoryID, State: string(p.job.State), SessionID: p.job.SessionID},
		To:   p.to, Attempt: p.tries + 1, Previous: p.previous,
	}
	if t := p.tool; t != nil {
		req.Tool.OldID, req.Tool.Name, req.Tool.Type = t.OldID, t.Name, t.ToolType
		for _, c := range t.Containers {
			req.Tool.Containers = append(req.Tool.Containers, destination.Container{Type: c.Type, Identifier: c.Identifier})
		}
	}
	if !h.Detailed {
		return req, nil
	}
	if p.state != nil {
		req.Params, _ = plain(p.state.Values).(map[string]any)
	}
	if t := p.tool; t != nil {
		for _, r := range t.ResourceRequirements {
			if n, err := strconv.ParseFloat(r.Value, 64); err == nil {
				if req.Tool.Resources == nil {
					req.Tool.Resources = map[string]float64{}
				}
				req.Tool.Resources[r.Type] = n
			}
		}
	}
	for _, in := range p.inputs {
		d := in.Dataset
		if d == nil {
			continue
		}
		req.Inputs = append(req.Inputs, destination.Input{
			Name: in.Name, DatasetID: d.DatasetID, HDAID: d.ID, Title: d.Name, Ext: d.Ext, Size: d.Size, Path: d.Path, DBKey: d.DBKey, Metadata: d.Metadata,
		})
	}
	if p.job.UserID == 0 {
		return req, nil
	}
	u, err := store.UserByID(ctx, h.DB, p.job.UserID)
	if err != nil {
		return req, err
	}
	roles, err := store.RolesOf(ctx, h.DB, u.ID)
	if err != nil {
		return req, err
	}
	req.User = &destination.User{ID: u.ID, Email: u.Email, Username: u.Username}
	for _, r := range roles {
		req.User.Roles = append(req.User.Roles, r.Name)
	}
	tags, err := store.Tags(ctx, h.DB, store.TagHistory, []int64{p.job.HistoryID})
	req.Job.HistoryTags = tags[p.job.HistoryID]
	return req, err
}

// plain turns a tool's values into mappings and lists that rules know.
func plain(v any) any {
	switch v := v.(type) {
	case tool.Values:
		m := make(map[string]any, len(v))
		for name, value := range v {
			m[name] = plain(value)
		}
		return m
	case map[string]any:
		return plain(tool.Values(v))
	case []tool.Values:
		l := make([]any, len(v))
		for i := range v {
			l[i] = plain(v[i])
		}
		return l
	case []any:
		l := make([]any, len(v))
		for i := range v {
			l[i] = plain(v[i])
		}
		return l
	}
	return v
}

// readRoute gives where an attempt was sent, from its folder, or else from the
// job's row.
func readRoute(p *prepared) (destination.Choice, bool) {
	var route destination.Choice
	text, err := os.ReadFile(p.dir.RouteFile(p.claim.Attempt))
	if err == nil && json.Unmarshal(text, &route) == nil && route.Runner != "" {
		return route, true
	}
	route = destination.Choice{ID: p.job.DestinationID, Runner: p.job.RunnerName, Params: map[string]string{}}
	if len(p.job.DestinationParam) > 0 && json.Unmarshal(p.job.DestinationParam, &route.Params) != nil {
		route.Params = map[string]string{}
	}
	return route, false
}

func writeRoute(p *prepared) error {
	return jobdir.WriteFile(p.dir.RouteFile(p.claim.Attempt), store.JSON(p.route), 0o644)
}

// setup are the lines of a destination's environment.
func setup(env []destination.Env) ([]string, error) {
	var lines []string
	for _, e := range env {
		switch {
		case e.File != "":
			lines = append(lines, ". "+e.File)
		case e.Execute != "":
			lines = append(lines, e.Execute)
		case !jobdir.ValidEnvName(e.Name):
			return nil, fmt.Errorf("the destination names an environment variable %q, which no shell knows", e.Name)
		case e.Raw:
			lines = append(lines, "export "+e.Name+"="+e.Value)
		default:
			lines = append(lines, "export "+e.Name+"="+jobdir.Quote(e.Value))
		}
	}
	return lines, nil
}

// delayParam is the parameter of a destination that holds how many seconds a
// resubmitted job waits, as in Galaxy.
const delayParam = "__resubmit_delay_seconds"

// delayLeft is how long a resubmitted job still has to wait.
func delayLeft(sent time.Time, params map[string]string, now time.Time) time.Duration {
	d, err := time.ParseDuration(params[delayParam] + "s")
	if err != nil {
		return 0
	}
	return sent.Add(d).Sub(now)
}

// walltime is how long a job may run at a destination: what the destination's own
// parameter says (hours:minutes:seconds), told apart from the server's limit.
func (h *Handler) walltime(params map[string]string) (limit time.Duration, own bool) {
	limit = h.Walltime
	if d, ok := clock(params["walltime"]); ok && d > 0 && (limit == 0 || d < limit) {
		return d, true
	}
	return limit, false
}

// clock reads hours:minutes:seconds.
func clock(text string) (time.Duration, bool) {
	var h, m, s int
	if strings.Count(text, ":") != 2 {
		return 0, false
	}
	if n, err := fmt.Sscanf(text, "%d:%d:%d", &h, &m, &s); n != 3 || err != nil || h < 0 || m < 0 || s < 0 || h > 1e6 {
		return 0, false
	}
	return time.Duration(h)*time.Hour + time.Duration(m)*time.Minute + time.Duration(s)*time.Second, true
}
