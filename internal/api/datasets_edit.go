package api

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"orrery/internal/dataset"
	"orrery/internal/datatype"
	"orrery/internal/galaxy"
	"orrery/internal/store"
)

// The client's page to edit a dataset is built from lists of inputs, which the
// routes here describe and take back. They stand at Galaxy's older addresses.

func (d *Datasets) registerEdit(rt *Router) {
	rt.Handle("GET /dataset/get_edit", d.editForms)
	rt.Handle("PUT /dataset/set_edit", d.edit)
	rt.Handle("PUT /api/datasets/{id}/permissions", d.updatePermissions)
}

// formInput describes one input of a form; what is nil is left out.
type formInput struct {
	Type     string `json:"type"`
	Name     string `json:"name"`
	Label    string `json:"label"`
	Help     string `json:"help,omitempty"`
	Value    any    `json:"value"`
	Options  any    `json:"options,omitempty"`
	Area     bool   `json:"area,omitempty"`
	Multiple bool   `json:"multiple,omitempty"`
	Optional bool   `json:"optional,omitempty"`
	ReadOnly bool   `json:"readonly,omitempty"`
}

// option is one choice of a select: what is shown, what is sent, and whether it
// is chosen.
type option [3]any

func (d *Datasets) editForms(r *Request) (any, error) {
	id, err := r.DecodeID(r.Param("dataset_id"))
	if err != nil {
		return nil, err
	}
	item, err := d.Service.Owned(r.Ctx(), r.Actor, id)
	if err != nil {
		return nil, err
	}
	if item.State() == galaxy.DatasetUpload {
		return nil, badRequest("Please wait until this dataset finishes uploading before you change it.")
	}
	md, err := dataset.DecodeMetadata(item.Metadata)
	if err != nil {
		return nil, err
	}
	annotations, err := store.Annotations(r.Ctx(), d.Service.DB, store.TagHDA, []int64{id})
	if err != nil {
		return nil, err
	}
	permissions, manageable, err := d.permissionInputs(r, item)
	if err != nil {
		return nil, err
	}
	attributes := []formInput{
		{Type: "text", Name: "name", Label: "Name", Value: item.Name},
		{Type: "text", Name: "info", Label: "Info", Value: orNil(item.Info), Area: true},
		{Type: "text", Name: "annotation", Label: "Annotation", Value: orNil(annotations[id]), Area: true, Optional: true,
			Help: "Notes of yours on this dataset; they are shown with it in its history."},
	}
	var message, status *string
	for _, e := range d.Service.Types.MetadataSpec(item.Extension) {
		if !e.Visible {
			continue
		}
		if input, ok := d.metadataInput(&e, md); ok {
			attributes = append(attributes, input)
		}
		if _, set := md[e.Name]; e.CheckRequired && !set {
			message = orNil("The dataset lacks some of the metadata that tools need. «Auto-detect» reads them from the file.")
			status = orNil("warning")
		}
	}
	types, current := d.typeOptions(item.Extension)
	state := item.State()
	return map[string]any{
		"display_name": item.Name, "message": message, "status": status, "dataset_id": r.EncodeID(id),
		"metadata_disable": state != galaxy.DatasetOK && state != galaxy.DatasetFailedMetadata,
		"attribute_inputs": attributes,
		// Nothing converts yet, so that there is nothing to choose.
		"conversion_inputs":  []formInput{{Type: "select", Name: "target_type", Label: "Target datatype", Options: []option{}}},
		"conversion_disable": true,
		"datatype_inputs": []formInput{{
			Type: "select", Name: "datatype", Label: "New Type", Value: current, Options: types,
			Help: "The dataset's file stays as it is; it is only taken for another type. Use this when the type was not recognised rightly.",
		}},
		"datatype_disable":   len(types) == 0,
		"permission_inputs":  permissions,
		"permission_disable": !manageable,
	}, nil
}

