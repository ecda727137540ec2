package datatype

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path"
	"slices"
	"strings"
)

// Rules for binary files: mostly the first bytes.
var binaryRules = map[string]func(*prefix) bool{
	"binary.JP2":    magicRule("\x00\x00\x00\x0cjP  \r\n\x87\n"),
	"binary.TwoBit": magicRule("\x1aA'C", "C'A\x1a"),
	"binary.SQlite": magicRule("SQLite format 3\x00"),
	"binary.H5":     magicRule("\x89HDF\r\n\x1a\n"),
	"binary.Grib": func(p *prefix) bool {
		return p.magic("GRIB") && len(p.header) > 7 && (p.header[7] == 1 || p.header[7] == 2)
	},
	"binary.CRAM":                     magicRule("CRAM"),
	"binary.Sff":                      magicRule(".sff"),
	"binary.Sra":                      magicRule("NCBI.sra"),
	"binary.NetCDF":                   magicRule("CDF"),
	"binary.Parquet":                  magicRule("PAR1"),
	"binary.Idat":                     magicRule("IDAT"),
	"binary.Numpy":                    magicRule("\x93NUMPY"),
	"binary.Pretext":                  magicRule("pstm"),
	"binary.FITS":                     magicRule("SIMPLE  ="),
	"binary.Pod5":                     isPod5,
	"binary.RData":                    magicRule("RDX2\nX\n", "RDX3\nX\n"),
	"binary.RDS":                      isRDS,
	"binary.BcfUncompressed":          magicRule("BCF"),
	"binary.Bcf":                      func(p *prefix) bool { return p.format == gzipFormat && p.magic("BCF") },
	"binary.BigWig":                   never, // told apart by extension below
	"binary.BamNative":                isBam,
	"binary.Bam":                      isSortedBam,
	"binary.BamQuerynameSorted":       func(p *prefix) bool { return isBam(p) && bamOrder(p) == "queryname" },
	"binary.Xlsx":                     officeRule("xl/"),
	"binary.Docx":                     officeRule("word/"),
	"binary.Pptx":                     officeRule("ppt/"),
	"binary.ExcelXls":                 isXls,
	"binary.CompressedZipArchive":     isManyFileZip,
	"binary.CompressedZarrZipArchive": isZarrZip,
	"binary.SearchGuiArchive":         zipHolds(func(n string) bool { return n == "searchgui.properties" }),
	"binary.Npz":                      zipHolds(func(n string) bool { return strings.HasSuffix(n, ".npy") }),
	"binary.PostgresqlArchive":        tarHolds(func(n string) bool { return n == "postgresql/db/PG_VERSION" }),
	"binary.MongoDBArchive":           tarHolds(func(n string) bool { return n == "mongo_db/_mdb_catalog.wt" }),
	"binary.WiffTar":                  tarHolds(func(n string) bool { return path.Ext(strings.ToLower(path.Base(n))) == ".wiff" }),
	"binary.Fast5Archive":             tarFirst(".fast5"),
	"binary.Fast5ArchiveGz":           func(p *prefix) bool { return p.format == gzipFormat && tarFirst(".fast5")(p) },
	"binary.Fast5ArchiveBz2":          func(p *prefix) bool { return p.format == bzip2Format && tarFirst(".fast5")(p) },
	"annotation.Augustus":             tarFirst("_exon_probs.pbl", "_igenic_probs.pbl", "_intron_probs.pbl", "_metapars.cfg", "_metapars.utr.cfg", "_parameters.cfg", "_parameters.cgp.cfg", "_utr_probs.pbl", "_weightmatrix.txt"),
	"binary.Cel":                      isCel,
	"triples.HDT":                     magicRule("$HDT"),
	"proteomics.ThermoRAW": func(p *prefix) bool {
		return bytes.Contains(p.header[:min(20, len(p.header))], []byte("F\x00i\x00n\x00n\x00i\x00g\x00a\x00n"))
	},
	"images.Nifti1": func(p *prefix) bool { return bytesAt(p, 344, "n+1\x00") },
	"images.Nifti2": func(p *prefix) bool { return bytesAt(p, 4, "n+2\x00") || bytesAt(p, 4, "ni2\x00") },
	"images.Tck":    isTck,
	"images.Trk":    func(p *prefix) bool { return p.magic("TRACK") && bytesAt(p, 992, "\x02\x00\x00\x00\xe8\x03\x00\x00") },
	"media.Wav":     func(p *prefix) bool { return p.magic("RIFF") && bytesAt(p, 8, "WAVE") },
	"media.Avi":     func(p *prefix) bool { return p.magic("RIFF") && bytesAt(p, 8, "AVI ") },
	"media.Flv":     magicRule("FLV"),
	"media.Ogg":     magicRule("OggS"),
	"media.Flac":    magicRule("fLaC"),
	"media.Mp3":     magicRule("ID3", "\xff\xfb", "\xff\xf3", "\xff\xf2"),
	"media.Mp4": func(p *prefix) bool {
		return bytesAt(p, 4, "ftypisom") || bytesAt(p, 4, "ftypmp42") || bytesAt(p, 4, "ftypMSNV")
	},
	"media.M4a": func(p *prefix) bool { return bytesAt(p, 4, "ftypM4A") },
	"media.Mov": func(p *prefix) bool { return bytesAt(p, 4, "ftypqt") || bytesAt(p, 4, "moov") },
	"media.Webm": func(p *prefix) bool {
		return p.magic("\x1aE\xdf\xa3") && bytes.Contains(p.header[:min(64, len(p.header))], []byte("webm"))
	},
	"media.Mkv": func(p *prefix) bool {
		return p.magic("\x1aE\xdf\xa3") && bytes.Contains(p.header[:min(64, len(p.header))], []byte("matroska"))
	},
	"media.Mpg":                             magicRule("\x00\x00\x01\xb3", "\x00\x00\x01\xba"),
	"constructive_solid_geometry.NeperTesr": func(p *prefix) bool { return p.magic("***tesr") },
}

