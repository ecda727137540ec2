package api

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"

	"orrery/internal/datatype"
	"orrery/internal/galaxy"
	"orrery/internal/upload"
)

// Uploads is the API that brings data in: /api/tools/fetch, and requests to run
// Galaxy's older tool upload1.
type Uploads struct {
	Service   *upload.Service
	Datatypes *datatype.Registry
}

// Register adds the routes.
func (u *Uploads) Register(rt *Router) {
	rt.Handle("POST /api/tools/fetch", u.fetch)
	rt.Handle("GET /api/proxy", u.look) // HEAD too
}

// fields are a request's fields as JSON values, whatever form they came in.
type fields map[string]json.RawMessage

// text reads a field that is a string or a number.
func (f fields) text(name string) string {
	raw, ok := f[name]
	if !ok {
		return ""
	}
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return strings.Trim(string(raw), `"`)
}

// readFields reads a JSON body or a form. The files of a form are kept as
// finished uploads, and stand in the fields as {"session_id", "name"}.
func (u *Uploads) readFields(r *Request) (fields, error) {
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		kind = "application/json"
	}
	f := fields{}
	switch kind {
	case "multipart/form-data":
		return f, u.readForm(r, params["boundary"], f)
	case "application/x-www-form-urlencoded":
		r.Body = http.MaxBytesReader(r.W, r.Body, r.router.MaxBody)
		if err := r.ParseForm(); err != nil {
			return nil, badRequest("The form cannot be read: %v", err)
		}
		for name, values := range r.PostForm {
			if f[name], err = json.Marshal(values[0]); err != nil {
				return nil, err
			}
		}
		return f, nil
	}
	return f, r.JSON(&f)
}

// maxParts bounds the fields and files of one form.
const maxParts = 10000

func (u *Uploads) readForm(r *Request, boundary string, f fields) error {
	if r.Actor.UserID() == 0 && r.Actor.SessionID == 0 {
		return galaxy.Errorf(galaxy.Unauthenticated, "Log in to upload files")
	}
	form := multipart.NewReader(r.Body, boundary)
	budget := r.router.MaxBody
	for parts := 0; ; parts++ {
		part, err := form.NextPart()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return badRequest("The upload was cut off or is malformed: %v", err)
		}
		if parts == maxParts {
			return galaxy.Errorf(galaxy.TooLarge, "A form can have at most %d fields", maxParts)
		}
		name := part.FormName()
		if part.FileName() == "" {
			text, err := io.ReadAll(io.LimitReader(part, budget+1))
			if err != nil {
				return badRequest("The upload was cut off: %v", err)
			}
			if budget -= int64(len(name) + len(text)); budget < 0 {
				return galaxy.Errorf(galaxy.TooLarge, "The fields of this form are too large")
			}
			if f[name], err = json.Marshal(string(text)); err != nil {
				return err
			}
			continue
		}
		id, err := u.keep(r, part)
		if err != nil {
			return err
		}
		if f[name], err = json.Marshal(upload.File{SessionID: id, Name: part.FileName()}); err != nil {
			return err
		}
	}
}

// keep stores a file of a form, without holding it in memory.
func (u *Uploads) keep(r *Request, part io.Reader) (string, error) {
	tmp, err := os.CreateTemp(u.Service.Tus.Dir(), "form-*")
	if err != nil {
		return "", upload.ExplainLocal(err)
	}
	defer func() {
		_ = tmp.Close()
		_ = os.Remove(tmp.Name()) // already moved if all went well
	}()
	limited := part
	if u.Service.MaxBytes > 0 {
		limited = io.LimitReader(part, u.Service.MaxBytes+1)
	}
	n, err := io.Copy(tmp, limited)
	var disk *os.PathError
	if errors.As(err, &disk) {
		return "", upload.ExplainLocal(err)
	}
	if err != nil {
		return "", badRequest("The upload was cut off: %v", err)
	}
	if u.Service.MaxBytes > 0 && n > u.Service.MaxBytes {
		return "", galaxy.Errorf(galaxy.TooLarge, "The file is larger than the %d bytes that this server accepts", u.Service.MaxBytes)
	}
	return u.Service.TakeFile(r.Actor, tmp)
}

