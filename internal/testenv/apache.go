package testenv

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

var apache = component{
	name: "Apache", packages: []string{"apache2", "libapache2-mod-xsendfile"},
	find: func() (string, bool) {
		const debian = "/usr/sbin/apache2"
		_, err1 := os.Stat(debian)
		_, err2 := os.Stat(filepath.Join(apacheModules, "xsendfile.load"))
		return debian, err1 == nil && err2 == nil
	},
}

// apacheModules is where Debian keeps what a2enmod switches on.
const apacheModules = "/etc/apache2/mods-available"

// apacheEnabled are the modules that are on after Debian's package was installed.
var apacheEnabled = []string{
	"access_compat", "alias", "auth_basic", "authn_core", "authn_file", "authz_core", "authz_host", "authz_user", "autoindex", "deflate",
	"dir", "env", "filter", "mime", "mpm_event", "negotiation", "reqtimeout", "setenvif", "status",
}

// Apache starts Debian's Apache with a site, as a file in /etc/apache2/sites-enabled would be, and with modules switched
// on as by a2enmod; see Nginx for the rest. The access log's lines are: status, bytes of the body, which of
// several servers it was passed on to, and the request.
func Apache(t testing.TB, site string, modules ...string) *WebProxy {
	t.Helper()
	external(t)
	program := need(t, apache)
	return startWebProxy(t, "apache", site, proxyProgram{reload: syscall.SIGUSR1, configure: func(p *WebProxy, site string) ([]string, error) {
		var b strings.Builder
		fmt.Fprintf(&b, `ServerName %s
PidFile @DIR@/apache2.pid
Mutex file:@DIR@ default
Listen 127.0.0.1:%d
Listen 127.0.0.1:%d
ErrorLog @DIR@/error.log
LogLevel info
`, SiteName, p.HTTP, p.HTTPS)
		var loaded []string
		for _, module := range append(slices.Clone(apacheEnabled), modules...) {
			if err := a2enmod(&b, module, &loaded); err != nil {
				return nil, err
			}
		}
		b.WriteString(`LogFormat "%>s %B upstream=%{BALANCER_WORKER_NAME}e %r" test
CustomLog @DIR@/access.log test
<Directory />
	AllowOverride None
	Require all denied
</Directory>
`)
		b.WriteString(site)
		file := filepath.Join(p.Dir, "apache2.conf")
		text := strings.ReplaceAll(b.String(), "@DIR@", p.Dir)
		return []string{program, "-d", p.Dir, "-f", file, "-DFOREGROUND"}, os.WriteFile(file, []byte(text), 0o644)
	}, env: func(p *WebProxy) []string {
		return []string{"APACHE_RUN_DIR=" + p.Dir, "APACHE_LOCK_DIR=" + p.Dir, "APACHE_LOG_DIR=" + p.Dir,
			"APACHE_RUN_USER=" + p.User, "APACHE_RUN_GROUP=" + p.User, "APACHE_PID_FILE=" + filepath.Join(p.Dir, "apache2.pid"),
			"APACHE_STARTED_BY_SYSTEMD=" + strconv.FormatBool(true)}
	}})
}

// a2enmod includes a module's files after those of the modules that it needs, which stand in a comment.
func a2enmod(b *strings.Builder, module string, loaded *[]string) error {
	if slices.Contains(*loaded, module) {
		return nil
	}
	*loaded = append(*loaded, module)
	load := filepath.Join(apacheModules, module+".load")
	text, err := os.ReadFile(load)
	if err != nil {
		return fmt.Errorf("Apache has no module %s: %w", module, err)
	}
	for line := range strings.Lines(string(text)) {
		needed, ok := strings.CutPrefix(line, "# Depends: ")
		if !ok {
			continue
		}
		for _, other := range strings.Fields(needed) {
			if err := a2enmod(b, other, loaded); err != nil {
				return err
			}
		}
	}
	fmt.Fprintf(b, "Include %s\n", load)
	settings := filepath.Join(apacheModules, module+".conf")
	if _, err := os.Stat(settings); !errors.Is(err, os.ErrNotExist) {
		fmt.Fprintf(b, "Include %s\n", settings)
	}
	return nil
}
