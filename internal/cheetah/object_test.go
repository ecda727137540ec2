package cheetah

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"
)

// param1 stands for the wrapper of a tool's text parameter.
type param1 struct{ v string }

func (p *param1) TypeName() string { return "InputValueWrapper" }
func (p *param1) Plain() Value     { return p.v }
func (p *param1) Str() string      { return p.v }
func (p *param1) Attr(name string) (Value, error) {
	if name == "attr" {
		return "an attribute", nil
	}
	return nil, fmt.Errorf("%s: %w", name, ErrNoAttr)
}
func (p *param1) Equal(o Value) bool { return Str(o) == p.v }

// dataset1 stands for the wrapper of a dataset: no plain value, but items,
// a call and a truth of its own.
type dataset1 struct{}

func (dataset1) TypeName() string { return "DatasetFilenameWrapper" }
func (dataset1) Str() string      { return "/data/1.dat" }
func (dataset1) Truth() bool      { return false }
func (dataset1) Len() int         { return 2 }
func (dataset1) Item(k Value) (Value, error) {
	if k == "meta" {
		return "m", nil
	}
	return nil, ErrNoKey
}
func (dataset1) Iter() ([]Value, error) { return []Value{"e1", "e2"}, nil }
func (dataset1) Call(_ context.Context, args []Value, kw map[string]Value) (Value, error) {
	if len(args) == 0 {
		return nil, &RaiseError{"ValueError", "no arguments"}
	}
	return fmt.Sprint(args[0], "+", kw["b"]), nil
}

func TestObjects(t *testing.T) {
	scope := MapScope{"p": &param1{"hg19"}, "n": &param1{"12"}, "ds": dataset1{}, "fn": Func("fn", func(_ context.Context, args []Value, _ map[string]Value) (Value, error) {
		return int64(len(args)), nil
	}), "d": FromGo(map[string]any{"hg19": "human"})}
	for _, c := range []struct{ template, want string }{
		{"$p", "hg19"},
		{"#if $p == 'hg19'\nyes\n#end if", "yes\n"},
		{"#if 'hg19' == $p and $p != 'x'\nyes\n#end if", "yes\n"},
		{"$p.attr ${p.upper()} $p.upper()", "an attribute HG19 HG19"},
		{"${p + '.fa'} ${'x' + $p}", "hg19.fa xhg19"},
		{"${'g1' in $p} ${$p in ['hg19', 'mm9']} ${$p in {'hg19'}}", "True True True"},
		{"${int($n) + 1} ${float($n)} ${len($p)} $p[0] $p[1:]", "13 12.0 4 h g19"},
		{"${'%s|%5s|%d' % ($p, $p, int($n))} ${'{}-{:>6}'.format($p, $p)}", "hg19| hg19|12 hg19-  hg19"},
		{"$d[$p] $d.get($p)", "human human"},
		{"${','.join([str(c) for c in $p])} ${'-'.join([$p, $n])}", "h,g,1,9 hg19-12"},
		{"$ds ${ds['meta']} $ds.meta $len($ds) #for $e in $ds# $e#end for#", "/data/1.dat m m 2  e1 e2"},
		{"#if $ds\nyes\n#else\nno\n#end if", "no\n"},
		{"$ds(1, b='z') ${callable($ds)}", "1+z True"},
		{"$fn $fn(1,2)", "0 2"},
		{"#try\n$ds()\n#except ValueError as e\n$e\n#end try", "no arguments\n"},
		{"#try\n${ds['zz']}\n#except KeyError\nmissing\n#end try", "missing\n"},
		{"${isinstance($p, str)} ${hasattr($p, 'attr')} ${hasattr($ds, 'zz')}", "False True False"},
		{"${sorted([$p, 'a'])[0]} ${$n < '2'}", "a True"},
		{"${__import__('os.path').path.basename($ds)}", "1.dat"},
		{"${__import__('re').sub('h', 'H', $p)}", "Hg19"},
		{"${__import__('json').dumps([$p])}", `["hg19"]`},
	} {
		tm, err := Compile("t", c.template)
		if err != nil {
			t.Errorf("%q: %v", c.template, err)
			continue
		}
		got, err := tm.Render(t.Context(), scope, Limits{})
		if err != nil || got != c.want {
			t.Errorf("%q: got %q, %v; want %q", c.template, got, err, c.want)
		}
	}
}

