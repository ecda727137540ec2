package admin

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"orrery/internal/listen"
)

// queue is a socket on which web workers accept, with those who wait there.
type queue struct {
	name, protocol string
	waiting, most  uint32
}

// queues asks the kernel how many connections wait to be accepted. A socket of which it does not tell is shown with 0.
func (s *server) queues() (all []queue) {
	if s.o.Listening == nil {
		return nil
	}
	for _, socket := range s.o.Listening() {
		q := queue{name: socket.Address.String(), protocol: string(socket.Spec.Protocol)}
		if socket.Spec.Protocol == listen.Stats || socket.Spec.Protocol == listen.Admin {
			continue
		}
		switch socket.Address.Network {
		case "tcp":
			// Of a socket that listens the kernel puts the length of its queue, and the bound, in the place of these.
			if info, err := unix.GetsockoptTCPInfo(socket.FD(), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
				q.waiting, q.most = info.Unacked, info.Sacked
			}
		case "unix":
			q.waiting, q.most, _ = unixQueue(socket.FD()) // not without the kernel's module unix_diag
		}
		all = append(all, q)
	}
	return all
}

// What linux/sock_diag.h and linux/unix_diag.h call so.
const (
	sockDiagByFamily = 20
	udiagShowRqlen   = 0x10
	unixDiagRqlen    = 4
	unixDiagRequest  = 24 // bytes of struct unix_diag_req
	unixDiagMessage  = 16 // bytes of struct unix_diag_msg
)

// unixQueue asks for the queue of a UNIX socket that listens, as ss does.
func unixQueue(fd int) (waiting, most uint32, err error) {
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return 0, 0, err
	}
	netlink, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return 0, 0, err
	}
	defer unix.Close(netlink)
	if err := unix.SetsockoptTimeval(netlink, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 1}); err != nil {
		return 0, 0, err
	}
	order := binary.NativeEndian
	request := make([]byte, unix.SizeofNlMsghdr+unixDiagRequest)
	order.PutUint32(request[0:], uint32(len(request)))
	order.PutUint16(request[4:], sockDiagByFamily)
	order.PutUint16(request[6:], unix.NLM_F_REQUEST)
	body := request[unix.SizeofNlMsghdr:]
	body[0] = unix.AF_UNIX
	order.PutUint32(body[4:], ^uint32(0))       // in any state
	order.PutUint32(body[8:], uint32(stat.Ino)) // that socket alone
	order.PutUint32(body[12:], udiagShowRqlen)  // and of it
	order.PutUint64(body[16:], ^uint64(0))      // whatever its cookie
	if err := unix.Sendto(netlink, request, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return 0, 0, err
	}
	answer := make([]byte, 4096)
	n, _, err := unix.Recvfrom(netlink, answer, 0)
	if err != nil {
		return 0, 0, err
	}
	return parseUnixDiag(answer[:n])
}

var errNoQueue = errors.New("the kernel's answer has no queue")

// parseUnixDiag finds the queue in a netlink answer.
func parseUnixDiag(answer []byte) (waiting, most uint32, err error) {
	order := binary.NativeEndian
	if len(answer) < unix.SizeofNlMsghdr {
		return 0, 0, errNoQueue
	}
	if kind := order.Uint16(answer[4:]); kind != sockDiagByFamily {
		if kind == unix.NLMSG_ERROR && len(answer) >= unix.SizeofNlMsghdr+4 {
			return 0, 0, fmt.Errorf("asking for the queue: %w", unix.Errno(-int32(order.Uint32(answer[unix.SizeofNlMsghdr:]))))
		}
		return 0, 0, errNoQueue
	}
	if length := order.Uint32(answer); int64(length) < int64(len(answer)) {
		answer = answer[:length]
	}
	if len(answer) < unix.SizeofNlMsghdr+unixDiagMessage {
		return 0, 0, errNoQueue
	}
	attributes := answer[unix.SizeofNlMsghdr+unixDiagMessage:]
	for len(attributes) >= unix.SizeofRtAttr {
		length := int(order.Uint16(attributes))
		if length < unix.SizeofRtAttr || length > len(attributes) {
			break
		}
		if value := attributes[unix.SizeofRtAttr:length]; order.Uint16(attributes[2:]) == unixDiagRqlen && len(value) >= 8 {
			return order.Uint32(value), order.Uint32(value[4:]), nil
		}
		attributes = attributes[min(len(attributes), (length+unix.RTA_ALIGNTO-1)&^(unix.RTA_ALIGNTO-1)):]
	}
	return 0, 0, errNoQueue
}

func sortNaturally(lines []string) { slices.SortFunc(lines, naturally) }
