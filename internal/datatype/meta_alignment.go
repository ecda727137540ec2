package datatype

import (
	"bufio"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"strings"
)

// maxReferences is up to how many reference sequences their names are kept.
const maxReferences = 100000

// maxAlignmentHeader bounds the header text that is read, in bytes.
const maxAlignmentHeader = 64 << 20

var errNotBam = errors.New("not a BAM file")

func samMeta(f *metaFile) error {
	if f.size == 0 {
		return nil
	}
	var comments, lines int64
	var header strings.Builder
	inHeader, known := true, true
	err := f.eachLine(func(line []byte) bool {
		lines++
		if len(line) > 0 && line[0] == '@' {
			comments++
			if inHeader && header.Len() < maxAlignmentHeader {
				header.Write(line)
				header.WriteByte('\n')
			}
			return true
		}
		inHeader = false
		if f.large {
			known = false
			return false
		}
		return true
	})
	if err != nil {
		return err
	}
	if !f.large {
		f.set("data_lines", lines-comments)
	} else if !known {
		f.set("data_lines", nil)
	}
	f.set("comment_lines", comments)
	f.set("columns", int64(12))
	f.set("column_types", []string{"str", "int", "str", "int", "int", "str", "str", "int", "int", "str", "str", "str"})
	f.alignmentHeader(header.String(), nil, nil)
	return nil
}

func bamMeta(f *metaFile) error {
	text, names, lengths, err := readBamHeader(f.path)
	if err != nil {
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, os.ErrPermission) {
			return err
		}
		f.set("metadata_incomplete", true)
		return nil
	}
	f.alignmentHeader(text, names, lengths)
	return nil
}

func readBamHeader(path string) (text string, names []string, lengths []int64, err error) {
	file, err := os.Open(path)
	if err != nil {
		return "", nil, nil, err
	}
	defer file.Close()
	z, err := gzip.NewReader(bufio.NewReaderSize(file, 64<<10))
	if err != nil {
		return "", nil, nil, errNotBam
	}
	in := bufio.NewReader(z)
	number := func() (int64, error) {
		var b [4]byte
		_, err := io.ReadFull(in, b[:])
		return int64(int32(binary.LittleEndian.Uint32(b[:]))), err
	}
	magic := make([]byte, 4)
	if _, err := io.ReadFull(in, magic); err != nil || string(magic) != "BAM\x01" {
		return "", nil, nil, errNotBam
	}
	n, err := number()
	if err != nil || n < 0 || n > maxAlignmentHeader {
		return "", nil, nil, errNotBam
	}
	// Grow with what is there: the number may be a lie.
	var header strings.Builder
	if got, err := io.CopyN(&header, in, n); err != nil || got != n {
		return "", nil, nil, errNotBam
	}
	refs, err := number()
	if err != nil || refs < 0 {
		return "", nil, nil, errNotBam
	}
	text = strings.TrimRight(header.String(), "\x00")
	for range min(refs, maxReferences+1) {
		size, err := number()
		if err != nil || size < 1 || size > 1<<16 {
			return "", nil, nil, errNotBam
		}
		name := make([]byte, size)
		if _, err := io.ReadFull(in, name); err != nil {
			return "", nil, nil, errNotBam
		}
		length, err := number()
		if err != nil {
			return "", nil, nil, errNotBam
		}
		names = append(names, strings.TrimRight(string(name), "\x00"))
		lengths = append(lengths, length)
	}
	return text, names, lengths, nil
}

// alignmentHeader sets what a SAM header says. names and lengths are those of
// a BAM file's own table; without them the header's @SQ lines are used.
func (f *metaFile) alignmentHeader(text string, names []string, lengths []int64) {
	header := map[string]any{}
	groups := []string{}
	sq := []any{}
	var comments []string
	records := map[string][]any{}
	var hd map[string]any
	fromText := names == nil
	if fromText {
		names, lengths = []string{}, []int64{}
	}
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.TrimRight(line, "\r")
		if line == "" {
			continue
		}
		if len(line) < 4 || line[0] != '@' || line[3] != '\t' {
			f.set("metadata_incomplete", true)
			return
		}
		record := line[1:3]
		if record == "CO" {
			comments = append(comments, strings.TrimPrefix(line[3:], "\t"))
			continue
		}
		fields := map[string]any{}
		for tag := range strings.SplitSeq(strings.TrimPrefix(line[3:], "\t"), "\t") {
			key, value, ok := strings.Cut(tag, ":")
			if !ok {
				f.set("metadata_incomplete", true)
				return
			}
			fields[key] = value
			if record == "SQ" && key == "LN" {
				if n, ok := toInt(value); ok {
					fields[key] = n
				}
			}
		}
		switch record {
		case "HD":
			hd = fields
		case "SQ":
			if len(sq) <= maxReferences {
				sq = append(sq, fields)
			}
			if fromText && len(names) <= maxReferences {
				name, _ := fields["SN"].(string)
				length, _ := fields["LN"].(int64)
				names = append(names, name)
				lengths = append(lengths, length)
			}
		default:
			records[record] = append(records[record], fields)
			if id, ok := fields["ID"].(string); ok && record == "RG" {
				groups = append(groups, id)
			}
		}
	}
	var order, version any
	if hd != nil {
		header["HD"] = hd
		order, version = hd["SO"], hd["VN"]
	}
	for k, v := range records {
		header[k] = v
	}
	if comments != nil {
		header["CO"] = comments
	}
	if len(sq) == 0 {
		for i, n := range names {
			sq = append(sq, map[string]any{"SN": n, "LN": lengths[i]})
		}
	}
	header["SQ"] = sq
	if len(names) > maxReferences {
		f.set("metadata_incomplete", true)
	} else {
		f.set("reference_names", names)
		f.set("reference_lengths", lengths)
		f.set("bam_header", header)
		f.set("read_groups", groups)
	}
	f.set("sort_order", order)
	f.set("bam_version", version)
}
