package upload

import (
	"encoding/json"
	"fmt"
	"net/url"
	"path"
	"strings"
	"unicode/utf8"

	"orrery/internal/galaxy"
)

// Element is one dataset to bring in.
type Element struct {
	// Src says where the bytes are: "pasted", "url", "files" (an upload of this
	// session) or "path" (a file of the server, for administrators).
	Src  string `json:"src"`
	Name string `json:"name"`
	// Ext is the datatype; "auto" to recognise it.
	Ext          string `json:"ext"`
	DBKey        string `json:"dbkey"`
	Info         string `json:"info"`
	PasteContent string `json:"paste_content,omitempty"`
	URL          string `json:"url,omitempty"`
	Path         string `json:"path,omitempty"`
	// Upload is the id of a finished upload.
	Upload         string `json:"upload,omitempty"`
	SpaceToTab     bool   `json:"space_to_tab"`
	ToPosixLines   bool   `json:"to_posix_lines"`
	AutoDecompress bool   `json:"auto_decompress"`
}

// File is an uploaded file that a request refers to, in order.
type File struct {
	SessionID string `json:"session_id"`
	Name      string `json:"name"`
}

// maxElements bounds the datasets of one request.
const maxElements = 5000

// rawElement is an element as the API takes it: flags come as booleans, as
// "Yes", or not at all.
type rawElement struct {
	Src            string          `json:"src"`
	Name           *string         `json:"name"`
	Ext            string          `json:"ext"`
	DBKey          string          `json:"dbkey"`
	Info           string          `json:"info"`
	PasteContent   string          `json:"paste_content"`
	URL            string          `json:"url"`
	Path           string          `json:"path"`
	SpaceToTab     flag            `json:"space_to_tab"`
	ToPosixLines   flag            `json:"to_posix_lines"`
	AutoDecompress *flag           `json:"auto_decompress"`
	Deferred       flag            `json:"deferred"`
	LinkDataOnly   json.RawMessage `json:"link_data_only"`
	Elements       json.RawMessage `json:"elements"`
	Composite      json.RawMessage `json:"composite"`
}

// flag is a boolean in any of the forms that clients send.
type flag bool

// UnmarshalJSON reads true, "true", "Yes", "on", 1 and their opposites.
func (f *flag) UnmarshalJSON(text []byte) error {
	switch s := strings.ToLower(strings.Trim(string(text), `"`)); s {
	case "true", "yes", "on", "1":
		*f = true
	case "false", "no", "off", "0", "", "null", "none":
		*f = false
	default:
		return fmt.Errorf("%s is neither true nor false", text)
	}
	return nil
}

// target is one destination with its elements.
type target struct {
	Destination struct {
		Type string `json:"type"`
	} `json:"destination"`
	Elements       []rawElement    `json:"elements"`
	Items          []rawElement    `json:"items"`
	Name           string          `json:"name"`
	AutoDecompress *flag           `json:"auto_decompress"`
	CollectionType json.RawMessage `json:"collection_type"`
}

// ParseTargets reads the targets of a fetch request, as JSON or as JSON in a
// string, and pairs `files` elements with the uploaded files in order.
// autoDecompress is the request's own default.
func ParseTargets(text json.RawMessage, files []File, autoDecompress bool) ([]Element, error) {
	var inner string
	if json.Unmarshal(text, &inner) == nil {
		text = json.RawMessage(inner)
	}
	var targets []target
	if err := json.Unmarshal(text, &targets); err != nil {
		var one target
		if json.Unmarshal(text, &one) != nil {
			return nil, galaxy.Errorf(galaxy.Invalid, "The targets of this upload cannot be read: %w", err)
		}
		targets = []target{one}
	}
	var out []Element
	for _, t := range targets {
		switch t.Destination.Type {
		case "hdas":
		case "hdca", "library", "library_folder":
			return nil, galaxy.Errorf(galaxy.NotImplemented, "This server cannot upload into a %s yet; upload the datasets into a history (destination type \"hdas\")", t.Destination.Type)
		default:
			return nil, galaxy.Errorf(galaxy.Invalid, "An upload's destination must have the type \"hdas\", not %q", t.Destination.Type)
		}
		decompress := autoDecompress
		if t.AutoDecompress != nil {
			decompress = bool(*t.AutoDecompress)
		}
		for _, raw := range append(t.Elements, t.Items...) {
			e, err := raw.element(decompress)
			if err != nil {
				return nil, err
			}
			if e.Src == "files" {
				if len(files) == 0 {
					return nil, galaxy.Errorf(galaxy.Invalid, "An element refers to an uploaded file, but no file was sent with it")
				}
				e.Upload = files[0].SessionID
				if e.Name == "" {
					e.Name = baseName(files[0].Name)
				}
				files = files[1:]
			}
			out = append(out, e)
		}
	}
	switch {
	case len(out) == 0:
		return nil, galaxy.Errorf(galaxy.Invalid, "There is nothing to upload: add a file, an address or some text")
	case len(out) > maxElements:
		return nil, galaxy.Errorf(galaxy.TooLarge, "One request can bring in at most %d datasets; send the others in further requests", maxElements)
	}
	return out, nil
}

