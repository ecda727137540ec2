package api

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"

	"orrery/internal/galaxy"
	"orrery/internal/job"
	"orrery/internal/jobdir"
	"orrery/internal/store"
)

// Jobs is the API of jobs.
type Jobs struct {
	Service *job.Service
	// Lock tells and sets whether handlers may take new jobs.
	Lock JobLock
}

// JobLock is the switch that keeps handlers from taking new jobs.
type JobLock interface {
	Locked() bool
	SetLocked(locked bool) error
}

// Register adds the routes.
func (j *Jobs) Register(rt *Router) {
	rt.Handle("GET /api/jobs", j.list)
	rt.Handle("GET /api/jobs/{id}", j.show)
	rt.Handle("DELETE /api/jobs/{id}", j.cancel)
	rt.Handle("PUT /api/jobs/{id}/resume", j.resume)
	rt.Handle("GET /api/jobs/{id}/inputs", j.inputs)
	rt.Handle("GET /api/jobs/{id}/outputs", j.outputs)
	rt.Handle("GET /api/jobs/{id}/metrics", j.metrics)
	rt.Handle("GET /api/datasets/{id}/metrics", j.datasetMetrics)
	rt.Handle("GET /api/jobs/{id}/common_problems", j.commonProblems)
	rt.Handle("POST /api/jobs/{id}/error", j.reportError)
	rt.Handle("GET /api/jobs/{id}/destination_params", j.destination)
	rt.Handle("GET /api/jobs/{id}/console_output", j.console)
	rt.Handle("GET /api/job_lock", j.lock)
	rt.Handle("PUT /api/job_lock", j.setLock)
}

// jobSummary is the part of a job that lists and details share.
type jobSummary struct {
	ModelClass    string  `json:"model_class"`
	ID            string  `json:"id"`
	HistoryID     any     `json:"history_id"`
	ToolID        string  `json:"tool_id"`
	State         string  `json:"state"`
	ExitCode      *int64  `json:"exit_code"`
	CreateTime    string  `json:"create_time"`
	UpdateTime    string  `json:"update_time"`
	GalaxyVersion string  `json:"galaxy_version"`
	ExternalID    *string `json:"external_id"`
	Handler       *string `json:"handler"`
	Runner        *string `json:"job_runner_name"`
	CommandLine   *string `json:"command_line"`
	UserEmail     *string `json:"user_email"`
	UserID        any     `json:"user_id"`
	// DecodedID is the row's id, in the administrator's list.
	DecodedID int64 `json:"decoded_job_id,omitempty"`
}

// apiTime is how Galaxy prints times: UTC without a zone.
func apiTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000") }

// summary prints a job; what only administrators may see stays null for others.
func (r *Request) jobSummary(j *store.Job, admin bool) jobSummary {
	s := jobSummary{
		ModelClass: "Job", ID: r.EncodeID(j.ID), HistoryID: r.EncodeIDOrNil(j.HistoryID), ToolID: j.ToolID, State: string(j.State),
		ExitCode: j.ExitCode, CreateTime: apiTime(j.CreateTime), UpdateTime: apiTime(j.UpdateTime), GalaxyVersion: j.GalaxyVersion,
	}
	if admin {
		s.ExternalID, s.Handler, s.Runner, s.CommandLine = orNil(j.ExternalID), orNil(j.Handler), orNil(j.RunnerName), orNil(j.CommandLine)
	}
	return s
}

func (j *Jobs) list(r *Request) (any, error) {
	query := r.URL.Query()
	f := store.JobFilter{
		States: query["state"], ToolIDs: query["tool_id"], OrderByCreate: r.Param("order_by") == "create_time",
	}
	f.ToolLike = append(f.ToolLike, query["tool_id_like"]...)
	var err error
	if h := r.Param("history_id"); h != "" {
		if f.HistoryID, err = r.DecodeID(h); err != nil {
			return nil, err
		}
	}
	if f.Limit, err = r.Int("limit", 500, 0); err != nil {
		return nil, err
	}
	if f.Offset, err = r.Int("offset", 0, 0); err != nil {
		return nil, err
	}
	for name, dest := range map[string]**time.Time{"date_range_min": &f.After, "date_range_max": &f.Before} {
		if s := r.Param(name); s != "" {
			t, err := parseDate(s)
			if err != nil {
				return nil, badRequest("Parameter %s must be a date such as 2026-01-31, not %q", name, s)
			}
			*dest = &t
		}
	}
	adminList := r.Param("view") == "admin_job_list"
	// Who handles jobs, and where they run, is for administrators.
	searched := []string{"tool"}
	if r.Actor.Admin {
		searched = append(searched, "handler", "runner", "user")
	}
	f.Search, f.SearchTools = searchTerms(r.Param("search"), searched...), !r.Actor.Admin
	everybody, err := r.Bool("user_details", false)
	if err != nil {
		return nil, err
	}
	everybody = everybody || adminList
	if u := r.Param("user_id"); u != "" {
		if f.UserID, err = r.DecodeID(u); err != nil {
			return nil, err
		}
		everybody = everybody || f.UserID != r.Actor.UserID()
	}
	jobs, err := j.Service.List(r.Ctx(), r.Actor, f, everybody && (adminList || f.UserID != 0 || r.Actor.Admin))
	if err != nil {
		return nil, err
	}
	emails, err := j.Service.Emails(r.Ctx(), jobs, everybody && r.Actor.Admin)
	if err != nil {
		return nil, err
	}
	out := make([]jobSummary, 0, len(jobs))
	for _, row := range jobs {
		s := r.jobSummary(row, r.Actor.Admin)
		if adminList {
			s.DecodedID = row.ID
		}
		if email, ok := emails[row.UserID]; ok {
			s.UserEmail, s.UserID = &email, r.EncodeIDOrNil(row.UserID)
		}
		out = append(out, s)
	}
	return out, nil
}

