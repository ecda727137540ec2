package jobdir

import (
	"fmt"
	"os"
	"strings"
	"sync"
)

// Place is one machine between two starts of it.
type Place struct{ Boot, Host string }

// Here is where this process runs.
var Here = sync.OnceValues(func() (Place, error) {
	host, err := os.Hostname()
	if err != nil {
		return Place{}, fmt.Errorf("asking for this host's name: %w", err)
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return Place{}, fmt.Errorf("asking for the id of this machine's start: %w", err)
	}
	return Place{Boot: strings.TrimSpace(string(boot)), Host: host}, nil
})

// Places lists, from what an attempt's lock holds, where it was handed to a
// process; each once.
func (d Dir) Places(attempt int) []Place {
	text, err := os.ReadFile(d.Lock(attempt))
	if err != nil {
		return nil
	}
	var places []Place
	seen := map[Place]bool{}
	for line := range strings.Lines(string(text)) {
		boot, host, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if p := (Place{Boot: boot, Host: host}); ok && !seen[p] {
			seen[p] = true
			places = append(places, p)
		}
	}
	return places
}

// Line is how a place is written into a lock.
func (p Place) Line() string { return p.Boot + " " + p.Host + "\n" }
