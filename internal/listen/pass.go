package listen

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// The hand-over of sockets between living processes, over a UNIX socket: a header of 16 bytes (passMagic, the number of
// sockets, the length of the text), the specs as JSON, then the descriptors, passBatch at a time, each batch with one byte
// that says how many they are.
const (
	passMagic = "orrery-1"
	passBatch = 250 // the kernel takes 253
)

// SendSockets hands sockets over to the process at the other end, which gets descriptors of its own. The caller sets
// deadlines on the connection and has looked at who the peer is ([CheckPeer]).
func SendSockets(conn *net.UnixConn, sockets []*Socket) error {
	if len(sockets) > maxSockets {
		return fmt.Errorf("%d sockets are too many to hand over, %d is the limit", len(sockets), maxSockets)
	}
	specs, err := encodeSpecs(sockets)
	if err != nil {
		return err
	}
	if len(specs) > maxSpecs {
		return fmt.Errorf("what is to be said about %d sockets is too long (%d bytes)", len(sockets), len(specs))
	}
	message := append([]byte(passMagic), 0, 0, 0, 0, 0, 0, 0, 0)
	binary.BigEndian.PutUint32(message[8:], uint32(len(sockets)))
	binary.BigEndian.PutUint32(message[12:], uint32(len(specs)))
	if _, err := conn.Write(append(message, specs...)); err != nil {
		return fmt.Errorf("handing sockets over: %w", err)
	}
	for len(sockets) > 0 {
		batch := sockets[:min(len(sockets), passBatch)]
		sockets = sockets[len(batch):]
		if err := sendBatch(conn, batch); err != nil {
			return fmt.Errorf("handing sockets over: %w", err)
		}
	}
	return nil
}

// sendBatch sends descriptors. They are locked meanwhile, so that a number is not that of another file by then.
func sendBatch(conn *net.UnixConn, batch []*Socket) error {
	fds := make([]int, len(batch))
	for i, s := range batch {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.fd < 0 {
			return fmt.Errorf("%s: %w", s.Address, net.ErrClosed)
		}
		fds[i] = s.fd
	}
	_, _, err := conn.WriteMsgUnix([]byte{byte(len(batch))}, unix.UnixRights(fds...), nil)
	return err
}

// ReceiveSockets takes what [SendSockets] sends. When it fails, no descriptor stays open.
func ReceiveSockets(conn *net.UnixConn) ([]*Socket, error) {
	var header [16]byte
	if _, err := io.ReadFull(conn, header[:]); err != nil {
		return nil, fmt.Errorf("taking sockets over: %w", err)
	}
	n, length := binary.BigEndian.Uint32(header[8:]), binary.BigEndian.Uint32(header[12:])
	if string(header[:8]) != passMagic {
		return nil, errors.New("taking sockets over: the other side is another program, or another version of this one")
	}
	if n > maxSockets || length > maxSpecs {
		return nil, fmt.Errorf("taking sockets over: %d sockets with %d bytes of text are too many", n, length)
	}
	text := make([]byte, length)
	if _, err := io.ReadFull(conn, text); err != nil {
		return nil, fmt.Errorf("taking sockets over: %w", err)
	}
	specs, err := decodeSpecs(text, int(n))
	if err != nil {
		return nil, err
	}
	var out []*Socket
	for len(out) < int(n) {
		batch, err := receiveBatch(conn)
		out = append(out, batch...)
		if err == nil && len(out) > int(n) {
			err = errors.New("more came than were announced")
		}
		if err != nil {
			CloseAll(out)
			return nil, fmt.Errorf("taking sockets over: %w", err)
		}
	}
	for i, s := range out {
		s.describe(specs[i])
	}
	return out, nil
}

// receiveBatch takes descriptors. What it returns beside an error is the caller's to close.
func receiveBatch(conn *net.UnixConn) ([]*Socket, error) {
	var count [1]byte
	rights := make([]byte, unix.CmsgSpace(passBatch*4))
	n, oobn, flags, _, err := conn.ReadMsgUnix(count[:], rights)
	if err != nil {
		return nil, err
	}
	var fds []int
	messages, parseErr := unix.ParseSocketControlMessage(rights[:oobn])
	for _, m := range messages {
		if got, err := unix.ParseUnixRights(&m); err == nil {
			fds = append(fds, got...)
		}
	}
	var out []*Socket
	for i, fd := range fds {
		s, err := take(fd)
		if err != nil {
			for _, rest := range fds[i:] {
				unix.Close(rest)
			}
			return out, err
		}
		out = append(out, s)
	}
	switch {
	case parseErr != nil:
		return out, parseErr
	case n == 0:
		return out, io.ErrUnexpectedEOF
	case flags&unix.MSG_CTRUNC != 0:
		return out, errors.New("some descriptors did not arrive; this process may have too many open files")
	case len(fds) == 0 || len(fds) != int(count[0]):
		return out, fmt.Errorf("%d descriptors came where %d were announced", len(fds), count[0])
	}
	return out, nil
}

// CheckPeer refuses a peer on a UNIX socket that is neither this process's user nor root: for sockets over which orders and
// descriptors go.
func CheckPeer(conn *net.UnixConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var peer *unix.Ucred
	var credErr error
	if err := raw.Control(func(fd uintptr) { peer, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }); err != nil {
		return err
	}
	if credErr != nil {
		return fmt.Errorf("finding out who connects: %w", credErr)
	}
	if uid := int(peer.Uid); uid != 0 && uid != os.Geteuid() {
		return fmt.Errorf("the user %d may not connect here, only root and the user %d", uid, os.Geteuid())
	}
	return nil
}
