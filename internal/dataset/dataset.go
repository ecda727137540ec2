package dataset

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"orrery/internal/access"
	"orrery/internal/datatype"
	"orrery/internal/galaxy"
	"orrery/internal/objectstore"
	"orrery/internal/store"
)

// Service does things with datasets on people's behalf.
type Service struct {
	DB      *store.DB
	Objects *objectstore.Disk
	Types   *datatype.Registry
	Log     *slog.Logger
	// TrustHTML shows HTML as tools wrote it (sanitize_all_html: false).
	TrustHTML bool
	// TrustTool tells whether a tool's HTML may be shown as it is (the list of
	// sanitize_allowlist_file); nil trusts none.
	TrustTool func(toolID string) bool
	// ServeActive shows SVG and XML with their own types, though browsers run
	// the scripts in them (serve_xss_vulnerable_mimetypes).
	ServeActive bool
	// KeepPurged refuses to purge (allow_user_dataset_purge: false).
	KeepPurged bool
	// JobsCancelled is called after jobs were cancelled because nobody wants
	// their outputs any more, so that handlers look; it may be nil.
	JobsCancelled func()
}

// Item is a dataset in a history with that history.
type Item struct {
	store.HDA
	History store.History
}

// StoreRef names a dataset's files in the object store.
func StoreRef(d *store.Dataset) objectstore.Dataset {
	ref := objectstore.Dataset{ID: d.ID, ExternalFilename: d.ExternalFilename, ExtraFilesPath: d.ExtraFilesPath}
	if !d.UUID.IsZero() { // as in rows of very old servers
		ref.UUID = d.UUID.String()
	}
	return ref
}

// HistoryAccess is what the rules of access ask of a history.
func HistoryAccess(h *store.History) access.History {
	return access.History{ID: h.ID, OwnerID: h.UserID, Importable: h.Importable, Published: h.Published}
}

// Mutable is an error when nothing in a history may be changed any more.
func Mutable(h *store.History) error {
	if h.Purged || h.Archived {
		return notOwned("History is immutable")
	}
	return nil
}

func notOwned(message string) error {
	return &galaxy.Error{Kind: galaxy.Forbidden, Message: message, Details: map[string]any{"err_code": 403003}}
}

func (s *Service) load(ctx context.Context, q store.Querier, id int64) (*Item, error) {
	hda, err := store.HDAByID(ctx, q, id)
	if err != nil {
		return nil, err
	}
	item := &Item{HDA: *hda}
	if hda.HistoryID != 0 {
		h, err := store.HistoryByID(ctx, q, hda.HistoryID)
		if err != nil {
			return nil, err
		}
		item.History = *h
	}
	return item, nil
}

// Get reads a dataset that the actor may see: an own one, or one that no role
// closes. As in Galaxy, whoever knows the id of a dataset without restrictions
// may see it.
func (s *Service) Get(ctx context.Context, a *galaxy.Actor, id int64) (*Item, error) {
	item, err := s.load(ctx, s.DB, id)
	if err != nil {
		return nil, err
	}
	if access.ChangeHistory(a, HistoryAccess(&item.History)) == nil {
		return item, nil
	}
	readable, err := access.ReadableDatasets(ctx, s.DB, a, []int64{item.Dataset.ID})
	if err != nil {
		return nil, err
	}
	if !readable[item.Dataset.ID] {
		return nil, galaxy.Errorf(galaxy.Forbidden, "HistoryDatasetAssociation is not accessible by user")
	}
	return item, nil
}

// Owned reads a dataset that the actor may change.
func (s *Service) Owned(ctx context.Context, a *galaxy.Actor, id int64) (*Item, error) {
	item, err := s.load(ctx, s.DB, id)
	if err != nil {
		return nil, err
	}
	if access.ChangeHistory(a, HistoryAccess(&item.History)) != nil {
		return nil, notOwned("HistoryDatasetAssociation is not owned by user")
	}
	return item, Mutable(&item.History)
}

// Change is what a person changes of a dataset; nil leaves a field as it is.
type Change struct {
	Name, Info, Annotation *string
	Tags                   *[]string
	Visible                *bool
	Deleted                *bool
	Purged                 *bool
	GenomeBuild            *string
	// Datatype is the extension of another type; "auto" has the file looked at.
	Datatype *string
	// Metadata sets elements by name, as the API prints them.
	Metadata map[string]any
}

// Update changes a dataset and gives it as it is then.
func (s *Service) Update(ctx context.Context, a *galaxy.Actor, id int64, c Change) (*Item, error) {
	item, err := s.Owned(ctx, a, id)
	if err != nil {
		return nil, err
	}
	if err := s.apply(ctx, a, &item.HDA, c); err != nil {
		return nil, err
	}
	return s.load(ctx, s.DB, id)
}

