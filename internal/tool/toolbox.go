package tool

import (
	"container/list"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sort"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/singleflight"
)

// Options says where a toolbox is.
type Options struct {
	Files    []string          // toolbox files (tool_conf.xml), or folders of them, in order
	Root     string            // what relative paths are relative to; the working directory when empty
	ToolPath string            // where tools are for toolbox files that do not say tool_path
	PathVars map[string]string // for ${name} in <tool file>: model_tools_path, …
	// ExtraTools are tool files that are in no toolbox file and not in the panel, but can be run.
	ExtraTools []string
	// CacheDir holds the index of summaries; "" keeps none. Several processes may use one folder at the same time.
	CacheDir string
	// MaxParsed is how many fully parsed tools are kept; 64 by default.
	MaxParsed int
	// Edam gives names to terms that are not built in: "operation_0004" and so on.
	Edam map[string]EdamTerm
}

// Notice is something about the toolbox that an administrator should know: a tool that could not be loaded, say.
type Notice struct {
	File string
	Line int
	Msg  string
}

func (n Notice) String() string { return (&FileError{File: n.File, Line: n.Line, Msg: n.Msg}).Error() }

// Toolbox is a set of tools with their panel. It is safe for use by several goroutines; Reload swaps everything at once.
type Toolbox struct {
	opts    Options
	current atomic.Pointer[Snapshot]
	reload  sync.Mutex

	mu     sync.Mutex
	parsed *list.List // *parsedTool, most recently used first
	byKey  map[string]*list.Element
	flight singleflight.Group
}

type parsedTool struct {
	key   string
	stamp []stamp
	tool  *Tool
}

// Snapshot is the toolbox at one moment. It never changes.
type Snapshot struct {
	Notices []Notice
	Parsed  int // how many files had to be parsed because the cache did not know them

	box     *Toolbox
	order   []*Entry // the newest version of each id, in the order of loading
	all     []*Entry
	byID    map[string]*Entry   // the newest version
	ids     map[string][]*Entry // all versions, oldest first
	byOldID map[string][]*Entry // all versions, oldest first
	panel   []*panelItem

	docMu  sync.Mutex
	docs   map[docKey]*Document
	flight singleflight.Group
	// earlier are the documents of the snapshot before, until this one is in use.
	earlier map[docKey]*Document

	indexOnce sync.Once
	index     *searchIndex
}

// Entry is one tool in one version.
type Entry struct {
	Summary
	ID     string // the guid of tools from a tool shed, else Summary.ID
	OldID  string
	Path   string
	Hidden bool
	Labels []string
	// SectionID and SectionName are those of the panel; empty for tools outside of sections.
	SectionID, SectionName string
	Repository             *Repository

	inPanel        bool
	versions       []string
	hiddenVersions []string
	stamps         []stamp
}

// Versions are the versions of the tool that there are, oldest first.
func (e *Entry) Versions() []string { return append([]string(nil), e.versions...) }

// HiddenVersions are those of Versions that are hidden.
func (e *Entry) HiddenVersions() []string { return append([]string(nil), e.hiddenVersions...) }

// InPanel says whether the tool is in the panel, perhaps in a newer version. A tool that is not has no section, which
// Galaxy shows as null.
func (e *Entry) InPanel() bool { return e.inPanel }

// Open reads the toolbox. It fails only when there is nothing to read at all; what is wrong with single tools is in the
// snapshot's Notices.
func Open(o Options) (*Toolbox, error) {
	root, err := filepath.Abs(o.Root)
	if err != nil {
		return nil, err
	}
	o.Root = root
	if o.MaxParsed <= 0 {
		o.MaxParsed = 64
	}
	b := &Toolbox{opts: o, parsed: list.New(), byKey: map[string]*list.Element{}}
	if err := b.Reload(); err != nil {
		return nil, err
	}
	return b, nil
}

// Snapshot returns the toolbox as it is now.
func (b *Toolbox) Snapshot() *Snapshot { return b.current.Load() }

// Reload reads everything again and then replaces the snapshot. Tools that are fully parsed stay so unless their files
// changed.
func (b *Toolbox) Reload() error {
	b.reload.Lock()
	defer b.reload.Unlock()
	s, err := b.build()
	if err != nil {
		return err
	}
	if earlier := b.current.Load(); earlier != nil {
		s.inherit(earlier)
	}
	b.current.Store(s)
	return nil
}

