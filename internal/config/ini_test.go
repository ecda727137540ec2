package config

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// loadINI reads galaxy.ini with this content.
func loadINI(t *testing.T, ini string) (c *Config, dir, said string) {
	t.Helper()
	dir = write(t, map[string]string{"galaxy.ini": ini})
	c, problems, _ := Load("galaxy.ini", nil, WorkDir(dir))
	for _, p := range problems {
		if !strings.Contains(p.Message, "id_secret is not set") {
			said += strings.ReplaceAll(p.String(), dir+"/", "") + "\n"
		}
	}
	return c, dir, said
}

func TestINI(t *testing.T) {
	c, dir, said := loadINI(t, `# an old configuration
[DEFAULT]
site = mine

[server:main]
use = egg:Paste#http
host = 0.0.0.0
port = 8081

[server:handler0]
port: 8090
[server:handler1]
use = egg:Paste#http

[filter:gzip]
use = egg:Paste#gzip

[app:main]
paste.app_factory = galaxy.web.buildapp:app_factory
; a remark
brand = %(site)s 100%%
file_path = %(here)s/data
admin_users = a@example.org,
   b@example.org
id_secret=abcdefgh
set allow_user_deletion = True
library_import_dir =
job_config = {runners: {local: {load: "a:b"}}, execution: {environments: {local: {runner: local}}}}
`)
	if said != "" {
		t.Errorf("problems: %s", said)
	}
	want := []Server{{Name: "main", Bind: "0.0.0.0:8081", At: c.Path + ":8:1"}, {Name: "handler0", Bind: "127.0.0.1:8090", At: c.Path + ":11:1"}, {Name: "handler1", At: c.Path + ":12:1"}}
	for i := range 2 {
		want[i].Listeners = []Listener{{Bind: want[i].Bind, Protocol: HTTP, Umask: -1, At: want[i].At}}
	}
	if !reflect.DeepEqual(c.Servers, want) {
		t.Errorf("servers %+v, want %+v", c.Servers, want)
	}
	if c.Edition != Edition1901 || c.Uwsgi.Present || c.Brand != "mine 100%" || c.FilePath != dir+"/data" || c.IDSecret != "abcdefgh" || !c.AllowUserDeletion ||
		!reflect.DeepEqual(c.AdminUsers, []string{"a@example.org", "b@example.org"}) || c.LibraryImportDir != "" || c.Jobs.Source != "inline" {
		t.Errorf("%v %v %q %q %v %v %q %q", c.Edition, c.Uwsgi.Present, c.Brand, c.FilePath, c.AdminUsers, c.AllowUserDeletion, c.LibraryImportDir, c.Jobs.Source)
	}
}

func TestINIWithUwsgi(t *testing.T) {
	c, _, said := loadINI(t, "[uwsgi]\nprocesses = 4\nhttp = 127.0.0.1:4002\nmule = lib/galaxy/main.py\nmule = lib/galaxy/main.py\nfarm = job-handlers:1,2\n[app:main]\n")
	if said != "" || c.Uwsgi.Processes != 4 || c.Uwsgi.Binds[0] != "127.0.0.1:4002" || len(c.Uwsgi.Mules) != 2 || len(c.Uwsgi.Farms[0].Mules) != 2 {
		t.Errorf("%+v, problems %s", c.Uwsgi, said)
	}
}

func TestINIWithoutServers(t *testing.T) {
	c, _, said := loadINI(t, "[app:main]\n")
	if said != "" || len(c.Servers) != 1 || c.Servers[0].Name != "main" || c.Servers[0].Bind != "127.0.0.1:8080" {
		t.Errorf("%+v, problems %s", c.Servers, said)
	}
}

func TestINIServers(t *testing.T) {
	c, dir, said := loadINI(t, `[server:main]
use = egg:Paste#http
host = 0.0.0.0:8443
ssl_pem = host.pem
use_threadpool = True
threadpool_workers = 10
threadpool_kill_thread_limit = 10800
request_queue_size = 128
socket_timeout = 30
[server:handler0]
use = egg:Paste#http
port = 8090
use_threadpool = true
threadpool_worker = 5
[filter:proxy-prefix]
use = egg:PasteDeploy#prefix
prefix = /galaxy
[app:main]
filter-with = proxy-prefix
`)
	if got := listenersOf(c.Servers[0].Listeners, dir) + "\n" + listenersOf(c.Servers[1].Listeners, dir); got != "0.0.0.0:8443 (https) DIR/host.pem,DIR/host.pem backlog 128\n127.0.0.1:8090" ||
		c.Servers[0].Limits.Timeout != 30 || c.URLPrefix != "/galaxy" {
		t.Errorf("%s, prefix %s", got, c.URLPrefix)
	}
	if want := `galaxy.ini:1:1: server:main: accepted and without effect here, since a process serves as many requests at once as come: threadpool_kill_thread_limit, threadpool_workers, use_threadpool
galaxy.ini:14:1: warning: server:handler0: nobody knows the setting “threadpool_worker”; did you mean “threadpool_workers”?
galaxy.ini:10:1: server:handler0: accepted and without effect here, since a process serves as many requests at once as come: use_threadpool
galaxy.ini: warning: there is no file ` + "DIR/host.pem" + `, which HTTPS at 0.0.0.0:8443 needs
`; strings.ReplaceAll(said, "file host.pem", "file DIR/host.pem") != want {
		t.Errorf("said:\n%s", said)
	}
}