func TestExpressions(t *testing.T) {
	scope := MapScope{"input": &param1{"tab"}, "type": "shadow", "x": int64(3), "cond": FromGo(map[string]any{"sel": "a"})}
	for _, c := range []struct {
		expr string
		want string
	}{
		{"input == 'tab' and x > 2", "True"},
		{"type", "'shadow'"}, // names of the scope come before builtins
		{"cond['sel'] in ('a', 'b')", "True"},
		{"f'{x:03d}{x!r:>3}'", "'003  3'"},
		{"f'{{}}{x=}'", "'{}x=3'"},
		{"[y := 2, y * 2]", "[2, 4]"},
		{"x <> 4", "True"},
		{"{'a': 1}.has_key('a')", "True"},
		{"map(str, [1, 2])[1] + zip([1])[0].__class__.__name__", "'2tuple'"},
		{"{'a': 1}.keys() + ['b']", "['a', 'b']"},
		{"unicode(5) + str(long(6))", "'56'"},
		{"0755 + 10L", "503"},
		{"a if (a := 4) else 0", "4"},
		{"\n 1 +\n 2 # note\n", "3"},
		{"re_ and 1", ""},
	} {
		e, err := CompileExpr(c.expr)
		if err != nil {
			t.Errorf("%q: %v", c.expr, err)
			continue
		}
		v, err := e.Eval(t.Context(), scope, Limits{})
		if c.want == "" {
			if err == nil || err.Error() != "name 're_' is not defined" {
				t.Errorf("%q: %v", c.expr, err)
			}
		} else if err != nil || Repr(v) != c.want {
			t.Errorf("%q: got %s, %v; want %s", c.expr, Repr(v), err, c.want)
		}
	}
}

func TestErrorsSayWhere(t *testing.T) {
	for _, c := range []struct{ template, want string }{
		{"a\nb\n${foo(bar)}", "tool: line 3: cannot find 'foo'"},
		{"a\n#set $z = foo\n", "tool: line 2: name 'foo' is not defined"},
		{"$d.x.y", "tool: line 1: cannot find 'x' while searching for 'd.x.y'"},
		{"\n\n#if 1/0\n#end if", "tool: line 3: ZeroDivisionError: division by zero"},
		{"#import subprocess\n", "tool: line 1: ImportError: the module 'subprocess' cannot be imported in a tool template"},
		{"${__import__('socket')}", "tool: line 1: ImportError: the module 'socket' cannot be imported in a tool template"},
		{"#import os\n${os.system('id')}", "tool: line 2: cannot find 'system' while searching for 'os.system'"},
		{"#import os\n#silent os.system('id')", "tool: line 2: AttributeError: module 'os' has no attribute 'system'"},
		{"#import os\n#if os.path.exists('/etc/passwd')\n#end if", "tool: line 2: PermissionError: os.path.exists('/etc/passwd'): a tool template has no access to files"},
		{"a\n#if 1\n", "tool: line 2: #if without its #end if"},
		{"a\n#end for\n", "tool: line 2: #end for found, but there is nothing to end"},
		{"#if 1\n#end for\n", "tool: line 2: #end for found, #end if expected"},
		{"\n$(ls dir)", "tool: line 2: invalid syntax near 'dir'"},
		{"${x", "tool: line 1: the end was reached before a matching '}' for the '{'"},
		{"\n#include 'x'", "tool: line 2: the #include directive is not supported"},
	} {
		tm, err := Compile("tool", c.template)
		if err == nil {
			_, err = tm.Render(t.Context(), MapScope{"d": NewDict()}, Limits{})
		}
		if err == nil || err.Error() != c.want {
			t.Errorf("%q:\n got %v\nwant %s", c.template, err, c.want)
		}
	}
}