func parseDate(s string) (time.Time, error) {
	for _, form := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999", "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02"} {
		if t, err := time.Parse(form, s); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, badRequest("not a date")
}

// datasetRef names a dataset as job details do.
type datasetRef struct {
	ID   string `json:"id"`
	Src  string `json:"src"`
	UUID string `json:"uuid,omitempty"`
}

// jobDetails is a job with its parameters and associations.
type jobDetails struct {
	jobSummary
	CommandVersion    string                `json:"command_version"`
	Params            map[string]any        `json:"params"`
	Inputs            map[string]datasetRef `json:"inputs"`
	Outputs           map[string]datasetRef `json:"outputs"`
	CopiedFrom        any                   `json:"copied_from_job_id"`
	OutputCollections map[string]any        `json:"output_collections"`
}

// fullJobDetails adds what the job printed.
type fullJobDetails struct {
	jobDetails
	ToolStdout   string `json:"tool_stdout"`
	ToolStderr   string `json:"tool_stderr"`
	JobStdout    string `json:"job_stdout"`
	JobStderr    string `json:"job_stderr"`
	Stdout       string `json:"stdout"`
	Stderr       string `json:"stderr"`
	JobMessages  any    `json:"job_messages"`
	Dependencies any    `json:"dependencies"`
	Metrics      any    `json:"job_metrics"`
}

func (j *Jobs) show(r *Request) (any, error) {
	id, err := r.ID("id")
	if err != nil {
		return nil, err
	}
	d, err := j.Service.Describe(r.Ctx(), r.Actor, id)
	if err != nil {
		return nil, err
	}
	full, err := r.Bool("full", false)
	if err != nil {
		return nil, err
	}
	out := jobDetails{
		jobSummary: r.jobSummary(d.Job, r.Actor.Admin), CommandVersion: d.CommandVersion, Params: map[string]any{}, Inputs: r.datasetRefs(d.Inputs),
		Outputs: r.datasetRefs(d.Outputs), CopiedFrom: r.EncodeIDOrNil(d.CopiedFromJobID), OutputCollections: map[string]any{},
	}
	out.UserID = r.EncodeIDOrNil(d.UserID)
	if r.Actor.Admin {
		out.UserEmail = orNil(d.Email)
	}
	if r.Actor.Admin || j.Service.ExposeCommand {
		out.CommandLine = orNil(d.CommandLine)
	}
	data := map[string]bool{}
	for _, in := range d.Inputs {
		data[in.Name] = true
	}
	for _, p := range d.Parameters {
		if !data[p.Name] { // a dataset is among the inputs
			out.Params[p.Name] = p.Value
		}
	}
	if !full {
		return out, nil
	}
	f := fullJobDetails{
		jobDetails: out, ToolStdout: d.ToolStdout, ToolStderr: d.ToolStderr, JobStdout: d.JobStdout, JobStderr: d.JobStderr,
		Stdout: joinText(d.ToolStdout, d.JobStdout), Stderr: joinText(d.ToolStderr, d.JobStderr),
		JobMessages: rawOr(d.JobMessages, []any{}), Dependencies: rawOr(d.Dependencies, []any{}),
	}
	if j.Service.ShowMetrics || r.Actor.Admin {
		f.Metrics = metricsView(d.Metrics)
	}
	return f, nil
}

func joinText(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "\n" + b
}

func rawOr(raw json.RawMessage, def any) any {
	if len(raw) == 0 || string(raw) == "null" || !json.Valid(raw) {
		return def
	}
	return raw
}

