package api

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"strconv"
	"strings"

	"orrery/internal/datatype"
	"orrery/internal/galaxy"
	"orrery/internal/job"
	"orrery/internal/store"
	"orrery/internal/tool"
)

// Tools is the API of the toolbox, of tools' forms, and of running tools.
type Tools struct {
	Toolbox   *tool.Toolbox
	Jobs      *job.Service
	Datatypes *datatype.Registry
	// Uploads takes over requests to run Galaxy's older upload tool.
	Uploads *Uploads
}

// Register adds the routes.
func (t *Tools) Register(rt *Router) {
	rt.Handle("GET /api/tools", t.index)
	rt.Handle("POST /api/tools", t.run)
	rt.Handle("GET /api/tool_panels", t.panels)
	rt.Handle("GET /api/tool_panels/{view}", t.panel)
	rt.Handle("GET /api/tools/tests_summary", t.testsSummary)
	rt.Handle("GET /api/tools/{id}", t.show)
	rt.Handle("GET /api/tools/{id}/build", t.build)
	rt.Handle("POST /api/tools/{id}/build", t.build)
	rt.Handle("GET /api/tools/{id}/citations", t.citations)
	rt.Handle("GET /api/tools/{id}/test_data", t.testData)
	rt.Handle("GET /api/tools/{id}/requirements", t.requirements)
	rt.Handle("PUT /api/configuration/toolbox", t.reload)
	rt.Handle("GET /api/jobs/{id}/build_for_rerun", t.rerun)
	rt.Handle("GET /api/jobs/{id}/parameters_display", t.parametersDisplay)
	rt.Handle("GET /api/datasets/{id}/parameters_display", t.datasetParametersDisplay)
}

// audience is who an answer about tools is for.
func (r *Request) audience() tool.Audience {
	switch {
	case r.Actor.Admin:
		return tool.AudienceAdmin
	case r.Actor.User != nil:
		return tool.AudienceUser
	}
	return tool.AudienceAnonymous
}

// document answers with a prepared document, compressed if the client accepts
// that and empty if it has it already.
func (r *Request) document(d *tool.Document, err error) (any, error) {
	var unknown *tool.UnknownViewError
	if errors.As(err, &unknown) {
		return nil, galaxy.Errorf(galaxy.NotFound, "%w", err)
	}
	if err != nil {
		return nil, err
	}
	h := r.W.Header()
	h.Set("Content-Type", "application/json")
	h.Set("ETag", d.ETag)
	h.Set("Cache-Control", "private, no-cache")
	h.Set("Vary", "Accept-Encoding, Cookie")
	if match := r.Header.Get("If-None-Match"); match != "" && strings.Contains(match, d.ETag) {
		r.W.WriteHeader(http.StatusNotModified)
		return Written{}, nil
	}
	body := d.JSON
	if acceptsGzip(r.Request) {
		h.Set("Content-Encoding", "gzip")
		body = d.Gzip
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = r.W.Write(body)
	return Written{}, nil
}

func acceptsGzip(r *http.Request) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, quality, _ := strings.Cut(strings.TrimSpace(part), ";")
		if name == "gzip" && strings.TrimSpace(quality) != "q=0" {
			return true
		}
	}
	return false
}

func (t *Tools) index(r *Request) (any, error) {
	snapshot := t.Toolbox.Snapshot()
	if q := r.Param("q"); q != "" {
		if len(strings.TrimSpace(q)) < 3 {
			return []string{}, nil
		}
		return snapshot.Search(q, r.audience(), 200), nil
	}
	if id := r.Param("tool_id"); id != "" {
		return snapshot.VersionsOf(id), nil
	}
	inPanel, err := r.Bool("in_panel", true)
	if err != nil {
		return nil, err
	}
	help, err := r.Bool("tool_help", false)
	if err != nil {
		return nil, err
	}
	if !inPanel {
		return r.document(snapshot.FlatTools(r.audience(), help))
	}
	return r.document(snapshot.Tools(r.Param("view"), r.audience(), help))
}

