package store

import (
	"context"
	"encoding/json"
	"errors"
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
}

// dbNow is the database's clock, plus a number of seconds given as argument.
func dbNow(q Querier) string {
	if q.Engine() == PostgreSQL {
		return "(clock_timestamp() AT TIME ZONE 'UTC' + ? * interval '1 second')"
	}
	return "strftime('%Y-%m-%d %H:%M:%f000', 'now', ? || ' seconds')"
}

// RegisterInstance adds a server process with a lease, and keeps Galaxy's
// worker_process table as Galaxy does.
func RegisterInstance(ctx context.Context, tx *Tx, in Instance, lease time.Duration) error {
	if _, err := tx.Exec(ctx, `INSERT INTO orrery_instance (id, server_name, hostname, pid, kind, pools, version, started, expires)
		VALUES (?, ?, ?, ?, ?, ?, ?, `+dbNow(tx)+`, `+dbNow(tx)+`)`,
		in.ID, in.ServerName, in.Hostname, in.PID, in.Kind, string(JSON(in.Pools)), in.Version, 0, lease.Seconds()); err != nil {
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

// RenewLease extends an instance's lease; ErrLeaseLost when it had ended. Galaxy
// and its tools read from worker_process which processes live.
func RenewLease(ctx context.Context, tx *Tx, id UUID, lease time.Duration) error {
	n, err := tx.Exec(ctx, "UPDATE orrery_instance SET expires = "+dbNow(tx)+" WHERE id = ? AND expires > "+dbNow(tx),
		lease.Seconds(), id, 0)
	if err == nil && n == 0 {
		return ErrLeaseLost
	}
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, "UPDATE worker_process SET update_time = ? WHERE "+workerProcessOf, tx.Now(), id)
	return err
}

// workerProcessOf selects the row of worker_process of an instance, unless a
// later process of the same name has it.
const workerProcessOf = `EXISTS (SELECT 1 FROM orrery_instance i WHERE i.id = ? AND i.server_name = worker_process.server_name
	AND i.hostname = worker_process.hostname AND i.pid = worker_process.pid)`

// RemoveInstance ends an instance's lease, and takes it out of Galaxy's
// worker_process table as Galaxy does.
func RemoveInstance(ctx context.Context, tx *Tx, id UUID) error {
	if _, err := tx.Exec(ctx, "DELETE FROM worker_process WHERE "+workerProcessOf, id); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, "DELETE FROM orrery_instance WHERE id = ?", id)
	return err
}

// Instances lists the server processes whose lease lasts.
func Instances(ctx context.Context, q Querier) ([]Instance, error) {
	return Collect(ctx, q, scanInstance, `SELECT id, server_name, hostname, pid, kind, pools, version, started, expires
		FROM orrery_instance WHERE expires > `+dbNow(q)+` ORDER BY server_name, started`, 0)
}

// InstancesNamed lists every registered instance of a name on a host, also
// those whose lease ran out.
func InstancesNamed(ctx context.Context, q Querier, serverName, hostname string) ([]Instance, error) {
	return Collect(ctx, q, scanInstance, `SELECT id, server_name, hostname, pid, kind, pools, version, started, expires
		FROM orrery_instance WHERE server_name = ? AND hostname = ?`, serverName, hostname)
}

func scanInstance(r *Rows) (in Instance, err error) {
	var pools string
	if err = r.Scan(&in.ID, &in.ServerName, &in.Hostname, &in.PID, &in.Kind, &pools, &in.Version, &in.Started, &in.Expires); err != nil {
		return in, err
	}
	return in, json.Unmarshal([]byte(pools), &in.Pools)
}
