package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	adminKey   = "bench-bootstrap-admin-key"
	adminEmail = "admin@example.org"
	// galaxyTools is how many tools are loaded besides our own.
	galaxyTools = 464
)

// server is the server that is measured: a supervisor, two web workers and two job handlers.
type server struct {
	*process
	url string
}

// writeConfiguration writes galaxy.yml and the toolbox, and tells how many tool files that has.
func (b *bench) writeConfiguration(root string) (int, error) {
	own := filepath.Join(root, "tools", "tool_conf.xml")
	var files []string
	var err error
	if b.tools == "" {
		files, err = generateTools(filepath.Join(b.dir, "tools"), galaxyTools)
	} else {
		files, err = findTools(b.tools, galaxyTools)
	}
	if err != nil {
		return 0, err
	}
	var conf strings.Builder
	conf.WriteString("<toolbox>\n")
	for i, file := range files {
		if i%20 == 0 {
			if i > 0 {
				conf.WriteString("  </section>\n")
			}
			fmt.Fprintf(&conf, "  <section id=\"bench%d\" name=\"Bench %d\">\n", i/20, i/20+1)
		}
		fmt.Fprintf(&conf, "    <tool file=\"%s\"/>\n", file)
	}
	conf.WriteString("  </section>\n</toolbox>\n")
	if err := os.WriteFile(b.toolConf(), []byte(conf.String()), 0o644); err != nil {
		return 0, err
	}
	port, err := freePort()
	if err != nil {
		return 0, err
	}
	b.server = &server{url: fmt.Sprintf("http://127.0.0.1:%d", port)}
	yaml := fmt.Sprintf(`gravity:
  gunicorn:
    bind: 127.0.0.1:%d
    workers: 2
  handlers:
    handler:
      processes: 2
      pools: [job-handlers, workflow-schedulers]
galaxy:
  data_dir: %s
  database_connection: %s
  tool_config_file: %s,%s
  bootstrap_admin_api_key: %s
  admin_users: %s
  id_secret: the bench's
`, port, filepath.Join(b.dir, "data"), b.postgres.url(), own, b.toolConf(), adminKey, adminEmail)
	return len(files), os.WriteFile(b.configuration(), []byte(yaml), 0o644)
}

func (b *bench) configuration() string { return filepath.Join(b.dir, "galaxy.yml") }
func (b *bench) toolConf() string      { return filepath.Join(b.dir, "tool_conf.xml") }

// findTools lists tool files of a Galaxy checkout, in a fixed order. Tools that have an id of ours are left out.
func findTools(galaxy string, most int) ([]string, error) {
	var files []string
	for _, sub := range []string{"tools", filepath.Join("test", "functional", "tools")} {
		err := filepath.WalkDir(filepath.Join(galaxy, sub), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || filepath.Ext(path) != ".xml" || len(files) == most {
				return err
			}
			text, err := os.ReadFile(path)
			if err == nil && isTool(string(text)) {
				files = append(files, path)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	if len(files) < most {
		return nil, fmt.Errorf("%s has only %d tools in tools/ and test/functional/tools/; a checkout of Galaxy 24.2 has %d", galaxy, len(files), most)
	}
	return files, nil
}

// isTool tells whether an XML file is a tool that is not one of our own.
func isTool(text string) bool {
	i := strings.Index(text, "<tool ")
	if i < 0 {
		return false
	}
	tag, _, _ := strings.Cut(text[i:], ">")
	for _, own := range []string{"cat1", "Show beginning1", "Show tail1", "Cut1", "Grep1", "sort1", "random_lines1", "upload1", "__DATA_FETCH__"} {
		if strings.Contains(tag, `id="`+own+`"`) {
			return false
		}
	}
	return true
}

// start starts the server and tells how many seconds passed until its first answer.
func (b *bench) start(ctx context.Context) (float64, error) {
	cmd := exec.CommandContext(ctx, b.binary, "run", "-c", b.configuration())
	cmd.Dir = b.dir
	began := time.Now()
	p, err := start(cmd, filepath.Join(b.dir, "output"), syscall.SIGINT)
	if err != nil {
		return 0, err
	}
	b.server.process = p
	address := strings.TrimPrefix(b.server.url, "http://")
	for {
		select {
		case <-p.ended:
			return 0, fmt.Errorf("the server ended: %w\n%s", p.err, p.tail())
		case <-ctx.Done():
			return 0, errors.Join(ctx.Err(), p.stop(syscall.SIGINT))
		default:
		}
		// Before the answer there may be a listener that nobody serves yet: the request waits in it.
		if conn, err := net.Dial("tcp", address); err == nil {
			_ = conn.Close()
			answer, err := http.Get(b.server.url + "/api/version")
			if err == nil {
				_ = answer.Body.Close()
				if answer.StatusCode == http.StatusOK {
					return time.Since(began).Seconds(), nil
				}
			}
		}
		if time.Since(began) > time.Minute {
			return 0, errors.Join(fmt.Errorf("the server does not answer:\n%s", p.tail()), p.stop(syscall.SIGINT))
		}
		time.Sleep(2 * time.Millisecond)
	}
}

func (s *server) stop() error {
	if s.process == nil {
		return nil
	}
	return s.process.stop(syscall.SIGINT)
}

// measureStarts starts the server several times and leaves it running. The first start makes the database's tables and
// the index of the toolbox and does not count.
func (b *bench) measureStarts(ctx context.Context) error {
	first, err := b.start(ctx)
	if err != nil {
		return err
	}
	b.note(figureFirstStart, first)
	for range b.starts {
		if err := b.server.stop(); err != nil {
			return err
		}
		seconds, err := b.start(ctx)
		if err != nil {
			return err
		}
		b.note(figureStart, seconds)
	}
	return nil
}

// memory is the proportional set size of all processes of the server, in MB.
func (s *server) memory() (float64, error) {
	members, err := family(s.cmd.Process.Pid)
	if err != nil {
		return 0, err
	}
	total := 0.0
	for pid := range members {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
			continue // a job that ended meanwhile
		}
		if err != nil {
			return 0, err
		}
		pss, err := parsePSS(string(text))
		if err != nil {
			return 0, err
		}
		total += pss
	}
	return total, nil
}
