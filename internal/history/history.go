package history

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"orrery/internal/access"
	"orrery/internal/dataset"
	"orrery/internal/galaxy"
	"orrery/internal/store"
)

// Service does things with histories on people's behalf.
type Service struct {
	DB       *store.DB
	Datasets *dataset.Service
}

// See reads a history that the actor may see.
func (s *Service) See(ctx context.Context, a *galaxy.Actor, id int64) (*store.History, error) {
	h, err := store.HistoryByID(ctx, s.DB, id)
	if err != nil {
		return nil, err
	}
	return h, access.SeeHistory(ctx, s.DB, a, dataset.HistoryAccess(h))
}

// Owned reads a history that the actor may change.
func (s *Service) Owned(ctx context.Context, a *galaxy.Actor, id int64) (*store.History, error) {
	h, err := store.HistoryByID(ctx, s.DB, id)
	if err != nil {
		return nil, err
	}
	return h, access.ChangeHistory(a, dataset.HistoryAccess(h))
}

// Mutable is Owned, with an error also when nothing in it may be changed any
// more.
func (s *Service) Mutable(ctx context.Context, a *galaxy.Actor, id int64) (*store.History, error) {
	h, err := s.Owned(ctx, a, id)
	if err != nil {
		return nil, err
	}
	return h, dataset.Mutable(h)
}

