package upload

import (
	"context"
	"io"
	"net/http"
	"regexp"
	"time"

	"orrery/internal/galaxy"
)

// How much of a file Look reads, and for how long: enough to see what it is.
const (
	lookBytes = 1 << 20
	lookTime  = 10 * time.Second
)

// looked are the headers that tell what a file is.
var looked = []string{"Content-Type", "Last-Modified", "Etag", "Content-Range"}

var byteRange = regexp.MustCompile(`^bytes=\d{1,18}-\d{0,18}$`)

// Look sends w the beginning of what stands at an address, or with HEAD only
// the headers that tell about it. The client asks before it uploads by address,
// since a browser may not look at other sites itself. The rules are those of
// the upload.
func (s *Service) Look(ctx context.Context, w http.ResponseWriter, method, address, wanted string) error {
	u, err := checkURL(address)
	if err != nil {
		return err
	}
	if wanted != "" && !byteRange.MatchString(wanted) {
		return galaxy.Errorf(galaxy.Invalid, "Invalid Range header: it must be as bytes=0-99")
	}
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	if method != http.MethodHead {
		method = http.MethodGet
	}
	request, err := http.NewRequestWithContext(ctx, method, u.String(), nil)
	if err != nil {
		return galaxy.Errorf(galaxy.Invalid, "%q is not an address: %w", address, err)
	}
	request.Header.Set("User-Agent", "Orrery")
	if wanted != "" {
		request.Header.Set("Range", wanted)
	}
	client := httpClient(s.Allowlist)
	defer client.CloseIdleConnections()
	response, err := client.Do(request)
	if err != nil {
		return galaxy.Errorf(galaxy.Invalid, "%w", explainFetch(address, err))
	}
	defer func() { _ = response.Body.Close() }()
	for _, name := range looked {
		if value := response.Header.Get(name); value != "" {
			w.Header().Set(name, value)
		}
	}
	// Whatever another site sends must not act in the name of this one.
	w.Header().Set("Content-Security-Policy", "sandbox; default-src 'none'")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Content-Disposition", "attachment")
	w.WriteHeader(response.StatusCode)
	if method == http.MethodHead {
		return nil
	}
	// What breaks off here the client sees as the end of the file, as it would
	// see that of the limit.
	_, _ = io.Copy(w, io.LimitReader(response.Body, lookBytes))
	return nil
}
