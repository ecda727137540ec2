package job

import (
	"context"
	"slices"

	"orrery/internal/access"
	"orrery/internal/galaxy"
	"orrery/internal/store"
	"orrery/internal/wake"
)

// Dataset is an input or output of a job, as the API names it.
type Dataset struct {
	Name string
	HDA  int64
	UUID string
	HID  int64
	// Title is the dataset's name in its history.
	Title string
	// Size is the file's, in bytes; Sized tells whether it is known.
	Size  int64
	Sized bool
	// ToolVersion is what the tool's version command printed.
	ToolVersion string
}

// Details is all that is known of one job.
type Details struct {
	*store.Job
	Parameters      []store.JobParameter
	Inputs, Outputs []Dataset
	Metrics         []store.JobMetric
	// CommandVersion is what the tool's version command printed.
	CommandVersion string
	// Email is the owner's; empty for a visitor's job.
	Email string
}

// Get reads a job that the actor may see: its owner, an administrator, or who
// may see all of its outputs.
func (s *Service) Get(ctx context.Context, a *galaxy.Actor, id int64) (*store.Job, error) {
	j, err := store.JobByID(ctx, s.DB, id)
	if err != nil {
		return nil, err
	}
	if s.owns(a, j) {
		return j, nil
	}
	outputs, err := store.JobOutputs(ctx, s.DB, id)
	if err != nil {
		return nil, err
	}
	ids := make([]int64, len(outputs))
	for i, o := range outputs {
		ids[i] = o.HDA
	}
	hdas, err := store.HDAs(ctx, s.DB, ids)
	if err != nil {
		return nil, err
	}
	visible, err := s.datasets(a, 0).visible(ctx, hdas)
	if err != nil {
		return nil, err
	}
	if len(visible) == 0 || len(visible) < len(outputs) {
		return nil, galaxy.Errorf(galaxy.Forbidden, "Job not accessible by user.")
	}
	return j, nil
}

// owns tells whether a job is the actor's own or an administrator asks.
func (s *Service) owns(a *galaxy.Actor, j *store.Job) bool {
	switch {
	case a.Admin:
		return true
	case j.UserID != 0:
		return a.UserID() == j.UserID
	}
	return a.UserID() == 0 && j.SessionID != 0 && a.SessionID == j.SessionID
}

// Owned is Get for changes: only the owner or an administrator.
func (s *Service) Owned(ctx context.Context, a *galaxy.Actor, id int64) (*store.Job, error) {
	j, err := store.JobByID(ctx, s.DB, id)
	if err != nil {
		return nil, err
	}
	if !s.owns(a, j) {
		return nil, access.Denied("You may only change your own jobs.")
	}
	return j, nil
}

// Describe reads everything about a job that the actor may see.
func (s *Service) Describe(ctx context.Context, a *galaxy.Actor, id int64) (*Details, error) {
	j, err := s.Get(ctx, a, id)
	if err != nil {
		return nil, err
	}
	d := &Details{Job: j}
	if d.Parameters, err = store.JobParameters(ctx, s.DB, id); err != nil {
		return nil, err
	}
	if d.Inputs, d.Outputs, err = s.Associations(ctx, id); err != nil {
		return nil, err
	}
	if d.Metrics, err = store.JobMetrics(ctx, s.DB, id); err != nil {
		return nil, err
	}
	if j.UserID != 0 {
		u, err := store.UserByID(ctx, s.DB, j.UserID)
		if err != nil {
			return nil, err
		}
		d.Email = u.Email
	}
	if len(d.Outputs) > 0 {
		d.CommandVersion = d.Outputs[0].ToolVersion
	}
	return d, nil
}

// Associations gives the inputs and outputs of a job.
func (s *Service) Associations(ctx context.Context, id int64) (inputs, outputs []Dataset, err error) {
	in, err := store.JobInputs(ctx, s.DB, id)
	if err != nil {
		return nil, nil, err
	}
	out, err := store.JobOutputs(ctx, s.DB, id)
	if err != nil {
		return nil, nil, err
	}
	var ids []int64
	for _, i := range in {
		if i.HDA != 0 && !slices.Contains(ids, i.HDA) {
			ids = append(ids, i.HDA)
		}
	}
	for _, o := range out {
		ids = append(ids, o.HDA)
	}
	hdas, err := store.HDAs(ctx, s.DB, ids)
	if err != nil {
		return nil, nil, err
	}
	byID := make(map[int64]*store.HDA, len(hdas))
	for i := range hdas {
		byID[hdas[i].ID] = &hdas[i]
	}
	describe := func(name string, id int64) Dataset {
		d := Dataset{Name: name, HDA: id}
		if h := byID[id]; h != nil {
			d.HID, d.Title, d.Size, d.Sized, d.ToolVersion = h.HID, h.Name, h.Dataset.FileSize, h.Dataset.Sized, h.ToolVersion
			if !h.Dataset.UUID.IsZero() {
				d.UUID = h.Dataset.UUID.String()
			}
		}
		return d
	}
	for _, i := range in {
		inputs = append(inputs, describe(i.Name, i.HDA))
	}
	for _, o := range out {
		outputs = append(outputs, describe(o.Name, o.HDA))
	}
	return inputs, outputs, nil
}

