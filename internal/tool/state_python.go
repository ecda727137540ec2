package tool

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"

	"orrery/internal/cheetah"
)

// This file has the few conversions for which the form of Python's results is part of Galaxy's data: str(), repr(), int(),
// float() and json.dumps().

// toCheetah turns a value of a state into the engine's; groups become dicts, datasets stay what wrap makes of them.
func toCheetah(v any, wrap func(*DatasetInfo) cheetah.Value) cheetah.Value {
	switch x := v.(type) {
	case *DatasetInfo:
		if x == nil {
			return nil
		}
		return wrap(x)
	case []*DatasetInfo:
		l := cheetah.NewList()
		for _, d := range x {
			l.Items = append(l.Items, toCheetah(d, wrap))
		}
		return l
	case Values:
		d := cheetah.NewDict()
		for _, k := range sortedKeys(x) {
			d.Set(k, toCheetah(x[k], wrap))
		}
		return d
	case []Values:
		l := cheetah.NewList()
		for _, e := range x {
			l.Items = append(l.Items, toCheetah(e, wrap))
		}
		return l
	case []any:
		l := cheetah.NewList()
		for _, e := range x {
			l.Items = append(l.Items, toCheetah(e, wrap))
		}
		return l
	}
	return cheetah.FromGo(v)
}

// pyStr is str(v).
func pyStr(v any) string {
	switch x := v.(type) {
	case string:
		return x
	case *DatasetInfo:
		if x == nil {
			return "None"
		}
		return x.Name
	}
	return cheetah.Str(toCheetah(v, datasetName))
}

// pyRepr is repr(v).
func pyRepr(v any) string { return cheetah.Repr(toCheetah(v, datasetName)) }

func datasetName(d *DatasetInfo) cheetah.Value { return d.Name }

// pyTruth is bool(v).
func pyTruth(v any) bool {
	switch x := v.(type) {
	case nil:
		return false
	case string:
		return x != ""
	case bool:
		return x
	case *DatasetInfo:
		return x != nil
	}
	return cheetah.Truth(toCheetah(v, datasetName))
}

// pyInt is int(v): text is stripped, may have a sign and single underscores between digits; numbers are cut. Not ok where
// Python raises.
func pyInt(v any) (any, bool) {
	switch x := v.(type) {
	case bool:
		if x {
			return int64(1), true
		}
		return int64(0), true
	case int64, *big.Int:
		return x, true
	case float64:
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return nil, false
		}
		n, _ := big.NewFloat(math.Trunc(x)).Int(nil)
		return smallInt(n), true
	case json.Number:
		return pyInt(numberValue(x))
	case string:
		digits, ok := plainDigits(strings.TrimSpace(x), false)
		if !ok {
			return nil, false
		}
		n, ok := new(big.Int).SetString(digits, 10)
		if !ok {
			return nil, false
		}
		return smallInt(n), true
	}
	return nil, false
}

// pyFloat is float(v).
func pyFloat(v any) (float64, bool) {
	switch x := v.(type) {
	case bool:
		if x {
			return 1, true
		}
		return 0, true
	case int64:
		return float64(x), true
	case *big.Int:
		f, _ := new(big.Float).SetInt(x).Float64()
		return f, !math.IsInf(f, 0)
	case float64:
		return x, true
	case json.Number:
		return pyFloat(numberValue(x))
	case string:
		s := strings.TrimSpace(x)
		switch strings.ToLower(strings.TrimLeft(s, "+-")) {
		case "inf", "infinity", "nan":
			if len(s)-len(strings.TrimLeft(s, "+-")) > 1 {
				return 0, false
			}
			f, err := strconv.ParseFloat(s, 64)
			if err != nil { // ParseFloat knows no signed nan
				return math.NaN(), true
			}
			return f, true
		}
		digits, ok := plainDigits(s, true)
		if !ok {
			return 0, false
		}
		f, err := strconv.ParseFloat(digits, 64)
		if err != nil && !math.IsInf(f, 0) {
			return 0, false
		}
		return f, true
	}
	return 0, false
}

// plainDigits checks that s is a decimal number and removes the underscores Python allows between digits. Numbers of more
// than 4,300 digits are refused, as Python refuses them.
func plainDigits(s string, float bool) (string, bool) {
	if len(s) == 0 || len(s) > 4300 {
		return "", false
	}
	var b strings.Builder
	digit := false
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c >= '0' && c <= '9':
			digit = true
		case c == '_':
			if i == 0 || i == len(s)-1 || !isDigit(s[i-1]) || !isDigit(s[i+1]) {
				return "", false
			}
			continue
		case c == '+' || c == '-':
			if i > 0 && (!float || (s[i-1] != 'e' && s[i-1] != 'E')) {
				return "", false
			}
		case float && (c == '.' || c == 'e' || c == 'E'):
		default:
			return "", false
		}
		b.WriteByte(c)
	}
	return b.String(), digit
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func smallInt(n *big.Int) any {
	if n.IsInt64() {
		return n.Int64()
	}
	return n
}

