package schema

import "slices"

// Own gives the statements, without semicolons, that create the tables and
// indexes that are Orrery's alone. Their names begin with `orrery_`, so that
// Galaxy and its migrations leave them alone. Each is written with IF NOT
// EXISTS: they are run whenever the set of them has changed, also on a
// database that Galaxy made. MySQL knows no CREATE INDEX IF NOT EXISTS and no
// partial index; what it says of an index that is there is not taken as an error.
func Own(engine string) []string {
	switch engine {
	case "postgresql":
		return slices.Concat(ownPostgreSQL, poolOf(engine), limitOf(engine))
	case "mysql":
		return slices.Concat(ownMySQL, poolOf(engine), limitOf(engine))
	}
	return slices.Concat(ownSQLite, poolOf(engine), limitOf(engine))
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
}, shared...)

// ownMySQL compares names by their bytes, as the other engines do.
var ownMySQL = []string{
	`CREATE TABLE IF NOT EXISTS orrery_instance (
    id CHAR(32) NOT NULL PRIMARY KEY,
    server_name VARCHAR(255) NOT NULL,
    hostname VARCHAR(255) NOT NULL,
    pid INTEGER NOT NULL,
    kind VARCHAR(32) NOT NULL,
    pools LONGTEXT NOT NULL,
    version VARCHAR(64) NOT NULL,
    started DATETIME(6) NOT NULL,
    expires DATETIME(6) NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin`,
	`CREATE TABLE IF NOT EXISTS orrery_claim (
    job_id INTEGER NOT NULL PRIMARY KEY,
    instance CHAR(32) NOT NULL,
    epoch INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    pool VARCHAR(255) NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin`,
	`CREATE TABLE IF NOT EXISTS orrery_wait (
    job_id INTEGER NOT NULL,
    dataset_id INTEGER NOT NULL,
    PRIMARY KEY (job_id, dataset_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin`,
	`CREATE INDEX orrery_claim_instance ON orrery_claim (instance)`,
	`CREATE INDEX orrery_wait_dataset ON orrery_wait (dataset_id)`,
	`CREATE INDEX orrery_hda_history_hid ON history_dataset_association (history_id, hid, id)`,
}

// shared statements read the same on SQLite and PostgreSQL.
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
}
