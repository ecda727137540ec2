package config

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// listenersOf renders listeners, one per line, with what is not as usual.
func listenersOf(listeners []Listener, dir string) string {
	var lines []string
	for _, l := range listeners {
		line := l.String()
		if l.CertFile != "" {
			line += " " + l.CertFile + "," + l.KeyFile
		}
		if l.Mode != 0 {
			line += fmt.Sprintf(" mode %o", l.Mode)
		}
		if l.Umask > 0 {
			line += fmt.Sprintf(" umask %o", l.Umask)
		}
		if l.Owner+l.Group != "" {
			line += " of " + l.Owner + ":" + l.Group
		}
		if l.HTTPSPort != "" {
			line += " to port " + l.HTTPSPort
		}
		if l.Backlog != 0 {
			line += fmt.Sprintf(" backlog %d", l.Backlog)
		}
		lines = append(lines, strings.ReplaceAll(line, dir, "DIR"))
	}
	return strings.Join(lines, "\n")
}

func TestUwsgi(t *testing.T) {
	c, problems := load(t, `galaxy:
  id_secret: abcdefgh
uwsgi:

    # required in order to start the galaxy application
    module: galaxy.webapps.galaxy.buildapp:uwsgi_app()
    virtualenv: .venv
    processes: 3   # of the web
    threads: 4
    die-on-term: true
    hook-master-start: unix_signal:2 gracefully_kill_them_all
    hook-master-start: unix_signal:15 kill_them_all
    socket:
    http: :8080
    shared-socket: :80
    http: =0
    set-placeholder: x=%d "quoted"
    mule: lib/galaxy/main.py
    mule: /opt/other.py
    mules: 1
    mule: lib/galaxy/main.py
    farm: job-handlers:4,1
    farm: job-handlers.special:1
    reload-mercy: 90
    mule-reload-mercy: 120
    umask: 027
    uid: galaxy
    gid: www-data
    chdir: /srv/galaxy/server
    pidfile: var/%n.pid
    pidfile2: /run/galaxy2.pid
    logto: $(HOME)/uwsgi.log
    logto2: log2
    daemonize: /var/log/galaxy.log
    daemonize2: d2
    stats: 127.0.0.1:9191
    stats: stats.sock
    static-map: /static=static
    static-map: /static/style=/opt/style/blue
    static-map2: /robots=web
    env: A=b=c
    reload-on-rss: 1536
    offload-threads: 1
    py-call-osafterfork: true
    emperor: /etc/vassals
x-more:
  a: 1
`, "HOME=/home/galaxy")
	if got := listenersOf(c.Uwsgi.Listeners, "no folder"); got != ":8080\n:80" {
		t.Errorf("listeners %s", got)
	}
	if got := listenersOf(c.Uwsgi.Stats, "no folder"); got != "127.0.0.1:9191 (stats)\nunix:/srv/galaxy/server/stats.sock (stats)" {
		t.Errorf("stats %s", got)
	}
	u := c.Uwsgi
	u.Listeners, u.Stats, u.at = nil, nil, nil
	want := Uwsgi{
		Present: true, Processes: 3, Threads: 4, Binds: []string{":8080", ":80"}, BindAt: c.Path + ":14:5",
		Mules:       []string{"lib/galaxy/main.py", "/opt/other.py", "", "lib/galaxy/main.py"},
		Farms:       []Farm{{"job-handlers", []int{4, 1}, c.Path + ":22:5"}, {"job-handlers.special", []int{1}, c.Path + ":23:5"}},
		WorkerMercy: 90, MuleMercy: 120, DieOnTerm: true,
		MasterHooks: []SignalHook{{2, "gracefully_kill_them_all", c.Path + ":11:5"}, {15, "kill_them_all", c.Path + ":12:5"}},
		Umask:       "027", User: "galaxy", Group: "www-data", Chdir: "/srv/galaxy/server",
		PIDFile: "/srv/galaxy/server/var/galaxy.pid", PIDFile2: "/run/galaxy2.pid", LogTo: "/home/galaxy/uwsgi.log", LogTo2: "/srv/galaxy/server/log2",
		Daemonize: "/var/log/galaxy.log", Daemonize2: "/srv/galaxy/server/d2",
		StaticMaps:  []StaticMap{{"/static/style", "/opt/style/blue"}, {"/static", "/srv/galaxy/server/static"}, {"/robots", "/srv/galaxy/server/web/robots"}},
		Environment: map[string]string{"A": "b=c"}, MemoryLimit: 1.5,
	}
	if !reflect.DeepEqual(u, want) {
		t.Errorf("got %+v\nwant %+v", u, want)
	}
	if c.Edition != Edition1901 || c.IDSecret != "abcdefgh" || !c.Uwsgi.RunsGalaxy(4) || c.Uwsgi.RunsGalaxy(2) || c.Uwsgi.RunsGalaxy(3) || c.Uwsgi.RunsGalaxy(5) {
		t.Errorf("edition %v, secret %q", c.Edition, c.IDSecret)
	}
	var said []string
	for _, p := range problems {
		said = append(said, strings.TrimPrefix(p.String(), c.Path))
	}
	if got, want := strings.Join(said, "\n"), `:3:1: uwsgi: accepted and without effect here, since they are about Python and how uWSGI runs it: module, offload-threads, py-call-osafterfork, threads, virtualenv
:3:1: uwsgi: these options are not acted upon: emperor`; got != want {
		t.Errorf("problems: %s", got)
	}
}

