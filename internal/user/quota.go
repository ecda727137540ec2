package user

import (
	"context"
	"fmt"

	"orrery/internal/galaxy"
	"orrery/internal/store"
)

// Usage is what somebody uses of the object stores of one quota label.
type Usage struct {
	// Label is empty for the stores without a label.
	Label string
	// Bytes is the sum of the sizes of the datasets.
	Bytes int64
	// Limited tells whether there is a quota; then Quota is its size in bytes
	// and Percent, 0 to 100, how much of it is used.
	Limited bool
	Quota   int64
	Percent int
}

// Nice is the quota as people read it.
func (u Usage) Nice() string {
	if !u.Limited {
		return "unlimited"
	}
	return NiceSize(u.Quota)
}

// NiceSize writes a number of bytes as Galaxy's pages do: "906 bytes", "1.5 MB".
func NiceSize(bytes int64) string {
	size, prefix := float64(bytes), ""
	for _, next := range []string{"K", "M", "G", "T", "P", "E"} {
		if size < 1000 {
			break
		}
		size, prefix = size/1000, next
	}
	if prefix == "" {
		return fmt.Sprintf("%d bytes", bytes)
	}
	return fmt.Sprintf("%.1f %sB", size, prefix)
}

// withQuota adds the quota of a label to a usage; userID is 0 for a visitor.
func (s *Service) withQuota(ctx context.Context, userID int64, u Usage) (Usage, error) {
	if !s.opts.Quotas {
		return u, nil
	}
	var err error
	u.Quota, u.Limited, err = store.Quota(ctx, s.db, userID, u.Label)
	if u.Limited {
		u.Percent = 100
		if u.Quota > 0 && u.Bytes < u.Quota {
			u.Percent = int(float64(u.Bytes) / float64(u.Quota) * 100)
		}
	}
	return u, err
}

// Usage gives what a user uses of the stores without a label.
func (s *Service) Usage(ctx context.Context, u *store.UserRow) (Usage, error) {
	return s.withQuota(ctx, u.ID, Usage{Bytes: u.DiskUsage})
}

// VisitorUsage gives what a visitor uses: the size of the current history, 0
// for none.
func (s *Service) VisitorUsage(ctx context.Context, historyID int64) (Usage, error) {
	bytes, err := store.HistoryDiskUsage(ctx, s.db, historyID)
	if err != nil {
		return Usage{}, err
	}
	return s.withQuota(ctx, 0, Usage{Bytes: bytes})
}

// Usages gives what a user uses per label, the stores without one first.
func (s *Service) Usages(ctx context.Context, u *store.UserRow) ([]Usage, error) {
	first, err := s.Usage(ctx, u)
	if err != nil {
		return nil, err
	}
	sources, err := store.UsageBySource(ctx, s.db, u.ID)
	if err != nil {
		return nil, err
	}
	out := []Usage{first}
	for _, source := range sources { // labels are the few that the administrator configured
		usage, err := s.withQuota(ctx, u.ID, Usage{Label: source.Label, Bytes: source.Bytes})
		if err != nil {
			return nil, err
		}
		out = append(out, usage)
	}
	return out, nil
}

// UsageOf gives what a user uses of the stores of one label ("" for those
// without).
func (s *Service) UsageOf(ctx context.Context, u *store.UserRow, label string) (Usage, error) {
	usage := Usage{Label: label, Bytes: u.DiskUsage}
	if label != "" {
		usage.Bytes = 0
		sources, err := store.UsageBySource(ctx, s.db, u.ID)
		if err != nil {
			return usage, err
		}
		for _, source := range sources {
			if source.Label == label {
				usage.Bytes = source.Bytes
			}
		}
	}
	return s.withQuota(ctx, u.ID, usage)
}

// UsageByObjectStore gives what a user uses per object store.
func (s *Service) UsageByObjectStore(ctx context.Context, userID int64) ([]store.SourceUsage, error) {
	return store.UsageByObjectStore(ctx, s.db, userID)
}

// RecalculateUsage sums a user's disk usage anew.
func (s *Service) RecalculateUsage(ctx context.Context, userID int64) error {
	return s.db.Write(ctx, func(tx *store.Tx) error { return store.RecalculateDiskUsage(ctx, tx, userID) })
}

// CheckQuota is an error when an actor has used up the quota.
func (s *Service) CheckQuota(ctx context.Context, a *galaxy.Actor) error {
	if !s.opts.Quotas || a.Bootstrap {
		return nil
	}
	var usage Usage
	var err error
	if id := a.UserID(); id != 0 {
		var u *store.UserRow
		if u, err = s.ByID(ctx, id); err == nil {
			usage, err = s.Usage(ctx, u)
		}
	} else {
		usage, err = s.VisitorUsage(ctx, a.HistoryID)
	}
	if err == nil && usage.Limited && usage.Bytes > usage.Quota {
		err = galaxy.Errorf(galaxy.InsufficientStorage, "You use %s of your quota of %s. Delete and purge datasets to go on.",
			NiceSize(usage.Bytes), NiceSize(usage.Quota))
	}
	return err
}
