package schema

// poolOf gives the statements of what server processes tell of themselves, of
// drained ones, and of the indexes by which they find jobs.
func poolOf(engine string) []string {
	if engine == "mysql" {
		return poolMySQL
	}
	since := "TIMESTAMP WITHOUT TIME ZONE"
	if engine == "sqlite" {
		since = "DATETIME"
	}
	return append([]string{
		// What an instance tells beyond its lease; place and process_start let others
		// on its host see whether it still runs.
		`CREATE TABLE IF NOT EXISTS orrery_process (
    instance CHAR(32) NOT NULL PRIMARY KEY,
    place VARCHAR(255) NOT NULL,
    process_start BIGINT NOT NULL,
    methods TEXT NOT NULL,
    slots INTEGER NOT NULL,
    claims BIGINT NOT NULL,
    rate DOUBLE PRECISION NOT NULL
)`,
		// The names of the server processes that take nothing new.
		`CREATE TABLE IF NOT EXISTS orrery_drain (
    server_name VARCHAR(255) NOT NULL PRIMARY KEY,
    since ` + since + ` NOT NULL
)`,
	}, poolIndexes...)
}

var poolIndexes = []string{
	// Claims go from owner to owner: a user is its id, a visitor the session's,
	// negative. With it a claim looks at the oldest jobs of few owners, however many
	// jobs of however many wait.
	`CREATE INDEX IF NOT EXISTS orrery_job_turn ON job (handler, (COALESCE(user_id, -session_id, 0)), id) WHERE state = 'new'`,
	// Jobs under way, by whom they are said to be with.
	`CREATE INDEX IF NOT EXISTS orrery_job_unfinished ON job (handler, id) WHERE state IN ('queued', 'running', 'resubmitted', 'deleting', 'stop')`,
	`DROP INDEX IF EXISTS orrery_job_active`,
}

var poolMySQL = []string{
	`CREATE TABLE IF NOT EXISTS orrery_process (
    instance CHAR(32) NOT NULL PRIMARY KEY,
    place VARCHAR(255) NOT NULL,
    process_start BIGINT NOT NULL,
    methods LONGTEXT NOT NULL,
    slots INTEGER NOT NULL,
    claims BIGINT NOT NULL,
    rate DOUBLE NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin`,
	`CREATE TABLE IF NOT EXISTS orrery_drain (
    server_name VARCHAR(255) NOT NULL PRIMARY KEY,
    since DATETIME(6) NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin`,
	// MariaDB has no index on an expression: visitors without an account are one
	// owner here.
	`CREATE INDEX orrery_job_turn ON job (state, handler, user_id, id)`,
}
