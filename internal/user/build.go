package user

import (
	"context"
	"encoding/json"
	"maps"
	"slices"

	"orrery/internal/galaxy"
	"orrery/internal/store"
)

// CustomBuild is a reference genome that a user described, in Galaxy's form;
// "id" is its key.
type CustomBuild map[string]any

func customBuilds(ctx context.Context, q store.Querier, userID int64) (map[string]CustomBuild, error) {
	text, _, err := store.Preference(ctx, q, userID, "dbkeys")
	return store.RawJSON(text, map[string]CustomBuild{}), err
}

// CustomBuilds lists a user's reference genomes by key.
func (s *Service) CustomBuilds(ctx context.Context, userID int64) ([]CustomBuild, error) {
	builds, err := customBuilds(ctx, s.db, userID)
	if err != nil {
		return nil, err
	}
	out := []CustomBuild{}
	for _, key := range slices.Sorted(maps.Keys(builds)) {
		if b := builds[key]; b != nil {
			b["id"] = key
			out = append(out, b)
		}
	}
	return out, nil
}

// DeleteCustomBuild forgets one of a user's reference genomes.
func (s *Service) DeleteCustomBuild(ctx context.Context, userID int64, key string) error {
	return s.db.Write(ctx, func(tx *store.Tx) error {
		builds, err := customBuilds(ctx, tx, userID)
		if err != nil {
			return err
		}
		if _, ok := builds[key]; !ok {
			return galaxy.Errorf(galaxy.NotFound, "Could not find and delete build (%s).", key)
		}
		delete(builds, key)
		text, err := json.Marshal(builds)
		if err != nil {
			return err
		}
		return setPreference(ctx, tx, userID, "dbkeys", string(text))
	})
}
