package listen

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// packet writes variables, given as keys and values in turn, as uwsgi_pass does.
func packet(vars ...string) []byte {
	var body []byte
	for _, s := range vars {
		body = binary.LittleEndian.AppendUint16(body, uint16(len(s)))
		body = append(body, s...)
	}
	return append(binary.LittleEndian.AppendUint16([]byte{0}, uint16(len(body))), append([]byte{0}, body...)...)
}

func TestPackets(t *testing.T) {
	for name, test := range map[string]struct {
		vars []string
		want string // the request as HTTP, or the beginning of a status
	}{
		"plain": {
			[]string{"REQUEST_METHOD", "GET", "REQUEST_URI", "/a%20b?c=d", "HTTP_HOST", "example.org", "HTTP_X_FORWARDED_FOR", "192.0.2.1"},
			"GET /a%20b?c=d HTTP/1.0\r\nHost: example.org\r\nX-FORWARDED-FOR: 192.0.2.1\r\n\r\n",
		},
		"body": {
			[]string{"REQUEST_METHOD", "POST", "REQUEST_URI", "/", "CONTENT_LENGTH", "3", "CONTENT_TYPE", "text/plain", "HTTP_CONTENT_LENGTH", "3", "HTTP_CONTENT_TYPE", "x"},
			"POST / HTTP/1.0\r\nHost: \r\nContent-Length: 3\r\nContent-Type: text/plain\r\n\r\n",
		},
		"no REQUEST_URI": {
			[]string{"REQUEST_METHOD", "GET", "SCRIPT_NAME", "/galaxy", "PATH_INFO", "/a b", "QUERY_STRING", "c", "SERVER_NAME", "x", "SERVER_PORT", "81"},
			"GET /galaxy/a%20b?c HTTP/1.0\r\nHost: x:81\r\n\r\n",
		},
		"absolute": {
			[]string{"REQUEST_METHOD", "GET", "REQUEST_URI", "http://evil.example/a?b", "HTTP_HOST", "good.example"},
			"GET /a?b HTTP/1.0\r\nHost: good.example\r\n\r\n",
		},
		"hop by hop": {
			[]string{"REQUEST_METHOD", "GET", "REQUEST_URI", "/", "HTTP_CONNECTION", "x", "HTTP_UPGRADE", "h2c", "HTTP_EXPECT", "100-continue", "HTTP_TRANSFER_ENCODING", "chunked", "CONTENT_LENGTH", "0", "HTTP_TE", "trailers"},
			"GET / HTTP/1.0\r\nHost: \r\nContent-Length: 0\r\n\r\n",
		},
		"twice": {
			[]string{"REQUEST_METHOD", "POST", "REQUEST_METHOD", "GET", "REQUEST_URI", "/", "HTTP_COOKIE", "a=b", "HTTP_COOKIE", "c=d"},
			"GET / HTTP/1.0\r\nHost: \r\nCOOKIE: a=b\r\nCOOKIE: c=d\r\n\r\n",
		},
		"empty length":            {[]string{"REQUEST_METHOD", "GET", "REQUEST_URI", "/", "CONTENT_LENGTH", ""}, "GET / HTTP/1.0\r\nHost: \r\n\r\n"},
		"nothing":                 {nil, "400 "},
		"no path":                 {[]string{"REQUEST_METHOD", "GET"}, "400 "},
		"a line end in a value":   {[]string{"REQUEST_METHOD", "GET", "REQUEST_URI", "/", "HTTP_X", "a\r\nY: b"}, "400 "},
		"a line end in the host":  {[]string{"REQUEST_METHOD", "GET", "REQUEST_URI", "/", "HTTP_HOST", "a\n"}, "400 "},
		"a line end in the type":  {[]string{"REQUEST_METHOD", "GET", "REQUEST_URI", "/", "CONTENT_TYPE", "a\nb"}, "400 "},
		"a line end in the path":  {[]string{"REQUEST_METHOD", "GET", "REQUEST_URI", "/ HTTP/1.1\r\nX: y"}, "400 "},
		"a line end in a name":    {[]string{"REQUEST_METHOD", "GET", "REQUEST_URI", "/", "HTTP_X: y\r\nZ", "a"}, "400 "},
		"a colon in a name":       {[]string{"REQUEST_METHOD", "GET", "REQUEST_URI", "/", "HTTP_X:", "a"}, "400 "},
		"no name":                 {[]string{"REQUEST_METHOD", "GET", "REQUEST_URI", "/", "HTTP_", "a"}, "400 "},
		"a space in the method":   {[]string{"REQUEST_METHOD", "GET /x", "REQUEST_URI", "/"}, "400 "},
		"CONNECT":                 {[]string{"REQUEST_METHOD", "CONNECT", "REQUEST_URI", "/"}, "400 "},
		"a relative path":         {[]string{"REQUEST_METHOD", "GET", "REQUEST_URI", "a"}, "400 "},
		"another scheme":          {[]string{"REQUEST_METHOD", "GET", "REQUEST_URI", "file:///etc/passwd"}, "400 "},
		"two lengths":             {[]string{"REQUEST_METHOD", "GET", "REQUEST_URI", "/", "CONTENT_LENGTH", "1", "HTTP_CONTENT_LENGTH", "2"}, "400 "},
		"the length twice":        {[]string{"REQUEST_METHOD", "GET", "REQUEST_URI", "/", "CONTENT_LENGTH", "1", "CONTENT_LENGTH", "2"}, "400 "},
		"two hosts":               {[]string{"REQUEST_METHOD", "GET", "REQUEST_URI", "/", "HTTP_HOST", "a", "HTTP_HOST", "b"}, "400 "},
		"a negative length":       {[]string{"REQUEST_METHOD", "GET", "REQUEST_URI", "/", "CONTENT_LENGTH", "-1"}, "400 "},
		"a length with a plus":    {[]string{"REQUEST_METHOD", "GET", "REQUEST_URI", "/", "CONTENT_LENGTH", "+1"}, "400 "},
		"chunks without a length": {[]string{"REQUEST_METHOD", "POST", "REQUEST_URI", "/", "HTTP_TRANSFER_ENCODING", "chunked"}, "411 "},
		"too many variables":      {strings.Split(strings.Repeat("a,", 41)+"b", ","), "431 "},
	} {
		t.Run(name, func(t *testing.T) {
			in := packet(test.vars...)
			b, err := readPacket(append(in, "body"...), UWSGIOptions{MaxVars: 20})
			var refused *badPacket
			switch {
			case errors.As(err, &refused):
				if !strings.HasPrefix(refused.status, test.want) {
					t.Errorf("%s: %s", refused.status, refused.text)
				}
			case err != nil:
				t.Error(err)
			case string(b.text) != test.want || b.taken != len(in):
				t.Errorf("%q, %d of %d bytes", b.text, b.taken, len(in))
			}
			for i := range in {
				if _, err := readPacket(in[:i], UWSGIOptions{MaxVars: 20}); !errors.Is(err, errMore) {
					t.Fatalf("%d of %d bytes: %v", i, len(in), err)
				}
			}
		})
	}
	for name, in := range map[string]string{
		"HTTP": "GET / HTTP/1.1\r\n", "TLS": "\x16\x03\x01\x00", "another modifier": "\x05\x00\x00\x00", "a size beyond the limit": "\x00\xff\xff\x00",
		"a variable that is cut off": "\x00\x03\x00\x00\x05\x00a", "a key without a value": "\x00\x03\x00\x00\x01\x00a",
	} {
		var refused *badPacket
		if _, err := readPacket([]byte(in), UWSGIOptions{MaxSize: 1000}); !errors.As(err, &refused) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzPacket: what a packet becomes is one request and nothing more, whatever is in it.
func FuzzPacket(f *testing.F) {
	f.Add(packet("REQUEST_METHOD", "GET", "REQUEST_URI", "/a?b", "HTTP_HOST", "x", "HTTP_COOKIE", "a=b"))
	f.Add(packet("REQUEST_METHOD", "POST", "PATH_INFO", "/ä", "CONTENT_LENGTH", "10", "CONTENT_TYPE", "a\tb"))
	f.Add(packet("REQUEST_METHOD", "GET", "REQUEST_URI", "http://a/b", "SERVER_NAME", "x", "SERVER_PORT", "1"))
	f.Add([]byte("GET / HTTP/1.1\r\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		b, err := readPacket(in, UWSGIOptions{})
		if err != nil {
			return
		}
		if bytes.Count(b.text, []byte("\r\n\r\n")) != 1 || !bytes.HasSuffix(b.text, []byte("\r\n\r\n")) {
			t.Fatalf("not one request: %q", b.text)
		}
		lines := bytes.Count(b.text, []byte("\n"))
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(b.text)))
		if err != nil {
			return // the server answers 400
		}
		if len(r.TransferEncoding) != 0 || r.Proto != "HTTP/1.0" {
			t.Fatalf("%q: %v %s", b.text, r.TransferEncoding, r.Proto)
		}
		headers := 1 // Host
		for _, values := range r.Header {
			headers += len(values)
		}
		if headers != lines-2 {
			t.Fatalf("%q: %d headers", b.text, headers)
		}
		if want := b.vars.get("CONTENT_LENGTH"); want != "" && fmt.Sprint(r.ContentLength) != strings.TrimLeft(want, "0") && r.ContentLength != 0 {
			t.Fatalf("%q: length %d, want %s", b.text, r.ContentLength, want)
		}
	})
}

