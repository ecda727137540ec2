package testenv

import (
	"context"
	"database/sql"
	"slices"
	"testing"
)

func TestMariaDBGivesTheNextTestAnEmptiedDatabase(t *testing.T) {
	names := []string{}
	for range 2 {
		t.Run("one", func(t *testing.T) {
			d := MariaDBWith(t, "things", func(string) error { return nil })
			names = append(names, d.Name)
			s, err := startMariaDB()
			if err != nil {
				t.Fatal(err)
			}
			err = s.use(t.Context(), d.Name, func(c *sql.Conn) error {
				tables, err := tablesOf(t.Context(), c)
				if err == nil && len(tables) > 0 {
					t.Errorf("tables are left: %v", tables)
				}
				_, err = c.ExecContext(t.Context(), "CREATE TABLE thing (id INTEGER)")
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		})
	}
	if names[0] == names[1] {
		t.Error("a database with other tables was used again")
	}
	prepare := func(string) error {
		s, err := startMariaDB()
		if err != nil {
			return err
		}
		return s.use(context.Background(), "test_3", func(c *sql.Conn) error {
			for _, statement := range []string{
				"CREATE TABLE thing (id INTEGER PRIMARY KEY AUTO_INCREMENT)", "CREATE TABLE head (name VARCHAR(9))", "INSERT INTO head VALUES ('h')",
			} {
				if _, err := c.ExecContext(context.Background(), statement); err != nil {
					return err
				}
			}
			return nil
		})
	}
	for range 2 {
		t.Run("two", func(t *testing.T) {
			d := MariaDBWith(t, "more", prepare)
			if d.Name != "test_3" {
				t.Fatalf("not used again: %s", d.Name)
			}
			s, err := startMariaDB()
			if err != nil {
				t.Fatal(err)
			}
			err = s.use(t.Context(), d.Name, func(c *sql.Conn) error {
				if _, err := c.ExecContext(t.Context(), "INSERT INTO thing VALUES ()"); err != nil {
					return err
				}
				for table, want := range map[string][]string{"thing": {"1"}, "head": {"h"}} {
					got, err := textColumn(t.Context(), c, "SELECT * FROM "+table)
					if err != nil {
						return err
					}
					if !slices.Equal(got, want) {
						t.Errorf("%s holds %v", table, got)
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}
