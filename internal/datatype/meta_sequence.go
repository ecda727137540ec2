package datatype

import (
	"bytes"
	"strings"
)

// unlessLarge leaves the counts unset for files that are not to be read whole.
func unlessLarge(rule func(*metaFile) error) func(*metaFile) error {
	return func(f *metaFile) error {
		if f.large {
			f.set("data_lines", nil)
			f.set("sequences", nil)
			return nil
		}
		return rule(f)
	}
}

// countSequences visits the first byte of each line, 0 for an empty one.
func countSequences(f *metaFile, visit func(first byte, lines, sequences *int64)) error {
	var lines, sequences int64
	err := f.eachLine(func(line []byte) bool {
		first := byte(0)
		if len(line) > 0 {
			first = line[0]
		}
		visit(first, &lines, &sequences)
		return true
	})
	if err != nil {
		return err
	}
	f.set("data_lines", lines)
	f.set("sequences", sequences)
	return nil
}

func sequenceMeta(f *metaFile) error {
	return countSequences(f, func(first byte, lines, sequences *int64) {
		if first == '#' {
			return
		}
		*lines++
		if first == '>' {
			*sequences++
		}
	})
}

func fastaMeta(f *metaFile) error { return dotBracketMeta(f) }

func dotBracketMeta(f *metaFile) error {
	return countSequences(f, func(first byte, lines, sequences *int64) {
		*lines++
		if first == '>' {
			*sequences++
		}
	})
}

func fastqMeta(f *metaFile) error {
	return countSequences(f, func(first byte, lines, sequences *int64) {
		if first == '@' && *lines%4 == 0 {
			*sequences++
		}
		*lines++
	})
}

// mafMeta counts the blocks of an alignment and names its species.
func mafMeta(f *metaFile) error {
	blocks := int64(0)
	species := []string{}
	seen := map[string]bool{}
	err := f.eachLine(func(line []byte) bool {
		if len(line) == 0 {
			return true
		}
		switch line[0] {
		case 'a':
			if len(line) == 1 || pySpace(rune(line[1])) {
				blocks++
			}
		case 's':
			fields := bytes.Fields(line)
			if len(fields) > 1 && string(fields[0]) == "s" {
				name, _, _ := strings.Cut(string(fields[1]), ".")
				if !seen[name] && len(species) < 100000 {
					seen[name] = true
					species = append(species, name)
				}
			}
		}
		return true
	})
	if err != nil {
		return err
	}
	f.set("species", species)
	f.set("blocks", blocks)
	return nil
}
