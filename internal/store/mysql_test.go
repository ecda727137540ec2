package store_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"orrery/internal/galaxy"
	"orrery/internal/store"
	"orrery/internal/store/storetest"
	"orrery/internal/testenv"
)

func TestTextsAreKeptToTheByte(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		texts := []string{`it's "quoted" \ back\\slash \' ?`, "a\nb\tc\r\x1a", "äé 🧬 \u2028", "%_", "Ann", "ann", "ann "}
		var ids []int64
		write(t, db, func(ctx context.Context, tx *store.Tx) (err error) {
			var rows [][]any
			for _, text := range texts {
				rows = append(rows, []any{text, store.JSON(map[string]string{"t": text}), "unknown", 1})
			}
			ids, err = store.InsertMany(ctx, tx, "history_dataset_association", []string{"name", "metadata", "validated_state", "version"}, rows)
			return err
		})
		for i, text := range texts {
			if got := one[string](t, db, "SELECT name FROM history_dataset_association WHERE id = ?", ids[i]); got != text {
				t.Errorf("the text %q became %q", text, got)
			}
			if got := one[string](t, db, "SELECT metadata FROM history_dataset_association WHERE id = ?", ids[i]); got != string(store.JSON(map[string]string{"t": text})) {
				t.Errorf("the JSON of %q became %q", text, got)
			}
		}
		for pattern, want := range map[string]int{`%\%\_%`: 1, `%back\\%`: 1, `äé _ %`: 1, `%''%`: 0} {
			if got := one[int](t, db, `SELECT count(*) FROM history_dataset_association WHERE name LIKE ? ESCAPE '\'`, pattern); got != want {
				t.Errorf("%d texts are like %s, want %d", got, pattern, want)
			}
		}
		cond, arg := store.AnyOfText(db, "name", []string{texts[0], "Ann"})
		found, err := store.Column[int64](t.Context(), db, "SELECT id FROM history_dataset_association WHERE 'why?' <> ? AND "+cond+" ORDER BY id", "x", arg)
		if err != nil || !slices.Equal(found, []int64{ids[0], ids[4]}) {
			t.Errorf("found %v, %v", found, err)
		}
	})
}

func TestAListOfNothing(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		cond, arg := store.AnyOf(db, "id", nil)
		text, none := store.AnyOfText(db, "version_num", nil)
		if n := one[int](t, db, "SELECT count(*) FROM history WHERE "+cond, arg); n != 0 {
			t.Errorf("%d histories are none", n)
		}
		if n := one[int](t, db, "SELECT count(*) FROM alembic_version WHERE NOT ("+text+")", none); n != 2 {
			t.Errorf("%d of 2 rows are not among nothing", n)
		}
	})
}

func TestIDsFollowTheRows(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		const writers, rows = 4, 40
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				err := db.Write(t.Context(), func(tx *store.Tx) error {
					var values [][]any
					for i := range rows {
						values = append(values, []any{0, fmt.Sprintf("%d-%d", w, i)})
					}
					ids, err := store.InsertMany(t.Context(), tx, "tag", []string{"type", "name"}, values)
					if err != nil {
						return err
					}
					for i, id := range ids {
						var name string
						if err := tx.QueryRow(t.Context(), "SELECT name FROM tag WHERE id = ?", id).Scan(&name); err != nil {
							return err
						}
						if name != values[i][1] {
							t.Errorf("the row %v got the id of %s", values[i], name)
						}
					}
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	})
}

func TestIDsFollowTheRowsInACluster(t *testing.T) {
	plain := storetest.MariaDB(t)
	set := func(increment int) {
		exec(t, plain, fmt.Sprintf("SET GLOBAL auto_increment_increment = %d", increment))
	}
	set(7)
	defer set(1)
	db, err := store.Open(t.Context(), plain.Options())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	set(3) // as when a server joins the cluster
	for range 2 {
		write(t, db, func(ctx context.Context, tx *store.Tx) error {
			rows := [][]any{{0, store.NewUUID().Hex()}, {0, store.NewUUID().Hex()}, {0, store.NewUUID().Hex()}}
			ids, err := store.InsertMany(ctx, tx, "tag", []string{"type", "name"}, rows)
			for i, id := range ids {
				if name := ""; tx.QueryRow(ctx, "SELECT name FROM tag WHERE id = ?", id).Scan(&name) != nil || name != rows[i][1] {
					t.Errorf("the row %d has not the id %d", i, id)
				}
			}
			return err
		})
	}
}

