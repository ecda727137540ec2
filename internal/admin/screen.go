package admin

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// style is how a line is shown.
type style string

const (
	plainStyle style = ""
	bold       style = "1"
	reverse    style = "7"
	red        style = "31"
	yellow     style = "33"
	dim        style = "2"
)

// line is one line of the screen.
type line struct {
	text  string
	style style
}

// Screen renders a view for a terminal of a width and height in characters; height 0 is as many lines as there are. With
// color, what needs attention is marked by ANSI's colors. Texts that others made, such as the path of a request, cannot
// do anything to the terminal. Lines are not ended.
func (v View) Screen(width, height int, by Order, color bool) []string {
	lines := v.summary()
	names := v.nameWidth(width)
	web, handlers, pools := v.webTable(names), v.handlerTable(names), v.poolTable(names)
	keys := line{" q quit   n name   r rate   m memory   l latency, jobs   — sorted by " + string(by), dim}
	if height > 0 {
		// What does not fit is left out where there is the most.
		share(height-len(lines)-1, &web, &handlers, &pools)
	}
	for _, table := range [][]line{web, handlers, pools} {
		lines = append(lines, table...)
	}
	if height > 0 {
		lines = append(lines[:min(len(lines), height-1)], keys)
	}
	out := make([]string, 0, len(lines))
	for _, l := range lines {
		text := fit(strings.TrimRight(l.text, " "), width)
		if l.style == reverse {
			text = strings.TrimRight(text, "… ")
			text += strings.Repeat(" ", max(0, width-utf8.RuneCountInString(text)))
		}
		if color && l.style != plainStyle {
			text = "\x1b[" + string(l.style) + "m" + text + "\x1b[0m"
		} else {
			text = strings.TrimRight(text, " ")
		}
		out = append(out, text)
	}
	return out
}

// share shortens tables so that they have a number of lines together.
func share(room int, tables ...*[]line) {
	for {
		total, longest := 0, tables[0]
		for _, t := range tables {
			total += len(*t)
			if len(*t) > len(*longest) {
				longest = t
			}
		}
		if total <= room || len(*longest) <= 4 {
			return
		}
		rows := *longest
		hidden := 1
		if n, err := fmt.Sscanf(rows[len(rows)-1].text, " … and %d more", &hidden); n == 1 && err == nil {
			rows = rows[:len(rows)-1]
		} else {
			hidden = 0
		}
		hidden++
		rows = slices.Clone(rows[:len(rows)-1])
		if len(rows) > 0 && hidden == 1 && total-1 >= room { // the line that says so takes the place of one more
			rows, hidden = rows[:len(rows)-1], hidden+1
		}
		rows = append(rows, line{fmt.Sprintf(" … and %d more", hidden), dim})
		*longest = rows
	}
}

