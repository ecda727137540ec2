package web

import (
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// StaticMap serves files of the administrator's as they are (uWSGI's static-map): what is below Dir at the paths below
// Mount. Dir may be one file, for the path Mount alone.
type StaticMap struct{ Mount, Dir string }

// SortStaticMaps puts the longest mount first, which wins.
func SortStaticMaps(maps []StaticMap) []StaticMap {
	out := make([]StaticMap, len(maps))
	for i, m := range maps {
		out[i] = StaticMap{Mount: strings.TrimRight(path.Clean("/"+m.Mount), "/"), Dir: m.Dir}
	}
	slices.SortStableFunc(out, func(a, b StaticMap) int { return len(b.Mount) - len(a.Mount) })
	return out
}

// serveFile serves a file of the maps. It is false when there is none at the path: then the site has it, or nobody.
func serveFile(maps []StaticMap, w http.ResponseWriter, r *http.Request) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	for _, m := range maps {
		rest, ok := strings.CutPrefix(r.URL.Path, m.Mount)
		if !ok || rest != "" && rest[0] != '/' {
			continue
		}
		return m.serve(w, r, rest)
	}
	return false
}

func (m StaticMap) serve(w http.ResponseWriter, r *http.Request, rest string) bool {
	name := strings.TrimPrefix(path.Clean("/"+rest), "/")
	var file *os.File
	var err error
	switch {
	case strings.ContainsAny(name, "\x00\\"):
		return false
	case name == "" && rest != "":
		return false // a folder
	case name == "":
		file, err = os.Open(m.Dir)
	case !filepath.IsLocal(name):
		return false
	default:
		// A link that leads out of the folder is not followed.
		file, err = os.OpenInRoot(m.Dir, filepath.FromSlash(name))
	}
	if err != nil {
		return false
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	w.Header().Set("X-Content-Type-Options", "nosniff")
	http.ServeContent(w, r, filepath.Base(file.Name()), info.ModTime(), file)
	return true
}