// TestBox feeds what would exhaust time or memory: every one must end in an
// error that names the limit, and must not be catchable.
func TestBox(t *testing.T) {
	for _, src := range []string{
		"${'a' * 10**10}", "${10**10**10}", "${list(range(10**12))}", "${[0] * 10**9}", "${'%1000000000d' % 5}", "${'{:>99999999999}'.format(1)}", "${format(1.0, '.999999999f')}",
		"#while 1\n#end while", "#while 1\nx\n#end while", "#set $s = 'ab'\n#while 1\n#set $s = $s + $s\n#end while", "#set $l = [1]\n#for $i in $l\n#silent $l.append(1)\n#end for",
		"${sum(i for i in range(10**15))}", "${'a'.zfill(10**10)}", "${'a'.ljust(10**10)}", "${'aaaa'.replace('', 'x' * 10**7)}", "${1 << 10**9}", "${len(str(7**99999))}",
		"#import itertools\n${list(itertools.count())}", "#import itertools\n${len(list(itertools.product(range(100), repeat=9)))}", "${__import__('math').factorial(10**6)}",
		"${__import__('re').match('(a+)+$', 'a' * 40 + 'b')}", "${__import__('re').sub('', 'x' * 10**5, 'a' * 10**5)}", "#try\n#while 1\n#end while\n#except\ncaught\n#finally\nran\n#end try",
		"#def f\n$f()$f()\n#end def\n#set $x = 1\n#while 1\n#try\n$f()\n#except\n#end try\n#end while", "#set $t = ()\n#for $i in range(100)\n#set $t = ($t, $t)\n#end for\n${hash($t)}",
		"#set $t = [1]\n#for $i in range(60)\n#set $t = [$t, $t]\n#end for\n$t", "${__import__('textwrap').indent('a\\n' * 10**5, 'x' * 10**5)}", "${'\\t'.expandtabs(10**9) * 10**5}",
	} {
		tm, err := Compile("box", src)
		if err != nil {
			t.Errorf("%q: %v", src, err)
			continue
		}
		_, err = tm.Render(t.Context(), MapScope{}, Limits{Steps: 2_000_000, Duration: 3 * time.Second})
		ee, ok := err.(*EvalError)
		if !ok || ee.Type != "LimitExceeded" && ee.Type != "Timeout" && ee.Type != "ValueError" {
			t.Errorf("%q: %v", src, err)
		}
	}
	for _, src := range []string{ // too deep: an exception of Python's own kind
		"#def f\n$f()\n#end def\n$f()", "${(lambda f: f(f))(lambda f: f(f))}", "#set $l = []\n#silent $l.append($l)\n$l", "#set $l = []\n#silent $l.append($l)\n${l == [$l]}",
		"#set $i = [1]\n#for $n in range(3000)\n#set $i = map(str, $i)\n#end for\n${list($i)}", "#set $d = {}\n#set $d['d'] = $d\n${__import__('json').dumps($d)}",
	} {
		tm, err := Compile("deep", src)
		if err != nil {
			t.Errorf("%q: %v", src, err)
			continue
		}
		_, err = tm.Render(t.Context(), MapScope{}, Limits{})
		if ee, ok := err.(*EvalError); !ok || ee.Type != "RecursionError" {
			t.Errorf("%q: %v", src, err)
		}
	}
}

func TestStopsWithContext(t *testing.T) {
	tm, err := Compile("t", "#while 1\n#end while")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = tm.Render(ctx, MapScope{}, Limits{Steps: 1 << 60})
	if ee, ok := err.(*EvalError); !ok || ee.Type != "Timeout" {
		t.Fatalf("got %v", err)
	}
}

func TestHostHooks(t *testing.T) {
	lim := Limits{
		Now:     func() time.Time { return time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC) },
		Seed:    42,
		File:    func(p string) (FileInfo, error) { return FileInfo{Exists: p == "/there", Size: 7}, nil },
		Modules: map[string]*Module{"galaxy.util": {Name: "galaxy.util", Attrs: map[string]Value{"answer": int64(42)}}},
	}
	tm, err := Compile("t", "#import datetime, os, random\n#from galaxy.util import answer\n$datetime.datetime.now() $datetime.date.today() "+
		"$os.path.exists('/there') $os.path.exists('/not') $os.path.getsize('/there') $random.randint(1, 100) $answer")
	if err != nil {
		t.Fatal(err)
	}
	got, err := tm.Render(t.Context(), MapScope{}, lim)
	if want := "2026-02-03 04:05:06 2026-02-03 True False 7 82 42"; err != nil || got != want {
		t.Fatalf("got %q, %v; want %q", got, err, want)
	}
}

// TestConcurrent renders one template from many goroutines; run with -race.
func TestConcurrent(t *testing.T) {
	tm, err := Compile("t", benchTemplate)
	if err != nil {
		t.Fatal(err)
	}
	want, err := tm.Render(t.Context(), benchScope(), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				if got, err := tm.Render(context.Background(), benchScope(), Limits{}); err != nil || got != want {
					t.Errorf("got %q, %v", got, err)
				}
			}
		})
	}
	wg.Wait()
}

const benchTemplate = `#import re
## link the inputs
#set $name = re.sub('[^\w\-.]', '_', str($input.element_identifier))
ln -s '$input' '${name}.fastq' &&
#if str($mode.select) == 'paired'
  #set $opts = '-1 %s -2 %s' % ($name, $name)
#else
  #set $opts = '-U ' + $name
#end if
bowtie2 -p \${GALAXY_SLOTS:-1} $opts
#for $i, $r in enumerate($reads)
  --rg ${i}:$r.id #if $r.lib# --lib '$r.lib' #end if#
#end for
> '$output'
`

func benchScope() MapScope {
	return MapScope{"input": FromGo(map[string]any{"element_identifier": "my sample #1"}), "mode": FromGo(map[string]any{"select": "paired"}), "output": &param1{"/out.dat"},
		"reads": FromGo([]any{map[string]any{"id": "a", "lib": "L"}, map[string]any{"id": "b", "lib": ""}})}
}

func BenchmarkRender(b *testing.B) {
	tm, err := Compile("t", benchTemplate)
	if err != nil {
		b.Fatal(err)
	}
	scope := benchScope()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := tm.Render(context.Background(), scope, Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCompile(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Compile("t", benchTemplate); err != nil {
			b.Fatal(err)
		}
	}
}
