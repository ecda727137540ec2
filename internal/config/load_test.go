package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// write puts files into a fresh directory, which is the root of the configuration under test.
func write(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// load reads config/galaxy.yml with this content and expects no error.
func load(t *testing.T, yml string, environ ...string) (*Config, []Problem) {
	t.Helper()
	dir := write(t, map[string]string{"config/galaxy.yml": yml})
	c, problems, err := Load("config/galaxy.yml", environ, WorkDir(dir))
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	return c, problems
}

// problemsOf reads config/galaxy.yml with this content and returns all problems, one per line, without the directory.
func problemsOf(t *testing.T, yml string, environ ...string) string {
	t.Helper()
	dir := write(t, map[string]string{"config/galaxy.yml": yml})
	_, problems, err := Load("config/galaxy.yml", environ, WorkDir(dir))
	var invalid *InvalidError
	if err != nil && !errors.As(err, &invalid) {
		t.Fatalf("Load: %v", err)
	}
	var lines []string
	for _, p := range problems {
		if strings.Contains(p.Message, "id_secret is not set") {
			continue
		}
		lines = append(lines, strings.ReplaceAll(p.String(), dir+"/", ""))
	}
	return strings.Join(lines, "\n")
}

func TestLoadWithoutFileHasGalaxysDefaults(t *testing.T) {
	dir := t.TempDir()
	c, problems, err := Load("", nil, WorkDir(dir))
	if err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(dir, "database")
	checks := []struct {
		what      string
		got, want any
	}{
		{"root", c.Root, dir},
		{"data_dir", c.DataDir, data},
		{"config_dir", c.ConfigDir, filepath.Join(dir, "config")},
		{"managed_config_dir", c.ManagedConfigDir, filepath.Join(dir, "config")},
		{"database_connection", c.String("database_connection"), "sqlite:///" + data + "/universe.sqlite?isolation_level=IMMEDIATE"},
		{"the database's path", c.Database.Path, data + "/universe.sqlite"},
		{"isolation_level", c.Database.Args["isolation_level"], "IMMEDIATE"},
		{"file_path", c.FilePath, data + "/objects"},
		{"object_store_store_by", c.ObjectStoreStoreBy, "uuid"},
		{"new_file_path", c.NewFilePath, data + "/tmp"},
		{"job_working_directory", c.JobWorkingDirectory, data + "/jobs_directory"},
		{"cache directories", c.String("template_cache_path"), data + "/cache/compiled_templates"},
		{"log_dir", c.LogDir, data + "/gravity/log"},
		{"tool_path", c.ToolPath, dir + "/tools"},
		{"tool_config_file", len(c.ToolConfigFiles), 0},
		{"id_secret", c.IDSecret, DefaultIDSecret},
		{"allow_user_creation", c.AllowUserCreation, true},
		{"cleanup_job", c.CleanupJob, "always"},
		{"monitor_thread_join_timeout", c.MonitorThreadJoinTimeout, 30 * time.Second},
		{"sanitize_allowlist_file", c.SanitizeAllowlistFile, dir + "/config/sanitize_allowlist.txt"},
		{"pretty_datetime_format", c.PrettyDatetimeFormat, "%a %b %e %H:%M:%S %Y (UTC)"},
		{"maximum_upload_file_size", c.MaximumUploadFileSize, int64(100 << 30)},
		{"galaxy_url_prefix", c.URLPrefix, "/"},
		{"bind", c.Gravity.Gunicorn[0].Binds[0], "localhost:8080"},
		{"workers", c.Gravity.Gunicorn[0].Workers, 1},
		{"default destination", c.Jobs.DefaultDestination, "local"},
		{"local workers", c.Jobs.Runners[0].Workers, 4},
	}
	for _, check := range checks {
		if check.got != check.want {
			t.Errorf("%s = %v, want %v", check.what, check.got, check.want)
		}
	}
	if len(problems) != 1 || problems[0].Severity != Notice || !strings.Contains(problems[0].Message, "id_secret") {
		t.Errorf("problems = %v, want the one notice about id_secret", problems)
	}
}

func TestOptionTable(t *testing.T) {
	if n := len(catalogue().names); n < 460 {
		t.Errorf("%d options, want Galaxy's 470 or so", n)
	}
	for _, name := range catalogue().names {
		o := catalogue().byName[name]
		switch o.kind {
		case kindString, kindBool, kindInt, kindFloat, kindList, kindMap, kindAny:
		default:
			t.Errorf("%s has the type %q", name, o.kind)
		}
		switch o.resolvesTo {
		case "", "config_dir", "data_dir", "managed_config_dir":
		default:
			if catalogue().byName[o.resolvesTo] == nil {
				t.Errorf("%s resolves to %s, which is no option", name, o.resolvesTo)
			}
		}
	}
	for name := range acted {
		if _, known := catalogue().lookup(name); !known {
			t.Errorf("acted: %s is no option", name)
		}
	}
	for name := range shown {
		if _, known := catalogue().lookup(name); !known {
			t.Errorf("shown: %s is no option", name)
		}
	}
}

func TestTypes(t *testing.T) {
	c, _ := load(t, `
galaxy:
  id_secret: 'something-of-my-own'
  require_login: yes
  allow_path_paste: "on"
  enable_quotas: 1
  sanitize_all_html: off
  session_duration: 1_440
  brand: 26.10
  admin_users: [a@example.org, ' b@example.org ']
  password_expiration_period: "30"
  slow_query_log_threshold: 0.5
  allow_user_creation: false
  welcome_url:
  cleanup_job: never
`)
	for _, check := range []struct {
		what      string
		got, want any
	}{
		{"yes", c.RequireLogin, true},
		{"quoted on", c.AllowPathPaste, true},
		{"1", c.EnableQuotas, true},
		{"off", c.SanitizeAllHTML, false},
		{"underscores", c.SessionDuration, 1440 * time.Minute},
		{"a text that looks like a number", c.Brand, "26.10"},
		{"a list", strings.Join(c.AdminUsers, "|"), "a@example.org|b@example.org"},
		{"a quoted number", c.PasswordExpiration, 30 * 24 * time.Hour},
		{"a float", c.Float("slow_query_log_threshold"), 0.5},
		{"an older name", c.AllowUserCreation, false},
		{"an older name, asked for by it", c.Bool("allow_user_creation"), false},
		{"a key without a value", c.WelcomeURL, "/static/welcome.html"},
		{"a key without a value is unset", c.IsSet("welcome_url"), false},
		{"an enumeration", c.CleanupJob, "never"},
		{"a set option", c.IsSet("brand"), true},
	} {
		if check.got != check.want {
			t.Errorf("%s: %v, want %v", check.what, check.got, check.want)
		}
	}
}

func TestProblems(t *testing.T) {
	tests := []struct {
		name, yml, want string
	}{
		{"wrong boolean", "galaxy:\n  require_login: perhaps\n",
			`config/galaxy.yml:2:18: error: require_login takes true or false, not "perhaps"`},
		{"wrong number", "galaxy:\n  brand: x\n  session_duration: long\n",
			`config/galaxy.yml:3:21: error: session_duration takes a whole number such as 0, not "long"`},
		{"a list for one text", "galaxy:\n  brand:\n  - a\n  - b\n",
			`config/galaxy.yml:3:3: error: brand takes one text, not a list`},
		{"a mapping for a text", "galaxy:\n  brand: {a: b}\n",
			`config/galaxy.yml:2:10: error: brand takes a text, not a mapping`},
		{"not in the enumeration", "galaxy:\n  cleanup_job: sometimes\n",
			`config/galaxy.yml:2:16: error: cleanup_job is one of always, onsuccess, never, not "sometimes"`},
		{"unknown option", "galaxy:\n  requier_login: true\n",
			`config/galaxy.yml:2:3: warning: nobody knows the option “requier_login”; did you mean “require_login”?`},
		{"unknown option, nothing like it", "galaxy:\n  zzzzqqqq: true\n",
			`config/galaxy.yml:2:3: warning: nobody knows the option “zzzzqqqq”`},
		{"repeated option", "galaxy:\n  brand: a\n  require_login: true\n  brand: b\n",
			`config/galaxy.yml:4:3: error: galaxy: “brand” is given twice, here and in line 2; keep one`},
		{"known, not acted on", "galaxy:\n  enable_mulled_containers: true\n  enable_celery_tasks: true\n",
			`config/galaxy.yml: these options are known and have no effect yet: enable_celery_tasks, enable_mulled_containers`},
		{"older name", "galaxy:\n  master_api_key: abc\n",
			`config/galaxy.yml:2:3: master_api_key is called bootstrap_admin_api_key now`},
		{"older and present name", "galaxy:\n  master_api_key: abc\n  bootstrap_admin_api_key: def\n",
			`config/galaxy.yml:2:3: warning: master_api_key is the older name of bootstrap_admin_api_key, which is given too and wins`},
		{"option outside its section", "brand: mine\n",
			`config/galaxy.yml:1:1: error: the option “brand” stands outside the galaxy section; indent it below “galaxy:”`},
		{"unknown section", "galaxyy:\n  brand: mine\n",
			`config/galaxy.yml:1:1: warning: nobody knows the section “galaxyy”; did you mean “galaxy”?`},
		{"a list instead of sections", "- a\n",
			`config/galaxy.yml:1:1: error: the file holds a list where sections are expected; it begins with “galaxy:” and “gravity:”, their settings indented below`},
		{"uwsgi with repeated keys", "uwsgi:\n  log-route: a b\n  log-route: c d\n",
			`config/galaxy.yml:1:1: uwsgi: these options are not acted upon: log-route`},
		{"uwsgi beside gravity", "uwsgi:\n  processes: 4\ngravity:\n",
			`config/galaxy.yml:1:1: the uwsgi section is ignored, since there is a gravity section`},
		{"no database", "galaxy:\n  database_connection: 'oracle://x'\n",
			`config/galaxy.yml:2:24: error: database_connection: “oracle” is no database that can be used; the URL begins with postgresql://, sqlite:/// or mysql://`},
		{"short secret", "galaxy:\n  id_secret: abc\n",
			`config/galaxy.yml:2:14: error: id_secret is 5 to 56 bytes long, not 3`},
		{"here in YAML", "galaxy:\n  library_import_dir: '%(here)s/x'\n",
			`config/galaxy.yml:2:23: warning: library_import_dir: “%(here)s” is expanded in .ini files only; in YAML write the directory itself`},
		{"missing tool file", "galaxy:\n  tool_config_file: /nowhere/tool_conf.xml\n",
			`config/galaxy.yml:2:21: error: tool_config_file: there is no file /nowhere/tool_conf.xml`},
		{"missing job file", "galaxy:\n  job_config_file: /nowhere/job_conf.yml\n",
			`config/galaxy.yml:2:20: error: job_config_file: there is no file /nowhere/job_conf.yml`},
		{"single user", "galaxy:\n  single_user: true\n",
			`config/galaxy.yml:2:16: error: single_user takes the e-mail address of the only user, not "true"`},
		{"infrastructure URL", "galaxy:\n  galaxy_infrastructure_url: example.org\n",
			`config/galaxy.yml:2:30: error: galaxy_infrastructure_url takes the server's address such as https://galaxy.example.org, not "example.org"`},
		{"allowlist", "galaxy:\n  fetch_url_allowlist: 10.0.0.0/8,here\n",
			`config/galaxy.yml:2:24: error: fetch_url_allowlist takes addresses and networks such as 10.0.0.0/8, not "here"`},
		{"gravity: unknown setting", "gravity:\n  gunicorn:\n    worker: 2\n",
			`config/galaxy.yml:3:5: warning: gravity: gunicorn: nobody knows the setting “worker”; did you mean “workers”?`},
		{"gravity: wrong type", "gravity:\n  gunicorn: {workers: many}\n",
			`config/galaxy.yml:2:23: error: workers takes a whole number such as 1, not "many"`},
		{"gravity: out of range", "gravity:\n  gunicorn: {workers: 0}\n",
			`config/galaxy.yml:2:23: error: workers is a number from 1 to 1000, not 0`},
		{"gravity: names that clash", "gravity:\n  handlers:\n    h_0:\n    h: {processes: 2}\n",
			`config/galaxy.yml:3:5: error: the handler groups h_0 and h both make a process named h_0; give one another name or name_template`},
		{"gravity: pool", "gravity:\n  handlers:\n    h: {pools: [job-handler]}\n",
			`config/galaxy.yml:3:16: warning: the pool “job-handler” is none that Galaxy serves: pools are named job-handlers, job-handlers.TAG or workflow-schedulers; did you mean “job-handlers”?`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := problemsOf(t, test.yml); got != test.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, test.want)
			}
		})
	}
}

