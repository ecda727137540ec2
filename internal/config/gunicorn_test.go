package config

import (
	"strings"
	"testing"
)

// gunicornOf reads one group of web workers and what is said about it.
func gunicornOf(t *testing.T, settings string, environ ...string) (g Gunicorn, said, root string) {
	t.Helper()
	dir := write(t, map[string]string{"config/galaxy.yml": "galaxy:\n  id_secret: abcdefgh\ngravity:\n  gunicorn:\n    " + strings.ReplaceAll(settings, "\n", "\n    ") + "\n"})
	c, problems, _ := Load("config/galaxy.yml", environ, WorkDir(dir))
	for _, p := range problems {
		said += strings.ReplaceAll(p.String(), dir, "DIR") + "\n"
	}
	if len(c.Gravity.Gunicorn) != 1 {
		t.Fatalf("%d groups; %s", len(c.Gravity.Gunicorn), said)
	}
	return c.Gravity.Gunicorn[0], said, c.Root
}

func TestGunicornListens(t *testing.T) {
	for _, test := range []struct{ name, settings, want, problem string }{
		{"nothing", "workers: 2", "localhost:8080", ""},
		{"a list of addresses", "bind: 127.0.0.1:1\nextra_args: --bind :2 -b unix:/x.sock -b=:3 -b:4 --bind=:5", "127.0.0.1:1\n:2\nunix:/x.sock\n:3\n:4\n:5", ""},
		{"a certificate", "bind: :443\nkeyfile: server.key\ncertfile: server.crt", ":443 (https) DIR/server.crt,DIR/server.key", "warning: there is no file DIR/server.crt, which HTTPS at :443 needs"},
		{"one file for both", "bind: :443\ncertfile: /etc/both.pem", ":443 (https) /etc/both.pem,/etc/both.pem", ""},
		{"a certificate on the command line", "bind: :443\nextra_args: --certfile=/a.crt --keyfile /a.key --ca-certs /ca.crt --ssl-version TLSv1_2 --ciphers HIGH", ":443 (https) /a.crt,/a.key",
			"--ssl-version TLSv1_2, --ciphers HIGH (HTTP and TLS are as strict as they can be here)"},
		{"a key alone", "keyfile: /a.key", "localhost:8080", "error: gunicorn: keyfile without certfile"},
		{"a mode and a user", "bind: unix:/a.sock\nextra_args: --umask 007 --user galaxy -g www-data --backlog 64", "unix:/a.sock umask 7 of galaxy:www-data backlog 64", ""},
		{"the uwsgi protocol", "bind: :4001\nextra_args: --protocol uwsgi", ":4001 (uwsgi)", ""},
		{"another folder", "bind: unix:g.sock\nextra_args: --chdir /srv", "unix:/srv/g.sock", ""},
		{"client certificates", "bind: :443\ncertfile: /a\nextra_args: --cert-reqs 2", ":443 (https) /a,/a", "error: extra_args: --cert-reqs 2: client certificates are not checked"},
		{"an empty address", "bind: ''", "", "error: bind is empty"},
	} {
		t.Run(test.name, func(t *testing.T) {
			g, said, root := gunicornOf(t, test.settings)
			if got := listenersOf(g.Listeners, root); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
			if !strings.Contains(said, test.problem) || test.problem == "" && strings.Contains(said, "error") {
				t.Errorf("said %s", said)
			}
		})
	}
}

