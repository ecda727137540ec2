package tool

import (
	"context"

	"orrery/internal/galaxy"
)

// Values holds the checked values of the inputs of one level, by name:
//
//	text, hidden, color, select    string or nil; select with multiple: []any of strings, or a string, or nil
//	integer                        int64 or *big.Int; "" or nil when optional and empty
//	float                          float64; "" or nil when optional and empty
//	boolean                        bool; nil when optional and undecided
//	data                           *DatasetInfo or nil; with multiple: []*DatasetInfo or nil
//	conditional                    Values, with "__current_case__" int64
//	repeat                         []Values, each with "__index__" int64
//	section                        Values
type Values map[string]any

const (
	currentCase = "__current_case__"
	indexKey    = "__index__"
)

// DatasetRef names a dataset or a collection as requests and job parameters do.
type DatasetRef struct {
	Src string // "hda", "ldda", "hdca" or "dce"
	ID  int64
}

// DatasetInfo is what tools see of a dataset: of an input, a candidate for an input, or an output.
type DatasetInfo struct {
	Src       string // "hda" by default; "ldda", "hdca", "dce"
	ID        int64  // of the association (not of the dataset row)
	EncodedID string
	DatasetID int64 // of the dataset row
	HistoryID int64
	HID       int64
	UUID      string
	Name      string
	Ext       string
	State     galaxy.DatasetState
	DBKey     string         // "?" when unspecified
	Metadata  map[string]any // as stored, values as encoding/json gives them
	Tags      []string       // "name:x", "group:y" or a bare tag
	Deleted   bool
	Visible   bool
	Size      int64 // bytes of the primary file
	TotalSize int64 // bytes, extra files included

	Info, Blurb, Peek string

	// ElementIdentifier is the name in the collection that the dataset was taken from; "" outside of one.
	ElementIdentifier string
	// CreatedFromBasename is the file name an output was collected from.
	CreatedFromBasename string
	// SourceURI is where a deferred dataset's bytes are.
	SourceURI string

	// Path is where a command finds the file, ExtraFilesPath its folder of further files. Both may be empty while a form
	// is built or a request is checked.
	Path           string
	ExtraFilesPath string
	// MetadataFiles maps the name of a metadata element that is a file to its path.
	MetadataFiles map[string]string
}

// Ref is how job parameters name the dataset.
func (d *DatasetInfo) Ref() DatasetRef { return DatasetRef{Src: d.src(), ID: d.ID} }

func (d *DatasetInfo) src() string {
	if d.Src == "" {
		return "hda"
	}
	return d.Src
}

// Collection tells whether this stands for a collection rather than for a dataset.
func (d *DatasetInfo) Collection() bool { return d.Src == "hdca" || d.Src == "dce" }

func (d *DatasetInfo) dbkey() string {
	if d.DBKey != "" {
		return d.DBKey
	}
	switch k := d.Metadata["dbkey"].(type) {
	case string:
		if k != "" {
			return k
		}
	case []any:
		if len(k) > 0 {
			if s, ok := k[0].(string); ok && s != "" {
				return s
			}
		}
	}
	return "?"
}

// Datasets finds datasets for requests, forms and jobs. It answers for one user and one history, and enforces access: what
// the user may not see is not found.
type Datasets interface {
	// Lookup returns those of the datasets that exist and may be seen, in one query.
	Lookup(ctx context.Context, refs []DatasetRef) (map[DatasetRef]*DatasetInfo, error)
	// Candidates returns one page per query of the history's datasets that could be chosen: visible, not deleted, in a
	// state of CandidateStates, newest (highest hid) first. The queries of one form come in one call.
	Candidates(ctx context.Context, queries []CandidateQuery) ([]CandidatePage, error)
}

// CandidateStates are the states of datasets that a form offers: those that are or may become usable.
var CandidateStates = []galaxy.DatasetState{
	galaxy.DatasetNew, galaxy.DatasetUpload, galaxy.DatasetQueued, galaxy.DatasetRunning, galaxy.DatasetEmpty,
	galaxy.DatasetSettingMeta, galaxy.DatasetFailedMetadata, galaxy.DatasetOK, galaxy.DatasetDeferred,
}

// CandidateQuery asks for one page of datasets that a data parameter accepts.
type CandidateQuery struct {
	Extensions    []string // nil: any
	Tag           string   // only datasets with this tag; "" for any
	Search        string   // part of the name or the hid; "" for any
	Offset, Limit int
}

// CandidatePage answers a CandidateQuery. Total counts all that match.
type CandidatePage struct {
	Datasets []*DatasetInfo
	Total    int
}

// IDCodec turns database ids into the ids of the API and back; *galaxy.IDs is one.
type IDCodec interface {
	Encode(id int64) string
	Decode(s string) (int64, error)
}

// Datatypes is what tools need of the datatype registry.
type Datatypes interface {
	// Known tells whether the extension is registered.
	Known(ext string) bool
	// Matches tells whether ext's datatype is, or derives from, the datatype of one of the formats.
	Matches(ext string, formats ...string) bool
	// Accepted lists the extensions that match one of the formats.
	Accepted(formats []string) []string
	// EDAM gives the EDAM format and data ids ("format_1915"), "" for none.
	EDAM(ext string) (format, data string)
	// MetadataElement describes one metadata element of the datatype.
	MetadataElement(ext, name string) (MetadataElement, bool)
	// MetadataElements lists the names of the datatype's metadata elements, in order.
	MetadataElements(ext string) []string
}

// MetadataElement is the part of a metadata element's definition that tools see.
type MetadataElement struct {
	Kind     string // "dbkey", "select", "column", "column_types", "list", "dict", "file", or "" for any other
	Default  any    // its value when nothing is stored
	NoValue  any    // what stands for «not set»
	Optional bool
	Required bool // reported as missing when it is not set
}

// GenomeBuild is one choice of a genomebuild parameter.
type GenomeBuild struct{ Key, Name string }

// DataTables answers what dynamic options and templates ask of tool data tables.
type DataTables interface {
	// Table returns a table's column names and rows; false when there is none of that name.
	Table(name string) (columns []string, rows [][]string, ok bool)
}

// Env is what building states and forms asks of the server around it, for one user and one history.
type Env struct {
	IDs       IDCodec
	HistoryID int64 // of the history that forms are built for
	Datasets  Datasets
	Datatypes Datatypes
	// Builds lists the genome builds offered; HistoryBuild is the one preferred.
	Builds       []GenomeBuild
	HistoryBuild string
	Tables       DataTables // nil: no data tables
	// ReadHead returns the first bytes, at most n, of a dataset's file: for options that come from a dataset's content.
	// nil: such options stay empty.
	ReadHead func(d *DatasetInfo, n int) ([]byte, error)
	BaseURL  string // of the server, for baseurl parameters
}
