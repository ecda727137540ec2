package admin

import (
	"slices"

	"golang.org/x/sys/unix"

	"orrery/internal/listen"
)

// queue is a socket on which web workers accept, with those who wait there.
type queue struct {
	name, protocol string
	waiting, most  uint32
}

// queues asks the kernel how many connections wait to be accepted. It tells that of TCP sockets; of UNIX sockets it
// does not, as uWSGI's stats do not: they are shown with 0.
func (s *server) queues() (all []queue) {
	if s.o.Listening == nil {
		return nil
	}
	for _, socket := range s.o.Listening() {
		q := queue{name: socket.Address.String(), protocol: string(socket.Spec.Protocol)}
		if socket.Address.Network == "tcp" && socket.Spec.Protocol != listen.Stats {
			// Of a socket that listens the kernel puts the length of its queue, and the bound, in the place of these.
			if info, err := unix.GetsockoptTCPInfo(socket.FD(), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
				q.waiting, q.most = info.Unacked, info.Sacked
			}
		}
		all = append(all, q)
	}
	return all
}

func sortNaturally(lines []string) { slices.SortFunc(lines, naturally) }