// Apply changes datasets that the actor is known to own.
func (s *Service) Apply(ctx context.Context, a *galaxy.Actor, hdas []store.HDA, c Change) error {
	for i := range hdas { // as many as one request names, each a change of its own
		if err := s.apply(ctx, a, &hdas[i], c); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) apply(ctx context.Context, a *galaxy.Actor, h *store.HDA, c Change) error {
	if h.State() == galaxy.DatasetUpload && (c.Deleted == nil || !*c.Deleted) {
		return galaxy.Errorf(galaxy.Conflict, "Please wait until this dataset finishes uploading")
	}
	if c.Deleted != nil && !*c.Deleted && h.Deleted && h.Purged {
		return galaxy.Errorf(galaxy.Forbidden, "This item has been permanently deleted and cannot be recovered.")
	}
	set, err := s.columns(h, c)
	if err != nil {
		return err
	}
	retype := c.Datatype != nil && *c.Datatype != h.Extension
	if retype {
		if err := s.mayRetype(ctx, h, *c.Datatype); err != nil {
			return err
		}
	}
	err = s.DB.Write(ctx, func(tx *store.Tx) error {
		if len(set) > 0 {
			if err := store.UpdateHDAs(ctx, tx, []int64{h.ID}, set); err != nil {
				return err
			}
		}
		if c.Tags != nil {
			if err := store.SetTags(ctx, tx, store.TagHDA, []int64{h.ID}, a.UserID(), *c.Tags); err != nil {
				return err
			}
		}
		if c.Annotation != nil {
			if err := store.SetAnnotation(ctx, tx, store.TagHDA, h.ID, a.UserID(), *c.Annotation); err != nil {
				return err
			}
		}
		if len(set) == 0 && (c.Tags != nil || c.Annotation != nil) {
			// The history shows tags, so that its watchers must see a change.
			return store.UpdateHDAs(ctx, tx, []int64{h.ID}, store.Values{})
		}
		return nil
	})
	if err != nil {
		return err
	}
	if c.Deleted != nil && *c.Deleted {
		if err := s.stopJobs(ctx, []int64{h.ID}); err != nil {
			return err
		}
	}
	if retype {
		if err := s.Retype(ctx, h.ID, *c.Datatype); err != nil {
			return err
		}
	}
	if c.Purged != nil && *c.Purged && !h.Purged {
		return s.Purge(ctx, []int64{h.ID})
	}
	return nil
}

// columns are the columns of the dataset's row that a change sets.
func (s *Service) columns(h *store.HDA, c Change) (store.Values, error) {
	set := store.Values{}
	if c.Name != nil {
		set["name"] = store.Clip(*c.Name, 255)
	}
	if c.Info != nil {
		set["info"] = store.Clip(*c.Info, 255)
	}
	if c.Visible != nil {
		set["visible"] = *c.Visible
	}
	if c.Deleted != nil {
		set["deleted"] = *c.Deleted
	}
	if c.GenomeBuild == nil && len(c.Metadata) == 0 {
		return set, nil
	}
	md, err := DecodeMetadata(h.Metadata)
	if err != nil {
		return nil, err
	}
	if c.GenomeBuild != nil {
		md["dbkey"] = []string{*c.GenomeBuild}
	}
	spec := s.Types.MetadataSpec(h.Extension)
	for name, value := range c.Metadata {
		i := slices.IndexFunc(spec, func(e datatype.Element) bool { return e.Name == name })
		if i < 0 || spec[i].ReadOnly {
			continue // as Galaxy does
		}
		md[name] = value
	}
	set["metadata"] = store.JSON(md)
	return set, nil
}

// DecodeMetadata reads the metadata column.
func DecodeMetadata(raw json.RawMessage) (datatype.Metadata, error) {
	md := datatype.Metadata{}
	if len(raw) == 0 {
		return md, nil
	}
	dec := json.NewDecoder(strings.NewReader(string(raw)))
	dec.UseNumber()
	if err := dec.Decode(&md); err != nil {
		return nil, fmt.Errorf("the dataset's metadata cannot be read: %w", err)
	}
	if md == nil {
		md = datatype.Metadata{}
	}
	for k, v := range md {
		md[k] = numbers(v)
	}
	return md, nil
}

// numbers turns whole numbers into int64, as datatype.Metadata has them, and
// others into float64, at any depth.
func numbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		f, err := v.Float64()
		if err != nil { // beyond what a float64 holds
			return v
		}
		return f
	case []any:
		for i := range v {
			v[i] = numbers(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = numbers(v[k])
		}
	}
	return v
}

// mayRetype is an error unless a dataset's type can be changed now.
func (s *Service) mayRetype(ctx context.Context, h *store.HDA, ext string) error {
	if !s.Types.Type(h.Extension).ChangeAllowed {
		return galaxy.Errorf(galaxy.Invalid, "The current datatype does not allow datatype changes.")
	}
	if ext != "auto" {
		to, ok := s.Types.Lookup(ext)
		if !ok {
			return galaxy.Errorf(galaxy.Invalid, "The target datatype does not exist.")
		}
		if !to.ChangeAllowed {
			return galaxy.Errorf(galaxy.Invalid, "The target datatype does not allow datatype changes.")
		}
	}
	used, err := store.InUse(ctx, s.DB, []int64{h.ID})
	if err != nil {
		return err
	}
	if used[h.ID] {
		return galaxy.Errorf(galaxy.Invalid, "Dataset metadata could not be updated because it is used as input or output of a running job.")
	}
	return nil
}