func TestGunicornArgs(t *testing.T) {
	g, said, root := gunicornOf(t, `timeout: 60
environment: {GUNICORN_CMD_ARGS: "--workers 9 --keep-alive 7 --limit-request-fields 50", FORWARDED_ALLOW_IPS: 10.0.0.1}
extra_args: >
  -w4 --timeout=120 --graceful-timeout 40 --keep-alive 5 --limit-request-line 8190 --limit-request-fields=200
  --limit-request-field_size 16380 --forwarded-allow-ips "10.0.0.0/8, ::1" --proxy-protocol off
  --access-logfile - --error-logfile log/web.log --log-level debug --pid var/web.pid --env "A=b c" -e SCRIPT_NAME=/galaxy
  --max-requests 1000 --max-requests-jitter 50 -k galaxy.webapps.galaxy.workers.Worker --threads 4 --preload --reuse-port
  --forwarder-headers SCRIPT_NAME -D --forwarded-alow-ips 1 --nonsense 3 app:main`)
	if g.Workers != 4 || !g.WorkersSet || g.Timeout != 120 || g.StopTimeout != 40 || g.PIDFile != root+"/var/web.pid" || g.ErrorLog != root+"/log/web.log" || g.Environment["A"] != "b c" {
		t.Errorf("%+v", g)
	}
	if got := g.Limits; strings.Join(got.ForwardedAllowIPs, " ") != "10.0.0.0/8 ::1" || got.KeepAlive != 5 || got.Line != 8190 || got.Fields != 200 || got.FieldSize != 16380 || got.Timeout != 120 || got.AccessLog != "-" {
		t.Errorf("%+v", got)
	}
	for _, line := range []string{
		"warning: extra_args: --env SCRIPT_NAME=/galaxy has no effect; galaxy_url_prefix in the galaxy section is the prefix",
		"warning: extra_args: gunicorn has no option --nonsense\n",
		"warning: extra_args: gunicorn has no option --forwarded-alow-ips; did you mean “--forwarded-allow-ips”?",
		"warning: extra_args: “app:main” belongs to no option",
		"extra_args: accepted and without effect here: --log-level debug (log_level in the galaxy section holds); --max-requests 1000, --max-requests-jitter 50 (processes do not grow with requests; memory_limit replaces one that does); " +
			"--worker-class galaxy.webapps.galaxy.workers.Worker, --threads 4, --preload (this is about Python’s processes and threads); --reuse-port (all workers share one socket); " +
			"--forwarder-headers SCRIPT_NAME (nothing is taken from SCRIPT_NAME and PATH_INFO; galaxy_url_prefix is the prefix); --daemon (“run.sh --daemon” and “orrery start” do this)",
	} {
		if !strings.Contains(said, line) {
			t.Errorf("not said: %s\nin %s", line, said)
		}
	}
}

func TestGunicornArgsProblems(t *testing.T) {
	for _, test := range []struct{ args, want string }{
		{"--bind", "error: extra_args: --bind needs a value after it"},
		{"-w", "error: extra_args: -w needs a value after it"},
		{"--workers many", `error: extra_args: --workers takes a whole number such as 1, not "many"`},
		{"--preload=yes", "error: extra_args: --preload takes no value"},
		{"--umask 9", `error: extra_args: --umask takes octal digits such as 007, not "9"`},
		{"--env A", `error: extra_args: --env takes NAME=VALUE, not "A"`},
		{"--forwarded-allow-ips proxy.example.org", `error: --forwarded-allow-ips takes addresses and networks such as 10.0.0.0/8, or “*” for everybody, not "proxy.example.org"`},
		{"'--bind", "error: extra_args: a quote is not closed"},
		{"--work 2", "warning: extra_args: gunicorn has no option --work"},
		{"-Z", "warning: extra_args: gunicorn has no option -Z"},
		{"--proxy-protocol", "error: extra_args: --proxy-protocol: the PROXY protocol is not spoken"},
		{"--proxy-protocol v2", "error: extra_args: --proxy-protocol: the PROXY protocol is not spoken"},
		{"--protocol gopher", `error: extra_args: --protocol is http or uwsgi, not "gopher"`},
	} {
		if _, said, _ := gunicornOf(t, "extra_args: \""+test.args+"\""); !strings.Contains(said, test.want) {
			t.Errorf("%s: %s", test.args, said)
		}
	}
}

func TestGunicornTimeouts(t *testing.T) {
	for _, test := range []struct {
		settings string
		want     int
	}{
		{"workers: 1", 65}, {"stop_timeout: 90", 90}, {"extra_args: --graceful-timeout 300", 300},
		{"stop_timeout: 90\nextra_args: --graceful-timeout 300", 90}, {"stop_timeout: 90\nextra_args: --graceful-timeout 30", 30},
	} {
		if g, _, _ := gunicornOf(t, test.settings); g.StopTimeout != test.want {
			t.Errorf("%s: %d", test.settings, g.StopTimeout)
		}
	}
}

func TestForwardedAllowIPs(t *testing.T) {
	for _, test := range []struct{ settings, environ, want string }{
		{"workers: 1", "A=b", ""},
		{"workers: 1", "FORWARDED_ALLOW_IPS=10.0.0.1", "10.0.0.1"},
		{"environment: {FORWARDED_ALLOW_IPS: '*'}", "FORWARDED_ALLOW_IPS=10.0.0.1", "*"},
		{"environment: {FORWARDED_ALLOW_IPS: '*'}\nextra_args: --forwarded-allow-ips 10.0.0.2,10.1.0.0/16", "FORWARDED_ALLOW_IPS=10.0.0.1", "10.0.0.2 10.1.0.0/16"},
		{"environment: {GUNICORN_CMD_ARGS: '--forwarded-allow-ips=10.0.0.3 --bind :9 --workers 7'}", "A=b", "10.0.0.3"},
	} {
		g, said, _ := gunicornOf(t, test.settings, test.environ)
		if got := strings.Join(g.Limits.ForwardedAllowIPs, " "); got != test.want || said != "" || len(g.Binds) != 1 || g.Workers != 1 {
			t.Errorf("%s: %q, %s", test.settings, got, said)
		}
	}
}

