package upload

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/tus/tusd/v2/pkg/filestore"
	tus "github.com/tus/tusd/v2/pkg/handler"
	"golang.org/x/exp/slog"
	"golang.org/x/sys/unix"

	"orrery/internal/galaxy"
)

// Endpoint is where uploads are made.
const Endpoint = "/api/upload/resumable_upload/"

// ownerKey is the metadata of an upload that says whose it is. People cannot
// set it: it is overwritten when the upload is created.
const ownerKey = "orrery_owner"

// Tus receives files in resumable chunks. An upload belongs to who began it,
// and nobody else can continue, see or use it.
type Tus struct {
	dir     string
	handler http.Handler
	auth    func(w http.ResponseWriter, r *http.Request) (*galaxy.Actor, error)
	fail    func(w http.ResponseWriter, r *http.Request, err error)
}

// TusOptions describe the receiving of uploads.
type TusOptions struct {
	// Dir is tus_upload_store.
	Dir string
	// Prefix is galaxy_url_prefix, "" at the root.
	Prefix string
	// MaxBytes bounds one upload; 0 for no bound.
	MaxBytes int64
	// Authenticate finds out who asks.
	Authenticate func(w http.ResponseWriter, r *http.Request) (*galaxy.Actor, error)
	// Fail answers with an error in Galaxy's form.
	Fail func(w http.ResponseWriter, r *http.Request, err error)
}

// NewTus prepares the folder and the protocol's handler.
func NewTus(o TusOptions) (*Tus, error) {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("making tus_upload_store: %w", err)
	}
	t := &Tus{dir: o.Dir, auth: o.Authenticate, fail: o.Fail}
	composer := tus.NewStoreComposer()
	filestore.New(o.Dir).UseIn(composer)
	composer.UseLocker(newLocker(o.Dir))
	// Joining uploads would read other people's by their ids.
	composer.UsesConcater = false
	h, err := tus.NewHandler(tus.Config{
		StoreComposer: composer, BasePath: o.Prefix + Endpoint, MaxSize: o.MaxBytes, RespectForwardedHeaders: true,
		DisableDownload: true, Cors: &tus.CorsConfig{Disable: true}, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
		PreUploadCreateCallback: t.begin,
	})
	if err != nil {
		return nil, fmt.Errorf("preparing resumable uploads: %w", err)
	}
	t.handler = http.StripPrefix(strings.TrimSuffix(Endpoint, "/"), h)
	return t, nil
}

// ownerHeader carries the owner from ServeHTTP to begin. What a client sends
// under this name is removed.
const ownerHeader = "Orrery-Upload-Owner"

// owner names an actor in an upload's metadata.
func owner(a *galaxy.Actor) string {
	if id := a.UserID(); id != 0 {
		return "user " + strconv.FormatInt(id, 10)
	}
	return "session " + strconv.FormatInt(a.SessionID, 10)
}

// ServeHTTP speaks the protocol.
func (t *Tus) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Header.Del(ownerHeader)
	if r.Method != http.MethodOptions {
		a, err := t.auth(w, r)
		if err == nil && a.UserID() == 0 && a.SessionID == 0 {
			err = galaxy.Errorf(galaxy.Unauthenticated, "Log in to upload files")
		}
		if err == nil {
			if id := strings.TrimPrefix(r.URL.Path, Endpoint); id != "" && id != r.URL.Path {
				// Whatever the method: a POST may be any other by its header
				// X-HTTP-Method-Override.
				_, err = t.find(a, id)
			}
		}
		if err != nil {
			t.fail(w, r, err)
			return
		}
		r.Header.Set(ownerHeader, owner(a))
	}
	t.handler.ServeHTTP(w, r)
}