func TestBrokenYAML(t *testing.T) {
	for _, test := range []struct{ name, yml, want string }{
		{"unclosed quote", "galaxy:\n  brand: \"mine\n", "config/galaxy.yml:2:10: error: this is not valid YAML: "},
		{"tab", "galaxy:\n\tbrand: mine\n", "config/galaxy.yml:2:1: error: this is not valid YAML: "},
		{"unclosed bracket", "galaxy:\n  admin_users: [a, b\n", "config/galaxy.yml:2:16: error: this is not valid YAML: "},
		{"two documents", "galaxy: {}\n---\ngalaxy: {}\n", "config/galaxy.yml:3:"},
		{"missing anchor", "galaxy:\n  brand: *nothing\n", "config/galaxy.yml:2:10: error: "},
		{"too deep", "galaxy:\n  brand: " + strings.Repeat("[", 100) + "\n", "config/galaxy.yml:2:74: error: values are nested more than 64 levels deep"},
		{"aliases that multiply", "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n" +
			"d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n", "config/galaxy.yml:"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, _, _ := strings.Cut(problemsOf(t, test.yml), "\n")
			if !strings.HasPrefix(got, test.want) {
				t.Errorf("got %q, want it to begin with %q", got, test.want)
			}
		})
	}
}

func TestUnreadableFiles(t *testing.T) {
	dir := write(t, map[string]string{"folder/x": ""})
	for path, want := range map[string]string{
		"nothing.yml": "there is no such file",
		"folder":      "this is a directory, not a file",
	} {
		_, _, err := Load(path, nil, WorkDir(dir))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), filepath.Join(dir, path)) {
			t.Errorf("Load(%s): %v, want the file's path and %q", path, err, want)
		}
	}
}

