package supervisor

import (
	"fmt"
	"os"
	"strconv"
	"sync"
	"syscall"
)

// The environment variables by which a process learns of its supervisor's pipes.
const (
	envReady = "ORRERY_READY_FD"
	envAlive = "ORRERY_SUPERVISOR_FD"
)

// ExitConfig is the exit status of a process that cannot run with its configuration (EX_CONFIG of sysexits.h). The
// supervisor does not try such a process again while the server starts.
const ExitConfig = 78

// Child is a process's side of its supervisor.
type Child struct {
	ready *os.File
	gone  chan struct{}
	once  sync.Once
}

// FromEnvironment takes over the pipes that the supervisor handed to this process; nil when there is no supervisor. It
// removes the variables and marks the descriptors, so that programs started from here do not get them. It is called
// once, early.
func FromEnvironment() (*Child, error) {
	readyFD, aliveFD := os.Getenv(envReady), os.Getenv(envAlive)
	for _, name := range []string{envReady, envAlive} {
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
	c := &Child{ready: ready, gone: make(chan struct{})}
	go func() {
		// Nothing is ever written: the read ends when the last writer, the supervisor, is gone.
		buffer := make([]byte, 1)
		for {
			if _, err := alive.Read(buffer); err != nil {
				close(c.gone)
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
	c.once.Do(func() {
		_, err = c.ready.WriteString("ready\n")
		if closeErr := c.ready.Close(); err == nil {
			err = closeErr
		}
	})
	return err
}

// Gone is closed when the supervisor has died; the process should then stop gracefully, for nobody would start it again,
// and the next supervisor starts its own. For a nil Child it is never closed.
func (c *Child) Gone() <-chan struct{} {
	if c == nil {
		return nil
	}
	return c.gone
}