func (t *Tools) panels(r *Request) (any, error) {
	return r.document(t.Toolbox.Snapshot().PanelViews())
}

func (t *Tools) panel(r *Request) (any, error) {
	return r.document(t.Toolbox.Snapshot().PanelView(r.PathValue("view"), r.audience()))
}

func (t *Tools) testsSummary(r *Request) (any, error) {
	return r.document(t.Toolbox.Snapshot().TestsSummary(r.audience()))
}

// tool finds the tool that the path's {id} and the query's version name.
func (t *Tools) tool(r *Request) (*tool.Tool, *tool.Entry, error) {
	return t.lookup(r, r.PathValue("id"), r.Param("tool_version"), false)
}

func (t *Tools) lookup(r *Request, id, version string, exact bool) (*tool.Tool, *tool.Entry, error) {
	snapshot := t.Toolbox.Snapshot()
	entry, ok := snapshot.Lookup(id, version, exact)
	if !ok {
		return nil, nil, galaxy.Errorf(galaxy.NotFound, "Could not find tool with id '%s'.", id)
	}
	if !entry.Accessible(r.audience()) {
		if r.Actor.User == nil {
			return nil, nil, galaxy.Errorf(galaxy.Unauthenticated, "Log in to use the tool «%s»", entry.Name)
		}
		return nil, nil, galaxy.Errorf(galaxy.Forbidden, "You may not use the tool «%s»", entry.Name)
	}
	parsed, err := snapshot.Tool(entry)
	if err != nil {
		return nil, nil, galaxy.Errorf(galaxy.Unavailable, "%w", err)
	}
	return parsed, entry, nil
}

func (t *Tools) show(r *Request) (any, error) {
	parsed, entry, err := t.tool(r)
	if err != nil {
		return nil, err
	}
	details, err := r.Bool("io_details", false)
	if err != nil {
		return nil, err
	}
	link, err := r.Bool("link_details", false)
	if err != nil {
		return nil, err
	}
	var inputs json.RawMessage
	if details {
		definitions, err := tool.Definitions(r.Ctx(), t.Jobs.Env(r.Actor, 0), parsed, "")
		if err != nil {
			return nil, err
		}
		if inputs, err = json.Marshal(definitions); err != nil {
			return nil, err
		}
	}
	body, err := entry.JSON(r.audience(), link, parsed, inputs)
	return json.RawMessage(body), err
}

func (t *Tools) citations(r *Request) (any, error) {
	parsed, _, err := t.tool(r)
	if err != nil {
		return nil, err
	}
	body, err := parsed.CitationsJSON()
	return json.RawMessage(body), err
}

func (t *Tools) testData(r *Request) (any, error) {
	parsed, _, err := t.tool(r)
	if err != nil {
		return nil, err
	}
	body, err := parsed.TestsJSON()
	return json.RawMessage(body), err
}

// requirements lists what a tool depends on. Nothing is resolved here: the
// commands a tool calls are looked up in the job's PATH.
func (t *Tools) requirements(r *Request) (any, error) {
	if err := r.RequireAdmin(); err != nil {
		return nil, err
	}
	_, _, err := t.tool(r)
	return []any{}, err
}

func (t *Tools) reload(r *Request) (any, error) {
	if err := r.RequireAdmin(); err != nil {
		return nil, err
	}
	if err := t.Toolbox.Reload(); err != nil {
		return nil, err
	}
	return map[string]any{"message": "The toolbox was read again.", "tools": t.Toolbox.Snapshot().Len()}, nil
}

// formRequest is what a form is built from.
type formRequest struct {
	inputs  map[string]any
	history int64
	version string
}

