package upload

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"

	"orrery/internal/access"
	"orrery/internal/galaxy"
	"orrery/internal/job"
	"orrery/internal/store"
)

// Service turns upload requests into jobs.
type Service struct {
	Jobs *job.Service
	Tus  *Tus
	// AllowPaths is allow_path_paste: administrators may name files of the
	// server.
	AllowPaths bool
	// MaxBytes bounds one dataset (maximum_upload_file_size); 0 for no bound.
	MaxBytes int64
	// Allowlist are the addresses inside that may be fetched
	// (fetch_url_allowlist).
	Allowlist []netip.Prefix
}

// inlinePaste is the longest pasted text that travels in the job's parameters,
// in bytes; a longer one is kept as an uploaded file.
const inlinePaste = 64 << 10

// Submit makes the job that brings elements into a history.
func (s *Service) Submit(ctx context.Context, a *galaxy.Actor, historyID int64, elements []Element) (*job.Created, error) {
	h, err := s.Jobs.WritableHistory(ctx, a, historyID)
	if err != nil {
		return nil, err
	}
	if s.Jobs.Quota != nil {
		if err := s.Jobs.Quota(ctx, a); err != nil {
			return nil, err
		}
	}
	n := store.NewJob{ToolID: ToolID, ToolVersion: ToolVersion, HistoryID: h.ID, UserID: a.UserID(), SessionID: a.SessionID}
	for i := range elements {
		e := &elements[i]
		if err := s.check(a, e); err != nil {
			return nil, err
		}
		name := e.Name
		if name == "" {
			name = "Uploaded file"
		}
		n.Outputs = append(n.Outputs, store.NewHDA{
			Name: name, Extension: e.Ext, State: galaxy.DatasetQueued, DBKey: e.DBKey, Info: e.Info,
		})
		n.OutputNames = append(n.OutputNames, fmt.Sprintf("output%d", i))
	}
	inner, err := json.Marshal(request{Elements: elements})
	if err != nil {
		return nil, err
	}
	for _, p := range []struct {
		name  string
		value any
	}{{"request_version", "1"}, {"request_json", string(inner)}, {"file_count", "0"}, {"files", []any{}}} {
		text, err := json.Marshal(p.value)
		if err != nil {
			return nil, err
		}
		value := string(text)
		n.Parameters = append(n.Parameters, store.JobParameter{Name: p.name, Value: &value})
	}
	return s.Jobs.Submit(ctx, n)
}

// check makes sure that the actor may use what an element refers to, and moves
// a long pasted text out of the request.
func (s *Service) check(a *galaxy.Actor, e *Element) error {
	if _, known := s.Jobs.KnownExtension(e.Ext); !known {
		return galaxy.Errorf(galaxy.Invalid, "There is no datatype %q; use \"auto\" to have the data recognised", e.Ext)
	}
	switch e.Src {
	case "path":
		if !a.Admin || !s.AllowPaths {
			return access.ConfigForbids("Only administrators may name files of the server, and only where allow_path_paste is set.")
		}
		if !filepath.IsAbs(e.Path) {
			return galaxy.Errorf(galaxy.Invalid, "The path %q is not absolute", e.Path)
		}
	case "files":
		size, err := s.Tus.Finished(a, e.Upload)
		if err != nil {
			return err
		}
		return s.tooLarge(size)
	case "pasted":
		if err := s.tooLarge(int64(len(e.PasteContent))); err != nil {
			return err
		}
		if len(e.PasteContent) > inlinePaste {
			id, err := s.Tus.Keep(a, []byte(e.PasteContent))
			if err != nil {
				return err
			}
			e.Src, e.Upload, e.PasteContent = "files", id, ""
		}
	}
	return nil
}

func (s *Service) tooLarge(size int64) error {
	if s.MaxBytes > 0 && size > s.MaxBytes {
		return galaxy.Errorf(galaxy.TooLarge, "The data have %d bytes, and this server accepts at most %d", size, s.MaxBytes)
	}
	return nil
}

// TakeFile keeps a file that came whole within a request (an older client's
// way), and gives the id under which an element refers to it.
func (s *Service) TakeFile(a *galaxy.Actor, from *os.File) (string, error) {
	return s.Tus.Adopt(a, from)
}
