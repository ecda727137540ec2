package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// The idle pool's figures.
const (
	figureIdleQueries      = "queries per second of the idle pool"
	figureIdleTransactions = "transactions per second of the idle pool"
	figureIdleConnections  = "connections of the idle pool at most"
	figureIdlePSS          = "memory of one idle handler, MB"
)

// idleSettle is how long an idle pool is left alone before it is measured, so that the connections that starting needed
// are closed; idleWatch is how long it is measured.
const (
	idleSettle = 45 * time.Second
	idleWatch  = 60 * time.Second
)

// idleHost starts the handlers of one host: with a host name and a run folder of its own, so that only the database
// connects it with the other.
const idleHost = `set -e
hostname "$1"; mkdir -p "$2/run"; mount -t tmpfs run "$2/run"
for i in $(seq 1 "$3"); do
	"$4" handler -c "$5" --server-name "$1_$i" --attach-to-pool job-handlers >>"$1.log" 2>&1 &
	sleep 0.3
done
wait`

// measureIdle runs real handlers on two hosts that have nothing to do.
func (b *claimBench) measureIdle(ctx context.Context) (err error) {
	if err := b.createDatabase(ctx, "idle"); err != nil {
		return err
	}
	conn, err := pgx.Connect(ctx, b.dsn("postgresql", "idle"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	if _, err := conn.Exec(ctx, "CREATE EXTENSION pg_stat_statements"); err != nil {
		return err
	}
	conf := filepath.Join(b.dir, "idle.yml")
	data := filepath.Join(b.dir, "idle-data")
	text := fmt.Sprintf(`gravity:
  handlers:
    handler:
      processes: 1
      pools: [job-handlers]
galaxy:
  data_dir: %s
  database_connection: %s
  tool_config_file: %s
  id_secret: the bench's
`, data, b.dsn("postgresql", "idle"), filepath.Join(b.root, "tools", "tool_conf.xml"))
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		return err
	}
	hosts := []string{"first", "second"}
	for _, host := range hosts {
		args := []string{"--uts", "--mount", "--pid", "--mount-proc", "--fork", "--kill-child", "bash", "-c", idleHost, "-", host, data, fmt.Sprint(b.idle / len(hosts)), b.orrery, conf}
		if os.Getuid() != 0 {
			args = append([]string{"--user", "--map-root-user"}, args...)
		}
		cmd := exec.CommandContext(ctx, "unshare", args...)
		cmd.Dir = b.dir
		p, err := start(cmd, filepath.Join(b.dir, host+".unshare.log"), syscall.SIGKILL)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, p.stop(syscall.SIGKILL)) }()
	}
	began := time.Now()
	for {
		var n int
		err := conn.QueryRow(ctx, "SELECT count(*) FROM orrery_instance").Scan(&n)
		if err == nil && n >= b.idle/len(hosts)*len(hosts) {
			break
		}
		if time.Since(began) > 10*time.Minute {
			log := filepath.Join(b.dir, hosts[0]+".log")
			tail, _ := os.ReadFile(log)
			return fmt.Errorf("of %d handlers %d are there after 10 minutes (%w):\n%s", b.idle, n, err, tail[max(0, len(tail)-2000):])
		}
		if err := sleep(ctx, 500*time.Millisecond); err != nil {
			return err
		}
	}
	log.Printf("%d handlers started in %.0f s", b.idle, time.Since(began).Seconds())
	if err := sleep(ctx, idleSettle); err != nil {
		return err
	}
	before, err := transactions(ctx, conn)
	if err != nil {
		return err
	}
	if _, err := conn.Exec(ctx, "SELECT pg_stat_statements_reset()"); err != nil {
		return err
	}
	most, looks := 0, 0
	began = time.Now()
	for time.Since(began) < idleWatch {
		var n int
		if err := conn.QueryRow(ctx, "SELECT count(*) FROM pg_stat_activity WHERE datname = 'idle' AND pid <> pg_backend_pid()").Scan(&n); err != nil {
			return err
		}
		looks++
		most = max(most, n)
		if err := sleep(ctx, time.Second); err != nil {
			return err
		}
	}
	seconds := time.Since(began).Seconds()
	after, err := transactions(ctx, conn)
	if err != nil {
		return err
	}
	var calls int
	if err := conn.QueryRow(ctx, "SELECT COALESCE(sum(calls), 0)::int FROM pg_stat_statements WHERE query NOT LIKE '%pg_stat_%'").Scan(&calls); err != nil {
		return err
	}
	b.note(&b.idled, figureIdleQueries, float64(calls)/seconds)
	b.note(&b.idled, figureIdleTransactions, float64(after-before-int64(looks))/seconds)
	b.note(&b.idled, figureIdleConnections, float64(most))
	rows, err := conn.Query(ctx, "SELECT calls, regexp_replace(left(query, 110), '\\s+', ' ', 'g') FROM pg_stat_statements WHERE query NOT LIKE '%pg_stat_%' ORDER BY calls DESC LIMIT 12")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var n int
		var query string
		if err := rows.Scan(&n, &query); err != nil {
			return err
		}
		log.Printf("  %6.2f/s %s", float64(n)/seconds, query)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	return b.idleMemory()
}

// idleMemory is the proportional set size of the handlers.
func (b *claimBench) idleMemory() error {
	folders, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return err
	}
	total, n := 0.0, 0
	for _, folder := range folders {
		line, err := os.ReadFile(filepath.Join(folder, "cmdline"))
		if err != nil || !strings.HasPrefix(string(line), b.orrery+"\x00handler\x00") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(folder, "smaps_rollup"))
		if err != nil {
			continue
		}
		pss, err := parsePSS(string(text))
		if err != nil {
			return err
		}
		total += pss
		n++
	}
	if n == 0 {
		return errors.New("no idle handler runs")
	}
	b.note(&b.idled, figureIdlePSS, total/float64(n))
	return nil
}

// transactions is how many the database has ended.
func transactions(ctx context.Context, conn *pgx.Conn) (n int64, err error) {
	return n, conn.QueryRow(ctx, "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = 'idle'").Scan(&n)
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