// form reads the parameters of a form's request, from the query or the body.
func (t *Tools) form(r *Request) (f formRequest, err error) {
	f.version = r.Param("tool_version")
	historyID := r.Param("history_id")
	f.inputs = map[string]any{}
	if r.Method == http.MethodPost {
		var body struct {
			HistoryID string          `json:"history_id"`
			Version   string          `json:"tool_version"`
			Inputs    json.RawMessage `json:"inputs"`
		}
		if err := r.JSON(&body); err != nil {
			return f, err
		}
		if body.HistoryID != "" {
			historyID = body.HistoryID
		}
		if body.Version != "" {
			f.version = body.Version
		}
		if f.inputs, err = tool.ParseInputs(body.Inputs); err != nil {
			return f, err
		}
	} else {
		for name, values := range r.URL.Query() {
			switch name {
			case "history_id", "tool_version", "key", "tool_uuid", "job_id", "id":
			default:
				f.inputs[name] = values[0]
			}
		}
	}
	if historyID != "" {
		if f.history, err = r.DecodeID(historyID); err != nil {
			return f, err
		}
		if _, err := t.Jobs.ReadableHistory(r.Ctx(), r.Actor, f.history); err != nil {
			return f, err
		}
		return f, nil
	}
	f.history, err = t.Jobs.CurrentHistory(r.Ctx(), r.Actor)
	return f, err
}

func (t *Tools) build(r *Request) (any, error) {
	f, err := t.form(r)
	if err != nil {
		return nil, err
	}
	parsed, entry, err := t.lookup(r, r.PathValue("id"), f.version, false)
	if err != nil {
		return nil, err
	}
	form, err := tool.BuildForm(r.Ctx(), t.Jobs.Env(r.Actor, f.history), parsed, tool.FormInput{
		Inputs: f.inputs, HistoryID: r.EncodeID(f.history), Entry: entry,
		Versions: t.Toolbox.Snapshot().VersionsOf(entry.ID), ShowPath: r.Actor.Admin,
	})
	if err != nil {
		return nil, err
	}
	return form.Model, nil
}

// past reads a job's parameters back, with the tool that it ran.
func (t *Tools) past(r *Request, id int64) (*store.Job, *tool.Tool, *tool.Entry, *tool.JobState, error) {
	row, err := t.Jobs.Get(r.Ctx(), r.Actor, id)
	if err != nil {
		return nil, nil, nil, nil, err
	}
	parsed, entry, err := t.lookup(r, row.ToolID, row.ToolVersion, false)
	if err != nil {
		return nil, nil, nil, nil, err
	}
	rows, err := store.JobParameters(r.Ctx(), t.Jobs.DB, id)
	if err != nil {
		return nil, nil, nil, nil, err
	}
	params := make([]tool.JobParameter, len(rows))
	for i, p := range rows {
		params[i] = tool.JobParameter{Name: p.Name, Value: p.Value}
	}
	state, err := tool.DecodeJob(r.Ctx(), parsed, params, t.Jobs.Env(r.Actor, 0).Datasets)
	return row, parsed, entry, state, err
}

func (t *Tools) rerun(r *Request) (any, error) {
	id, err := r.ID("id")
	if err != nil {
		return nil, err
	}
	row, parsed, entry, state, err := t.past(r, id)
	if err != nil {
		return nil, err
	}
	history, err := t.Jobs.CurrentHistory(r.Ctx(), r.Actor)
	if err != nil {
		return nil, err
	}
	message := ""
	if parsed.Version != row.ToolVersion {
		message = "This job was run with version '" + row.ToolVersion + "' of the tool, which is not here; this is version '" + parsed.Version + "'."
	}
	form, err := tool.BuildForm(r.Ctx(), t.Jobs.Env(r.Actor, history), parsed, tool.FormInput{
		HistoryID: r.EncodeID(history), Entry: entry, Versions: t.Toolbox.Snapshot().VersionsOf(entry.ID), ShowPath: r.Actor.Admin,
		Job: &tool.FormJob{ID: r.EncodeID(id), State: state, Message: message},
	})
	if err != nil {
		return nil, err
	}
	return form.Model, nil
}

