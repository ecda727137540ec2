package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Instance is one start of one server process. It lives as long as it renews
// its lease.
type Instance struct {
	ID         UUID
	ServerName string
	Hostname   string
	PID        int
	// Kind is "web", "handler" or "all".
	Kind    string
	Pools   []string
	Version string
	// Started and Expires are by the database's clock.
	Started, Expires time.Time
	InstanceProcess
	// Drained says that an administrator drained the server's name.
	Drained bool
	// Left says that the process ended cleanly, or was seen to be dead; Lapsed
	// that its lease ran out.
	Left, Lapsed bool
	// Now is the database's clock when the row was read.
	Now time.Time
}

// InstanceProcess is what an instance tells of itself beyond its lease.
type InstanceProcess struct {
	// Place names the kernel and the process-id namespace that PID belongs to: two
	// processes of one place can see whether the other lives.
	Place string
	// ProcessStart is when the process began, in the kernel's ticks since its
	// start, so that a process id that was given again fools nobody.
	ProcessStart int64
	// Methods are the assignment methods in force, in their order.
	Methods []string
	// Slots is how many jobs it takes at once.
	Slots int
	// Claims counts the jobs it claimed, Rate is how many per second of late.
	Claims int64
	Rate   float64
}

// dbNow is the database's clock.
func dbNow(q Querier) string { return dbAfter(q, 0) }

// dbAfter is the database's clock, later by d.
func dbAfter(q Querier, d time.Duration) string { return clock(q.Engine(), d) }

func clock(engine Engine, d time.Duration) string {
	switch engine {
	case PostgreSQL:
		return fmt.Sprintf("(clock_timestamp() AT TIME ZONE 'UTC' + interval '%d microseconds')", d.Microseconds())
	case SQLite:
		return fmt.Sprintf("strftime('%%Y-%%m-%%d %%H:%%M:%%f000', 'now', '%+.6f seconds')", d.Seconds())
	}
	return fmt.Sprintf("(UTC_TIMESTAMP(6) + INTERVAL %d MICROSECOND)", d.Microseconds())
}

// leftMark is the expiry of an instance that left, or that was seen to be dead:
// nobody has to wait until a lease of it has ended.
const leftMark = "'1970-01-01 00:00:00.000000'"

// RegisterInstance adds a server process with a lease, and keeps Galaxy's
// worker_process table as Galaxy does.
func RegisterInstance(ctx context.Context, tx *Tx, in Instance, lease time.Duration) error {
	write := tx.Later()
	if _, err := write.Exec(ctx, `INSERT INTO orrery_instance (id, server_name, hostname, pid, kind, pools, version, started, expires)
		VALUES (?, ?, ?, ?, ?, ?, ?, `+dbNow(tx)+`, `+dbAfter(tx, lease)+`)`,
		in.ID, in.ServerName, in.Hostname, in.PID, in.Kind, string(JSON(in.Pools)), in.Version); err != nil {
		return err
	}
	if _, err := write.Exec(ctx, `INSERT INTO orrery_process (instance, place, process_start, methods, slots, claims, rate) VALUES (?, ?, ?, ?, ?, 0, 0)`,
		in.ID, in.Place, in.ProcessStart, string(JSON(nonNil(in.Methods))), in.Slots); err != nil {
		return err
	}
	if err := pruneInstances(ctx, write); err != nil {
		return err
	}
	if err := tx.Flush(ctx); err != nil {
		return err
	}
	var appType any // NULL for a handler, as in Galaxy
	if in.Kind != "handler" {
		appType = "webapp"
	}
	n, err := tx.Exec(ctx, "UPDATE worker_process SET pid = ?, update_time = ?, app_type = ? WHERE server_name = ? AND hostname = ?",
		in.PID, tx.Now(), appType, in.ServerName, in.Hostname)
	if err != nil || n > 0 {
		return err
	}
	_, err = Insert(ctx, tx, "worker_process", Values{
		"server_name": in.ServerName, "hostname": in.Hostname, "pid": in.PID, "update_time": tx.Now(), "app_type": appType,
	})
	return err
}

// ErrLeaseLost says that an instance is no longer registered or its lease ran
// out, so that it must not touch jobs any more.
var ErrLeaseLost = errors.New("the lease of this server process has ended")

// Renewal is a request to extend the lease of an instance.
type Renewal struct {
	ID     UUID
	Lease  time.Duration
	Claims int64
	Rate   float64
	// Counted says that Claims and Rate changed and are to be written down.
	Counted bool
}

