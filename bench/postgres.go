package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"sort"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// postgres is a PostgreSQL server with the settings it is installed with: every commit reaches the disk.
type postgres struct {
	bin        string // the folder of its programs
	dir        string
	port       int
	credential *syscall.Credential // nil: this user's
	process    *process
}

// url is the address of the server's database.
func (p *postgres) url() string {
	return fmt.Sprintf("postgresql://orrery@127.0.0.1:%d/orrery", p.port)
}

// startPostgres starts it in a folder; settings are further ones, name=value.
func startPostgres(ctx context.Context, dir string, settings ...string) (*postgres, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres") // Debian keeps them off the path
	if err != nil || len(found) == 0 {
		return nil, errors.New("PostgreSQL is not installed; on Debian: apt-get install postgresql")
	}
	sort.Slice(found, func(i, j int) bool { return len(found[i]) < len(found[j]) || found[i] < found[j] })
	p := &postgres{bin: filepath.Dir(found[len(found)-1]), dir: filepath.Join(dir, "postgresql")}
	if err := os.Mkdir(p.dir, 0o755); err != nil {
		return nil, err
	}
	if os.Getuid() == 0 { // PostgreSQL refuses to run as root
		u, err := user.Lookup("postgres")
		if err != nil {
			return nil, fmt.Errorf("PostgreSQL does not run as root, and its own user is missing: %w", err)
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err := errors.Join(err1, err2); err != nil {
			return nil, err
		}
		p.credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		if err := os.Chown(p.dir, int(uid), int(gid)); err != nil {
			return nil, err
		}
	}
	data := filepath.Join(p.dir, "data")
	initdb := p.command(ctx, "initdb", "-D", data, "-U", "orrery", "--auth=trust", "--encoding=UTF8", "--no-locale")
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	if p.port, err = freePort(); err != nil {
		return nil, err
	}
	args := []string{"-D", data, "-c", "listen_addresses=127.0.0.1", "-c", fmt.Sprintf("port=%d", p.port), "-c", "unix_socket_directories=" + p.dir}
	for _, setting := range settings {
		args = append(args, "-c", setting)
	}
	server := p.command(ctx, "postgres", args...)
	if p.process, err = start(server, filepath.Join(dir, "postgresql.log"), syscall.SIGINT); err != nil {
		return nil, err
	}
	if err := p.createDatabase(ctx); err != nil {
		return nil, errors.Join(err, p.stop())
	}
	return p, nil
}

func (p *postgres) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(p.bin, program), args...)
	cmd.Dir = p.dir
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.credential}
	return cmd
}

func (p *postgres) createDatabase(ctx context.Context) error {
	var last error
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline) && ctx.Err() == nil; time.Sleep(50 * time.Millisecond) {
		conn, err := pgx.Connect(ctx, fmt.Sprintf("postgresql://orrery@127.0.0.1:%d/postgres", p.port))
		if err != nil {
			last = err
			continue
		}
		_, err = conn.Exec(ctx, "CREATE DATABASE orrery")
		return errors.Join(err, conn.Close(ctx))
	}
	return fmt.Errorf("PostgreSQL does not answer: %w", last)
}

func (p *postgres) stop() error { return p.process.stop(syscall.SIGINT) }

// freePort returns a TCP port of the loopback address that nobody listens on right now.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}
