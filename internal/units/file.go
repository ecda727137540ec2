package units

import (
	"path"
	"strings"
)

// File is one file to write: its name in the folder, and its text.
type File struct {
	Name    string
	Content string
}

// The first lines of every file of ours. The second one tells whose it is, so that only files of the same configuration
// are replaced and removed.
const (
	headLine  = "Written by “orrery update”, which overwrites what is changed here."
	ownerLine = "Configuration: "
)

// head is the beginning of a file, as comments.
func (s *Site) head(mark string) string {
	return mark + " " + headLine + "\n" + mark + " " + ownerLine + s.Owner + "\n\n"
}

// Owner tells which configuration a file was written for: the Owner of its [Site]. ours is false for files that were not written by us.
func Owner(content string) (config string, ours bool) {
	lines := strings.SplitN(content, "\n", 3)
	if len(lines) < 3 {
		return "", false
	}
	comment := func(line string) string { return strings.TrimLeft(line, "#; ") }
	config, found := strings.CutPrefix(comment(lines[1]), ownerLine)
	return config, found && comment(lines[0]) == headLine
}

// MayBeOurs tells whether a file of that name could be one that some configuration asked for; [Owner] then decides.
func MayBeOurs(name string) bool {
	switch path.Ext(name) {
	case ".conf", ".service", ".socket", ".target":
		return strings.HasPrefix(name, "galaxy")
	}
	return false
}
