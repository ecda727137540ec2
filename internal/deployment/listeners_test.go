package deployment

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"orrery/internal/config"
	"orrery/internal/listen"
)

// listensAt renders the specs of a plan's first web worker, and whom it serves as.
func listensAt(specs []listen.Spec, dir string) string {
	var out []string
	for _, s := range specs {
		line := string(s.Protocol) + " " + s.Bind
		if s.CertFile != "" {
			line += " " + s.CertFile + "," + s.KeyFile
		}
		if s.Mode != 0 {
			line += fmt.Sprintf(" mode %o", s.Mode)
		}
		if s.Umask != 0 && strings.Contains(s.Bind, "/") {
			line += fmt.Sprintf(" umask %o", s.Umask)
		}
		if s.Owner+s.Group != "" {
			line += " of " + s.Owner + ":" + s.Group
		}
		out = append(out, strings.ReplaceAll(line, dir, "DIR"))
	}
	return strings.Join(out, "\n")
}

// TestListening has the documents' examples: what each of them listens on.
func TestListening(t *testing.T) {
	common, gravity := document(t, "scaling-19.01/common.yml"), "gravity:\n"
	umask := fmt.Sprintf("%o", processUmask())
	for _, test := range []struct {
		name, want string
		site       site
	}{
		{"nothing", "http localhost:8080", site{}},
		{"22.01", "http 127.0.0.1:8080", site{galaxy: document(t, "scaling-22.01/common.yml")}},
		{"22.01: a path", "http /srv/galaxy/var/gunicorn.sock", site{galaxy: document(t, "scaling-22.01/bind-path.yml")}},
		{"22.01: a port", "http 127.0.0.1:4001", site{galaxy: gravity + document(t, "scaling-22.01/bind-port.yml")}},
		{"22.01: a path, and --bind", "http /srv/galaxy/var/gunicorn.sock\nhttp 127.0.0.1:8080", site{galaxy: document(t, "scaling-22.01/bind-both.yml")}},
		{"22.01: HTTPS", "https 0.0.0.0:443 DIR/server.crt,DIR/server.key", site{galaxy: gravity + document(t, "scaling-22.01/https.yml")}},
		{"22.01: a umask for the socket", "http unix:/a.sock umask 7", site{galaxy: "gravity: {umask: '077', gunicorn: {bind: 'unix:/a.sock', extra_args: '--umask 007'}}"}},
		{"22.01: gravity's umask is not the socket's", "http unix:/a.sock", site{galaxy: "gravity: {umask: '077', gunicorn: {bind: 'unix:/a.sock', umask: '027'}}"}},
		{"22.01: an inherited socket", "http fd://3", site{galaxy: "gravity: {gunicorn: {bind: 'fd://3'}}"}},
		{"22.01: relative paths", "http unix:DIR/var/g.sock", site{galaxy: "gravity: {gunicorn: {bind: 'unix:var/g.sock'}}"}},
		{"19.01: neither socket nor http", "http 127.0.0.1:8080", site{galaxy: common}},
		{"19.01: a socket", "uwsgi /srv/galaxy/var/uwsgi.sock umask " + umask, site{galaxy: common + document(t, "scaling-19.01/socket.yml")}},
		{"19.01: a port", "uwsgi 127.0.0.1:4001", site{galaxy: common + document(t, "scaling-19.01/socket-port.yml")}},
		{"19.01: HTTP and HTTPS", "http :8080\nhttps :8443 DIR/server.crt,DIR/server.key", site{galaxy: common + document(t, "scaling-19.01/http.yml")}},
		{"19.01: socket and HTTP", "uwsgi 127.0.0.1:4001\nhttp :8080\nhttps :8443 DIR/server.crt,DIR/server.key",
			site{galaxy: common + document(t, "scaling-19.01/socket-port.yml") + document(t, "scaling-19.01/http.yml")}},
		{"19.01: ports of root", "http :80\nhttps :443 DIR/server.crt,DIR/server.key", site{galaxy: common + document(t, "scaling-19.01/root.yml")}},
		{"19.01: redirects", "redirect :80\nhttps :443 DIR/server.crt,DIR/server.key",
			site{galaxy: common + strings.Replace(document(t, "scaling-19.01/root.yml"), "http: =0", "http-to-https: =0", 1)}},
		{"19.01: chmod-socket", "uwsgi /srv/galaxy/var/uwsgi.sock mode 660", site{galaxy: common + document(t, "scaling-19.01/socket.yml") + "    chmod-socket: 660\n"}},
		{"galaxy.ini", "uwsgi 127.0.0.1:4001", site{ini: "[uwsgi]\nprocesses = 4\nsocket = 127.0.0.1:4001\n[app:main]\n"}},
		{"galaxy.ini: a server", "http 0.0.0.0:8081", site{ini: "[server:main]\nuse = egg:Paste#http\nhost = 0.0.0.0\nport = 8081\n[app:main]\n"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := test.site.load(t)
			plan, err := NewPlan(c, EngineOf(c.Database))
			if err != nil {
				t.Fatal(err)
			}
			if got := listensAt(plan.Processes[0].Listeners, c.Root); got != test.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, test.want)
			}
			if len(plan.Own) != 1 || plan.Own[0].Protocol != listen.Admin || plan.Own[0].Bind != "unix:"+c.DataDir+"/run/admin.sock" || plan.Own[0].Mode != 0o600 {
				t.Errorf("own sockets %+v", plan.Own)
			}
		})
	}
}

