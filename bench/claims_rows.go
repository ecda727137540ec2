package main

import (
	"context"
	"fmt"
	"strings"

	"orrery/internal/store"
)

// claimUsers is how many people own the jobs, each with one history.
const claimUsers = 20

// rowsAtOnce bounds one statement that makes rows.
const rowsAtOnce = 100_000

// site is what jobs refer to: users, their histories, and one input dataset in each.
func makeSite(ctx context.Context, db *store.DB) error {
	return db.Write(ctx, func(tx *store.Tx) error {
		return bulk(ctx, tx, 1, claimUsers, `INSERT INTO galaxy_user (id, create_time, update_time, email, username, password, external, deleted, purged, disk_usage, active)
				SELECT n, NOW, NOW, CONCAT('user', n, '@example.org'), CONCAT('user', n), 'none', FALSE, FALSE, FALSE, 0, TRUE FROM series;
			INSERT INTO history (id, create_time, update_time, user_id, name, hid_counter, deleted, purged, importing, genome_build, importable, published, archived)
				SELECT n, NOW, NOW, n, 'Unnamed history', 1, FALSE, FALSE, FALSE, '?', FALSE, FALSE, FALSE FROM series;
			INSERT INTO dataset (id, create_time, update_time, state, deleted, purged, purgable, object_store_id, file_size, total_size, uuid)
				SELECT n, NOW, NOW, 'ok', FALSE, FALSE, TRUE, NULL, 9, 9, UUID FROM series;
			INSERT INTO history_dataset_association (id, history_id, dataset_id, create_time, update_time, name, extension, metadata, deleted, visible, version, hid, purged, validated_state)
				SELECT n, n, n, NOW, NOW, 'input', 'tabular', '{"dbkey": ["?"]}', FALSE, TRUE, 1, 1, FALSE, 'unknown' FROM series`)
	})
}

// jobRows are the rows of jobs, one output each, as the server leaves them; the jobs have the numbers first to last, and
// so have their outputs. finished are jobs of the past, else they are new and handler is the SQL text of what
// job.handler holds.
func makeJobs(ctx context.Context, db *store.DB, first, last int64, handler string, finished bool) error {
	states, job := []string{"new"}, `SELECT n, NOW, NOW, 1 + n % USERS, 1 + n % USERS, 'cat1', '1.0.0', '26.1', 'new', FALSE, `+handler+`, '[]', '{}',
		NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM series`
	dataset := "new"
	if finished {
		states, dataset = []string{"new", "queued", "running", "ok"}, "ok"
		job = `SELECT n, NOW, NOW, 1 + n % USERS, 1 + n % USERS, 'cat1', '1.0.0', '26.1', 'ok', FALSE, CONCAT('handler_', n % 8), '[]', '{}',
			CONCAT('cat ''/srv/galaxy/database/objects/0/0/0/dataset_00000000-0000-0000-0000-000000000001.dat'' > ''/srv/galaxy/database/jobs/000/', n, '/outputs/dataset_', n, '.dat'''),
			'local', CONCAT(n), 'local', '', '', '', '', 0, '[]' FROM series`
	}
	statements := []string{
		`INSERT INTO job (id, create_time, update_time, history_id, user_id, tool_id, tool_version, galaxy_version, state, imported, handler, dependencies,
			destination_params, command_line, job_runner_name, job_runner_external_id, destination_id, tool_stdout, tool_stderr, job_stdout, job_stderr,
			exit_code, job_messages) ` + job,
		`INSERT INTO job_parameter (job_id, name, value) SELECT n, 'input1', CONCAT('{"values": [{"id": ', 1 + n % USERS, ', "src": "hda"}]}') FROM series`,
		`INSERT INTO job_parameter (job_id, name, value) SELECT n, 'dbkey', '"?"' FROM series`,
		`INSERT INTO job_to_input_dataset (job_id, name, dataset_id, dataset_version) SELECT n, 'input1', 1 + n % USERS, 1 FROM series`,
		`INSERT INTO dataset (id, job_id, create_time, update_time, state, deleted, purged, purgable, file_size, total_size, uuid)
			SELECT n, n, NOW, NOW, '` + dataset + `', FALSE, FALSE, TRUE, 9, 9, UUID FROM series`,
		`INSERT INTO history_dataset_association (id, history_id, dataset_id, create_time, update_time, name, extension, metadata, deleted, visible, version, hid, purged, validated_state)
			SELECT n, 1 + n % USERS, n, NOW, NOW, CONCAT('Concatenate datasets on data ', 1 + n % USERS), 'tabular', '{"dbkey": ["?"]}', FALSE, TRUE, 1, n / USERS, FALSE, 'unknown' FROM series`,
		`INSERT INTO job_to_output_dataset (job_id, dataset_id, name) SELECT n, n, 'out_file1' FROM series`,
	}
	for _, state := range states {
		statements = append(statements, `INSERT INTO job_state_history (create_time, job_id, state) SELECT NOW, n, '`+state+`' FROM series`)
	}
	for from := first; from <= last; from += rowsAtOnce {
		if err := db.Write(ctx, func(tx *store.Tx) error {
			return bulk(ctx, tx, from, min(last, from+rowsAtOnce-1), strings.Join(statements, ";\n"))
		}); err != nil {
			return err
		}
	}
	return nil
}

// bulk runs statements that make rows from the numbers first to last, in the words of the engine: series is the relation
// of the numbers n, NOW the time, UUID one made of n.
func bulk(ctx context.Context, tx *store.Tx, first, last int64, statements string) error {
	series := fmt.Sprintf("(WITH RECURSIVE s(n) AS (SELECT %d UNION ALL SELECT n + 1 FROM s WHERE n < %d) SELECT n FROM s) series", first, last)
	uuid := "substr(CONCAT('00000000000000000000000000000000', n), -32)"
	var before, after string
	switch tx.Engine() {
	case store.PostgreSQL:
		series = fmt.Sprintf("generate_series(%d, %d) series(n)", first, last)
		uuid = "right(CONCAT('00000000000000000000000000000000', n), 32)"
		// The rows are known to refer to each other rightly.
		before = "SET LOCAL session_replication_role = replica"
		after = `SELECT setval('job_id_seq', (SELECT max(id) FROM job) + 1), setval('dataset_id_seq', (SELECT max(id) FROM dataset) + 1),
			setval('history_dataset_association_id_seq', (SELECT max(id) FROM history_dataset_association) + 1)`
	case store.SQLite:
	default:
		before, after = "SET foreign_key_checks = 0, max_recursive_iterations = 4294967295", "SET foreign_key_checks = 1"
	}
	words := strings.NewReplacer("FROM series", "FROM "+series, "NOW", "'"+tx.Now().Format("2006-01-02 15:04:05.000000")+"'", "UUID", uuid,
		"USERS", fmt.Sprint(claimUsers), "'?'", "'hg38'", `"?"`, `"hg38"`)
	all := []string{before}
	all = append(all, strings.Split(words.Replace(statements), ";\n")...)
	for _, statement := range append(all, after) {
		if statement == "" {
			continue
		}
		if _, err := tx.Exec(ctx, statement); err != nil {
			return fmt.Errorf("making rows: %w\n%s", err, statement)
		}
	}
	return nil
}
