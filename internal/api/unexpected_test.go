package api_test

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/sys/unix"

	"orrery/internal/api"
	"orrery/internal/galaxy"
)

type nobody struct{}

func (nobody) Authenticate(http.ResponseWriter, *http.Request) (*galaxy.Actor, error) {
	return &galaxy.Actor{}, nil
}

// TestUnexpectedErrors: what goes wrong outside of the services tells a person whether to try again, and nothing of the
// server's insides.
func TestUnexpectedErrors(t *testing.T) {
	for _, test := range []struct {
		name   string
		err    error
		status int
		says   string
	}{
		{"a bug", errors.New("secret table"), 500, "its log says more"},
		{"a full disk", fmt.Errorf("storing: %w", &os.PathError{Op: "write", Path: "/secret", Err: unix.ENOSPC}), 507, "disk is full"},
		{"a full database", fmt.Errorf("storing: %w", &pgconn.PgError{Code: "53100", Message: "secret"}), 507, "disk is full"},
		{"a stopped database", &pgconn.PgError{Code: "57P01", Message: "secret"}, 503, "database does not answer"},
	} {
		ids, err := galaxy.NewIDCodec(galaxy.DefaultIDSecret)
		if err != nil {
			t.Fatal(err)
		}
		rt := api.NewRouter(nobody{}, ids, slog.New(slog.DiscardHandler))
		rt.Handle("GET /api/x", func(*api.Request) (any, error) { return nil, test.err })
		w := httptest.NewRecorder()
		rt.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/api/x", nil))
		if body := w.Body.String(); w.Code != test.status || !strings.Contains(body, test.says) || strings.Contains(body, "secret") {
			t.Errorf("%s is answered %d %s", test.name, w.Code, body)
		}
	}
}
