package config

import (
	"reflect"
	"strings"
	"testing"
)

// rendered renders a configuration and reads the result again.
func rendered(t *testing.T, c *Config) (text string, again *Config) {
	t.Helper()
	var b strings.Builder
	if err := c.Render(&b, false); err != nil {
		t.Fatal(err)
	}
	// What is below is made of other files too.
	gravity, _, _ := strings.Cut(b.String(), "\ngalaxy:")
	again, problems, err := Load("galaxy.yml", nil, WorkDir(write(t, map[string]string{"galaxy.yml": gravity + "\n"})))
	if err != nil {
		t.Fatalf("%v of:\n%s", problems, gravity)
	}
	return b.String(), again
}

// TestRenderedGravityIsTheSame: what is shown of gravity means what was read.
func TestRenderedGravityIsTheSame(t *testing.T) {
	c, _ := load(t, `galaxy: {id_secret: abcdefgh}
gravity:
  galaxy_user: galaxy
  galaxy_group: www
  umask: "027"
  memory_limit: 1.5
  gunicorn:
  - bind: unix:var/a.sock
    workers: 3
    timeout: 20
    stop_timeout: 99
    memory_high: 2
    environment: {A: "b: c", API_TOKEN: hidden}
    extra_args: --bind :8080 --umask 007 --forwarded-allow-ips "10.0.0.0/8, ::1" --keep-alive 9 --access-logfile '/var/log/a b.log' --pid /run/x --backlog 5
  - bind: :443
    certfile: /a.crt
    keyfile: /a.key
  handlers:
    handler: {processes: 2, pools: [job-handlers, job-handlers.special], name_template: "h{process}", environment: {B: "2"}, umask: "077"}
    one: {server_name: handler7, stop_timeout: 3}
`)
	text, again := rendered(t, c)
	if strings.Contains(text, "hidden") {
		t.Errorf("a secret is shown:\n%s", text)
	}
	for i := range c.Gravity.Gunicorn {
		got, want := again.Gravity.Gunicorn[i], c.Gravity.Gunicorn[i]
		got.at, want.at = nil, nil
		got.BindAt, want.BindAt = "", ""
		for j := range want.Listeners {
			got.Listeners[j].At, want.Listeners[j].At = "", ""
		}
		if i == 0 {
			got.Environment["API_TOKEN"] = "hidden"
		}
		want.stopTimeoutSet, got.stopTimeoutSet, got.WorkersSet, want.WorkersSet = true, true, true, true
		if !reflect.DeepEqual(got, want) {
			t.Errorf("group %d:\ngot  %+v\nwant %+v", i, got, want)
		}
	}
	if !reflect.DeepEqual(again.Gravity.Handlers, c.Gravity.Handlers) {
		t.Errorf("handlers:\ngot  %+v\nwant %+v", again.Gravity.Handlers, c.Gravity.Handlers)
	}
	if again.Gravity.GalaxyUser != "galaxy" || again.Gravity.Umask != "027" || again.Gravity.MemoryLimit != 1.5 {
		t.Errorf("%+v", again.Gravity)
	}
}

func TestRenderedUwsgi(t *testing.T) {
	section := `uwsgi:
  processes: 2
  http: :8080
  https: :8443,/server.crt,/server.key
  socket: 127.0.0.1:4001
  stats: 127.0.0.1:9191
  uid: galaxy
  gid: www
  static-map: /static=/srv/static
  mule: lib/galaxy/main.py
  farm: job-handlers:1
  worker-reload-mercy: 60
  mule-reload-mercy: 90
  die-on-term: true
  hook-master-start: unix_signal:2 kill_them_all
  pidfile: /run/galaxy.pid
  reload-on-rss: 512
`
	c, _ := load(t, section)
	var b strings.Builder
	if err := c.Render(&b, false); err != nil {
		t.Fatal(err)
	}
	want := strings.ReplaceAll(strings.TrimPrefix(section, "uwsgi:\n"), "  ", "#   ")
	if !strings.Contains(b.String(), "in full:\n"+want+"galaxy:\n") {
		t.Errorf("got:\n%s\nwant:\n%s", b.String()[:2000], want)
	}
	if strings.Contains(b.String(), "gunicorn") {
		t.Error("it shows gunicorn")
	}
}