func (b *Toolbox) build() (*Snapshot, error) {
	r := &confReader{opts: &b.opts}
	items := r.read()
	if len(r.files) == 0 && len(b.opts.Files) > 0 && len(b.opts.ExtraTools) == 0 {
		return nil, errors.New("no toolbox file could be read: " + r.notices[0].String())
	}
	for _, p := range b.opts.ExtraTools {
		items = append(items, confItem{kind: "extra", path: r.absolute(p), file: r.absolute(p)})
	}
	s := &Snapshot{box: b, byID: map[string]*Entry{}, ids: map[string][]*Entry{}, byOldID: map[string][]*Entry{}, docs: map[docKey]*Document{}}
	var paths []string
	seen := map[string]bool{}
	var collect func([]confItem)
	collect = func(its []confItem) {
		for i := range its {
			if p := its[i].path; p != "" && !seen[p] {
				seen[p] = true
				paths = append(paths, p)
			}
			collect(its[i].items)
		}
	}
	collect(items)
	known := readIndex(b.opts.CacheDir)
	records := make(map[string]*record, len(paths))
	stamper := stamper{}
	var stale []string
	for _, p := range paths {
		if rec := known[p]; rec != nil && stamper.fresh(rec.stamps) {
			records[p] = rec
			continue
		}
		stale = append(stale, p)
	}
	for p, rec := range parseAll(stale) {
		records[p] = rec
	}
	s.Parsed = len(stale)
	a := &assembler{s: s, records: records, reader: r, section: map[string]*panelItem{}, seen: map[string]*Entry{}, reported: map[string]bool{}}
	a.items(items, nil)
	a.finish()
	s.Notices = r.notices
	if b.opts.CacheDir != "" && (len(stale) > 0 || len(known) != len(records)) {
		if err := writeIndex(b.opts.CacheDir, records); err != nil {
			s.Notices = append(s.Notices, Notice{File: b.opts.CacheDir, Msg: "the toolbox index cannot be kept, so every start parses all tools: " + err.Error()})
		}
	}
	return s, nil
}

// parseAll parses tool files on all processors and keeps only their summaries.
func parseAll(paths []string) map[string]*record {
	records := make(map[string]*record, len(paths))
	if len(paths) == 0 {
		return records
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	next := atomic.Int64{}
	for range min(runtime.GOMAXPROCS(0), len(paths)) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for {
				i := int(next.Add(1)) - 1
				if i >= len(paths) {
					return
				}
				rec := parseRecord(paths[i])
				mu.Lock()
				records[paths[i]] = rec
				mu.Unlock()
			}
		}()
	}
	wg.Wait()
	return records
}

// parseRecord parses one tool file. The stamps are taken first, so that a file that changes meanwhile is read again.
func parseRecord(path string) *record {
	rec := &record{path: path, stamps: []stamp{stampOf(path)}}
	t, macros, err := loadForIndex(path, rec)
	for _, m := range macros {
		if !rec.stamped(m) {
			rec.stamps = append(rec.stamps, stampOf(m))
		}
	}
	if err != nil {
		rec.err = FileError{File: path, Msg: err.Error()}
		var fe *FileError
		if errors.As(err, &fe) {
			rec.err = *fe
		}
		return rec
	}
	rec.summary = summarise(t)
	return rec
}

func loadForIndex(path string, rec *record) (*Tool, []string, error) {
	switch filepath.Ext(path) {
	case ".yml", ".yaml":
		if _, err := os.Stat(path); err == nil {
			return nil, nil, &FileError{File: path, Msg: "tools in YAML are not supported yet; the tool is left out"}
		}
	case ".cwl", ".json":
		return nil, nil, &FileError{File: path, Msg: "CWL tools are not supported; the tool is left out"}
	}
	src, err := readBounded(path)
	if err != nil {
		if os.IsNotExist(err) {
			return nil, nil, &FileError{File: path, Msg: "the tool file does not exist"}
		}
		return nil, nil, err
	}
	return load(path, src, func(p string) ([]byte, error) {
		rec.stamps = append(rec.stamps, stampOf(p))
		return readBounded(p)
	})
}

// assembler registers the tools in the order of the toolbox files and builds the panel.
type assembler struct {
	s        *Snapshot
	records  map[string]*record
	reader   *confReader
	section  map[string]*panelItem
	seen     map[string]*Entry // by id and version
	reported map[string]bool
}

func (a *assembler) items(items []confItem, section *panelItem) {
	for i := range items {
		it := &items[i]
		switch it.kind {
		case "section":
			id := it.elem.Get("id", "")
			p := a.section[id]
			if p == nil {
				p = &panelItem{kind: itemSection, id: id, name: it.elem.Get("name", ""), version: it.elem.Get("version", ""), description: it.elem.Get("description", "")}
				a.section[id] = p
				a.s.panel = append(a.s.panel, p)
			}
			a.items(it.items, p)
		case "label":
			p := &panelItem{kind: itemLabel, id: it.elem.Get("id", ""), name: it.elem.Get("text", ""), version: it.elem.Get("version", ""), description: it.elem.Get("description", "")}
			a.add(section, p)
		default:
			e := a.register(it)
			if e != nil && it.kind == "tool" && !e.Hidden {
				a.place(section, e)
			}
		}
	}
}

