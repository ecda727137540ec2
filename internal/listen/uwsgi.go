package listen

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// UWSGIOptions are the limits of what is taken over the uwsgi protocol; the zero value is good.
type UWSGIOptions struct {
	// MaxSize is how many bytes the variables of a request may have, all headers among them; 0 is what the protocol can
	// carry, 64 KiB.
	MaxSize int
	// MaxVars is how many variables a request may have; 0 is 2000.
	MaxVars int
	// Allow tells whether a peer may send requests; nil allows all, as uWSGI does. Whoever may, is believed in whatever it
	// says about the client.
	Allow func(peer net.Addr) bool
}

func (o UWSGIOptions) maxSize() int {
	if o.MaxSize <= 0 {
		return 1<<16 - 1
	}
	return o.MaxSize
}

func (o UWSGIOptions) maxVars() int {
	if o.MaxVars <= 0 {
		return maxUWSGIVars
	}
	return o.MaxVars
}

// SpeakUWSGI makes an HTTP server, which does not serve yet, one of the uwsgi protocol: it returns the listener to serve on
// in place of l, and wraps the server's Handler and ConnContext. The rest of the server stays in force, since each
// connection is turned into one of HTTP before the server reads it: timeouts, draining by Shutdown, the end of a request's
// context when the proxy goes away, panics, flushing, deadlines.
//
// The handler sees the client's request as the proxy describes it: RemoteAddr is REMOTE_ADDR and REMOTE_PORT, TLS is set
// when UWSGI_SCHEME or else HTTPS says so, Proto is SERVER_PROTOCOL, URL is REQUEST_URI with the prefix that SCRIPT_NAME may
// have. [UWSGIFrom] tells the rest. Headers between the client and the proxy (Connection, Transfer-Encoding, Expect, …) are
// gone.
func SpeakUWSGI(server *http.Server, l net.Listener, o UWSGIOptions) net.Listener {
	inner := server.ConnContext
	server.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		if inner != nil {
			ctx = inner(ctx, c)
		}
		if u, ok := c.(*uwsgiConn); ok {
			ctx = context.WithValue(ctx, uwsgiKey{}, u)
		}
		return ctx
	}
	handler := server.Handler
	if handler == nil {
		handler = http.DefaultServeMux
	}
	server.Handler = uwsgiHandler(handler)
	return &uwsgiListener{Listener: l, options: o}
}

// UWSGIRequest is what the uwsgi protocol says about a request besides what is in it.
type UWSGIRequest struct {
	Peer net.Addr // of the proxy
	vars uwsgiVars
}

// Var returns a variable that the proxy sent, SCRIPT_NAME say; "" when it did not.
func (r UWSGIRequest) Var(name string) string { return r.vars.get(name) }

// UWSGIFrom returns what the proxy said about a request, if it came over the uwsgi protocol.
func UWSGIFrom(ctx context.Context) (UWSGIRequest, bool) {
	c, ok := ctx.Value(uwsgiKey{}).(*uwsgiConn)
	if !ok {
		return UWSGIRequest{}, false
	}
	return UWSGIRequest{Peer: c.Conn.RemoteAddr(), vars: c.vars}, true
}

type uwsgiKey struct{}

// uwsgiHandler completes a request by what HTTP's text cannot say.
func uwsgiHandler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, ok := r.Context().Value(uwsgiKey{}).(*uwsgiConn)
		if !ok {
			next.ServeHTTP(w, r)
			return
		}
		r = r.WithContext(r.Context()) // a copy, for the server's own says how the answer is written
		r.Proto, r.ProtoMajor, r.ProtoMinor = "HTTP/1.1", 1, 1
		if major, minor, ok := http.ParseHTTPVersion(c.vars.get("SERVER_PROTOCOL")); ok {
			r.Proto, r.ProtoMajor, r.ProtoMinor = c.vars.get("SERVER_PROTOCOL"), major, minor
		}
		if addr, err := netip.ParseAddr(c.vars.get("REMOTE_ADDR")); err == nil {
			port, err := strconv.ParseUint(c.vars.get("REMOTE_PORT"), 10, 16)
			if err != nil {
				port = 0
			}
			r.RemoteAddr = netip.AddrPortFrom(addr.WithZone(""), uint16(port)).String()
		}
		if overTLS(c.vars) {
			r.TLS = &tls.ConnectionState{HandshakeComplete: true}
		}
		w.Header().Set("Connection", "close")
		// The server cleans up what its own request holds.
		defer func() {
			if r.MultipartForm != nil {
				_ = r.MultipartForm.RemoveAll()
			}
		}()
		next.ServeHTTP(w, r)
		if c.left.Load() > 0 && http.NewResponseController(w).Flush() == nil {
			_ = c.finish() // the answer is sent, whatever comes of it
		}
	})
}

