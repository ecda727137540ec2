package tool

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dlclark/regexp2"

	"orrery/internal/cheetah"
	"orrery/internal/galaxy"
)

// regexTime bounds one match of a tool's regular expression.
const regexTime = 2 * time.Second

// pyMatch matches a Python regular expression at the start of s, or anywhere with search; nil when it does not match or is
// no expression.
func pyMatch(expr, s string, search bool) *regexp2.Match {
	expr = pyPattern(expr)
	if !search {
		expr = `\A(?:` + expr + `)`
	}
	re, err := regexp2.Compile(expr, regexp2.None)
	if err != nil {
		return nil
	}
	re.MatchTimeout = regexTime
	m, err := re.FindStringMatch(s)
	if err != nil {
		return nil
	}
	return m
}

// pyPattern turns what Python writes differently into what the regular expression library reads: named groups and the
// very end of the text.
func pyPattern(expr string) string {
	if !strings.Contains(expr, "(?P") && !strings.Contains(expr, `\Z`) {
		return expr
	}
	var b strings.Builder
	for i := 0; i < len(expr); i++ {
		switch {
		case strings.HasPrefix(expr[i:], "(?P<"):
			b.WriteString("(?<")
			i += len("(?P<") - 1
		case strings.HasPrefix(expr[i:], "(?P="):
			end := strings.IndexByte(expr[i:], ')')
			if end < 0 {
				b.WriteByte(expr[i])
				continue
			}
			b.WriteString(`\k<` + expr[i+len("(?P="):i+end] + ">")
			i += end
		case expr[i] == '\\' && i+1 < len(expr):
			if expr[i+1] == 'Z' {
				b.WriteString(`\z`)
			} else {
				b.WriteString(expr[i : i+2])
			}
			i++
		default:
			b.WriteByte(expr[i])
		}
	}
	return b.String()
}

// validate applies a parameter's validators to a converted value.
func (p *populator) validate(par *Param, v any) *ParamError {
	switch par.Kind {
	case KindData, KindHiddenData:
		return p.validateData(par, v)
	case KindDataCollection:
		return nil
	case KindSelect, KindGenomeBuild, KindDataColumn, KindGroupTag, KindDrillDown:
		if !pyTruth(v) {
			if err := p.validateOne(par, v); err != nil {
				return err
			}
		}
		values := []any{v}
		if l, ok := v.([]any); ok && par.Multiple {
			values = l
		}
		for _, e := range values {
			if err := p.validateOne(par, e); err != nil {
				return err
			}
		}
		return nil
	}
	return p.validateOne(par, v)
}

func (p *populator) validateOne(par *Param, v any) *ParamError {
	if (v == nil || v == "") && par.Optional {
		return nil
	}
	for i := range par.Validators {
		if msg, ok := p.runValidator(&par.Validators[i], v); !ok {
			return paramErr(par, msg).withValue(v)
		}
	}
	if par.Dynamic != nil {
		for i := range par.Dynamic.Validators {
			if msg, ok := p.runValidator(&par.Dynamic.Validators[i], v); !ok {
				return paramErr(par, msg).withValue(v)
			}
		}
	}
	if (par.Kind == KindInteger || par.Kind == KindFloat) && (par.Min != nil || par.Max != nil) {
		low, high := par.Min, par.Max
		if par.Kind == KindFloat { // Galaxy shows the bounds as floats
			low, high = floatText(low), floatText(high)
		}
		val := Validator{Type: "in_range", Min: low, Max: high}
		if msg, ok := p.runValidator(&val, v); !ok {
			return paramErr(par, msg).withValue(v)
		}
	}
	return nil
}

func floatText(s *string) *string {
	if s == nil {
		return nil
	}
	if f, ok := pyFloat(*s); ok {
		t := pyStr(f)
		return &t
	}
	return s
}

