package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// proxySite is one site of a proxy: a file of docs/proxy with other addresses, without TLS towards the client, since that
// costs the same whatever is behind the proxy.
type proxySite struct {
	name   string
	nginx  bool
	file   string // in docs/proxy
	target string // the address in that file
	to     string // what it is here
	port   int
}

// startProxies starts one nginx and one Apache with all sites.
func (b *listenBench) startProxies(ctx context.Context) error {
	orrery, gunicorn, uwsgi := b.server("Orrery"), b.server("Gunicorn"), b.server("uWSGI")
	const socket, uwsgiSocket, tcp = "/srv/galaxy/var/gunicorn.sock", "/srv/galaxy/var/uwsgi.sock", "127.0.0.1:8080"
	b.sites = []proxySite{
		{"nginx, HTTP over TCP", true, "nginx-http.conf", tcp, orrery.tcp, 0},
		{"nginx, HTTP over a UNIX socket", true, "nginx-unix.conf", socket, orrery.unix, 0},
		{"nginx, uwsgi_pass over a UNIX socket", true, "nginx-uwsgi.conf", uwsgiSocket, orrery.uwsgi, 0},
		{"Apache, HTTP over TCP", false, "apache-http.conf", tcp, orrery.tcp, 0},
		{"Apache, HTTP over a UNIX socket", false, "apache-unix.conf", socket, orrery.unix, 0},
		{"Apache, mod_proxy_uwsgi over a UNIX socket", false, "apache-uwsgi.conf", uwsgiSocket, orrery.uwsgi, 0},
		{"Gunicorn behind nginx, HTTP over a UNIX socket", true, "nginx-unix.conf", socket, gunicorn.unix, 0},
		{"uWSGI behind nginx, uwsgi_pass over a UNIX socket", true, "nginx-uwsgi.conf", uwsgiSocket, uwsgi.uwsgi, 0},
	}
	var nginx, apache strings.Builder
	for i := range b.sites {
		s := &b.sites[i]
		var err error
		if s.port, err = freePort(); err != nil {
			return err
		}
		text, err := os.ReadFile(filepath.Join(b.root, "docs", "proxy", s.file))
		if err != nil {
			return err
		}
		if !strings.Contains(string(text), s.target) {
			return fmt.Errorf("docs/proxy/%s does not name %s", s.file, s.target)
		}
		site := strings.ReplaceAll(string(text), s.target, s.to)
		if s.nginx {
			nginx.WriteString(plainNginx(site, i, s.port))
		} else {
			apache.WriteString(plainApache(site, s.port))
		}
	}
	if err := b.startNginx(ctx, nginx.String()); err != nil {
		return err
	}
	if err := b.startApache(ctx, apache.String()); err != nil {
		return err
	}
	for _, s := range b.sites {
		p := b.apache
		if s.nginx {
			p = b.nginx
		}
		if err := awaitPort(ctx, p, s.port); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return nil
}

// plainNginx makes of a site for the Internet one of many on this host: names of its own, one port, no TLS.
func plainNginx(site string, number, port int) string {
	own := strconv.Itoa(number)
	site = strings.NewReplacer("upstream galaxy {", "upstream galaxy"+own+" {", "http://galaxy;", "http://galaxy"+own+";", "uwsgi://galaxy;", "uwsgi://galaxy"+own+";",
		"$galaxy_cache_control", "$galaxy_cache_control"+own).Replace(site)
	var out strings.Builder
	for line := range strings.Lines(site) {
		word := strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(word, "listen 443"):
			fmt.Fprintf(&out, "    listen 127.0.0.1:%d;\n", port)
		case strings.HasPrefix(word, "listen 80;"):
			// The redirecting server is nobody's default.
			fmt.Fprintf(&out, "    listen unix:redirect%s.sock;\n", own)
		case strings.HasPrefix(word, "listen"), strings.HasPrefix(word, "ssl_"):
		default:
			out.WriteString(line)
		}
	}
	return out.String()
}

// plainApache is the same for Apache.
func plainApache(site string, port int) string {
	_, site, _ = strings.Cut(site, "<VirtualHost *:443>")
	var out strings.Builder
	fmt.Fprintf(&out, "Listen 127.0.0.1:%d\n<VirtualHost 127.0.0.1:%[1]d>", port)
	for line := range strings.Lines(site) {
		switch word := strings.TrimSpace(line); {
		case strings.HasPrefix(word, "SSL"), strings.HasPrefix(word, "Protocols"), strings.HasPrefix(word, "XSendFile"):
		default:
			out.WriteString(line)
		}
	}
	return out.String()
}

func (b *listenBench) startNginx(ctx context.Context, sites string) error {
	dir := filepath.Join(b.dir, "nginx")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	user := ""
	if os.Getuid() == 0 {
		user = "user www-data;\n"
	}
	temporary := ""
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		temporary += fmt.Sprintf("    %s_temp_path %s/%[1]s;\n", kind, dir)
	}
	conf := fmt.Sprintf("%sdaemon off;\nworker_processes auto;\npid %s/pid;\nerror_log %[2]s/error.log;\nevents { worker_connections 1024; }\nhttp {\n    access_log off;\n%s%s\n}\n",
		user, dir, temporary, strings.ReplaceAll(sites, "unix:redirect", "unix:"+dir+"/redirect"))
	if err := os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte(conf), 0o644); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "nginx", "-p", dir, "-c", filepath.Join(dir, "nginx.conf"), "-e", filepath.Join(dir, "error.log"))
	var err error
	b.nginx, err = start(cmd, filepath.Join(dir, "output"), syscall.SIGTERM)
	return err
}

// apacheModules are where Debian keeps them.
const apacheModules = "/usr/lib/apache2/modules"

func (b *listenBench) startApache(ctx context.Context, sites string) error {
	dir := filepath.Join(b.dir, "apache")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	var conf strings.Builder
	fmt.Fprintf(&conf, "ServerRoot %s\nServerName localhost\nPidFile %[1]s/pid\nErrorLog %[1]s/error.log\n", dir)
	for _, module := range []string{"mpm_event", "authz_core", "alias", "headers", "proxy", "proxy_http", "proxy_uwsgi"} {
		fmt.Fprintf(&conf, "LoadModule %s_module %s/mod_%[1]s.so\n", module, apacheModules)
	}
	if os.Getuid() == 0 {
		conf.WriteString("User www-data\nGroup www-data\n")
	}
	conf.WriteString(sites)
	if err := os.WriteFile(filepath.Join(dir, "apache2.conf"), []byte(conf.String()), 0o644); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "apache2", "-D", "FOREGROUND", "-f", filepath.Join(dir, "apache2.conf"))
	var err error
	b.apache, err = start(cmd, filepath.Join(dir, "output"), syscall.SIGTERM)
	return err
}

// awaitPort waits until somebody listens on a port.
func awaitPort(ctx context.Context, p *process, port int) error {
	for until := time.Now().Add(30 * time.Second); ; {
		c, err := net.Dial("tcp", "127.0.0.1:"+strconv.Itoa(port))
		if err == nil {
			return c.Close()
		}
		select {
		case <-p.ended:
			return fmt.Errorf("the proxy ended: %w\n%s", p.err, p.tail())
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
		if time.Now().After(until) {
			return fmt.Errorf("the proxy does not listen: %w\n%s", err, p.tail())
		}
	}
}
