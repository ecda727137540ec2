package testenv

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

var nginx = component{
	name: "nginx", packages: []string{"nginx-light"},
	find: func() (string, bool) {
		const debian = "/usr/sbin/nginx" // where others than root have no path to
		if _, err := os.Stat(debian); err == nil {
			return debian, true
		}
		return onPath("nginx")()
	},
}

// Nginx starts Debian's nginx with a site, as a file in /etc/nginx/sites-enabled would be; its folder, which also has
// the logs, is where @DIR@ stands in the site, and free ports are where @HTTP@ and @HTTPS@ are. It is stopped at the end
// of the test; when the test has failed, its logs are printed.
//
// The access log's lines are: status, bytes of the body, upstream's address, status and bytes (of which there are several when
// a request was passed on more than once), method and address.
func Nginx(t testing.TB, site string) *WebProxy {
	t.Helper()
	external(t)
	program := need(t, nginx)
	return startWebProxy(t, "nginx", site, proxyProgram{reload: syscall.SIGHUP, configure: func(p *WebProxy, site string) ([]string, error) {
		const main = `daemon off;
worker_processes 2;
pid @DIR@/nginx.pid;
error_log @DIR@/error.log info;
events { worker_connections 1024; }
http {
	include /etc/nginx/mime.types;
	default_type application/octet-stream;
	sendfile on;
	log_format test '$status $body_bytes_sent upstream=$upstream_addr/$upstream_status/$upstream_response_length $request';
	access_log @DIR@/access.log test;
	client_body_temp_path @DIR@/body;
	proxy_temp_path @DIR@/proxy;
	uwsgi_temp_path @DIR@/uwsgi;
	fastcgi_temp_path @DIR@/fastcgi;
	scgi_temp_path @DIR@/scgi;
	include @DIR@/site.conf;
}
`
		file := filepath.Join(p.Dir, "nginx.conf")
		for name, text := range map[string]string{file: strings.ReplaceAll(main, "@DIR@", p.Dir), filepath.Join(p.Dir, "site.conf"): site} {
			if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
				return nil, err
			}
		}
		return []string{program, "-p", p.Dir, "-e", filepath.Join(p.Dir, "error.log"), "-c", file}, nil
	}, env: func(*WebProxy) []string { return nil }})
}
