package schema

import "slices"

// words are what the engines call the same thing in a statement that creates.
type words struct {
	time, text string
	// missing says of an index that it may be there; options end a table.
	missing, options string
}

func wordsOf(engine string) words {
	switch engine {
	case "postgresql":
		return words{time: "TIMESTAMP WITHOUT TIME ZONE", text: "TEXT", missing: "IF NOT EXISTS "}
	case "mysql":
		// Names are compared by their bytes, as the other engines do.
		return words{time: "DATETIME(6)", text: "LONGTEXT", options: " ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin"}
	}
	return words{time: "DATETIME", text: "TEXT", missing: "IF NOT EXISTS "}
}

// Own gives the statements, without semicolons, that create the tables and
// indexes that are Orrery's alone. Their names begin with `orrery_`, so that
// Galaxy and its migrations leave them alone. Each is written with IF NOT
// EXISTS: they are run whenever the set of them has changed, also on a
// database that Galaxy made. MySQL knows no CREATE INDEX IF NOT EXISTS and no
// partial index; what it says of an index that is there is not taken as an error.
func Own(engine string) []string {
	w := wordsOf(engine)
	return slices.Concat(own(w), poolOf(engine, w), limitOf(engine, w))
}

func own(w words) []string {
	return []string{
		// One row per start of a server process. Expiry is by the database's clock.
		`CREATE TABLE IF NOT EXISTS orrery_instance (
    id CHAR(32) NOT NULL PRIMARY KEY,
    server_name VARCHAR(255) NOT NULL,
    hostname VARCHAR(255) NOT NULL,
    pid INTEGER NOT NULL,
    kind VARCHAR(32) NOT NULL,
    pools ` + w.text + ` NOT NULL,
    version VARCHAR(64) NOT NULL,
    started ` + w.time + ` NOT NULL,
    expires ` + w.time + ` NOT NULL
)` + w.options,
		// The proof of ownership behind job.handler.
		`CREATE TABLE IF NOT EXISTS orrery_claim (
    job_id INTEGER NOT NULL PRIMARY KEY,
    instance CHAR(32) NOT NULL,
    epoch INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    pool VARCHAR(255) NOT NULL
)` + w.options,
		`CREATE INDEX ` + w.missing + `orrery_claim_instance ON orrery_claim (instance)`,
		// A job that waits for a dataset. The transaction that finishes the dataset
		// removes the row, so that nobody polls.
		`CREATE TABLE IF NOT EXISTS orrery_wait (
    job_id INTEGER NOT NULL,
    dataset_id INTEGER NOT NULL,
    PRIMARY KEY (job_id, dataset_id)
)` + w.options,
		`CREATE INDEX ` + w.missing + `orrery_wait_dataset ON orrery_wait (dataset_id)`,
		// A page of a history's contents is read in the order of its numbers.
		`CREATE INDEX ` + w.missing + `orrery_hda_history_hid ON history_dataset_association (history_id, hid, id)`,
	}
}