// TestOneHistoryHasManySubmitters has transactions meet on one history and one user, as several web workers and
// handlers do.
func TestOneHistoryHasManySubmitters(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		user, _, hist := person(t, db, "ann")
		const submitters, each = 6, 5
		var wg sync.WaitGroup
		for range submitters {
			wg.Go(func() {
				for range each {
					var output store.HDA
					err := db.Write(t.Context(), func(tx *store.Tx) error {
						_, outputs, err := createJob(t.Context(), tx, submission{user: user, history: hist})
						if err == nil {
							output = outputs[0]
						}
						return err
					})
					if err != nil {
						t.Error(err)
						return
					}
					if err := db.Write(t.Context(), func(tx *store.Tx) error {
						return store.FinishHDAs(t.Context(), tx, []store.FinishedHDA{{ID: output.ID, State: galaxy.DatasetOK, FileSize: 1}})
					}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		hids, err := store.Column[int64](t.Context(), db, "SELECT hid FROM history_dataset_association ORDER BY hid")
		if err != nil || len(hids) != submitters*each || hids[0] != 1 || hids[len(hids)-1] != submitters*each {
			t.Errorf("the numbers are %v, %v", hids, err)
		}
		if usage := one[int](t, db, "SELECT disk_usage FROM galaxy_user WHERE id = ?", user); usage != submitters*each {
			t.Errorf("the usage is %d", usage)
		}
		if db.Engine() == store.MySQL {
			var name string
			var deadlocks int
			if err := db.QueryRow(t.Context(), "SHOW GLOBAL STATUS LIKE 'Innodb_deadlocks'").Scan(&name, &deadlocks); err != nil || deadlocks > 0 {
				t.Errorf("%d deadlocks, %v", deadlocks, err)
			}
		}
	})
}

func TestPreparingMariaDBIsTakenUpAfterAnInterruption(t *testing.T) {
	open := func() *store.DB {
		db, err := store.Open(t.Context(), store.Options{Engine: store.MySQL, DSN: testenv.MariaDB(t).URL()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		return db
	}
	db := open()
	if err := db.EnsureSchema(t.Context()); err != nil {
		t.Fatal(err)
	}
	// What is left when the process ends in the middle: some tables, no heads.
	exec(t, db, "DROP TRIGGER trigger_history_air")
	exec(t, db, "DROP TABLE alembic_version")
	exec(t, db, "DROP TABLE tool_version_association")
	exec(t, db, "DROP TABLE orrery_wait")
	exec(t, db, "DELETE FROM orrery_schema")
	if err := db.EnsureSchema(t.Context()); err != nil {
		t.Fatal(err)
	}
	whole := open()
	if err := whole.EnsureSchema(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, query := range []string{
		"SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() ORDER BY 1",
		"SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = DATABASE() ORDER BY 1",
		"SELECT version_num FROM alembic_version ORDER BY 1",
	} {
		got, err := store.Column[string](t.Context(), db, query)
		if err != nil {
			t.Fatal(err)
		}
		want, err := store.Column[string](t.Context(), whole, query)
		if err != nil || !slices.Equal(got, want) || len(got) == 0 {
			t.Errorf("%s: %v, want %v, %v", query, got, want, err)
		}
	}
	// A session that prepares checks foreign keys again afterwards.
	err := db.Write(t.Context(), func(tx *store.Tx) error {
		_, err := store.Insert(t.Context(), tx, "job_parameter", store.Values{"job_id": 12345, "name": "x"})
		return err
	})
	if err == nil || !strings.Contains(err.Error(), "foreign key") {
		t.Errorf("a parameter of no job: %v", err)
	}
}

func TestMySQLURLs(t *testing.T) {
	d := testenv.MariaDB(t)
	for dsn, want := range map[string]string{
		d.URL():       "",
		d.SocketURL(): "",
		d.URL() + "?charset=utf8mb4&connect_timeout=5&ssl_disabled=true": "",
		strings.Replace(d.SocketURL(), "mysql:", "mysql+pymysql:", 1):    "",
		d.URL() + "?allowAllFiles=true":                                  "allowAllFiles",
		d.URL() + "?connect_timeout=x":                                   "connect_timeout",
		d.URL() + "?ssl_ca=/nowhere":                                     "/nowhere",
		d.URL() + "?ssl_mode=REQUIRED":                                   "TLS",
		"mysql://root:secret@127.0.0.1:1":                                "names no database",
		"mysql://root:secret@127.0.0.1:1/x":                              "connecting to MariaDB or MySQL",
		"nonsense://root:secret@h/x":                                     "not a URL",
	} {
		db, err := store.Open(t.Context(), store.Options{Engine: store.MySQL, DSN: dsn})
		if err == nil {
			err = db.Close()
		}
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", dsn, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %v, want %s", dsn, err, want)
		case err != nil && strings.Contains(err.Error(), "secret"):
			t.Errorf("the password is in %v", err)
		}
	}
}

// TestMariaDBIsStartedAgain has a transaction fail as an outage while the server is away, and go on when it is back.
func TestMariaDBIsStartedAgain(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		t.Run(signal.String(), func(t *testing.T) {
			db := storetest.MariaDB(t)
			add := func() error {
				return db.Write(t.Context(), func(tx *store.Tx) error {
					_, err := store.Insert(t.Context(), tx, "form_definition_current", store.Values{"deleted": false})
					return err
				})
			}
			if err := add(); err != nil {
				t.Fatal(err)
			}
			back := make(chan struct{})
			go func() {
				defer close(back)
				testenv.RestartMariaDB(t, signal)
			}()
			kept, away := 1, true
			for away {
				select {
				case <-back:
					away = false
				default:
				}
				switch err := add(); {
				case err == nil:
					kept++
				case !store.Outage(err):
					t.Fatalf("no outage: %v", err)
				case !away:
					t.Fatalf("the server is back, and yet: %v", err)
				}
			}
			if rows := one[int](t, db, "SELECT count(*) FROM form_definition_current"); rows < kept {
				t.Errorf("%d rows of %d are left", rows, kept)
			}
		})
	}
}

func TestOldServersAreRefused(t *testing.T) {
	for version, want := range map[string]string{
		"10.11.19-MariaDB-0+deb12u1": "",
		"5.5.5-10.6.1-MariaDB":       "",
		"11.4.2-MariaDB":             "",
		"8.0.36":                     "",
		"8.4.0-log":                  "",
		"10.2.44-MariaDB":            "MariaDB 10.3 or newer",
		"5.7.44":                     "MySQL 8.0 or newer",
		"nothing":                    "calls its version",
	} {
		if err := store.MySQLTooOld(version); want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", version, err, want)
		}
	}
}