// uwsgiServer serves a handler on a UNIX socket and on TCP; it returns how to connect.
func uwsgiServer(t *testing.T, s *uwsgiOnly) (tcp, unix func() net.Conn) {
	t.Helper()
	if s.ErrorLog == nil {
		s.ErrorLog = log.New(io.Discard, "", 0)
	}
	sockets, err := openAll([]string{"127.0.0.1:0", "unix:" + filepath.Join(t.TempDir(), "s")})
	if err != nil {
		t.Fatal(err)
	}
	var dial []func() net.Conn
	for _, socket := range sockets {
		l, err := socket.Listener()
		if err != nil {
			t.Fatal(err)
		}
		served := make(chan error, 1)
		go func() { served <- s.Serve(l) }()
		t.Cleanup(func() {
			s.Close()
			socket.Remove()
			if err := <-served; !errors.Is(err, http.ErrServerClosed) {
				t.Error(err)
			}
		})
		dial = append(dial, func() net.Conn {
			c, err := net.Dial(socket.Address.Network, socket.Address.Name)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { c.Close() })
			return c
		})
	}
	return dial[0], dial[1]
}

// send sends parts of a request and returns the whole answer.
func send(t *testing.T, c net.Conn, parts ...[]byte) string {
	t.Helper()
	for _, part := range parts {
		if _, err := c.Write(part); err != nil {
			t.Fatal(err)
		}
	}
	answer, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(answer)
}

