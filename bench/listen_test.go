package main

import (
	"bufio"
	"os"
	"strings"
	"testing"
	"time"
)

func TestSitesOfTheDocumentation(t *testing.T) {
	for file, transform := range map[string]func(string) string{
		"nginx-http.conf":   func(s string) string { return plainNginx(s, 3, 4711) },
		"nginx-unix.conf":   func(s string) string { return plainNginx(s, 3, 4711) },
		"nginx-uwsgi.conf":  func(s string) string { return plainNginx(s, 3, 4711) },
		"apache-http.conf":  func(s string) string { return plainApache(s, 4711) },
		"apache-unix.conf":  func(s string) string { return plainApache(s, 4711) },
		"apache-uwsgi.conf": func(s string) string { return plainApache(s, 4711) },
	} {
		text, err := os.ReadFile("../docs/proxy/" + file)
		if err != nil {
			t.Fatal(err)
		}
		site := transform(string(text))
		for _, not := range []string{"ssl_", "SSL", "443", "upstream galaxy {", "//galaxy;", "XSendFile"} {
			if strings.Contains(site, not) {
				t.Errorf("%s still has %s:\n%s", file, not, site)
			}
		}
		if strings.Count(site, "127.0.0.1:4711") == 0 || strings.HasPrefix(file, "nginx") && !strings.Contains(site, "galaxy3") {
			t.Errorf("%s:\n%s", file, site)
		}
	}
}

func TestStartTimesAreReadOutOfTheLog(t *testing.T) {
	got := startTimes("2026-11-22 17:16:39.982 INFO  supervisor: started process=main.web.1 pid=19\nmore\n\n" +
		"2026-11-22 17:16:40.334 INFO  supervisor: ready process=main.web.1 pid=19\n2026-11-22 17:16:40.337 INFO  supervisor: stopping because=terminated\n")
	if len(got) != 1 || got["main.web.1"] != 352*time.Millisecond {
		t.Errorf("%v", got)
	}
}

func TestAnswersAreRead(t *testing.T) {
	r := bufio.NewReader(strings.NewReader("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabcHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
	for range 2 {
		if err := readAnswer(r); err != nil {
			t.Error(err)
		}
	}
	for _, bad := range []string{"", "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"} {
		if err := readAnswer(bufio.NewReader(strings.NewReader(bad))); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestRatesAreSharesOfTheirLike(t *testing.T) {
	for name, want := range map[string]string{
		"HTTPS over TCP": rateTCP, "nginx, HTTP over TCP": rateTCP, "HTTP over a UNIX socket, by our own client": rateTCPOurs,
		"uwsgi protocol over a UNIX socket": rateTCPFresh, rateTCPFresh: rateTCPFresh, "uWSGI behind nginx, uwsgi_pass over a UNIX socket": rateTCP,
	} {
		if got := baseOf(name); got != want {
			t.Errorf("%s is a share of %s, want %s", name, got, want)
		}
	}
	b := &listenBench{}
	for _, v := range []float64{10, 20} {
		b.rates.add(rateTCP, v)
		b.rates.add("x", v/2)
	}
	if got := b.ratios("x", rateTCP); len(got) != 2 || median(got) != 0.5 {
		t.Errorf("%v", got)
	}
}
