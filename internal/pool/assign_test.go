package pool_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"orrery/internal/pool"
	"orrery/internal/store"
	"orrery/internal/store/storetest"
)

// handlers are a job configuration: handler1 and handler2 are untagged, handler3
// has the tag nodefault, handler4 and handler5 the tag special; test1 is mapped to
// handler3, test2 to special, test3 to handler2, and test4 to a tag that no
// handler has.
var handlers = map[string][]string{
	"_default_": {"handler1", "handler2"}, "nodefault": {"handler3"}, "special": {"handler4", "handler5"},
	"handler1": {"handler1"}, "handler2": {"handler2"}, "handler3": {"handler3"}, "handler4": {"handler4"}, "handler5": {"handler5"},
}

func mapping(tool string) (string, bool) {
	switch tool {
	case "test1":
		return "handler3", true
	case "test2":
		return "special", false
	case "test3":
		return "handler2", true
	case "test4":
		return "dynamic", false
	}
	return "", false
}

// How each method treats mappings, on every engine.
func TestAssignment(t *testing.T) {
	const own = "main.web.1"
	cases := []struct {
		methods, def string
		farms        []string
		// What may be assigned to a tool that is mapped to an id, to a tag that
		// handlers are declared for, to one that has none, and to no handler; "" is an
		// error.
		id, tag, dynamic, unmapped string
	}{
		{methods: "db-skip-locked", id: "handler3", tag: "special", dynamic: "dynamic", unmapped: "_default_"},
		{methods: "db-skip-locked", def: "special", id: "handler3", tag: "special", dynamic: "dynamic", unmapped: "special"},
		{methods: "db-transaction-isolation", id: "handler3", tag: "special", dynamic: "dynamic", unmapped: "_default_"},
		{methods: "db-self", id: "handler3", tag: "handler4 handler5", unmapped: own},
		{methods: "mem-self", id: own, tag: own, dynamic: own, unmapped: own},
		{methods: "db-preassign", id: "handler3", tag: "handler4 handler5", unmapped: "handler1 handler2"},
		{methods: "db-preassign", def: "special", id: "handler3", tag: "handler4 handler5", unmapped: "handler4 handler5"},
		{methods: "db-preassign", def: "nobody", id: "handler3", tag: "handler4 handler5"},
		{methods: "uwsgi-mule-message", farms: []string{"_default_", "special"}, id: "handler3", tag: "special", unmapped: "_default_"},
		// Several are tried in their order.
		{methods: "uwsgi-mule-message db-skip-locked", farms: []string{"_default_"}, id: "handler3", tag: "special", dynamic: "dynamic", unmapped: "_default_"},
		{methods: "uwsgi-mule-message db-preassign", id: "handler3", tag: "handler4 handler5", unmapped: "handler1 handler2"},
		{methods: "db-preassign db-skip-locked", id: "handler3", tag: "handler4 handler5", dynamic: "dynamic", unmapped: "handler1 handler2"},
		{methods: "db-preassign mem-self", def: "nobody", id: "handler3", tag: "handler4 handler5", dynamic: own, unmapped: own},
		{methods: "mem-self db-skip-locked", id: "handler3", tag: own, dynamic: own, unmapped: own},
		{methods: "db-self db-skip-locked", id: "handler3", tag: "handler4 handler5", dynamic: "dynamic", unmapped: own},
		{methods: "no-such-method db-skip-locked", id: "handler3", tag: "special", dynamic: "dynamic", unmapped: "_default_"},
		{methods: "no-such-method", id: "handler3"},
	}
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		for _, c := range cases {
			a := pool.NewAssigner(pool.AssignOptions{
				Methods: strings.Fields(c.methods), Default: c.def, Mapping: mapping, Handlers: handlers, Farms: c.farms, ServerName: own, DB: db,
			})
			for tool, want := range map[string]string{"test1": c.id, "test2": c.tag, "test4": c.dynamic, "other": c.unmapped} {
				seen := map[string]bool{}
				for range 40 {
					handler, err := a.Assign(t.Context(), tool)
					if err == nil {
						seen[handler] = true
					} else if want != "" || handler != "" {
						t.Errorf("%s, default %q: a job of %s: %q, %v", c.methods, c.def, tool, handler, err)
					}
				}
				for _, name := range strings.Fields(want) {
					if !seen[name] {
						t.Errorf("%s, default %q: a job of %s never goes to %s but to %v", c.methods, c.def, tool, name, seen)
					}
					delete(seen, name)
				}
				if len(seen) > 0 {
					t.Errorf("%s, default %q: jobs of %s go to %v, want only %q", c.methods, c.def, tool, seen, want)
				}
			}
		}
	})
}

