package schema

// Own gives the statements, without semicolons, that create the tables and
// indexes that are Orrery's alone. Their names begin with `orrery_`, so that
// Galaxy and its migrations leave them alone. Each is written with IF NOT
// EXISTS: they are run whenever the set of them has changed, also on a
// database that Galaxy made.
func Own(engine string) []string {
	if engine == "postgresql" {
		return ownPostgreSQL
	}
	return ownSQLite
}

var ownPostgreSQL = append([]string{
	// One row per start of a server process. Expiry is by the database's clock.
	`CREATE TABLE IF NOT EXISTS orrery_instance (
    id CHAR(32) NOT NULL PRIMARY KEY,
    server_name VARCHAR(255) NOT NULL,
    hostname VARCHAR(255) NOT NULL,
    pid INTEGER NOT NULL,
    kind VARCHAR(32) NOT NULL,
    pools TEXT NOT NULL,
    version VARCHAR(64) NOT NULL,
    started TIMESTAMP WITHOUT TIME ZONE NOT NULL,
    expires TIMESTAMP WITHOUT TIME ZONE NOT NULL
)`,
	// The proof of ownership behind job.handler.
	`CREATE TABLE IF NOT EXISTS orrery_claim (
    job_id INTEGER NOT NULL PRIMARY KEY,
    instance CHAR(32) NOT NULL,
    epoch INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    pool VARCHAR(255) NOT NULL
)`,
	// Places under limits on jobs that run at once: one row of orrery_limit for
	// each user, session, destination or tag that is limited, to be locked before
	// its places are counted. A place goes with the claim that holds it.
	`CREATE TABLE IF NOT EXISTS orrery_held (
    name VARCHAR(255) NOT NULL,
    job_id INTEGER NOT NULL,
    owner VARCHAR(32) NOT NULL,
    PRIMARY KEY (name, job_id),
    FOREIGN KEY (job_id) REFERENCES orrery_claim (job_id) ON DELETE CASCADE
)`,
	// Jobs that wait for a place. let_go is when the job was told to try again:
	// claims leave the others out.
	`CREATE TABLE IF NOT EXISTS orrery_limit_wait (
    job_id INTEGER NOT NULL,
    name VARCHAR(255) NOT NULL,
    owner VARCHAR(32) NOT NULL,
    let_go TIMESTAMP WITHOUT TIME ZONE,
    PRIMARY KEY (job_id, name)
)`,
}, shared...)

var ownSQLite = append([]string{
	`CREATE TABLE IF NOT EXISTS orrery_instance (
    id CHAR(32) NOT NULL PRIMARY KEY,
    server_name VARCHAR(255) NOT NULL,
    hostname VARCHAR(255) NOT NULL,
    pid INTEGER NOT NULL,
    kind VARCHAR(32) NOT NULL,
    pools TEXT NOT NULL,
    version VARCHAR(64) NOT NULL,
    started DATETIME NOT NULL,
    expires DATETIME NOT NULL
)`,
	`CREATE TABLE IF NOT EXISTS orrery_claim (
    job_id INTEGER NOT NULL PRIMARY KEY,
    instance CHAR(32) NOT NULL,
    epoch INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    pool VARCHAR(255) NOT NULL
)`,
	// Foreign keys are off on SQLite, as Galaxy has them.
	`CREATE TABLE IF NOT EXISTS orrery_held (
    name VARCHAR(255) NOT NULL,
    job_id INTEGER NOT NULL,
    owner VARCHAR(32) NOT NULL,
    PRIMARY KEY (name, job_id)
)`,
	`CREATE TRIGGER IF NOT EXISTS orrery_held_end AFTER DELETE ON orrery_claim
BEGIN DELETE FROM orrery_held WHERE job_id = OLD.job_id; END`,
	`CREATE TABLE IF NOT EXISTS orrery_limit_wait (
    job_id INTEGER NOT NULL,
    name VARCHAR(255) NOT NULL,
    owner VARCHAR(32) NOT NULL,
    let_go DATETIME,
    PRIMARY KEY (job_id, name)
)`,
}, shared...)

// shared statements read the same on every engine.
var shared = []string{
	`CREATE INDEX IF NOT EXISTS orrery_claim_instance ON orrery_claim (instance)`,
	// A job that waits for a dataset. The transaction that finishes the dataset
	// removes the row, so that nobody polls.
	`CREATE TABLE IF NOT EXISTS orrery_wait (
    job_id INTEGER NOT NULL,
    dataset_id INTEGER NOT NULL,
    PRIMARY KEY (job_id, dataset_id)
)`,
	`CREATE INDEX IF NOT EXISTS orrery_wait_dataset ON orrery_wait (dataset_id)`,
	// Claims look for new jobs of a handler in order; without this a claim reads
	// past every finished job.
	`CREATE INDEX IF NOT EXISTS orrery_job_new ON job (handler, id) WHERE state = 'new'`,
	// A page of a history's contents is read in the order of its numbers.
	`CREATE INDEX IF NOT EXISTS orrery_hda_history_hid ON history_dataset_association (history_id, hid, id)`,
	`CREATE INDEX IF NOT EXISTS orrery_job_active ON job (handler, id) WHERE state IN ('queued', 'running')`,
	`CREATE TABLE IF NOT EXISTS orrery_limit (
    name VARCHAR(255) NOT NULL PRIMARY KEY,
    most INTEGER NOT NULL
)`,
	`CREATE INDEX IF NOT EXISTS orrery_held_job ON orrery_held (job_id)`,
	`CREATE INDEX IF NOT EXISTS orrery_limit_wait_name ON orrery_limit_wait (name, let_go)`,
}
