package dataset

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"context"
	"io"
	"mime"
	"net/url"
	"os"
	"path"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/microcosm-cc/bluemonday"

	"orrery/internal/datatype"
	"orrery/internal/galaxy"
	"orrery/internal/store"
)

// How much of a file a preview shows, in bytes, as in Galaxy.
const (
	previewText   = 1_000_000
	previewHTML   = 50_000_000
	previewBinary = 100_000
)

// maxSanitized is how large HTML may be that is sanitised, in bytes; larger
// files are shown as plain text.
const maxSanitized = 10_000_000

// View says how a person wants to see a dataset.
type View struct {
	// Preview asks for the beginning, to look at, instead of the whole.
	Preview bool
	// Filename names one of the extra files.
	Filename string
	// ToExt asks for a download with that extension; "data" leaves the extension
	// to the server.
	ToExt string
	// Raw asks for the bytes, without the datatype's part in it.
	Raw bool
	// Offset asks for a piece of a table that begins at that byte, of ChunkSize
	// characters (0 for the default).
	Offset    *int64
	ChunkSize int
}

// Body is what is to be sent. Exactly one of File, Data and Chunk is set.
type Body struct {
	File  *os.File // to be closed by the receiver
	Data  []byte
	Chunk *datatype.Chunk
	// ContentType is complete.
	ContentType string
	// Header holds more headers.
	Header map[string]string
	// ModTime is when the contents last changed.
	ModTime time.Time
}

// Close closes the file, if there is one.
func (b *Body) Close() {
	if b.File != nil {
		_ = b.File.Close()
	}
}

// Display opens a dataset's contents in the form asked for.
func (s *Service) Display(ctx context.Context, a *galaxy.Actor, id int64, v View) (*Body, error) {
	item, err := s.Get(ctx, a, id)
	if err != nil {
		return nil, err
	}
	if err := onDisk(a, item); err != nil {
		return nil, err
	}
	body := &Body{Header: map[string]string{"X-Content-Type-Options": "nosniff"}, ModTime: item.Dataset.UpdateTime}
	t := s.Types.Type(item.Extension)
	name := strings.TrimLeft(v.Filename, "/")
	switch {
	case name != "" && name != "index":
		return body, s.extraFile(ctx, item, body, name, v.Raw)
	case v.Raw:
		body.ContentType = "application/octet-stream"
		return body, s.open(item, body)
	case v.Offset != nil && t.Chunkable:
		return body, s.chunk(item, body, *v.Offset, v.ChunkSize)
	case v.ToExt != "", t.Is("tabular.TabularData") && !v.Preview:
		body.ContentType = "application/octet-stream"
		body.Header["Content-Disposition"] = disposition(downloadName(item, v.ToExt))
		return body, s.open(item, body)
	case v.Preview && t.Is("tabular.TabularData") && !tooWide(item):
		body.Header["X-Content-Chunked"] = "true"
		return body, s.chunk(item, body, 0, 0)
	}
	return body, s.show(ctx, item, t, body, v.Preview)
}

// onDisk is an error unless a dataset has contents to look at.
func onDisk(a *galaxy.Actor, item *Item) error {
	mine := a.Admin || (a.UserID() != 0 && a.UserID() == item.History.UserID) || (item.History.UserID == 0 && a.HistoryID == item.History.ID)
	plain := func(message string) error {
		return &galaxy.Error{Kind: galaxy.Invalid, Message: message, Details: map[string]any{"err_code": 0}}
	}
	switch {
	case item.Purged || item.Dataset.Purged:
		return plain("The dataset you are attempting to view has been purged.")
	case item.Deleted && !mine:
		return plain("The dataset you are attempting to view has been deleted.")
	}
	switch item.State() {
	case galaxy.DatasetUpload:
		return galaxy.Errorf(galaxy.Conflict, "Please wait until this dataset finishes uploading before attempting to view it.")
	case galaxy.DatasetNew:
		return galaxy.Errorf(galaxy.Conflict, "The dataset you are attempting to view is new and has no data.")
	case galaxy.DatasetDiscarded:
		return plain("The dataset you are attempting to view has been discarded.")
	case galaxy.DatasetDeferred:
		return galaxy.Errorf(galaxy.Conflict, "The dataset you are attempting to view has deferred data. You can only use this dataset as input for jobs.")
	case galaxy.DatasetPaused:
		return galaxy.Errorf(galaxy.Conflict, "The dataset you are attempting to view is in paused state. One of the inputs for the job that creates this dataset has failed.")
	}
	return nil
}

func (s *Service) open(item *Item, body *Body) error {
	f, err := s.Objects.Open(StoreRef(&item.Dataset))
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		_ = f.Close()
		return err
	}
	body.File, body.ModTime = f, info.ModTime()
	return nil
}

// tooWide tells whether a table has so many columns that it is shown as text.
func tooWide(item *Item) bool {
	md, err := DecodeMetadata(item.Metadata)
	if err != nil {
		return true
	}
	columns, _ := md["columns"].(int64)
	return columns > 100
}

