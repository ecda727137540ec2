package supervisor

import (
	"errors"
	"fmt"
	"sync"

	"orrery/internal/listen"
)

// sockets are the listeners that a supervisor holds, each address once.
type sockets struct {
	mu   sync.Mutex
	held map[string]*held // by what the configuration calls the address
	// found are those that this process was given or took over and that nothing has asked for yet.
	found []*held
}

type held struct {
	socket *listen.Socket
	// given tells that somebody else made it, whose business its path is.
	given bool
}

func newSockets() *sockets { return &sockets{held: map[string]*held{}} }

// offer adds sockets which the configuration may ask for.
func (t *sockets) offer(found []*listen.Socket, given bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range found {
		t.found = append(t.found, &held{s, given})
	}
}

// open makes sure that each spec has its socket. When one cannot be opened, those that were opened for this call are
// closed again.
func (t *sockets) open(specs []listen.Spec) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	var fresh []string
	for _, spec := range specs {
		if h := t.held[spec.Bind]; h != nil {
			h.socket.Spec = spec
			continue
		}
		if h := t.find(spec); h != nil {
			t.held[spec.Bind] = h
			continue
		}
		s, err := listen.OpenSpec(spec)
		if err != nil {
			for _, bind := range fresh {
				err = errors.Join(err, t.held[bind].socket.Remove())
				delete(t.held, bind)
			}
			if spec.At != "" {
				return fmt.Errorf("%s: %w", spec.At, err)
			}
			return err
		}
		t.held[spec.Bind] = &held{socket: s}
		fresh = append(fresh, spec.Bind)
	}
	return nil
}

// find looks for a socket that listens at a spec's address under another name.
func (t *sockets) find(spec listen.Spec) *held {
	for i, h := range t.found {
		if len(listen.Match([]*listen.Socket{h.socket}, []listen.Spec{spec})) == 0 {
			t.found = append(t.found[:i:i], t.found[i+1:]...)
			return h
		}
	}
	if a, err := listen.Parse(spec.Bind); err != nil || a.Network == "tcp" && anyPort(a) {
		return nil
	}
	for _, h := range t.held {
		if len(listen.Match([]*listen.Socket{h.socket}, []listen.Spec{spec})) == 0 {
			return h
		}
	}
	return nil
}

// anyPort tells whether the system chooses the port: each such address is another one.
func anyPort(a listen.Address) bool { return len(a.Name) > 2 && a.Name[len(a.Name)-2:] == ":0" }

// of returns the sockets of specs, in their order.
func (t *sockets) of(specs []listen.Spec) ([]*listen.Socket, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []*listen.Socket
	for _, spec := range specs {
		h := t.held[spec.Bind]
		if h == nil {
			return nil, fmt.Errorf("the socket for %s is not open", spec.Bind)
		}
		out = append(out, h.socket)
	}
	return out, nil
}

// keep closes all but the sockets of specs and returns those whose paths are to be removed once nobody serves on them.
func (t *sockets) keep(specs []listen.Spec) (paths []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	wanted, used := map[string]bool{}, map[*held]bool{}
	for _, spec := range specs {
		if h := t.held[spec.Bind]; h != nil {
			wanted[spec.Bind], used[h] = true, true
		}
	}
	for bind, h := range t.held {
		if wanted[bind] {
			continue
		}
		delete(t.held, bind)
		if !used[h] {
			h.socket.Close()
			if !h.given && h.socket.Address.Network == "unix" {
				paths = append(paths, h.socket.Address.Name)
			}
		}
	}
	for _, h := range t.found {
		h.socket.Close()
	}
	t.found = nil
	return paths
}

// remove closes all, with the paths of UNIX sockets: for the end, when nobody serves any more.
func (t *sockets) remove() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	var err error
	for bind, h := range t.held {
		if h.given {
			h.socket.Close()
		} else {
			err = errors.Join(err, h.socket.Remove())
		}
		delete(t.held, bind)
	}
	for _, h := range t.found {
		h.socket.Close()
	}
	t.found = nil
	return err
}
