package tool

import (
	"bufio"
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// optionBytes bounds what is read of a dataset or a file to make options of it, as in Galaxy.
const optionBytes = 1 << 20

// maxOptions bounds the options of one parameter.
const maxOptions = 100_000

// options lists the choices of a select, genomebuild, data_column or group_tag parameter.
func (p *populator) options(par *Param, sc *scope) []Option {
	switch par.Kind {
	case KindGenomeBuild:
		if p.env == nil {
			return nil
		}
		l := make([]Option, len(p.env.Builds))
		for i, b := range p.env.Builds {
			l[i] = Option{Text: b.Name, Value: b.Key, Selected: b.Key == p.env.HistoryBuild}
		}
		return l
	case KindDataColumn:
		return p.columnOptions(par, sc)
	case KindGroupTag:
		var l []Option
		seen := map[string]bool{}
		v, _ := sc.lookup(par.DataRef)
		for _, d := range datasetsOf(v) {
			if d == nil {
				continue
			}
			for _, t := range d.Tags {
				if g, ok := strings.CutPrefix(t, "group:"); ok && !seen[g] {
					seen[g] = true
					l = append(l, Option{Text: "Tags: " + g, Value: g})
				}
			}
		}
		return l
	}
	if par.Dynamic != nil {
		return p.dynamicOptions(par, par.Dynamic, sc)
	}
	return par.Options
}

// columnsOf lists the columns that all datasets of the referenced parameter have.
func (p *populator) columnsOf(par *Param, sc *scope) (columns []int, first *DatasetInfo) {
	v, _ := sc.lookup(par.DataRef)
	for i, d := range datasetsOf(v) {
		if d == nil {
			return nil, nil
		}
		n, ok := pyInt(metadataOf(p.datatypes(), d, "columns"))
		count, small := n.(int64)
		if !ok || !small || count <= 0 {
			return nil, nil
		}
		count = min(count, maxOptions)
		var these []int
		if par.Numerical {
			types, _ := metadataOf(p.datatypes(), d, "column_types").([]any)
			for j, t := range types {
				if t == "int" || t == "float" {
					these = append(these, j+1)
				}
			}
		} else {
			for j := int64(1); j <= count; j++ {
				these = append(these, int(j))
			}
		}
		if i == 0 {
			columns, first = these, d
			continue
		}
		columns = slices.DeleteFunc(columns, func(c int) bool { return !slices.Contains(these, c) })
	}
	return columns, first
}

func (p *populator) columnOptions(par *Param, sc *scope) []Option {
	columns, first := p.columnsOf(par, sc)
	if len(columns) == 0 {
		return nil
	}
	var names []string
	if par.UseHeaderNames {
		names = p.headerNames(first)
		if len(names) < columns[len(columns)-1] {
			names = nil
		}
	}
	l := make([]Option, len(columns))
	for i, c := range columns {
		text := "Column: " + strconv.Itoa(c)
		if names != nil {
			text = fmt.Sprintf("c%d: %s", c, names[c-1])
		}
		l[i] = Option{Text: text, Value: strconv.Itoa(c)}
	}
	return l
}

// headerNames are the names of a dataset's columns: from its metadata, else from its first line.
func (p *populator) headerNames(d *DatasetInfo) []string {
	if l, ok := d.Metadata["column_names"].([]any); ok && len(l) > 0 {
		names := make([]string, len(l))
		for i, n := range l {
			names[i] = pyStr(n)
		}
		return names
	}
	if p.env == nil || p.env.ReadHead == nil {
		return nil
	}
	head, err := p.env.ReadHead(d, 64<<10)
	if err != nil {
		return nil
	}
	line, _, _ := strings.Cut(string(head), "\n")
	return strings.Split(strings.TrimRight(line, "\r\n "), "\t")
}

// emptyFile tells whether the referenced dataset has no content yet, so that any column has to be accepted.
func (p *populator) emptyFile(par *Param, sc *scope) bool {
	v, _ := sc.lookup(par.DataRef)
	for _, d := range datasetsOf(v) {
		return d != nil && d.Size == 0
	}
	return false
}

// dynamicOptions computes the choices that <options> describes. What it cannot reach gives no options.
func (p *populator) dynamicOptions(par *Param, dyn *DynamicOptions, sc *scope) []Option {
	columns, rows, sourced := p.optionRows(dyn, sc)
	for _, f := range dyn.Filters {
		rows, columns = p.filterRows(dyn, f, rows, columns, sc)
		if len(rows) > maxOptions {
			rows = rows[:maxOptions]
		}
	}
	valueAt, nameAt := 1, 0
	if sourced {
		var ok bool
		if valueAt, ok = columns["value"]; !ok {
			return nil
		}
		if nameAt, ok = columns["name"]; !ok {
			nameAt = valueAt
		}
	}
	l := append([]Option(nil), dyn.Options...)
	for _, r := range rows {
		if len(r) == 1 && !sourced {
			l = append(l, Option{Text: r[0], Value: r[0]})
			continue
		}
		if valueAt < len(r) && nameAt < len(r) {
			l = append(l, Option{Text: r[nameAt], Value: r[valueAt]})
		}
	}
	return l
}

// optionRows reads the rows that the options are made of. sourced is false when only filters make them.
func (p *populator) optionRows(dyn *DynamicOptions, sc *scope) (columns map[string]int, rows [][]string, sourced bool) {
	columns = map[string]int{}
	for _, c := range dyn.Columns {
		columns[c.Name] = c.Index
	}
	switch {
	case dyn.FromDataTable != "":
		if p.env == nil || p.env.Tables == nil {
			return columns, nil, true
		}
		names, table, ok := p.env.Tables.Table(dyn.FromDataTable)
		if !ok {
			return columns, nil, true
		}
		if len(dyn.Columns) == 0 {
			for i, n := range names {
				columns[n] = i
			}
		}
		return columns, slices.Clone(table), true
	case dyn.FromDataset != "":
		v, _ := sc.lookup(dyn.FromDataset)
		for _, d := range datasetsOf(v) {
			if d == nil || dyn.Meta != "" || p.env == nil || p.env.ReadHead == nil {
				continue
			}
			if data, err := p.env.ReadHead(d, optionBytes); err == nil {
				rows = append(rows, parseRows(dyn, data, columns)...)
			}
		}
		return columns, rows, true
	case dyn.FromFile != "", dyn.FromParameter != "":
		return columns, nil, true
	}
	return columns, nil, false
}

// parseRows splits text into rows of columns: comments and empty lines are left out, and rows that are too short.
func parseRows(dyn *DynamicOptions, data []byte, columns map[string]int) [][]string {
	sep := dyn.Separator
	if sep == "" {
		sep = "\t"
	}
	largest := 0
	for _, i := range columns {
		largest = max(largest, i)
	}
	var rows [][]string
	s := bufio.NewScanner(bytes.NewReader(data))
	s.Buffer(make([]byte, 0, 64<<10), optionBytes+1)
	for s.Scan() && len(rows) < maxOptions {
		line := strings.TrimRight(s.Text(), "\r\n")
		if line == "" || strings.HasPrefix(line, "#") || dyn.StartsWith != "" && !strings.HasPrefix(line, dyn.StartsWith) {
			continue
		}
		if fields := strings.Split(line, sep); largest < len(fields) {
			rows = append(rows, fields)
		}
	}
	return rows
}

// filterRows applies one <filter>. A filter that cannot be applied leaves the rows as they are.
func (p *populator) filterRows(dyn *DynamicOptions, f OptionFilter, rows [][]string, columns map[string]int, sc *scope) ([][]string, map[string]int) {
	column := func(name string) int {
		if i, ok := columns[name]; ok {
			return i
		}
		if i, err := strconv.Atoi(name); err == nil && i >= 0 {
			return i
		}
		return -1
	}
	at := func(r []string, i int) string {
		if i >= 0 && i < len(r) {
			return r[i]
		}
		return ""
	}
	keep := func(test func([]string) bool) [][]string {
		want := f.Attrs["keep"] == "" || asBool(f.Attrs["keep"])
		var out [][]string
		for _, r := range rows {
			if test(r) == want {
				out = append(out, r)
			}
		}
		return out
	}
	sep := f.Attrs["separator"]
	if sep == "" {
		sep = ","
	}
	multiple := asBool(f.Attrs["multiple"])
	col := column(f.Attrs["column"])
	switch f.Type {
	case "static_value":
		return keep(func(r []string) bool { return at(r, col) == f.Attrs["value"] }), columns
	case "regexp":
		return keep(func(r []string) bool { return pyMatch(f.Attrs["value"], at(r, col), false) != nil }), columns
	case "param_value":
		values := p.refValues(f, sc)
		return keep(func(r []string) bool { return slices.Contains(values, at(r, col)) }), columns
	case "data_meta":
		values, known := p.metaValues(f.Attrs["ref"], f.Attrs["key"], sc)
		if !known {
			return rows, columns
		}
		if f.Attrs["column"] == "" {
			for _, v := range values {
				rows = append(rows, []string{v, v})
			}
			return rows, columns
		}
		var out [][]string
		for _, r := range rows {
			have := []string{at(r, col)}
			if multiple {
				have = strings.Split(have[0], sep)
			}
			ok := false
			if multiple {
				ok = !slices.ContainsFunc(values, func(v string) bool { return !slices.Contains(have, v) })
			} else {
				ok = slices.Contains(values, have[0])
			}
			if ok {
				out = append(out, r)
			}
		}
		return out, columns
	case "unique_value":
		seen := map[string]bool{}
		var out [][]string
		for _, r := range rows {
			if v := at(r, col); !seen[v] {
				seen[v] = true
				out = append(out, r)
			}
		}
		return out, columns
	case "sort_by":
		out := slices.Clone(rows)
		slices.SortStableFunc(out, func(a, b []string) int {
			c := strings.Compare(at(a, col), at(b, col))
			if asBool(f.Attrs["reverse_sort_order"]) {
				return -c
			}
			return c
		})
		return out, columns
	case "multiple_splitter":
		var out [][]string
		for _, r := range rows {
			for _, name := range strings.Split(f.Attrs["column"], ",") {
				c := column(name)
				if c < 0 || c >= len(r) {
					continue
				}
				for _, part := range strings.Split(r[c], sep) {
					n := slices.Clone(r)
					n[c] = part
					out = append(out, n)
					if len(out) >= maxOptions {
						return out, columns
					}
				}
			}
		}
		return out, columns
	case "attribute_value_splitter":
		return splitAttributes(f, rows, column), columns
	case "add_value":
		name := f.Attrs["name"]
		if name == "" {
			name = f.Attrs["value"]
		}
		width := 2
		for _, i := range columns {
			width = max(width, i+1)
		}
		r := make([]string, width)
		value, ok := columns["value"]
		if !ok {
			value = 1
		}
		label, ok := columns["name"]
		if !ok {
			label = 0
			if _, has := columns["value"]; has {
				label = value
			}
		}
		r[label] = name
		r[value] = f.Attrs["value"]
		if i, err := strconv.Atoi(f.Attrs["index"]); err == nil && i >= 0 && i < len(rows) {
			return slices.Insert(slices.Clone(rows), i, r), columns
		}
		return append(slices.Clone(rows), r), columns
	case "remove_value":
		var values []string
		switch {
		case f.Attrs["value"] != "":
			values = []string{f.Attrs["value"]}
		case f.Attrs["ref"] != "":
			v, _ := sc.lookup(f.Attrs["ref"])
			values = texts(v)
		default:
			values, _ = p.metaValues(f.Attrs["meta_ref"], f.Attrs["key"], sc)
		}
		c, ok := columns["value"]
		if !ok {
			c = 1
		}
		return slices.DeleteFunc(slices.Clone(rows), func(r []string) bool {
			if !multiple {
				return slices.Contains(values, at(r, c))
			}
			have := strings.Split(at(r, c), sep)
			return len(values) > 0 && !slices.ContainsFunc(values, func(v string) bool { return !slices.Contains(have, v) })
		}), columns
	case "data_table":
		if p.env == nil || p.env.Tables == nil {
			return rows, columns
		}
		names, table, ok := p.env.Tables.Table(f.Attrs["table_name"])
		c := slices.Index(names, f.Attrs["data_table_column"])
		if i, err := strconv.Atoi(f.Attrs["data_table_column"]); err == nil {
			c = i
		}
		if !ok || c < 0 {
			return rows, columns
		}
		entries := map[string]bool{}
		for _, r := range table {
			entries[at(r, c)] = true
		}
		return keep(func(r []string) bool { return entries[at(r, col)] }), columns
	}
	return rows, columns
}

// splitAttributes makes one row of every attribute name in a column such as «gene_id "x"; note "y"».
func splitAttributes(f OptionFilter, rows [][]string, column func(string) int) [][]string {
	pairs := f.Attrs["pair_separator"]
	if pairs == "" {
		pairs = ","
	}
	within := f.Attrs["name_val_separator"]
	seen := map[string]bool{}
	var out [][]string
	for _, r := range rows {
		for _, spec := range strings.Split(f.Attrs["column"], ",") {
			c := column(spec)
			if c < 0 || c >= len(r) {
				continue
			}
			for _, pair := range strings.Split(r[c], pairs) {
				var parts []string
				if within == "" {
					parts = strings.Fields(pair)
				} else {
					parts = strings.Split(pair, within)
				}
				if len(parts) != 2 || seen[parts[0]] {
					continue
				}
				seen[parts[0]] = true
				out = append(out, slices.Concat(r[:c], []string{parts[0]}, r[c:]))
				if len(out) >= maxOptions {
					return out
				}
			}
		}
	}
	return out
}

// refValues are the texts of the values that a param_value filter compares with.
func (p *populator) refValues(f OptionFilter, sc *scope) []string {
	v, ok := sc.lookup(f.Attrs["ref"])
	if !ok || v == nil {
		return nil
	}
	if attr := f.Attrs["ref_attribute"]; attr != "" {
		var l []string
		for _, d := range datasetsOf(v) {
			if d != nil {
				l = append(l, pyStr(rawAttribute(d, attr)))
			}
		}
		return l
	}
	return texts(v)
}

// rawAttribute follows a dotted attribute such as metadata.dbkey of a dataset; nil when there is none.
func rawAttribute(d *DatasetInfo, path string) any {
	first, rest, dotted := strings.Cut(path, ".")
	if first == "metadata" && dotted {
		if rest == "dbkey" {
			return d.dbkey()
		}
		return d.Metadata[rest]
	}
	switch first {
	case "dbkey", "genome_build":
		return d.dbkey()
	case "ext", "extension", "file_ext":
		return d.Ext
	case "name":
		return d.Name
	case "hid":
		return d.HID
	}
	return nil
}

func texts(v any) []string {
	var l []string
	switch x := v.(type) {
	case []any:
		for _, e := range x {
			l = append(l, pyStr(e))
		}
	case nil:
	default:
		l = []string{pyStr(v)}
	}
	return l
}

// metaValues are the texts of a metadata element of the referenced datasets; false when none has it.
func (p *populator) metaValues(ref, key string, sc *scope) ([]string, bool) {
	v, ok := sc.lookup(ref)
	if !ok {
		return nil, false
	}
	var l []string
	for _, d := range datasetsOf(v) {
		if d == nil || !metadataSet(p.datatypes(), d, key) {
			continue
		}
		switch m := metadataOf(p.datatypes(), d, key).(type) {
		case []any:
			l = append(l, texts(m)...)
		case map[string]any:
			for _, k := range sortedKeys(m) {
				l = append(l, k+","+pyStr(m[k]))
			}
		case nil:
			if key == "dbkey" {
				l = append(l, d.dbkey())
			}
		default:
			l = append(l, pyStr(m))
		}
	}
	slices.Sort(l)
	l = slices.Compact(l)
	return l, len(l) > 0
}

func (p *populator) datatypes() Datatypes {
	if p.env == nil {
		return nil
	}
	return p.env.Datatypes
}

// metadataOf is the value of a metadata element: what is stored, else its datatype's default.
func metadataOf(dt Datatypes, d *DatasetInfo, key string) any {
	if v, ok := d.Metadata[key]; ok && v != nil {
		return v
	}
	if dt != nil {
		if e, ok := dt.MetadataElement(d.Ext, key); ok {
			return e.Default
		}
	}
	return nil
}

// metadataSet tells whether a metadata element has a value other than the one that stands for «not set».
func metadataSet(dt Datatypes, d *DatasetInfo, key string) bool {
	var no any
	if dt != nil {
		e, ok := dt.MetadataElement(d.Ext, key)
		if !ok {
			return false
		}
		no = e.NoValue
	}
	if key == "dbkey" {
		return d.dbkey() != "?"
	}
	return pyRepr(wholeNumbers(metadataOf(dt, d, key))) != pyRepr(wholeNumbers(no))
}
