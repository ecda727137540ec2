package traffic

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// Listener is where a server listens, and what is spoken there.
type Listener struct {
	Name             string // for reports
	Network, Address string // as net.Dial has them
	TLS              *tls.Config
	UWSGI            bool
}

// patience is how long an answer may take before it counts as failed.
const patience = 30 * time.Second

func (l Listener) dial() (net.Conn, error) {
	c, err := (&net.Dialer{Timeout: patience}).Dial(l.Network, l.Address)
	if err != nil {
		return nil, err
	}
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	if l.TLS == nil {
		return c, nil
	}
	encrypted := tls.Client(c, l.TLS)
	if err := encrypted.Handshake(); err != nil {
		_ = c.Close()
		return nil, err
	}
	return encrypted, nil
}

// client asks for one path.
type client struct {
	listener Listener
	path     string
	conn     net.Conn
	read     *bufio.Reader
	used     int // requests over this connection
}

func (c *client) close() {
	if c.conn != nil {
		_ = c.conn.Close()
		c.conn = nil
	}
}

// ask asks once; keep says whether the connection is used again afterwards.
func (c *client) ask(keep bool) (err error) {
	if c.conn == nil {
		if c.conn, err = c.listener.dial(); err != nil {
			return fmt.Errorf("connecting: %w", err)
		}
		if c.read == nil {
			c.read = bufio.NewReader(nil)
		}
		c.read.Reset(c.conn)
		c.used = 0
	} else if err := c.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	c.used++
	if _, err := c.conn.Write(c.request(keep)); err != nil {
		return fmt.Errorf("request %d of a connection: %w", c.used, err)
	}
	answer, err := http.ReadResponse(c.read, nil)
	if err != nil {
		return fmt.Errorf("request %d of a connection: %w", c.used, err)
	}
	_, err = io.Copy(io.Discard, answer.Body)
	_ = answer.Body.Close()
	switch {
	case err != nil:
		return fmt.Errorf("the answer to request %d of a connection: %w", c.used, err)
	case answer.StatusCode != http.StatusOK:
		return fmt.Errorf("%s", answer.Status)
	}
	if answer.Close || !keep || c.listener.UWSGI {
		c.close()
	}
	return nil
}

func (c *client) request(keep bool) []byte {
	if !c.listener.UWSGI {
		last := ""
		if !keep {
			last = "Connection: close\r\n"
		}
		return fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n", c.path, last)
	}
	packet := []byte{0, 0, 0, 0}
	for _, text := range []string{
		"REQUEST_METHOD", "GET", "REQUEST_URI", c.path, "PATH_INFO", c.path, "QUERY_STRING", "", "SERVER_PROTOCOL", "HTTP/1.1",
		"HTTP_HOST", "localhost", "REMOTE_ADDR", "192.0.2.1", "REMOTE_PORT", "4711", "SERVER_NAME", "localhost", "SERVER_PORT", "80",
	} {
		packet = binary.LittleEndian.AppendUint16(packet, uint16(len(text)))
		packet = append(packet, text...)
	}
	binary.LittleEndian.PutUint16(packet[1:], uint16(len(packet)-4))
	return packet
}
