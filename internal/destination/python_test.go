package destination

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"orrery/internal/cheetah"
)

func bareRouter(opts Options) *Router {
	if opts.Intn == nil {
		opts.Intn = func(n int) int { return 0 }
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Warn == nil {
		opts.Warn = func(string) {}
	}
	return &Router{cfg: site(), opts: opts, dynamic: map[string]rule{}}
}

// runPython gives the value of a block, as text.
func runPython(source string, vars cheetah.MapScope) (string, error) {
	r := bareRouter(Options{})
	modules := newTPVModules(r)
	b, err := compilePython(place{file: "rules.yml", line: 10, what: "if"}, source, true, modules)
	if err != nil {
		return "", err
	}
	if vars == nil {
		vars = cheetah.MapScope{}
	}
	for name, v := range modules.globals {
		vars[name] = v
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	v, err := b.run(ctx, vars, r.pyLimits())
	if err != nil {
		return "", err
	}
	return cheetah.Repr(v), nil
}

func TestStatements(t *testing.T) {
	for name, c := range map[string]struct{ source, want string }{
		"an expression":               {"1 + 2", "3"},
		"blank lines and comments":    {"\n# a comment\n\n1 + 2  # and another\n\n", "3"},
		"a # and a ; in a string":     {"a = '#;'; b = \"x\"\na + b", "'#;x'"},
		"brackets join lines":         {"sum([\n  1,  # one\n  2,\n])", "3"},
		"a backslash joins lines":     {"1 + \\\n  2", "3"},
		"a long string":               {"'''a\nb # c'''", "'a\\nb # c'"},
		"several targets":             {"a = b = [1]\na.append(2)\nb", "[1, 2]"},
		"tuples of targets":           {"a, (b, c) = 1, (2, 3)\n[c, b, a]", "[3, 2, 1]"},
		"swapping":                    {"a, b = 1, 2\na, b = b, a\n(a, b)", "(2, 1)"},
		"augmented assignment":        {"a = 2\na **= 3\na //= 3\na <<= 2\na |= 1\na", "9"},
		"an annotation":               {"a: int = 3\na", "3"},
		"an item of a dict":           {"d = {'x': {}}\nd['x']['y'] = 1\nd['x']['y'] += 4\nd", "{'x': {'y': 5}}"},
		"an item of a list":           {"l = [1, 2, 3]\nl[-1] = 9\nl[0] -= 1\nl", "[0, 2, 9]"},
		"del":                         {"d = {'a': 1, 'b': 2}\ndel d['a']\nx = 1\ndel x\nd", "{'b': 2}"},
		"if, elif, else":              {"a = 5\nif a < 3:\n  b = 's'\nelif a < 7:\n  b = 'm'\nelse:\n  b = 'l'\nb", "'m'"},
		"if in one line":              {"a = 1\nif a: b = 2; c = 3\nb + c", "5"},
		"a dict and a slice in an if": {"if {'a': 1}['a'] == [0, 1][1:][0]:\n  b = 1\nb", "1"},
		"a lambda before the colon":   {"if (lambda x: x)(True): b = 1\nb", "1"},
		"for, continue, break, else":  {"n = 0\nfor i in range(10):\n  if i % 2: continue\n  if i > 6: break\n  n += i\nelse:\n  n = -1\nn", "12"},
		"for over a dict's items":     {"out = []\nfor k, v in {'a': 1, 'b': 2}.items():\n  out.append(k * v)\nout", "['a', 'bb']"},
		"for to its end":              {"for i in 'ab':\n  pass\nelse:\n  i += '!'\ni", "'b!'"},
		"while":                       {"n = 1\nwhile n < 100:\n  n *= 3\nn", "243"},
		"a function":                  {"def f(x, y=2, *, z=3):\n  return x + y\nf(1)", ""},
		"a function with defaults":    {"k = 10\ndef f(x, y=2):\n  if x > 2:\n    return y\n  return f(x + 1, y * k)\nf(1)", "200"},
		"a function in a sort":        {"def key(p):\n  return -p[1]\nsorted([('a', 1), ('b', 2)], key=key)[0][0]", "'b'"},
		"try, except, finally":        {"out = []\ntry:\n  {}['x']\nexcept (ValueError, LookupError) as e:\n  out.append(type(e).__name__ if False else 'caught')\nfinally:\n  out.append('done')\nout", "['caught', 'done']"},
		"try, else":                   {"try:\n  a = 1\nexcept Exception:\n  a = 2\nelse:\n  a += 10\na", "11"},
		"raise and catch":             {"try:\n  raise ValueError('no')\nexcept ValueError as e:\n  a = str(e)\na", "'no'"},
		"raise again":                 {"def f():\n  try:\n    raise KeyError('k')\n  except KeyError:\n    raise\ntry:\n  f()\nexcept KeyError:\n  a = 'again'\na", "'again'"},
		"an import":                   {"import re, json as j\nfrom math import floor as f, ceil\nimport os.path\n[re.sub('a', 'b', 'aa'), j.loads('[1]'), f(2.5), ceil(2.5), os.path.basename('/a/b')]", "['bb', [1], 2, 3, 'b']"},
		"TPV's modules":               {"from tpv.core import helpers as h\nfrom tpv.core.entities import TagType\n(h.GIGABYTES, int(TagType.REQUIRE), TagType.PREFER.name)", "(1073741824.0, 3, 'PREFER')"},
		"a function that caches":      {"import functools\nfrom typing import Optional\n@functools.lru_cache(maxsize=None)\ndef f(x: int, y: str = 'a') -> Optional[int]:\n  return x\nf(3)", "3"},
		"other modules":               {"from numbers import Number\nfrom random import SystemRandom\nfrom datetime import date, timedelta\n(isinstance(2.5, Number), SystemRandom().choice([7]), timedelta(hours=-1).days, timedelta(1, minutes=2).total_seconds())", "(True, 7, -1, 86520.0)"},
		"a name of a comprehension":   {"n = 3\n[i * n for i in range(3)]", "[0, 3, 6]"},
		"an f-string over lines":      {"a = 1\nf'''{a}\n{a + 1}'''", "'1\\n2'"},
		"an assert that holds":        {"assert 1 < 2, 'no'\n1", "1"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := runPython(c.source, nil)
			if c.want == "" {
				if err == nil {
					t.Errorf("%s gives %s", c.source, got)
				}
				return
			}
			if err != nil || got != c.want {
				t.Errorf("%s\ngives %s, %v; not %s", c.source, got, err, c.want)
			}
		})
	}
}

func TestWhatIsNotDoneIsRefusedWithItsLine(t *testing.T) {
	for source, want := range map[string]string{
		"":                                "rules.yml:10: if: an expression is expected",
		"a = 1":                           "rules.yml:10: if: the last line has to be an expression",
		"a = 1\nclass X: pass\n1":         "rules.yml:11: if: classes cannot be defined",
		"with open('x') as f:\n  pass\n1": "rules.yml:10: if: “with” is not done",
		"\n\nglobal a\n1":                 "rules.yml:12: if: “global”",
		"@f\ndef g(): pass\n1":            "rules.yml:10: if: decorators",
		"def f(*args):\n  return 1\nf()":  "the parameter “*args” of the function f",
		"import subprocess\n1":            "rules.yml:10: if: the module subprocess cannot be imported",
		"import requests\n1":              "requests needs the server's guarded access",
		"from os import system\n1":        "“system” of the module os is not there",
		"from re import *\n1":             "cannot be read",
		"from galaxy.model import Job\n1": "the module galaxy.model cannot be imported",
		"@cache\n1":                       "a decorator without a function",
		"return 1\n1":                     "outside of a function",
		"break\n1":                        "outside of a loop",
		"if 1:\npass\n1":                  "rules.yml:10: if: an indented block is expected",
		"  a = 1\n b = 2\n  1":            "",
		"a = 1\n  b = 2\na":               "rules.yml:11: if: this line is indented more",
		"x = (1\n2":                       "not closed",
		"a[1:2] = [3]\n1":                 "a slice",
		"1 = a\n1":                        "cannot be assigned to",
		"a +\n1":                          "",
		"else:\n  pass\n1":                "“else” without",
		"try:\n  pass\n1":                 "“try” needs",
		"if True\n  pass\n1":              "needs a colon",
		strings.Repeat("(", 200) + "1" + strings.Repeat(")", 200): "nested",
	} {
		_, err := runPython(source, nil)
		var p *Problem
		if err == nil || !errors.As(err, &p) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v; want %q", clip(source, 80), err, want)
		}
	}
}

