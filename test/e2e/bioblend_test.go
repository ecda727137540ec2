package e2e

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"testing"

	"orrery/internal/testenv"
)

// TestBioBlend runs a scientist's script with the library that such scripts are written with.
func TestBioBlend(t *testing.T) {
	onEachServer(t, func(t *testing.T, s server) {
		arguments := []string{"bioblend/scientist.py", s.URL, s.Key}
		if s.Own != nil {
			web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				_, _ = io.WriteString(w, fetched)
			}))
			defer web.Close()
			arguments = append(arguments, web.URL+"/regions")
		}
		output, err := exec.CommandContext(t.Context(), testenv.Python(t, testenv.BioBlend), arguments...).CombinedOutput()
		t.Logf("%s", output)
		if err != nil {
			t.Errorf("the script: %v", err)
		}
	})
}
