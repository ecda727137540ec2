package datatype

import (
	"slices"
	"strings"
)

// columnHeadings are the headings under which each column of an interval file
// is found, the first that occurs.
var columnHeadings = []struct {
	name     string
	headings []string
}{
	{"chromCol", []string{"chrom", "CHROMOSOME", "CHROM", "Chromosome Name"}},
	{"startCol", []string{"start", "START", "chromStart", "txStart", "Start Position (bp)"}},
	{"endCol", []string{"end", "END", "STOP", "chromEnd", "txEnd", "End Position (bp)"}},
	{"strandCol", []string{"strand", "STRAND", "Strand"}},
	{"nameCol", []string{"name", "NAME", "Name", "name2", "NAME2", "Name2", "Ensembl Gene ID", "Ensembl Transcript ID", "Ensembl Peptide ID"}},
}

func intervalMeta(f *metaFile) error {
	if err := tabularMeta(f, tabularOptions{maxLines: maxDataLines}); err != nil {
		return err
	}
	blank := 0
	i := -1
	return f.eachLine(func(raw []byte) bool {
		i++
		line := string(raw)
		if line == "" {
			blank++
			return true
		}
		if line[0] == '#' {
			cells := strings.Split(strings.Trim(line, "#"), "\t")
			for _, col := range columnHeadings {
				for _, h := range col.headings {
					if at := slices.Index(cells, h); at >= 0 {
						f.set(col.name, int64(at+1))
						break
					}
				}
			}
			return false
		}
		cells := strings.Split(line, "\t")
		if len(cells) > 2 {
			f.set("chromCol", int64(1))
			if isInt(cells[1]) {
				f.set("startCol", int64(2))
			}
			if isInt(cells[2]) {
				f.set("endCol", int64(3))
			}
			strand := int64(0)
			if len(cells) >= 6 && isStrand(cells[5]) {
				strand = 6
			}
			f.set("strandCol", strand)
			return false
		}
		return i-blank <= 100
	})
}

// firstWhere is the number of the first line that is wanted, from 0; that of
// the last line when none is, as Galaxy's loops leave it.
func (f *metaFile) firstWhere(want func(cells []string) bool) (int, error) {
	i := -1
	err := f.eachLine(func(line []byte) bool {
		i++
		if len(line) == 0 || line[0] == '#' {
			return true
		}
		return !want(strings.Split(string(line), "\t"))
	})
	return max(i, 0), err
}

func bedMeta(f *metaFile) error {
	skip, err := f.firstWhere(func(cells []string) bool {
		if len(cells) < 3 {
			return false
		}
		if len(cells) > 3 {
			f.set("nameCol", int64(4))
		}
		strand := int64(0)
		if len(cells) >= 6 {
			strand = 6
		}
		f.set("strandCol", strand)
		return true
	})
	if err != nil {
		return err
	}
	return tabularMeta(f, tabularOptions{skip: skip, maxLines: maxDataLines})
}

func bedStrictMeta(f *metaFile) error {
	if err := tabularMeta(f, tabularOptions{skip: -1, maxLines: maxDataLines}); err != nil {
		return err
	}
	if n, _ := f.md["columns"].(int64); n >= 4 {
		f.set("nameCol", int64(4))
		if n >= 6 {
			f.set("strandCol", int64(6))
		}
	}
	return nil
}

// attributeLines is how many lines of a GFF file are read for its attributes.
const attributeLines = 200

func gffMeta(f *metaFile, start func([]string) bool) error {
	types := map[string]string{}
	i := 0
	err := f.eachLine(func(line []byte) bool {
		i++
		if len(line) == 0 || line[0] == '#' {
			return true
		}
		cells := strings.Split(string(line), "\t")
		if len(cells) == 9 {
			for _, a := range gffAttributes(cells[8]) {
				types[a.name] = "str"
				switch {
				case isInt(a.value):
					types[a.name] = "int"
				case isFloat(a.value):
					types[a.name] = "float"
				}
			}
		}
		return i < attributeLines
	})
	if err != nil {
		return err
	}
	f.set("attribute_types", types)
	f.set("attributes", int64(len(types)))
	skip, err := f.firstWhere(start)
	if err != nil {
		return err
	}
	return tabularMeta(f, tabularOptions{skip: skip, maxLines: maxDataLines})
}

func gffStart(cells []string) bool { return len(cells) == 9 && isInt(cells[3]) && isInt(cells[4]) }

func gff3Start(cells []string) bool {
	if !gffStart(cells) {
		return false
	}
	start, _ := toInt(cells[3])
	end, _ := toInt(cells[4])
	return start < end && (isStrand(cells[6]) || cells[6] == "?") && isFrame(cells[7])
}

func wiggleMeta(f *metaFile) error {
	skip, err := f.firstWhere(func(cells []string) bool { return isFloat(cells[0]) })
	if err != nil {
		return err
	}
	o := tabularOptions{skip: skip}
	if f.large {
		o.maxLines = 100
	}
	return tabularMeta(f, o)
}
