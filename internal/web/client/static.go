package client

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path"
	"strconv"
	"strings"
	"sync"
)

// The pictures and the welcome page are our own; Galaxy's are not part of the client's package.
//
//go:embed assets
var assets embed.FS

func (c *Client) addBuiltin() {
	err := fs.WalkDir(assets, "assets", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := assets.ReadFile(name)
		if err != nil {
			return err
		}
		address := strings.TrimPrefix(name, "assets/")
		contentType, compress := typeOf(address)
		c.files[address] = &file{builtin: data, contentType: contentType, compress: compress, size: int64(len(data))}
		return nil
	})
	if err != nil { // the files are part of the program
		panic(err)
	}
}

// StaticPath turns the path of a request into the name of a static file: what follows /static/, and the few files that
// browsers and robots ask for at the root. ok is false for any other path.
func StaticPath(urlPath string) (name string, ok bool) {
	switch urlPath {
	case "/favicon.ico", "/favicon.svg", "/robots.txt":
		return urlPath[1:], true
	}
	return strings.CutPrefix(urlPath, "/static/")
}

// ServeStatic answers GET and HEAD for the paths of StaticPath, 404 for what is not a file of the client.
func (c *Client) ServeStatic(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "Static files can only be read.", http.StatusMethodNotAllowed)
		return
	}
	name, ok := StaticPath(r.URL.Path)
	f := c.files[name]
	if !ok || f == nil {
		message := "There is no such file."
		if c.missing != "" && strings.HasPrefix(name, "dist/") {
			message = "The web client is not installed: " + c.missing + ". To get it, " + HowToGet + "."
		}
		w.Header().Set("Cache-Control", "no-store")
		http.Error(w, message, http.StatusNotFound)
		return
	}
	if err := c.serve(w, r, f); err != nil {
		w.Header().Del("Content-Encoding")
		w.Header().Del("Etag")
		w.Header().Set("Cache-Control", "no-store")
		http.Error(w, "This file of the web client cannot be read; was the client replaced while the server ran? Restart the server.",
			http.StatusInternalServerError)
	}
}

// serve writes nothing when it returns an error.
func (c *Client) serve(w http.ResponseWriter, r *http.Request, f *file) error {
	tag, err := f.etag()
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", f.contentType)
	h.Set("X-Content-Type-Options", "nosniff")
	if f.hashed {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	} else {
		// The same name will have other content after an upgrade: browsers keep it, but ask whether it is still right.
		h.Set("Cache-Control", "no-cache")
	}
	plain := func() (io.ReadSeeker, io.Closer, error) { return f.open() }
	if f.compress {
		h.Add("Vary", "Accept-Encoding")
		if acceptsGzip(r.Header.Get("Accept-Encoding")) && r.Header.Get("Range") == "" {
			if packed, closer := c.compressed(f); packed != nil {
				defer closer.Close()
				h.Set("Content-Encoding", "gzip")
				h.Set("Etag", `"`+tag+`-gz"`)
				http.ServeContent(w, r, "", f.modified, packed)
				return nil
			}
		}
	}
	content, closer, err := plain()
	if err != nil {
		return err
	}
	defer closer.Close()
	h.Set("Etag", `"`+tag+`"`)
	http.ServeContent(w, r, "", f.modified, content)
	return nil
}

func (f *file) open() (io.ReadSeeker, io.Closer, error) {
	if f.builtin != nil {
		return bytes.NewReader(f.builtin), io.NopCloser(nil), nil
	}
	opened, err := os.Open(f.name)
	if err != nil {
		return nil, nil, err
	}
	return opened, opened, nil
}

// etag is made of the content, so that every worker on every host gives the same one. A hash that is in the name already
// need not be computed again.
func (f *file) etag() (string, error) {
	f.tag.Do(func() {
		if f.hashed {
			f.tagged = strings.TrimSuffix(path.Base(f.name), path.Ext(f.name))
			return
		}
		content, closer, err := f.open()
		if err != nil {
			f.tagFail = err
			return
		}
		defer closer.Close()
		sum := sha256.New()
		if _, err := io.Copy(sum, content); err != nil {
			f.tagFail = err
			return
		}
		f.tagged = base64.RawURLEncoding.EncodeToString(sum.Sum(nil)[:12])
	})
	return f.tagged, f.tagFail
}

// packedLimit bounds the memory spent on compressing files that have no compressed copy on disk.
const packedLimit = 16 << 20

// packedCache holds files compressed while serving; fetch-client leaves compressed copies on disk, so this is for the
// few built-in files and for clients that were unpacked in another way. A file is compressed once; when the limit is
// reached, further ones are sent as they are.
type packedCache struct {
	mu   sync.Mutex
	used int
	data map[*file][]byte
}

// compressed returns the file's gzip form, or nil when it is to be sent plain.
func (c *Client) compressed(f *file) (io.ReadSeeker, io.Closer) {
	if f.gz != "" {
		if opened, err := os.Open(f.gz); err == nil {
			return opened, opened
		}
		return nil, nil // the plain file is still an answer
	}
	const smallest = 1 << 10
	if f.size < smallest || f.size > packedLimit {
		return nil, nil
	}
	c.packed.mu.Lock()
	defer c.packed.mu.Unlock()
	data, done := c.packed.data[f]
	if !done {
		data = pack(f)
		if c.packed.used+len(data) > packedLimit {
			data = nil
		}
		c.packed.used += len(data)
		if c.packed.data == nil {
			c.packed.data = make(map[*file][]byte)
		}
		c.packed.data[f] = data
	}
	if data == nil {
		return nil, nil
	}
	return bytes.NewReader(data), io.NopCloser(nil)
}

func pack(f *file) []byte {
	content, closer, err := f.open()
	if err != nil {
		return nil
	}
	defer closer.Close()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := io.Copy(z, io.LimitReader(content, packedLimit)); err != nil {
		return nil
	}
	if err := z.Close(); err != nil || int64(out.Len()) >= f.size {
		return nil
	}
	return bytes.Clone(out.Bytes())
}

// acceptsGzip reads an Accept-Encoding header: gzip named (or *) with a quality above 0.
func acceptsGzip(header string) bool {
	star := false
	for part := range strings.SplitSeq(header, ",") {
		coding, params, _ := strings.Cut(part, ";")
		quality := 1.0
		if q, ok := strings.CutPrefix(strings.ReplaceAll(params, " ", ""), "q="); ok {
			parsed, err := strconv.ParseFloat(q, 64)
			if err != nil {
				parsed = 0
			}
			quality = parsed
		}
		switch strings.ToLower(strings.TrimSpace(coding)) {
		case "gzip", "x-gzip":
			return quality > 0
		case "*":
			star = quality > 0
		}
	}
	return star
}
