package job

import (
	"context"
	"encoding/json"
	"maps"
	"sync"

	"orrery/internal/access"
	"orrery/internal/galaxy"
	"orrery/internal/objectstore"
	"orrery/internal/store"
	"orrery/internal/tool"
	"orrery/internal/wake"
)

// Service creates, shows and ends jobs.
type Service struct {
	DB        *store.DB
	Objects   *objectstore.Disk
	IDs       *galaxy.IDCodec
	Datatypes tool.Datatypes
	Wake      *wake.Bus
	// Assign gives where a new job of a tool is sent: a tag, a server name, or
	// `_default_`.
	Assign func(ctx context.Context, toolID string) (string, error)
	// ChromInfo gives the path of the chromosome lengths of a genome build.
	ChromInfo func(dbkey string) string
	// Builds are the genome builds that forms offer.
	Builds []tool.GenomeBuild
	Tables tool.DataTables
	// JobsDir is job_working_directory.
	JobsDir string
	// ExposeCommand shows everyone the command lines of their jobs, ShowMetrics
	// their metrics (Galaxy's expose_potentially_sensitive_job_metrics).
	ExposeCommand, ShowMetrics bool
	// Quota refuses new jobs of people whose disk space is used up.
	Quota func(ctx context.Context, a *galaxy.Actor) error
	// BaseURL is the server's address, for parameters that need it.
	BaseURL string

	grouping sync.Once
	group    *store.Group[*creation]
}

// datasets finds datasets on somebody's behalf.
func (s *Service) datasets(a *galaxy.Actor, history int64) *Datasets {
	return &Datasets{DB: s.DB, Objects: s.Objects, IDs: s.IDs, Actor: a, History: history}
}

// Env is what tools' forms and requests see of the server.
func (s *Service) Env(a *galaxy.Actor, history int64) *tool.Env {
	return &tool.Env{
		IDs: s.IDs, Datasets: s.datasets(a, history), Datatypes: s.Datatypes, Builds: s.Builds, Tables: s.Tables,
		ReadHead: s.readHead, BaseURL: s.BaseURL,
	}
}

func (s *Service) readHead(d *tool.DatasetInfo, n int) ([]byte, error) {
	f, err := s.Objects.Open(objectstore.Dataset{ID: d.DatasetID, UUID: d.UUID})
	if err != nil {
		return nil, err
	}
	defer f.Close()
	head := make([]byte, n)
	read, err := f.Read(head)
	if read > 0 {
		err = nil
	}
	return head[:read], err
}

// Created is a job that was created, with its outputs.
type Created struct {
	Job     *store.Job
	Outputs []store.HDA
	// Names are the outputs' names in the tool, one per Outputs.
	Names []string
}

// WritableHistory reads a history that the actor may add to.
func (s *Service) WritableHistory(ctx context.Context, a *galaxy.Actor, id int64) (*store.History, error) {
	if a.Bootstrap {
		return nil, galaxy.Errorf(galaxy.Invalid, "Only real users can execute tools or run jobs.")
	}
	if id == 0 {
		if a.UserID() != 0 {
			h, err := store.MostRecentHistory(ctx, s.DB, a.UserID())
			if err != nil {
				return nil, err
			}
			if h != nil {
				return h, nil
			}
		}
		id = a.HistoryID
	}
	if id == 0 {
		return nil, galaxy.Errorf(galaxy.Invalid, "Name the history to work in (history_id)")
	}
	h, err := store.HistoryByID(ctx, s.DB, id)
	if err != nil {
		return nil, err
	}
	if err := access.ChangeHistory(a, access.History{ID: h.ID, OwnerID: h.UserID}); err != nil {
		return nil, err
	}
	if h.Deleted || h.Purged || h.Archived {
		return nil, galaxy.Errorf(galaxy.Invalid, "The history «%s» is deleted or archived; restore it, or work in another", h.Name)
	}
	return h, nil
}

