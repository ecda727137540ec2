package web

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"orrery/internal/listen"
)

// parked is a server with a connection that net/http has let go of. The site tells how many connections net/http was given
// on the whole, by a header.
func parked(t *testing.T, o ServeOptions) (*serving, *caller) {
	t.Helper()
	o.park = time.Millisecond
	server := serve(t, opened(t, "unix:"+filepath.Join(t.TempDir(), "s")), here, o)
	c := dial(t, server.socket.Address)
	if _, body, err := c.get("/"); err != nil || body != "here" {
		t.Fatalf("%q, %v", body, err)
	}
	time.Sleep(20 * time.Millisecond) // not needed for the test to pass, but for it to be about parked connections
	return server, c
}

var here = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "here") })

func TestParkedConnectionsAreAnswered(t *testing.T) {
	_, c := parked(t, ServeOptions{Linger: lingering(0)})
	for range 20 {
		if answer, body, err := c.get("/"); err != nil || body != "here" || answer.Close {
			t.Fatalf("%q, %v", body, err)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

func TestParkedConnectionsLingerInADrain(t *testing.T) {
	server, c := parked(t, ServeOptions{Linger: lingering(time.Hour)})
	server.drain()
	for {
		answer, body, err := c.get("/")
		if err != nil || body != "here" {
			t.Fatalf("%q, %v", body, err)
		}
		if answer.Close {
			break
		}
	}
	server.wait(t)
}

func TestParkedConnectionsAreClosedAtTheEnd(t *testing.T) {
	server, c := parked(t, ServeOptions{Linger: lingering(0)})
	server.drain()
	server.wait(t)
	if _, err := c.read.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("reading gives %v", err)
	}
}

func TestParkedConnectionsEndWithTheirClient(t *testing.T) {
	server, c := parked(t, ServeOptions{Linger: lingering(time.Hour)})
	c.Close()
	server.drain() // would wait for the hour
	server.wait(t)
}

func TestParkedConnectionsHaveTheirTime(t *testing.T) {
	_, c := parked(t, ServeOptions{KeepAlive: 50 * time.Millisecond, Linger: lingering(0)})
	if _, err := c.read.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("reading gives %v", err)
	}
}

// TestHalfARequestIsNotParked is about a client that begins its next request, and goes on with it only later.
func TestHalfARequestIsNotParked(t *testing.T) {
	_, c := parked(t, ServeOptions{Linger: lingering(0)})
	for _, cut := range []int{1, 3, 4, 10} {
		request := "GET / HTTP/1.1\r\nHost: test\r\n\r\n"
		fmt.Fprint(c, request[:cut])
		time.Sleep(20 * time.Millisecond)
		fmt.Fprint(c, request[cut:])
		if _, body, err := c.answer(); err != nil || body != "here" {
			t.Fatalf("cut at %d: %q, %v", cut, body, err)
		}
		// Two requests at once, the second one in parts.
		fmt.Fprint(c, request+request[:cut])
		if _, body, err := c.answer(); err != nil || body != "here" {
			t.Fatalf("cut at %d: %q, %v", cut, body, err)
		}
		time.Sleep(20 * time.Millisecond)
		fmt.Fprint(c, request[cut:])
		if _, body, err := c.answer(); err != nil || body != "here" {
			t.Fatalf("a second request that is cut at %d: %q, %v", cut, body, err)
		}
	}
}

func TestRedirectsAreParkedWithTheirOwn(t *testing.T) {
	server := serve(t, openedAs(t, listen.Spec{Bind: "127.0.0.1:0", Protocol: listen.Redirect}), here, ServeOptions{Linger: lingering(0), park: time.Millisecond})
	c := dial(t, server.socket.Address)
	for range 3 {
		if answer, _, err := c.get("/"); err != nil || answer.StatusCode != http.StatusMovedPermanently {
			t.Fatalf("%v, %v", answer, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