func TestPathsResolveAsInGalaxy(t *testing.T) {
	dir := write(t, map[string]string{
		"config/galaxy.yml": `
galaxy:
  id_secret: something-of-my-own
  data_dir: my/data
  file_path: database/files
  new_file_path: /scratch/tmp
  job_working_directory: jobs
  tool_config_file: tool_conf.xml,extra/more.xml,shed_tool_conf.xml
  tool_data_path: td
  cache_dir: the-cache
  library_import_dir: import
  tool_dependency_dir: deps
  job_config_file: config/jobs.yml
`,
		"config/tool_conf.xml": "<toolbox/>",
		"extra/more.xml":       "<toolbox/>",
		"config/jobs.yml":      "runners: {local: {load: 'x:Y'}}\nexecution: {environments: {here: {runner: local}}}\n",
	})
	c, problems, err := Load("config/galaxy.yml", nil, WorkDir(dir))
	if err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(dir, "my/data")
	for _, check := range []struct{ what, got, want string }{
		{"data_dir", c.DataDir, data},
		{"the old prefix is dropped", c.FilePath, data + "/files"},
		{"store_by follows the name", c.ObjectStoreStoreBy, "id"},
		{"absolute", c.NewFilePath, "/scratch/tmp"},
		{"jobs under data_dir", c.JobWorkingDirectory, data + "/jobs"},
		{"one beside galaxy.yml, one found under the root", strings.Join(c.ToolConfigFiles, " "), dir + "/config/tool_conf.xml " + dir + "/extra/more.xml"},
		{"tool_data_path under the root", c.ToolDataPath, dir + "/td"},
		{"two steps", c.String("citation_cache_data_dir"), data + "/the-cache/citations/data"},
		{"through tool_dependency_dir", c.String("involucro_path"), data + "/deps/involucro"},
		{"library_import_dir under the root", c.LibraryImportDir, dir + "/import"},
		{"the database", c.Database.Path, data + "/universe.sqlite"},
		{"the job file without its old prefix", c.Jobs.Source, dir + "/config/jobs.yml"},
	} {
		if check.got != check.want {
			t.Errorf("%s: %s, want %s", check.what, check.got, check.want)
		}
	}
	for _, p := range problems {
		if p.Severity != Notice {
			t.Errorf("unexpected: %v", p)
		}
	}
}

