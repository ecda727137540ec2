package upload

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"

	"orrery/internal/jobdir"
	"orrery/internal/jobhandler"
	"orrery/internal/tool"
)

// ToolID is the id of Galaxy's tool for uploads, ToolVersion its version.
const (
	ToolID      = "__DATA_FETCH__"
	ToolVersion = "0.1.0"
)

// Tool runs the jobs of uploads.
type Tool struct {
	// Program is this program's own path.
	Program string
	// Uploads is tus_upload_store, Temp new_file_path.
	Uploads, Temp string
	Allowlist     []netip.Prefix
	CheckContent  bool
	MaxBytes      int64
}

var _ jobhandler.InternalTool = (*Tool)(nil)

// request is the job's parameter request_json.
type request struct {
	Elements []Element `json:"elements"`
}

// Prepare writes the order of a job and gives the command that carries it out.
func (t *Tool) Prepare(_ context.Context, j jobhandler.InternalJob) (*tool.Evaluated, error) {
	var elements []Element
	for _, p := range j.Params {
		if p.Name != "request_json" || p.Value == nil {
			continue
		}
		var text string
		if err := json.Unmarshal([]byte(*p.Value), &text); err != nil {
			return nil, fmt.Errorf("the job's request_json is not a JSON text: %w", err)
		}
		var r request
		if err := json.Unmarshal([]byte(text), &r); err != nil {
			return nil, fmt.Errorf("the job's request_json: %w", err)
		}
		elements = r.Elements
	}
	if len(elements) != len(j.Outputs) {
		return nil, fmt.Errorf("the job has %d outputs for %d elements", len(j.Outputs), len(elements))
	}
	if err := os.MkdirAll(t.Temp, 0o755); err != nil {
		return nil, err
	}
	order := Order{
		Uploads: t.Uploads, Temp: t.Temp, Allowlist: t.Allowlist, CheckContent: t.CheckContent, MaxBytes: t.MaxBytes, Report: report(j.Dir),
	}
	for i, o := range j.Outputs {
		order.Items = append(order.Items, Item{Element: elements[i], Output: o.Name, Dataset: o.Dataset.Path})
	}
	text, err := json.Marshal(order)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(j.Dir.Configs(), "order.json")
	return &tool.Evaluated{
		Command: jobdir.Quote(t.Program) + " data-fetch " + jobdir.Quote(path),
		Files:   []tool.File{{Path: path, Content: string(text)}},
	}, nil
}

func report(dir jobdir.Dir) string { return filepath.Join(dir.Working(), "fetched.json") }

// Collect reads what became of each element.
func (t *Tool) Collect(j jobhandler.InternalJob) (map[string]jobhandler.Made, error) {
	text, err := os.ReadFile(report(j.Dir))
	if err != nil {
		return nil, err
	}
	var results []Result
	if err := json.Unmarshal(text, &results); err != nil {
		return nil, fmt.Errorf("%s: %w", report(j.Dir), err)
	}
	if len(results) != len(j.Outputs) {
		return nil, errors.New("the report of the upload does not name every dataset")
	}
	made := map[string]jobhandler.Made{}
	for _, r := range results {
		made[r.Output] = jobhandler.Made{Ext: r.Ext, Name: r.Name, Info: r.Info, Error: r.Error, DBKey: r.DBKey}
	}
	return made, nil
}
