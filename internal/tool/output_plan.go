package tool

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"orrery/internal/cheetah"
	"orrery/internal/galaxy"
)

// PlannedOutput is a dataset that a job will make.
type PlannedOutput struct {
	Def  *Output
	Name string // of the output, as in job_to_output_dataset
	// Label is the dataset's name.
	Label string
	// Ext is its extension; "_sniff_" or "auto" when it is found out from the content.
	Ext     string
	DBKey   string
	Visible bool
	// FromWorkDir is the file in the job's folder that becomes the dataset; "" when the command writes to its path.
	FromWorkDir string
	// CreatedFromBasename is the last part of FromWorkDir.
	CreatedFromBasename string
	// MetadataFrom is the input whose metadata is copied at first; nil for none.
	MetadataFrom *DatasetInfo
	// Tags are those that all inputs hand on ("name:x").
	Tags []string
}

// OutputPlan says what a job makes.
type OutputPlan struct {
	Outputs  []PlannedOutput
	OnString string // "dataset 1 and 3"; "" without inputs
	Extras   JobExtras
}

// PlanInput is what PlanOutputs needs beside the state.
type PlanInput struct {
	Datatypes Datatypes
	Tables    DataTables
	// ChromInfo gives the path of the chromosome lengths of a build.
	ChromInfo func(dbkey string) string
	Limits    cheetah.Limits
}

// labelLimit bounds the length of a dataset's name, as its column does in the database.
const labelLimit = 255

// PlanOutputs decides which outputs a job has: those whose filters hold, each with its name, format and build.
func PlanOutputs(ctx context.Context, s *State, in PlanInput) (*OutputPlan, error) {
	t := s.Tool
	inputs := s.Inputs()
	plan := &OutputPlan{Extras: s.JobExtras(in.ChromInfo)}
	plan.OnString = onString(inputs)

	filterScope := rawScope(s, plan.Extras, in.Datatypes)
	var labelScope cheetah.Scope
	scope := func() cheetah.Scope {
		if labelScope == nil {
			labelScope = labelScopeOf(s, plan, in)
		}
		return labelScope
	}
	for _, o := range t.Outputs {
		if !outputWanted(ctx, t, o, filterScope, in.Limits) {
			continue
		}
		if o.Kind == OutputCollection {
			return nil, galaxy.Errorf(galaxy.NotImplemented,
				"The tool %s makes a dataset collection («%s»), which this server cannot do yet.", t.ID, o.Name)
		}
		out := PlannedOutput{
			Def: o, Name: o.Name, Visible: !o.Hidden, DBKey: plan.Extras.DBKey, FromWorkDir: o.FromWorkDir, Tags: propagatedTags(inputs),
		}
		if o.FromWorkDir != "" {
			out.CreatedFromBasename = path.Base(o.FromWorkDir)
		}
		out.Ext = outputFormat(ctx, t, o, inputs, plan.Extras, scope, in)
		if o.MetadataSource != "" {
			out.MetadataFrom = inputOf(inputs, o.MetadataSource)
		}
		label, err := outputLabel(ctx, t, o, plan.OnString, scope, in.Limits)
		if err != nil {
			return nil, err
		}
		out.Label = label
		plan.Outputs = append(plan.Outputs, out)
	}
	return plan, nil
}

// outputWanted evaluates an output's filters. A filter that fails to evaluate does not hold the output back, as in Galaxy.
func outputWanted(ctx context.Context, t *Tool, o *Output, scope cheetah.Scope, lim cheetah.Limits) bool {
	for _, f := range o.Filters {
		e, err := compiledExpr(t, strings.TrimSpace(f.Expression))
		if err != nil {
			continue
		}
		v, err := e.Eval(ctx, scope, lim)
		if err == nil && !cheetah.Truth(v) {
			return false
		}
	}
	return true
}

// outputFormat decides an output's extension: format, format_source, then change_format.
func outputFormat(ctx context.Context, t *Tool, o *Output, inputs []JobInput, x JobExtras, scope func() cheetah.Scope, in PlanInput) string {
	ext := o.Format
	if o.Kind == OutputExpression {
		return "expression.json"
	}
	if ext == "input" {
		ext = x.InputExt
		if ext == "data" || ext == "auto" {
			if len(inputs) > 0 && inputs[0].Dataset != nil {
				ext = inputs[0].Dataset.Ext
			}
		}
	}
	if o.FormatSource != "" {
		if d := inputOf(inputs, o.FormatSource); d != nil {
			ext = d.Ext
		}
	}
	for _, c := range o.ChangeFormat {
		if c.Input != "" {
			tpl, err := compiledTemplate(t, "change_format of "+o.Name, c.Input)
			if err != nil {
				continue
			}
			got, err := renderTemplate(ctx, tpl, scope(), in.Limits)
			if err == nil && got == c.Value && c.Format != "" {
				return c.Format
			}
			continue
		}
		d := inputOf(inputs, c.InputDataset)
		if d == nil || c.Attribute == "" {
			continue
		}
		format := c.Format
		if format == "" {
			format = ext
		}
		if v := rawAttribute(d, c.Attribute); v != nil && pyStr(v) == c.Value {
			return format
		}
		if v, ok := d.Metadata[c.Attribute]; ok && v != nil && pyStr(wholeNumbers(v)) == c.Value {
			return format
		}
	}
	return ext
}