func (r *Request) datasetRefs(datasets []job.Dataset) map[string]datasetRef {
	out := make(map[string]datasetRef, len(datasets))
	for _, d := range datasets {
		if d.HDA != 0 {
			out[d.Name] = datasetRef{ID: r.EncodeID(d.HDA), Src: "hda", UUID: d.UUID}
		}
	}
	return out
}

func (j *Jobs) cancel(r *Request) (any, error) {
	id, err := r.ID("id")
	if err != nil {
		return nil, err
	}
	var body struct {
		Message string `json:"message"`
	}
	if err := r.JSON(&body); err != nil {
		return nil, err
	}
	before, err := j.Service.Owned(r.Ctx(), r.Actor, id)
	if err != nil {
		return nil, err
	}
	if _, err := j.Service.Cancel(r.Ctx(), r.Actor, id, body.Message); err != nil {
		return nil, err
	}
	return !before.State.Terminal(), nil
}

func (j *Jobs) resume(r *Request) (any, error) {
	id, err := r.ID("id")
	if err != nil {
		return nil, err
	}
	if _, err := j.Service.Resume(r.Ctx(), r.Actor, id); err != nil {
		return nil, err
	}
	_, outputs, err := j.Service.Associations(r.Ctx(), id)
	if err != nil {
		return nil, err
	}
	return r.associations(outputs), nil
}

// association is an input or output as the API lists them.
type association struct {
	Name    string     `json:"name"`
	Dataset datasetRef `json:"dataset"`
}

func (r *Request) associations(datasets []job.Dataset) []association {
	out := make([]association, 0, len(datasets))
	for _, d := range datasets {
		if d.HDA != 0 {
			out = append(out, association{d.Name, datasetRef{ID: r.EncodeID(d.HDA), Src: "hda"}})
		}
	}
	return out
}

func (j *Jobs) inputs(r *Request) (any, error) {
	in, _, err := j.visibleAssociations(r)
	return r.associations(in), err
}

func (j *Jobs) outputs(r *Request) (any, error) {
	_, out, err := j.visibleAssociations(r)
	return r.associations(out), err
}

func (j *Jobs) visibleAssociations(r *Request) (inputs, outputs []job.Dataset, err error) {
	id, err := r.ID("id")
	if err != nil {
		return nil, nil, err
	}
	if _, err := j.Service.Get(r.Ctx(), r.Actor, id); err != nil {
		return nil, nil, err
	}
	return j.Service.Associations(r.Ctx(), id)
}

// metric is a metric in words.
type metric struct {
	Title    string `json:"title"`
	Value    string `json:"value"`
	Plugin   string `json:"plugin"`
	Name     string `json:"name"`
	RawValue string `json:"raw_value"`
}

// metricsView prints metrics as Galaxy's core plugin titles them.
func metricsView(metrics []store.JobMetric) []metric {
	out := make([]metric, 0, len(metrics))
	for _, m := range metrics {
		v := metric{Title: m.Name, Value: m.Value, Plugin: m.Plugin, Name: m.Name, RawValue: m.Value}
		n, err := strconv.ParseFloat(m.Value, 64)
		if m.Number && err == nil {
			v.RawValue = strconv.FormatFloat(n, 'f', 7, 64)
			switch m.Name {
			case "galaxy_slots":
				v.Title, v.Value = "Cores Allocated", strconv.Itoa(int(n))
			case "galaxy_memory_mb":
				v.Title, v.Value = "Memory Allocated (MB)", strconv.Itoa(int(n))
			case "start_epoch":
				v.Title, v.Value = "Job Start Time", time.Unix(int64(n), 0).UTC().Format("2006-01-02 15:04:05")
			case "end_epoch":
				v.Title, v.Value = "Job End Time", time.Unix(int64(n), 0).UTC().Format("2006-01-02 15:04:05")
			case "runtime_seconds":
				v.Title, v.Value = "Job Runtime (Wall Clock)", spokenSeconds(n)
			}
		}
		out = append(out, v)
	}
	return out
}

// spokenSeconds says a duration as Galaxy does: "11 seconds", "2 minutes".
func spokenSeconds(s float64) string {
	switch {
	case s > 2*86400:
		return strconv.Itoa(int(s/86400)) + " days"
	case s > 2*3600:
		return strconv.Itoa(int(s/3600)) + " hours"
	case s > 2*60:
		return strconv.Itoa(int(s/60)) + " minutes"
	}
	return strconv.Itoa(int(math.Round(s))) + " seconds"
}

func (j *Jobs) metrics(r *Request) (any, error) {
	id, err := r.ID("id")
	if err != nil {
		return nil, err
	}
	return j.metricsOf(r, id)
}