// metadataInput offers one element of the metadata; not ok for those that no
// form can show.
func (d *Datasets) metadataInput(e *datatype.Element, md datatype.Metadata) (input formInput, ok bool) {
	input = formInput{Type: "select", Name: e.Name, Label: e.Desc, Value: md.Value(e), Multiple: e.Multiple, Optional: e.Optional}
	chosen := func(v any) bool {
		if list, ok := input.Value.([]any); ok {
			return slices.Contains(list, v)
		}
		return input.Value == v
	}
	options := []option{}
	switch e.Param {
	case "DBKey":
		for _, b := range d.Builds {
			options = append(options, option{b.Name, b.Key, chosen(b.Key)})
		}
		if text, ok := input.Value.(string); ok && !slices.ContainsFunc(d.Builds, func(b datatype.Build) bool { return b.Key == text }) {
			options = append(options, option{text, text, true}) // of a server that had more builds
		}
	case "Column":
		columns, _ := md["columns"].(int64)
		for i := range min(columns, 1000) {
			options = append(options, option{strconv.FormatInt(i+1, 10), i + 1, chosen(i + 1)})
		}
	case "Metadata":
		input.Type, input.ReadOnly, input.Optional = "text", e.ReadOnly, false
		switch v := input.Value.(type) {
		case []any, map[string]any:
			text, err := json.Marshal(v)
			if err != nil {
				return input, false
			}
			input.Value, input.ReadOnly = string(text), true
		}
		return input, true
	default:
		return input, false
	}
	input.Options = options
	return input, true
}

// typeOptions lists the types that a dataset can be given, and the one to start
// with: nil when the dataset's own is none of them.
func (d *Datasets) typeOptions(ext string) (options [][2]string, current any) {
	extensions := d.Service.Types.Extensions()
	slices.Sort(extensions)
	for _, e := range extensions {
		if !d.Service.Types.Type(e).ChangeAllowed {
			continue
		}
		options = append(options, [2]string{e, e})
		if e == ext {
			current = e
		}
	}
	return options, current
}

// The actions under the names that the form has for them.
var datasetPermissionForms = []struct{ name, payload, action, help string }{
	{"DATASET_MANAGE_PERMISSIONS", "manage_ids", store.ActionManagePermissions, "Who has one of these roles can change the permissions of this dataset."},
	{"DATASET_ACCESS", "access_ids", store.ActionAccess,
		"Only who has all of these roles can see this dataset or import it; without any, everyone can who finds it."},
}

func (d *Datasets) permissionInputs(r *Request, item *dataset.Item) (inputs []formInput, manageable bool, err error) {
	if r.Actor.User == nil {
		return []formInput{{Type: "hidden", Name: "no_access", Label: "Log in to see and change the permissions.", ReadOnly: true}}, false, nil
	}
	p, err := d.Service.Permissions(r.Ctx(), r.Actor, item)
	if err != nil {
		return nil, false, err
	}
	if len(p.Set) == 0 {
		return []formInput{{Type: "hidden", Name: "access_public", Label: "This dataset can be seen by everyone.", ReadOnly: true}}, false, nil
	}
	options := make([][2]string, len(p.Roles))
	for i, role := range p.Roles {
		options[i] = [2]string{displayName(role), r.EncodeID(role.ID)}
	}
	for _, form := range datasetPermissionForms {
		var chosen []string
		for _, set := range p.Set {
			if set.Action == form.action {
				chosen = append(chosen, r.EncodeID(set.RoleID))
			}
		}
		inputs = append(inputs, formInput{
			Type: "select", Name: form.name, Label: form.action, Help: form.help, Options: options, Value: chosen,
			Multiple: true, Optional: true, ReadOnly: !p.Manageable,
		})
	}
	return inputs, p.Manageable, nil
}

type editResult struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

