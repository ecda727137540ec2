package supervisor

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// The environment variables by which a process learns of its supervisor's pipes, and of its own and the supervisor's
// name.
const (
	envReady = "ORRERY_READY_FD"
	envAlive = "ORRERY_SUPERVISOR_FD"
	envName  = "ORRERY_PROCESS"
	envOwner = "ORRERY_SUPERVISOR"
)

// ExitConfig is the exit status of a process that cannot run with its configuration (EX_CONFIG of sysexits.h). The
// supervisor does not try such a process again while the server starts.
const ExitConfig = 78

// orphanTime is how long a process goes on without its supervisor, for the next one to take its sockets and to start
// processes beside it.
var orphanTime = time.Minute

// Child is a process's side of its supervisor. The methods of a nil Child, of a process that nobody supervises, do
// nothing.
type Child struct {
	name, owner string
	status      *os.File
	orphaned    chan struct{} // the supervisor has died
	gone        chan struct{}
	once        sync.Once
	goOnce      sync.Once

	mu    sync.Mutex
	clock *time.Timer // runs out orphanTime after the supervisor's death, or after the last word of the next one
}

// FromEnvironment takes over the pipes that the supervisor handed to this process; nil when there is no supervisor. It
// removes the variables and marks the descriptors, so that programs started from here do not get them. It is called
// once, early.
func FromEnvironment() (*Child, error) {
	readyFD, aliveFD, name, owner := os.Getenv(envReady), os.Getenv(envAlive), os.Getenv(envName), os.Getenv(envOwner)
	for _, name := range []string{envReady, envAlive, envName, envOwner} {
		if err := os.Unsetenv(name); err != nil {
			return nil, err
		}
	}
	if readyFD == "" || aliveFD == "" {
		return nil, nil
	}
	ready, err := pipeEnd(readyFD)
	if err != nil {
		return nil, err
	}
	alive, err := pipeEnd(aliveFD)
	if err != nil {
		return nil, err
	}
	c := &Child{name: name, owner: owner, status: ready, gone: make(chan struct{}), orphaned: make(chan struct{})}
	go func() {
		// Nothing is ever written: the read ends when the last writer, the supervisor, is gone.
		buffer := make([]byte, 1)
		for {
			if _, err := alive.Read(buffer); err != nil {
				c.mu.Lock()
				c.clock = time.AfterFunc(orphanTime, c.end)
				c.mu.Unlock()
				close(c.orphaned)
				return
			}
		}
	}()
	return c, nil
}

func pipeEnd(number string) (*os.File, error) {
	fd, err := strconv.Atoi(number)
	if err != nil || fd < 3 {
		return nil, fmt.Errorf("the supervisor handed over the descriptor %q, which is no number from 3", number)
	}
	var stat syscall.Stat_t
	if err := syscall.Fstat(fd, &stat); err != nil || stat.Mode&syscall.S_IFMT != syscall.S_IFIFO {
		return nil, fmt.Errorf("descriptor %d, which the supervisor handed over, is no pipe", fd)
	}
	syscall.CloseOnExec(fd)
	// Not blocking, so that waiting does not occupy a thread.
	if err := syscall.SetNonblock(fd, true); err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), "supervisor"), nil
}

// Ready tells the supervisor that this process serves. Later calls do nothing. A nil Child has nobody to tell.
func (c *Child) Ready() error {
	if c == nil {
		return nil
	}
	var err error
	c.once.Do(func() { err = c.say("ready\n") })
	return err
}

// Busy tells the supervisor of a process that was told to stop that it still moves bytes for n requests; it is said about
// each second while they move. A process that a successor has taken over from is not killed while it says so, for up to
// an hour. An n of 0 says nothing.
func (c *Child) Busy(n int) error {
	if c == nil || n == 0 {
		return nil
	}
	return c.say("busy " + strconv.Itoa(n) + "\n")
}

// say writes a line; a supervisor that has died hears nothing, which is no error of this process.
func (c *Child) say(line string) error {
	_, err := c.status.WriteString(line)
	if errors.Is(err, syscall.EPIPE) {
		return nil
	}
	return err
}

// Gone is closed when the supervisor has died and no other has taken its place for a minute, or when another has and its
// own processes serve: this process should then stop gracefully. For a nil Child it is never closed.
func (c *Child) Gone() <-chan struct{} {
	if c == nil {
		return nil
	}
	return c.gone
}

// end closes Gone.
func (c *Child) end() { c.goOnce.Do(func() { close(c.gone) }) }

// stay gives the next supervisor its time to start.
func (c *Child) stay() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.clock != nil {
		c.clock.Reset(orphanTime)
	}
}
