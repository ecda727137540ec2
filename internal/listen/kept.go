package listen

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
)

// A certificate's key is often root's alone to read. When root opens the sockets and becomes another user then, the
// processes that serve cannot read it any more, so what root read is kept: in this process, and for its children and for
// the program that takes its place in a memory file that is open in each of them until [Inherit]. It is in no folder and in
// no environment; who may read the memory of a web worker may read it.

// envKept names the descriptor of the memory file.
const envKept = "ORRERY_LISTEN_KEPT_FD"

// keptFrom is the least number of its descriptor: those below are given anew to each child.
const keptFrom = 600

// keptPair is a certificate with its key as root read them, in PEM.
type keptPair struct {
	Cert []byte `json:"cert"`
	Key  []byte `json:"key"`
}

var kept = struct {
	sync.Mutex
	pairs map[string]keptPair // by keptName
}{pairs: map[string]keptPair{}}

func keptName(spec Spec) string { return spec.CertFile + "\x00" + spec.KeyFile }

// keep keeps a pair, when root read it.
func keep(spec Spec, pair keptPair) {
	if os.Geteuid() != 0 {
		return
	}
	kept.Lock()
	defer kept.Unlock()
	kept.pairs[keptName(spec)] = pair
}

func keptFor(spec Spec) (keptPair, bool) {
	kept.Lock()
	defer kept.Unlock()
	pair, ok := kept.pairs[keptName(spec)]
	return pair, ok
}

// handKeptOn makes the memory file, before root's privileges are dropped.
func handKeptOn() error {
	kept.Lock()
	defer kept.Unlock()
	if len(kept.pairs) == 0 {
		return nil
	}
	text, err := json.Marshal(kept.pairs)
	if err != nil {
		return err
	}
	fd, err := unix.MemfdCreate("orrery-certificates", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return fmt.Errorf("keeping the certificates: %w", err)
	}
	f := os.NewFile(uintptr(fd), "certificates")
	defer f.Close()
	if _, err := f.Write(text); err != nil {
		return fmt.Errorf("keeping the certificates: %w", err)
	}
	if _, err := unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, keptSeals); err != nil {
		return fmt.Errorf("keeping the certificates: %w", err)
	}
	// Without close-on-exec: this one is for the children.
	high, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD, keptFrom)
	if err != nil {
		return fmt.Errorf("keeping the certificates: %w", err)
	}
	return os.Setenv(envKept, strconv.Itoa(high))
}

const keptSeals = unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE

// learnKept reads the memory file that this process was started with. A process that serves takes it, so that no program
// which is started from here gets it; a supervisor that took its predecessor's place leaves it to its children.
func learnKept(take bool) error {
	number := os.Getenv(envKept)
	if number == "" {
		return nil
	}
	fd, err := strconv.Atoi(number)
	if err != nil || fd < keptFrom {
		return errors.Join(fmt.Errorf("the environment says %s=%q, which is no descriptor", envKept, number), os.Unsetenv(envKept))
	}
	// The number may be another file's if some program in between closed it; then there is nothing to learn.
	seals, err := unix.FcntlInt(uintptr(fd), unix.F_GET_SEALS, 0)
	if err != nil || seals != keptSeals {
		return os.Unsetenv(envKept)
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return fmt.Errorf("the certificates that were kept cannot be read: %w", err)
	}
	if st.Size > maxSockets*maxPEM {
		return fmt.Errorf("the certificates that were kept cannot be read: %d bytes are more than was ever written", st.Size)
	}
	text := make([]byte, st.Size)
	if n, err := unix.Pread(fd, text, 0); err != nil || n != len(text) {
		return fmt.Errorf("the certificates that were kept cannot be read: %w", err)
	}
	pairs := map[string]keptPair{}
	if err := json.Unmarshal(text, &pairs); err != nil {
		return fmt.Errorf("the certificates that were kept cannot be read: %w", err)
	}
	kept.Lock()
	maps.Copy(kept.pairs, pairs)
	kept.Unlock()
	if !take {
		return nil
	}
	return errors.Join(unix.Close(fd), os.Unsetenv(envKept))
}
