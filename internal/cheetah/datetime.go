package cheetah

import (
	"fmt"
	"strings"
	"time"
)

// dateTime is a datetime.datetime or datetime.date, without time zone.
type dateTime struct{ t time.Time }

var typDateTime = &Type{Name: "datetime.datetime"}

// TypeName implements Object.
func (d *dateTime) TypeName() string { return "datetime.datetime" }

// Str implements Strer.
func (d *dateTime) Str() string {
	s := d.t.Format("2006-01-02 15:04:05")
	if us := d.t.Nanosecond() / 1000; us != 0 {
		s += fmt.Sprintf(".%06d", us)
	}
	return s
}

// Equal implements Equaler.
func (d *dateTime) Equal(o Value) bool { x, ok := o.(*dateTime); return ok && x.t.Equal(d.t) }

// Attr implements Attrer.
func (d *dateTime) Attr(name string) (Value, error) {
	fn := func(f func(r *runtime, args []Value) Value) (Value, error) {
		return &Builtin{name, func(r *runtime, args []Value, kw []kwarg) Value { return f(r, args) }}, nil
	}
	switch name {
	case "year":
		return int64(d.t.Year()), nil
	case "month":
		return int64(d.t.Month()), nil
	case "day":
		return int64(d.t.Day()), nil
	case "hour":
		return int64(d.t.Hour()), nil
	case "minute":
		return int64(d.t.Minute()), nil
	case "second":
		return int64(d.t.Second()), nil
	case "microsecond":
		return int64(d.t.Nanosecond() / 1000), nil
	case "strftime":
		return fn(func(r *runtime, args []Value) Value {
			return d.strftime(r, r.needStr("strftime", r.args("strftime", args, nil, 1, "format")[0]))
		})
	case "isoformat":
		return fn(func(r *runtime, args []Value) Value { return strings.Replace(d.Str(), " ", "T", 1) })
	case "weekday":
		return fn(func(r *runtime, args []Value) Value { return int64((d.t.Weekday() + 6) % 7) })
	case "timestamp":
		return fn(func(r *runtime, args []Value) Value { return float64(d.t.UnixMicro()) / 1e6 })
	case "date":
		return fn(func(r *runtime, args []Value) Value {
			return &dateOnly{dateTime{time.Date(d.t.Year(), d.t.Month(), d.t.Day(), 0, 0, 0, 0, d.t.Location())}}
		})
	}
	return nil, ErrNoAttr
}

// dateOnly is a datetime.date.
type dateOnly struct{ dateTime }

// TypeName implements Object.
func (d *dateOnly) TypeName() string { return "datetime.date" }

// Str implements Strer.
func (d *dateOnly) Str() string { return d.t.Format("2006-01-02") }

// Attr implements Attrer.
func (d *dateOnly) Attr(name string) (Value, error) {
	if name == "isoformat" {
		return &Builtin{name, func(r *runtime, args []Value, kw []kwarg) Value { return d.Str() }}, nil
	}
	return d.dateTime.Attr(name)
}

var strftimeForms = map[byte]string{'Y': "2006", 'm': "01", 'd': "02", 'H': "15", 'M': "04", 'S': "05", 'y': "06", 'b': "Jan", 'B': "January",
	'a': "Mon", 'A': "Monday", 'I': "03", 'p': "PM", 'Z': "MST", 'z': "-0700", 'F': "2006-01-02", 'T': "15:04:05", 'D': "01/02/06",
	'c': "Mon Jan _2 15:04:05 2006", 'x': "01/02/06", 'X': "15:04:05", 'R': "15:04", 'e': "_2", 'h': "Jan", 'j': "002"}

func (d *dateTime) strftime(r *runtime, form string) string {
	var b strings.Builder
	for i := 0; i < len(form); i++ {
		if form[i] != '%' || i+1 >= len(form) {
			b.WriteByte(form[i])
			continue
		}
		i++
		switch c := form[i]; {
		case c == '%':
			b.WriteByte('%')
		case c == 'f':
			fmt.Fprintf(&b, "%06d", d.t.Nanosecond()/1000)
		case c == 's':
			fmt.Fprint(&b, d.t.Unix())
		case strftimeForms[c] != "":
			b.WriteString(d.t.Format(strftimeForms[c]))
		default:
			b.WriteByte('%')
			b.WriteByte(c)
		}
		if b.Len() > r.lim.Value {
			r.grow(b.Len())
		}
	}
	return r.keep(b.String()).(string)
}

var dateTimeMethods = map[string]method{}

func dateModule() *Module {
	now := &Builtin{"now", func(r *runtime, args []Value, kw []kwarg) Value { return &dateTime{clockNow(r)} }}
	utc := &Builtin{"utcnow", func(r *runtime, args []Value, kw []kwarg) Value { return &dateTime{clockNow(r).UTC()} }}
	today := &Builtin{"today", func(r *runtime, args []Value, kw []kwarg) Value { return &dateOnly{dateTime{clockNow(r)}} }}
	typDateTime.attrs = map[string]Value{"now": now, "utcnow": utc, "today": now}
	typDateTime.make = func(r *runtime, args []Value, kw []kwarg) Value {
		a := r.args("datetime", args, kw, 3, "year", "month", "day", "hour", "minute", "second", "microsecond")
		var n [7]int
		top := [7]int64{9999, 12, 31, 23, 59, 59, 999999}
		for i, v := range a {
			if !given(v) {
				continue
			}
			x := r.needInt("datetime", v)
			if x < 0 || x > top[i] || i < 3 && x == 0 {
				r.raise(excValue, "a part of the date is out of range")
			}
			n[i] = int(x)
		}
		return &dateTime{time.Date(n[0], time.Month(n[1]), n[2], n[3], n[4], n[5], n[6]*1000, time.UTC)}
	}
	return &Module{Name: "datetime", Attrs: map[string]Value{"datetime": typDateTime,
		"date": &Type{Name: "datetime.date", attrs: map[string]Value{"today": today}}}}
}
