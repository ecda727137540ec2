package proxy

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"orrery/internal/testenv"
)

// site is a file of docs/proxy with what the test replaces in it.
type site struct {
	t    testing.TB
	name string
	text string
}

func readSite(t testing.TB, name string) *site {
	t.Helper()
	if testing.Short() {
		t.Skip("needs external programs, left out by -short")
	}
	text, err := os.ReadFile(filepath.Join(testenv.Root(t), "docs/proxy", name))
	if err != nil {
		t.Fatal(err)
	}
	return &site{t, name, string(text)}
}

// replace fails the test when there is nothing to replace: then the file has changed.
func (s *site) replace(old, by string) {
	s.t.Helper()
	if !strings.Contains(s.text, old) {
		s.t.Fatalf("docs/proxy/%s has no %q", s.name, old)
	}
	s.text = strings.ReplaceAll(s.text, old, by)
}

// put replaces a part that is there once.
func (s *site) put(part *regexp.Regexp, by string) {
	s.t.Helper()
	if found := part.FindAllStringIndex(s.text, -1); len(found) != 1 {
		s.t.Fatalf("docs/proxy/%s has %s %d times", s.name, part, len(found))
	} else {
		s.text = s.text[:found[0][0]] + by + s.text[found[0][1]:]
	}
}

// page is docs/proxy.md.
func page(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(testenv.Root(t), "docs/proxy.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// block is the only block of docs/proxy.md in a language.
func block(t testing.TB, language string) string {
	t.Helper()
	found := regexp.MustCompile("(?s)\n```"+language+"\n(.*?)```\n").FindAllStringSubmatch(page(t), -1)
	if len(found) != 1 {
		t.Fatalf("docs/proxy.md has %d blocks of %s", len(found), language)
	}
	return found[0][1]
}

// underPrefix changes the site with the command that docs/proxy.md gives for it.
func (s *site) underPrefix() {
	s.t.Helper()
	server, _, _ := strings.Cut(s.name, "-")
	command := regexp.MustCompile(`(?m)^sed -i (.*) /etc/` + server + `[a-z0-9]*/sites-available/galaxy\.conf$`).FindStringSubmatch(page(s.t))
	if command == nil {
		s.t.Fatalf("docs/proxy.md has no command that puts %s under a prefix", s.name)
	}
	cmd := exec.CommandContext(s.t.Context(), "sh", "-c", "sed "+command[1])
	cmd.Stdin = strings.NewReader(s.text)
	out, err := cmd.Output()
	if err != nil {
		s.t.Fatalf("%s: %v", command[0], err)
	}
	if s.text == string(out) {
		s.t.Fatalf("%s changes nothing in %s", command[0], s.name)
	}
	s.text = string(out)
}

// start runs the site in front of a server, whose HTTP is at 127.0.0.1:8080 in the file.
func (s *site) start(server *testenv.Instance) *testenv.WebProxy {
	s.t.Helper()
	static := clientFiles(s.t)
	s.replace("/srv/galaxy/server/client", static)
	if strings.Contains(s.text, "XSendFilePath") {
		s.replace("/srv/galaxy/var/objects", filepath.Join(server.DataDir, "objects"))
	}
	switch {
	case strings.Contains(s.name, "-http"):
		s.replace("127.0.0.1:8080", strings.TrimPrefix(server.URL, "http://"))
	case strings.Contains(s.name, "-unix"):
		s.replace("/srv/galaxy/var/gunicorn.sock", filepath.Join(server.Dir, "gunicorn.sock"))
	default:
		s.replace("/srv/galaxy/var/uwsgi.sock", filepath.Join(server.Dir, "uwsgi.sock"))
	}
	return s.run()
}

// run runs the site when all that is particular to its server is replaced.
func (s *site) run() *testenv.WebProxy {
	s.t.Helper()
	s.replace("/etc/ssl/galaxy/fullchain.pem", "@DIR@/cert.pem")
	s.replace("/etc/ssl/galaxy/privkey.pem", "@DIR@/key.pem")
	if strings.HasPrefix(s.name, "nginx") {
		s.replace("    listen [::]:80;\n", "")
		s.replace("    listen [::]:443 ssl http2;\n", "")
		s.replace("listen 80;", "listen 127.0.0.1:@HTTP@;")
		s.replace("listen 443 ssl http2;", "listen 127.0.0.1:@HTTPS@ ssl http2;")
		return testenv.Nginx(s.t, s.text)
	}
	s.replace("<VirtualHost *:80>", "<VirtualHost *:@HTTP@>")
	s.replace("<VirtualHost *:443>", "<VirtualHost *:@HTTPS@>")
	modules := regexp.MustCompile(`(?m)^# a2enmod (.*)$`).FindStringSubmatch(s.text)
	if modules == nil {
		s.t.Fatalf("docs/proxy/%s does not say which modules it needs", s.name)
	}
	return testenv.Apache(s.t, s.text, strings.Fields(modules[1])...)
}

var copied struct {
	sync.Mutex
	dir string
}

// clientFiles is a copy of the web client's folder that the proxies' user can read, wherever the checkout lies. It has one
// more file, which only the proxies know.
func clientFiles(t testing.TB) string {
	t.Helper()
	copied.Lock()
	defer copied.Unlock()
	if copied.dir != "" {
		return copied.dir
	}
	dir, err := os.MkdirTemp("", "orrery-client-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(testenv.Root(t), "client"))); err != nil {
		t.Fatalf("copying the web client (make client gets it): %v", err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "dist", onlyProxy), []byte("the proxy's own\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	copied.dir = dir
	return dir
}

// onlyProxy is a static file that the server has never heard of.
const onlyProxy = "only-the-proxy-has-0123abcd.txt"

func TestMain(m *testing.M) {
	code := m.Run()
	if copied.dir != "" {
		_ = os.RemoveAll(copied.dir)
	}
	os.Exit(code)
}
