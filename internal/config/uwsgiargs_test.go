package config

import (
	"strings"
	"testing"
)

func TestReadUwsgiArgs(t *testing.T) {
	for _, test := range []struct{ line, file, options, problem string }{
		// As the documents print them.
		{"--yaml config/galaxy.yml", "config/galaxy.yml", "", ""},
		{"--yaml /srv/galaxy/config/galaxy.yml", "/srv/galaxy/config/galaxy.yml", "", ""},
		{"--yaml config/galaxy.yml --plugin python", "config/galaxy.yml", "plugin=python", ""},
		{"--ini config/galaxy.ini", "config/galaxy.ini", "", ""},
		// As uWSGI takes them besides.
		{"--ini=galaxy.ini:uwsgi", "galaxy.ini", "", ""},
		{"galaxy.yml", "galaxy.yml", "", ""},
		{"-y galaxy.yml -p 4 -Ms :4001", "galaxy.yml", "processes=4 master=true socket=:4001", ""},
		{"--http :8080 --processes=2 --master --die-on-term --mule=lib/galaxy/main.py --farm job-handlers:1", "",
			"http=:8080 processes=2 master=true die-on-term=true mule=lib/galaxy/main.py farm=job-handlers:1", ""},
		{"--chmod-socket --worker-reload 90", "", "chmod-socket= worker-reload-mercy=90", ""},
		{"--chmod-socket=660 :3031", "", "chmod-socket=660 socket=:3031", ""},
		{"--yaml a.yml --ini b.ini", "", "", "two files are named, a.yml and b.ini"},
		{"--ini a.ini:main", "", "", "the section is named uwsgi"},
		{"--proceses 4", "", "", "there is no option --proceses; did you mean “processes”?"},
		{"--http", "", "", "--http needs a value after it"},
		{"--xml a.xml", "", "", "the configuration is galaxy.yml or galaxy.ini"},
		{"galaxy", "", "", "what is \"galaxy\" for?"},
		{"--static-m /a=b", "", "", "--static-m may be --static-map, --static-map2"},
	} {
		got, err := ReadUwsgiArgs(strings.Fields(test.line))
		if test.problem != "" {
			if err == nil || !strings.Contains(err.Error(), test.problem) {
				t.Errorf("%s: %v", test.line, err)
			}
			continue
		}
		if err != nil || got.File != test.file || strings.Join(got.Options, " ") != test.options {
			t.Errorf("%s: %+v, %v", test.line, got, err)
		}
	}
	if got, err := ReadUwsgiArgs([]string{"--help"}); err != nil || !got.Help {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestUwsgiCommandLineOverTheFile(t *testing.T) {
	args, err := ReadUwsgiArgs(strings.Fields("--yaml x --processes 5 --socket :4001 --mule=lib/galaxy/main.py"))
	if err != nil {
		t.Fatal(err)
	}
	variable := UwsgiArgsVariable + "=" + ArgsValue(args.Options)
	c, _ := load(t, "uwsgi:\n  processes: 2\n  http: :8080\n", variable)
	if got := listenersOf(c.Uwsgi.Listeners, "no folder"); got != ":8080\n:4001 (uwsgi)" || c.Uwsgi.Processes != 5 || len(c.Uwsgi.Mules) != 1 {
		t.Errorf("%s, %+v", got, c.Uwsgi)
	}
	if c, _ = load(t, "galaxy:\n  brand: x\n", variable); c.Edition != Edition1901 || c.Uwsgi.Processes != 5 {
		t.Errorf("without a section: %v %+v", c.Edition, c.Uwsgi)
	}
	if c, _ = load(t, "gravity:\n", variable); c.Edition != Edition2201 || c.Uwsgi.Present {
		t.Errorf("beside gravity: %v %+v", c.Edition, c.Uwsgi)
	}
}

func FuzzUwsgiArgs(f *testing.F) {
	for _, seed := range []string{"--yaml\nconfig/galaxy.yml", "-Mp\n4", "--http=:80\n--mule", "-", "--", "-y", "--=x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		args, err := ReadUwsgiArgs(strings.Split(line, "\n"))
		if err != nil {
			return
		}
		section := &node{kind: nullNode}
		l := &loader{report: &report{}, env: map[string]string{UwsgiArgsVariable: ArgsValue(args.Options)}}
		readUwsgi(l.uwsgiCommandLine(section), l.report, nil, "/x/galaxy.yml")
	})
}