// inputOf finds an input by its full name, or by the older short name without its conditionals and sections.
func inputOf(inputs []JobInput, name string) *DatasetInfo {
	for _, in := range inputs {
		if in.Name == name {
			return in.Dataset
		}
	}
	for _, in := range inputs {
		if legacyName(in.Name) == name {
			return in.Dataset
		}
	}
	return nil
}

// legacyName drops the names of conditionals and sections: "cond|rep_0|x" is "rep_0|x".
func legacyName(name string) string {
	parts := strings.Split(name, "|")
	kept := parts[:0:0]
	for i, p := range parts {
		if i == len(parts)-1 || looksLikeRepeat(p) {
			kept = append(kept, p)
		}
	}
	return strings.Join(kept, "|")
}

func looksLikeRepeat(part string) bool {
	i := strings.LastIndexByte(part, '_')
	return i > 0 && i < len(part)-1 && strings.Trim(part[i+1:], "0123456789") == ""
}

func outputLabel(ctx context.Context, t *Tool, o *Output, on string, scope func() cheetah.Scope, lim cheetah.Limits) (string, error) {
	if o.Label == nil || *o.Label == "" {
		if on == "" {
			return cutLabel(t.Name), nil
		}
		return cutLabel(t.Name + " on " + on), nil
	}
	tpl, err := compiledTemplate(t, "label of "+o.Name, *o.Label)
	if err == nil {
		var label string
		if label, err = renderTemplate(ctx, tpl, scope(), lim); err == nil {
			return cutLabel(label), nil
		}
	}
	return "", &galaxy.Error{Kind: galaxy.Internal, Cause: err,
		Message: fmt.Sprintf("Error executing tool with id '%s': the label of output %s cannot be made: %v", t.ID, o.Name, err)}
}

func cutLabel(s string) string {
	if r := []rune(s); len(r) > labelLimit {
		return string(r[:labelLimit-3]) + "..."
	}
	return s
}

// renderTemplate renders a template; a name that it does not find is looked for inside conditionals and sections too.
func renderTemplate(ctx context.Context, tpl *cheetah.Template, scope cheetah.Scope, lim cheetah.Limits) (string, error) {
	s, err := tpl.Render(ctx, scope, lim)
	var ee *cheetah.EvalError
	if err == nil || !errors.As(err, &ee) || (ee.Type != "NotFound" && ee.Type != "NameError") {
		return s, err
	}
	nested, ok := scope.(*templateScope)
	if !ok || nested.inner() == nil {
		return s, err
	}
	if again, err2 := tpl.Render(ctx, fallbackScope{nested}, lim); err2 == nil {
		return again, nil
	}
	return s, err
}

// onString names the inputs of a job as in the default label: "dataset 1", "dataset 1 and 3", "dataset 1-3, 7, and others".
func onString(inputs []JobInput) string {
	var hids []int64
	for _, in := range inputs {
		if in.Dataset != nil && in.Dataset.HID > 0 {
			hids = append(hids, in.Dataset.HID)
		}
	}
	if len(hids) == 0 {
		return ""
	}
	slices.Sort(hids)
	hids = slices.Compact(hids)
	var names []string
	for i := 0; i < len(hids); {
		j := i
		for j+1 < len(hids) && hids[j+1] == hids[j]+1 {
			j++
		}
		switch first, last := strconv.FormatInt(hids[i], 10), strconv.FormatInt(hids[j], 10); j - i {
		case 0:
			names = append(names, first)
		case 1:
			names = append(names, first, last)
		default:
			names = append(names, first+"-"+last)
		}
		i = j + 1
	}
	switch len(names) {
	case 1:
		return "dataset " + names[0]
	case 2:
		return "dataset " + names[0] + " and " + names[1]
	case 3:
		return "dataset " + names[0] + ", " + names[1] + ", and " + names[2]
	}
	return "dataset " + names[0] + ", " + names[1] + ", and others"
}

// propagatedTags are the name tags of the inputs: outputs inherit them.
func propagatedTags(inputs []JobInput) []string {
	var tags []string
	for _, in := range inputs {
		if in.Dataset == nil {
			continue
		}
		for _, t := range in.Dataset.Tags {
			if strings.HasPrefix(t, "name:") && !slices.Contains(tags, t) {
				tags = append(tags, t)
			}
		}
	}
	return tags
}
