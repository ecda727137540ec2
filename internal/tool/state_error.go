package tool

import (
	"strings"

	"orrery/internal/galaxy"
)

// ParamError says why the value of one parameter was refused.
type ParamError struct {
	// Message is the whole sentence; Suffix is it without "Parameter 'x': ". A plain error has no Suffix and no Param.
	Message, Suffix, Param string
	// Value is the value refused, if HasValue.
	Value    any
	HasValue bool
	// Dynamic says whether the parameter's options are computed; nil where that does not matter.
	Dynamic *bool
}

func (e *ParamError) Error() string { return e.Message }

// JSON is the error in the shape of the API's param_errors.
func (e *ParamError) JSON() map[string]any {
	m := map[string]any{"message": e.Message}
	if e.Param == "" {
		return m
	}
	m["message_suffix"] = e.Suffix
	m["parameter_name"] = e.Param
	if e.HasValue {
		m["parameter_value"] = e.Value
	}
	if e.Dynamic != nil {
		m["is_dynamic"] = *e.Dynamic
	}
	return m
}

func paramErr(p *Param, suffix string) *ParamError {
	return &ParamError{Message: "Parameter '" + p.Name + "': " + suffix, Suffix: suffix, Param: p.Name}
}

// withValue adds the value; datasets are left out, as they are no JSON.
func (e *ParamError) withValue(v any) *ParamError {
	switch v.(type) {
	case *DatasetInfo, []*DatasetInfo:
		return e
	}
	e.Value, e.HasValue = v, true
	return e
}

func (e *ParamError) dynamic(d bool) *ParamError { e.Dynamic = &d; return e }

func plainErr(message string) *ParamError { return &ParamError{Message: message} }

// StateErrors collects what is wrong with a request, by the full name of the parameter ("cond|repeat_0|name"), in the
// order found.
type StateErrors struct {
	keys []string
	errs map[string]*ParamError
}

func (s *StateErrors) add(key string, e *ParamError) {
	if s.errs == nil {
		s.errs = map[string]*ParamError{}
	}
	if _, ok := s.errs[key]; !ok {
		s.keys = append(s.keys, key)
	}
	s.errs[key] = e
}

// Len is the number of parameters refused.
func (s *StateErrors) Len() int { return len(s.keys) }

// Get returns the error of one parameter.
func (s *StateErrors) Get(key string) (*ParamError, bool) { e, ok := s.errs[key]; return e, ok }

// Messages is the API's err_data: a message for each refused parameter.
func (s *StateErrors) Messages() map[string]string {
	m := make(map[string]string, len(s.keys))
	for k, e := range s.errs {
		m[k] = e.Message
	}
	return m
}

// Err is nil, or the error that the API answers with: status 400, all messages joined, and err_data and param_errors
// with one entry per parameter.
func (s *StateErrors) Err() error {
	if len(s.keys) == 0 {
		return nil
	}
	var all []string
	params := make(map[string]any, len(s.keys))
	for _, k := range s.keys {
		all = append(all, s.errs[k].Message)
		params[k] = s.errs[k].JSON()
	}
	return &galaxy.Error{
		Kind:    galaxy.Invalid,
		Message: strings.Join(all, ", "),
		Details: map[string]any{"err_data": s.Messages(), "param_errors": params},
	}
}
