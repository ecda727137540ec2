package cheetah

import "time"

// Limits bound one Render or Eval. A zero field takes its default.
type Limits struct {
	Steps    int64         // operations; default 20,000,000
	Duration time.Duration // wall time, besides the context's own deadline; default 10 s
	Output   int           // bytes of text produced; default 16 MiB
	Value    int           // bytes (roughly) of any one value built; default 16 MiB
	Memory   int           // bytes (roughly) of all values built together; default 256 MiB
	Depth    int           // nested calls; default 200

	// Now is the clock behind datetime.now(), time.time(); nil: time.Now.
	Now func() time.Time
	// Seed seeds the random module unless the template does; 0: from the clock.
	Seed int64
	// File answers os.path.exists, isfile, isdir and getsize. nil: refused
	// with an error, since templates have no file access of their own.
	File func(path string) (FileInfo, error)
	// Modules are further modules the template may import, by name.
	Modules map[string]*Module
}

// FileInfo is what a File hook says about a path.
type FileInfo struct {
	Exists bool
	Dir    bool
	Size   int64
}

func (l Limits) withDefaults() Limits {
	if l.Steps <= 0 {
		l.Steps = 20_000_000
	}
	if l.Duration <= 0 {
		l.Duration = 10 * time.Second
	}
	if l.Output <= 0 {
		l.Output = 16 << 20
	}
	if l.Value <= 0 {
		l.Value = 16 << 20
	}
	if l.Memory <= 0 {
		l.Memory = 256 << 20
	}
	if l.Depth <= 0 || l.Depth > 1000 {
		l.Depth = 200
	}
	if l.Now == nil {
		l.Now = time.Now
	}
	return l
}

const (
	maxDataDepth   = 200     // nesting of data walked by repr, ==, hash, JSON
	maxNesting     = 100     // nesting of expressions and blocks in source text
	maxChain       = 2000    // operators in a row, which nest to the left
	maxSource      = 4 << 20 // bytes of a template
	maxIntBits     = 1 << 17 // size of an int
	maxIntDigits   = 4300    // digits str(int) and int(str) convert, as Python
	maxRegexLen    = 64 << 10
	maxRegexNested = 200
)