func (s *Service) chunk(item *Item, body *Body, offset int64, size int) error {
	file, err := s.Objects.Path(StoreRef(&item.Dataset))
	if err != nil {
		return err
	}
	if !s.Objects.Exists(StoreRef(&item.Dataset)) {
		return galaxy.Errorf(galaxy.NotFound, "The dataset's file is missing on disk.")
	}
	c, err := s.Types.ReadChunk(file, item.Extension, offset, size)
	if err != nil {
		return galaxy.Errorf(galaxy.Invalid, "The dataset cannot be shown as a table: %w", err)
	}
	body.Chunk, body.ContentType = &c, "application/json"
	return nil
}

// show puts a dataset into a page: the whole or, in a preview, what a browser
// can bear of it.
func (s *Service) show(ctx context.Context, item *Item, t *datatype.Type, body *Body, preview bool) error {
	if err := s.open(item, body); err != nil {
		return err
	}
	info, err := body.File.Stat()
	if err != nil {
		return err
	}
	binary := t.Is("binary.Binary") || t.Class == "data.Data"
	limit := int64(previewText)
	switch {
	case t.Is("text.Html"):
		limit = previewHTML
	case t.Is("binary.Binary"):
		limit = previewBinary
	}
	if preview && (binary || (info.Size() >= limit && !t.Is("images.Image"))) {
		return asText(body, limit, info.Size(), !binary)
	}
	return s.harmless(ctx, item, body, s.Types.MimeType(item.Extension))
}

// asText replaces a body's file by its beginning as plain text.
func asText(body *Body, limit, size int64, decompress bool) error {
	f := body.File
	defer func() { _ = f.Close() }()
	body.File, body.ContentType = nil, "text/plain; charset=utf-8"
	in, compressed := io.Reader(f), false
	if decompress {
		in, compressed = plain(f)
	}
	data, err := io.ReadAll(io.LimitReader(in, limit))
	if err != nil && len(data) == 0 {
		return galaxy.Errorf(galaxy.Invalid, "The dataset cannot be shown: %w", err)
	}
	if size > limit || (compressed && int64(len(data)) == limit) || !decompress && size > limit {
		body.Header["X-Content-Truncated"] = strconv.FormatInt(limit, 10)
	}
	body.Data = bytes.ToValidUTF8(data, []byte("\uFFFD"))
	return nil
}

// plain reads through gzip and bzip2.
func plain(f io.Reader) (r io.Reader, compressed bool) {
	buffered := bufio.NewReader(f)
	head, _ := buffered.Peek(3)
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		if gz, err := gzip.NewReader(buffered); err == nil {
			return gz, true
		}
	case bytes.HasPrefix(head, []byte("BZh")):
		return bzip2.NewReader(buffered), true
	}
	return buffered, false
}

// Content-Security-Policy of what people or tools wrote: no scripts, whatever
// the file holds.
const sandbox = "sandbox allow-same-origin allow-popups; script-src 'none'; object-src 'none'; base-uri 'none'; form-action 'none'"

// harmless gives an opened file a type under which a browser runs none of it.
func (s *Service) harmless(ctx context.Context, item *Item, body *Body, mimeType string) error {
	kind, _, err := mime.ParseMediaType(mimeType)
	if err != nil {
		kind, mimeType = "application/octet-stream", "application/octet-stream"
	}
	switch kind {
	case "text/html", "application/xhtml+xml":
		return s.html(ctx, item, body)
	case "image/svg+xml", "application/xml", "text/xml", "text/javascript", "application/javascript", "text/css", "text/xsl":
		if !s.ServeActive {
			mimeType = "text/plain"
		}
	}
	body.ContentType = mimeType
	if kind != "application/pdf" { // browsers' viewers refuse sandboxed documents
		body.Header["Content-Security-Policy"] = sandbox
	}
	return nil
}

// html shows HTML: as it is when its tool is trusted, else without anything
// that could act.
func (s *Service) html(ctx context.Context, item *Item, body *Body) error {
	body.ContentType = "text/html"
	jobs, err := store.CreatingJobs(ctx, s.DB, []*store.HDA{&item.HDA})
	if err != nil {
		body.Close()
		return err
	}
	job := jobs[item.ID]
	trusted := s.TrustHTML || (job.ToolID != "" && !job.Imported && s.TrustTool != nil && s.TrustTool(job.ToolID))
	if trusted {
		return nil
	}
	if job.Imported {
		body.Header["X-Sanitized-Job-Imported"] = "true"
	} else {
		body.Header["X-Sanitized-Tool-Id"] = oneLine(job.ToolID)
	}
	body.Header["Content-Security-Policy"] = sandbox
	info, err := body.File.Stat()
	if err != nil || info.Size() > maxSanitized {
		body.ContentType = "text/plain; charset=utf-8"
		return err
	}
	clean := htmlPolicy.SanitizeReader(io.LimitReader(body.File, maxSanitized))
	body.Close()
	body.File, body.Data, body.ContentType = nil, clean.Bytes(), "text/html; charset=utf-8"
	return nil
}

