package store

import "context"

// ReadyPools tells which values of job.handler have new jobs that wait for
// nothing.
func ReadyPools(ctx context.Context, q Querier, pools []string) ([]string, error) {
	return anyPool(ctx, q, pools, `SELECT p.pool FROM (%POOLS%) p WHERE EXISTS (SELECT 1 FROM job WHERE state = 'new' AND handler = p.pool AND `+ready+`)`)
}

// MovedPools tells which values of job.handler have jobs under way that nobody
// has who bears that name: an administrator moved them there, or Galaxy left them.
func MovedPools(ctx context.Context, q Querier, pools []string) ([]string, error) {
	return anyPool(ctx, q, pools, `SELECT p.pool FROM (%POOLS%) p WHERE EXISTS (SELECT 1 FROM job j WHERE j.handler = p.pool
		AND j.state IN ('queued', 'running', 'resubmitted', 'deleting', 'stop')
		AND NOT EXISTS (SELECT 1 FROM orrery_claim c JOIN orrery_instance i ON i.id = c.instance WHERE c.job_id = j.id AND i.server_name = j.handler))`)
}

// anyPool runs a query over a list of pools.
func anyPool(ctx context.Context, q Querier, pools []string, query string) ([]string, error) {
	if len(pools) == 0 {
		return nil, nil
	}
	if q.Engine() == PostgreSQL {
		return Column[string](ctx, q, replaceOnce(query, "%POOLS%", "SELECT unnest(?::text[]) AS pool"), pools)
	}
	list, args := "", make([]any, len(pools))
	for i, p := range pools {
		if i > 0 {
			list += " UNION ALL "
		}
		list += "SELECT ? AS pool"
		args[i] = p
	}
	return Column[string](ctx, q, replaceOnce(query, "%POOLS%", list), args...)
}

// OrphanPools tells which pools have unfinished jobs of instances that are gone,
// and the names of those instances.
func OrphanPools(ctx context.Context, q Querier, gone []UUID) ([]string, error) {
	if len(gone) == 0 {
		return nil, nil
	}
	cond, arg := AnyOfText(q, "c.instance", hexes(gone))
	return Column[string](ctx, q, `SELECT c.pool FROM orrery_claim c WHERE `+cond+`
		UNION SELECT i.server_name FROM orrery_claim c JOIN orrery_instance i ON i.id = c.instance WHERE `+cond, arg, arg)
}

// NeedAttention tells which of some instances have jobs that people ended, or that
// are not theirs any more since an administrator moved them.
func NeedAttention(ctx context.Context, q Querier, ids []UUID) ([]UUID, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	cond, arg := AnyOfText(q, "c.instance", hexes(ids))
	return Column[UUID](ctx, q, `SELECT DISTINCT c.instance FROM orrery_claim c JOIN orrery_instance i ON i.id = c.instance
		JOIN job j ON j.id = c.job_id WHERE `+cond+` AND (j.state IN ('deleting', 'stop') OR j.handler <> i.server_name)`, arg)
}

func hexes(ids []UUID) []string {
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = id.Hex()
	}
	return texts
}

// Sweep puts right what no instance would find: claims on jobs that have ended or
// are gone, and jobs of instances that nobody knows any more, which go back to
// the pools they came from.
func Sweep(ctx context.Context, db *DB) error {
	const ended = `NOT EXISTS (SELECT 1 FROM job j WHERE j.id = orrery_claim.job_id AND j.state IN ` + unfinished + `)
		AND NOT EXISTS (SELECT 1 FROM orrery_instance i WHERE i.id = orrery_claim.instance AND i.expires > `
	const unknown = `id IN (SELECT c.job_id FROM orrery_claim c WHERE NOT EXISTS (SELECT 1 FROM orrery_instance i WHERE i.id = c.instance))
		AND state IN ` + unfinished + ` AND handler <> (SELECT c.pool FROM orrery_claim c WHERE c.job_id = job.id)`
	var lost, left int
	if err := db.QueryRow(ctx, "SELECT (SELECT count(*) FROM orrery_claim WHERE "+ended+dbNow(db)+")), (SELECT count(*) FROM job WHERE "+unknown+")").Scan(&left, &lost); err != nil {
		return err
	}
	if lost == 0 && left == 0 {
		return nil
	}
	return db.Write(ctx, func(tx *Tx) error {
		if _, err := tx.Exec(ctx, "DELETE FROM orrery_claim WHERE "+ended+dbNow(tx)+")"); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "UPDATE job SET handler = (SELECT c.pool FROM orrery_claim c WHERE c.job_id = job.id), update_time = ? WHERE "+unknown, tx.Now())
		return err
	})
}
