package client

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"
)

// HowToGet tells a person what to do when the client is not there.
const HowToGet = "run «make client» in Orrery's checkout (it needs Python 3 with pip and the network), then restart the server"

// Client is one unpacked web client, or the knowledge that there is none. It is safe for concurrent use and never
// changes after Open: a newer client is served after a restart.
type Client struct {
	missing string
	version string
	files   map[string]*file // by address below /static/, e.g. "dist/base.css"

	packed packedCache
}

// file is one file that may be served. Only files found while walking the folder exist for the server, so no address
// can reach anything else.
type file struct {
	name        string // on disk; empty for the built-in ones
	builtin     []byte
	contentType string
	size        int64
	modified    time.Time
	gz          string // a compressed copy beside it, on disk
	hashed      bool   // the build put a hash of the content into the name
	compress    bool

	tag     sync.Once
	tagged  string
	tagFail error
}

// hashedName matches the names Vite gives to files whose content is in the name: "galaxy-app-BDOW6Dhr.js".
var hashedName = regexp.MustCompile(`-[A-Za-z0-9_-]{8}\.[a-z0-9]+$`)

// Open reads which files the folder has. A folder without a client is no error: the server then serves everything but
// the client, Missing says why, and the pages say it too. An unreadable folder is an error.
func Open(dir string) (*Client, error) {
	c := &Client{files: make(map[string]*file)}
	c.addBuiltin()
	dist := filepath.Join(dir, "dist")
	info, err := os.Stat(dist)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		c.missing = fmt.Sprintf("there is no folder %s", dist)
		return c, nil
	case err != nil:
		return nil, fmt.Errorf("web client: %w", err)
	case !info.IsDir():
		c.missing = fmt.Sprintf("%s is not a folder", dist)
		return c, nil
	}
	if err := c.walk(dist, "dist"); err != nil {
		return nil, fmt.Errorf("web client: %w", err)
	}
	for _, needed := range []string{"dist/base.css", "dist/libs.bundled.js", "dist/analysis.bundled.js"} {
		if c.files[needed] == nil {
			c.missing = fmt.Sprintf("%s has no %s: it is another version's client, or an unfinished one", dir, needed)
			return c, nil
		}
	}
	c.version = readVersion(filepath.Join(dir, ".version"))
	return c, nil
}

// Missing says what of the client is missing, "" when it is complete.
func (c *Client) Missing() string { return c.missing }

// Version is the client's version as fetch-client noted it, e.g. "26.1.2"; "" when unknown.
func (c *Client) Version() string { return c.version }

func (c *Client) walk(dir, below string) error {
	packed := make(map[string]string)
	err := filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, name)
		if err != nil {
			return err
		}
		address := path.Join(below, filepath.ToSlash(rel))
		if strings.HasPrefix(entry.Name(), ".") && rel != "." {
			if entry.IsDir() { // .vite holds the build's manifest, nothing for browsers
				return filepath.SkipDir
			}
			return nil
		}
		if !entry.Type().IsRegular() { // a link could lead out of the folder
			return nil
		}
		if plain, ok := strings.CutSuffix(address, ".gz"); ok {
			packed[plain] = name
			return nil
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		contentType, compress := typeOf(address)
		c.files[address] = &file{
			name: name, contentType: contentType, compress: compress, size: info.Size(), modified: info.ModTime(),
			hashed: hashedName.MatchString(entry.Name()),
		}
		return nil
	})
	if err != nil {
		return err
	}
	for address, name := range packed {
		plain := c.files[address]
		if plain == nil {
			continue
		}
		info, err := os.Stat(name)
		if err != nil {
			return err
		}
		// A copy older than the file is of another content.
		if !info.ModTime().Before(plain.modified) {
			plain.gz = name
		}
	}
	return nil
}

// readVersion takes "26.1.2" from "galaxy-web-client==26.1.2 sha256:…".
func readVersion(name string) string {
	text, err := os.ReadFile(name)
	if err != nil {
		return "" // a client unpacked by hand has none
	}
	first, _, _ := strings.Cut(string(text), " ")
	_, version, _ := strings.Cut(strings.TrimSpace(first), "==")
	return version
}

// types holds the content types by file ending, and whether compressing pays. The machine's own mime tables are not
// asked: they differ between machines, and a module script of the wrong type does not run.
var types = map[string]struct {
	contentType string
	compress    bool
}{
	".js":    {"text/javascript; charset=utf-8", true},
	".mjs":   {"text/javascript; charset=utf-8", true},
	".css":   {"text/css; charset=utf-8", true},
	".html":  {"text/html; charset=utf-8", true},
	".txt":   {"text/plain; charset=utf-8", true},
	".json":  {"application/json", true},
	".map":   {"application/json", true},
	".svg":   {"image/svg+xml", true},
	".wasm":  {"application/wasm", true},
	".ttf":   {"font/ttf", true},
	".eot":   {"application/vnd.ms-fontobject", true},
	".woff":  {"font/woff", false},
	".woff2": {"font/woff2", false},
	".png":   {"image/png", false},
	".gif":   {"image/gif", false},
	".jpg":   {"image/jpeg", false},
	".jpeg":  {"image/jpeg", false},
	".webp":  {"image/webp", false},
	".ico":   {"image/vnd.microsoft.icon", false},
}

func typeOf(address string) (contentType string, compress bool) {
	if known, ok := types[strings.ToLower(path.Ext(address))]; ok {
		return known.contentType, known.compress
	}
	return "application/octet-stream", false
}
