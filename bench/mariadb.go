package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"syscall"
	"time"
)

// mariadb is a MariaDB server with the settings it comes with: every commit reaches the disk.
type mariadb struct {
	port    int
	socket  string
	process *process
}

// dsn is the address of one of its databases, in SQLAlchemy's form.
func (m *mariadb) dsn(name string) string {
	return fmt.Sprintf("mysql://root@127.0.0.1:%d/%s", m.port, name)
}

// startMariaDB starts it in a folder.
func startMariaDB(ctx context.Context, dir string) (*mariadb, error) {
	install, err1 := exec.LookPath("mariadb-install-db")
	_, err2 := exec.LookPath("mariadb")
	if err := errors.Join(err1, err2); err != nil {
		return nil, fmt.Errorf("MariaDB is not installed; on Debian: apt-get install mariadb-server (%w)", err)
	}
	as, err := user.Current()
	if err != nil {
		return nil, err
	}
	home := filepath.Join(dir, "mariadb")
	data := filepath.Join(home, "data")
	if err := os.Mkdir(home, 0o700); err != nil {
		return nil, err
	}
	out, err := exec.CommandContext(ctx, install, "--no-defaults", "--user="+as.Username, "--datadir="+data, "--tmpdir="+home,
		"--auth-root-authentication-method=normal", "--skip-test-db").CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("mariadb-install-db: %w\n%s", err, out)
	}
	m := &mariadb{socket: filepath.Join(home, "socket")}
	if m.port, err = freePort(); err != nil {
		return nil, err
	}
	server := exec.CommandContext(ctx, "/usr/sbin/mariadbd", "--no-defaults", "--user="+as.Username, "--datadir="+data, "--tmpdir="+home,
		"--socket="+m.socket, fmt.Sprintf("--port=%d", m.port), "--bind-address=127.0.0.1", "--pid-file="+filepath.Join(home, "pid"))
	if m.process, err = start(server, filepath.Join(dir, "mariadb.log"), syscall.SIGTERM); err != nil {
		return nil, err
	}
	var last error
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline) && ctx.Err() == nil; time.Sleep(100 * time.Millisecond) {
		if last = m.run(ctx, "SELECT 1"); last == nil {
			return m, nil
		}
	}
	return nil, errors.Join(fmt.Errorf("MariaDB does not answer: %w", last), m.stop())
}

func (m *mariadb) run(ctx context.Context, statement string) error {
	out, err := exec.CommandContext(ctx, "mariadb", "--no-defaults", "--user=root", "--socket="+m.socket, "-e", statement).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", statement, err, out)
	}
	return nil
}

func (m *mariadb) createDatabase(ctx context.Context, name string) error {
	return m.run(ctx, "CREATE DATABASE "+name+" CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
}

func (m *mariadb) stop() error { return m.process.stop(syscall.SIGTERM) }
