package api

import (
	"encoding/json"
	"fmt"
	"sort"
	"strconv"
	"strings"

	"orrery/internal/access"
	"orrery/internal/galaxy"
	"orrery/internal/store"
	"orrery/internal/user"
)

// The client builds some pages of an account from a list of inputs, which the
// routes here describe and take back.

func (u *Users) registerForms(rt *Router) {
	rt.Handle("GET /api/users/{id}/information/inputs", u.information)
	rt.Handle("PUT /api/users/{id}/information/inputs", u.setInformation)
	rt.Handle("GET /api/users/{id}/password/inputs", u.password)
	rt.Handle("PUT /api/users/{id}/password/inputs", u.setPassword)
	rt.Handle("GET /api/users/{id}/permissions/inputs", u.permissions)
	rt.Handle("PUT /api/users/{id}/permissions/inputs", u.setPermissions)
	rt.Handle("GET /api/users/{id}/toolbox_filters/inputs", u.toolboxFilters)
	rt.Handle("PUT /api/users/{id}/toolbox_filters/inputs", u.setToolboxFilters)
	rt.Handle("GET /api/users/{id}/custom_builds", u.customBuilds)
	rt.Handle("DELETE /api/users/{id}/custom_builds/{key...}", u.deleteCustomBuild)
}

// maybe tells an absent value from null, which becomes the zero value.
type maybe[T any] struct{ value *T }

// UnmarshalJSON is called for null too, and not for what is absent.
func (m *maybe[T]) UnmarshalJSON(b []byte) error {
	m.value = new(T)
	return json.Unmarshal(b, m.value)
}

type saved struct {
	Message string `json:"message"`
}

// ownForm is own for routes that Galaxy answers differently to visitors.
func (u *Users) ownForm(r *Request) (*store.UserRow, error) {
	if err := access.Account(r.Actor); err != nil {
		return nil, err
	}
	return u.own(r)
}

// inputJSON describes one input of a form.
type inputJSON struct {
	ID     string `json:"id,omitempty"`
	Type   string `json:"type"`
	Name   string `json:"name"`
	Label  string `json:"label,omitempty"`
	Value  any    `json:"value,omitempty"`
	Help   string `json:"help"`
	Hidden bool   `json:"hidden,omitempty"`
}

// The fields of an address, in the form's order.
var addressFields = []struct {
	name, label string
	required    bool
	of          func(*store.Address) *string
}{
	{"desc", "Short address description", true, func(a *store.Address) *string { return &a.Desc }},
	{"name", "Name", false, func(a *store.Address) *string { return &a.Name }},
	{"institution", "Institution", false, func(a *store.Address) *string { return &a.Institution }},
	{"address", "Address", false, func(a *store.Address) *string { return &a.Address }},
	{"city", "City", false, func(a *store.Address) *string { return &a.City }},
	{"state", "State/Province/Region", false, func(a *store.Address) *string { return &a.State }},
	{"postal_code", "Postal Code", false, func(a *store.Address) *string { return &a.PostalCode }},
	{"country", "Country", false, func(a *store.Address) *string { return &a.Country }},
	{"phone", "Phone", false, func(a *store.Address) *string { return &a.Phone }},
}

func addressInputs(id string, a *store.Address) []inputJSON {
	inputs := []inputJSON{{Type: "hidden", Name: "id", Hidden: true}}
	if id != "" {
		inputs[0].Value = id
	}
	for _, f := range addressFields {
		input := inputJSON{Type: "text", Name: f.name, Label: f.label}
		if f.required {
			input.Help = "Required"
		}
		if a != nil {
			input.Value = *f.of(a)
		}
		inputs = append(inputs, input)
	}
	return inputs
}