// files gives the uploaded files of a request in the order of their numbers.
func (f fields) files() []upload.File {
	type numbered struct {
		n    int
		file upload.File
	}
	var found []numbered
	for name := range f {
		n, rest, ok := strings.Cut(strings.TrimPrefix(name, "files_"), "|")
		i, err := strconv.Atoi(n)
		if !ok || rest != "file_data" || err != nil || !strings.HasPrefix(name, "files_") {
			continue
		}
		var file upload.File
		if json.Unmarshal(f[name], &file) != nil {
			var inner string
			if json.Unmarshal(f[name], &inner) != nil || json.Unmarshal([]byte(inner), &file) != nil {
				continue
			}
		}
		if file.SessionID != "" {
			found = append(found, numbered{i, file})
		}
	}
	slices.SortFunc(found, func(a, b numbered) int { return a.n - b.n })
	out := make([]upload.File, len(found))
	for i, n := range found {
		out[i] = n.file
	}
	return out
}

func (u *Uploads) fetch(r *Request) (any, error) {
	f, err := u.readFields(r)
	if err != nil {
		return nil, err
	}
	if len(f["targets"]) == 0 {
		return nil, badRequest("The request says not what to upload (targets)")
	}
	decompress := strings.EqualFold(f.text("auto_decompress"), "true")
	elements, err := upload.ParseTargets(f["targets"], f.files(), decompress)
	if err != nil {
		return nil, err
	}
	return u.submit(r, f.text("history_id"), elements)
}

func (u *Uploads) submit(r *Request, history string, elements []upload.Element) (any, error) {
	var historyID int64
	if history != "" {
		var err error
		if historyID, err = r.DecodeID(history); err != nil {
			return nil, err
		}
	}
	created, err := u.Service.Submit(r.Ctx(), r.Actor, historyID, elements)
	if err != nil {
		return nil, err
	}
	answer := newToolAnswer()
	answer.add(r, u.Datatypes, created)
	return answer, nil
}

// upload1 runs a request for Galaxy's older upload tool, whose inputs are flat
// fields such as "files_0|url_paste".
func (u *Uploads) upload1(r *Request, f fields) (any, error) {
	inputs := fields{}
	if raw := f["inputs"]; len(raw) > 0 {
		var text string
		if json.Unmarshal(raw, &text) == nil {
			raw = json.RawMessage(text)
		}
		if err := json.Unmarshal(raw, &inputs); err != nil {
			return nil, badRequest("The inputs are not a JSON object: %v", err)
		}
	}
	maps.Copy(inputs, f) // a form's files stand beside the inputs
	files := inputs.files()
	paste := inputs.text("files_0|url_paste")
	base := upload.Element{
		Ext: inputs.text("file_type"), DBKey: inputs.text("dbkey"), Name: inputs.text("files_0|NAME"), AutoDecompress: true,
		ToPosixLines: isYes(inputs, "files_0|to_posix_lines", true), SpaceToTab: isYes(inputs, "files_0|space_to_tab", false),
	}
	var targets []map[string]any
	element := func(src string, with map[string]any) {
		e := map[string]any{
			"src": src, "ext": base.Ext, "dbkey": base.DBKey, "to_posix_lines": base.ToPosixLines, "space_to_tab": base.SpaceToTab,
		}
		if base.Name != "" {
			e["name"] = base.Name
		}
		maps.Copy(e, with)
		targets = append(targets, e)
	}
	for range files {
		element("files", nil)
	}
	if paste != "" {
		if urls, only := upload.SplitURLs(paste); only {
			for _, address := range urls {
				element("url", map[string]any{"url": address})
			}
		} else {
			element("pasted", map[string]any{"paste_content": paste})
		}
	}
	if len(targets) == 0 {
		return nil, badRequest("There is nothing to upload: send a file, an address or some text")
	}
	text, err := json.Marshal([]any{map[string]any{"destination": map[string]any{"type": "hdas"}, "elements": targets}})
	if err != nil {
		return nil, err
	}
	elements, err := upload.ParseTargets(text, files, true)
	if err != nil {
		return nil, err
	}
	return u.submit(r, f.text("history_id"), elements)
}

func isYes(f fields, name string, def bool) bool {
	switch strings.ToLower(f.text(name)) {
	case "yes", "true", "on", "1":
		return true
	case "no", "false", "off", "0", "null", "none":
		return false
	}
	return def
}

// look lets the client look at an address before it uploads from there.
func (u *Uploads) look(r *Request) (any, error) {
	if err := r.RequireUser(); err != nil {
		return nil, err
	}
	return Written{}, u.Service.Look(r.Ctx(), r.W, r.Method, r.Param("url"), r.Header.Get("Range"))
}
