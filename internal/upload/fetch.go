package upload

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"orrery/internal/datatype"
	"orrery/internal/galaxy"
)

// Order is what the data-fetch command works on, a file of the job's.
type Order struct {
	Items []Item `json:"items"`
	// Uploads is the folder of uploaded files.
	Uploads string `json:"uploads"`
	// Temp is a folder for files on their way, in the object store's file
	// system where possible.
	Temp         string         `json:"temp"`
	Allowlist    []netip.Prefix `json:"fetch_url_allowlist"`
	CheckContent bool           `json:"check_content"`
	// MaxBytes bounds one dataset; 0 for no bound.
	MaxBytes int64 `json:"max_bytes"`
	// Report is the file that says what became of each item.
	Report string `json:"report"`
}

// Item is one dataset of an Order.
type Item struct {
	Element
	// Output is the output's name, Dataset the file to write.
	Output  string `json:"output"`
	Dataset string `json:"dataset"`
}

// Result is what became of an Item.
type Result struct {
	Output string `json:"output"`
	Ext    string `json:"ext"`
	Name   string `json:"name,omitempty"`
	Info   string `json:"info,omitempty"`
	DBKey  string `json:"dbkey,omitempty"`
	Error  string `json:"error,omitempty"`
}

// Fetch carries an order out. An item that fails does not keep the others from
// arriving; the error is about the order as a whole.
func Fetch(ctx context.Context, orderFile string, out io.Writer) error {
	text, err := os.ReadFile(orderFile)
	if err != nil {
		return err
	}
	var o Order
	if err := json.Unmarshal(text, &o); err != nil {
		return fmt.Errorf("%s: %w", orderFile, err)
	}
	f := fetcher{order: &o, types: datatype.Default(), client: httpClient(o.Allowlist)}
	results := make([]Result, len(o.Items))
	failed := 0
	for i := range o.Items {
		results[i] = f.item(ctx, &o.Items[i])
		if results[i].Error != "" {
			failed++
			fmt.Fprintf(out, "%s: %s\n", o.Items[i].Name, results[i].Error)
		}
	}
	report, err := json.Marshal(results)
	if err != nil {
		return err
	}
	part := o.Report + ".part"
	if err := os.WriteFile(part, report, 0o644); err != nil {
		return err
	}
	return os.Rename(part, o.Report)
}

// fetcher carries out one order.
type fetcher struct {
	order  *Order
	types  *datatype.Registry
	client *http.Client
}

func (f *fetcher) item(ctx context.Context, it *Item) Result {
	r := Result{Output: it.Output, Ext: it.Ext, DBKey: it.DBKey}
	file, ours, err := f.obtain(ctx, it)
	if err == nil {
		err = f.place(it, file, ours, &r)
	}
	if err != nil {
		r.Error = ExplainLocal(err).Error()
		if r.Ext == "auto" {
			r.Ext = "data"
		}
	}
	if ours && file != "" {
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) && r.Error == "" {
			r.Info = strings.TrimSpace(r.Info + "\n" + err.Error())
		}
	}
	return r
}

// ExplainLocal says in a person's words that the server has no room, as an error
// of kind galaxy.InsufficientStorage; other errors stay as they are.
func ExplainLocal(err error) error {
	switch {
	case errors.Is(err, unix.ENOSPC):
		return galaxy.Errorf(galaxy.InsufficientStorage, "the server's disk is full, so the data could not be stored; tell its administrator, then try again")
	case errors.Is(err, unix.EDQUOT):
		return galaxy.Errorf(galaxy.InsufficientStorage, "the server's disk quota is used up, so the data could not be stored; tell its administrator, then try again")
	}
	return err
}

// obtain gives a local file with the item's bytes, and whether it is ours to
// move and remove.
func (f *fetcher) obtain(ctx context.Context, it *Item) (path string, ours bool, err error) {
	switch it.Src {
	case "pasted":
		path, err = f.write(strings.NewReader(it.PasteContent))
		return path, true, err
	case "url":
		path, err = f.download(ctx, it.URL)
		return path, true, err
	case "files":
		if !validUploadID(it.Upload) {
			return "", false, errors.New("the uploaded file's id is malformed")
		}
		path = filepath.Join(f.order.Uploads, it.Upload)
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return "", false, errors.New("the uploaded file is not there any more; send it again")
		} else if err != nil {
			return "", false, err
		}
		return path, true, nil
	case "path":
		// A pipe would hold the job up, and a device never end.
		if info, err := os.Stat(it.Path); err != nil {
			return "", false, err
		} else if !info.Mode().IsRegular() {
			return "", false, fmt.Errorf("%s is not a file", it.Path)
		}
		return it.Path, false, nil
	}
	return "", false, fmt.Errorf("unknown source %q", it.Src)
}