// htmlPolicy keeps text, tables, lists, links and pictures.
var htmlPolicy = func() *bluemonday.Policy {
	p := bluemonday.UGCPolicy()
	p.AllowDataURIImages()
	p.AllowElements("center", "font", "u", "title", "caption")
	p.AllowAttrs("align", "valign", "bgcolor", "width", "height", "border", "cellpadding", "cellspacing").
		OnElements("table", "tr", "td", "th", "tbody", "thead", "img")
	p.AllowAttrs("color", "size").OnElements("font")
	return p
}()

// extraFile opens one of a dataset's extra files.
func (s *Service) extraFile(ctx context.Context, item *Item, body *Body, name string, raw bool) error {
	f, err := s.Objects.OpenExtra(StoreRef(&item.Dataset), name)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil || info.IsDir() {
		_ = f.Close()
		if err == nil {
			err = galaxy.Errorf(galaxy.NotFound, "'%s' is a folder of the dataset's extra files.", name)
		}
		return err
	}
	body.File, body.ModTime = f, info.ModTime()
	if raw {
		body.ContentType = "application/octet-stream"
		return nil
	}
	mimeType := mime.TypeByExtension(path.Ext(name))
	if mimeType == "" {
		ext := strings.TrimPrefix(path.Ext(name), ".")
		mimeType = "text/plain"
		if _, ok := s.Types.Lookup(ext); ok {
			mimeType = s.Types.MimeType(ext)
		}
	}
	return s.harmless(ctx, item, body, mimeType)
}

// downloadName is the name that a download is saved under.
func downloadName(item *Item, ext string) string {
	if ext == "" || ext == "data" {
		ext = item.Extension
	}
	return "Galaxy" + strconv.FormatInt(item.HID, 10) + "-[" + item.Name + "]." + ext
}

// fileNameChars are the characters that a download's name keeps.
const fileNameChars = ".,^_-()[]0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

// disposition is the Content-Disposition of a download: the name in plain
// characters, and once more in all of them.
func disposition(target string) string {
	target = strings.TrimSpace(target)
	ext := path.Ext(target)
	base := strings.TrimSuffix(target, ext)
	ext = keep(ext)
	limit := max(1, 255-len(ext))
	ascii := keep(base)
	ascii = ascii[:min(len(ascii), limit)]
	var utf8 strings.Builder
	for _, r := range base {
		if strings.ContainsRune(`/\?%*:|"<>`, r) || r < ' ' || r == 0x7f || unicode.Is(unicode.Bidi_Control, r) {
			r = '_' // also what would show the name's ending elsewhere
		}
		piece := strings.ReplaceAll(url.QueryEscape(string(r)), "+", "%20")
		if utf8.Len()+len(piece) > limit {
			break
		}
		utf8.WriteString(piece)
	}
	return `attachment; filename="` + ascii + ext + `"; filename*=UTF-8''` + utf8.String() + url.QueryEscape(ext)
}

func keep(s string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(fileNameChars, r) {
			return r
		}
		return '_'
	}, s)
}

// oneLine makes a text fit for a header.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
}

// Text is the beginning of a dataset as text.
type Text struct {
	// Data is nil when the dataset is not text.
	Data      *string
	Truncated bool
}

// Text reads the beginning of a text dataset, or of one of its extra files.
func (s *Service) Text(ctx context.Context, a *galaxy.Actor, id int64, filename string) (*Item, Text, error) {
	item, err := s.Get(ctx, a, id)
	if err != nil {
		return nil, Text{}, err
	}
	if item.State() == galaxy.DatasetUpload {
		return nil, Text{}, galaxy.Errorf(galaxy.Conflict, "Please wait until this dataset finishes uploading")
	}
	var f *os.File
	switch name := strings.TrimLeft(filename, "/"); {
	case name != "" && name != "index":
		if f, err = s.Objects.OpenExtra(StoreRef(&item.Dataset), name); err != nil {
			return nil, Text{}, err
		}
	case !s.Types.Type(item.Extension).Is("data.Text") || !s.Objects.Exists(StoreRef(&item.Dataset)):
		return item, Text{}, nil
	default:
		if f, err = s.Objects.Open(StoreRef(&item.Dataset)); err != nil {
			return nil, Text{}, err
		}
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, Text{}, err
	}
	in, _ := plain(f)
	data, err := io.ReadAll(io.LimitReader(in, previewText))
	if err != nil {
		return nil, Text{}, galaxy.Errorf(galaxy.Invalid, "Cannot generate text preview for dataset.")
	}
	text := strings.ToValidUTF8(string(data), "\uFFFD")
	return item, Text{Data: &text, Truncated: info.Size() > previewText}, nil
}