func TestUWSGIRequest(t *testing.T) {
	tcp, unix := uwsgiServer(t, &uwsgiOnly{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		u, ok := UWSGIFrom(r.Context())
		fmt.Fprintln(w, r.Method, r.URL, r.Host, r.Proto, r.RemoteAddr, r.TLS != nil, r.Header["X-A"], r.ContentLength, string(body), err, ok, u.Var("SCRIPT_NAME"), u.Peer.Network())
	})})
	request := packet("REQUEST_METHOD", "POST", "REQUEST_URI", "/galaxy/x?y=z", "HTTP_HOST", "example.org", "SERVER_PROTOCOL", "HTTP/2.0", "REMOTE_ADDR", "192.0.2.7",
		"REMOTE_PORT", "4711", "UWSGI_SCHEME", "https", "HTTPS", "off", "HTTP_X_A", "1", "HTTP_X_A", "2", "CONTENT_LENGTH", "5", "SCRIPT_NAME", "/galaxy")
	want := "POST /galaxy/x?y=z example.org HTTP/2.0 192.0.2.7:4711 true [1 2] 5 hello <nil> true /galaxy "
	for network, dial := range map[string]func() net.Conn{"tcp": tcp, "unix": unix} {
		for name, parts := range map[string][][]byte{
			"at once":            {append(bytes.Clone(request), "hello"...)},
			"with too much":      {append(bytes.Clone(request), "hello\x00\x00\x00\x00GET / HTTP/1.1\r\n\r\n"...)},
			"in parts":           {request[:1], request[1:3], request[3:40], request[40:], []byte("he"), []byte("llo")},
			"two bytes too late": {request, []byte("hello")},
		} {
			got := send(t, dial(), parts...)
			if !strings.HasPrefix(got, "HTTP/1.1 200 OK\r\n") || !strings.Contains(got, "\r\nConnection: close\r\n") || !strings.HasSuffix(got, "\r\n\r\n"+want+network+"\n") {
				t.Errorf("%s, %s: %q", network, name, got)
			}
			if strings.Contains(strings.ToLower(got), "transfer-encoding") {
				t.Errorf("%s: %q", name, got)
			}
		}
	}
	// Without what proxies add: the peer is the client, the version HTTP/1.1, the scheme http.
	got := send(t, tcp(), packet("REQUEST_METHOD", "GET", "REQUEST_URI", "/", "REMOTE_ADDR", "unix:"))
	if !strings.Contains(got, "GET /  HTTP/1.1 127.0.0.1:") || !strings.Contains(got, " false [] 0  <nil>") {
		t.Errorf("%q", got)
	}
}