// Create makes a job of a checked request.
func (s *Service) Create(ctx context.Context, a *galaxy.Actor, history *store.History, state *tool.State) (*Created, error) {
	if s.Quota != nil {
		if err := s.Quota(ctx, a); err != nil {
			return nil, err
		}
	}
	plan, err := tool.PlanOutputs(ctx, state, tool.PlanInput{Datatypes: s.Datatypes, Tables: s.Tables, ChromInfo: s.ChromInfo})
	if err != nil {
		return nil, err
	}
	handler, err := s.Assign(ctx, state.Tool.ID)
	if err != nil {
		return nil, err
	}
	n := store.NewJob{
		ToolID: state.Tool.ID, ToolVersion: state.Tool.Version, HistoryID: history.ID, UserID: a.UserID(), SessionID: a.SessionID,
		Handler: handler,
	}
	for _, p := range state.Parameters(plan.Extras) {
		n.Parameters = append(n.Parameters, store.JobParameter{Name: p.Name, Value: p.Value})
	}
	var inputs []int64
	for _, in := range state.Inputs() {
		if in.Dataset == nil {
			continue
		}
		if in.Dataset.Deleted {
			return nil, galaxy.Errorf(galaxy.Invalid, "The dataset «%s» is deleted; restore it before you use it", in.Dataset.Name)
		}
		n.Inputs = append(n.Inputs, store.JobInput{Name: in.Name, HDA: in.Dataset.ID})
		inputs = append(inputs, in.Dataset.DatasetID)
	}
	for i := range plan.Outputs {
		out := &plan.Outputs[i]
		hda := store.NewHDA{
			Name: out.Label, Extension: out.Ext, State: galaxy.DatasetNew, Hidden: !out.Visible, Designation: out.Name,
			Blurb: "queued", DBKey: out.DBKey, CreatedFromBasename: out.CreatedFromBasename,
		}
		if out.MetadataFrom != nil {
			metadata := maps.Clone(out.MetadataFrom.Metadata)
			hda.Metadata, _ = json.Marshal(metadata) // it was decoded from JSON
		}
		n.Outputs = append(n.Outputs, hda)
		n.OutputNames = append(n.OutputNames, out.Name)
	}
	permissions, err := store.DerivePermissions(ctx, s.DB, history.ID, inputs)
	if err != nil {
		return nil, err
	}
	for i := range n.Outputs {
		n.Outputs[i].Permissions = permissions
	}
	return s.Submit(ctx, n)
}

// Submit makes a job of rows that are already decided: what uploads need, whose
// outputs follow no tool file.
func (s *Service) Submit(ctx context.Context, n store.NewJob) (*Created, error) {
	if n.Handler == "" {
		handler, err := s.Assign(ctx, n.ToolID)
		if err != nil {
			return nil, err
		}
		n.Handler = handler
	}
	c := &creation{NewJob: n}
	if err := s.creations().Write(ctx, c); err != nil {
		return nil, err
	}
	return &c.made, nil
}

// creation is a job on its way into the database.
type creation struct {
	store.NewJob
	made Created
}

// creations lets jobs that are submitted at the same time share a transaction.
func (s *Service) creations() *store.Group[*creation] {
	s.grouping.Do(func() {
		s.group = &store.Group[*creation]{DB: s.DB, Run: func(ctx context.Context, tx *store.Tx, items []*creation) error {
			news := make([]store.NewJob, len(items))
			for i, c := range items {
				news[i] = c.NewJob
			}
			jobs, outputs, err := store.CreateJobs(ctx, tx, news)
			if err != nil {
				return err
			}
			for i, c := range items {
				c.made = Created{Job: jobs[i], Outputs: outputs[i], Names: c.OutputNames}
			}
			tx.AfterCommit(func() { s.wakeHandlers(news) })
			return nil
		}}
	})
	return s.group
}

// wakeHandlers tells of new jobs: one idle handler for each of a few, and all
// that are idle of many.
func (s *Service) wakeHandlers(news []store.NewJob) {
	const few = 4
	count := map[string]int{}
	for _, n := range news {
		count[n.Handler]++
	}
	for handler, n := range count {
		if n > few {
			s.Wake.Wake(wake.Jobs(handler))
			continue
		}
		for range n {
			s.Wake.WakeOne(wake.Jobs(handler))
		}
	}
}

// Emails gives the owners' addresses of jobs by user id, when they are wanted.
func (s *Service) Emails(ctx context.Context, jobs []*store.Job, wanted bool) (map[int64]string, error) {
	emails := map[int64]string{}
	if !wanted {
		return emails, nil
	}
	var ids []int64
	for _, j := range jobs {
		if _, seen := emails[j.UserID]; !seen && j.UserID != 0 {
			emails[j.UserID] = ""
			ids = append(ids, j.UserID)
		}
	}
	users, err := store.UsersByID(ctx, s.DB, ids)
	if err != nil {
		return nil, err
	}
	for _, u := range users {
		emails[u.ID] = u.Email
	}
	return emails, nil
}

// KnownExtension tells whether a datatype exists; "auto" counts as one.
func (s *Service) KnownExtension(ext string) (string, bool) {
	return ext, ext == "auto" || ext == "_sniff_" || s.Datatypes.Known(ext)
}
