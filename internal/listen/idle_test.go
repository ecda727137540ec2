package listen

import (
	"bufio"
	"io"
	"log"
	"net"
	"net/http"
	"path/filepath"
	"runtime"
	"testing"
)

// BenchmarkIdleConnections tells how much memory of this process a connection costs on which nothing happens: heap and
// stacks with the client's end, which is some 600 bytes, and without what the kernel keeps. HTTP with Go 1.26: 13.5 kB before
// the first request (the stack of its goroutine, 8 kB, and a reader), 18 kB when it is kept alive (a writer besides); the
// uwsgi protocol, 14 kB. So 10,000 idle clients are 180 MB at most, of which net/http gives nothing back before they go:
// what bounds them are ReadHeaderTimeout and IdleTimeout.
func BenchmarkIdleConnections(b *testing.B) {
	const connections = 2000
	for name, test := range map[string]struct {
		uwsgi bool
		state http.ConnState
	}{
		"HTTP before the first request": {false, http.StateNew},
		"HTTP kept alive":               {false, http.StateIdle},
		"uwsgi before the request":      {true, http.StateNew},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				socket, err := Open("unix:" + filepath.Join(b.TempDir(), "s"))
				if err != nil {
					b.Fatal(err)
				}
				l, err := socket.Listener()
				if err != nil {
					b.Fatal(err)
				}
				reached := make(chan struct{}, connections)
				server := &http.Server{
					ErrorLog: log.New(io.Discard, "", 0), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "ok") }),
					ConnState: func(_ net.Conn, s http.ConnState) {
						if s == test.state {
							reached <- struct{}{}
						}
					},
				}
				if test.uwsgi {
					l = SpeakUWSGI(server, l, UWSGIOptions{})
				}
				go server.Serve(l)
				before := inUse()
				clients := make([]net.Conn, connections)
				for i := range clients {
					if clients[i], err = net.Dial("unix", socket.Address.Name); err != nil {
						b.Fatal(err)
					}
					if test.state == http.StateIdle {
						io.WriteString(clients[i], "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
						answer, err := http.ReadResponse(bufio.NewReader(clients[i]), nil)
						if err != nil {
							b.Fatal(err)
						}
						io.Copy(io.Discard, answer.Body)
					}
					<-reached
				}
				b.ReportMetric(float64(inUse()-before)/connections, "B/conn")
				server.Close()
				for _, c := range clients {
					c.Close()
				}
				socket.Remove()
			}
		})
	}
}

// inUse is how many bytes of heap and stacks are in use.
func inUse() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}