func (v View) summary() []line {
	var lines []line
	if len(v.Supervisors) == 0 {
		lines = append(lines, line{"orrery top  " + v.Time.Format("15:04:05") + "   no supervisor runs here", bold})
	}
	for _, r := range v.Supervisors {
		config := r.Config
		if config == "" {
			config = "no configuration file"
		}
		lines = append(lines, line{fmt.Sprintf("orrery top  %s   %s: process %d, version %s, up %s, %s", v.Time.Format("15:04:05"), r.Name, r.PID, r.Version,
			inShort(v.Time.Sub(r.Since)), config), bold})
	}
	var requests, errors, sent, claims, ends float64
	var active, slots, inHand int
	var memory int64
	serving, wanted := 0, 0
	for _, w := range v.Web {
		requests, errors, sent, active, memory = requests+w.RequestsPerSecond, errors+w.ErrorsPerSecond, sent+w.SentPerSecond, active+w.Active, memory+w.Memory
		serving, wanted = serving+is(w.State == "ready" || w.State == "alone"), wanted+is(w.State != "draining")
	}
	handling, handlers := 0, 0
	for _, h := range v.Handlers {
		claims, ends, slots, inHand = claims+h.ClaimsPerSecond, ends+h.EndsPerSecond, slots+h.Slots, inHand+h.Jobs
		if !slices.ContainsFunc(v.Web, func(w WebRow) bool { return w.PID == h.PID && w.Name == h.Name }) {
			memory += h.Memory
		}
		handling, handlers = handling+is(h.State == "ready" || h.State == "alone" || h.State == "alive"), handlers+is(h.State != "draining" && h.State != "lost")
	}
	waiting, running := 0, 0
	for _, p := range v.Pools {
		waiting, running = waiting+p.New+p.Queued, running+p.Running
	}
	lines = append(lines,
		line{fmt.Sprintf("  processes  %d of %d web workers and %d of %d handlers serve, %s", serving, wanted, handling, handlers, inBytes(memory)), plainStyle},
		line{fmt.Sprintf("  requests   %s/s, %d being answered, %s errors/s, %s/s sent", inRate(requests), active, inRate(errors), inBytes(int64(sent))), plainStyle},
		line{fmt.Sprintf("  jobs       %d wait, %d run, %s claimed/s, %s ended/s, %d of %d slots taken", waiting, running, inRate(claims), inRate(ends), inHand, slots), plainStyle})
	for _, p := range v.Problems {
		lines = append(lines, line{"  problem    " + p, red})
	}
	return lines
}

// nameWidth is how many characters names get: on a narrow terminal few.
func (v View) nameWidth(width int) int {
	longest := 11
	for _, w := range v.Web {
		longest = max(longest, utf8.RuneCountInString(w.Name))
	}
	for _, h := range v.Handlers {
		longest = max(longest, utf8.RuneCountInString(h.Name))
	}
	for _, p := range v.Pools {
		longest = max(longest, utf8.RuneCountInString(p.Pool))
	}
	if width > 0 && width < 100 {
		return min(longest, 12)
	}
	return min(longest, 30)
}

// The columns of the tables, of which the first is as wide as names are; with those of web workers and of handlers a
// line has 80 characters.
const (
	processHead = " %-*s %-8s %7s %7s %6s %4s %7s %8s %3s %6s  %s"
	processRow  = " %-*s %-8s %7s %7s %6s %4d %7s %8s %3d %6s  %s"
	poolHead    = " %-*s %8s %8s %8s %8s %9s %9s"
	poolRow     = " %-*s %8d %8d %8d %8d %+9.1f %9d  %s"
)

func (v View) webTable(names int) []line {
	if len(v.Web) == 0 {
		return nil
	}
	lines := []line{{}, {fmt.Sprintf(processHead, names, "WEB WORKER", "STATE", "PID", "REQ/S", "ERR/S", "BUSY", "AVG", "MEMORY", "RES", "UP", "NOW"), reverse}}
	for _, w := range v.Web {
		now := ""
		if w.Now != nil {
			now = fmt.Sprintf("%s %s %s", w.Now.Method, w.Now.Path, inShort(v.Time.Sub(w.Now.Since)))
		}
		lines = append(lines, line{fmt.Sprintf(processRow, names, cell(w.Name, names), cell(w.State, 8), number(w.PID), inRate(w.RequestsPerSecond),
			inRate(w.ErrorsPerSecond), w.Active, inTime(w.Latency), inBytes(w.Memory), w.Restarts, inShort(v.Time.Sub(w.Since)), now), rowStyle(w.State)})
	}
	return lines
}

func (v View) handlerTable(names int) []line {
	if len(v.Handlers) == 0 {
		return nil
	}
	lines := []line{{}, {fmt.Sprintf(processHead, names, "JOB HANDLER", "STATE", "PID", "CLAIM/S", "END/S", "JOBS", "SLOTS", "MEMORY", "RES", "UP", "POOLS, HOST"), reverse}}
	for _, h := range v.Handlers {
		where := strings.Join(h.Pools, " ")
		if h.Host != "" {
			where = strings.TrimSpace(where + " on " + h.Host)
		}
		lines = append(lines, line{fmt.Sprintf(processRow, names, cell(h.Name, names), cell(h.State, 8), number(h.PID), inRate(h.ClaimsPerSecond),
			inRate(h.EndsPerSecond), h.Jobs, slots(h.Jobs, h.Slots), inBytes(h.Memory), h.Restarts, inShort(v.Time.Sub(h.Since)), where), rowStyle(h.State)})
	}
	return lines
}