// begin marks a new upload with its owner, and refuses one that would not fit
// on the disk.
func (t *Tus) begin(hook tus.HookEvent) (tus.HTTPResponse, tus.FileInfoChanges, error) {
	var fsInfo unix.Statfs_t
	if err := unix.Statfs(t.dir, &fsInfo); err == nil {
		if free := int64(fsInfo.Bavail) * fsInfo.Bsize; hook.Upload.Size > free {
			return tus.HTTPResponse{}, tus.FileInfoChanges{}, tus.NewError("ERR_NO_SPACE",
				fmt.Sprintf("The server's disk has no room for a file of %d bytes; tell its administrator.", hook.Upload.Size), http.StatusInsufficientStorage)
		}
	}
	metadata := tus.MetaData{}
	for k, v := range hook.Upload.MetaData {
		metadata[k] = v
	}
	metadata[ownerKey] = hook.HTTPRequest.Header.Get(ownerHeader)
	return tus.HTTPResponse{}, tus.FileInfoChanges{MetaData: metadata}, nil
}

// info is what the store keeps beside an upload.
type info struct {
	ID       string
	Size     int64
	Offset   int64
	MetaData map[string]string
}

// find reads an upload of the actor's.
func (t *Tus) find(a *galaxy.Actor, id string) (*info, error) {
	missing := galaxy.Errorf(galaxy.NotFound, "There is no such upload; send the file again")
	if !validUploadID(id) {
		return nil, missing
	}
	text, err := os.ReadFile(filepath.Join(t.dir, id+".info"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, missing
	}
	if err != nil {
		return nil, err
	}
	var in info
	if err := json.Unmarshal(text, &in); err != nil {
		return nil, err
	}
	if in.MetaData[ownerKey] != owner(a) {
		return nil, missing
	}
	return &in, nil
}

// Finished makes sure that an upload is the actor's and complete, and gives its
// size in bytes.
func (t *Tus) Finished(a *galaxy.Actor, id string) (int64, error) {
	in, err := t.find(a, id)
	if err != nil {
		return 0, err
	}
	stat, err := os.Stat(filepath.Join(t.dir, id))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, galaxy.Errorf(galaxy.NotFound, "This upload was used already; send the file again")
	}
	if err != nil {
		return 0, err
	}
	if stat.Size() != in.Size {
		return 0, galaxy.Errorf(galaxy.Invalid, "The upload is not complete: %d of %d bytes have arrived; continue it first", stat.Size(), in.Size)
	}
	return in.Size, nil
}

// Keep stores bytes as a finished upload of the actor's.
func (t *Tus) Keep(a *galaxy.Actor, data []byte) (string, error) {
	id := strings.ToLower(rand.Text())
	path := filepath.Join(t.dir, id)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		_ = os.Remove(path)
		return "", ExplainLocal(err)
	}
	return id, t.mark(a, id, int64(len(data)))
}

// Adopt takes a complete file, which must lie in the store's file system or can
// be copied there, as a finished upload of the actor's.
func (t *Tus) Adopt(a *galaxy.Actor, from *os.File) (string, error) {
	stat, err := from.Stat()
	if err != nil {
		return "", err
	}
	id := strings.ToLower(rand.Text())
	if err := move(from.Name(), filepath.Join(t.dir, id)); err != nil {
		return "", ExplainLocal(err)
	}
	return id, t.mark(a, id, stat.Size())
}

func (t *Tus) mark(a *galaxy.Actor, id string, size int64) error {
	text, err := json.Marshal(info{ID: id, Size: size, Offset: size, MetaData: map[string]string{ownerKey: owner(a)}})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(t.dir, id+".info"), text, 0o600)
}

// Dir is where uploads are kept; files that are to be adopted are best written
// there.
func (t *Tus) Dir() string { return t.dir }

// Sweep removes what was left behind: uploads that nobody continued for a time,
// and the notes of those that were used.
func (t *Tus) Sweep(now time.Time, older time.Duration) error {
	entries, err := os.ReadDir(t.dir)
	if err != nil {
		return err
	}
	var failed error
	for _, e := range entries {
		in, err := e.Info()
		if err != nil || !in.Mode().IsRegular() || now.Sub(in.ModTime()) < older {
			continue
		}
		// An upload's note is as old as its last chunk only where the store
		// rewrites it; its data decide.
		if data, ok := strings.CutSuffix(e.Name(), ".info"); ok {
			if d, err := os.Stat(filepath.Join(t.dir, data)); err == nil && now.Sub(d.ModTime()) < older {
				continue
			}
		}
		if err := os.Remove(filepath.Join(t.dir, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			failed = errors.Join(failed, err)
		}
	}
	return failed
}