func (d *Datasets) edit(r *Request) (any, error) {
	p, err := r.payload()
	if err != nil {
		return nil, err
	}
	encoded, err := p.text("dataset_id")
	if err != nil || encoded == nil {
		return nil, badRequest("Say with dataset_id which dataset to change.")
	}
	id, err := r.DecodeID(*encoded)
	if err != nil {
		return nil, err
	}
	item, err := d.Service.Owned(r.Ctx(), r.Actor, id)
	if err != nil {
		return nil, err
	}
	operation, err := p.text("operation")
	if err != nil || operation == nil {
		return nil, badRequest("Say with operation what to change.")
	}
	switch *operation {
	case "attributes":
		return d.editAttributes(r, item, p)
	case "datatype":
		ext, err := p.text("datatype")
		if err != nil || ext == nil {
			return nil, badRequest("Choose a type.")
		}
		if err := d.Service.Retype(r.Ctx(), id, *ext); err != nil {
			return nil, err
		}
		return editResult{"success", "Changed the type to " + *ext + "."}, nil
	case "datatype_detect":
		if err := d.Service.Retype(r.Ctx(), id, "auto"); err != nil {
			return nil, err
		}
		now, err := d.Service.Owned(r.Ctx(), r.Actor, id)
		if err != nil {
			return nil, err
		}
		return editResult{"success", "Detection was finished and changed the datatype to " + now.Extension + "."}, nil
	case "autodetect":
		if err := d.Service.Retype(r.Ctx(), id, item.Extension); err != nil {
			return nil, err
		}
		return editResult{"success", "The metadata were read from the file again."}, nil
	case "conversion":
		return nil, badRequest("This server has no converters yet.")
	case "permission":
		set, err := r.permissions(p, func(form string) string { return form })
		if err != nil {
			return nil, err
		}
		if err := d.Service.SetPermissions(r.Ctx(), r.Actor, id, set); err != nil {
			return nil, err
		}
		return editResult{"success", "Your changes completed successfully."}, nil
	}
	return nil, badRequest("Invalid operation identifier (%s).", *operation)
}

// editAttributes changes name, info, annotation and metadata. While a job uses
// the dataset its metadata stay as they are.
func (d *Datasets) editAttributes(r *Request, item *dataset.Item, p payload) (any, error) {
	var c dataset.Change
	var err error
	if c.Name, err = p.text("name"); err != nil {
		return nil, err
	}
	if c.Name != nil && strings.TrimSpace(*c.Name) == "" {
		return nil, badRequest("A dataset needs a name.")
	}
	if c.Info, err = p.textOrEmpty("info"); err != nil {
		return nil, err
	}
	if c.Annotation, err = p.textOrEmpty("annotation"); err != nil {
		return nil, err
	}
	used, err := store.InUse(r.Ctx(), d.Service.DB, []int64{item.ID})
	if err != nil {
		return nil, err
	}
	result := editResult{"success", "Attributes updated."}
	if used[item.ID] {
		result = editResult{"warning", "Name, info and annotation are updated, but not the metadata: a job uses this dataset. Wait for it, or cancel it."}
	} else if c.Metadata, err = d.editedMetadata(item, p); err != nil {
		return nil, err
	}
	_, err = d.Service.Update(r.Ctx(), r.Actor, item.ID, c)
	return result, err
}

// editedMetadata reads the values of the form's inputs, which browsers send as
// text.
func (d *Datasets) editedMetadata(item *dataset.Item, p payload) (map[string]any, error) {
	out := map[string]any{}
	for _, e := range d.Service.Types.MetadataSpec(item.Extension) {
		raw, sent := p[e.Name]
		if !sent || e.ReadOnly || !e.Visible {
			continue
		}
		var values []any
		var value any
		if err := json.Unmarshal(raw, &value); err != nil {
			return nil, invalidField(e.Name, "a value")
		}
		list, many := value.([]any)
		if !many && value != nil && value != "" {
			list = []any{value}
		}
		for _, v := range list {
			one, err := metadataValue(&e, v)
			if err != nil {
				return nil, err
			}
			values = append(values, one)
		}
		switch {
		case e.Param == "DBKey" || e.Param == "Column" && e.Multiple:
			out[e.Name] = values
		case len(values) > 1:
			return nil, invalidField(e.Name, "one value")
		case len(values) == 1:
			out[e.Name] = values[0]
		case !e.Optional && e.Param == "Column":
			return nil, badRequest("%s must be chosen.", e.Desc)
		default:
			out[e.Name] = e.NoValue
		}
	}
	return out, nil
}