func TestINIProblems(t *testing.T) {
	for _, test := range []struct{ name, ini, want string }{
		{"outside a section", "brand = x\n", "galaxy.ini:1:1: error: “brand = x” stands outside a section; Galaxy's options belong below [app:main]\n"},
		{"no section", "[app:main\n", "galaxy.ini:1:1: error: “[app:main” is no section; it is written [app:main]\n"},
		{"a reference to nothing", "[app:main]\nbrand = %(nowhere)s\n", "galaxy.ini:2:1: error: brand: “%(nowhere)s” stands for nothing here; a percent sign is written %%\n"},
		{"a circle", "[app:main]\nbrand = %(brand)s\n", "galaxy.ini:2:1: error: brand: “%(brand)s” stands for nothing here; a percent sign is written %%\n"},
		{"no port", "[server:main]\nport = http\n[app:main]\n", "galaxy.ini:2:1: error: port takes a whole number such as 0, not \"http\"\n"},
		{"no name", "[app:main]\n= x\n", "galaxy.ini:2:1: error: “= x” has no name before the “=”\n"},
		{"an unknown option", "[app:main]\nbraand = x\n", "galaxy.ini:2:1: warning: nobody knows the option “braand”; did you mean “brand”?\n"},
		{"the section of galaxy.yml", "[galaxy]\nbrand = x\n[app:main]\n", "galaxy.ini:1:1: warning: in galaxy.ini Galaxy's options belong below [app:main]; [galaxy] is not read\n"},
		{"a certificate made up", "[server:main]\nssl_pem = *\n[app:main]\n", "galaxy.ini:2:1: error: server:main: ssl_pem = *, a certificate that is made up at each start, is not served; name a file\ngalaxy.ini: warning: there is no file *, which HTTPS at 127.0.0.1:8080 needs\n"},
		{"a bad name", "[server:../x]\nport = 1\n[app:main]\n", "galaxy.ini:1:1: error: “../x” cannot be a server's name: use letters, digits, “.”, “_” and “-”\n"},
		{"references that multiply", "[DEFAULT]\na = 0123456789012345678901234567890123456789\nb = " + strings.Repeat("%(a)s", 60) + "\nc = " + strings.Repeat("%(b)s", 60) +
			"\n[app:main]\nbrand = %(c)s\n", "galaxy.ini:6:1: error: brand: the value is too long once its references are replaced\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, _, said := loadINI(t, test.ini); said != test.want {
				t.Errorf("got:\n%s\nwant:\n%s", said, test.want)
			}
		})
	}
}

func FuzzINI(f *testing.F) {
	for _, seed := range []string{
		"[app:main]\nbrand = x\n", "[DEFAULT]\na=%(b)s\nb=%(a)s%(a)s\n[app:main]\nbrand=%(a)s\n", "[server:main]\nhost=::1\nport: 1\n[uwsgi]\nmule=a\nfarm=b:1\n",
		"[a]\n b\n[app:main]\nset brand = x\n  y\n", "[app:main]\nadmin_users = [a, b\ndatabase_engine_options = {\n", "\xef\xbb\xbf[x]\r\n%%=%\r\n",
	} {
		f.Add(seed)
	}
	dir := f.TempDir()
	path := filepath.Join(dir, "galaxy.ini")
	f.Fuzz(func(t *testing.T, data string) {
		if len(data) > 1<<16 {
			return
		}
		if err := os.WriteFile(path, []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
		c, problems, err := Load(path, nil, WorkDir(dir))
		hasError := false
		for _, p := range problems {
			hasError = hasError || p.Severity == Error
		}
		if c == nil || hasError != (err != nil) {
			t.Fatalf("error %v with problems %v", err, problems)
		}
		if err == nil && c.Edition != Edition1901 {
			t.Fatalf("the edition is %v", c.Edition)
		}
	})
}