func TestWhatFailsAtRunTimeNamesItsLine(t *testing.T) {
	for source, want := range map[string]string{
		"a = 1\nb = a.x\n1":              "rules.yml:11: if: AttributeError",
		"nothing":                        "name 'nothing' is not defined",
		"for i in range(3):\n  {}[i]\n1": "rules.yml:11: if: KeyError",
		"while True:\n  pass\n1":         "LimitExceeded",
		"def f(x):\n  return f(x)\nf(1)": "RecursionError",
		"a = 'x' * 10**9\n1":             "LimitExceeded",
		"assert 1 > 2, 'wrong'\n1":       "AssertionError: wrong",
		"a, b = [1]\n1":                  "ValueError",
		"raise 5\n1":                     "exceptions must derive",
		"d = {}\nd[[1]] = 2\n1":          "TypeError",
		"helpers.GIGABYTES = 5\n1":       "cannot be set",
		"try:\n  while True:\n    pass\nexcept:\n  pass\n1": "LimitExceeded",
		"().__class__.__bases__":                            "AttributeError",
		"open('/etc/passwd')":                               "name 'open' is not defined",
		"eval('1')":                                         "name 'eval' is not defined",
	} {
		_, err := runPython(source, nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v; want %q", source, err, want)
		}
	}
}