// overTLS tells whether the client speaks to the proxy by TLS, by uWSGI's rule.
func overTLS(vars uwsgiVars) bool {
	if scheme := vars.get("UWSGI_SCHEME"); scheme != "" {
		return scheme == "https"
	}
	switch strings.ToLower(vars.get("HTTPS")) {
	case "on", "1", "true", "yes":
		return true
	case "":
		return vars.get("REQUEST_SCHEME") == "https"
	}
	return false
}

// uwsgiListener accepts connections that read as HTTP.
type uwsgiListener struct {
	net.Listener
	options UWSGIOptions
}

func (l *uwsgiListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &uwsgiConn{Conn: c, options: l.options}, nil
}

// uwsgiConn is a connection of the uwsgi protocol that reads as one of HTTP/1.0. Reads and writes are the HTTP server's: one
// read at a time, one write at a time.
type uwsgiConn struct {
	net.Conn
	options UWSGIOptions

	begun   bool
	failed  error
	raw     []byte       // of the packet, until it is complete
	pending []byte       // to be read before what is on the connection
	vars    uwsgiVars    // set before the first byte is read
	left    atomic.Int64 // how many bytes of the request were not read
	version bool         // whether the answer's version is written
}

// Read returns the request as HTTP. Nothing is kept for a connection on which nothing came yet.
func (c *uwsgiConn) Read(p []byte) (int, error) {
	n, err := c.read(p)
	c.left.Add(-int64(n))
	return n, err
}

func (c *uwsgiConn) read(p []byte) (int, error) {
	for !c.begun {
		if c.failed != nil {
			return 0, c.failed
		}
		n, err := c.Conn.Read(p)
		if n > 0 {
			c.begin(p[:n])
		}
		if err != nil && !c.begun {
			return 0, err
		}
	}
	if len(c.pending) > 0 {
		n := copy(p, c.pending)
		if c.pending = c.pending[n:]; len(c.pending) == 0 {
			c.pending = nil
		}
		return n, nil
	}
	return c.Conn.Read(p)
}

// begin takes a part of the packet.
func (c *uwsgiConn) begin(part []byte) {
	if c.raw == nil && c.options.Allow != nil && !c.options.Allow(c.Conn.RemoteAddr()) {
		c.refuse(&badPacket{"403 Forbidden", "This address may not send requests over the uwsgi protocol here."})
		return
	}
	in := part
	if c.raw != nil {
		c.raw = append(c.raw, part...)
		in = c.raw
	}
	b, err := readPacket(in, c.options)
	var refused *badPacket
	switch {
	case err == nil:
		c.begun, c.vars = true, b.vars
		c.pending = slices.Concat(b.text, in[b.taken:])
		c.left.Store(int64(len(b.text)) + b.length)
		c.raw = nil
	case errors.As(err, &refused):
		c.refuse(refused)
	case c.raw == nil:
		c.raw = append(make([]byte, 0, max(len(part), 512)), part...)
	}
}

// refuse answers a packet that is no request, which the HTTP server then never sees.
func (c *uwsgiConn) refuse(b *badPacket) {
	c.failed, c.raw = io.EOF, nil
	_ = c.Conn.SetWriteDeadline(time.Now().Add(5 * time.Second))
	answer := fmt.Sprintf("HTTP/1.1 %s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s\n", b.status, len(b.text)+1, b.text)
	if _, err := io.WriteString(c.Conn, answer); err != nil {
		return // whoever sent it is gone
	}
	_ = c.finish()
}

// Write writes the answer, which has the version that proxies expect of a server of today.
func (c *uwsgiConn) Write(p []byte) (int, error) {
	if !c.version && len(p) > 8 && string(p[:8]) == "HTTP/1.0" {
		c.version = true
		q := append([]byte("HTTP/1.1"), p[8:]...)
		return c.Conn.Write(q)
	}
	c.version = true
	return c.Conn.Write(p)
}

// ReadFrom sends a file, by sendfile where the connection can.
func (c *uwsgiConn) ReadFrom(r io.Reader) (int64, error) {
	if c.version {
		if to, ok := c.Conn.(io.ReaderFrom); ok {
			return to.ReadFrom(r)
		}
	}
	return io.Copy(struct{ io.Writer }{c}, r)
}

// What is taken of a body that nobody read, after the answer.
const (
	unreadBytes = 256 << 20
	unreadTime  = 10 * time.Second
)

// finish ends the answer, takes what the proxy sends still of a body that nobody read, and so lets the connection be closed
// in peace: closing with something unread would reset it, and proxies that send the whole body before they look at the
// answer, Apache above all, would say that this server does not work.
func (c *uwsgiConn) finish() error {
	half, ok := c.Conn.(interface{ CloseWrite() error })
	if !ok {
		return errors.ErrUnsupported
	}
	if err := half.CloseWrite(); err != nil {
		return err
	}
	if err := c.Conn.SetReadDeadline(time.Now().Add(unreadTime)); err != nil {
		return err
	}
	_, err := io.CopyN(io.Discard, c.Conn, unreadBytes)
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
