package api

import (
	"slices"

	"orrery/internal/store"
)

// AdminTables are the administrator's tables, at Galaxy's older addresses.
type AdminTables struct {
	Catalogue *Catalogue
	DB        *store.DB
}

// Register adds the routes.
func (t *AdminTables) Register(rt *Router) {
	rt.Handle("GET /admin/roles_list", func(r *Request) (any, error) { return t.roles(r, false) })
	rt.Handle("GET /admin/groups_list", func(r *Request) (any, error) { return t.roles(r, true) })
	rt.Handle("GET /admin/data_types_list", t.datatypes)
	rt.Handle("GET /admin/data_tables_list", func(r *Request) (any, error) {
		return map[string]any{"data": []any{}, "message": "", "status": "done"}, r.RequireAdmin()
	})
	rt.Handle("GET /data_manager/data_managers_list", func(r *Request) (any, error) {
		return map[string]any{"dataManagers": []any{}, "dataTables": []any{}, "viewOnly": false, "message": "", "status": "info"}, r.RequireAdmin()
	})
	for _, empty := range []string{"/admin/quotas_list", "/forms/forms_list"} {
		rt.Handle("GET "+empty, func(r *Request) (any, error) {
			return map[string]any{"rows": []any{}, "rows_total": 0}, r.RequireAdmin()
		})
	}
}

func (t *AdminTables) roles(r *Request, groups bool) (any, error) {
	if err := r.RequireAdmin(); err != nil {
		return nil, err
	}
	table := store.RoleTable{Groups: groups, Sort: r.Param("sort_by")}
	var err error
	if table.Descending, err = r.Bool("sort_desc", false); err != nil {
		return nil, err
	}
	if table.Limit, err = r.Int("limit", 1000, 1); err != nil {
		return nil, err
	}
	if table.Offset, err = r.Int("offset", 0, 0); err != nil {
		return nil, err
	}
	for _, term := range searchTerms(r.Param("search"), "name", "description", "is") {
		if term.Field == "is" {
			table.Deleted = table.Deleted || term.Text == "deleted"
			continue
		}
		table.Search = append(table.Search, term)
	}
	rows, total, err := table.Rows(r.Ctx(), t.DB)
	if err != nil {
		return nil, err
	}
	lines := make([]any, len(rows))
	for i, row := range rows {
		line := map[string]any{
			"id": r.EncodeID(row.ID), "name": row.Name, "users": row.Users, "deleted": row.Deleted, "update_time": apiTime(row.UpdateTime),
		}
		if groups {
			line["roles"] = row.Others
		} else {
			line["description"], line["type"], line["groups"], line["purged"] = orNil(row.Description), row.Type, row.Others, false
		}
		lines[i] = line
	}
	return map[string]any{"rows": lines, "rows_total": total}, nil
}

// datatypes lists every datatype as the registry's file would, which this
// server has built in.
func (t *AdminTables) datatypes(r *Request) (any, error) {
	if err := r.RequireAdmin(); err != nil {
		return nil, err
	}
	extensions := t.Catalogue.Datatypes.Extensions()
	slices.Sort(extensions)
	lines := make([]map[string]string, len(extensions))
	for i, ext := range extensions {
		known := t.Catalogue.Datatypes.Type(ext)
		line := map[string]string{"extension": ext, "type": known.Class, "mimetype": known.Mime, "display_in_upload": "false"}
		if known.Upload {
			line["display_in_upload"] = "true"
		}
		if known.Description != "" {
			line["description"] = known.Description
		}
		lines[i] = line
	}
	return map[string]any{
		"keys": []string{"extension", "type", "mimetype", "display_in_upload", "description"}, "data": lines, "message": "", "status": "done",
	}, nil
}