// given tells whether a field was sent with a value other than null.
func given(raw json.RawMessage) bool { return len(raw) > 0 && string(raw) != "null" }

func (raw rawElement) element(decompress bool) (Element, error) {
	if given(raw.Elements) || given(raw.Composite) {
		return Element{}, galaxy.Errorf(galaxy.NotImplemented, "This server cannot upload nested or composite datasets yet; upload their files one by one")
	}
	if raw.Deferred {
		return Element{}, galaxy.Errorf(galaxy.NotImplemented, "This server cannot defer the fetching of data yet; upload without «deferred»")
	}
	e := Element{
		Src: raw.Src, Ext: strings.ToLower(strings.TrimSpace(raw.Ext)), DBKey: raw.DBKey, Info: raw.Info, PasteContent: raw.PasteContent,
		URL: strings.TrimSpace(raw.URL), Path: raw.Path, SpaceToTab: bool(raw.SpaceToTab), ToPosixLines: bool(raw.ToPosixLines), AutoDecompress: decompress,
	}
	if raw.AutoDecompress != nil {
		e.AutoDecompress = bool(*raw.AutoDecompress)
	}
	if e.Ext == "" {
		e.Ext = "auto"
	}
	if e.DBKey == "" {
		e.DBKey = "?"
	}
	if raw.Name != nil {
		e.Name = cleanName(*raw.Name)
	}
	switch e.Src {
	case "pasted":
		if e.Name == "" {
			e.Name = "Pasted Entry"
		}
	case "url":
		u, err := checkURL(e.URL)
		if err != nil {
			return e, err
		}
		if e.Name == "" {
			e.Name = nameOf(u)
		}
	case "files":
	case "path":
		if e.Name == "" {
			e.Name = baseName(e.Path)
		}
	case "":
		return e, galaxy.Errorf(galaxy.Invalid, "An element of an upload says not where its data are (src)")
	default:
		return e, galaxy.Errorf(galaxy.NotImplemented, "This server cannot fetch data from a source of the kind %q; paste the data, send a file, or give an http or https address", e.Src)
	}
	return e, nil
}

// checkURL accepts what fetching understands.
func checkURL(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, galaxy.Errorf(galaxy.Invalid, "%q is not an address: %v", address, err)
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, galaxy.Errorf(galaxy.Invalid, "%q cannot be fetched: an address begins with http:// or https:// and names a host", address)
	}
	return u, nil
}

func nameOf(u *url.URL) string {
	if name := path.Base(u.Path); name != "/" && name != "." {
		return cleanName(name)
	}
	return cleanName(u.Host)
}

// baseName is the last part of a file's name, whatever the system it came from.
func baseName(name string) string {
	name = strings.ReplaceAll(name, `\`, "/")
	if base := path.Base(name); base != "/" && base != "." && base != ".." {
		return cleanName(base)
	}
	return "Uploaded file"
}

// maxName is the length of a dataset's name in the database, in characters.
const maxName = 255

// cleanName makes a name that the database keeps: valid text without control
// characters, cut in the middle so that its ending stays.
func cleanName(name string) string {
	name = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == utf8.RuneError {
			return -1
		}
		return r
	}, name)
	name = strings.TrimSpace(name)
	if r := []rune(name); len(r) > maxName {
		return string(r[:maxName-21]) + "…" + string(r[len(r)-20:])
	}
	return name
}

// SplitURLs gives the addresses in a pasted text if there is nothing else in
// it, as Galaxy's older upload tool reads it.
func SplitURLs(text string) ([]string, bool) {
	var urls []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		if _, err := checkURL(line); err != nil {
			return nil, false
		}
		urls = append(urls, line)
	}
	return urls, len(urls) > 0
}
