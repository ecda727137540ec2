package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "orrery"

// file is one Go file, with what its head says.
type file struct {
	path    string // from the checkout's root
	folder  string
	test    bool
	imports []string
	syntax  *ast.File
}

// pkg is the name of a folder in the tables: without internal/.
func (f file) pkg() string { return strings.TrimPrefix(f.folder, "internal/") }

// files reads the heads of all Go files of the checkout.
func files(t *testing.T) []file {
	t.Helper()
	root := checkout(t)
	var all []file
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() {
			if path != root && (strings.HasPrefix(name, ".") || name == "testdata" || name == "database" || name == "client" && filepath.Dir(path) == root) {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		syntax, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly|parser.ParseComments)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		f := file{path: relative, folder: filepath.ToSlash(filepath.Dir(relative)), test: strings.HasSuffix(name, "_test.go"), syntax: syntax}
		for _, spec := range syntax.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			f.imports = append(f.imports, imported)
		}
		all = append(all, f)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// checkout is the folder with go.mod.
func checkout(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("no go.mod above the test's folder")
		}
		dir = parent
	}
}

// TestImportsFollowTheTable: an arrow between two packages is in the table or it is not drawn.
func TestImportsFollowTheTable(t *testing.T) {
	for _, f := range files(t) {
		for _, imported := range f.imports {
			name, ours := strings.CutPrefix(imported, module+"/")
			if ours && !allowed(f, strings.TrimPrefix(name, "internal/")) {
				t.Errorf("%s may not import %s: see rules_test.go of internal/archtest, and docs/architecture.md", f.path, imported)
			}
		}
	}
}

// allowed says whether a file may import another of our packages.
func allowed(f file, imported string) bool {
	switch top, _, _ := strings.Cut(f.folder, "/"); {
	case f.test && (slices.Contains(forTests, imported) || imported == f.pkg() || slices.Contains(testsAlso[f.pkg()], imported)):
		return true
	case top == "cmd": // wiring
		return !slices.Contains(forTests, imported)
	case top == "bench": // it measures claims without the rest of the server
		return slices.Contains([]string{"galaxy", "job", "pool", "store", "wake", "bench/traffic"}, imported)
	case top == "test": // these look at the program from outside
		return imported == "testenv" || imported == "bench/traffic"
	}
	return slices.Contains(mayImport[f.pkg()], imported)
}

// TestTheTableIsUpToDate: each package has its line, and a line has no arrow to a package that does not exist.
func TestTheTableIsUpToDate(t *testing.T) {
	exists := make(map[string]bool)
	for _, f := range files(t) {
		if strings.HasPrefix(f.folder, "internal/") {
			exists[f.pkg()] = true
		}
	}
	for name := range exists {
		if _, ok := mayImport[name]; !ok {
			t.Errorf("internal/%s is not in the table of import rules: add it to mayImport in internal/archtest/rules_test.go", name)
		}
	}
	for name, arrows := range mayImport {
		for _, other := range append([]string{name}, arrows...) {
			if !exists[other] {
				t.Errorf("the table's line of %s names %s, and there is no internal/%[2]s", name, other)
			}
		}
	}
}

// TestWrappedModulesStayWrapped: what one package is there to wrap is imported by no other.
func TestWrappedModulesStayWrapped(t *testing.T) {
	for _, f := range files(t) {
		if f.test {
			continue
		}
		for _, imported := range f.imports {
			for name, places := range onlyIn {
				if (imported == name || strings.HasPrefix(imported, name+"/")) && !slices.Contains(places, f.pkg()) {
					t.Errorf("%s imports %s, which only %s may: see onlyIn in internal/archtest/rules_test.go",
						f.path, imported, strings.Join(places, ", "))
				}
			}
		}
	}
}

// TestEveryPackageSaysWhatItIs: a package opens with a doc.go, a program with a main.go, whose comment starts with its
// name.
func TestEveryPackageSaysWhatItIs(t *testing.T) {
	type opening struct{ name, doc string }
	openings, packages := make(map[string]opening), make(map[string]bool)
	for _, f := range files(t) {
		packages[f.folder] = true
		if base := filepath.Base(f.path); (base == "doc.go" || base == "main.go") && f.syntax.Doc != nil {
			openings[f.folder] = opening{f.syntax.Name.Name, f.syntax.Doc.Text()}
		}
	}
	for folder := range packages {
		o, ok := openings[folder]
		if !ok {
			t.Errorf("%s has no doc.go (a program: main.go) with a comment that says what the package is for", folder)
			continue
		}
		want := "Package " + o.name + " "
		if o.name == "main" {
			want = "Command " + filepath.Base(folder) + " "
		}
		if !strings.HasPrefix(o.doc, want) {
			t.Errorf("the comment of %s begins %q, not with %q", folder, strings.SplitN(o.doc, "\n", 2)[0], want)
		}
	}
}
