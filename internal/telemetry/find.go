package telemetry

import (
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
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// maxAnswer bounds what is read from a process.
const maxAnswer = 16 << 20

// Peer is a process whose socket was found.
type Peer struct {
	Name   string // of the process
	PID    int
	socket string
	client *http.Client
}

// Peers are the processes of a run folder that tell of themselves. It keeps connections to them, and may be used by
// several goroutines.
type Peers struct {
	dir string

	mu    sync.Mutex
	known map[string]*Peer // by socket
}

// FindPeers returns the processes of a run folder.
func FindPeers(runDir string) *Peers { return &Peers{dir: runDir, known: map[string]*Peer{}} }

// List gives the processes of this host that there are now, by name and process id. Sockets that processes left behind when they
// died are removed.
func (p *Peers) List() ([]*Peer, error) {
	host, err := hostPart()
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(p.dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the run folder: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	found := map[string]bool{}
	var list []*Peer
	for _, e := range entries {
		name, pid, ok := parseSocket(e.Name(), host)
		if !ok {
			continue
		}
		found[e.Name()] = true
		peer := p.known[e.Name()]
		if peer == nil {
			if p.dead(e.Name()) {
				continue
			}
			peer = &Peer{Name: name, PID: pid, socket: e.Name(), client: p.clientOf(e.Name())}
			p.known[e.Name()] = peer
		}
		list = append(list, peer)
	}
	for socket, peer := range p.known {
		if !found[socket] {
			peer.client.CloseIdleConnections()
			delete(p.known, socket)
		}
	}
	slices.SortFunc(list, func(a, b *Peer) int {
		if c := strings.Compare(a.Name, b.Name); c != 0 {
			return c
		}
		return a.PID - b.PID
	})
	return list, nil
}

// parseSocket reads NAME-PID@HOST.telemetry, of this host.
func parseSocket(file, host string) (name string, pid int, ok bool) {
	base, ok := strings.CutSuffix(file, host)
	i := strings.LastIndexByte(base, '-')
	if !ok || i <= 0 || base[0] == '.' {
		return "", 0, false
	}
	pid, err := strconv.Atoi(base[i+1:])
	if err != nil || pid <= 0 {
		return "", 0, false
	}
	return base[:i], pid, true
}

func (p *Peers) clientOf(socket string) *http.Client {
	return &http.Client{Transport: &http.Transport{
		DialContext:     func(ctx context.Context, _, _ string) (net.Conn, error) { return dialIn(ctx, p.dir, socket) },
		MaxIdleConns:    1,
		IdleConnTimeout: 30 * time.Second,
	}}
}

// dead tells whether nobody listens on a socket any more, and removes it then: sockets get their names only once they
// listen.
func (p *Peers) dead(socket string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	c, err := dialIn(ctx, p.dir, socket)
	if err == nil {
		_ = c.Close()
		return false
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return false
	}
	_ = os.Remove(filepath.Join(p.dir, socket)) // another's, perhaps: then it stays
	return true
}

// forget drops a process that does not answer any more.
func (p *Peers) forget(peer *Peer) {
	p.mu.Lock()
	delete(p.known, peer.socket)
	p.mu.Unlock()
	p.dead(peer.socket)
}

// Get asks a process; path is what [ServeProcess] names.
func (p *Peers) Get(ctx context.Context, peer *Peer, path string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://process/"+path, nil)
	if err != nil {
		return nil, err
	}
	answer, err := peer.client.Do(request)
	if err != nil {
		if ctx.Err() == nil {
			p.forget(peer)
		}
		return nil, fmt.Errorf("asking the process %s: %w", peer.Name, err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("asking the process %s: %w", peer.Name, err)
	}
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the process %s answers %s: %s", peer.Name, answer.Status, strings.TrimSpace(string(body[:min(len(body), 500)])))
	}
	return body, nil
}

// GetAll asks all processes of a list at the same time; the answer of one that does not is nil.
func (p *Peers) GetAll(ctx context.Context, list []*Peer, path string) [][]byte {
	answers := make([][]byte, len(list))
	var wg sync.WaitGroup
	for i, peer := range list {
		wg.Go(func() {
			if body, err := p.Get(ctx, peer, path); err == nil {
				answers[i] = body
			}
		})
	}
	wg.Wait()
	return answers
}

// Stats asks all processes for theirs; those that do not answer are left out.
func (p *Peers) Stats(ctx context.Context) ([]Stats, error) {
	list, err := p.List()
	if err != nil {
		return nil, err
	}
	var all []Stats
	for _, body := range p.GetAll(ctx, list, "stats") {
		var s Stats
		if body != nil && json.Unmarshal(body, &s) == nil {
			all = append(all, s)
		}
	}
	return all, nil
}

// Ask puts a question to one process after another until one answers, and decodes its answer.
func (p *Peers) Ask(ctx context.Context, question string, into any) error {
	list, err := p.List()
	if err != nil {
		return err
	}
	err = errors.New("no process runs that could answer")
	for _, peer := range list {
		var body []byte
		if body, err = p.Get(ctx, peer, question); err != nil {
			continue
		}
		return json.Unmarshal(body, into)
	}
	return err
}
