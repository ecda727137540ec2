package schema

import "slices"

// limitOf gives the statements of the places under limits on jobs that run at
// once. orrery_limit has a row for each user, session, destination or tag that is
// limited, to be locked before its places are counted. orrery_held are the places
// that jobs have; one goes with the claim that holds it, whoever removes that.
// orrery_limit_wait are the jobs that wait for places: let_go is when one was told
// to try again, and claims leave out those that were not.
func limitOf(engine string, w words) []string {
	held, end := "PRIMARY KEY (name, job_id), FOREIGN KEY (job_id) REFERENCES orrery_claim (job_id) ON DELETE CASCADE", ""
	if engine == "sqlite" {
		// Foreign keys are off on SQLite, as Galaxy has them.
		held = "PRIMARY KEY (name, job_id)"
		end = `CREATE TRIGGER IF NOT EXISTS orrery_held_end AFTER DELETE ON orrery_claim
BEGIN DELETE FROM orrery_held WHERE job_id = OLD.job_id; END`
	}
	return slices.DeleteFunc([]string{
		`CREATE TABLE IF NOT EXISTS orrery_limit (
    name VARCHAR(255) NOT NULL PRIMARY KEY,
    most INTEGER NOT NULL
)` + w.options,
		`CREATE TABLE IF NOT EXISTS orrery_held (
    name VARCHAR(255) NOT NULL,
    job_id INTEGER NOT NULL,
    owner VARCHAR(32) NOT NULL,
    ` + held + `
)` + w.options,
		`CREATE TABLE IF NOT EXISTS orrery_limit_wait (
    job_id INTEGER NOT NULL,
    name VARCHAR(255) NOT NULL,
    owner VARCHAR(32) NOT NULL,
    let_go ` + w.time + `,
    PRIMARY KEY (job_id, name)
)` + w.options,
		`CREATE INDEX ` + w.missing + `orrery_held_job ON orrery_held (job_id)`,
		`CREATE INDEX ` + w.missing + `orrery_limit_wait_name ON orrery_limit_wait (name, let_go)`,
		end,
	}, func(s string) bool { return s == "" })
}