func magicRule(starts ...string) func(*prefix) bool {
	return func(p *prefix) bool {
		return slices.ContainsFunc(starts, p.magic)
	}
}

func bytesAt(p *prefix, offset int, want string) bool {
	return len(p.header) >= offset+len(want) && string(p.header[offset:offset+len(want)]) == want
}

// fileTail returns up to the last n bytes of a file, nothing when it cannot be read.
func fileTail(name string, n int64) []byte {
	f, err := os.Open(name)
	if err != nil {
		return nil
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil
	}
	b := make([]byte, min(n, st.Size()))
	got, err := f.ReadAt(b, st.Size()-int64(len(b)))
	if err != nil && !errors.Is(err, io.EOF) {
		return nil
	}
	return b[:got]
}

func isBam(p *prefix) bool { return p.format == gzipFormat && p.magic("BAM\x01") }

// isSortedBam reports whether the records come in the order of the reference,
// which is what an index needs. Galaxy finds out by building one; here the
// records within the first MiB are looked at.
func isSortedBam(p *prefix) bool {
	if !isBam(p) {
		return false
	}
	b := p.header[4:]
	number := func() (int64, bool) {
		if len(b) < 4 {
			return 0, false
		}
		n := int64(int32(binary.LittleEndian.Uint32(b)))
		b = b[4:]
		return n, true
	}
	skip := func(n int64) bool {
		if n < 0 || n > int64(len(b)) {
			return false
		}
		b = b[n:]
		return true
	}
	// A header longer than what was read has to be believed.
	declared := bamOrder(p) == "coordinate"
	n, ok := number()
	if !ok || !skip(n) {
		return declared
	}
	refs, ok := number()
	if !ok {
		return declared
	}
	for range refs {
		if n, ok = number(); !ok || !skip(n) || !skip(4) {
			return declared
		}
	}
	lastRef, lastPos := int64(0), int64(-1)
	for len(b) >= 12 {
		size, _ := number()
		ref := int64(int32(binary.LittleEndian.Uint32(b)))
		pos := int64(int32(binary.LittleEndian.Uint32(b[4:])))
		if ref < 0 {
			ref = 1 << 32 // reads without a place come last
		}
		if ref < lastRef || ref == lastRef && pos < lastPos {
			return false
		}
		lastRef, lastPos = ref, pos
		if !skip(size) {
			break
		}
	}
	return !p.truncated || bamOrder(p) != "queryname"
}

// bamOrder is the order that a BAM file's header declares.
func bamOrder(p *prefix) string {
	if len(p.header) < 8 {
		return ""
	}
	n := int64(binary.LittleEndian.Uint32(p.header[4:]))
	text := p.header[8:]
	if n < int64(len(text)) {
		text = text[:n]
	}
	line, _, _ := bytes.Cut(text, []byte("\n"))
	if !bytes.HasPrefix(line, []byte("@HD")) {
		return ""
	}
	for _, f := range bytes.Split(line, []byte("\t")) {
		if order, ok := bytes.CutPrefix(f, []byte("SO:")); ok {
			return string(order)
		}
	}
	return ""
}

func isPod5(p *prefix) bool {
	const signature = "\x8bPOD\r\n\x1a\n"
	return p.magic(signature) && string(fileTail(p.path, 8)) == signature
}

