package config

import (
	"reflect"
	"strings"
	"testing"
)

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
    hook-master-start: unix_signal:15 gracefully_kill_them_all
    socket:
    http: :8080
    shared-socket: :80
    shared-socket: :443,server.crt,server.key
    http: =0
    set-placeholder: @x=%d "quoted"
    mule: lib/galaxy/main.py
    mule: /opt/other.py
    mules: 1
    mule: lib/galaxy/main.py
    farm: job-handlers:4,1
    farm: job-handlers.special:1
    reload-mercy: 90
    mule-reload-mercy: 120
x-more:
  a: 1
`)
	want := Uwsgi{
		Present: true, Processes: 3, Threads: 4, Binds: []string{":8080", ":80"}, BindAt: c.Path + ":14:5",
		Mules:       []string{"lib/galaxy/main.py", "/opt/other.py", "", "lib/galaxy/main.py"},
		Farms:       []Farm{{"job-handlers", []int{4, 1}, c.Path + ":23:5"}, {"job-handlers.special", []int{1}, c.Path + ":24:5"}},
		WorkerMercy: 90, MuleMercy: 120,
	}
	if !reflect.DeepEqual(c.Uwsgi, want) {
		t.Errorf("got %+v\nwant %+v", c.Uwsgi, want)
	}
	if c.Edition != Edition1901 || c.IDSecret != "abcdefgh" || !c.Uwsgi.RunsGalaxy(4) || c.Uwsgi.RunsGalaxy(2) || c.Uwsgi.RunsGalaxy(3) || c.Uwsgi.RunsGalaxy(5) {
		t.Errorf("edition %v, secret %q", c.Edition, c.IDSecret)
	}
	if len(problems) != 1 || !strings.HasSuffix(problems[0].String(), ":3:1: uwsgi: these options are not acted upon: die-on-term, hook-master-start, set-placeholder") {
		t.Errorf("problems: %v", problems)
	}
}

func TestUwsgiListens(t *testing.T) {
	for _, test := range []struct{ name, section, want, problem string }{
		{"nothing", "processes: 1", "127.0.0.1:8080", ""},
		{"http", "http: :9090", ":9090", ""},
		{"http-socket", "http-socket: 127.0.0.1:9091", "127.0.0.1:9091", ""},
		{"the uwsgi protocol", "socket: /srv/galaxy/var/uwsgi.sock", "127.0.0.1:8080", "warning: uwsgi: socket (/srv/galaxy/var/uwsgi.sock) speaks the uwsgi protocol, which is not served yet"},
		{"both", "socket: 127.0.0.1:4001\n  http: :8080", ":8080", "not acted upon: socket"},
		{"no shared socket", "http: =1", "127.0.0.1:8080", "error: uwsgi: http is =1, and there is no such shared-socket"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := write(t, map[string]string{"galaxy.yml": "uwsgi:\n  " + test.section + "\n"})
			c, problems, _ := Load("galaxy.yml", nil, WorkDir(dir))
			if got := strings.Join(c.Uwsgi.Binds, ","); got != test.want {
				t.Errorf("binds %s, want %s", got, test.want)
			}
			said := ""
			for _, p := range problems {
				said += p.String() + "\n"
			}
			if !strings.Contains(said, test.problem) {
				t.Errorf("problems %s, want %s", said, test.problem)
			}
		})
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

func TestUwsgiTakesTheEnvironment(t *testing.T) {
	c, _ := load(t, "uwsgi:\n  processes: $(WORKERS)\n", "WORKERS=6")
	if c.Uwsgi.Processes != 6 {
		t.Errorf("%d processes", c.Uwsgi.Processes)
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
		"uwsgi: {mule: [a], farm: 1}\n", "galaxy:\nuwsgi:\r\n  x:\r\ngravity:\n",
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
		u := readUwsgi(section, r, map[string]string{"X": "2"})
		if u.Processes < 1 || len(u.Binds) == 0 {
			t.Fatalf("%+v", u)
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
