package listen

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"testing"
)

// BenchmarkRequest is a request with a connection of its own over a UNIX socket, as proxies send uwsgi's, beside the same
// over HTTP.
func BenchmarkRequest(b *testing.B) {
	vars := []string{
		"QUERY_STRING", "", "REQUEST_METHOD", "GET", "CONTENT_TYPE", "", "CONTENT_LENGTH", "", "REQUEST_URI", "/api/version", "PATH_INFO", "/api/version",
		"SERVER_PROTOCOL", "HTTP/1.1", "SERVER_NAME", "localhost", "SERVER_PORT", "80", "REQUEST_SCHEME", "http", "UWSGI_SCHEME", "http",
		"REMOTE_ADDR", "127.0.0.1", "REMOTE_PORT", "40000", "HTTP_HOST", "localhost",
	}
	for name, request := range map[string][]byte{
		"uwsgi": packet(vars...),
		"HTTP":  []byte("GET /api/version HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"),
	} {
		b.Run(name, func(b *testing.B) {
			socket, err := Open("unix:" + filepath.Join(b.TempDir(), "s"))
			if err != nil {
				b.Fatal(err)
			}
			defer socket.Remove()
			l, err := socket.Listener()
			if err != nil {
				b.Fatal(err)
			}
			server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, `{"version_major":"26.1"}`) })}
			defer server.Close()
			if name == "uwsgi" {
				l = SpeakUWSGI(server, l, UWSGIOptions{})
			}
			go server.Serve(l)
			b.ReportAllocs()
			for b.Loop() {
				c, err := net.Dial("unix", socket.Address.Name)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := c.Write(request); err != nil {
					b.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, bufio.NewReader(c)); err != nil {
					b.Fatal(err)
				}
				c.Close()
			}
		})
	}
}