func TestRootAndDataOfAnInstalledGalaxy(t *testing.T) {
	dir := write(t, map[string]string{
		"etc/galaxy.yml":                            "gravity:\n  galaxy_root: srv\n  log_dir: logs\n",
		"etc/data/universe.sqlite":                  "",
		"src/lib/galaxy/.keep":                      "",
		"src/config/galaxy.yml":                     "galaxy:\n",
		"old/config/galaxy.yml":                     "galaxy:\n  root: /r\n",
		"old/database/files/.keep":                  "",
		"plain/galaxy.yml":                          "galaxy:\n",
		"set/galaxy.yml":                            "galaxy:\n  data_dir: set/data\n",
		"set/data/config/integrated_tool_panel.xml": "",
		"plain/database/files/keep":                 "",
	})
	get := func(path string, environ ...string) *Config {
		c, _, err := Load(path, environ, WorkDir(dir))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	c := get("etc/galaxy.yml")
	if c.Root != dir+"/srv" || c.DataDir != dir+"/etc/data" || c.ManagedConfigDir != dir+"/etc/data/config" || c.LogDir != dir+"/srv/logs" {
		t.Errorf("installed: root %s, data %s, managed %s, log %s", c.Root, c.DataDir, c.ManagedConfigDir, c.LogDir)
	}
	if c := get("set/galaxy.yml"); c.ManagedConfigDir != dir+"/set/data/config" {
		t.Errorf("installed, with data_dir: managed %s", c.ManagedConfigDir)
	}
	if c := get("src/config/galaxy.yml"); c.Root != dir+"/src" {
		t.Errorf("a source tree: root %s", c.Root)
	}
	if c := get("old/config/galaxy.yml"); c.Root != "/r" {
		t.Errorf("root option: root %s", c.Root)
	}
	if c := get("plain/galaxy.yml", "GALAXY_ROOT_DIR=plain"); c.FilePath != dir+"/plain/database/files" || c.ObjectStoreStoreBy != "id" {
		t.Errorf("GALAXY_ROOT_DIR and old files: %s by %s", c.FilePath, c.ObjectStoreStoreBy)
	}
}

func TestPrecedence(t *testing.T) {
	dir := write(t, map[string]string{"g.yml": "galaxy:\n  brand: file\n  welcome_url: file\n  logo_url: file\n"})
	c, problems, err := Load("g.yml", []string{
		"GALAXY_CONFIG_BRAND=env", "GALAXY_CONFIG_OVERRIDE_WELCOME_URL=override", "GALAXY_CONFIG_REQUIRE_LOGIN=true",
		"GALAXY_CONFIG_OVERRIDE_LOGO_URL=override", "GALAXY_CONFIG_FILE=g.yml", "GALAXY_CONFIG_BRAAND=x", "GALAXY_CONFIG_TERMS_URL=",
	}, WorkDir(dir), Set("logo_url", "flag"), Set("id_secret", "given by a flag"), Bind("unix:/run/x.sock"))
	if err != nil {
		t.Fatal(err)
	}
	for _, check := range []struct{ what, got, want string }{
		{"the file wins over GALAXY_CONFIG_", c.Brand, "file"},
		{"GALAXY_CONFIG_OVERRIDE_ wins over the file", c.WelcomeURL, "override"},
		{"GALAXY_CONFIG_OVERRIDE_ wins over the command line", c.LogoURL, "override"},
		{"the command line", c.IDSecret, "given by a flag"},
		{"GALAXY_CONFIG_ where nothing else is given", c.String("require_login"), "true"},
		{"an empty variable is unset", c.String("terms_url"), ""},
		{"bind", c.Gravity.Gunicorn[0].Binds[0], "unix:/run/x.sock"},
	} {
		if check.got != check.want {
			t.Errorf("%s: %q, want %q", check.what, check.got, check.want)
		}
	}
	if len(problems) != 1 || problems[0].String() != "environment variable GALAXY_CONFIG_BRAAND: warning: nobody knows the option “braand”; did you mean “brand”?" {
		t.Errorf("problems: %v", problems)
	}
}

func TestFind(t *testing.T) {
	dir := write(t, map[string]string{"galaxy.yml": ""})
	if got := Find(dir, nil); got != dir+"/galaxy.yml" {
		t.Errorf("Find = %q", got)
	}
	if got := Find(dir, []string{"GALAXY_CONFIG_FILE=/x.yml"}); got != "/x.yml" {
		t.Errorf("Find with $GALAXY_CONFIG_FILE = %q", got)
	}
	if got := Find(t.TempDir(), nil); got != "" {
		t.Errorf("Find with no file = %q", got)
	}
}

func TestInfrastructureURLVariables(t *testing.T) {
	c, _ := load(t, "galaxy:\n  galaxy_infrastructure_url: 'http://localhost:${GALAXY_WEB_PORT}/'\n", "GALAXY_WEB_PORT=8181")
	if c.InfrastructureURL != "http://localhost:8181" || !c.InfrastructureURLSet {
		t.Errorf("galaxy_infrastructure_url = %q", c.InfrastructureURL)
	}
	if got := problemsOf(t, "galaxy:\n  galaxy_infrastructure_url: 'http://localhost:$GALAXY_WEB_PORT'\n"); !strings.Contains(got, "uses $GALAXY_WEB_PORT, but the environment does not have it") {
		t.Errorf("problems: %s", got)
	}
}

func TestForHost(t *testing.T) {
	c, _ := load(t, "galaxy:\n  brand: all\n  brand_by_host: {example.org: some, a.example.org: one}\n")
	for host, want := range map[string]string{"": "all", "other.net": "all", "b.example.org": "some", "a.example.org:8080": "one"} {
		if got := c.ForHost("brand", host); got != want {
			t.Errorf("brand for %q = %v, want %s", host, got, want)
		}
	}
}

func TestAliasesAndMergeKeys(t *testing.T) {
	c, _ := load(t, `
galaxy: &base
  brand: base
  <<: {welcome_url: merged, brand: loses}
gravity:
  gunicorn: &web {workers: 3}
  handlers:
    a: {<<: {processes: 2, pools: [job-handlers]}, processes: 4}
`)
	if c.Brand != "base" || c.WelcomeURL != "merged" {
		t.Errorf("brand %q, welcome_url %q", c.Brand, c.WelcomeURL)
	}
	if h := c.Gravity.Handlers[0]; h.Processes != 4 || len(h.Pools) != 1 {
		t.Errorf("handler %+v", h)
	}
}

func TestGravity(t *testing.T) {
	c, problems := load(t, `
gravity:
  process_manager: systemd
  instance_name: main
  umask: "027"
  memory_limit: 8
  gunicorn:
    bind: unix:/run/galaxy.sock
    workers: 4
    extra_args: --bind 127.0.0.1:8080 --forwarded-allow-ips="*" -b=[::1]:80
    environment: {A: 1, B: "two"}
  celery: {enable: true, concurrency: 2}
  handlers:
    handler:
      processes: 3
      pools: [job-handlers, workflow-schedulers]
      stop_timeout: 30
    special7:
      pools: [job-handlers.special]
    named:
      processes: 2
      name_template: "{instance_name}-{name}-{process}"
    off: {enable: false}
galaxy:
  id_secret: something-of-my-own
`)
	if len(problems) != 1 || !strings.Contains(problems[0].Message, "gravity: celery: nothing is started: what Celery does") {
		t.Errorf("problems: %v", problems)
	}
	g := c.Gravity
	web := g.Gunicorn[0]
	if got := strings.Join(web.Binds, " "); got != "unix:/run/galaxy.sock 127.0.0.1:8080 [::1]:80" {
		t.Errorf("binds: %s", got)
	}
	if web.Workers != 4 || !web.WorkersSet || web.Umask != "027" || web.MemoryLimit != 8 || web.Environment["A"] != "1" || web.Environment["B"] != "two" ||
		strings.Join(web.Limits.ForwardedAllowIPs, "") != "*" || web.StopTimeout != 65 {
		t.Errorf("gunicorn: %+v", web)
	}
	var names []string
	for _, h := range g.Handlers {
		names = append(names, h.ProcessNames(g.InstanceName)...)
	}
	if got := strings.Join(names, " "); got != "handler_0 handler_1 handler_2 special7 main-named-0 main-named-1" {
		t.Errorf("handlers: %s", got)
	}
	if g.Handlers[0].StopTimeout != 30 || g.Handlers[1].StopTimeout != 65 {
		t.Errorf("stop timeouts: %d, %d", g.Handlers[0].StopTimeout, g.Handlers[1].StopTimeout)
	}
}

func TestGravityInItsOwnFile(t *testing.T) {
	dir := write(t, map[string]string{
		"etc/gravity.yml":  "gravity:\n  galaxy_config_file: g/galaxy.yml\n  gunicorn: {enable: false}\n",
		"etc/g/galaxy.yml": "galaxy:\n  brand: other file\n",
	})
	c, _, err := Load("etc/gravity.yml", nil, WorkDir(dir))
	if err != nil {
		t.Fatal(err)
	}
	if c.Brand != "other file" || c.ConfigDir != dir+"/etc/g" || len(c.Gravity.Gunicorn) != 0 {
		t.Errorf("brand %q, config_dir %s, %d web groups", c.Brand, c.ConfigDir, len(c.Gravity.Gunicorn))
	}
}

func TestRenderHidesSecrets(t *testing.T) {
	c, _ := load(t, `
galaxy:
  id_secret: very-secret-1
  bootstrap_admin_api_key: very-secret-2
  database_connection: postgresql://u:very-secret-3@h/g?sslmode=require
  ai_api_key: very-secret-4
  brand: mine
  job_config:
    runners: {local: {load: a:B}, mq: {load: c:D, amqp_url: 'amqp://u:very-secret-5@h'}}
    execution: {default: x, environments: {x: {runner: local, private_token: very-secret-6}}}
    tools: [{id: cat1, environment: x}]
`)
	var b strings.Builder
	if err := c.Render(&b, true); err != nil {
		t.Fatal(err)
	}
	out := b.String()
	if strings.Contains(out, "very-secret") {
		t.Errorf("a secret is shown:\n%s", out)
	}
	for _, want := range []string{"  brand: mine  # ", "galaxy.yml:7\n", `database_connection: "postgresql://u:***@h/g?sslmode=require"`,
		"  ai_api_key: '***'  # ", "; no effect yet\n", "    - {id: cat1, environment: x}\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in:\n%s", want, out)
		}
	}
	if _, problem := parseYAML("rendered", []byte(out)); problem != nil {
		t.Errorf("the result is not YAML: %v", problem)
	}
}