func (t *Tools) parametersDisplay(r *Request) (any, error) {
	id, err := r.ID("id")
	if err != nil {
		return nil, err
	}
	return t.displayParameters(r, id)
}

func (t *Tools) datasetParametersDisplay(r *Request) (any, error) {
	id, err := r.ID("id")
	if err != nil {
		return nil, err
	}
	jobID, err := t.Jobs.CreatorOf(r.Ctx(), r.Actor, id)
	if err != nil {
		return nil, err
	}
	return t.displayParameters(r, jobID)
}

func (t *Tools) displayParameters(r *Request, id int64) (any, error) {
	_, outputs, err := t.Jobs.Associations(r.Ctx(), id)
	if err != nil {
		return nil, err
	}
	named := map[string][]map[string]any{}
	answer := map[string]any{"parameters": []any{}, "has_parameter_errors": false, "outputs": named}
	row, parsed, _, state, err := t.past(r, id)
	switch {
	case galaxy.KindOf(err) == galaxy.NotFound && row == nil:
		// The tool is gone, or is one of the server's own; the job is still shown.
		if _, err := t.Jobs.Get(r.Ctx(), r.Actor, id); err != nil {
			return nil, err
		}
	case err != nil:
		return nil, err
	default:
		answer["parameters"] = state.Display(t.Jobs.IDs)
		answer["has_parameter_errors"] = len(state.Lost) > 0
	}
	for _, o := range outputs {
		label := o.Name
		if parsed != nil {
			if def := parsed.OutputsByName[o.Name]; def != nil && def.Label != nil && !strings.Contains(*def.Label, "$") {
				label = *def.Label
			} else {
				label = parsed.Name
			}
		}
		named[o.Name] = append(named[o.Name], map[string]any{
			"label": label, "value": map[string]any{"id": r.EncodeID(o.HDA), "src": "hda"},
		})
	}
	return answer, nil
}

// runRequest is the body of POST /api/tools, as JSON or as a form.
type runRequest struct {
	ToolID, ToolVersion, HistoryID string
	Inputs                         json.RawMessage
	InputFormat                    string
}

// run creates a job.
func (t *Tools) run(r *Request) (any, error) {
	f, err := t.Uploads.readFields(r)
	if err != nil {
		return nil, err
	}
	if f.text("tool_id") == "upload1" {
		return t.Uploads.upload1(r, f)
	}
	body := runRequest{
		ToolID: f.text("tool_id"), ToolVersion: f.text("tool_version"), HistoryID: f.text("history_id"), Inputs: f["inputs"],
		InputFormat: f.text("input_format"),
	}
	if body.ToolID == "" {
		return nil, badRequest("Name the tool to run (tool_id)")
	}
	if r.Actor.Bootstrap {
		return nil, badRequest("Only real users can execute tools or run jobs.")
	}
	history := int64(0)
	if body.HistoryID != "" {
		if history, err = r.DecodeID(body.HistoryID); err != nil {
			return nil, err
		}
	}
	h, err := t.Jobs.WritableHistory(r.Ctx(), r.Actor, history)
	if err != nil {
		return nil, err
	}
	parsed, _, err := t.lookup(r, body.ToolID, body.ToolVersion, body.ToolVersion != "")
	if err != nil {
		return nil, err
	}
	inputs, err := tool.ParseInputs(body.Inputs)
	if err != nil {
		return nil, err
	}
	if body.InputFormat == "" {
		if s, ok := inputs["input_format"].(string); ok {
			body.InputFormat = s
			delete(inputs, "input_format")
		}
	}
	requests, err := tool.Expand(parsed, inputs, body.InputFormat)
	if err != nil {
		return nil, err
	}
	answer := newToolAnswer()
	env := t.Jobs.Env(r.Actor, h.ID)
	for _, one := range requests { // one: running a tool over many inputs comes with collections
		state, wrong, err := tool.Populate(r.Ctx(), env, parsed, one, body.InputFormat)
		if err != nil {
			return nil, err
		}
		if err := wrong.Err(); err != nil {
			return nil, err
		}
		created, err := t.Jobs.Create(r.Ctx(), r.Actor, h, state)
		if err != nil {
			return nil, err
		}
		answer.add(r, t.Datatypes, created)
	}
	return answer, nil
}