// metadataValue gives a value from a form the kind that its element has.
func metadataValue(e *datatype.Element, v any) (any, error) {
	_, whole := e.Default.(int64)
	if !whole && e.Param != "Column" {
		switch v.(type) {
		case string, bool, float64:
			return v, nil
		}
		return nil, invalidField(e.Name, "a text")
	}
	switch v := v.(type) {
	case float64:
		if v == float64(int64(v)) && v >= 0 {
			return int64(v), nil
		}
	case string:
		if n, err := strconv.ParseInt(strings.TrimSpace(v), 10, 64); err == nil && n >= 0 {
			return n, nil
		}
	}
	return nil, badRequest("%s must be a whole number.", e.Desc)
}

// permissions reads the roles of each action. The name of the field is made of
// that of the form's input.
func (r *Request) permissions(p payload, field func(form string) string) ([]store.Permission, error) {
	var set []store.Permission
	for _, form := range datasetPermissionForms {
		roles, err := p.texts(field(form.name))
		if err != nil || roles == nil {
			if err != nil {
				return nil, err
			}
			continue
		}
		ids, err := r.decodeIDs(*roles)
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			set = append(set, store.Permission{Action: form.action, RoleID: id})
		}
	}
	return set, nil
}

// updatePermissions is the API's way to set a dataset's permissions.
func (d *Datasets) updatePermissions(r *Request) (any, error) {
	id, err := r.ID("id")
	if err != nil {
		return nil, err
	}
	p, err := r.payload()
	if err != nil {
		return nil, err
	}
	action, err := p.text("action")
	if err != nil {
		return nil, err
	}
	if action == nil {
		action = new("set_permissions")
	}
	if r.Actor.User == nil {
		return nil, r.RequireUser()
	}
	switch *action {
	case "make_private":
		err = d.Service.MakePrivate(r.Ctx(), r.Actor, id)
	case "remove_restrictions":
		err = d.Service.MakePublic(r.Ctx(), r.Actor, id)
	case "set_permissions":
		names := map[string]string{}
		for _, form := range datasetPermissionForms {
			for _, name := range []string{form.payload, form.payload + "[]", strings.TrimSuffix(form.payload, "_ids")} {
				if p.has(name) {
					names[form.name] = name
				}
			}
		}
		var set []store.Permission
		if set, err = r.permissions(p, func(form string) string { return names[form] }); err == nil {
			err = d.Service.SetPermissions(r.Ctx(), r.Actor, id, set)
		}
	default:
		return nil, badRequest("The action must be remove_restrictions, make_private or set_permissions, not %q", *action)
	}
	if err != nil {
		return nil, err
	}
	item, err := d.Service.Owned(r.Ctx(), r.Actor, id)
	if err != nil {
		return nil, err
	}
	set, err := store.DatasetPermissions(r.Ctx(), d.Service.DB, []int64{item.Dataset.ID})
	if err != nil {
		return nil, err
	}
	roles, err := store.RolesOf(r.Ctx(), d.Service.DB, r.Actor.UserID())
	if err != nil {
		return nil, err
	}
	named := map[string][][2]string{store.ActionManagePermissions: {}, store.ActionAccess: {}}
	for _, s := range set[item.Dataset.ID] {
		i := slices.IndexFunc(roles, func(role store.Role) bool { return role.ID == s.RoleID })
		if i >= 0 {
			named[s.Action] = append(named[s.Action], [2]string{displayName(roles[i]), r.EncodeID(s.RoleID)})
		}
	}
	return map[string]any{
		"access_dataset_roles": named[store.ActionAccess], "manage_dataset_roles": named[store.ActionManagePermissions], "modify_item_roles": [][2]string{},
	}, nil
}

// oldDisplay is the older address of a dataset's contents, which the client's
// viewers read in pieces.
func (d *Datasets) oldDisplay(r *Request) (any, error) {
	r.SetPathValue("id", r.Param("dataset_id"))
	return d.display(r, "id", r.Param("filename"))
}