func TestUWSGIRefuses(t *testing.T) {
	s := &uwsgiOnly{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the handler is asked") })}
	tcp, _ := uwsgiServer(t, s)
	for in, want := range map[string]string{
		"GET / HTTP/1.1\r\nHost: x\r\n\r\n": "HTTP/1.1 400 Bad Request\r\n",
		"\x05\x00\x00\x00":                  "HTTP/1.1 400 Bad Request\r\n",
		string(packet("REQUEST_METHOD", "POST", "REQUEST_URI", "/", "HTTP_TRANSFER_ENCODING", "chunked")): "HTTP/1.1 411 Length Required\r\n",
		string(packet("REQUEST_METHOD", "GET", "REQUEST_URI", "/", "HTTP_HOST", "a b/c")):                 "HTTP/1.1 400 Bad Request",
	} {
		if got := send(t, tcp(), []byte(in)); !strings.HasPrefix(got, want) {
			t.Errorf("%q: %q", in, got)
		}
	}
	// A large body that follows a refusal does not cost the answer.
	c := tcp()
	if _, err := c.Write(append(packet("REQUEST_METHOD", "GET"), make([]byte, 100_000)...)); err != nil {
		t.Fatal(err)
	}
	if got := send(t, c); !strings.HasPrefix(got, "HTTP/1.1 400 ") {
		t.Errorf("%q", got)
	}
	// A connection that is closed before the packet is complete gets nothing.
	c = tcp()
	c.Write([]byte{0, 5})
	c.(*net.TCPConn).CloseWrite()
	if got := send(t, c); got != "" {
		t.Errorf("%q", got)
	}
}

func TestUWSGIAllowsWhoMay(t *testing.T) {
	tcp, unix := uwsgiServer(t, &uwsgiOnly{Options: UWSGIOptions{Allow: func(a net.Addr) bool { return a.Network() == "unix" }}})
	request := packet("REQUEST_METHOD", "GET", "REQUEST_URI", "/")
	if got := send(t, tcp(), request); !strings.HasPrefix(got, "HTTP/1.1 403 ") {
		t.Errorf("%q", got)
	}
	if got := send(t, unix(), request); !strings.HasPrefix(got, "HTTP/1.1 404 ") {
		t.Errorf("%q", got)
	}
}

func TestUWSGIAnswers(t *testing.T) {
	gone := make(chan struct{})
	begun := make(chan struct{}, 1)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, bytes.Repeat([]byte("0123456789"), 100_000), 0o600); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/stream", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-Sum")
		fmt.Fprint(w, "first")
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Error(err)
		}
		<-begun
		fmt.Fprint(w, "second")
	})
	mux.HandleFunc("/panic", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	mux.HandleFunc("/file", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, file) })
	mux.HandleFunc("/wait", func(w http.ResponseWriter, r *http.Request) {
		begun <- struct{}{}
		<-r.Context().Done()
		close(gone)
	})
	mux.HandleFunc("/deadline", func(w http.ResponseWriter, r *http.Request) {
		if err := http.NewResponseController(w).SetWriteDeadline(time.Unix(1, 0)); err != nil {
			t.Error(err)
		}
		fmt.Fprint(w, "too late")
	})
	mux.HandleFunc("/early", func(w http.ResponseWriter, r *http.Request) { http.Error(w, "no", http.StatusRequestEntityTooLarge) })
	mux.HandleFunc("/newline", func(w http.ResponseWriter, r *http.Request) { w.Header().Set("X-A", "b\r\nSet-Cookie: c") })
	s := &uwsgiOnly{Handler: mux}
	tcp, unix := uwsgiServer(t, s)
	get := func(path string, more ...string) []byte {
		return packet(append([]string{"REQUEST_METHOD", "GET", "REQUEST_URI", path}, more...)...)
	}
	// Flushed parts arrive while the answer goes on, and no chunks.
	c := tcp()
	c.Write(get("/stream"))
	b := bufio.NewReader(c)
	for line := ""; line != "\r\n"; {
		var err error
		if line, err = b.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	first := make([]byte, 5)
	if _, err := io.ReadFull(b, first); err != nil || string(first) != "first" {
		t.Errorf("%q, %v", first, err)
	}
	if s.Active() != 1 {
		t.Errorf("%d requests are active", s.Active())
	}
	begun <- struct{}{}
	if rest, err := io.ReadAll(b); err != nil || string(rest) != "second" {
		t.Errorf("%q, %v", rest, err)
	}
	// A panic cuts this connection only.
	if got := send(t, tcp(), get("/panic")); got != "" {
		t.Errorf("%q", got)
	}
	for _, dial := range []func() net.Conn{tcp, unix} {
		got := send(t, dial(), get("/file"))
		if head, body, _ := strings.Cut(got, "\r\n\r\n"); len(body) != 1_000_000 || !strings.HasPrefix(head, "HTTP/1.1 200 OK\r\n") || !strings.Contains(head, "Content-Length: 1000000") {
			t.Errorf("%q and %d bytes", head, len(body))
		}
	}
	if got := send(t, tcp(), get("/file", "HTTP_RANGE", "bytes=1-3")); !strings.HasPrefix(got, "HTTP/1.1 206 ") || !strings.HasSuffix(got, "\r\n\r\n123") {
		t.Errorf("%q", got)
	}
	if got := send(t, tcp(), get("/deadline")); got != "" {
		t.Errorf("%q", got)
	}
	if got := send(t, tcp(), get("/newline")); strings.Contains(got, "\nSet-Cookie") || !strings.Contains(got, "X-A: b") {
		t.Errorf("%q", got)
	}
	// An answer before the body was read arrives, also at a proxy that sends all of the body first.
	early := packet("REQUEST_METHOD", "POST", "REQUEST_URI", "/early", "CONTENT_LENGTH", "20000000")
	if got := send(t, tcp(), early, make([]byte, 20_000_000)); !strings.HasPrefix(got, "HTTP/1.1 413 ") {
		t.Errorf("%.100q", got)
	}
	slow := tcp()
	go func() {
		slow.Write(early)
		slow.Write(make([]byte, 1_000_000))
	}()
	if answer, err := http.ReadResponse(bufio.NewReader(slow), nil); err != nil || answer.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("%v, %v", answer, err)
	}
	// The proxy goes away.
	c = unix()
	c.Write(get("/wait"))
	<-begun
	c.Close()
	<-gone
}

func TestUWSGIShutdown(t *testing.T) {
	begun, finish := make(chan struct{}), make(chan struct{})
	s := &uwsgiOnly{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(begun)
		<-finish
		fmt.Fprint(w, "finished")
	})}
	tcp, _ := uwsgiServer(t, s)
	c := tcp()
	c.Write(packet("REQUEST_METHOD", "GET", "REQUEST_URI", "/"))
	<-begun
	ended := make(chan error, 1)
	short, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Shutdown(short); !errors.Is(err, context.Canceled) {
		t.Errorf("with a request under way: %v", err)
	}
	go func() { ended <- s.Shutdown(t.Context()) }()
	close(finish)
	if got := send(t, c); !strings.HasSuffix(got, "finished") {
		t.Errorf("%q", got)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		t.Errorf("after it: %v", err)
	}
}
