package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// measureBouncer works jobs behind PgBouncer, with each of its ways to share connections and with the ways of pgx to run
// statements, and tells which work.
func (b *claimBench) measureBouncer(ctx context.Context) error {
	program, err := exec.LookPath("pgbouncer")
	if err != nil {
		if program = "/usr/sbin/pgbouncer"; exec.CommandContext(ctx, program, "--version").Run() != nil {
			return errors.New("PgBouncer is not installed; on Debian: apt-get install pgbouncer, or leave it out with -pgbouncer=false")
		}
	}
	if err := b.createDatabase(ctx, "bouncer"); err != nil {
		return err
	}
	direct := b.dsn("postgresql", "bouncer")
	db, err := openStore(ctx, "postgresql", direct)
	if err != nil {
		return err
	}
	defer db.Close()
	if err := errors.Join(db.EnsureSchema(ctx), makeSite(ctx, db)); err != nil {
		return err
	}
	const handlers, connections = 8, 10
	for _, mode := range []string{"session", "transaction"} {
		p, port, err := b.startBouncer(ctx, program, mode, connections)
		if err != nil {
			return err
		}
		for _, statements := range []string{"", "exec"} {
			if err := b.renewWaiting(ctx, db, 0, "'_default_'"); err != nil {
				return errors.Join(err, p.stop(syscall.SIGTERM))
			}
			dsn := fmt.Sprintf("postgresql://orrery@127.0.0.1:%d/bouncer", port)
			name := "prepared"
			if statements != "" {
				dsn += "?default_query_exec_mode=" + statements
				name = "default_query_exec_mode=" + statements
			}
			rate, _, err := b.claim(ctx, "postgresql", dsn, claimMethods[0], handlers, true)
			if err != nil {
				log.Printf("PgBouncer, %s pooling, statements %s: %v", mode, name, err)
				rate = 0
			}
			b.note(&b.bounced, bouncerFigure(mode, name, connections, handlers), rate)
		}
		if err := p.stop(syscall.SIGTERM); err != nil {
			return err
		}
	}
	return nil
}

func (b *claimBench) startBouncer(ctx context.Context, program, mode string, connections int) (*process, int, error) {
	port, err := freePort()
	if err != nil {
		return nil, 0, err
	}
	dir := filepath.Join(b.dir, "pgbouncer-"+mode)
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, 0, err
	}
	ini := fmt.Sprintf(`[databases]
* = user=orrery host=127.0.0.1 port=%d
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = any
pool_mode = %s
default_pool_size = %d
max_client_conn = 1000
ignore_startup_parameters = extra_float_digits
`, b.postgres.port, port, mode, connections)
	file := filepath.Join(dir, "pgbouncer.ini")
	if err := os.WriteFile(file, []byte(ini), 0o644); err != nil {
		return nil, 0, err
	}
	cmd := exec.CommandContext(ctx, program, file)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: b.postgres.credential}
	p, err := start(cmd, filepath.Join(b.dir, "pgbouncer-"+mode+".log"), syscall.SIGTERM)
	if err != nil {
		return nil, 0, err
	}
	for began := time.Now(); ; {
		conn, err := pgx.Connect(ctx, fmt.Sprintf("postgresql://orrery@127.0.0.1:%d/bouncer?default_query_exec_mode=simple_protocol", port))
		if err == nil {
			return p, port, conn.Close(ctx)
		}
		if time.Since(began) > 10*time.Second {
			return nil, 0, errors.Join(fmt.Errorf("PgBouncer does not answer: %w\n%s", err, p.tail()), p.stop(syscall.SIGTERM))
		}
		time.Sleep(50 * time.Millisecond)
	}
}