func TestServesAs(t *testing.T) {
	for _, test := range []struct {
		name, galaxy, want string
	}{
		{"uWSGI's uid and gid", document(t, "scaling-19.01/common.yml") + document(t, "scaling-19.01/root.yml"), "galaxy:galaxy"},
		{"gravity's user", "gravity: {galaxy_user: galaxy, galaxy_group: www}", "galaxy:www"},
		{"gunicorn's user", "gravity: {gunicorn: {extra_args: '-u galaxy --group=www'}}", "galaxy:www"},
		{"nobody", "gravity: {}", ":"},
	} {
		c := site{galaxy: test.galaxy}.load(t)
		plan, err := NewPlan(c, EngineOf(c.Database))
		if err != nil {
			t.Fatal(err)
		}
		if got := plan.User + ":" + plan.Group; got != test.want {
			t.Errorf("%s: %s", test.name, got)
		}
	}
}

func TestOneUserForAll(t *testing.T) {
	c := site{galaxy: "gravity: {galaxy_user: galaxy, gunicorn: {extra_args: '--user web'}}"}.load(t)
	plan, err := NewPlan(c, EngineOf(c.Database))
	if err != nil || plan.User != "galaxy" || len(plan.Warnings) != 1 || !strings.Contains(plan.Warnings[0], "gunicorn's --user web --group - are not those of the whole server (galaxy:)") {
		t.Errorf("%s, %v, %v", plan.User, plan.Warnings, err)
	}
}

// TestSocketsBelongToWhomTheServerServesAs: root opens them, and they are as if that user had.
func TestSocketsBelongToWhomTheServerServesAs(t *testing.T) {
	c := site{galaxy: "uwsgi:\n  socket: /a.sock\n  http: :80\n  uid: galaxy\n  gid: www\n"}.load(t)
	plan, err := NewPlan(c, EngineOf(c.Database))
	if err != nil {
		t.Fatal(err)
	}
	want := "galaxy:www"
	if os.Geteuid() != 0 {
		want = ":"
	}
	specs := plan.Processes[0].Listeners
	if got := specs[0].Owner + ":" + specs[0].Group; got != want || specs[1].Owner != "" {
		t.Errorf("the sockets are of %s and %s, want %s", got, specs[1].Owner, want)
	}
}

func TestStaticMapsOfTheDocument(t *testing.T) {
	c := site{galaxy: document(t, "scaling-19.01/common.yml") + document(t, "scaling-19.01/http.yml")}.load(t)
	want := []config.StaticMap{{Mount: "/static/style", Dir: filepath.Join(c.Root, "static/style/blue")}, {Mount: "/static", Dir: filepath.Join(c.Root, "static")}}
	if got := c.Uwsgi.StaticMaps; len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("%+v", got)
	}
}

