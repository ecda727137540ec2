package listening

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// askVariable makes this test's program, started on another host, ask there and print the answer.
const askVariable = "LISTENING_TEST_ASK"

func TestMain(m *testing.M) {
	if what := os.Getenv(askVariable); what != "" {
		answer, err := ask(what)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(answer)
		return
	}
	os.Exit(m.Run())
}

// ask asks “ports”, a URL, “unix PATH” or “uwsgi NETWORK ADDRESS”.
func ask(what string) (string, error) {
	if what == "ports" {
		return ports()
	}
	words := strings.Fields(what)
	request := "GET /api/version HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
	var c net.Conn
	var err error
	switch {
	case words[0] == "unix":
		c, err = net.Dial("unix", words[1])
	case words[0] == "uwsgi":
		c, err = net.Dial(words[1], words[2])
		request = packet("REQUEST_METHOD", "GET", "REQUEST_URI", "/api/version", "HTTP_HOST", "localhost", "SERVER_PROTOCOL", "HTTP/1.1", "REMOTE_ADDR", "127.0.0.1")
	default:
		scheme, rest, _ := strings.Cut(words[0], "://")
		address, path, found := strings.Cut(rest, "/")
		if !found {
			path = "api/version"
		}
		host, _, _ := strings.Cut(address, ":")
		if strings.HasPrefix(address, "[") {
			host = "localhost"
		}
		request = "GET /" + path + " HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n"
		if c, err = net.Dial("tcp", address); err == nil && scheme == "https" {
			c = tls.Client(c, &tls.Config{InsecureSkipVerify: true})
		}
	}
	if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ENOENT) {
		return "nobody", nil
	}
	if err != nil {
		return "", err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return "", err
	}
	if _, err := io.WriteString(c, request); err != nil {
		return "", err
	}
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return "", err
	}
	word := string(text)
	switch {
	case answer.Header.Get("Location") != "":
		word = answer.Header.Get("Location")
	case strings.Contains(word, "version_major"):
		word = "version"
	case strings.Contains(word, "uwsgi protocol"):
		word = "uwsgi"
	}
	return fmt.Sprintf("%d %s", answer.StatusCode, word), nil
}

// packet is a request in the uwsgi protocol.
func packet(vars ...string) string {
	var body []byte
	for _, s := range vars {
		body = binary.LittleEndian.AppendUint16(body, uint16(len(s)))
		body = append(body, s...)
	}
	return "\x00" + string(binary.LittleEndian.AppendUint16(nil, uint16(len(body)))) + "\x00" + string(body)
}

// ports are the TCP addresses on which somebody listens here; all addresses of both kinds are :PORT.
func ports() (string, error) {
	var out []string
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		text, err := os.ReadFile(table)
		if err != nil {
			return "", err
		}
		for line := range strings.Lines(string(text)) {
			fields := strings.Fields(line)
			const listening = "0A"
			if len(fields) < 4 || fields[3] != listening {
				continue
			}
			ip, port, _ := strings.Cut(fields[1], ":")
			raw, err := hex.DecodeString(ip)
			if err != nil {
				return "", err
			}
			for i := 0; i+4 <= len(raw); i += 4 { // words of the machine's order
				raw[i], raw[i+1], raw[i+2], raw[i+3] = raw[i+3], raw[i+2], raw[i+1], raw[i]
			}
			n, err := strconv.ParseUint(port, 16, 16)
			if err != nil {
				return "", err
			}
			host := net.IP(raw).String()
			if host == "::" {
				host = ""
			}
			out = append(out, fmt.Sprintf("%s:%d", host, n))
		}
	}
	return strings.Join(out, " "), nil
}