// Current gives the current history of the actor's session, made if there is
// none; without a session, the user's most recent one.
func (s *Service) Current(ctx context.Context, a *galaxy.Actor) (*store.History, error) {
	id := a.HistoryID
	if id == 0 && a.SessionID != 0 {
		err := s.DB.Write(ctx, func(tx *store.Tx) (err error) {
			id, err = store.EnsureSessionHistory(ctx, tx, a.SessionID)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	if id != 0 {
		return store.HistoryByID(ctx, s.DB, id)
	}
	if a.UserID() == 0 {
		return nil, galaxy.Errorf(galaxy.NotFound, "No accessible history found.")
	}
	h, err := store.MostRecentHistory(ctx, s.DB, a.UserID())
	if errors.Is(err, store.ErrNoRows) {
		return s.Create(ctx, a, "")
	}
	return h, err
}

// MostRecent gives the actor's history that changed last.
func (s *Service) MostRecent(ctx context.Context, a *galaxy.Actor) (*store.History, error) {
	missing := galaxy.Errorf(galaxy.NotFound, "No accessible history found.")
	if a.UserID() == 0 {
		if a.HistoryID == 0 {
			return nil, missing
		}
		return store.HistoryByID(ctx, s.DB, a.HistoryID)
	}
	h, err := store.MostRecentHistory(ctx, s.DB, a.UserID())
	if errors.Is(err, store.ErrNoRows) {
		return nil, missing
	}
	return h, err
}

// SetCurrent makes an own history the current one of the actor's session.
func (s *Service) SetCurrent(ctx context.Context, a *galaxy.Actor, id int64) (*store.History, error) {
	h, err := s.Owned(ctx, a, id)
	if err != nil || a.SessionID == 0 {
		return h, err
	}
	return h, s.DB.Write(ctx, func(tx *store.Tx) error { return store.SetSessionHistory(ctx, tx, a.SessionID, id) })
}

// CreateCurrent makes a history and the current one of the actor's session.
func (s *Service) CreateCurrent(ctx context.Context, a *galaxy.Actor, name string) (*store.History, error) {
	if a.UserID() == 0 && a.SessionID == 0 {
		return nil, access.LoginRequired("You need to be logged in to create histories.")
	}
	unknown := "?"
	return s.create(ctx, a, store.History{UserID: a.UserID(), Name: name, GenomeBuild: &unknown}, a.SessionID)
}

// Create makes a history of the actor's.
func (s *Service) Create(ctx context.Context, a *galaxy.Actor, name string) (*store.History, error) {
	if err := mayCreate(a); err != nil {
		return nil, err
	}
	return s.create(ctx, a, store.History{UserID: a.UserID(), Name: name}, 0)
}

func mayCreate(a *galaxy.Actor) error {
	if a.Bootstrap {
		return &galaxy.Error{Kind: galaxy.Invalid, Message: "Only real users can create histories.", Details: map[string]any{"err_code": 0}}
	}
	if a.Anonymous() {
		return access.LoginRequired("You need to be logged in to create histories.")
	}
	return nil
}

func (s *Service) create(ctx context.Context, a *galaxy.Actor, h store.History, sessionID int64) (*store.History, error) {
	h.Name = strings.TrimSpace(h.Name)
	var id int64
	err := s.DB.Write(ctx, func(tx *store.Tx) (err error) {
		if id, err = store.CreateHistory(ctx, tx, h); err != nil || sessionID == 0 {
			return err
		}
		return store.SetSessionHistory(ctx, tx, sessionID, id)
	})
	if err != nil {
		return nil, err
	}
	return store.HistoryByID(ctx, s.DB, id)
}

// Copy makes a copy of a history that the actor may see, with its datasets
// (also the deleted ones with all); what roles close to the actor is left out.
func (s *Service) Copy(ctx context.Context, a *galaxy.Actor, id int64, name string, all bool) (*store.History, error) {
	if a.Bootstrap || (a.Anonymous() && a.SessionID == 0) {
		return nil, mayCreate(a)
	}
	original, err := s.See(ctx, a, id)
	if err != nil {
		return nil, err
	}
	no := false
	q := store.ContentQuery{HistoryID: id, Types: []string{store.ContentDataset}}
	if !all {
		q.Deleted = &no
	}
	contents, err := store.Contents(ctx, s.DB, q)
	if err != nil {
		return nil, err
	}
	var found []*store.HDA
	for _, c := range contents {
		if c.HDA != nil && !c.HDA.Purged {
			found = append(found, c.HDA)
		}
	}
	readable, err := s.Readable(ctx, a, original, found)
	if err != nil {
		return nil, err
	}
	var hdas []store.HDA
	for _, h := range found {
		if readable[h.ID] {
			hdas = append(hdas, *h)
		}
	}
	tags, err := store.Tags(ctx, s.DB, store.TagHistory, []int64{id})
	if err != nil {
		return nil, err
	}
	annotations, err := store.Annotations(ctx, s.DB, store.TagHistory, []int64{id})
	if err != nil {
		return nil, err
	}
	var made int64
	err = s.DB.Write(ctx, func(tx *store.Tx) (err error) {
		made, err = store.CreateHistory(ctx, tx, store.History{
			UserID: a.UserID(), Name: cmp.Or(strings.TrimSpace(name), fmt.Sprintf("Copy of '%s'", original.Name)), GenomeBuild: original.GenomeBuild,
		})
		if err != nil {
			return err
		}
		if _, err := store.CopyHDAs(ctx, tx, made, hdas, true); err != nil {
			return err
		}
		if err := store.UpdateHistories(ctx, tx, []int64{made}, store.Values{"hid_counter": original.HIDCounter}); err != nil {
			return err
		}
		if err := store.AddTags(ctx, tx, store.TagHistory, []int64{made}, a.UserID(), tags[id]); err != nil {
			return err
		}
		if text := annotations[id]; text != "" && a.UserID() != 0 {
			if err := store.SetAnnotation(ctx, tx, store.TagHistory, made, a.UserID(), text); err != nil {
				return err
			}
		}
		if a.UserID() == 0 { // a visitor has one history only
			return store.SetSessionHistory(ctx, tx, a.SessionID, made)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return store.HistoryByID(ctx, s.DB, made)
}

// Change is what a person changes of a history; nil leaves a field as it is.
type Change struct {
	Name, Annotation, GenomeBuild *string
	PreferredObjectStoreID        *string
	Tags                          *[]string
	Published, Importable         *bool
	Deleted, Purged               *bool
}

// Update changes a history and gives it as it is then.
func (s *Service) Update(ctx context.Context, a *galaxy.Actor, id int64, c Change) (*store.History, error) {
	h, err := s.Mutable(ctx, a, id)
	if err != nil {
		return nil, err
	}
	if c.Purged != nil && *c.Purged {
		if err := s.purge(ctx, id); err != nil {
			return nil, err
		}
	}
	err = s.DB.Write(ctx, func(tx *store.Tx) error {
		set := store.Values{}
		if c.Name != nil {
			set["name"] = store.Clip(*c.Name, 255)
		}
		if c.GenomeBuild != nil {
			set["genome_build"] = store.Clip(*c.GenomeBuild, 40)
		}
		if c.PreferredObjectStoreID != nil {
			set["preferred_object_store_id"] = store.OrNull(store.Clip(*c.PreferredObjectStoreID, 255))
		}
		if c.Deleted != nil {
			set["deleted"] = *c.Deleted
		}
		if err := s.open(ctx, tx, h, c, set); err != nil {
			return err
		}
		if c.Tags != nil {
			if err := store.SetTags(ctx, tx, store.TagHistory, []int64{id}, a.UserID(), *c.Tags); err != nil {
				return err
			}
		}
		if c.Annotation != nil {
			if err := store.SetAnnotation(ctx, tx, store.TagHistory, id, a.UserID(), *c.Annotation); err != nil {
				return err
			}
		}
		if len(set) == 0 && c.Tags == nil && c.Annotation == nil {
			return nil
		}
		return store.UpdateHistories(ctx, tx, []int64{id}, set)
	})
	if err != nil {
		return nil, err
	}
	return store.HistoryByID(ctx, s.DB, id)
}

// open sets the columns that open a history to others. A published history is
// importable too, and an importable one needs an address.
func (s *Service) open(ctx context.Context, tx *store.Tx, h *store.History, c Change, set store.Values) error {
	importable, published := h.Importable, h.Published
	if c.Importable != nil {
		importable = *c.Importable
	}
	if c.Published != nil {
		published = *c.Published
		importable = importable || published
	}
	if c.Importable == nil && c.Published == nil {
		return nil
	}
	if !importable {
		published = false
	}
	if importable && h.UserID == 0 {
		return galaxy.Errorf(galaxy.Invalid, "Log in to share a history: one without an owner has no address.")
	}
	set["importable"], set["published"] = importable, published
	if !importable || h.Slug != "" {
		return nil
	}
	named := *h
	if c.Name != nil {
		named.Name = *c.Name
	}
	slug, err := freeSlug(ctx, tx, &named)
	set["slug"] = slug
	return err
}

var notInSlug = regexp.MustCompile(`[^a-zA-Z0-9\-]`)

// freeSlug makes the last part of a history's address from its name.
func freeSlug(ctx context.Context, tx *store.Tx, h *store.History) (string, error) {
	base := notInSlug.ReplaceAllString(strings.Join(strings.Fields(strings.ToLower(h.Name)), "-"), "")
	base = cmp.Or(strings.Trim(base, "-"), "unnamed-history")
	for n := 0; n < 1000; n++ {
		slug := base
		if n > 0 {
			slug = fmt.Sprintf("%s-%d", base, n)
		}
		taken, err := store.SlugTaken(ctx, tx, h.UserID, h.ID, slug)
		if err != nil || !taken {
			return slug, err
		}
	}
	return "", galaxy.Errorf(galaxy.Conflict, "You have too many shared histories of this name; rename this one first.")
}

// Delete marks histories deleted, or removes them and their datasets for good.
// Nothing happens unless all of them are the actor's.
func (s *Service) Delete(ctx context.Context, a *galaxy.Actor, ids []int64, purge bool) ([]store.History, error) {
	for _, id := range ids {
		if _, err := s.Mutable(ctx, a, id); err != nil {
			return nil, err
		}
	}
	if purge {
		for _, id := range ids {
			if err := s.purge(ctx, id); err != nil {
				return nil, err
			}
		}
	}
	err := s.DB.Write(ctx, func(tx *store.Tx) error {
		return store.UpdateHistories(ctx, tx, ids, store.Values{"deleted": true})
	})
	if err != nil {
		return nil, err
	}
	return store.Histories(ctx, s.DB, ids)
}

func (s *Service) purge(ctx context.Context, id int64) error {
	hdas, err := store.HDAIDs(ctx, s.DB, id)
	if err != nil {
		return err
	}
	if err := s.Datasets.Purge(ctx, hdas); err != nil {
		return err
	}
	return s.DB.Write(ctx, func(tx *store.Tx) error {
		return store.UpdateHistories(ctx, tx, []int64{id}, store.Values{"deleted": true, "purged": true})
	})
}

// Undelete takes the mark back from histories that are not purged. Nothing
// happens unless all of them are the actor's.
func (s *Service) Undelete(ctx context.Context, a *galaxy.Actor, ids []int64) ([]store.History, error) {
	for _, id := range ids {
		if _, err := s.Mutable(ctx, a, id); err != nil {
			return nil, err
		}
	}
	err := s.DB.Write(ctx, func(tx *store.Tx) error {
		return store.UpdateHistories(ctx, tx, ids, store.Values{"deleted": false})
	})
	if err != nil {
		return nil, err
	}
	return store.Histories(ctx, s.DB, ids)
}

// Archive puts a history away, where nothing in it changes, or takes it back.
func (s *Service) Archive(ctx context.Context, a *galaxy.Actor, id int64, archived bool) (*store.History, error) {
	h, err := s.Owned(ctx, a, id)
	if err != nil {
		return nil, err
	}
	if h.Archived == archived {
		if archived {
			return nil, galaxy.Errorf(galaxy.Conflict, "History is already archived.")
		}
		return h, nil
	}
	err = s.DB.Write(ctx, func(tx *store.Tx) error {
		return store.UpdateHistories(ctx, tx, []int64{id}, store.Values{"archived": archived})
	})
	if err != nil {
		return nil, err
	}
	return store.HistoryByID(ctx, s.DB, id)
}
