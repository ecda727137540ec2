package store_test

import (
	"context"
	"testing"
	"time"

	"orrery/internal/store"
	"orrery/internal/store/storetest"
)

func TestCountJobs(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ann, _, annsHistory := person(t, db, "ann")
		ben, _, bensHistory := person(t, db, "ben")
		for _, j := range []struct {
			user, history            int64
			tool, state, destination string
			nobody                   bool
		}{
			{ann, annsHistory, "bwa", "running", "cluster", false},
			{ann, annsHistory, "bwa", "queued", "local", false},
			{ann, annsHistory, "shed/repos/x/y/bwa/1.0", "running", "cluster", false},
			{ben, bensHistory, "shed/repos/x/y/bwa/2.0", "ok", "cluster", false},
			{ben, bensHistory, "shed_repos/x/y/bwa/2.0", "running", "cluster", true},
		} {
			id, _ := newJob(t, db, submission{user: j.user, history: j.history})
			write(t, db, func(ctx context.Context, tx *store.Tx) error {
				_, err := tx.Exec(ctx, "UPDATE job SET tool_id = ?, state = ?, destination_id = ? WHERE id = ?", j.tool, j.state, j.destination, id)
				if err == nil && j.nobody {
					_, err = tx.Exec(ctx, "UPDATE job SET user_id = NULL WHERE id = ?", id)
				}
				return err
			})
		}
		now := time.Now()
		for _, test := range []struct {
			what  string
			count store.JobCount
			want  int
		}{
			{"all", store.JobCount{}, 5},
			{"of a tool", store.JobCount{Tool: "bwa"}, 2},
			{"of all versions of a tool", store.JobCount{ToolPrefix: "shed/repos/x/y/bwa/"}, 2},
			{"where the prefix holds a wildcard", store.JobCount{ToolPrefix: "shed_repos"}, 1},
			{"of a user", store.JobCount{UserID: ann, States: []string{"running", "queued"}}, 3},
			{"of an address", store.JobCount{UserEmail: "ben@example.org", Destinations: []string{"cluster"}}, 1},
			{"of registered users", store.JobCount{Registered: true, Destinations: []string{"cluster", "elsewhere"}}, 3},
			{"made within an hour", store.JobCount{CreatedAfter: now.Add(-time.Hour), UpdatedAfter: now.Add(-time.Hour)}, 5},
			{"made in the future", store.JobCount{CreatedAfter: now.Add(time.Hour)}, 0},
		} {
			if got, err := store.CountJobs(t.Context(), db, test.count); err != nil || got != test.want {
				t.Errorf("%s: %d jobs (%v), want %d", test.what, got, err, test.want)
			}
		}
	})
}