func isRDS(p *prefix) bool {
	h := p.header
	if len(h) < 14 || h[0] != 'X' || h[1] != '\n' {
		return false
	}
	version := binary.BigEndian.Uint32(h[2:])
	return version == 2 || version == 3
}

func isCel(p *prefix) bool {
	return p.magic("@\x00\x00\x00\x04\x00\x00\x00") || p.magic(";\x01") || p.magic("[CEL]")
}

func isTck(p *prefix) bool {
	if !p.magic("mrtrix tracks") {
		return false
	}
	for _, w := range []string{"datatype: Float", "count: ", "file: .", "END"} {
		if !bytes.Contains(p.header, []byte(w)) {
			return false
		}
	}
	return true
}

func isXls(p *prefix) bool {
	if !p.magic("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1") {
		return false
	}
	// The stream of a workbook is named in the directory of the compound file.
	return bytes.Contains(p.header, []byte("W\x00o\x00r\x00k\x00b\x00o\x00o\x00k\x00")) || bytes.Contains(p.header, []byte("B\x00o\x00o\x00k\x00\x00"))
}

// maxMembers is how many members of an archive are looked at.
const maxMembers = 10000

func zipMembers(p *prefix) []*zip.File {
	if p.format != zipFormat {
		return nil
	}
	r, err := zip.OpenReader(p.path)
	if err != nil {
		return nil
	}
	defer r.Close()
	return r.File[:min(len(r.File), maxMembers)]
}

func isManyFileZip(p *prefix) bool {
	count := 0
	for _, f := range zipMembers(p) {
		if f.UncompressedSize64 > 0 && !strings.HasPrefix(f.Name, "__MACOSX/") && !strings.HasSuffix(f.Name, ".DS_Store") {
			count++
		}
	}
	return count > 1
}

func isZarrZip(p *prefix) bool {
	return slices.ContainsFunc(zipMembers(p), func(f *zip.File) bool {
		return strings.HasSuffix(f.Name, "meta") || strings.HasSuffix(f.Name, ".zarray") || strings.HasSuffix(f.Name, ".zgroup") ||
			strings.HasSuffix(f.Name, "zarr.json")
	})
}

func zipHolds(is func(string) bool) func(*prefix) bool {
	return func(p *prefix) bool {
		return slices.ContainsFunc(zipMembers(p), func(f *zip.File) bool { return is(f.Name) })
	}
}

func officeRule(folder string) func(*prefix) bool {
	return func(p *prefix) bool {
		if p.format != zipFormat {
			return false
		}
		names := zipMembers(p)
		has := func(is func(string) bool) bool {
			return slices.ContainsFunc(names, func(f *zip.File) bool { return is(f.Name) })
		}
		return has(func(n string) bool { return n == "[Content_Types].xml" }) &&
			has(func(n string) bool { return strings.HasPrefix(n, folder) })
	}
}

// isTar tells an archive by the mark in its first header.
func isTar(header []byte) bool {
	return len(header) >= 263 && string(header[257:262]) == "ustar"
}

func tarNames(p *prefix, visit func(name string, regular bool) (more bool)) {
	if !isTar(p.header) {
		return
	}
	// The header holds the first MiB; members further on are not looked for.
	r := tar.NewReader(bytes.NewReader(p.header))
	for range maxMembers {
		h, err := r.Next()
		if err != nil || !visit(h.Name, h.Typeflag == tar.TypeReg) {
			return
		}
	}
}

func tarHolds(is func(string) bool) func(*prefix) bool {
	return func(p *prefix) bool {
		found := false
		tarNames(p, func(name string, _ bool) bool {
			found = is(name)
			return !found
		})
		return found
	}
}

// tarFirst reports on the first regular file of a tar archive.
func tarFirst(ends ...string) func(*prefix) bool {
	return func(p *prefix) bool {
		found := false
		tarNames(p, func(name string, regular bool) bool {
			if !regular {
				return true
			}
			found = slices.ContainsFunc(ends, func(e string) bool { return strings.HasSuffix(name, e) })
			return false
		})
		return found
	}
}

// sqliteRules is by extension, of types that share a class. The flavours of SQLite database differ by their
// tables, which are not read here: all are "sqlite".
var sqliteRules = map[string]func(*prefix) bool{
	"bigwig": magicRule("\x26\xfc\x8f\x88"),
	"bigbed": magicRule("\xeb\xf2\x89\x87"),
	"mztab":  isMzTab1, "mztab2": isMzTab2,
	"ome_zarr.zip": never, "spatialdata.zip": never, "qza": never, "qzv": never,
	"hexrd.images.npz": never, "hexrd.eta_ome.npz": never,
	"probam": never, "qname_input_sorted.bam": never,
}