func TestUwsgiListens(t *testing.T) {
	for _, test := range []struct{ name, section, want, problem string }{
		{"nothing", "processes: 1", "127.0.0.1:8080", ""},
		{"http", "http: :9090", ":9090", ""},
		{"http-socket", "http-socket: 127.0.0.1:9091", "127.0.0.1:9091", ""},
		{"the uwsgi protocol on a UNIX socket", "socket: /srv/galaxy/var/uwsgi.sock", "unix:/srv/galaxy/var/uwsgi.sock (uwsgi)", ""},
		{"the uwsgi protocol on a port", "socket: 127.0.0.1:4001", "127.0.0.1:4001 (uwsgi)", ""},
		{"a name without a colon is a path", "s: galaxy.sock", "unix:DIR/galaxy.sock (uwsgi)", ""},
		{"both", "socket: 127.0.0.1:4001\n  http: :8080", "127.0.0.1:4001 (uwsgi)\n:8080", ""},
		{"http on the socket", "protocol: http\n  socket: 127.0.0.1:4001", "127.0.0.1:4001", ""},
		{"https", "http: :8080\n  https: :8443,server.crt,server.key", ":8080\n:8443 (https) DIR/server.crt,DIR/server.key", "warning: there is no file DIR/server.crt, which HTTPS at :8443 needs"},
		{"https with one file", "https: :443,/etc/both.pem", ":443 (https) /etc/both.pem,/etc/both.pem", ""},
		{"https2", "https2: addr=:8443,cert=a.crt,key=a.key,spdy=1", ":8443 (https) DIR/a.crt,DIR/a.key", ""},
		{"shared sockets", "shared-socket: :80\n  shared-socket: :443,server.crt,server.key\n  http: =0\n  https: =1", ":80\n:443 (https) DIR/server.crt,DIR/server.key", ""},
		{"shared sockets as uWSGI's manual has them", "shared-socket: :443\n  https: =0,a.crt,a.key", ":443 (https) DIR/a.crt,DIR/a.key", ""},
		{"a shared socket for the uwsgi protocol", "shared-socket: :3031\n  socket: =0", ":3031 (uwsgi)", ""},
		{"redirects", "shared-socket: :80\n  shared-socket: :8443,server.crt,server.key\n  http-to-https: =0\n  https: =1",
			":80 (redirects to https) to port 8443\n:8443 (https) DIR/server.crt,DIR/server.key", ""},
		{"redirects to the usual port", "http-to-https: :80\n  https: :443,a,b", ":80 (redirects to https)\n:443 (https) DIR/a,DIR/b", ""},
		{"a mode", "socket: /a.sock\n  chmod-socket: 660\n  chown-socket: galaxy:www-data\n  listen: 512", "unix:/a.sock (uwsgi) mode 660 of galaxy:www-data backlog 512", ""},
		{"a mode for everybody", "socket: /a.sock\n  chmod-socket: true", "unix:/a.sock (uwsgi) mode 666", ""},
		{"keys without a value are unset", "socket: /a.sock\n  chmod-socket:\n  mule:\n  die-on-term:\n  http:", "unix:/a.sock (uwsgi)", ""},
		{"no shared socket", "http: =1", "127.0.0.1:8080", "error: uwsgi: http is =1, and there is no such shared-socket"},
		{"a shared socket twice", "shared-socket: :80\n  http: =0\n  socket: =0", ":80", "error: uwsgi: two options serve at the shared-socket =0"},
		{"an unused shared socket", "shared-socket: :80\n  http: :81", ":81", "warning: uwsgi: the shared-socket =0 (:80) is used by no http"},
		{"https without a certificate", "https: :443", "127.0.0.1:8080", "error: uwsgi: https takes an address, a certificate and a key, such as :8443,server.crt,server.key, not \":443\""},
		{"client certificates", "https: :443,a,b,HIGH,ca.crt", "127.0.0.1:8080", "which are not checked by this server"},
		{"a port alone", "http: 8080", "127.0.0.1:8080", "error: uwsgi: http takes an address such as :8080"},
		{"quotes", "http: \":8080\"", "127.0.0.1:8080", "error: uwsgi: http is \":8080\", and uWSGI takes the quotes as a part of the value"},
		{"another protocol", "fastcgi-socket: :9000", "127.0.0.1:8080", "error: uwsgi: fastcgi-socket is a protocol that is not served"},
		{"a Zerg's sockets are its pool's", "zerg: /srv/galaxy/var/zergpool.sock", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := write(t, map[string]string{"galaxy.yml": "uwsgi:\n  " + test.section + "\n"})
			c, problems, _ := Load("galaxy.yml", nil, WorkDir(dir))
			for i, l := range c.Uwsgi.Listeners {
				if isUnixBind(l.Bind) && !strings.HasPrefix(l.Bind, "unix:") {
					c.Uwsgi.Listeners[i].Bind = "unix:" + l.Bind
				}
			}
			if got := listenersOf(c.Uwsgi.Listeners, dir); got != test.want {
				t.Errorf("listeners %s, want %s", got, test.want)
			}
			said := ""
			for _, p := range problems {
				said += strings.ReplaceAll(p.String(), dir, "DIR") + "\n"
			}
			if !strings.Contains(said, test.problem) || test.problem == "" && strings.Contains(said, "error") {
				t.Errorf("problems %s, want %s", said, test.problem)
			}
		})
	}
}

