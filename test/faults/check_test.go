package faults

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// rows reads a query's rows as texts.
func (s *site) rows(t *testing.T, query string) [][]string {
	t.Helper()
	rows, err := s.db.QueryContext(t.Context(), query)
	if err != nil {
		t.Errorf("%s: %v", query, err)
		return nil
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var all [][]string
	for rows.Next() {
		values, targets := make([]*string, len(columns)), make([]any, len(columns))
		for i := range values {
			targets[i] = &values[i]
		}
		if err := rows.Scan(targets...); err != nil {
			t.Fatal(err)
		}
		texts := make([]string, len(columns))
		for i, v := range values {
			if v != nil {
				texts[i] = *v
			}
		}
		all = append(all, texts)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// some joins the first few of many.
func some(lines []string) string {
	const most = 20
	if len(lines) > most {
		return strings.Join(lines[:most], "\n") + fmt.Sprintf("\n… and %d more", len(lines)-most)
	}
	return strings.Join(lines, "\n")
}

func (s *site) none(t *testing.T, what string, found []string) {
	t.Helper()
	if len(found) > 0 {
		t.Errorf("%d %s:\n%s", len(found), what, some(found))
	}
}

// check looks at what the run has left while the handlers are still there.
func (s *site) check(t *testing.T, f *fleet, made []submission, plan []wanted) {
	t.Helper()
	s.checkJobs(t, made)
	s.checkLedger(t)
	s.checkDatasets(t, plan)
	s.none(t, "panics", f.panics())
	s.checkFolders(t, f)
}

// checkFolders looks whether job folders are gone. One whose handler died between the end of the job and its removal is
// found by a sweep, which handlers do a minute after their start unless one was done of late.
func (s *site) checkFolders(t *testing.T, f *fleet) {
	t.Helper()
	gone := func(within time.Duration) (folders []string) {
		for end := time.Now().Add(within); ; time.Sleep(200 * time.Millisecond) {
			if folders = s.folders(t); len(folders) == 0 || time.Now().After(end) {
				return folders
			}
		}
	}
	folders := gone(5 * time.Second)
	if len(folders) == 0 {
		return
	}
	t.Logf("%d folders wait for the next sweep:\n%s", len(folders), some(folders))
	if f.size.jobs < 1000 { // a small run does not wait for it
		return
	}
	for _, name := range s.glob("jobs_directory/.swept") {
		long := time.Now().Add(-24 * time.Hour)
		if err := os.Chtimes(name, long, long); err != nil {
			t.Error(err)
		}
	}
	f.launch(here)
	folders = gone(2 * time.Minute)
	s.none(t, "job folders are left behind", folders)
}

func (s *site) checkJobs(t *testing.T, made []submission) {
	t.Helper()
	var bad []string
	jobs := s.rows(t, `SELECT j.id, j.state, j.handler, j.info, j.tool_stderr, j.update_time,
		(SELECT CONCAT(c.instance, ' epoch ', c.epoch, ' attempt ', c.attempt, ' of ', c.pool) FROM orrery_claim c WHERE c.job_id = j.id)
		FROM job j WHERE j.tool_id IN ('fault', 'fault_slurm')`)
	for _, j := range jobs {
		if j[1] != "ok" {
			var states []string
			for _, r := range s.rows(t, "SELECT state, create_time, info FROM job_state_history WHERE job_id = "+j[0]+" ORDER BY id") {
				states = append(states, strings.TrimSpace(strings.Join(r, " ")))
			}
			bad = append(bad, fmt.Sprintf("job %s is %s, of %s (%s %s), last changed %s, claim: %s; its folder: %s; it was %s",
				j[0], j[1], j[2], j[3], j[4], j[5], j[6], s.folder(j[0]), strings.Join(states, ", ")))
		}
	}
	s.none(t, "jobs are not ok", bad)
	if len(jobs) < len(made) {
		t.Errorf("%d jobs were confirmed, there are %d", len(made), len(jobs))
	}
	if extra := len(jobs) - len(made); extra > 0 {
		t.Logf("%d jobs were made though their confirmation was lost", extra)
	}
	var twice []string
	for _, r := range s.rows(t, `SELECT job_id, count(*) FROM job_state_history WHERE state = 'ok' GROUP BY job_id HAVING count(*) > 1`) {
		twice = append(twice, fmt.Sprintf("job %s became ok %s times", r[0], r[1]))
	}
	s.none(t, "jobs were finished more than once", twice)
}

// glob finds files of the server's.
func (s *site) glob(pattern string) []string {
	found, err := filepath.Glob(filepath.Join(s.DataDir, pattern))
	if err != nil {
		panic(err) // the pattern is malformed
	}
	return found
}

// folder lists what is in a job's folder.
func (s *site) folder(job string) string {
	var names []string
	for _, dir := range s.glob("jobs_directory/*/" + job) {
		_ = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			if err == nil && !e.IsDir() {
				name, _ := filepath.Rel(dir, path)
				names = append(names, name)
			}
			return nil
		})
	}
	return strings.Join(names, " ")
}

// checkLedger looks whether each job did once what it does.
func (s *site) checkLedger(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(s.Dir, "ledger"))
	if err != nil {
		t.Error(err)
		return
	}
	ran := map[string]int{}
	for line := range bytes.Lines(text) {
		fields := strings.Fields(string(line))
		if len(fields) != 2 {
			t.Errorf("the ledger has the line %q", line)
			continue
		}
		ran[fields[1]]++
	}
	var wrong []string
	for _, j := range s.rows(t, "SELECT id, state, handler FROM job WHERE tool_id IN ('fault', 'fault_slurm')") {
		if n := ran[j[0]]; n != 1 {
			wrong = append(wrong, fmt.Sprintf("job %s (%s, of %s) ran %d times", j[0], j[1], j[2], n))
		}
		delete(ran, j[0])
	}
	for job, n := range ran {
		wrong = append(wrong, fmt.Sprintf("job %s, which does not exist, ran %d times", job, n))
	}
	s.none(t, "jobs did not run exactly once", wrong)
}