// runValidator tells whether a value passes, and else why not.
func (p *populator) runValidator(v *Validator, value any) (message string, ok bool) {
	pass, shown, override := true, value, ""
	switch v.Type {
	case "expression":
		pass, override = p.expressionHolds(v.Expression, value)
	case "regex":
		values, isList := value.([]any)
		if !isList {
			values = []any{value}
		}
		for _, e := range values {
			s := ""
			if pyTruth(e) {
				s = pyStr(e)
			}
			if matched := pyMatch(v.Expression, s, false) != nil; matched == v.Negate {
				pass, shown = matched, e
				break
			}
			pass = !v.Negate
		}
	case "in_range":
		f, isNumber := pyFloat(value)
		if !isNumber {
			pass = false
			override = fmt.Sprintf("Validator '%s' could not be evaluated on '%s'", rangeExpression(v), pyStr(value))
			break
		}
		pass = inRange(v, f)
	case "length":
		if value == nil {
			return "No value provided", false
		}
		n := len([]rune(pyStr(value)))
		pass = inRange(v, float64(n))
		shown = int64(n)
	case "no_options":
		pass = value != nil
		shown = nil
	case "empty_field":
		pass = value != nil && value != ""
		shown = nil
	case "value_in_data_table", "value_not_in_data_table":
		if !pyTruth(value) {
			return "", true
		}
		pass = p.inDataTable(v, pyStr(value))
		if v.Type == "value_not_in_data_table" {
			pass = !pass
		}
		shown = nil
	default:
		return "", true
	}
	if pass != v.Negate {
		return "", true
	}
	if override != "" && v.Message == nil {
		return override, false
	}
	return showValue(validatorMessage(v), shown), false
}

// showValue puts the value refused in the place of %s.
func showValue(msg string, value any) string {
	if strings.Contains(msg, "%s") && pyTruth(value) {
		return strings.ReplaceAll(strings.Replace(msg, "%s", pyStr(value), 1), "%%", "%")
	}
	return msg
}

func (p *populator) expressionHolds(source string, value any) (bool, string) {
	expr, err := compiledExpr(p.tool, strings.TrimSpace(source))
	if err == nil {
		scope := cheetah.MapScope{"value": toCheetah(value, func(d *DatasetInfo) cheetah.Value { return newDatasetValue(d, p.datatypes(), nil, false) })}
		var res cheetah.Value
		res, err = expr.Eval(p.ctx, scope, cheetah.Limits{})
		if err == nil {
			return cheetah.Truth(res), ""
		}
	}
	return false, fmt.Sprintf("Validator '%s' could not be evaluated on '%s'", source, pyStr(value))
}

func bound(s *string, def float64) float64 {
	if s == nil || *s == "" {
		return def
	}
	if f, ok := pyFloat(*s); ok {
		return f
	}
	return def
}

func inRange(v *Validator, f float64) bool {
	low, high := bound(v.Min, math.Inf(-1)), bound(v.Max, math.Inf(1))
	if f < low || f > high || math.IsNaN(f) {
		return false
	}
	return !(v.ExcludeMin && f == low || v.ExcludeMax && f == high)
}

func rangeParts(v *Validator) (low, op1, op2, high string) {
	low, high = "-infinity", "+infinity"
	if v.Min != nil && *v.Min != "" {
		low = *v.Min
	}
	if v.Max != nil && *v.Max != "" {
		high = *v.Max
	}
	op1, op2 = "<=", "<="
	if v.ExcludeMin {
		op1 = "<"
	}
	if v.ExcludeMax {
		op2 = "<"
	}
	return low, op1, op2, high
}

func rangeExpression(v *Validator) string {
	low, op1, op2, high := rangeParts(v)
	return fmt.Sprintf("float('%s') %s float(value) %s float('%s')", strings.TrimSuffix(low, "inity"), op1, op2, strings.TrimSuffix(strings.TrimPrefix(high, "+"), "inity"))
}