// RenewLeases extends leases of equal length that have not ended, in one
// statement, and tells whose were extended: the others have lost theirs.
func RenewLeases(ctx context.Context, db *DB, lease time.Duration, renewals []Renewal) ([]UUID, error) {
	ids := make([]string, len(renewals))
	var counted []Renewal
	for i, r := range renewals {
		ids[i] = r.ID.Hex()
		if r.Counted {
			counted = append(counted, r)
		}
	}
	var alive []UUID
	cond, arg := AnyOfText(db, "id", ids)
	extend := "UPDATE orrery_instance SET expires = " + dbAfter(db, lease) + " WHERE " + cond + " AND expires > " + dbNow(db)
	if db.Engine() == PostgreSQL && len(counted) == 0 {
		return Column[UUID](ctx, db, extend+" RETURNING id", arg)
	}
	err := db.Write(ctx, func(tx *Tx) (err error) {
		if db.Engine() == MySQL {
			if _, err = tx.Exec(ctx, extend, arg); err == nil {
				alive, err = Column[UUID](ctx, tx, "SELECT id FROM orrery_instance WHERE "+cond+" AND expires > "+dbNow(tx), arg)
			}
		} else {
			alive, err = Column[UUID](ctx, tx, extend+" RETURNING id", arg)
		}
		for _, r := range counted { // those that claimed of late, at most one host's processes
			if err == nil {
				_, err = tx.Later().Exec(ctx, "UPDATE orrery_process SET claims = ?, rate = ? WHERE instance = ?", r.Claims, r.Rate, r.ID)
			}
		}
		return err
	})
	return alive, err
}

// TouchProcesses keeps Galaxy's worker_process table fresh: Galaxy and its tools
// read there which processes live.
func TouchProcesses(ctx context.Context, db *DB, ids []UUID) error {
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = id.Hex()
	}
	cond, arg := AnyOfText(db, "i.id", texts)
	return db.Write(ctx, func(tx *Tx) error {
		_, err := tx.Exec(ctx, "UPDATE worker_process SET update_time = ? WHERE "+workerProcessOf(cond), tx.Now(), arg)
		return err
	})
}

// workerProcessOf selects the rows of worker_process of the instances i that cond
// selects, unless later processes of their names have them.
func workerProcessOf(cond string) string {
	return `EXISTS (SELECT 1 FROM orrery_instance i WHERE ` + cond + ` AND i.server_name = worker_process.server_name
	AND i.hostname = worker_process.hostname AND i.pid = worker_process.pid)`
}

// EndInstance ends an instance's lease, and takes it out of Galaxy's
// worker_process table as Galaxy does. Its row stays for as long as jobs are its,
// so that others take them over at once.
func EndInstance(ctx context.Context, tx *Tx, id UUID) error {
	write := tx.Later()
	if _, err := write.Exec(ctx, "DELETE FROM worker_process WHERE "+workerProcessOf("i.id = ?"), id); err != nil {
		return err
	}
	if _, err := write.Exec(ctx, "UPDATE orrery_instance SET expires = "+leftMark+" WHERE id = ?", id); err != nil {
		return err
	}
	return pruneInstances(ctx, write)
}

// RetireInstances marks instances as gone whose process is known to be dead.
func RetireInstances(ctx context.Context, tx *Tx, ids []UUID) error {
	for _, id := range ids {
		if err := EndInstance(ctx, tx, id); err != nil {
			return err
		}
	}
	return nil
}

// pruneInstances forgets instances that are gone and have no jobs. One whose
// lease ran out is kept for a week, so that administrators see that it is lost.
func pruneInstances(ctx context.Context, q Querier) error {
	const week = 7 * 24 * time.Hour
	if _, err := q.Exec(ctx, `DELETE FROM orrery_instance WHERE NOT EXISTS (SELECT 1 FROM orrery_claim c WHERE c.instance = orrery_instance.id)
		AND (expires = `+leftMark+` OR expires < `+dbAfter(q, -week)+`)`); err != nil {
		return err
	}
	_, err := q.Exec(ctx, `DELETE FROM orrery_process WHERE NOT EXISTS (SELECT 1 FROM orrery_instance i WHERE i.id = orrery_process.instance)`)
	return err
}

// selectInstances reads instances, with whether they are gone by the database's
// clock.
func selectInstances(q Querier) string {
	now := dbNow(q)
	return `SELECT i.id, i.server_name, i.hostname, i.pid, i.kind, i.pools, i.version, i.started, i.expires,
		p.place, p.process_start, p.methods, p.slots, p.claims, p.rate, d.server_name IS NOT NULL,
		i.expires = ` + leftMark + `, i.expires <= ` + now + `, ` + now + `
		FROM orrery_instance i LEFT JOIN orrery_process p ON p.instance = i.id LEFT JOIN orrery_drain d ON d.server_name = i.server_name`
}

// Instances lists the server processes whose lease lasts.
func Instances(ctx context.Context, q Querier) ([]Instance, error) {
	return Collect(ctx, q, scanInstance, selectInstances(q)+` WHERE i.expires > `+dbNow(q)+` ORDER BY i.server_name, i.started`)
}

// AllInstances lists every registered server process, also those that left or
// whose lease ran out.
func AllInstances(ctx context.Context, q Querier) ([]Instance, error) {
	return Collect(ctx, q, scanInstance, selectInstances(q)+` ORDER BY i.server_name, i.started`)
}

func scanInstance(r *Rows) (in Instance, err error) {
	var pools, methods string
	if err = r.Scan(&in.ID, &in.ServerName, &in.Hostname, &in.PID, &in.Kind, &pools, &in.Version, &in.Started, &in.Expires,
		&in.Place, &in.ProcessStart, &methods, &in.Slots, &in.Claims, &in.Rate, &in.Drained, &in.Left, &in.Lapsed, &in.Now); err != nil {
		return in, err
	}
	if methods != "" {
		if err = json.Unmarshal([]byte(methods), &in.Methods); err != nil {
			return in, err
		}
	}
	return in, json.Unmarshal([]byte(pools), &in.Pools)
}