func TestGunicornExtraArgsByBothNames(t *testing.T) {
	g, said, _ := gunicornOf(t, "extra_args: -w 2\ngunicorn_extra_args: -w 3")
	if g.Workers != 2 || !strings.Contains(said, "gunicorn_extra_args is the older name of extra_args") {
		t.Errorf("%d workers, %s", g.Workers, said)
	}
	if g, said, _ = gunicornOf(t, "gunicorn_extra_args:"); said != "" || len(g.Binds) != 1 {
		t.Errorf("a key without a value: %+v, %s", g, said)
	}
}

func TestGunicornCommandLine(t *testing.T) {
	variable := GunicornArgsVariable + "=" + ArgsValue([]string{"--bind", ":9", "-b", "unix:/x.sock", "--workers", "7", "--forwarded-allow-ips=*"})
	g, said, _ := gunicornOf(t, "bind: :1\nextra_args: --bind :2\nworkers: 3", variable)
	if got := listenersOf(g.Listeners, "no folder"); got != ":9\nunix:/x.sock" || g.Workers != 7 || g.Limits.ForwardedAllowIPs[0] != "*" || said != "" {
		t.Errorf("%s, %d workers, %s", got, g.Workers, said)
	}
	c, _ := load(t, "uwsgi:\n  processes: 2\n  socket: :4001\n", variable)
	if got := listenersOf(c.Uwsgi.Listeners, "no folder"); got != ":9\nunix:/x.sock" || c.Uwsgi.Processes != 7 {
		t.Errorf("over uwsgi: %s, %d processes", got, c.Uwsgi.Processes)
	}
	c, _ = load(t, "uwsgi:\n  processes: 2\n  socket: :4001\n", GunicornArgsVariable+`=["-w","3"]`)
	if got := listenersOf(c.Uwsgi.Listeners, "no folder"); got != ":4001 (uwsgi)" || c.Uwsgi.Processes != 3 {
		t.Errorf("workers alone over uwsgi: %s, %d processes", got, c.Uwsgi.Processes)
	}
}

func TestGunicornCommandLineOverGalaxyINI(t *testing.T) {
	dir := write(t, map[string]string{"galaxy.ini": "[server:main]\nport = 8081\n[app:main]\n"})
	for _, test := range []struct{ words, want string }{{`["-w","3"]`, "127.0.0.1:8081"}, {`["--bind",":9"]`, ":9"}} {
		c, _, err := Load("galaxy.ini", []string{GunicornArgsVariable + "=" + test.words}, WorkDir(dir))
		if err != nil || !c.Uwsgi.Present || listenersOf(c.Uwsgi.Listeners, "no folder") != test.want {
			t.Errorf("%s: %+v, %v", test.words, c.Uwsgi, err)
		}
	}
}

func FuzzGunicornArgs(f *testing.F) {
	for _, seed := range []string{
		"--bind 127.0.0.1:8080", "-w4 -b :1 --preload --env A=b", "--forwarded-allow-ips=\"*\" --umask 007", "-Dw 3", "--proxy-protocol --proxy-protocol v2 x", "-", "--", "--=", "'a b' \\", "-b", "--b", "-e=",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		words, err := splitWords(line)
		if err != nil {
			return
		}
		r := &report{}
		g := defaultGunicorn()
		gravityReader{report: r}.gunicornArgs(words, commandLine(), "extra_args", false, &g)
		l := &loader{config: &Config{Root: "/srv"}, report: r}
		l.finishGunicorn(&g)
		if g.Workers < 1 || g.Workers > maxProcesses || g.SocketUmask < 0 || g.SocketUmask > 0o777 || g.Backlog < 0 || len(g.Listeners) != len(g.Binds) || g.Binds[0] != "localhost:8080" {
			t.Fatalf("%q gave %+v", line, g)
		}
		for _, p := range r.problems {
			if p.Message == "" || len(p.Message) > 10000 {
				t.Fatalf("%q: %q", line, p.Message)
			}
		}
	})
}