// List lists jobs that the actor may see: their own, those of a history they
// may see, or everybody's for an administrator who asks for them.
func (s *Service) List(ctx context.Context, a *galaxy.Actor, f store.JobFilter, everybody bool) ([]*store.Job, error) {
	switch {
	case everybody:
		if err := access.Admin(a); err != nil {
			return nil, err
		}
	case f.HistoryID != 0:
		h, err := store.HistoryByID(ctx, s.DB, f.HistoryID)
		if err != nil {
			return nil, err
		}
		if err := access.SeeHistory(ctx, s.DB, a, access.History{
			ID: h.ID, OwnerID: h.UserID, Importable: h.Importable, Published: h.Published,
		}); err != nil {
			return nil, err
		}
	case a.UserID() == 0:
		return nil, nil
	default:
		f.UserID = a.UserID()
	}
	return store.ListJobs(ctx, s.DB, f)
}

// Cancel ends a job on the actor's behalf, and tells its handler.
func (s *Service) Cancel(ctx context.Context, a *galaxy.Actor, id int64, message string) (galaxy.JobState, error) {
	if _, err := s.Owned(ctx, a, id); err != nil {
		return "", err
	}
	if message == "" {
		message = "Job stopped by user."
	}
	var state galaxy.JobState
	err := s.DB.Write(ctx, func(tx *store.Tx) (err error) {
		state, err = store.CancelJob(ctx, tx, id, message)
		tx.AfterCommit(func() { s.Wake.Wake(CancelTopic); s.Wake.Wake(NewTopic) })
		return err
	})
	return state, err
}

// Resume lets a paused job go on.
func (s *Service) Resume(ctx context.Context, a *galaxy.Actor, id int64) (*store.Job, error) {
	j, err := s.Owned(ctx, a, id)
	if err != nil {
		return nil, err
	}
	handler, err := s.Assign(ctx, j.ToolID)
	if err != nil {
		return nil, err
	}
	err = s.DB.Write(ctx, func(tx *store.Tx) error {
		tx.AfterCommit(func() { s.Wake.Wake(wake.Jobs(handler)) })
		return store.ResumeJobs(ctx, tx, []int64{id}, handler)
	})
	if err != nil {
		return nil, err
	}
	return store.JobByID(ctx, s.DB, id)
}

// The topics of wake-ups about jobs.
const (
	// NewTopic says that there may be jobs to claim.
	NewTopic = "jobs"
	// CancelTopic says that a person ended a job that a handler has.
	CancelTopic = "cancel"
)

// ReadableHistory reads a history that the actor may see.
func (s *Service) ReadableHistory(ctx context.Context, a *galaxy.Actor, id int64) (*store.History, error) {
	h, err := store.HistoryByID(ctx, s.DB, id)
	if err != nil {
		return nil, err
	}
	return h, access.SeeHistory(ctx, s.DB, a, access.History{ID: h.ID, OwnerID: h.UserID, Importable: h.Importable, Published: h.Published})
}

// CurrentHistory is the history that the actor works in: the session's, else
// the user's most recent one; 0 if there is none.
func (s *Service) CurrentHistory(ctx context.Context, a *galaxy.Actor) (int64, error) {
	if a.HistoryID != 0 || a.UserID() == 0 {
		return a.HistoryID, nil
	}
	h, err := store.MostRecentHistory(ctx, s.DB, a.UserID())
	if err != nil || h == nil {
		return 0, err
	}
	return h.ID, nil
}

// CreatorOf gives the job that made a dataset which the actor may see.
func (s *Service) CreatorOf(ctx context.Context, a *galaxy.Actor, hda int64) (int64, error) {
	h, err := store.HDAByID(ctx, s.DB, hda)
	if err != nil {
		return 0, err
	}
	visible, err := s.datasets(a, 0).visible(ctx, []store.HDA{*h})
	if err != nil {
		return 0, err
	}
	if len(visible) == 0 {
		return 0, galaxy.Errorf(galaxy.Forbidden, "HistoryDatasetAssociation is not accessible by user")
	}
	if h.Dataset.JobID == 0 {
		return 0, galaxy.Errorf(galaxy.NotFound, "No job made this dataset")
	}
	return h.Dataset.JobID, nil
}
