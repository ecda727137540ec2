package web

import (
	"io"
	"net/http"
	"time"
)

// answer asks the client to close the connection after it, if the process drains by the time that it begins.
type answer struct {
	http.ResponseWriter
	server *server
	begun  bool
}

// head is called before the answer's head is written.
func (a *answer) head() {
	if a.begun {
		return
	}
	a.begun = true
	if a.server.draining.Load() {
		a.Header()["Connection"] = closeConnection
	}
}

var closeConnection = []string{"close"}

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) {
	if status >= http.StatusOK { // before that come hints
		a.head()
	}
	a.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (a *answer) Write(p []byte) (int, error) {
	a.head()
	return a.ResponseWriter.Write(p)
}

// ReadFrom lets the kernel copy files into connections.
func (a *answer) ReadFrom(from io.Reader) (int64, error) {
	a.head()
	if to, ok := a.ResponseWriter.(io.ReaderFrom); ok {
		return to.ReadFrom(from)
	}
	return io.Copy(struct{ io.Writer }{a.ResponseWriter}, from)
}

// Flush implements http.Flusher.
func (a *answer) Flush() {
	a.head()
	_ = http.NewResponseController(a.ResponseWriter).Flush()
}

// Unwrap lets http.ResponseController find the server's own answer.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// movingBody is a request's body that must bring something within a time, however long all of it takes.
type movingBody struct {
	io.ReadCloser
	control *http.ResponseController
	timeout time.Duration
}

// Read implements io.Reader.
func (b *movingBody) Read(p []byte) (int, error) {
	// A connection that knows no deadlines has none.
	_ = b.control.SetReadDeadline(time.Now().Add(b.timeout))
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		// From the body's end on the server only waits for the client to leave, while the site works.
		_ = b.control.SetReadDeadline(time.Time{})
	}
	return n, err
}