func TestZergPool(t *testing.T) {
	c, problems := load(t, "galaxy:\n  id_secret: abcdefgh\nuwsgi:\n  master: true\n  zerg-pool: /srv/galaxy/var/zergpool.sock:127.0.0.1:4001,uwsgi.sock\n  chmod-socket: 660\n")
	if len(c.Uwsgi.ZergPools) != 1 || len(c.Uwsgi.Listeners) != 0 || c.Uwsgi.Processes != 0 || len(problems) != 1 {
		t.Fatalf("%+v, problems %v", c.Uwsgi, problems)
	}
	pool := c.Uwsgi.ZergPools[0]
	if got := pool.Path + "\n" + listenersOf(pool.Addresses, c.Root); got != "/srv/galaxy/var/zergpool.sock\n127.0.0.1:4001 (uwsgi) mode 660\nunix:DIR/uwsgi.sock (uwsgi) mode 660" {
		t.Error(got)
	}
	c, _ = load(t, "uwsgi:\n  zerg: var/zergpool.sock\n  processes: 2\n  protocol: http\n")
	if u := c.Uwsgi; len(u.Zerg) != 1 || u.Zerg[0] != c.Root+"/var/zergpool.sock" || u.Processes != 2 || u.ZergProtocol != HTTP {
		t.Errorf("%+v", u)
	}
}

func TestUwsgiProblems(t *testing.T) {
	for _, test := range []struct{ name, section, want string }{
		{"quotes are a part of the value", "processes: \"4\"", `config/galaxy.yml:2:3: error: uwsgi: processes is "4", and uWSGI takes the quotes as a part of the value; write it without them`},
		{"no number", "processes: many", `config/galaxy.yml:2:3: error: uwsgi: processes takes a whole number such as 1, not "many"`},
		{"no such mule", "mule: lib/galaxy/main.py\n  farm: job-handlers:1,2", `config/galaxy.yml:3:3: error: uwsgi: farm job-handlers: there is no mule 2; the section has 1 “mule:” line(s)`},
		{"a farm without numbers", "farm: job-handlers", `config/galaxy.yml:2:3: error: uwsgi: farm takes a name and mules' numbers, such as job-handlers:1,2,3, not "job-handlers"`},
		{"a mule twice", "mules: 2\n  farm: job-handlers:1,1", `config/galaxy.yml:3:3: error: uwsgi: farm job-handlers names mule 1 twice`},
		{"no mule's number", "farm: job-handlers:x", `config/galaxy.yml:2:3: error: uwsgi: farm job-handlers: "x" is no mule's number`},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := problemsOf(t, "uwsgi:\n  "+test.section+"\n"); got != test.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, test.want)
			}
		})
	}
}