func TestSignals(t *testing.T) {
	const usual = "SIGHUP: restart gracefully; SIGUSR1: open the logs anew"
	common := document(t, "scaling-19.01/common.yml")
	without := strings.Join(strings.Split(common, "\n")[:15], "\n") + "\n" // up to “fix up signal handling”
	for _, test := range []struct{ name, galaxy, want string }{
		{"22.01", "", "SIGINT, SIGTERM: stop, a second one at once; SIGQUIT: stop at once; " + usual},
		{"22.01, as the document still prints it", "gravity:\n" + document(t, "scaling-22.01/signals.yml"), "SIGTERM: stop, a second one at once; SIGINT, SIGQUIT: stop at once; " + usual},
		{"19.01", common, "SIGINT, SIGQUIT, SIGTERM: stop, a second one at once; " + usual},
		{"19.01 without die-on-term", without, "SIGINT, SIGQUIT: stop, a second one at once; SIGHUP, SIGTERM: restart gracefully; SIGUSR1: open the logs anew"},
		{"19.01 with die-on-term alone", without + "    die-on-term: true\n", "SIGINT, SIGQUIT, SIGTERM: stop, a second one at once; " + usual},
		{"19.01 with a false die-on-term", without + "    die-on-term: false\n", "SIGINT, SIGQUIT: stop, a second one at once; SIGHUP, SIGTERM: restart gracefully; SIGUSR1: open the logs anew"},
		{"19.01: forcefully on SIGINT", without + document(t, "scaling-19.01/signals.yml"), "SIGQUIT, SIGTERM: stop, a second one at once; SIGINT: stop at once; " + usual},
		{"19.01: a hook without die-on-term", without + "    hook-master-start: unix_signal:15 kill_them_all\n    hook-master-start: unix_signal:12 grace_them_all\n",
			"SIGINT, SIGQUIT: stop, a second one at once; SIGTERM: stop at once; SIGHUP, SIGUSR2: restart gracefully; SIGUSR1: open the logs anew"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := site{galaxy: test.galaxy}.load(t)
			plan, err := NewPlan(c, EngineOf(c.Database))
			if err != nil {
				t.Fatal(err)
			}
			if got := tellSignals(plan.Signals); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
	c := site{ini: "[server:main]\n[app:main]\n"}.load(t)
	if plan, err := NewPlan(c, EngineOf(c.Database)); err != nil || plan.Signals[syscall.SIGTERM] != StopGracefully {
		t.Errorf("galaxy.ini: %v, %v", plan.Signals, err)
	}
}

func TestMercy(t *testing.T) {
	plugins := func(n int) string {
		out := "<job_conf><plugins>"
		for i := range n {
			out += fmt.Sprintf("<plugin id='p%d' type='runner' load='x:Y'/>", i)
		}
		return out + "</plugins>"
	}
	for _, test := range []struct {
		name, galaxy string
		plugins      int
		handlers     string
		warning      string
	}{
		{"the defaults", "", 0, "", ""},
		{"three plugins", "", 3, "", "stop_timeout of gunicorn is 65 s, and handling of jobs may take 90 s to stop (monitor_thread_join_timeout × 3 runner plugins): what is not done by then is killed; set it to more than 90"},
		{"web workers that run no jobs", "gravity: {handlers: {h: {pools: [job-handlers], stop_timeout: 90}}}", 3, "", ""},
		{"a handler", "gravity: {handlers: {h: {pools: [job-handlers], stop_timeout: 20}}}", 1, "", "stop_timeout of the handler h is 20 s, and handling of jobs may take 30 s to stop (monitor_thread_join_timeout × 1 runner plugin)"},
		{"a handler of job_conf has enough", "", 5, "<handlers><handler id='h1'/></handlers>", ""},
		{"nothing is waited for", "galaxy: {monitor_thread_join_timeout: 0}", 9, "", ""},
		{"uWSGI's workers", "uwsgi:\n  worker-reload-mercy: 10\n", 1, "", "worker-reload-mercy is 10 s, and"},
		{"uWSGI's mules", "uwsgi:\n  reload-mercy: 25\n  mule: lib/galaxy/main.py\n  farm: job-handlers:1\n", 1, "", "mule-reload-mercy is 25 s, and"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := site{galaxy: test.galaxy}
			if test.plugins > 0 {
				s.plugins = plugins(test.plugins)
				s.jobConf = "<job_conf>" + test.handlers + "</job_conf>"
			}
			c := s.load(t)
			plan, err := NewPlan(c, EngineOf(c.Database))
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(plan.Warnings, "\n"); test.warning == "" && got != "" || !strings.Contains(got, test.warning) || strings.Contains(got, "\n") {
				t.Errorf("warnings: %s", got)
			}
			for _, p := range plan.Processes {
				if p.Group == "job_conf" && p.StopTimeout < 150*time.Second {
					t.Errorf("%s has %v to stop", p.ServerName, p.StopTimeout)
				}
			}
		})
	}
}

func TestOwnSocketsAndZergPools(t *testing.T) {
	c := site{galaxy: "galaxy: {orrery_admin_listen: '127.0.0.1:9999'}\nuwsgi:\n  stats: 127.0.0.1:9191\n"}.load(t)
	plan, err := NewPlan(c, EngineOf(c.Database))
	if err != nil || listensAt(plan.Own, "-") != "stats 127.0.0.1:9191\nadmin 127.0.0.1:9999 mode 600" {
		t.Errorf("%s, %v", listensAt(plan.Own, "-"), err)
	}
	c = site{galaxy: "uwsgi:\n  master: true\n  zerg-pool: var/pool.sock:127.0.0.1:4001,:4002\n"}.load(t)
	plan, err = NewPlan(c, EngineOf(c.Database))
	if err != nil {
		t.Fatal(err)
	}
	if len(plan.Processes) != 0 || len(plan.ZergPools) != 1 || len(plan.Own) != 1 || plan.ZergPools[0].Socket.Bind != "unix:"+c.Root+"/var/pool.sock" ||
		listensAt(plan.ZergPools[0].Listeners, "-") != "uwsgi 127.0.0.1:4001\nuwsgi :4002" {
		t.Errorf("%+v", plan)
	}
	c = site{galaxy: "uwsgi:\n  zerg: var/pool.sock\n  processes: 2\n"}.load(t)
	plan, err = NewPlan(c, EngineOf(c.Database))
	if err != nil || len(plan.Zerg) != 1 || len(plan.Processes) != 2 || len(plan.Processes[0].Listeners) != 0 {
		t.Errorf("%+v, %v", plan, err)
	}
}

func TestListenersThatCannotBe(t *testing.T) {
	for _, test := range []struct{ name, galaxy, want string }{
		{"a port alone", "gravity:\n  gunicorn:\n    bind: 8080\n", "galaxy.yml:3:11: error: 8080: a port alone is ambiguous"},
		{"one address for two things", "uwsgi:\n  http: :8080\n  https: :8080,a,b\n", ":8080 is to speak http and https"},
		{"the stats server's address", "uwsgi:\n  http: :8080\n  stats: :8080\n", ":8080 is to speak http and stats"},
	} {
		c := site{galaxy: test.galaxy}.load(t)
		if _, err := NewPlan(c, EngineOf(c.Database)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
	c := site{galaxy: "gravity: {gunicorn: [{bind: ':1'}, {bind: ':1'}]}"}.load(t)
	if _, err := NewPlan(c, EngineOf(c.Database)); err != nil {
		t.Errorf("two groups may share a socket: %v", err)
	}
}

func TestDaemonWarning(t *testing.T) {
	c := site{galaxy: "uwsgi:\n  daemonize: /var/log/galaxy.log\n"}.load(t)
	if got := DaemonWarning(c); got != "uwsgi: daemonize is set, and run.sh --daemon does the same: use one of them; the log is /var/log/galaxy.log" {
		t.Error(got)
	}
	c = site{}.load(t)
	if got := DaemonWarning(c); got != "" {
		t.Error(got)
	}
}

func TestScopes(t *testing.T) {
	names := func(p *Plan) string {
		var out []string
		for _, one := range p.Processes {
			out = append(out, one.ServerName)
		}
		return strings.Join(out, " ")
	}
	for _, test := range []struct {
		name            string
		site            site
		all, web, uwsgi string
	}{
		{"gravity", site{galaxy: "gravity: {handlers: {h0: {pools: [job-handlers]}}}"}, "main.1 h0", "main.1", "main.1"},
		{"mules", site{galaxy: document(t, "scaling-19.01/common.yml") + document(t, "scaling-19.01/mules.yml")},
			"main.web.1 main.web.2 main.job-handlers.1 main.job-handlers.2 main.job-handlers.3", "main.web.1 main.web.2",
			"main.web.1 main.web.2 main.job-handlers.1 main.job-handlers.2 main.job-handlers.3"},
		{"webless", site{galaxy: document(t, "scaling-19.01/common.yml"), jobConf: document(t, "scaling-19.01/webless.xml")},
			"main.web.1 main.web.2 handler1 handler2 handler3", "main.web.1 main.web.2", "main.web.1 main.web.2"},
		{"galaxy.ini", site{ini: "[uwsgi]\nhttp = :1\n[server:main]\n[server:web2]\nport = 2\n[server:handler0]\n[app:main]\n", jobConf: "<job_conf><handlers><handler id='handler0'/></handlers></job_conf>"},
			"main.web.1 web2 handler0", "main.web.1 web2", "main.web.1"},
	} {
		plan, err := test.site.plan(t)
		if err != nil {
			t.Fatal(err)
		}
		if all, web, uwsgi := names(plan.Only(ScopeAll)), names(plan.Only(ScopeWeb)), names(plan.Only(ScopeUwsgi)); all != test.all || web != test.web || uwsgi != test.uwsgi {
			t.Errorf("%s: all %q, web %q, uwsgi %q", test.name, all, web, uwsgi)
		}
	}
}