func (a *assembler) add(section, p *panelItem) {
	if section == nil {
		a.s.panel = append(a.s.panel, p)
		return
	}
	section.items = append(section.items, p)
}

// register makes the tool known and returns the entry, the newest of its id, or nil when the file cannot be used.
func (a *assembler) register(it *confItem) *Entry {
	rec := a.records[it.path]
	if rec.summary == nil {
		if !a.reported[it.path] {
			a.reported[it.path] = true
			n := Notice(rec.err)
			if n.File == it.path && n.Line == 0 && it.line > 0 {
				n = Notice{File: it.file, Line: it.line, Msg: it.path + ": " + n.Msg}
			}
			a.reader.notices = append(a.reader.notices, n)
		}
		return nil
	}
	e := &Entry{Summary: *rec.summary, ID: rec.summary.ID, OldID: rec.summary.ID, Path: it.path, Hidden: rec.summary.Hidden || it.hidden, stamps: rec.stamps, Repository: it.repo}
	if it.hidden {
		e.HiddenWritten = true
	}
	if it.guid != "" {
		e.ID = it.guid
		if it.version != "" {
			e.Version = it.version
		}
	}
	key := e.ID + "\x00" + e.Version
	if old := a.seen[key]; old != nil {
		if !sameFile(old, e) && !a.reported[e.Path] {
			a.reported[e.Path] = true
			a.reader.note(it.file, it.line, fmt.Sprintf("%s holds tool %s %s again; %s is used", e.Path, e.ID, e.Version, old.Path))
		}
		old.Hidden = old.Hidden || it.hidden
		if it.labels != nil {
			old.Labels = it.labels
		}
		return a.s.byID[old.ID]
	}
	e.Labels = it.labels
	a.seen[key] = e
	s := a.s
	s.all = append(s.all, e)
	if newest := s.byID[e.ID]; newest == nil {
		s.byID[e.ID] = e
		s.order = append(s.order, e)
	} else if CompareVersions(e.Version, newest.Version) > 0 {
		s.byID[e.ID] = e
		for i := range s.order {
			if s.order[i] == newest {
				s.order[i] = e
			}
		}
	}
	s.ids[e.ID] = append(s.ids[e.ID], e)
	s.byOldID[e.OldID] = append(s.byOldID[e.OldID], e)
	return s.byID[e.ID]
}

// sameFile also knows files that are reached by two paths.
func sameFile(a, b *Entry) bool {
	return a.Path == b.Path || len(a.stamps) > 0 && len(b.stamps) > 0 && a.stamps[0].inode == b.stamps[0].inode && a.stamps[0].ctime == b.stamps[0].ctime
}

// lineage is what the versions of a tool have in common: a guid without its version.
func lineage(e *Entry) string {
	if e.ID != e.OldID {
		if i := strings.LastIndexByte(e.ID, '/'); i >= 0 {
			return e.ID[:i]
		}
	}
	return e.ID
}

// place puts a tool into the panel, or a newer version into the place of an older one.
func (a *assembler) place(section *panelItem, e *Entry) {
	items := &a.s.panel
	if section != nil {
		items = &section.items
	}
	for _, p := range *items {
		if p.kind == itemTool && lineage(p.tool) == lineage(e) {
			if CompareVersions(e.Version, p.tool.Version) > 0 {
				p.tool = e
			}
			return
		}
	}
	*items = append(*items, &panelItem{kind: itemTool, tool: e})
}

func (a *assembler) finish() {
	s := a.s
	families := map[string][]*Entry{}
	for _, e := range s.all {
		families[lineage(e)] = append(families[lineage(e)], e)
	}
	sortVersions := func(es []*Entry) {
		sort.SliceStable(es, func(i, j int) bool { return CompareVersions(es[i].Version, es[j].Version) < 0 })
	}
	for _, es := range families {
		sortVersions(es)
		var versions, hidden []string
		for _, e := range es {
			versions = append(versions, e.Version)
			if e.Hidden {
				hidden = append(hidden, e.Version)
			}
		}
		for _, e := range es {
			e.versions, e.hiddenVersions = versions, hidden
		}
	}
	for _, es := range s.ids {
		sortVersions(es)
	}
	for _, es := range s.byOldID {
		sortVersions(es)
	}
	// A tool that was listed again as hidden leaves the panel; the section recorded last counts.
	var kept []*panelItem
	for _, p := range s.panel {
		switch p.kind {
		case itemTool:
			if p.tool.Hidden {
				continue
			}
			p.tool.inPanel, p.tool.SectionID, p.tool.SectionName = true, "", ""
		case itemSection:
			var in []*panelItem
			for _, q := range p.items {
				if q.kind == itemTool {
					if q.tool.Hidden {
						continue
					}
					q.tool.inPanel, q.tool.SectionID, q.tool.SectionName = true, p.id, p.name
				}
				in = append(in, q)
			}
			p.items = in
		}
		kept = append(kept, p)
	}
	s.panel = kept
	for _, es := range families {
		// Older versions are where the newest is.
		newest := es[len(es)-1]
		for _, e := range es {
			if !e.inPanel && newest.inPanel {
				e.inPanel, e.SectionID, e.SectionName = true, newest.SectionID, newest.SectionName
			}
		}
	}
}

