package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"orrery/internal/testenv"
)

// fragment reads a fragment of Galaxy's scaling documents.
func fragment(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(testenv.Root(t), "internal/deployment/testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// lines is a fragment of the uwsgi section, without the section's own line.
func lines(text string) string { return strings.TrimPrefix(text, "uwsgi:\n") }

// TestWhoHandlesAJob runs the documents' examples as they stand, with tools test0 to test3, and looks at which process
// each job was handled by.
func TestWhoHandlesAJob(t *testing.T) {
	common := lines(fragment(t, "scaling-19.01/common.yml"))
	for _, test := range []struct {
		name    string
		options testenv.Options
		jobConf string
		attach  map[string][]string // handlers that are started by hand, with their pools
		who     map[string][]string // by tool: who may handle it
	}{
		{"22.01 all in one", testenv.Options{WebWorkers: 2}, "", nil, map[string][]string{"test0": {"main.1", "main.2"}}},
		{"22.01 static handlers", testenv.Options{}, fragment(t, "scaling-22.01/static.xml"), nil, map[string][]string{
			"test0": {"handler1", "handler2"}, "test1": {"handler3"}, "test2": {"handler4", "handler5"}, "test3": {"handler2"},
		}},
		{"22.01 dynamic handlers", testenv.Options{}, fragment(t, "scaling-22.01/dynamic.xml"), map[string][]string{
			"handler0": {"job-handlers"}, "handler1": {"job-handlers.special"}, "handler2": {"job-handlers", "job-handlers.special"},
		}, map[string][]string{"test0": {"handler0", "handler2"}, "test1": {"handler1", "handler2"}}},
		{"19.01 a tool for the third web worker", testenv.Options{Uwsgi: strings.Replace(common, "processes: 2", "processes: 3", 1)}, fragment(t, "scaling-19.01/web3.xml"), nil,
			map[string][]string{"test0": {"main.web.1", "main.web.2", "main.web.3"}, "test1": {"main.web.3"}}},
		{"19.01 mules, and a tool for the second", testenv.Options{Uwsgi: common + fragment(t, "scaling-19.01/mules.yml")}, fragment(t, "scaling-19.01/mule2.xml"), nil,
			map[string][]string{"test0": {"main.job-handlers.1", "main.job-handlers.2", "main.job-handlers.3"}, "test1": {"main.job-handlers.2"}}},
		{"19.01 webless handlers", testenv.Options{Uwsgi: common}, fragment(t, "scaling-19.01/webless.xml"), nil,
			map[string][]string{"test0": {"handler1", "handler2"}, "test1": {"handler3"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			options := test.options
			options.Files = map[string]string{}
			toolConf := "<toolbox>"
			for _, tool := range []string{"test0", "test1", "test2", "test3"} {
				options.Files[tool+".xml"] = `<tool id="` + tool + `" name="` + tool + `" version="1"><command>echo done &gt; '$out'</command>` +
					`<inputs><param name="n" type="integer" value="0"/></inputs><outputs><data name="out" format="txt"/></outputs></tool>`
				toolConf += `<tool file="@DIR@/` + tool + `.xml"/>`
			}
			options.Files["tool_conf.xml"] = toolConf + "</toolbox>"
			if test.jobConf != "" {
				options.Files["job_conf.xml"] = strings.Replace(test.jobConf, "<job_conf>", `<job_conf>
					<plugins><plugin id="local" type="runner" load="galaxy.jobs.runners.local:LocalJobRunner"/></plugins>
					<destinations><destination id="local" runner="local"/></destinations>`, 1)
				options.Settings = map[string]any{"job_config_file": "@DIR@/job_conf.xml"}
			}
			g := startGated(t, options)
			for name, pools := range test.attach {
				args := []string{"handler", "-c", g.own.Config, "--server-name", name}
				for _, p := range pools {
					args = append(args, "--attach-to-pool", p)
				}
				handler := g.own.Command(args...)
				if err := handler.Start(); err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() {
					_ = handler.Process.Kill() // it may have ended
					_ = handler.Wait()
				})
			}
			const each = 4
			for tool := range test.who {
				for range each {
					g.decode(g.post(t, "/api/tools", g.server.Key, map[string]any{"history_id": g.history, "tool_id": tool, "inputs": map[string]any{}}), &struct{}{})
				}
			}
			type handled struct {
				Tool    string `json:"tool_id"`
				State   string `json:"state"`
				Handler string `json:"handler"`
			}
			admin := &gated{t: t, session: &session{server: server{URL: g.server.URL, Key: testenv.AdminKey}, Client: http.DefaultClient}}
			var jobs []handled
			g.waitFor("every job to end", 2*time.Minute, func() bool {
				jobs = nil
				g.decode(admin.read("/api/jobs?view=admin_job_list&limit=500"), &jobs)
				return len(jobs) == each*len(test.who) && !slices.ContainsFunc(jobs, func(j handled) bool { return j.State != "ok" && j.State != "error" })
			})
			for _, j := range jobs {
				if j.State != "ok" || !slices.Contains(test.who[j.Tool], j.Handler) {
					t.Errorf("a job of %s was handled by %s and is %s; want one of %v", j.Tool, j.Handler, j.State, test.who[j.Tool])
				}
			}
		})
	}
}
