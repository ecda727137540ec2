package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"orrery/internal/api"
	"orrery/internal/pool"
	"orrery/internal/store"
	"orrery/internal/store/storetest"
)

// newPool is a workshop with a handler h1, and a lost one.
func newPool(t *testing.T, db *store.DB) *workshop {
	t.Helper()
	w := newWorkshop(t, db)
	(&api.Pool{Operator: &pool.Operator{DB: db, Bus: w.jobs.Wake, IDs: w.ids, Targets: []string{"_default_", "special"}}}).Register(w.router)
	for name, lease := range map[string]time.Duration{"h1": time.Hour, "h2": -time.Second} {
		if err := db.Write(t.Context(), func(tx *store.Tx) error {
			return store.RegisterInstance(t.Context(), tx, store.Instance{ID: store.NewUUID(), ServerName: name, Hostname: "here", PID: 7, Kind: "handler",
				Pools: []string{name, "_default_"}, Version: "1"}, lease)
		}); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// jobRows asks for a list of jobs.
func (w *workshop) jobRows(actor, method, path string) (rows []map[string]any) {
	w.t.Helper()
	res := w.ask(actor, method, path, "")
	if err := json.Unmarshal(res.Body.Bytes(), &rows); err != nil {
		w.t.Fatalf("%s: %v in %s", path, err, res.Body)
	}
	return rows
}

var poolRoutes = [][2]string{
	{"GET", "/api/orrery/pool"}, {"GET", "/api/orrery/pool/jobs"}, {"POST", "/api/orrery/pool/reassign"},
	{"POST", "/api/orrery/pool/h1/drain"}, {"POST", "/api/orrery/pool/h1/undrain"}, {"DELETE", "/api/orrery/pool/h2"},
}

func TestThePoolIsForAdministrators(t *testing.T) {
	db := storetest.SQLite(t)
	w := newPool(t, db)
	for _, route := range poolRoutes {
		for _, actor := range []string{"", "ann"} {
			w.refused(actor, route[0], route[1], `{"from":"_default_","to":"h1"}`, []int{http.StatusForbidden, http.StatusUnauthorized}, "h1", "here")
		}
	}
	if drained, err := store.DrainedServers(t.Context(), db); err != nil || len(drained) != 0 {
		t.Errorf("drained are %v, %v", drained, err)
	}
}

func TestThePoolAsAdministratorsSeeIt(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newPool(t, db)
		history := w.history("ann", "work")
		id, _ := w.run("ann", history, w.dataset(history, "in", "txt", "x\n"))
		states := func(answer map[string]any) string {
			var list []string
			for _, h := range answer["handlers"].([]any) {
				h := h.(map[string]any)
				list = append(list, fmt.Sprint(h["name"], " ", h["state"], " ", h["pools"]))
			}
			for _, target := range answer["waiting"].([]any) {
				target := target.(map[string]any)
				list = append(list, fmt.Sprint(target["target"], " ", target["new"], " ", target["why"]))
			}
			return strings.Join(list, "; ")
		}
		const before = "h1 alive [_default_]; h2 lost [_default_]; special 0 no living process serves it"
		if got := states(w.object("root", "GET", "/api/orrery/pool", "")); got != before {
			t.Errorf("the pool is %s", got)
		}
		if got := states(w.object("root", "POST", "/api/orrery/pool/h1/drain", "")); got !=
			"h1 drained [_default_]; h2 lost [_default_]; _default_ 1 every process that serves it is drained; special 0 no living process serves it" {
			t.Errorf("drained, the pool is %s", got)
		}
		if got := states(w.object("root", "POST", "/api/orrery/pool/h1/undrain", "")); got != before {
			t.Errorf("undrained, the pool is %s", got)
		}
		jobs := w.object("root", "GET", "/api/orrery/pool/jobs?handler=_default_&state=new", "")["jobs"].([]any)
		if len(jobs) != 1 || jobs[0].(map[string]any)["id"] != id || jobs[0].(map[string]any)["user"] == "" {
			t.Errorf("the jobs are %v", jobs)
		}
		if moved := w.object("root", "POST", "/api/orrery/pool/reassign", `{"jobs":["`+id+`"],"to":"special"}`)["moved"]; moved != 1.0 {
			t.Errorf("moved %v", moved)
		}
		if moved := w.object("root", "POST", "/api/orrery/pool/reassign", `{"tool_id":"cat1","from":"special","to":"h1"}`)["moved"]; moved != 1.0 {
			t.Errorf("moved %v", moved)
		}
		if j := w.object("root", "GET", "/api/jobs/"+id+"?full=true", ""); j["handler"] != "h1" {
			t.Errorf("the job's handler is %v", j["handler"])
		}
		for search, found := range map[string]int{"handler:'h1'": 1, "handler:h": 1, "handler:'h'": 0, "runner:h1": 0, "user:ann@ tool:cat": 1, "H1": 1, "100%": 0} {
			rows := w.jobRows("root", "GET", "/api/jobs?view=admin_job_list&search="+url.QueryEscape(search))
			if len(rows) != found || found == 1 && (rows[0]["handler"] != "h1" || rows[0]["decoded_job_id"] == nil) {
				t.Errorf("searched by %q, the administrator's list of jobs is %v", search, rows)
			}
		}
		if rows := w.jobRows("ann", "GET", "/api/jobs?search=h1"); len(rows) != 0 {
			t.Errorf("their owner finds jobs by their handler: %v", rows)
		}
		if rows := w.jobRows("ann", "GET", "/api/jobs?search=cat1"); len(rows) != 1 || rows[0]["handler"] != nil || rows[0]["decoded_job_id"] != nil {
			t.Errorf("their owner sees the jobs %v", rows)
		}
		if j := w.object("ann", "GET", "/api/jobs/"+id+"?full=true", ""); j["handler"] != nil {
			t.Errorf("its owner sees the handler %v", j["handler"])
		}
		if j := w.object("root", "GET", "/api/jobs/"+id+"/destination_params", ""); j["Handler"] != "h1" {
			t.Errorf("its destination says %v", j)
		}
		w.refused("root", "DELETE", "/api/orrery/pool/h1", "", []int{http.StatusConflict})
		if answer := w.object("root", "DELETE", "/api/orrery/pool/h2", ""); answer["returned"] != 0.0 {
			t.Errorf("removed: %v", answer)
		}
		for _, wrong := range []struct {
			method, path, body string
			status             int
		}{
			{"DELETE", "/api/orrery/pool/h2", "", 404},
			{"POST", "/api/orrery/pool/nobody/drain", "", 404},
			{"POST", "/api/orrery/pool/h1/undrain", "", 404},
			{"POST", "/api/orrery/pool/reassign", `{"to":"h1"}`, 400},
			{"POST", "/api/orrery/pool/reassign", `{"from":"h1"}`, 400},
			{"POST", "/api/orrery/pool/reassign", `{"jobs":["no id"],"to":"h1"}`, 400},
			{"POST", "/api/orrery/pool/reassign", `{"from":7,"to":"h1"}`, 400},
			{"GET", "/api/orrery/pool/jobs?state=ok", "", 400},
		} {
			w.refused("root", wrong.method, wrong.path, wrong.body, []int{wrong.status})
		}
	})
}
