package api

import (
	"strconv"

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
	for _, empty := range []string{"/api/exports", "/api/trs_consume/servers", "/api/users/{id}/credentials"} {
		rt.Handle("GET "+empty, func(*Request) (any, error) { return []any{}, nil })
	}
	for _, table := range []string{"/admin/quotas_list", "/admin/roles_list", "/forms/forms_list"} {
		rt.Handle("GET "+table, func(r *Request) (any, error) {
			return map[string]any{"rows": []any{}, "rows_total": 0}, r.RequireAdmin()
		})
	}
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