func TestAnExceptionOfARuleKeepsItsType(t *testing.T) {
	for _, source := range []string{
		"from galaxy.jobs.mapper import JobMappingException\nraise JobMappingException('sorry')\n1",
		"from galaxy.jobs import mapper\ndef f():\n  raise mapper.JobMappingException('sorry')\n[f() for i in range(2)]",
	} {
		_, err := runPython(source, nil)
		var raised *pyException
		if !errors.As(err, &raised) || raised.typ != "JobMappingException" || raised.message != "sorry" {
			t.Errorf("%s: %v", source, err)
		}
	}
}

func FuzzPython(f *testing.F) {
	for _, s := range []string{"1", "a = 1\nif a:\n  b = 2\nelse: b = 3\nb", "for i, x in enumerate('ab'):\n  print(i)\n1", "def f(x=(1, 2)):\n  return x\nf()",
		"try:\n  raise ValueError\nexcept (ValueError, KeyError) as e:\n  pass\nfinally: a = 1\na", "import re\nfrom math import (ceil,\n floor)\nceil(1)", "a['b'].c, d = 1, 2\n1",
		"'''x\n''' + f'{1:>3}'", "x = lambda a: {a: 1}\nx(1)", "a: int = 3; del a\n1", "while 0: pass\n1", "\ta=1\n        b=2\n1", "a = b = c\\\n = 1\n1", "x[lambda: 1] += (2)\n1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, source string) {
		r := bareRouter(Options{})
		modules := newTPVModules(r)
		for _, value := range []bool{true, false} {
			b, err := compilePython(place{file: "f", line: 1}, source, value, modules)
			if err != nil {
				var p *Problem
				if !errors.As(err, &p) || p.Line < 1 || p.Message == "" {
					t.Errorf("%q: %v", source, err)
				}
				continue
			}
			ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
			_, err = b.run(ctx, cheetah.MapScope{"a": cheetah.NewDict(), "x": int64(3)}, cheetah.Limits{Steps: 20_000, Duration: 100 * time.Millisecond, Value: 1 << 16, Memory: 1 << 20})
			cancel()
			_ = err // any error will do; a panic or a hang will not
		}
	})
}