func (v View) poolTable(names int) []line {
	if len(v.Pools) == 0 {
		return nil
	}
	lines := []line{{}, {fmt.Sprintf(poolHead, names, "POOL", "NEW", "QUEUED", "RUNNING", "STOPPING", "CHANGE/S", "HANDLERS"), reverse}}
	for _, p := range v.Pools {
		s := plainStyle
		if p.Why != "" {
			s = yellow
		}
		lines = append(lines, line{fmt.Sprintf(poolRow, names, cell(p.Pool, names), p.New, p.Queued, p.Running, p.Other, p.Change, p.Handlers, p.Why), s})
	}
	return lines
}

func rowStyle(state string) style {
	switch state {
	case "ready", "alive", "alone":
		return plainStyle
	case "crashing", "waiting", "lost":
		return red
	case "stopped":
		return dim
	}
	return yellow
}

func is(b bool) int {
	if b {
		return 1
	}
	return 0
}

// slots draws how many are taken.
func slots(taken, all int) string {
	if all <= 0 {
		return "-"
	}
	const most = 4
	filled := min(most, (taken*most+all-1)/all)
	return strings.Repeat("█", filled) + strings.Repeat("░", most-filled) + " " + strconv.Itoa(all)
}

func number(n int) string {
	if n == 0 {
		return "-"
	}
	return strconv.Itoa(n)
}

// inRate is a number per second in few characters.
func inRate(r float64) string {
	switch {
	case r <= 0:
		return "0"
	case r < 10:
		return strconv.FormatFloat(r, 'f', 1, 64)
	case r < 100_000:
		return strconv.FormatFloat(r, 'f', 0, 64)
	default:
		return strconv.FormatFloat(r/1000, 'f', 0, 64) + "k"
	}
}

// inBytes is a number of bytes in few characters.
func inBytes(n int64) string {
	f := float64(n)
	for _, unit := range []string{"B", "kB", "MB", "GB"} {
		if f < 1000 {
			if unit == "B" || f >= 100 {
				return strconv.FormatFloat(f, 'f', 0, 64) + " " + unit
			}
			return strconv.FormatFloat(f, 'f', 1, 64) + " " + unit
		}
		f /= 1000
	}
	return strconv.FormatFloat(f, 'f', 1, 64) + " TB"
}

// inTime is a short time.
func inTime(d time.Duration) string {
	switch {
	case d <= 0:
		return "-"
	case d < time.Millisecond:
		return strconv.FormatInt(d.Microseconds(), 10) + " µs"
	case d < 10*time.Millisecond:
		return strconv.FormatFloat(float64(d.Microseconds())/1000, 'f', 1, 64) + " ms"
	case d < 10*time.Second:
		return strconv.FormatInt(d.Milliseconds(), 10) + " ms"
	}
	return inShort(d)
}

// inShort is a time in at most two units.
func inShort(d time.Duration) string {
	if d > 100*365*24*time.Hour { // since nobody knows when
		return "-"
	}
	s := int64(max(0, d).Seconds())
	switch {
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 3600:
		return fmt.Sprintf("%dm%02ds", s/60, s%60)
	case s < 24*3600:
		return fmt.Sprintf("%dh%02dm", s/3600, s/60%60)
	}
	return fmt.Sprintf("%dd%02dh", s/86400, s/3600%24)
}

// cell is a text in at most n characters.
func cell(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	runes := []rune(s)
	return string(runes[:n-1]) + "…"
}

// fit cuts a line to a width, and takes out of it what a terminal would act on.
func fit(s string, width int) string {
	s = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
	if width > 0 {
		return cell(s, width)
	}
	return s
}
