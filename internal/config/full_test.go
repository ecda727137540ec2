package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestEveryOptionAtItsDefault has all of Galaxy's options and all of gravity's written out, as its sample has them when
// every comment sign is taken away.
func TestEveryOptionAtItsDefault(t *testing.T) {
	var b strings.Builder
	gravity, err := os.ReadFile("testdata/gravity_full.yml")
	if err != nil {
		t.Fatal(err)
	}
	b.Write(gravity)
	b.WriteString("galaxy:\n")
	for _, name := range catalogue().names {
		b.WriteString("  " + name + ": ")
		if o := catalogue().byName[name]; o.def != nil {
			b.WriteString(yamlValue(o.def))
		}
		b.WriteString("\n")
	}
	dir := write(t, map[string]string{"config/galaxy.yml": b.String()})
	c, problems, err := Load("config/galaxy.yml", nil, WorkDir(dir))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if p.Severity != Notice {
			t.Error(p)
		}
	}
	bare := write(t, map[string]string{"config/galaxy.yml": "gravity:\ngalaxy:\n"})
	d, _, err := Load("config/galaxy.yml", nil, WorkDir(bare))
	if err != nil {
		t.Fatal(err)
	}
	// Written out or not, what they say is the same.
	for name, value := range d.values {
		if got, want := strings.ReplaceAll(asText(c.values[name]), dir, "DIR"), strings.ReplaceAll(asText(value), bare, "DIR"); got != want {
			t.Errorf("%s is %q, and %q when it is not written", name, got, want)
		}
	}
	if got, want := listenersOf(c.Gravity.Gunicorn[0].Listeners, dir), "localhost:8080"; got != want || c.LogDir != filepath.Join(dir, "database/gravity/log") || len(c.Gravity.Handlers) != 0 {
		t.Errorf("listens at %s, logs to %s", got, c.LogDir)
	}
}

func TestUwsgiAsInOlderSamples(t *testing.T) {
	data, err := os.ReadFile("testdata/uwsgi_full.yml")
	if err != nil {
		t.Fatal(err)
	}
	c, problems := load(t, "galaxy: {id_secret: abcdefgh}\n"+string(data))
	var said []string
	for _, p := range problems {
		said = append(said, strings.TrimPrefix(p.String(), c.Path))
	}
	want := `:3:1: uwsgi: accepted and without effect here, since they are about Python and how uWSGI runs it: buffer-size, enable-threads, manage-script-name, master, module, offload-threads, py-call-osafterfork, pythonpath, threads, thunder-lock, virtualenv
:3:1: uwsgi: these options are not acted upon: static-safe`
	if got := strings.Join(said, "\n"); got != want {
		t.Errorf("got %s", got)
	}
	if got := listenersOf(c.Uwsgi.Listeners, "no folder"); got != "127.0.0.1:4001 (uwsgi)\n:8080" || len(c.Uwsgi.StaticMaps) != 2 || len(c.Uwsgi.Farms) != 1 {
		t.Errorf("%s, %+v", got, c.Uwsgi)
	}
}

func TestSeveralInstances(t *testing.T) {
	files := map[string]string{
		"gravity.yml": "gravity:\n- {instance_name: east, galaxy_config_file: east.yml, gunicorn: {bind: ':1'}}\n- {instance_name: west, galaxy_config_file: west.yml, gunicorn: {bind: ':2'}}\n",
		"east.yml":    "galaxy: {brand: East}\n", "west.yml": "galaxy: {brand: West}\n",
	}
	dir := write(t, files)
	c, _, err := Load("gravity.yml", []string{"GRAVITY_INSTANCE_NAME=west"}, WorkDir(dir))
	if err != nil || c.Brand != "West" || c.Gravity.InstanceName != "west" || c.Gravity.Gunicorn[0].Binds[0] != ":2" {
		t.Errorf("%q %q %v", c.Brand, c.Gravity.InstanceName, err)
	}
	if _, _, err := Load("gravity.yml", nil, WorkDir(dir)); err == nil || !strings.Contains(err.Error(), "there are several instances (east, west), and one server serves one: say which with GRAVITY_INSTANCE_NAME=NAME") {
		t.Errorf("%v", err)
	}
	if _, _, err := Load("gravity.yml", []string{"GRAVITY_INSTANCE_NAME=north"}, WorkDir(dir)); err == nil || !strings.Contains(err.Error(), "no instance is named north") {
		t.Errorf("%v", err)
	}
}

func TestOtherServicesAreSaidToBeReplaced(t *testing.T) {
	_, problems := load(t, `galaxy: {id_secret: abcdefgh}
gravity:
  celery: {concurrency: 4}
  tusd: {enable: true, upload_dir: /srv/tus}
  reports: {enable: true}
  gx_it_proxy: {enable: true}
`)
	var said []string
	for _, p := range problems {
		if p.Severity != Notice {
			t.Error(p)
		}
		name, _, _ := strings.Cut(p.Message, ": nothing is started: ")
		said = append(said, name)
	}
	if got := strings.Join(said, ", "); got != "gravity: celery, gravity: gx_it_proxy, gravity: reports, gravity: tusd" {
		t.Error(got)
	}
	if _, problems := load(t, "galaxy: {id_secret: abcdefgh}\ngravity:\n  celery: {enable: false}\n  reports: {enable: false}\n"); len(problems) != 0 {
		t.Errorf("of what is not enabled: %v", problems)
	}
}

func TestServerNameOfAHandler(t *testing.T) {
	c, problems := load(t, "galaxy: {id_secret: abcdefgh}\ngravity:\n  handlers:\n    one: {server_name: handler7}\n    two: {processes: 2, server_name: same}\n")
	if got := strings.Join(append(c.Gravity.Handlers[0].ProcessNames(""), c.Gravity.Handlers[1].ProcessNames("")...), " "); got != "handler7 two_0 two_1" {
		t.Error(got)
	}
	if len(problems) != 1 || !strings.Contains(problems[0].Message, "the handler group two has 2 processes, which cannot all be named same") {
		t.Error(problems)
	}
}