func (u *Users) information(r *Request) (any, error) {
	row, err := u.ownForm(r)
	if err != nil {
		return nil, err
	}
	addresses, err := u.users.Addresses(r.Ctx(), row.ID)
	if err != nil {
		return nil, err
	}
	cache, listed := [][]inputJSON{}, []any{}
	for i := range addresses {
		cache = append(cache, addressInputs(r.EncodeID(addresses[i].ID), &addresses[i]))
		listed = append(listed, struct {
			ID string `json:"id"`
			store.Address
		}{r.EncodeID(addresses[i].ID), addresses[i]})
	}
	return map[string]any{
		"email": row.Email, "username": row.Username, "addresses": listed,
		"inputs": []any{
			inputJSON{ID: "email_input", Type: "text", Name: "email", Label: "Email address", Value: row.Email},
			inputJSON{ID: "name_input", Type: "text", Name: "username", Label: "Public name", Value: row.Username,
				Help: "The name that others see, also in the addresses of what you share. Lower-case letters, numbers, dots, underscores and dashes."},
			map[string]any{"title": "Address", "name": "address", "type": "repeat", "inputs": addressInputs("", nil), "cache": cache},
		},
	}, nil
}

// maxAddresses bounds how many addresses one user keeps.
const maxAddresses = 100

func (u *Users) setInformation(r *Request) (any, error) {
	row, err := u.ownForm(r)
	if err != nil {
		return nil, err
	}
	var body map[string]any
	if err := r.JSON(&body); err != nil {
		return nil, err
	}
	changes := user.Changes{}
	for name, dst := range map[string]**string{"email": &changes.Email, "username": &changes.Username} {
		if v, ok := body[name]; ok {
			s, ok := v.(string)
			if !ok {
				return nil, badRequest("%s must be a text", name)
			}
			*dst = &s
		}
	}
	addresses, err := addressesFrom(body)
	if err != nil {
		return nil, err
	}
	changes.Addresses = &addresses
	if _, err := u.users.Update(r.Ctx(), row.ID, changes); err != nil {
		return nil, err
	}
	return saved{"User information has been saved."}, nil
}

// addressesFrom reads the form's keys, such as "address_0|city".
func addressesFrom(body map[string]any) ([]store.Address, error) {
	byIndex := map[int]*store.Address{}
	for key, value := range body {
		place, field, ok := strings.Cut(key, "|")
		number, isAddress := strings.CutPrefix(place, "address_")
		if !ok || !isAddress {
			continue
		}
		i, err := strconv.Atoi(number)
		if err != nil || i < 0 || i >= maxAddresses {
			return nil, badRequest("There can be at most %d addresses", maxAddresses)
		}
		if byIndex[i] == nil {
			byIndex[i] = new(store.Address)
		}
		for _, f := range addressFields {
			if f.name == field && value != nil {
				*f.of(byIndex[i]) = store.Clip(fmt.Sprint(value), 255)
			}
		}
	}
	indexes := make([]int, 0, len(byIndex))
	for i := range byIndex {
		indexes = append(indexes, i)
	}
	sort.Ints(indexes)
	addresses := make([]store.Address, 0, len(indexes))
	for _, i := range indexes {
		if byIndex[i].Desc == "" {
			return nil, access.Missing("Address %d: %s (%s) required.", i+1, addressFields[0].label, addressFields[0].name)
		}
		addresses = append(addresses, *byIndex[i])
	}
	return addresses, nil
}

func (u *Users) password(r *Request) (any, error) {
	if err := access.Account(r.Actor); err != nil {
		return nil, err
	}
	type field struct {
		Name  string `json:"name"`
		Type  string `json:"type"`
		Label string `json:"label"`
	}
	return map[string]any{"inputs": []field{
		{"current", "password", "Current password"},
		{"password", "password", "New password"},
		{"confirm", "password", "Confirm password"},
	}}, nil
}

func (u *Users) setPassword(r *Request) (any, error) {
	row, err := u.ownForm(r)
	if err != nil {
		return nil, err
	}
	var body struct{ Current, Password, Confirm string }
	if err := r.JSON(&body); err != nil {
		return nil, err
	}
	_, err = u.users.ChangePassword(r.Ctx(), row.ID, body.Current, body.Password, body.Confirm, r.Actor.SessionID)
	if galaxy.KindOf(err) == galaxy.Invalid && err != nil {
		return nil, access.LoginRequired("%s", err.Error())
	}
	if err != nil {
		return nil, err
	}
	return saved{"Password has been changed."}, nil
}