// Len is the number of tools, counting one per id.
func (s *Snapshot) Len() int { return len(s.order) }

// Entries returns the newest version of every tool, in the order of loading.
func (s *Snapshot) Entries() []*Entry { return append([]*Entry(nil), s.order...) }

// Lookup finds a tool by id, guid, guid without version, or old id. An empty version is the newest; a version that is not
// there gives the newest too, unless exact is set: Galaxy runs old workflows this way.
func (s *Snapshot) Lookup(id, version string, exact bool) (*Entry, bool) {
	es := s.Versions(id)
	if len(es) == 0 {
		return nil, false
	}
	if version != "" {
		for _, e := range es {
			if e.Version == version {
				return e, true
			}
		}
		if exact {
			return nil, false
		}
	}
	return es[len(es)-1], true
}

// Versions returns all versions of a tool, oldest first.
func (s *Snapshot) Versions(id string) []*Entry {
	if es := s.ids[id]; len(es) > 0 {
		if es[0].ID == es[0].OldID {
			return es
		}
		// A guid names one version; the others have guids of their own.
		var r []*Entry
		for _, e := range s.byOldID[es[0].OldID] {
			if lineage(e) == lineage(es[0]) {
				r = append(r, e)
			}
		}
		// The version asked for by its guid is the one that «newest» means.
		for i, e := range r {
			if e == es[len(es)-1] {
				r = append(append(r[:i:i], r[i+1:]...), e)
				break
			}
		}
		return r
	}
	if es := s.byOldID[id]; len(es) > 0 {
		return es
	}
	var r []*Entry
	if strings.Contains(id, "/repos/") {
		for _, e := range s.byOldID[id[strings.LastIndexByte(id, '/')+1:]] {
			if lineage(e) == id {
				r = append(r, e)
			}
		}
	}
	return r
}

// Tool returns the parsed tool of an entry. It is parsed on first use and kept for a while; the answer is shared and must
// not be changed.
func (s *Snapshot) Tool(e *Entry) (*Tool, error) { return s.box.tool(e) }

// Tool finds and parses a tool of the current snapshot.
func (b *Toolbox) Tool(id, version string, exact bool) (*Tool, *Entry, error) {
	e, ok := b.Snapshot().Lookup(id, version, exact)
	if !ok {
		return nil, nil, nil
	}
	t, err := b.tool(e)
	return t, e, err
}

func (b *Toolbox) tool(e *Entry) (*Tool, error) {
	key := e.ID + "\x00" + e.Version + "\x00" + e.Path
	b.mu.Lock()
	if el, ok := b.byKey[key]; ok {
		p := el.Value.(*parsedTool)
		if sameStamps(p.stamp, e.stamps) {
			b.parsed.MoveToFront(el)
			b.mu.Unlock()
			return p.tool, nil
		}
		b.parsed.Remove(el)
		delete(b.byKey, key)
	}
	b.mu.Unlock()
	v, err, _ := b.flight.Do(key, func() (any, error) {
		t, err := LoadFile(e.Path)
		if err != nil {
			return nil, fmt.Errorf("tool %s cannot be loaded any more: %w", e.ID, err)
		}
		if t.OldID != e.OldID {
			return nil, fmt.Errorf("tool %s cannot be loaded: %s now holds tool %s; reload the toolbox", e.ID, e.Path, t.OldID)
		}
		t.ID, t.Version, t.Hidden, t.Labels = e.ID, e.Version, e.Hidden, e.Labels
		if e.ID != e.OldID {
			t.GUID = e.ID
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		if _, ok := b.byKey[key]; !ok {
			b.byKey[key] = b.parsed.PushFront(&parsedTool{key: key, stamp: e.stamps, tool: t})
			for b.parsed.Len() > b.opts.MaxParsed {
				last := b.parsed.Back()
				delete(b.byKey, last.Value.(*parsedTool).key)
				b.parsed.Remove(last)
			}
		}
		return t, nil
	})
	if err != nil {
		return nil, err
	}
	return v.(*Tool), nil
}