func TestPreassignmentChoosesAmongTheLiving(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		chosen := func() []string {
			a := pool.NewAssigner(pool.AssignOptions{Methods: []string{pool.DBPreassign}, Mapping: mapping, Handlers: handlers, ServerName: "web", DB: db})
			var seen []string
			for range 40 {
				handler, err := a.Assign(t.Context(), "test2")
				if err != nil {
					t.Fatal(err)
				}
				if !slices.Contains(seen, handler) {
					seen = append(seen, handler)
				}
			}
			slices.Sort(seen)
			return seen
		}
		all := []string{"handler4", "handler5"}
		if got := chosen(); !slices.Equal(got, all) {
			t.Errorf("when none lives: %v", got)
		}
		instance(t, db, store.Instance{ServerName: "handler1", Hostname: "x", PID: 1}, time.Hour)
		instance(t, db, store.Instance{ServerName: "handler4", Hostname: "x", PID: 1}, -time.Second)
		if got := chosen(); !slices.Equal(got, all) {
			t.Errorf("when none of the tag lives: %v", got)
		}
		instance(t, db, store.Instance{ServerName: "handler5", Hostname: "x", PID: 1}, time.Hour)
		if got := chosen(); !slices.Equal(got, all[1:]) {
			t.Errorf("when one lives: %v", got)
		}
		instance(t, db, store.Instance{ServerName: "handler4", Hostname: "x", PID: 2}, time.Hour)
		if got := chosen(); !slices.Equal(got, all) {
			t.Errorf("when both live: %v", got)
		}
		if err := pool.Drain(t.Context(), db, nil, "handler5"); err != nil {
			t.Fatal(err)
		}
		if got := chosen(); !slices.Equal(got, all[:1]) {
			t.Errorf("when one is drained: %v", got)
		}
	})
}

// What was assigned is claimed by those that it is meant for, and by nobody else,
// whatever the method.
func TestWhatIsAssignedIsClaimed(t *testing.T) {
	type who = map[string][]string // tool → those who may have its jobs
	static := who{"test1": {"handler3"}, "test2": {"handler4", "handler5"}, "test3": {"handler2"}, "other": {"handler1", "handler2"}}
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		for _, c := range []struct {
			method string
			farms  []string
			want   who
		}{
			{method: pool.SkipLocked, want: static}, {method: pool.TransactionIsolation, want: static}, {method: pool.DBPreassign, want: static},
			{method: pool.MuleMessage, farms: []string{"_default_", "special"}, want: static},
			{method: pool.DBSelf, want: who{"test1": {"handler3"}, "test2": {"handler4", "handler5"}, "test3": {"handler2"}, "other": {"main.web.1"}}},
			{method: pool.MemSelf, want: who{"test1": {"main.web.1"}, "test2": {"main.web.1"}, "test3": {"main.web.1"}, "other": {"main.web.1"}}},
		} {
			tags := map[string][]string{"main.web.1": nil, "handler1": {"_default_"}, "handler2": {"_default_"}, "handler3": {"nodefault"}, "handler4": {"special"}, "handler5": {"special"}}
			members := map[string]*pool.Member{}
			for name, tags := range tags {
				m, err := pool.Join(t.Context(), db, pool.Options{ServerName: name, Kind: "handler", Tags: tags, Methods: []string{c.method}})
				if err != nil {
					t.Fatal(err)
				}
				members[name] = m
			}
			a := pool.NewAssigner(pool.AssignOptions{Methods: []string{c.method}, Mapping: mapping, Handlers: handlers, Farms: c.farms, ServerName: "main.web.1", DB: db})
			tools := map[int64]string{}
			for tool := range c.want {
				for range 4 {
					handler, err := a.Assign(t.Context(), tool)
					if err != nil {
						t.Fatal(err)
					}
					tools[job(t, db, handler, "new")] = tool
				}
			}
			claimed := 0
			for range 20 {
				for name, m := range members {
					claims, err := m.Claim(t.Context(), 1)
					if err != nil {
						t.Fatal(err)
					}
					for _, got := range claims {
						claimed++
						if tool := tools[got.JobID]; !slices.Contains(c.want[tool], name) {
							t.Errorf("%s: %s claimed a job of %s", c.method, name, tool)
						}
					}
				}
			}
			if claimed != len(tools) {
				t.Errorf("%s: %d of %d jobs were claimed", c.method, claimed, len(tools))
			}
			for _, m := range members {
				if err := m.Leave(t.Context()); err != nil {
					t.Error(err)
				}
			}
			exec1(t, db, "DELETE FROM orrery_claim")
			exec1(t, db, "UPDATE job SET state = 'ok'")
		}
	})
}
