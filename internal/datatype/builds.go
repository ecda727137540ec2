package datatype

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
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

// DefaultBuilds is what GET /api/genomes lists where no builds file is
// installed: the unspecified one.
func DefaultBuilds() []Build { return []Build{unspecified} }

// ParseBuilds reads a builds file (key, tab, name; # begins a comment), as the
// option builds_file_path names. Builds of one organism stand together, newest
// first, organisms by name, and builds with a number for a key come last: the
// order that people know from Galaxy.
func ParseBuilds(r io.Reader) ([]Build, error) {
	type versioned struct {
		Build
		version int
	}
	out := DefaultBuilds()
	organisms := map[string][]versioned{} // by the key without its version
	base := map[string]string{}           // of the first build of each name
	var numbered []Build
	seen := map[string]bool{}
	in := bufio.NewScanner(r)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		line := strings.ReplaceAll(in.Text(), "\r", "")
		fields := strings.Split(line, "\t")
		if strings.HasPrefix(line, "#") || len(fields) < 2 || fields[0] == "" || seen[fields[0]] {
			continue
		}
		b := Build{fields[0], fields[1]}
		seen[b.Key] = true
		switch stem := strings.TrimRight(b.Key, "0123456789"); {
		case b.Key == Unspecified:
			out[0] = b
		case stem == "":
			numbered = append(numbered, b)
		default:
			if organisms[stem] == nil {
				base[b.Name] = stem
			}
			version, _ := strconv.Atoi(b.Key[len(stem):])
			organisms[stem] = append(organisms[stem], versioned{b, version})
		}
	}
	if err := in.Err(); err != nil {
		return nil, fmt.Errorf("read builds: %w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(base)) {
		list := organisms[base[name]]
		slices.SortStableFunc(list, func(a, b versioned) int {
			return cmp.Or(cmp.Compare(b.version, a.version), cmp.Compare(b.Key, a.Key))
		})
		for _, v := range list {
			out = append(out, v.Build)
		}
	}
	slices.SortFunc(numbered, func(a, b Build) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Key, b.Key))
	})
	return append(out, numbered...), nil
}

// GenomesAnswer is the answer of GET /api/genomes: pairs of name and key.
func GenomesAnswer(builds []Build) [][2]string {
	out := make([][2]string, len(builds))
	for i, b := range builds {
		out[i] = [2]string{b.Name, b.Key}
	}
	return out
}