func (f *fetcher) write(r io.Reader) (string, error) {
	tmp, err := os.CreateTemp(f.order.Temp, "fetch-*")
	if err != nil {
		return "", err
	}
	limited := r
	if f.order.MaxBytes > 0 {
		limited = io.LimitReader(r, f.order.MaxBytes+1)
	}
	n, err := io.Copy(tmp, limited)
	if err == nil && f.order.MaxBytes > 0 && n > f.order.MaxBytes {
		err = fmt.Errorf("the data are larger than the %s that this server accepts", datatype.NiceSize(f.order.MaxBytes))
	}
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		_ = os.Remove(tmp.Name())
		return "", err
	}
	return tmp.Name(), nil
}

// download fetches an address. It gives up when nothing arrives for a while,
// however large the whole is.
func (f *fetcher) download(ctx context.Context, address string) (string, error) {
	if _, err := checkURL(address); err != nil {
		return "", err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", err
	}
	request.Header.Set("User-Agent", "Orrery")
	watch := time.AfterFunc(stalled, cancel)
	defer watch.Stop()
	response, err := f.client.Do(request)
	if err != nil {
		return "", explainFetch(address, err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s cannot be fetched: its server answers «%s»; check the address", address, response.Status)
	}
	if f.order.MaxBytes > 0 && response.ContentLength > f.order.MaxBytes {
		return "", fmt.Errorf("%s has %s, more than the %s that this server accepts", address,
			datatype.NiceSize(response.ContentLength), datatype.NiceSize(f.order.MaxBytes))
	}
	path, err := f.write(&progress{r: response.Body, again: func() { watch.Reset(stalled) }})
	if err != nil {
		return "", explainFetch(address, err)
	}
	return path, nil
}

// progress calls again whenever bytes arrive.
type progress struct {
	r     io.Reader
	again func()
}

func (p *progress) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	if n > 0 {
		p.again()
	}
	return n, err
}

// place brings the file into the form datasets have and puts it where the
// dataset belongs.
func (f *fetcher) place(it *Item, file string, ours bool, r *Result) error {
	prepared, err := f.types.PrepareUpload(file, datatype.UploadOptions{
		Ext: it.Ext, Name: it.Name, ToPosixLines: it.ToPosixLines, SpaceToTab: it.SpaceToTab, KeepCompressed: !it.AutoDecompress,
		SkipCheck: !f.order.CheckContent, TempDir: f.order.Temp, MaxBytes: f.order.MaxBytes,
	})
	if err != nil {
		return err
	}
	r.Ext = prepared.Ext
	r.Info = strings.TrimSpace(strings.Join([]string{it.Info, "uploaded " + prepared.Ext + " file", prepared.Warning}, "\n"))
	made := prepared.Path != file
	if made || ours {
		err = move(prepared.Path, it.Dataset)
	} else {
		err = copyFile(prepared.Path, it.Dataset)
	}
	if err != nil && made {
		_ = os.Remove(prepared.Path)
	}
	return err
}

// move renames a file to its place, or copies it there from another file
// system.
func move(from, to string) error {
	err := os.Rename(from, to)
	if err == nil {
		return os.Chmod(to, 0o644)
	}
	if !errors.Is(err, unix.EXDEV) {
		return err
	}
	if err := copyFile(from, to); err != nil {
		return err
	}
	return os.Remove(from)
}

func copyFile(from, to string) (err error) {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	info, err := src.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return galaxy.Errorf(galaxy.Invalid, "%s is not a file", from)
	}
	dst, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := dst.Close(); err == nil {
			err = cerr
		}
	}()
	_, err = io.Copy(dst, src)
	return err
}

// validUploadID tells whether an id can be the name of an uploaded file.
func validUploadID(id string) bool {
	if id == "" || len(id) > 128 {
		return false
	}
	for _, c := range id {
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '-' || c == '_') {
			return false
		}
	}
	return true
}
