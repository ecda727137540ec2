package api

import (
	"slices"
	"strconv"
	"strings"

	"orrery/internal/galaxy"
)

// registerDetails adds the routes about single datatypes, what administrators
// ask of the server, and empty lists for administrators.
func (c *Catalogue) registerDetails(rt *Router) {
	rt.Handle("GET /api/datatypes/{datatype}", c.datatype)
	rt.Handle("GET /api/datatypes/visualizations", func(*Request) (any, error) { return c.Datatypes.Visualizations(""), nil })
	rt.Handle("GET /api/datatypes/{datatype}/visualizations", func(r *Request) (any, error) {
		return c.Datatypes.Visualizations(r.PathValue("datatype")), nil
	})
	rt.Handle("GET /api/configuration/decode/{id}", decodeForAdmin)
	rt.Handle("GET /api/configuration/encode/{id}", encodeForAdmin)
	for _, empty := range []string{
		"/api/quotas", "/api/forms", "/api/configuration/tool_lineages", "/api/configuration/dynamic_tool_confs",
		"/api/dependency_resolvers/toolbox", "/api/dependency_resolvers", "/api/container_resolvers/toolbox", "/api/container_resolvers",
		"/api/dependency_resolvers/unused_paths",
	} {
		rt.Handle("GET "+empty, func(r *Request) (any, error) { return []any{}, r.RequireAdmin() })
	}
	for _, empty := range []string{"/api/exports", "/api/trs_consume/servers", "/api/users/{id}/credentials", "/authnz"} {
		rt.Handle("GET "+empty, func(*Request) (any, error) { return []any{}, nil })
	}
	rt.Handle("GET /api/licenses", func(*Request) (any, error) { return licenses, nil })
	rt.Handle("GET /api/licenses/{id}", licence)
	rt.Handle("GET /api/tools/error_stack", func(r *Request) (any, error) { return []any{}, r.RequireAdmin() })
	rt.Handle("GET /api/sanitize_allow", func(r *Request) (any, error) {
		return map[string]any{"blocked_toolshed": []any{}, "allowed_toolshed": []any{}, "blocked_local": []any{}, "allowed_local": []any{}}, r.RequireAdmin()
	})
}

func (c *Catalogue) datatype(r *Request) (any, error) {
	ext := r.PathValue("datatype")
	d, ok := c.Datatypes.Detail(ext)
	if !ok {
		return nil, galaxy.Errorf(galaxy.NotFound, "Datatype '%.100s' not found", ext)
	}
	return d, nil
}

// decodeForAdmin tells the number behind an encoded id, for looking it up in
// the database.
func decodeForAdmin(r *Request) (any, error) {
	if err := r.RequireAdmin(); err != nil {
		return nil, err
	}
	id, err := r.ID("id")
	return map[string]int64{"decoded_id": id}, err
}

func encodeForAdmin(r *Request) (any, error) {
	if err := r.RequireAdmin(); err != nil {
		return nil, err
	}
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil || id <= 0 {
		return nil, badRequest("%q is not the number of a row", r.PathValue("id"))
	}
	return map[string]string{"encoded_id": r.EncodeID(id)}, nil
}

// licenseJSON describes a licence as the SPDX list does.
type licenseJSON struct {
	ID          string   `json:"licenseId"`
	Name        string   `json:"name"`
	Reference   string   `json:"reference"`
	Number      int      `json:"referenceNumber"`
	Deprecated  bool     `json:"isDeprecatedLicenseId"`
	OSIApproved bool     `json:"isOsiApproved"`
	SeeAlso     []string `json:"seeAlso"`
	DetailsURL  string   `json:"detailsUrl"`
	SPDXURL     string   `json:"spdxUrl"`
	Recommended bool     `json:"recommended"`
	URL         string   `json:"url"` // the first of SeeAlso, else SPDXURL
}

// licenses are those that people choose for workflows and histories, and that
// of the client.
var licenses = func() []licenseJSON {
	var out []licenseJSON
	for i, l := range []struct {
		id, name string
		software bool // approved by the Open Source Initiative
	}{
		{"MIT", "MIT License", true}, {"Apache-2.0", "Apache License 2.0", true}, {"AFL-3.0", "Academic Free License v3.0", true},
		{"BSD-2-Clause", `BSD 2-Clause "Simplified" License`, true}, {"BSD-3-Clause", `BSD 3-Clause "New" or "Revised" License`, true},
		{"GPL-3.0-only", "GNU General Public License v3.0 only", true}, {"GPL-3.0-or-later", "GNU General Public License v3.0 or later", true},
		{"LGPL-3.0-or-later", "GNU Lesser General Public License v3.0 or later", true}, {"MPL-2.0", "Mozilla Public License 2.0", true},
		{"CC0-1.0", "Creative Commons Zero v1.0 Universal", false}, {"CC-BY-4.0", "Creative Commons Attribution 4.0 International", false},
		{"CC-BY-SA-4.0", "Creative Commons Attribution Share Alike 4.0 International", false},
	} {
		page := "https://spdx.org/licenses/" + l.id
		out = append(out, licenseJSON{l.id, l.name, page + ".html", i + 1, false, l.software, []string{}, page + ".json", page + ".html", i == 0, page + ".html"})
	}
	return out
}()

func licence(r *Request) (any, error) {
	i := slices.IndexFunc(licenses, func(l licenseJSON) bool { return strings.EqualFold(l.ID, r.PathValue("id")) })
	if i < 0 {
		return nil, galaxy.Errorf(galaxy.NotFound, "License '%.100s' not found", r.PathValue("id"))
	}
	return licenses[i], nil
}
