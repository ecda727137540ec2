package user

import (
	"context"
	"encoding/json"
	"slices"

	"orrery/internal/galaxy"
	"orrery/internal/store"
)

// maxPreference bounds one preference, in bytes.
const maxPreference = 1 << 20

// Preferences gives a user's preferences.
func (s *Service) Preferences(ctx context.Context, userID int64) (map[string]string, error) {
	return store.Preferences(ctx, s.db, userID)
}

// Preference gives one preference, "" when it is not set.
func (s *Service) Preference(ctx context.Context, userID int64, name string) (string, error) {
	value, _, err := store.Preference(ctx, s.db, userID, name)
	return value, err
}

// SetPreference sets one preference.
func (s *Service) SetPreference(ctx context.Context, userID int64, name, value string) error {
	return s.db.Write(ctx, func(tx *store.Tx) error { return setPreference(ctx, tx, userID, name, value) })
}

func setPreference(ctx context.Context, tx *store.Tx, userID int64, name, value string) error {
	if len(value) > maxPreference || len(name) > 255 {
		return galaxy.Errorf(galaxy.Invalid, "The preference %.40s is too large; at most %d bytes are kept", name, maxPreference)
	}
	return store.SetPreference(ctx, tx, userID, name, value)
}

// Favorite names something that a user marked.
type Favorite struct {
	Type string `json:"object_type"`
	ID   string `json:"object_id"`
}

// Favorites are what a user marked, per type and in the user's order.
type Favorites struct {
	Tools          []string   `json:"tools"`
	Tags           []string   `json:"tags"`
	EDAMOperations []string   `json:"edam_operations"`
	EDAMTopics     []string   `json:"edam_topics"`
	Order          []Favorite `json:"order"`
}

// FavoriteTypes are the kinds of things that can be marked.
var FavoriteTypes = []string{"tools", "tags", "edam_operations", "edam_topics"}

func (f *Favorites) list(kind string) *[]string {
	switch kind {
	case "tools":
		return &f.Tools
	case "tags":
		return &f.Tags
	case "edam_operations":
		return &f.EDAMOperations
	case "edam_topics":
		return &f.EDAMTopics
	}
	return nil
}

// normalize removes doubles and brings the order in line with the lists.
func (f *Favorites) normalize() {
	known := map[Favorite]bool{}
	for _, kind := range FavoriteTypes {
		list := f.list(kind)
		kept := []string{}
		for _, id := range *list {
			if k := (Favorite{kind, id}); id != "" && !known[k] {
				known[k] = true
				kept = append(kept, id)
			}
		}
		*list = kept
	}
	order := []Favorite{}
	take := func(k Favorite) {
		if known[k] {
			delete(known, k)
			order = append(order, k)
		}
	}
	for _, k := range f.Order {
		take(k)
	}
	for _, kind := range FavoriteTypes {
		for _, id := range *f.list(kind) {
			take(Favorite{kind, id})
		}
	}
	f.Order = order
}

// Favorites gives what a user marked.
func (s *Service) Favorites(ctx context.Context, userID int64) (Favorites, error) {
	return favorites(ctx, s.db, userID)
}

func favorites(ctx context.Context, q store.Querier, userID int64) (Favorites, error) {
	text, _, err := store.Preference(ctx, q, userID, "favorites")
	f := store.RawJSON(text, Favorites{})
	f.normalize()
	return f, err
}

// changeFavorites reads, changes and writes a user's favorites.
func (s *Service) changeFavorites(ctx context.Context, userID int64, change func(*Favorites) error) (f Favorites, err error) {
	err = s.db.Write(ctx, func(tx *store.Tx) (err error) {
		if f, err = favorites(ctx, tx, userID); err != nil {
			return err
		}
		if err := change(&f); err != nil {
			return err
		}
		f.normalize()
		text, err := json.Marshal(f)
		if err != nil {
			return err
		}
		return setPreference(ctx, tx, userID, "favorites", string(text))
	})
	return f, err
}

func badType(kind string) error {
	return galaxy.Errorf(galaxy.Invalid, "Input should be 'tools', 'tags', 'edam_operations' or 'edam_topics', not %q", kind)
}

// AddFavorite marks something; the caller has made sure that it exists.
func (s *Service) AddFavorite(ctx context.Context, userID int64, kind, id string) (Favorites, error) {
	return s.changeFavorites(ctx, userID, func(f *Favorites) error {
		list := f.list(kind)
		if list == nil {
			return badType(kind)
		}
		*list = append(*list, id)
		return nil
	})
}

// RemoveFavorite takes a mark away.
func (s *Service) RemoveFavorite(ctx context.Context, userID int64, kind, id string) (Favorites, error) {
	return s.changeFavorites(ctx, userID, func(f *Favorites) error {
		list := f.list(kind)
		if list == nil {
			return badType(kind)
		}
		i := slices.Index(*list, id)
		if i < 0 {
			return galaxy.Errorf(galaxy.NotFound, "Given object is not in the list of favorites")
		}
		*list = slices.Delete(*list, i, i+1)
		return nil
	})
}

// OrderFavorites sets the order, which must name each favorite exactly once.
func (s *Service) OrderFavorites(ctx context.Context, userID int64, order []Favorite) (Favorites, error) {
	return s.changeFavorites(ctx, userID, func(f *Favorites) error {
		byName := func(a, b Favorite) int {
			if a.Type != b.Type {
				if a.Type < b.Type {
					return -1
				}
				return 1
			}
			if a.ID != b.ID {
				if a.ID < b.ID {
					return -1
				}
				return 1
			}
			return 0
		}
		if !slices.Equal(slices.SortedFunc(slices.Values(f.Order), byName), slices.SortedFunc(slices.Values(order), byName)) {
			return galaxy.Errorf(galaxy.Invalid, "Favorite order must contain every current favorite exactly once.")
		}
		f.Order = order
		for _, kind := range FavoriteTypes {
			*f.list(kind) = nil
		}
		for _, k := range order {
			list := f.list(k.Type)
			*list = append(*list, k.ID)
		}
		return nil
	})
}
