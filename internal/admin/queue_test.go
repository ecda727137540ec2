package admin

import (
	"net"
	"path/filepath"
	"testing"

	"orrery/internal/listen"
)

func TestWhoWaitsAtASocketIsCounted(t *testing.T) {
	tcp, err := listen.OpenSpec(listen.Spec{Bind: "127.0.0.1:0", Protocol: listen.HTTP})
	if err != nil {
		t.Fatal(err)
	}
	local, err := listen.OpenSpec(listen.Spec{Bind: "unix:" + filepath.Join(t.TempDir(), "s"), Protocol: listen.UWSGI})
	if err != nil {
		t.Fatal(err)
	}
	sockets := []*listen.Socket{tcp, local}
	defer listen.CloseAll(sockets)
	s := &server{o: Options{Listening: func() []*listen.Socket { return sockets }}}
	for n := range uint32(3) {
		for _, q := range s.queues() {
			if q.waiting != n || q.most < 100 {
				t.Errorf("%s: %d of %d wait, want %d", q.name, q.waiting, q.most, n)
			}
		}
		for _, socket := range sockets {
			c, err := net.Dial(socket.Address.Network, socket.Address.Name)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
		}
	}
}

func FuzzUnixDiag(f *testing.F) {
	f.Add(make([]byte, 48))
	f.Add([]byte("\x30\x00\x00\x00\x14\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00aaaabbbbccccdddd\x0c\x00\x04\x00\x01\x00\x00\x00\x02\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, answer []byte) {
		if _, _, err := parseUnixDiag(answer); err == nil && len(answer) < 44 {
			t.Fatal("a queue in nothing")
		}
	})
}