// The actions of dataset permissions under the names of Galaxy's forms.
var permissionForms = []struct{ name, action, help string }{
	{"DATASET_MANAGE_PERMISSIONS", store.ActionManagePermissions, "Who has one of these roles can change the permissions of your new datasets."},
	{"DATASET_ACCESS", store.ActionAccess, "Only who has all of these roles can see your new datasets; without any, everyone can who finds them."},
}

func (u *Users) permissions(r *Request) (any, error) {
	row, err := u.ownForm(r)
	if err != nil {
		return nil, err
	}
	roles, err := u.users.RolesOf(r.Ctx(), row.ID)
	if err != nil {
		return nil, err
	}
	perms, err := u.users.DefaultPermissions(r.Ctx(), row.ID)
	if err != nil {
		return nil, err
	}
	options := make([][2]any, len(roles))
	for i, role := range roles {
		options[i] = [2]any{displayName(role), role.ID}
	}
	inputs := make([]any, len(permissionForms))
	for i, form := range permissionForms {
		chosen := []int64{}
		for _, p := range perms {
			if p.Action == form.action {
				chosen = append(chosen, p.RoleID)
			}
		}
		inputs[i] = map[string]any{
			"type": "select", "multiple": true, "optional": true, "name": form.name, "label": form.action,
			"help": form.help, "options": options, "value": chosen,
		}
	}
	return map[string]any{"inputs": inputs}, nil
}

func (u *Users) setPermissions(r *Request) (any, error) {
	row, err := u.ownForm(r)
	if err != nil {
		return nil, err
	}
	var body map[string]json.RawMessage
	if err := r.JSON(&body); err != nil {
		return nil, err
	}
	var perms []store.Permission
	for _, form := range permissionForms {
		raw, ok := body[form.name]
		if !ok || string(raw) == "null" {
			continue
		}
		var ids []json.Number // the client sends numbers or their text
		if err := json.Unmarshal(raw, &ids); err != nil {
			return nil, badRequest("%s must be a list of roles", form.name)
		}
		for _, n := range ids {
			id, err := n.Int64()
			if err != nil {
				return nil, badRequest("%s must be a list of roles", form.name)
			}
			perms = append(perms, store.Permission{Action: form.action, RoleID: id})
		}
	}
	if err := u.users.SetDefaultPermissions(r.Ctx(), row.ID, perms); err != nil {
		return nil, err
	}
	return saved{"Permissions have been saved."}, nil
}

// toolboxFilters answers that there are none: they are Python functions that an
// administrator adds to Galaxy.
func (u *Users) toolboxFilters(r *Request) (any, error) {
	if _, err := u.ownForm(r); err != nil {
		return nil, err
	}
	return map[string]any{
		"inputs": []inputJSON{{Type: "hidden", Name: "helptext", Label: "This server has no toolbox filters."}},
		"errors": map[string]string{},
	}, nil
}

func (u *Users) setToolboxFilters(r *Request) (any, error) {
	if _, err := u.ownForm(r); err != nil {
		return nil, err
	}
	return saved{"Toolbox filters have been saved."}, nil
}

func (u *Users) customBuilds(r *Request) (any, error) {
	row, err := u.own(r)
	if err != nil {
		return nil, err
	}
	return answer(u.users.CustomBuilds(r.Ctx(), row.ID))
}

func (u *Users) deleteCustomBuild(r *Request) (any, error) {
	row, err := u.own(r)
	if err != nil {
		return nil, err
	}
	key := r.PathValue("key")
	if err := u.users.DeleteCustomBuild(r.Ctx(), row.ID, key); err != nil {
		return nil, err
	}
	return saved{fmt.Sprintf("Deleted %s.", key)}, nil
}