// checkDatasets looks at each output's row and bytes.
func (s *site) checkDatasets(t *testing.T, plan []wanted) {
	t.Helper()
	files := map[string]string{}
	if err := filepath.WalkDir(s.DataDir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() && strings.HasPrefix(e.Name(), "dataset_") && strings.HasSuffix(path, ".dat") && !strings.Contains(path, "/jobs") {
			files[strings.ReplaceAll(strings.TrimSuffix(strings.TrimPrefix(e.Name(), "dataset_"), ".dat"), "-", "")] = path
		}
		return nil // what goes away while it is looked at is no dataset
	}); err != nil {
		t.Fatal(err)
	}
	var content func(n int) string
	content = func(n int) string {
		before := ""
		if p := plan[n].parent; p >= 0 {
			before = content(p)
		}
		return before + fmt.Sprintf("result %d\n", n)
	}
	var wrong []string
	rows := s.rows(t, `SELECT j.id, d.id, d.uuid, d.state, d.file_size, h.extension, p.value, j.state FROM job j
		JOIN job_to_output_dataset o ON o.job_id = j.id JOIN history_dataset_association h ON h.id = o.dataset_id JOIN dataset d ON d.id = h.dataset_id
		JOIN job_parameter p ON p.job_id = j.id AND p.name = 'number' WHERE j.tool_id IN ('fault', 'fault_slurm')`)
	for _, r := range rows {
		if r[7] != "ok" {
			continue // that is told elsewhere
		}
		var n int
		if _, err := fmt.Sscanf(strings.Trim(r[6], `"`), "%d", &n); err != nil || n < 0 || n >= len(plan) {
			wrong = append(wrong, fmt.Sprintf("the job %s has the number %s", r[0], r[6]))
			continue
		}
		path, there := files[r[2]]
		if !there {
			path, there = files[r[1]]
		}
		text, err := os.ReadFile(path)
		if want := content(n); !there || err != nil || string(text) != want || r[3] != "ok" || !strings.HasPrefix(r[4], fmt.Sprint(len(want))) {
			wrong = append(wrong, fmt.Sprintf("dataset %s of job %s is %s with %s bytes by its row; its file %s holds %q, not %q (%v)", r[1], r[0], r[3], r[4], path, text, want, err))
		}
	}
	s.none(t, "datasets are wrong", wrong)
}

// folders lists the job folders.
func (s *site) folders(t *testing.T) []string {
	t.Helper()
	var found []string
	for _, j := range s.rows(t, "SELECT id FROM job WHERE tool_id IN ('fault', 'fault_slurm')") {
		if matches := s.glob("jobs_directory/*/" + j[0]); len(matches) > 0 {
			found = append(found, strings.Join(matches, " ")+": "+s.folder(j[0]))
		}
	}
	slices.Sort(found)
	return found
}

// checkEmpty looks whether anything is owned by somebody once nobody is left.
func (s *site) checkEmpty(t *testing.T) {
	t.Helper()
	for what, query := range map[string]string{
		"claims are left":     "SELECT job_id, instance, epoch, pool FROM orrery_claim",
		"waits are left":      "SELECT job_id, dataset_id FROM orrery_wait",
		"open jobs are left":  "SELECT id, state, handler FROM job WHERE state NOT IN ('ok', 'error', 'deleted')",
		"datasets are undone": "SELECT id, state, job_id FROM dataset WHERE state NOT IN ('ok', 'error', 'discarded')",
		"places are held":     "SELECT job_id FROM orrery_held",
	} {
		var found []string
		for _, r := range s.rows(t, query) {
			found = append(found, strings.Join(r, " "))
		}
		s.none(t, what, found)
	}
}