func TestKeysWithoutAValue(t *testing.T) {
	c, _ := load(t, "uwsgi:\n  mule:\n  die-on-term:\n")
	if len(c.Uwsgi.Mules) != 0 || c.Uwsgi.DieOnTerm {
		t.Errorf("in YAML they are unset, as for uWSGI: %+v", c.Uwsgi)
	}
	if c, _, _ = loadINI(t, "[uwsgi]\nmule\ndie-on-term\n[app:main]\n"); len(c.Uwsgi.Mules) != 1 || !c.Uwsgi.DieOnTerm {
		t.Errorf("in galaxy.ini they are switches: %+v", c.Uwsgi)
	}
	if c, _ = load(t, "galaxy:\n", UwsgiArgsVariable+`=["mule=","die-on-term=true","chmod-socket=","socket=/a.sock"]`); len(c.Uwsgi.Mules) != 1 || !c.Uwsgi.DieOnTerm || c.Uwsgi.Listeners[0].Mode != 0o666 {
		t.Errorf("on the command line they are switches: %+v", c.Uwsgi)
	}
}

func TestUwsgiReplaces(t *testing.T) {
	c, _ := load(t, `uwsgi:
  processes: $(WORKERS)
  set-placeholder: base=/srv/(galaxy)
  pidfile: $(RUN)/(a)$(NOTHING).pid
  logto: %(base)/%n-%(processes).log
  chdir: %d
  logto2: 100%%/%(unknown)$(open
`, "WORKERS=6", "RUN=/run")
	u := c.Uwsgi
	if u.Processes != 6 || u.PIDFile != "/run/(a).pid" || u.LogTo != "/srv/(galaxy)/galaxy-6.log" || u.Chdir+"/galaxy.yml" != c.Path || u.LogTo2 != u.Chdir+"/100%/%(unknown)$(open" {
		t.Errorf("%+v", u)
	}
}

func TestSectionsBesideUwsgiKeepTheirLines(t *testing.T) {
	got := problemsOf(t, "uwsgi:\n  http: @weird\n\n# a remark\ngalaxy:\n  braand: x\n")
	if want := "config/galaxy.yml:6:3: warning: nobody knows the option “braand”; did you mean “brand”?"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func FuzzUwsgi(f *testing.F) {
	for _, seed := range []string{
		"uwsgi:\n  mule: lib/galaxy/main.py\n  farm: job-handlers:1\n", "uwsgi: # x\n\thttp: =0\n\tshared-socket: :80,a,b\n", "\xef\xbb\xbfuwsgi:\n a", "uwsgi:\n  processes: $(X) ${Y}\n",
		"uwsgi: {mule: [a], farm: 1}\n", "uwsgi:\n  shared-socket: :443,a,b\n  https: =0\n  http-to-https: :80\n  chmod-socket:\n  hook-master-start: unix_signal:15 kill_them_all\n",
		"uwsgi:\n  set: a=%(a)%(a)\n  set: b=%(a)%d\n  zerg-pool: %(b):x,y\n  static-map: /a=b\n", "galaxy:\nuwsgi:\r\n  x:\r\ngravity:\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data string) {
		if len(data) > 1<<16 {
			return
		}
		section, rest := splitUwsgi("galaxy.yml", []byte(data))
		if strings.Count(data, "\n") != strings.Count(string(rest), "\n") {
			t.Fatalf("lines were lost: %q became %q", data, rest)
		}
		if section == nil {
			return
		}
		r := &report{}
		u := readUwsgi(section, r, map[string]string{"X": "2"}, "/x/galaxy.yml")
		if u.Processes < 1 && len(u.ZergPools) == 0 || len(u.Binds) == 0 && len(u.ZergPools) == 0 {
			t.Fatalf("%+v", u)
		}
		for _, l := range u.Listeners {
			if l.Bind == "" || l.Mode&^0o777 != 0 || l.Protocol == HTTPS && (l.CertFile == "" || l.KeyFile == "") {
				t.Fatalf("%+v", l)
			}
		}
		for _, farm := range u.Farms {
			for _, mule := range farm.Mules {
				if mule < 1 || mule > len(u.Mules) {
					t.Fatalf("the farm %s has the mule %d of %d", farm.Name, mule, len(u.Mules))
				}
			}
		}
	})
}