// validatorMessage is the validator's own message, or Galaxy's for its type.
func validatorMessage(v *Validator) string {
	if v.Message != nil && *v.Message != "" {
		return *v.Message
	}
	either := func(plain, negated string) string {
		if v.Negate {
			return negated
		}
		return plain
	}
	switch v.Type {
	case "expression":
		return "Value '%s' does not evaluate to " + either("True", "False") + " for '" + v.Expression + "'"
	case "regex":
		return "Value '%s' does " + either("not ", "") + "match regular expression '" + strings.ReplaceAll(v.Expression, "%", "%%") + "'"
	case "in_range", "dataset_metadata_in_range":
		low, op1, op2, high := rangeParts(v)
		if v.Type == "dataset_metadata_in_range" {
			low, high = orNone(v.Min), orNone(v.Max)
		}
		return fmt.Sprintf("Value ('%%s') must %sfulfill (%s %s value %s %s)", either("", "not "), low, op1, op2, high)
	case "length":
		return fmt.Sprintf("Must %shave length of at least %s and at most %s", either("", "not "), orNone(v.Min), orNone(v.Max))
	case "metadata":
		if !v.Negate {
			return "Metadata '%s' missing, click the pencil icon in the history item to edit / save the metadata attributes"
		}
		if len(v.Check) > 0 {
			return "At least one of the checked metadata '" + strings.Join(v.Check, ",") + "' is set, click the pencil icon in the history item to edit / save the metadata attributes"
		}
		if len(v.Skip) > 0 {
			return "At least one of the non skipped metadata '" + strings.Join(v.Skip, ",") + "' is set, click the pencil icon in the history item to edit / save the metadata attributes"
		}
	case "dataset_metadata_equal":
		if v.Negate {
			return fmt.Sprintf("Metadata value for '%s' must not be '%s' but it is.", v.MetadataName, wantedValue(v))
		}
		return fmt.Sprintf("Metadata value for '%s' must be '%s', but it is '%%s'.", v.MetadataName, wantedValue(v))
	case "unspecified_build":
		return either("Unspecified", "Specified") + " genome build, click the pencil icon in the history item to " + either("set", "remove") + " the genome build"
	case "no_options":
		return either("No options", "Options") + " available for selection"
	case "empty_field":
		return either("Field requires a value", "Field must not set a value")
	case "empty_dataset":
		return "The selected dataset is " + either("", "non-") + "empty, this tool expects " + either("non-", "") + "empty files."
	case "empty_extra_files_path":
		return "The selected dataset's extra_files_path directory is " + either("", "non-") + "empty or does " + either("not ", "") + "exist, this tool expects " + either("non-", "") + "empty extra_files_path directories associated with the selected input."
	case "dataset_metadata_in_data_table", "dataset_metadata_not_in_data_table":
		return "Value for metadata " + v.MetadataName + " was not found in " + v.TableName + "."
	case "value_in_data_table":
		return "Value for metadata not found."
	case "value_not_in_data_table":
		return "Value was not found in " + v.TableName + "."
	case "dataset_ok_validator":
		return either("The selected dataset is still being generated, select another dataset or wait until it is completed", "The selected dataset must not be in state OK")
	}
	return "Parameter validation error."
}

func orNone(s *string) string {
	if s == nil || *s == "" {
		return "None"
	}
	return *s
}

func wantedValue(v *Validator) string {
	if v.Value != nil {
		return *v.Value
	}
	if v.ValueJSON != nil {
		return *v.ValueJSON
	}
	return ""
}

// inDataTable tells whether a value is in a column of a data table.
func (p *populator) inDataTable(v *Validator, value string) bool {
	if p.env == nil || p.env.Tables == nil {
		return false
	}
	names, rows, ok := p.env.Tables.Table(v.TableName)
	if !ok {
		return false
	}
	col := slices.Index(names, v.MetadataColumn)
	if i, err := strconv.Atoi(v.MetadataColumn); err == nil {
		col = i
	}
	for _, r := range rows {
		if col >= 0 && col < len(r) && r[col] == value {
			return true
		}
	}
	return false
}

