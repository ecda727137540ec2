package api

import (
	"encoding/json"
	"strings"

	"orrery/internal/access"
	"orrery/internal/datatype"
	"orrery/internal/tool"
)

// Catalogue answers what the server has to offer: its configuration, datatypes
// and genome builds, and the lists of things that it has none of.
type Catalogue struct {
	// Configuration gives the answer of /api/configuration, whole or only some
	// keys.
	Configuration interface {
		For(admin bool) json.RawMessage
		Only(admin bool, keys []string) (json.RawMessage, error)
	}
	Datatypes *datatype.Registry
	Builds    []datatype.Build
	Toolbox   *tool.Toolbox
}

// Register adds the routes.
func (c *Catalogue) Register(rt *Router) {
	c.registerDetails(rt)
	rt.Handle("GET /api/configuration", c.configuration)
	rt.Handle("GET /api/genomes", c.genomes)
	rt.Handle("GET /api/datatypes", c.datatypes)
	rt.Handle("GET /api/datatypes/mapping", func(*Request) (any, error) { return c.Datatypes.Mapping(), nil })
	rt.Handle("GET /api/datatypes/types_and_mapping", c.typesAndMapping)
	rt.Handle("GET /api/datatypes/sniffers", func(*Request) (any, error) { return c.Datatypes.SnifferNames(), nil })
	rt.Handle("GET /api/datatypes/converters", func(*Request) (any, error) { return c.Datatypes.Converters(), nil })
	rt.Handle("GET /api/datatypes/edam_formats", func(*Request) (any, error) { return c.Datatypes.EdamFormats(), nil })
	rt.Handle("GET /api/datatypes/edam_data", func(*Request) (any, error) { return c.Datatypes.EdamData(), nil })
	rt.Handle("GET /api/datatypes/edam_formats/detailed", func(*Request) (any, error) { return c.Datatypes.EdamFormatsDetailed(), nil })
	rt.Handle("GET /api/datatypes/edam_data/detailed", func(*Request) (any, error) { return c.Datatypes.EdamDataDetailed(), nil })
	rt.Handle("GET /api/tags/tool_tags", c.toolTags)
	rt.Handle("GET /api/object_stores", c.objectStores)
	rt.Handle("GET /api/unprivileged_tools", func(*Request) (any, error) {
		return nil, access.Denied("User is not allowed to run unprivileged tools")
	})
	rt.Handle("GET /api/notifications", notificationsOff)
	rt.Handle("GET /api/notifications/{what}", notificationsOff)
	// Galaxy has these; this server has none of them yet, and says so with an
	// empty list rather than an error, which the client would show on each page.
	for _, empty := range []string{
		"/api/dynamic_tools", "/api/entry_points", "/api/file_source_instances", "/api/file_source_templates", "/api/libraries",
		"/api/object_store_instances", "/api/object_store_templates", "/api/plugins", "/api/remote_files/plugins",
		"/api/tool_data", "/api/tours", "/api/webhooks", "/api/chat/history", "/api/display_applications",
		"/api/tool_shed_repositories",
	} {
		rt.Handle("GET "+empty, func(*Request) (any, error) { return []any{}, nil })
	}
	for _, counted := range []string{"/api/workflows", "/api/invocations", "/api/pages", "/api/visualizations"} {
		rt.Handle("GET "+counted, func(r *Request) (any, error) {
			r.W.Header().Set("total_matches", "0")
			return []any{}, nil
		})
	}
	rt.Handle("GET /api/remote_files", func(*Request) (any, error) {
		return nil, access.ConfigForbids("The configuration of this Galaxy instance does not allow upload from FTP directories.")
	})
}

func notificationsOff(*Request) (any, error) {
	return nil, access.ConfigForbids("Notifications are disabled in this Galaxy.")
}

func (c *Catalogue) configuration(r *Request) (any, error) {
	if keys := r.Param("keys"); keys != "" {
		return c.Configuration.Only(r.Actor.Admin, strings.Split(keys, ","))
	}
	return Raw{ContentType: "application/json", Body: c.Configuration.For(r.Actor.Admin)}, nil
}

func (c *Catalogue) genomes(*Request) (any, error) { return datatype.GenomesAnswer(c.Builds), nil }

func (c *Catalogue) datatypes(r *Request) (any, error) {
	only, upload, err := extensionQuery(r)
	if err != nil {
		return nil, err
	}
	return c.Datatypes.Index(only, upload), nil
}

func (c *Catalogue) typesAndMapping(r *Request) (any, error) {
	only, upload, err := extensionQuery(r)
	if err != nil {
		return nil, err
	}
	return c.Datatypes.TypesAndMapping(only, upload), nil
}

func extensionQuery(r *Request) (only, upload bool, err error) {
	if only, err = r.Bool("extension_only", true); err != nil {
		return false, false, err
	}
	upload, err = r.Bool("upload_only", true)
	return only, upload, err
}

// toolTags gives the panel sections of each tool.
func (c *Catalogue) toolTags(r *Request) (any, error) {
	tags := map[string][]string{}
	for _, e := range c.Toolbox.Snapshot().Entries() {
		if e.SectionName != "" && e.Accessible(r.audience()) {
			tags[e.ID] = append(tags[e.ID], e.SectionName)
		}
	}
	return tags, nil
}

// objectStores lists the object stores that people may choose: there is one, so
// there is nothing to choose.
func (c *Catalogue) objectStores(r *Request) (any, error) {
	selectable, err := r.Bool("selectable", false)
	if err != nil {
		return nil, err
	}
	if !selectable {
		return nil, badRequest("The object store index query currently needs to be called with selectable=true")
	}
	return []any{}, nil
}