// datasetMetrics are those of the job that made a dataset.
func (j *Jobs) datasetMetrics(r *Request) (any, error) {
	id, err := r.ID("id")
	if err != nil {
		return nil, err
	}
	job, err := j.Service.CreatorOf(r.Ctx(), r.Actor, id)
	if err != nil {
		return nil, err
	}
	return j.metricsOf(r, job)
}

func (j *Jobs) metricsOf(r *Request, id int64) (any, error) {
	if _, err := j.Service.Get(r.Ctx(), r.Actor, id); err != nil {
		return nil, err
	}
	if !r.Actor.Admin && !j.Service.ShowMetrics {
		return []metric{}, nil
	}
	metrics, err := store.JobMetrics(r.Ctx(), j.Service.DB, id)
	return metricsView(metrics), err
}

// reportError would send a person's report on a failed job to the
// administrator. This server sends no mail, and says so.
func (j *Jobs) reportError(r *Request) (any, error) {
	id, err := r.ID("id")
	if err != nil {
		return nil, err
	}
	if _, err := j.Service.Get(r.Ctx(), r.Actor, id); err != nil {
		return nil, err
	}
	return map[string]any{"messages": [][2]string{{
		"This server sends no mail, so that the report was not sent. Tell its administrator the job's number: " + r.EncodeID(id) + ".", "danger",
	}}}, nil
}

func (j *Jobs) commonProblems(r *Request) (any, error) {
	in, _, err := j.visibleAssociations(r)
	if err != nil {
		return nil, err
	}
	seen, empty, duplicate := map[int64]bool{}, false, false
	for _, d := range in {
		if d.HDA == 0 {
			continue
		}
		empty = empty || d.Sized && d.Size == 0
		duplicate = duplicate || seen[d.HDA]
		seen[d.HDA] = true
	}
	return map[string]bool{"has_empty_inputs": empty, "has_duplicate_inputs": duplicate}, nil
}

// destination is shown on the job's page. Galaxy keeps it from everyone but
// administrators; so do we.
func (j *Jobs) destination(r *Request) (any, error) {
	if err := r.RequireAdmin(); err != nil {
		return nil, err
	}
	id, err := r.ID("id")
	if err != nil {
		return nil, err
	}
	row, err := j.Service.Get(r.Ctx(), r.Actor, id)
	if err != nil {
		return nil, err
	}
	out := map[string]any{}
	if len(row.DestinationParam) > 0 {
		if err := json.Unmarshal(row.DestinationParam, &out); err != nil || out == nil {
			out = map[string]any{}
		}
	}
	out["Runner"], out["Runner Job ID"], out["Handler"] = orNil(row.RunnerName), orNil(row.ExternalID), orNil(row.Handler)
	return out, nil
}

// console gives what a running job has printed so far.
func (j *Jobs) console(r *Request) (any, error) {
	id, err := r.ID("id")
	if err != nil {
		return nil, err
	}
	row, err := j.Service.Get(r.Ctx(), r.Actor, id)
	if err != nil {
		return nil, err
	}
	dir := jobdir.Of(j.Service.JobsDir, id)
	out := map[string]any{"state": string(row.State), "stdout": nil, "stderr": nil}
	for name, stored := range map[string]string{"stdout": row.ToolStdout, "stderr": row.ToolStderr} {
		position, err := r.Int(name+"_position", 0, 0)
		if err != nil {
			return nil, err
		}
		length, err := r.Int(name+"_length", 0, 0)
		if err != nil {
			return nil, err
		}
		text := stored
		if row.State == galaxy.JobRunning {
			path := dir.ToolStdout()
			if name == "stderr" {
				path = dir.ToolStderr()
			}
			if text, err = jobdir.ReadBounded(path, 1<<20); err != nil {
				return nil, err
			}
		}
		if position <= len(text) && length > 0 {
			out[name] = strings.ToValidUTF8(text[position:min(len(text), position+min(length, 1<<20))], "\uFFFD")
		}
	}
	return out, nil
}

func (j *Jobs) lock(r *Request) (any, error) {
	if err := r.RequireAdmin(); err != nil {
		return nil, err
	}
	return map[string]bool{"active": j.Lock.Locked()}, nil
}

func (j *Jobs) setLock(r *Request) (any, error) {
	if err := r.RequireAdmin(); err != nil {
		return nil, err
	}
	var body struct {
		Active bool `json:"active"`
	}
	if err := r.JSON(&body); err != nil {
		return nil, err
	}
	if err := j.Lock.SetLocked(body.Active); err != nil {
		return nil, err
	}
	return map[string]bool{"active": body.Active}, nil
}
