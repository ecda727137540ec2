package e2e

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
)

// description is what Galaxy 26.1 says its API answers to GET requests: its OpenAPI file without the texts.
var description = sync.OnceValues(func() (*openapi3.T, error) {
	data, err := os.ReadFile("testdata/openapi.json")
	if err != nil {
		return nil, err
	}
	return openapi3.NewLoader().LoadFromData(data)
})

// described returns the schema of the JSON answer that a GET of the address gets with status 200; nil when Galaxy does
// not describe it, which is so for its older routes.
func described(address string) (*openapi3.Schema, error) {
	d, err := description()
	if err != nil {
		return nil, err
	}
	parsed, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	have := strings.Split(parsed.Path, "/")
	var best *openapi3.PathItem
	fewest := len(have) + 1 // parameters in the pattern: the fewer, the closer it is
	for pattern, item := range d.Paths.Map() {
		want := strings.Split(pattern, "/")
		if len(want) != len(have) || item.Get == nil {
			continue
		}
		parameters, matches := 0, true
		for i := range want {
			switch {
			case strings.HasPrefix(want[i], "{"):
				parameters++
			case want[i] != have[i]:
				matches = false
			}
		}
		if matches && parameters < fewest {
			best, fewest = item, parameters
		}
	}
	if best == nil {
		return nil, nil
	}
	answer := best.Get.Responses.Value("200")
	if answer == nil || answer.Value == nil {
		return nil, nil
	}
	content := answer.Value.Content.Get("application/json")
	if content == nil || content.Schema == nil {
		return nil, nil
	}
	return content.Schema.Value, nil
}

// conforms checks a JSON answer to a GET of the address against Galaxy's description of it.
func conforms(address string, body []byte) error {
	schema, err := described(address)
	if err != nil {
		return err
	}
	var value any
	if err := json.Unmarshal(body, &value); err != nil {
		return fmt.Errorf("GET %s does not answer JSON: %w\n%.300s", address, err, body)
	}
	if schema == nil {
		return nil
	}
	if err := schema.VisitJSON(value, openapi3.EnableJSONSchema2020(), openapi3.VisitAsResponse(), openapi3.MultiErrors()); err != nil {
		return fmt.Errorf("GET %s does not answer what Galaxy's API description says: %.2000s\nthe answer: %.1000s", address, err.Error(), body)
	}
	return nil
}
