package pool

import (
	"os"
	"time"

	"orrery/internal/store"
)

// Mature lets a member believe that it has been in contact with the database for
// a whole lease.
func (m *Member) Mature() {
	m.mu.Lock()
	m.contact = time.Now().Add(-m.opts.Lease)
	m.mu.Unlock()
}

// Stop ends a member's renewals, as when its process is killed; its lease goes on
// until it ends.
func (m *Member) Stop() {
	m.halt()
	m.unserve()
	m.serving.Wait()
}

// Here is this process as its instance says it.
func Here() store.InstanceProcess {
	start, _ := processStart(os.Getpid())
	return store.InstanceProcess{Place: place(), ProcessStart: start}
}

// HostRole is the role of the process that renews for all of its host.
const HostRole = hostRole
