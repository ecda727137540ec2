package jobhandler

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/goccy/go-yaml"
)

// ReadMetrics reads a job_metrics_conf file, in XML or YAML. One that does not
// exist measures nothing, as in Galaxy.
func ReadMetrics(path string) ([]Metric, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var metrics []Metric
	if strings.HasSuffix(path, ".xml") || strings.HasPrefix(strings.TrimSpace(string(text)), "<") {
		metrics, err = xmlMetrics(text)
	} else {
		var list any
		if err = yaml.Unmarshal(text, &list); err == nil {
			metrics, err = ListMetrics(list)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return metrics, nil
}

func xmlMetrics(text []byte) ([]Metric, error) {
	var metrics []Metric
	d := xml.NewDecoder(bytes.NewReader(text))
	for depth := 0; ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return metrics, nil
		}
		if err != nil {
			return nil, err
		}
		switch e := token.(type) {
		case xml.StartElement:
			if depth++; depth != 2 {
				continue
			}
			options := map[string]any{"type": e.Name.Local}
			for _, a := range e.Attr {
				options[a.Name.Local] = a.Value
			}
			m, err := metric(options)
			if err != nil {
				line, _ := d.InputPos()
				return nil, fmt.Errorf("line %d: %w", line, err)
			}
			metrics = append(metrics, m)
		case xml.EndElement:
			depth--
		}
	}
}

// ListMetrics reads what a destination's `metrics`, or job_metrics, holds in
// YAML: a list of mappings with a type and its options.
func ListMetrics(list any) ([]Metric, error) {
	if list == nil {
		return nil, nil
	}
	items, ok := list.([]any)
	if !ok {
		return nil, fmt.Errorf("metrics are a list of mappings with a type, not %T", list)
	}
	metrics := make([]Metric, 0, len(items))
	for _, item := range items {
		options, ok := item.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("a metric is a mapping with a type, not %T", item)
		}
		m, err := metric(options)
		if err != nil {
			return nil, err
		}
		metrics = append(metrics, m)
	}
	return metrics, nil
}

// metric reads one plugin's options.
func metric(options map[string]any) (Metric, error) {
	m := Metric{}
	m.Type, _ = options["type"].(string)
	switch m.Type {
	case "core", "cpuinfo", "meminfo", "env", "cgroup", "uname", "hostname":
	default:
		return m, fmt.Errorf("there is no job metrics plugin %q; there are core, cpuinfo, meminfo, env, cgroup, uname and hostname", m.Type)
	}
	switch v := options["verbose"].(type) {
	case bool:
		m.Verbose = v
	case string:
		m.Verbose = v != "" && strings.Contains(" true yes on 1 ", " "+strings.ToLower(v)+" ")
	}
	names := options["variables"]
	if m.Type == "cgroup" {
		names = options["params"]
	}
	switch v := names.(type) {
	case string:
		for name := range strings.SplitSeq(v, ",") {
			if name = strings.TrimSpace(name); name != "" {
				m.Names = append(m.Names, name)
			}
		}
	case []any:
		for _, name := range v {
			m.Names = append(m.Names, fmt.Sprint(name))
		}
	}
	m.Args, _ = options["args"].(string)
	m.Mount, _ = options["cgroup_mount"].(string)
	return m, nil
}
