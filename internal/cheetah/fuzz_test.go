package cheetah

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

var fuzzLimits = Limits{Steps: 20_000, Duration: 2 * time.Second, Output: 1 << 16, Value: 1 << 16, Memory: 1 << 20}

func fuzzScope() Scope {
	return MapScope{"x": int64(5), "s": "text", "l": FromGo([]any{1, "a", nil}), "d": FromGo(map[string]any{"k": "v"}), "o": &param1{"p"}}
}

func checkEval(t *testing.T, what, src, out string, err error) {
	var ee *EvalError
	if err != nil && !errors.As(err, &ee) {
		t.Fatalf("%s(%q): an error of type %T", what, src, err)
	}
	if ee != nil && ee.Type == "InternalError" {
		t.Fatalf("%s(%q): %v", what, src, err)
	}
	if len(out) > fuzzLimits.Output {
		t.Fatalf("%s(%q): %d bytes of output", what, src, len(out))
	}
}

// watch ends the run with the input that hangs, should one.
func watch(src string) func() {
	w := time.AfterFunc(20*time.Second, func() { panic(fmt.Sprintf("hangs: %q", src)) })
	return func() { w.Stop() }
}

func FuzzCompile(f *testing.F) {
	for _, s := range []string{"$x", "${x + 1}", "#if $x\na\n#elif 1\nb\n#else\nc\n#end if", "#for $i in $l\n$i\n#end for", "#def f(a, *b)\n$a\n#end def\n$f(1)",
		"#try\n#raise ValueError('x')\n#except ValueError as e\n$e\n#finally\n#end try", "#set $d['a'] = [i for i in range(9)]\n$d", "#raw\n$\n#end raw", "#if $x# a #end if#",
		"#compiler-settings\ncheetahVarStartToken = @\n#end compiler-settings\n@x", "#* #* *# *#", "a #slurp\nb", "#import re\n$re.sub('(a)', r'\\1', $s)", "#capture c\n#end capture",
		"#call $str\nx\n#end call", "${'%5.3f' % 2}", "#while 1\n#set $s += $s\n#end while", "$o.a $o[1] ${o + 's'}", "<%= 1 %>", "<%\nimport json\ny = 1\n%>$y", "#if $x then 1 else 2\n", "#for $i in $l: $i\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) {
		defer watch(src)()
		tm, err := Compile("f", src)
		if err != nil {
			var se *SyntaxError
			if !errors.As(err, &se) || strings.HasPrefix(se.Msg, parserFailed) {
				t.Fatalf("Compile(%q): %T: %v", src, err, err)
			}
			return
		}
		out, err := tm.Render(context.Background(), fuzzScope(), fuzzLimits)
		checkEval(t, "Render", src, out, err)
	})
}

func FuzzExpr(f *testing.F) {
	for _, s := range []string{"1 + 2 * x", "[i for i in l if i]", "f'{x:>5}'", "'%s %(a)d' % {'a': 1}", "lambda *a, **k: a", "{1: 2, **d}", "s[::-1]", "'{0[k]:^{1}}'.format(d, 9)",
		"sorted(l, key=str)", "10**10**10", "'a' * 10**10", "range(10**12)", "__import__('re').sub('a+?', 'b', s)", "__import__('json').dumps(d)", "x if s else l", "1 < 2 <= 3",
		"(lambda f: f(f))(lambda f: f(f))", "{*l}", "o == 'p' and o + 's'", "list(zip(l, s))", "'\\x41\\u00e9'", "0x1f + 1e3", "__import__('random').choice(l)", "1 << 100000"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) {
		defer watch(src)()
		e, err := CompileExpr(src)
		if err != nil {
			var se *SyntaxError
			if !errors.As(err, &se) || strings.HasPrefix(se.Msg, parserFailed) {
				t.Fatalf("CompileExpr(%q): %T: %v", src, err, err)
			}
			return
		}
		v, err := e.Eval(context.Background(), fuzzScope(), fuzzLimits)
		checkEval(t, "Eval", src, "", err)
		if err == nil {
			_ = strings.ToUpper(Str(v))
		}
	})
}
