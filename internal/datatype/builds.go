package datatype

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// Unspecified is the genome build of a dataset whose build nobody named.
const Unspecified = "?"

// Build is a genome build that datasets may belong to.
type Build struct {
	Key  string // as hg38
	Name string
}

// unspecified is the one build a server without a builds file offers, as
// Galaxy does.
var unspecified = Build{Unspecified, "unspecified (?)"}

// DefaultBuilds is what GET /api/genomes lists before an administrator has
// installed a builds file: the unspecified one.
func DefaultBuilds() []Build { return []Build{unspecified} }

// ParseBuilds reads a builds file (key, tab, name; # begins a comment) as the
// option builds_file_path names. The unspecified build is always first.
func ParseBuilds(r io.Reader) ([]Build, error) {
	out := DefaultBuilds()
	seen := map[string]bool{Unspecified: true}
	in := bufio.NewScanner(r)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		line := strings.TrimRight(in.Text(), "\r\n")
		if strings.HasPrefix(line, "#") {
			continue
		}
		key, name, ok := strings.Cut(line, "\t")
		key = strings.TrimSpace(key)
		if !ok || key == "" || seen[key] {
			continue
		}
		seen[key] = true
		// Keys are shown behind the name, so that people can search for both.
		name = strings.ReplaceAll(strings.TrimSpace(name), "_", " ")
		if !strings.Contains(name, key) {
			name += " (" + key + ")"
		}
		out = append(out, Build{key, name})
	}
	if err := in.Err(); err != nil {
		return nil, fmt.Errorf("read builds: %w", err)
	}
	return out, nil
}

// GenomesAnswer is the answer of GET /api/genomes: pairs of name and key.
func GenomesAnswer(builds []Build) [][2]string {
	out := make([][2]string, len(builds))
	for i, b := range builds {
		out[i] = [2]string{b.Name, b.Key}
	}
	return out
}
