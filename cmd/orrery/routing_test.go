package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"orrery/internal/config"
)

func TestCheckRules(t *testing.T) {
	for _, test := range []struct{ name, destinations, want string }{
		{"none", `<destination id="local" runner="local"/>`, ""},
		{"Python", `<destination id="local" runner="local"/><destination id="dyn" runner="dynamic"><param id="function">choose</param></destination>`,
			"job_conf.xml: error: the dynamic destination dyn is decided by the function choose"},
		{"counting", `<destination id="local" runner="local"/><destination id="dyn" runner="dynamic"><param id="type">burst</param><param id="from_destination_ids">local</param>
			<param id="to_destination_id">local</param><param id="num_jobs">2</param></destination>`, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			jobConf := `<job_conf><plugins><plugin id="local" type="runner" load="galaxy.jobs.runners.local:LocalJobRunner"/></plugins><destinations default="local">` +
				test.destinations + `</destinations></job_conf>`
			for name, content := range map[string]string{"galaxy.yml": "", "job_conf.xml": jobConf} {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			cfg, _, err := config.Load("galaxy.yml", nil, config.WorkDir(dir))
			if err != nil {
				t.Fatal(err)
			}
			err = checkRules(cfg)
			var invalid *config.InvalidError
			if test.want == "" && err != nil || test.want != "" && (!errors.As(err, &invalid) || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}

// TestCheckTellsAllAtOnce joins what keeps a server from starting.
func TestCheckTellsAllAtOnce(t *testing.T) {
	a := &config.InvalidError{Problems: []config.Problem{{Message: "first"}}}
	b := &config.InvalidError{Problems: []config.Problem{{Message: "second"}}}
	var both *config.InvalidError
	if err := together(a, b); !errors.As(err, &both) || len(both.Problems) != 2 {
		t.Errorf("%v", err)
	}
	if err := together(nil, b); !errors.As(err, &both) || len(both.Problems) != 1 {
		t.Errorf("%v", err)
	}
	if err := together(nil, nil); err != nil {
		t.Errorf("%v", err)
	}
}