// toolAnswer is the answer of POST /api/tools.
type toolAnswer struct {
	Outputs             []map[string]any `json:"outputs"`
	OutputCollections   []any            `json:"output_collections"`
	Jobs                []createdJob     `json:"jobs"`
	ImplicitCollections []any            `json:"implicit_collections"`
	EntryPoints         bool             `json:"produces_entry_points"`
}

// createdJob is a job in that answer.
type createdJob struct {
	ModelClass    string `json:"model_class"`
	ID            string `json:"id"`
	State         string `json:"state"`
	ExitCode      any    `json:"exit_code"`
	UpdateTime    string `json:"update_time"`
	CreateTime    string `json:"create_time"`
	GalaxyVersion string `json:"galaxy_version"`
	ToolID        string `json:"tool_id"`
	ToolVersion   string `json:"tool_version"`
	HistoryID     string `json:"history_id"`
}

func newToolAnswer() *toolAnswer {
	return &toolAnswer{Outputs: []map[string]any{}, OutputCollections: []any{}, Jobs: []createdJob{}, ImplicitCollections: []any{}}
}

func (a *toolAnswer) add(r *Request, types *datatype.Registry, c *job.Created) {
	j := c.Job
	a.Jobs = append(a.Jobs, createdJob{
		ModelClass: "Job", ID: r.EncodeID(j.ID), State: string(j.State), UpdateTime: apiTime(j.UpdateTime), CreateTime: apiTime(j.CreateTime),
		GalaxyVersion: j.GalaxyVersion, ToolID: j.ToolID, ToolVersion: j.ToolVersion, HistoryID: r.EncodeID(j.HistoryID),
	})
	for i := range c.Outputs {
		h := &c.Outputs[i]
		out := map[string]any{
			"id": r.EncodeID(h.ID), "hda_ldda": "hda", "uuid": h.Dataset.UUID.String(), "hid": h.HID, "file_ext": h.Extension,
			"peek": orNil(h.Peek), "model_class": "HistoryDatasetAssociation", "name": h.Name, "deleted": h.Deleted, "purged": h.Purged,
			"visible": h.Visible, "state": string(h.State()), "history_content_type": "dataset", "file_size": h.Dataset.FileSize,
			"create_time": apiTime(h.CreateTime), "update_time": apiTime(h.UpdateTime), "data_type": dataType(types, h.Extension),
			"genome_build": "?", "validated_state": h.ValidatedState, "validated_state_message": nil, "misc_info": orNil(h.Info),
			"misc_blurb": orNil(h.Blurb), "tags": []string{}, "history_id": r.EncodeID(h.HistoryID), "output_name": c.Names[i],
		}
		maps.Copy(out, metadataFields(types, h))
		if k, ok := out["metadata_dbkey"].(string); ok {
			out["genome_build"] = k
		}
		a.Outputs = append(a.Outputs, out)
	}
}

// dataType is Galaxy's name for the class of a datatype.
func dataType(types *datatype.Registry, ext string) string {
	return "galaxy.datatypes." + types.Type(ext).Class
}

// metadataFields are a dataset's metadata as the API prints them.
func metadataFields(types *datatype.Registry, h *store.HDA) map[string]any {
	var stored datatype.Metadata
	if len(h.Metadata) > 0 {
		if err := json.Unmarshal(h.Metadata, &stored); err != nil {
			stored = nil // a broken row of an old server must not stop the answer
		}
	}
	return types.APIMetadata(h.Extension, stored)
}
