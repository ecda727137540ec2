package jobhandler

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// injectFaults reads what to do at which steps: point=crash or point=pause, with
// @P behind it to do it with the probability P only, several of them separated by
// commas. A crash is SIGKILL and a pause SIGSTOP, both sent to this process by
// itself; each pause happens once in a process, so that a process which is let go
// on does go on. Only programs built with the tag «faults», and tests, call it.
func injectFaults(text string) error {
	type order struct {
		signal unix.Signal
		chance float64
		once   sync.Once
	}
	orders := map[Point]*order{}
	for part := range strings.SplitSeq(text, ",") {
		point, what, _ := strings.Cut(part, "=")
		what, chance, limited := strings.Cut(what, "@")
		o := &order{chance: 1}
		switch what {
		case "crash":
			o.signal = unix.SIGKILL
		case "pause":
			o.signal = unix.SIGSTOP
		default:
			return fmt.Errorf("ORRERY_FAULT: %q is neither point=crash nor point=pause", part)
		}
		if !slices.Contains(Points, Point(point)) {
			return fmt.Errorf("ORRERY_FAULT: there is no point %q; there are %v", point, Points)
		}
		if limited {
			var err error
			if o.chance, err = strconv.ParseFloat(chance, 64); err != nil {
				return fmt.Errorf("ORRERY_FAULT: %q: %w", part, err)
			}
		}
		orders[Point(point)] = o
	}
	fault = func(at Point, _ int64) {
		o := orders[at]
		if o == nil || o.chance < 1 && rand.Float64() >= o.chance {
			return
		}
		o.once.Do(func() { _ = unix.Kill(os.Getpid(), o.signal) })
	}
	return nil
}
