package supervisor

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// ErrNotRunning says that nobody answers at a control socket any more.
var ErrNotRunning = errors.New("the server is not running")

// Client talks to one supervisor over its control socket.
type Client struct {
	// Name is the supervisor's: “orrery”, “web” or “uwsgi”.
	Name string

	path string
	http *http.Client
}

// dialTimeout is how long a living supervisor may take to say who it is.
const dialTimeout = 10 * time.Second

// Dial finds the living supervisors of this host in a run folder, sorted by name. None is no error: the list is empty
// then. An error says that there is one which does not answer, or not to this user.
func Dial(runDir string) ([]*Client, error) {
	entries, err := os.ReadDir(runDir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("looking for a running server: %w", err)
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("finding this host's name: %w", err)
	}
	var out []*Client
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), controlSuffix) {
			continue
		}
		c := newClient(filepath.Join(runDir, e.Name()))
		ctx, cancel := context.WithTimeout(context.Background(), dialTimeout)
		report, err := c.Report(ctx)
		cancel()
		if errors.Is(err, ErrNotRunning) {
			continue
		}
		if err != nil {
			return out, fmt.Errorf("asking %s: %w", filepath.Join(runDir, e.Name()), err)
		}
		if report.Host != host {
			continue // of another host that shares the folder
		}
		c.Name = report.Name
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b *Client) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

func newClient(path string) *Client {
	return &Client{
		Name: strings.TrimSuffix(filepath.Base(path), controlSuffix), path: path,
		http: &http.Client{Transport: &http.Transport{
			DisableKeepAlives: true,
			DialContext: func(ctx context.Context, _, _ string) (conn net.Conn, err error) {
				err = shortPath(path, func(short string) error {
					var d net.Dialer
					conn, err = d.DialContext(ctx, "unix", short)
					return err
				})
				return conn, err
			},
		}},
	}
}

// Report asks the supervisor about itself and its processes.
func (c *Client) Report(ctx context.Context) (Report, error) {
	var report Report
	response, err := c.call(ctx, http.MethodGet, "/report", nil)
	if err != nil {
		return report, err
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(&report); err != nil {
		return report, fmt.Errorf("reading the report: %w", err)
	}
	return report, nil
}

// Do gives an order and returns when it has been carried out; progress, which may be nil, gets what the supervisor says
// meanwhile. The error is the supervisor's when it could not do it. Ending ctx stops the waiting, not the order.
func (c *Client) Do(ctx context.Context, order Order, progress func(Progress)) error {
	body, err := json.Marshal(order)
	if err != nil {
		return err
	}
	response, err := c.call(ctx, http.MethodPost, "/order", body)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var p Progress
		if err := json.Unmarshal(lines.Bytes(), &p); err != nil {
			return fmt.Errorf("the supervisor's answer is not understood: %w", err)
		}
		if p.Done {
			if p.Error != "" {
				return errors.New(p.Error)
			}
			return nil
		}
		if progress != nil {
			progress(p)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("listening to the supervisor: %w", err)
	}
	return errors.New("the supervisor ended before it said that the order was carried out")
}

func (c *Client) call(ctx context.Context, method, path string, body []byte) (*http.Response, error) {
	var response *http.Response
	for try := 1; ; try++ {
		request, err := http.NewRequestWithContext(ctx, method, "http://supervisor"+path, bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		response, err = c.http.Do(request)
		if err == nil {
			break
		}
		// A supervisor that replaces itself closes connections before it has answered; the socket goes on, and the new one
		// answers. An order is accepted together with the beginning of the answer, so that none is carried out twice.
		if try < 4 && (errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.EOF)) {
			continue
		}
		if isGone(err) {
			return nil, ErrNotRunning
		}
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		defer response.Body.Close()
		text, err := io.ReadAll(io.LimitReader(response.Body, 4096))
		if err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("the supervisor refuses: %s", strings.TrimSpace(string(text)))
	}
	return response, nil
}

// isGone tells an end of a connection, or a socket that nobody listens on, from other errors.
func isGone(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.EOF)
}
