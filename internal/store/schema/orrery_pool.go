package schema

// poolOf gives the statements of what server processes tell of themselves, of
// drained ones, and of the indexes by which they find jobs.
func poolOf(engine string, w words) []string {
	tables := []string{
		// What an instance tells beyond its lease; place and process_start let others
		// on its host see whether it still runs.
		`CREATE TABLE IF NOT EXISTS orrery_process (
    instance CHAR(32) NOT NULL PRIMARY KEY,
    place VARCHAR(255) NOT NULL,
    process_start BIGINT NOT NULL,
    methods ` + w.text + ` NOT NULL,
    slots INTEGER NOT NULL,
    claims BIGINT NOT NULL,
    rate DOUBLE PRECISION NOT NULL
)` + w.options,
		// The names of the server processes that take nothing new.
		`CREATE TABLE IF NOT EXISTS orrery_drain (
    server_name VARCHAR(255) NOT NULL PRIMARY KEY,
    since ` + w.time + ` NOT NULL
)` + w.options,
	}
	if engine == "mysql" {
		// MariaDB has no index on an expression: visitors without an account are one
		// owner here.
		return append(tables, `CREATE INDEX orrery_job_turn ON job (state, handler, user_id, id)`)
	}
	return append(tables,
		// Claims go from owner to owner: a user is its id, a visitor the session's,
		// negative. With it a claim looks at the oldest jobs of few owners, however many
		// jobs of however many wait.
		`CREATE INDEX IF NOT EXISTS orrery_job_turn ON job (handler, (COALESCE(user_id, -session_id, 0)), id) WHERE state = 'new'`,
		// Jobs under way, by whom they are said to be with.
		`CREATE INDEX IF NOT EXISTS orrery_job_unfinished ON job (handler, id) WHERE state IN ('queued', 'running', 'resubmitted', 'deleting', 'stop')`,
		// What the two have replaced, and every claim would have to keep.
		`DROP INDEX IF EXISTS orrery_job_active`,
		`DROP INDEX IF EXISTS orrery_job_new`,
	)
}
