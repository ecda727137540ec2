package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// askOverAndOver sends one request over and over on several connections and tells how many answers came in a second. wrk
// speaks neither over UNIX sockets nor the uwsgi protocol; where the two are compared, both are asked by this.
func askOverAndOver(ctx context.Context, network, address, request string, fresh bool, connections int, length time.Duration) (float64, error) {
	ctx, cancel := context.WithTimeout(ctx, length)
	defer cancel()
	var answers atomic.Int64
	var clients sync.WaitGroup
	failed := make(chan error, connections)
	began := time.Now()
	for range connections {
		clients.Add(1)
		go func() {
			defer clients.Done()
			failed <- askOn(ctx, network, address, []byte(request), fresh, &answers)
		}()
	}
	clients.Wait()
	took := time.Since(began).Seconds()
	close(failed)
	var errs []error
	for err := range failed {
		errs = append(errs, err)
	}
	return float64(answers.Load()) / took, errors.Join(errs...)
}

// askOn is one client: with fresh, each request has a connection of its own and its answer ends with it.
func askOn(ctx context.Context, network, address string, request []byte, fresh bool, answers *atomic.Int64) error {
	var c net.Conn
	var r *bufio.Reader
	defer func() {
		if c != nil {
			c.Close()
		}
	}()
	for ctx.Err() == nil {
		if c == nil {
			var err error
			if c, err = net.Dial(network, address); err != nil {
				return err
			}
			r = bufio.NewReaderSize(c, 4096)
		}
		if _, err := c.Write(request); err != nil {
			return err
		}
		if err := readAnswer(r); err != nil {
			return err
		}
		answers.Add(1)
		if fresh {
			if _, err := io.Copy(io.Discard, r); err != nil {
				return err
			}
			c.Close()
			c = nil
		}
	}
	return nil
}

// readAnswer reads an answer that says its length.
func readAnswer(r *bufio.Reader) error {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return err
	}
	if !strings.Contains(string(line), " 200 ") {
		return fmt.Errorf("the answer begins with %q", line)
	}
	length := -1
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(line) <= 2 {
			break
		}
		if name, value, ok := strings.Cut(string(line), ":"); ok && textproto.CanonicalMIMEHeaderKey(name) == "Content-Length" {
			if length, err = strconv.Atoi(strings.TrimSpace(value)); err != nil {
				return err
			}
		}
	}
	if length < 0 {
		return errors.New("the answer does not say its length")
	}
	_, err = r.Discard(length)
	return err
}

// uwsgiRequest is a request in the uwsgi protocol, with the variables that nginx sends.
func uwsgiRequest(path string) []byte {
	var vars []byte
	for _, s := range []string{
		"QUERY_STRING", "", "REQUEST_METHOD", "GET", "CONTENT_TYPE", "", "CONTENT_LENGTH", "", "REQUEST_URI", path, "PATH_INFO", path,
		"SERVER_PROTOCOL", "HTTP/1.1", "SERVER_NAME", "localhost", "SERVER_PORT", "80", "REQUEST_SCHEME", "http", "UWSGI_SCHEME", "http",
		"REMOTE_ADDR", "127.0.0.1", "REMOTE_PORT", "40000", "HTTP_HOST", "localhost",
	} {
		vars = binary.LittleEndian.AppendUint16(vars, uint16(len(s)))
		vars = append(vars, s...)
	}
	return append(binary.LittleEndian.AppendUint16([]byte{0}, uint16(len(vars))), append([]byte{0}, vars...)...)
}