// Retype gives a dataset another type and reads its metadata and its peek anew
// from the file. With "auto" the file tells the type.
func (s *Service) Retype(ctx context.Context, id int64, ext string) error {
	h, err := store.HDAByID(ctx, s.DB, id)
	if err != nil {
		return err
	}
	if err := s.mayRetype(ctx, h, ext); err != nil {
		return err
	}
	path, err := s.Objects.Path(StoreRef(&h.Dataset))
	if err != nil {
		return err
	}
	if h.Purged || h.Dataset.Purged || !s.Objects.Exists(StoreRef(&h.Dataset)) {
		return galaxy.Errorf(galaxy.Invalid, "The dataset's file is gone, so that its type cannot be changed.")
	}
	if ext == "auto" {
		if ext, err = s.Types.Sniff(path, datatype.SniffOptions{}); err != nil {
			return err
		}
	}
	old, err := DecodeMetadata(h.Metadata)
	if err != nil {
		return err
	}
	set := store.Values{"extension": ext, "state": nil}
	md, err := s.Types.SetMetadata(path, ext, datatype.MetadataOptions{DBKey: DBKey(old)})
	if err != nil {
		// The type is what the person says; that the file does not fit it shows
		// in the dataset's state, as in Galaxy.
		s.Log.InfoContext(ctx, "setting metadata failed", "hda", id, "type", ext, "error", err)
		set["state"] = string(galaxy.DatasetFailedMetadata)
	}
	peek, blurb, err := s.Types.Peek(path, ext, md)
	if err != nil {
		s.Log.InfoContext(ctx, "making a peek failed", "hda", id, "type", ext, "error", err)
	}
	set["peek"], set["blurb"], set["metadata"] = peek, store.Clip(blurb, 255), store.JSON(md)
	return s.DB.Write(ctx, func(tx *store.Tx) error { return store.UpdateHDAs(ctx, tx, []int64{id}, set) })
}

// DBKey is the genome build in metadata; "?" when it is not known.
func DBKey(md datatype.Metadata) string {
	switch v := md["dbkey"].(type) {
	case string:
		return v
	case []string:
		if len(v) > 0 {
			return v[0]
		}
	case []any:
		if len(v) > 0 {
			if text, ok := v[0].(string); ok {
				return text
			}
		}
	}
	return "?"
}

// Delete marks datasets deleted that the actor is known to own, and cancels the
// jobs of which nobody wants an output any more.
func (s *Service) Delete(ctx context.Context, ids []int64, stopJobs bool) error {
	err := s.DB.Write(ctx, func(tx *store.Tx) error {
		return store.UpdateHDAs(ctx, tx, ids, store.Values{"deleted": true})
	})
	if err != nil || !stopJobs {
		return err
	}
	return s.stopJobs(ctx, ids)
}

// Undelete takes the mark back from datasets that the actor is known to own and
// that are not purged.
func (s *Service) Undelete(ctx context.Context, ids []int64) error {
	return s.DB.Write(ctx, func(tx *store.Tx) error {
		return store.UpdateHDAs(ctx, tx, ids, store.Values{"deleted": false})
	})
}

// Purge removes datasets for good that the actor is known to own. Files go when
// nobody else has a copy.
func (s *Service) Purge(ctx context.Context, ids []int64) error {
	if s.KeepPurged {
		return galaxy.Errorf(galaxy.Forbidden, "This instance does not allow user dataset purging")
	}
	var gone []store.Dataset
	err := s.DB.Write(ctx, func(tx *store.Tx) (err error) {
		gone, err = store.PurgeHDAs(ctx, tx, ids)
		return err
	})
	if err != nil {
		return err
	}
	if err := s.stopJobs(ctx, ids); err != nil {
		return err
	}
	for i := range gone {
		// A file that stays behind costs space, not correctness: the row says
		// purged.
		if err := s.Objects.Purge(StoreRef(&gone[i])); err != nil {
			s.Log.ErrorContext(ctx, "a purged dataset's files could not be removed", "dataset", gone[i].ID, "error", err)
		}
	}
	return nil
}

// stopJobs cancels the unfinished jobs all of whose outputs are deleted.
func (s *Service) stopJobs(ctx context.Context, hdaIDs []int64) error {
	unwanted, err := store.UnwantedJobs(ctx, s.DB, hdaIDs)
	if err != nil || len(unwanted) == 0 {
		return err
	}
	err = s.DB.Write(ctx, func(tx *store.Tx) error {
		for _, job := range unwanted {
			if _, err := store.CancelJob(ctx, tx, job, "Job output deleted by user before job completed."); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && s.JobsCancelled != nil {
		s.JobsCancelled()
	}
	return err
}
