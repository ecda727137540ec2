package testenv

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// echo answers every line with itself.
func echo(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				for lines := bufio.NewScanner(c); lines.Scan(); {
					fmt.Fprintln(c, lines.Text())
				}
			}()
		}
	}()
	return l
}

func TestACutNetworkSaysNothingAndAWholeOneForgetsNothing(t *testing.T) {
	p := NewProxy(t, "", "tcp", echo(t).Addr().String())
	c, err := net.Dial("tcp", p.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	answers := bufio.NewScanner(c)
	ask := func(text string) {
		t.Helper()
		if _, err := fmt.Fprintln(c, text); err != nil {
			t.Fatal(err)
		}
	}
	ask("one")
	if !answers.Scan() || answers.Text() != "one" {
		t.Fatalf("answered %q, %v", answers.Text(), answers.Err())
	}
	p.Cut()
	ask("two")
	answered := make(chan string, 1)
	go func() {
		answers.Scan()
		answered <- answers.Text()
	}()
	late, err := net.Dial("tcp", p.Address) // seems to work
	if err != nil {
		t.Fatal(err)
	}
	defer late.Close()
	fmt.Fprintln(late, "three")
	select {
	case text := <-answered:
		t.Fatalf("%q came through a cut network", text)
	default:
	}
	p.Heal()
	if text := <-answered; text != "two" {
		t.Errorf("after the cut %q was answered", text)
	}
	if lines := bufio.NewScanner(late); !lines.Scan() || lines.Text() != "three" {
		t.Errorf("what came during the cut was answered %q", lines.Text())
	}
	p.Reset()
	if answers.Scan() {
		t.Errorf("a broken connection said %q", answers.Text())
	}
}

func TestASecondHostSharesFilesAlone(t *testing.T) {
	external(t)
	shared, private := t.TempDir(), t.TempDir()
	for _, dir := range []string{shared, private} {
		if err := os.WriteFile(filepath.Join(dir, "file"), []byte("here"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	socket := filepath.Join(shared, "echo")
	NewProxy(t, socket, "tcp", echo(t).Addr().String())
	h := NewHost(t, "elsewhere", []string{private}, Way{Socket: socket})
	host, port, err := net.SplitHostPort(h.Forwards[0])
	if err != nil {
		t.Fatal(err)
	}
	script := fmt.Sprintf(`getent ahostsv4 elsewhere >/dev/null && cat /proc/sys/kernel/hostname; ls %s; ls %s; ls -d /proc/[0-9]* | wc -l; cat /proc/net/dev | grep -c :
		exec 3<>/dev/tcp/%s/%s; echo through >&3; read -r line <&3; echo $line; exec 3>&-; readlink /proc/self/ns/pid; sleep 3600 & disown; echo $!`,
		shared, private, host, port)
	out, err := h.Command("bash", "-c", "exec >"+shared+"/out 2>&1; "+script).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	text, err := os.ReadFile(filepath.Join(shared, "out"))
	if err != nil {
		t.Fatal(err)
	}
	own, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Fields(string(text))
	if len(lines) < 8 || lines[0] != "elsewhere" || lines[1] != "echo" || lines[2] != "file" || lines[3] != "out" || !strings.Contains(string(text), "through") {
		t.Errorf("the second host says:\n%s", text)
	}
	if strings.Contains(string(text), own) {
		t.Errorf("the second host has our processes:\n%s", text)
	}
}