// numberValue turns a number of a JSON text into int64, *big.Int or float64.
func numberValue(n json.Number) any {
	v := cheetah.FromGo(n)
	if v == nil {
		return string(n)
	}
	return v
}

// pyJSON is json.dumps(v, sort_keys=True): ASCII only, a space after each comma and colon.
func pyJSON(v any) string {
	var b strings.Builder
	writeJSON(&b, v, 0)
	return b.String()
}

const maxJSONDepth = 200

func writeJSON(b *strings.Builder, v any, depth int) {
	if depth > maxJSONDepth {
		b.WriteString("null")
		return
	}
	switch x := v.(type) {
	case nil:
		b.WriteString("null")
	case bool:
		b.WriteString(strconv.FormatBool(x))
	case string:
		writeJSONString(b, x)
	case int:
		b.WriteString(strconv.Itoa(x))
	case int64:
		b.WriteString(strconv.FormatInt(x, 10))
	case *big.Int:
		b.WriteString(x.String())
	case json.Number:
		b.WriteString(string(x))
	case float64:
		switch {
		case math.IsNaN(x):
			b.WriteString("NaN")
		case math.IsInf(x, 1):
			b.WriteString("Infinity")
		case math.IsInf(x, -1):
			b.WriteString("-Infinity")
		default:
			b.WriteString(cheetah.Repr(x))
		}
	case Values:
		writeJSONMap(b, x, depth)
	case map[string]any:
		writeJSONMap(b, x, depth)
	case []Values:
		writeJSONList(b, x, depth)
	case []any:
		writeJSONList(b, x, depth)
	case []string:
		writeJSONList(b, x, depth)
	default:
		writeJSONString(b, fmt.Sprint(v))
	}
}

func writeJSONMap[V any](b *strings.Builder, m map[string]V, depth int) {
	b.WriteByte('{')
	for i, k := range sortedKeys(m) {
		if i > 0 {
			b.WriteString(", ")
		}
		writeJSONString(b, k)
		b.WriteString(": ")
		writeJSON(b, m[k], depth+1)
	}
	b.WriteByte('}')
}

func writeJSONList[V any](b *strings.Builder, l []V, depth int) {
	b.WriteByte('[')
	for i, e := range l {
		if i > 0 {
			b.WriteString(", ")
		}
		writeJSON(b, e, depth+1)
	}
	b.WriteByte(']')
}

func writeJSONString(b *strings.Builder, s string) {
	b.WriteByte('"')
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		i += n
		switch {
		case r == '"':
			b.WriteString(`\"`)
		case r == '\\':
			b.WriteString(`\\`)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\b':
			b.WriteString(`\b`)
		case r == '\f':
			b.WriteString(`\f`)
		case r < 0x20 || (r >= 0x7f && r <= 0xffff):
			fmt.Fprintf(b, `\u%04x`, r)
		case r > 0xffff:
			r -= 0x10000
			fmt.Fprintf(b, `\u%04x\u%04x`, 0xd800+(r>>10), 0xdc00+(r&0x3ff))
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
}

// asBool is Galaxy's reading of a boolean: true, yes, on and 1, in any case.
func asBool(v any) bool {
	switch strings.ToLower(pyStr(v)) {
	case "true", "yes", "on", "1":
		return true
	}
	return false
}

// asOptionalBool is the reading of an optional boolean: nil when it says none or null.
func asOptionalBool(v any) any {
	switch strings.ToLower(pyStr(v)) {
	case "true", "yes", "on":
		return true
	case "none", "null":
		return nil
	}
	return false
}

// listify makes a list of a value as Galaxy does: text is split at commas, nothing gives an empty list.
func listify(v any) []any {
	switch x := v.(type) {
	case []any:
		return x
	case string:
		if x == "" {
			return nil
		}
		var l []any
		for _, s := range strings.Split(x, ",") {
			l = append(l, s)
		}
		return l
	}
	if !pyTruth(v) {
		return nil
	}
	return []any{v}
}

// splitMultiple splits the value of a multiple parameter at line ends and commas; empty parts are dropped.
func splitMultiple(v any) []any {
	var parts []any
	switch x := v.(type) {
	case []any:
		parts = x
	case string:
		for _, s := range strings.Split(x, "\n") {
			parts = append(parts, s)
		}
	default:
		return nil
	}
	var l []any
	for _, p := range parts {
		for _, s := range strings.Split(pyStr(p), ",") {
			if s = strings.TrimSpace(s); s != "" {
				l = append(l, s)
			}
		}
	}
	return l
}
