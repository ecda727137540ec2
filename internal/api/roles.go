package api

import (
	"net/url"

	"orrery/internal/access"
	"orrery/internal/store"
	"orrery/internal/user"
)

// Roles are the routes about roles.
type Roles struct{ users *user.Service }

// NewRoles makes the routes about roles.
func NewRoles(users *user.Service) *Roles { return &Roles{users} }

// Register adds the routes.
func (o *Roles) Register(rt *Router) {
	rt.Handle("GET /api/roles", o.index)
	rt.Handle("POST /api/roles", o.create)
	rt.Handle("GET /api/roles/{id}", o.show)
	rt.Handle("DELETE /api/roles/{id}", o.delete)
	rt.Handle("POST /api/roles/{id}/undelete", o.undelete)
	rt.Handle("POST /api/roles/{id}/purge", o.purge)
	rt.Handle("GET /api/users/{id}/roles", o.ofUser)
}

type roleJSON struct {
	Class       string  `json:"model_class"`
	ID          string  `json:"id"`
	Name        string  `json:"name"`
	Type        string  `json:"type"`
	Description *string `json:"description"`
	URL         string  `json:"url"`
}

// displayName is a role's name as people tell it from others: private roles
// all have the same one.
func displayName(role store.Role) string {
	if role.OwnerEmail != "" {
		return role.OwnerEmail
	}
	return role.Name
}

func roleView(r *Request, role store.Role, name string) roleJSON {
	id := r.EncodeID(role.ID)
	return roleJSON{"Role", id, name, role.Type, orNil(role.Description), "role?" + url.Values{"id": {id}}.Encode()}
}

func (o *Roles) index(r *Request) (any, error) {
	limit, err := r.Int("limit", 0, 1)
	if err != nil {
		return nil, err
	}
	offset, err := r.Int("offset", 0, 0)
	if err != nil {
		return nil, err
	}
	roles, err := o.users.Roles(r.Ctx(), r.Actor, r.Param("search"), limit, offset)
	if err != nil {
		return nil, err
	}
	out := make([]roleJSON, len(roles))
	for i, role := range roles {
		out[i] = roleView(r, role, displayName(role))
	}
	return out, nil
}

func (o *Roles) ofUser(r *Request) (any, error) {
	if err := access.Admin(r.Actor); err != nil {
		return nil, err
	}
	id, err := r.ID("id")
	if err != nil {
		return nil, err
	}
	roles, err := o.users.RolesAssignedTo(r.Ctx(), id)
	if err != nil {
		return nil, err
	}
	out := make([]roleJSON, len(roles))
	for i, role := range roles {
		out[i] = roleView(r, role, role.Name)
	}
	return out, nil
}

func (o *Roles) show(r *Request) (any, error) {
	id, err := r.ID("id")
	if err != nil {
		return nil, err
	}
	role, err := o.users.Role(r.Ctx(), r.Actor, id)
	if err != nil {
		return nil, err
	}
	return roleView(r, role, role.Name), nil
}

func (o *Roles) create(r *Request) (any, error) {
	if err := access.Admin(r.Actor); err != nil {
		return nil, err
	}
	body := struct {
		Name, Description string
		Type              string   `json:"role_type"`
		UserIDs           []string `json:"user_ids"`
		GroupIDs          []string `json:"group_ids"`
	}{Type: store.RoleAdmin}
	if err := r.JSON(&body); err != nil {
		return nil, err
	}
	userIDs, err := r.decodeAll(body.UserIDs)
	if err != nil {
		return nil, err
	}
	groupIDs, err := r.decodeAll(body.GroupIDs)
	if err != nil {
		return nil, err
	}
	role, err := o.users.CreateRole(r.Ctx(), store.Role{Name: body.Name, Description: body.Description, Type: body.Type}, userIDs, groupIDs)
	if err != nil {
		return nil, err
	}
	return roleView(r, role, role.Name), nil
}

func (r *Request) decodeAll(encoded []string) ([]int64, error) {
	ids := make([]int64, len(encoded))
	for i, s := range encoded {
		var err error
		if ids[i], err = r.DecodeID(s); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

func (o *Roles) delete(r *Request) (any, error)   { return o.change(r, o.users.DeleteRole) }
func (o *Roles) undelete(r *Request) (any, error) { return o.change(r, o.users.UndeleteRole) }
func (o *Roles) purge(r *Request) (any, error)    { return o.change(r, o.users.PurgeRole) }

func (o *Roles) change(r *Request, change user.RoleChange) (any, error) {
	if err := access.Admin(r.Actor); err != nil {
		return nil, err
	}
	id, err := r.ID("id")
	if err != nil {
		return nil, err
	}
	role, err := change(r.Ctx(), id)
	if err != nil {
		return nil, err
	}
	return roleView(r, role, role.Name), nil
}