// validateData applies the validators of a data parameter to each dataset, and the limits to their number. Validators that
// look at metadata wait until the dataset is ready.
func (p *populator) validateData(par *Param, v any) *ParamError {
	list := datasetsOf(v)
	if len(list) == 0 && !pyTruth(v) {
		return p.countDatasets(par, 0)
	}
	for _, d := range list {
		if d == nil || d.Collection() {
			continue
		}
		for i := range par.Validators {
			val := &par.Validators[i]
			if needsMetadata(val.Type) && d.State != galaxy.DatasetOK {
				break // Galaxy looks at none of those that follow either
			}
			if msg, ok := p.dataValidator(val, d); !ok {
				return paramErr(par, msg)
			}
		}
		if !par.NoValidation && d.State == galaxy.DatasetOK {
			if missing := missingMetadata(p.datatypes(), d, nil, nil); missing != "" {
				return paramErr(par, showValue(validatorMessage(&Validator{Type: "metadata"}), missing))
			}
		}
	}
	return p.countDatasets(par, len(list))
}

func needsMetadata(kind string) bool {
	switch kind {
	case "metadata", "unspecified_build":
		return true
	}
	return strings.HasPrefix(kind, "dataset_metadata")
}

func (p *populator) countDatasets(par *Param, n int) *ParamError {
	if par.Min != nil {
		if low, err := strconv.Atoi(*par.Min); err == nil && low > n {
			return paramErr(par, fmt.Sprintf("at least %d datasets are required", low))
		}
	}
	if par.Max != nil {
		if high, err := strconv.Atoi(*par.Max); err == nil && high < n {
			return paramErr(par, fmt.Sprintf("at most %d datasets are required", high))
		}
	}
	return nil
}

func (p *populator) dataValidator(v *Validator, d *DatasetInfo) (string, bool) {
	pass := true
	var shown any
	switch v.Type {
	case "metadata":
		missing := missingMetadata(p.datatypes(), d, v.Check, v.Skip)
		pass = missing == ""
		if missing != "" {
			shown = missing
		}
	case "dataset_metadata_equal":
		have := metadataOf(p.datatypes(), d, v.MetadataName)
		if v.MetadataName == "dbkey" {
			have = d.dbkey()
		}
		if v.ValueJSON != nil {
			want, err := decodeJSON(*v.ValueJSON)
			pass = err == nil && pyRepr(want) == pyRepr(have)
		} else {
			pass = pyStr(have) == wantedValue(v)
		}
		shown = have
	case "unspecified_build":
		pass = d.dbkey() != "?"
	case "dataset_ok_validator":
		pass = d.State == galaxy.DatasetOK
	case "empty_dataset":
		pass = d.Size != 0
	case "empty_extra_files_path":
		pass = d.TotalSize != d.Size
	case "dataset_metadata_in_range":
		f, ok := pyFloat(pyStr(metadataOf(p.datatypes(), d, v.MetadataName)))
		if !ok {
			return v.MetadataName + " must be a float or an integer", false
		}
		pass, shown = inRange(v, f), f
	case "dataset_metadata_in_data_table", "dataset_metadata_not_in_data_table":
		have := pyStr(wholeNumbers(metadataOf(p.datatypes(), d, v.MetadataName)))
		if v.MetadataName == "dbkey" {
			have = d.dbkey()
		}
		pass = p.inDataTable(v, have)
		if v.Type == "dataset_metadata_not_in_data_table" {
			pass = !pass
		}
	case "expression":
		pass, _ = p.expressionHolds(v.Expression, d)
	}
	if pass != v.Negate {
		return "", true
	}
	return showValue(validatorMessage(v), shown), false
}

// missingMetadata names the first metadata element that has to be set and is not: of those to check, or of the required
// ones; "" when there is none.
func missingMetadata(dt Datatypes, d *DatasetInfo, check, skip []string) string {
	if dt == nil {
		return ""
	}
	names := check
	if len(names) == 0 {
		names = dt.MetadataElements(d.Ext)
	}
	for _, n := range names {
		if slices.Contains(skip, n) {
			continue
		}
		e, ok := dt.MetadataElement(d.Ext, n)
		if len(check) == 0 && len(skip) == 0 && e.Optional {
			continue
		}
		if len(check) == 0 && !e.Required {
			continue
		}
		if !ok || !metadataSet(dt, d, n) {
			return n
		}
	}
	return ""
}