func FuzzLoad(f *testing.F) {
	for _, seed := range []string{
		"", "galaxy:\n", "galaxy:\n  brand: x\n  admin_users: [a, b]\n", "gravity:\n  gunicorn: {workers: 2, extra_args: '-b x \"y'}\n  handlers:\n    h: {processes: 2, pools: [job-handlers]}\n",
		"uwsgi:\n  a: 1\n  a: 2\n", "galaxy: &a\n  <<: *a\n", "galaxy:\n  database_connection: 'postgresql://a:b%40@[::1]:5/x?host=/a&port=1'\n",
		"galaxy:\n  job_config: {runners: {l: {load: x}}, execution: {environments: [{id: a, runner: l}]}}\n", "a: |\n  x\nb: >-\n y\n? c\n: d\n",
		"!!map {galaxy: !x y}", "galaxy: [", "%YAML 1.2\n---\ngalaxy: {}\n...\n", "galaxy:\n\tx: y", "- - - - -\n", "\xef\xbb\xbfgalaxy:", "galaxy:\n  session_duration: 99999999999999999999\n",
	} {
		f.Add([]byte(seed))
	}
	dir := f.TempDir()
	path := filepath.Join(dir, "galaxy.yml")
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<16 {
			return
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		c, problems, err := Load(path, nil, WorkDir(dir))
		if c == nil || c.Jobs == nil {
			t.Fatal("no configuration")
		}
		hasError := false
		for _, p := range problems {
			hasError = hasError || p.Severity == Error
			if p.Message == "" {
				t.Fatalf("a problem without a message: %+v", p)
			}
		}
		if hasError != (err != nil) {
			t.Fatalf("error %v with problems %v", err, problems)
		}
		var b strings.Builder
		if renderErr := c.Render(&b, false); renderErr != nil {
			t.Fatal(renderErr)
		}
	})
}
