package api

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"orrery/internal/access"
	"orrery/internal/dataset"
	"orrery/internal/galaxy"
	"orrery/internal/history"
	"orrery/internal/store"
)

// Histories are the routes about histories and their contents.
type Histories struct {
	Service *history.Service
	Printer *Printer
	// Offload says which files a proxy sends.
	Offload Offload
}

// Register adds the routes.
func (h *Histories) Register(rt *Router) {
	rt.Handle("GET /api/histories", h.list)
	rt.Handle("POST /api/histories", h.create)
	rt.Handle("GET /api/histories/count", h.count)
	rt.Handle("GET /api/histories/deleted", h.listDeleted)
	rt.Handle("GET /api/histories/published", h.listPublished)
	rt.Handle("GET /api/histories/shared_with_me", h.listShared)
	rt.Handle("GET /api/histories/archived", h.listArchived)
	rt.Handle("GET /api/histories/most_recently_used", h.mostRecent)
	rt.Handle("PUT /api/histories/batch/delete", h.deleteMany)
	rt.Handle("PUT /api/histories/batch/undelete", h.undeleteMany)
	rt.Handle("GET /api/histories/{id}", h.show)
	rt.Handle("PUT /api/histories/{id}", h.update)
	rt.Handle("DELETE /api/histories/{id}", h.delete)
	rt.Handle("POST /api/histories/{id}/archive", h.archive)
	rt.Handle("PUT /api/histories/{id}/archive/restore", h.restore)
	rt.Handle("GET /api/histories/{id}/citations", h.none)
	rt.Handle("GET /api/histories/{id}/custom_builds_metadata", h.customBuilds)
	rt.Handle("GET /api/histories/{id}/exports", h.none)
	rt.Handle("GET /api/histories/{id}/tool_requests", h.none)
	rt.Handle("GET /api/histories/{id}/tags", h.tags)
	rt.Handle("GET /api/histories/{id}/tags/{tag}", h.tag)
	// POST deleted/{id}/undelete and POST {id}/tags/{tag} overlap, so that one
	// pattern stands for both.
	rt.Handle("POST /api/histories/{id}/{part}/{tag}", h.post)
	rt.Handle("PUT /api/histories/{id}/tags/{tag}", h.addTag)
	rt.Handle("DELETE /api/histories/{id}/tags/{tag}", h.removeTag)
	rt.Handle("GET /history/current_history_json", h.current)
	rt.Handle("GET /history/set_as_current", h.setCurrent)
	rt.Handle("POST /history/set_as_current", h.setCurrent)
	rt.Handle("GET /history/create_new_current", h.createCurrent)
	rt.Handle("POST /history/create_new_current", h.createCurrent)
	h.registerContents(rt)
}

// maxPage bounds the histories of one list.
const maxPage = 10_000

// query reads what all lists of histories take.
func (h *Histories) query(r *Request) (store.HistoryQuery, []string, error) {
	values := r.URL.Query()
	q := store.HistoryQuery{
		Filters: store.ParseFilters(values["q"], values["qv"]), Order: values.Get("order"), DecodeID: r.DecodeID,
	}
	var err error
	if q.Limit, err = r.Int("limit", 0, 1); err != nil {
		return q, nil, err
	}
	if q.Offset, err = r.Int("offset", 0, 0); err != nil {
		return q, nil, err
	}
	if q.Limit == 0 {
		q.Limit = maxPage
	}
	keys, err := historyKeys(values.Get("view"), values.Get("keys"), "summary")
	return q, keys, err
}

func (h *Histories) answer(r *Request, q store.HistoryQuery, keys []string) (any, error) {
	found, err := store.ListHistories(r.Ctx(), h.Service.DB, q)
	if err != nil {
		return nil, err
	}
	return printHistories(r, h.Service.DB, found, keys)
}

var yes, no = true, false

func (h *Histories) list(r *Request) (any, error) {
	if r.URL.Query().Has("search") {
		return h.search(r)
	}
	deletedOnly, err := r.Bool("deleted", false)
	if err != nil {
		return nil, err
	}
	return h.own(r, deletedOnly)
}

func (h *Histories) listDeleted(r *Request) (any, error) { return h.own(r, true) }

// own lists the actor's histories: by default those that are neither deleted nor
// archived.
func (h *Histories) own(r *Request, deletedOnly bool) (any, error) {
	q, keys, err := h.query(r)
	if err != nil {
		return nil, err
	}
	all, err := r.Bool("all", false)
	if err != nil {
		return nil, err
	}
	if all {
		if err := access.Admin(r.Actor); err != nil {
			return nil, &galaxy.Error{Kind: galaxy.Forbidden, Message: "Only admins can query all histories", Details: map[string]any{"err_code": 403006}}
		}
		q.Everyone = true
	}
	if r.Actor.UserID() == 0 && !all {
		if r.Actor.HistoryID == 0 {
			return []any{}, nil
		}
		current, err := store.HistoryByID(r.Ctx(), h.Service.DB, r.Actor.HistoryID)
		if err != nil {
			return nil, err
		}
		return printHistories(r, h.Service.DB, []store.History{*current}, keys)
	}
	q.OwnerID, q.Archived = r.Actor.UserID(), &no
	q.Deleted = &no
	switch i := slices.IndexFunc(q.Filters, func(f store.Filter) bool { return f.Attr == "deleted" && f.Op == "eq" }); {
	case i >= 0 && strings.EqualFold(q.Filters[i].Value, "none"):
		q.Deleted, q.Filters = nil, slices.Delete(q.Filters, i, i+1)
	case deletedOnly:
		q.Deleted = &yes
	case i >= 0:
		q.Deleted = nil // the filter tells
	}
	return h.answer(r, q, keys)
}

// search is the newer list, which the client's tables are made of.
func (h *Histories) search(r *Request) (any, error) {
	q, keys, err := h.query(r)
	if err != nil {
		return nil, err
	}
	flags := map[string]bool{}
	for name, def := range map[string]bool{"show_own": true, "show_published": false, "show_shared": false, "show_archived": false, "sort_desc": true} {
		if flags[name], err = r.Bool(name, def); err != nil {
			return nil, err
		}
	}
	if r.Actor.UserID() == 0 && !flags["show_published"] {
		return nil, badRequest("Requires user to log in.")
	}
	q.Filters = nil
	if flags["show_own"] || (!flags["show_published"] && !flags["show_shared"] && !r.Actor.Admin) {
		q.OwnerID = r.Actor.UserID()
	} else if !flags["show_published"] && !flags["show_shared"] {
		q.Everyone = true
	}
	q.Published = flags["show_published"]
	if flags["show_shared"] {
		q.SharedWith = r.Actor.UserID()
	}
	if flags["show_own"] && !flags["show_archived"] {
		q.Archived = &no
	}
	q.Deleted, q.Purged = &no, &no
	for _, term := range searchTerms(r.Param("search"), "name", "tag", "user", "is") {
		switch {
		case term.Field != "is":
			q.Search = append(q.Search, term)
		case term.Text == "published" || term.Text == "importable":
			q.Filters = append(q.Filters, store.Filter{Attr: term.Text, Op: "eq", Value: "true"})
		case term.Text == "shared_with_me" && !flags["show_shared"]:
			return nil, badRequest("Can only use tag is:shared_with_me if show_shared parameter also true.")
		case term.Text == "shared_with_me":
			q.OwnerID, q.Published = 0, false
		case (flags["show_published"] || flags["show_shared"]) && !r.Actor.Admin:
			// Others' deleted histories are not shown.
		case term.Text == "deleted":
			q.Deleted = &yes
		case term.Text == "purged":
			q.Deleted, q.Purged = nil, &yes
		}
	}
	sortBy := r.Param("sort_by")
	if sortBy == "" {
		sortBy = "update_time"
	}
	if !slices.Contains([]string{"create_time", "name", "update_time", "username"}, sortBy) {
		return nil, invalidQuery("sort_by", "'create_time', 'name', 'update_time' or 'username'")
	}
	q.Order = sortBy + map[bool]string{true: "-dsc", false: "-asc"}[flags["sort_desc"]]
	total, err := store.CountHistories(r.Ctx(), h.Service.DB, q)
	if err != nil {
		return nil, err
	}
	r.W.Header().Set("total_matches", strconv.Itoa(total))
	return h.answer(r, q, keys)
}

func invalidQuery(name, should string) error {
	return badRequest("Input should be %s in ('query', '%s')", should, name)
}

// maxTerms bounds a search.
const maxTerms = 20

// searchTerms divides a search: words, texts in quotes, and either behind the
// name of one of the fields and a colon.
func searchTerms(s string, fields ...string) []store.SearchTerm {
	var out []store.SearchTerm
	for s = strings.TrimSpace(s); s != "" && len(out) < maxTerms; s = strings.TrimSpace(s) {
		var term store.SearchTerm
		for _, field := range fields {
			if rest, ok := strings.CutPrefix(s, field+":"); ok {
				term.Field, s = field, rest
				break
			}
		}
		quote := ""
		if s != "" && (s[0] == '\'' || s[0] == '"') {
			quote, s = s[:1], s[1:]
		}
		if quote == "" {
			term.Text, s, _ = strings.Cut(s, " ")
		} else {
			term.Exact = true
			term.Text, s, _ = strings.Cut(s, quote)
		}
		if term.Text != "" {
			out = append(out, term)
		}
	}
	return out
}

func (h *Histories) listPublished(r *Request) (any, error) {
	q, keys, err := h.query(r)
	if err != nil {
		return nil, err
	}
	q.Published, q.Deleted = true, &no
	return h.answer(r, q, keys)
}

func (h *Histories) listShared(r *Request) (any, error) {
	q, keys, err := h.query(r)
	if err != nil {
		return nil, err
	}
	if err := access.Account(r.Actor); err != nil {
		return nil, err
	}
	q.SharedWith, q.Deleted, q.Purged = r.Actor.UserID(), &no, &no
	return h.answer(r, q, keys)
}

func (h *Histories) listArchived(r *Request) (any, error) {
	q, keys, err := h.query(r)
	if err != nil {
		return nil, err
	}
	if err := access.Account(r.Actor); err != nil {
		return nil, err
	}
	q.OwnerID, q.Archived = r.Actor.UserID(), &yes
	return h.answer(r, q, keys)
}

func (h *Histories) count(r *Request) (any, error) {
	if r.Actor.UserID() == 0 {
		if r.Actor.HistoryID != 0 {
			return 1, nil
		}
		return 0, nil
	}
	return store.CountHistories(r.Ctx(), h.Service.DB, store.HistoryQuery{OwnerID: r.Actor.UserID(), Deleted: &no, Archived: &no})
}

// print prints one history with the keys that were asked for.
func (h *Histories) print(r *Request, found *store.History, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	keys, err := historyKeys(r.Param("view"), r.Param("keys"), "detailed")
	if err != nil {
		return nil, err
	}
	return printHistory(r, h.Service.DB, found, keys)
}

func (h *Histories) show(r *Request) (any, error) {
	id, err := r.ID("id")
	if err != nil {
		return nil, err
	}
	found, err := h.Service.See(r.Ctx(), r.Actor, id)
	return h.print(r, found, err)
}

func (h *Histories) mostRecent(r *Request) (any, error) {
	found, err := h.Service.MostRecent(r.Ctx(), r.Actor)
	return h.print(r, found, err)
}

func (h *Histories) create(r *Request) (any, error) {
	p, err := r.formOrJSON()
	if err != nil {
		return nil, err
	}
	name, err := p.textOrEmpty("name")
	if err != nil {
		return nil, err
	}
	copyID, err := p.text("history_id")
	if err != nil {
		return nil, err
	}
	all, err := p.flag("all_datasets")
	if err != nil {
		return nil, err
	}
	if p.has("archive_source") || p.has("archive_file") {
		return nil, galaxy.Errorf(galaxy.NotImplemented, "This server cannot import history archives yet.")
	}
	text := ""
	if name != nil {
		text = *name
	}
	if copyID == nil || *copyID == "" {
		found, err := h.Service.Create(r.Ctx(), r.Actor, text)
		return h.print(r, found, err)
	}
	id, err := r.DecodeID(*copyID)
	if err != nil {
		return nil, err
	}
	found, err := h.Service.Copy(r.Ctx(), r.Actor, id, text, all == nil || *all)
	return h.print(r, found, err)
}

// formOrJSON reads a body in either of the forms that clients send.
func (r *Request) formOrJSON() (payload, error) {
	kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	if kind != "application/x-www-form-urlencoded" && kind != "multipart/form-data" {
		return r.payload()
	}
	r.Body = http.MaxBytesReader(r.W, r.Body, r.router.MaxBody)
	if err := r.ParseMultipartForm(1 << 20); err != nil && !errors.Is(err, http.ErrNotMultipart) {
		return nil, galaxy.Errorf(galaxy.Invalid, "The form could not be read: %w", err)
	}
	if r.MultipartForm != nil {
		defer func() { _ = r.MultipartForm.RemoveAll() }()
		if len(r.MultipartForm.File) > 0 {
			return payload{"archive_file": []byte("true")}, nil
		}
	}
	p := payload{}
	for name, values := range r.PostForm {
		p[name] = store.JSON(values[0])
	}
	return p, nil
}

func (h *Histories) update(r *Request) (any, error) {
	id, err := r.ID("id")
	if err != nil {
		return nil, err
	}
	p, err := r.payload()
	if err != nil {
		return nil, err
	}
	var c history.Change
	for name, dst := range map[string]**string{"name": &c.Name, "genome_build": &c.GenomeBuild} {
		if *dst, err = p.text(name); err != nil {
			return nil, err
		}
	}
	for name, dst := range map[string]**string{"annotation": &c.Annotation, "preferred_object_store_id": &c.PreferredObjectStoreID} {
		if *dst, err = p.textOrEmpty(name); err != nil {
			return nil, err
		}
	}
	if c.Tags, err = p.texts("tags"); err != nil {
		return nil, err
	}
	if err := p.flags(map[string]**bool{
		"published": &c.Published, "importable": &c.Importable, "deleted": &c.Deleted, "purged": &c.Purged,
	}); err != nil {
		return nil, err
	}
	found, err := h.Service.Update(r.Ctx(), r.Actor, id, c)
	return h.print(r, found, err)
}

// purgeAsked tells whether a deletion is to be for good: by the address or by
// the body.
func (r *Request) purgeAsked() (bool, payload, error) {
	purge, err := r.Bool("purge", false)
	if err != nil {
		return false, nil, err
	}
	p, err := r.payload()
	if err != nil {
		return false, nil, err
	}
	flag, err := p.flag("purge")
	if flag != nil {
		purge = purge || *flag
	}
	return purge, p, err
}

func (h *Histories) delete(r *Request) (any, error) {
	id, err := r.ID("id")
	if err != nil {
		return nil, err
	}
	purge, _, err := r.purgeAsked()
	if err != nil {
		return nil, err
	}
	found, err := h.Service.Delete(r.Ctx(), r.Actor, []int64{id}, purge)
	if err != nil {
		return nil, err
	}
	return h.print(r, &found[0], nil)
}

// many reads the body of a batch.
func (r *Request) many() ([]int64, payload, error) {
	p, err := r.payload()
	if err != nil {
		return nil, nil, err
	}
	encoded, err := p.texts("ids")
	if err != nil {
		return nil, nil, err
	}
	if encoded == nil || len(*encoded) == 0 {
		return nil, nil, badRequest("Field required in ('body', 'ids')")
	}
	ids, err := r.decodeIDs(*encoded)
	return ids, p, err
}

func (h *Histories) deleteMany(r *Request) (any, error) {
	ids, p, err := r.many()
	if err != nil {
		return nil, err
	}
	purge, err := p.flag("purge")
	if err != nil {
		return nil, err
	}
	found, err := h.Service.Delete(r.Ctx(), r.Actor, ids, purge != nil && *purge)
	return h.printMany(r, found, err)
}

func (h *Histories) undeleteMany(r *Request) (any, error) {
	ids, _, err := r.many()
	if err != nil {
		return nil, err
	}
	found, err := h.Service.Undelete(r.Ctx(), r.Actor, ids)
	return h.printMany(r, found, err)
}

func (h *Histories) printMany(r *Request, found []store.History, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	keys, err := historyKeys(r.Param("view"), r.Param("keys"), "detailed")
	if err != nil {
		return nil, err
	}
	return printHistories(r, h.Service.DB, found, keys)
}

func (h *Histories) post(r *Request) (any, error) {
	switch {
	case r.PathValue("part") == "tags":
		return h.addTag(r)
	case r.PathValue("id") == "deleted" && r.PathValue("tag") == "undelete":
		id, err := r.ID("part")
		if err != nil {
			return nil, err
		}
		found, err := h.Service.Undelete(r.Ctx(), r.Actor, []int64{id})
		if err != nil {
			return nil, err
		}
		return h.print(r, &found[0], nil)
	}
	return nil, noRoute(r)
}

func noRoute(r *Request) error {
	return &galaxy.Error{Kind: galaxy.NotFound, Message: "No route for " + r.URL.Path, Details: map[string]any{"err_code": 404000}}
}

func (h *Histories) archive(r *Request) (any, error) {
	id, err := r.ID("id")
	if err != nil {
		return nil, err
	}
	p, err := r.payload()
	if err != nil {
		return nil, err
	}
	if purge, err := p.flag("purge_history"); err != nil {
		return nil, err
	} else if purge != nil && *purge {
		return nil, badRequest("Cannot purge history without an export record: this server cannot export histories yet.")
	}
	found, err := h.Service.Archive(r.Ctx(), r.Actor, id, true)
	return h.print(r, found, err)
}

func (h *Histories) restore(r *Request) (any, error) {
	id, err := r.ID("id")
	if err != nil {
		return nil, err
	}
	found, err := h.Service.Archive(r.Ctx(), r.Actor, id, false)
	return h.print(r, found, err)
}

// none is an empty list about a history that the actor may see.
func (h *Histories) none(r *Request) (any, error) {
	id, err := r.ID("id")
	if err != nil {
		return nil, err
	}
	_, err = h.Service.See(r.Ctx(), r.Actor, id)
	return []any{}, err
}

// tagJSON is one tag of an item.
type tagJSON struct {
	Class string  `json:"model_class"`
	ID    string  `json:"id"`
	Name  string  `json:"user_tname"`
	Value *string `json:"user_value"`
}

func printTags(r *Request, class string, tags []store.Tag) []tagJSON {
	out := []tagJSON{}
	for _, t := range tags {
		out = append(out, tagJSON{class, r.EncodeID(t.ID), t.Name, orNil(t.Value)})
	}
	return out
}

// oneTag is the tag of that name; an error of kind galaxy.NotFound without it.
func oneTag(r *Request, class string, tags []store.Tag, name string) (any, error) {
	for _, t := range tags {
		if strings.EqualFold(t.Name, name) {
			return tagJSON{class, r.EncodeID(t.ID), t.Name, orNil(t.Value)}, nil
		}
	}
	return nil, galaxy.Errorf(galaxy.NotFound, "Failed to find tag with name: %s", name)
}

// changeTags adds or removes one tag of an item and gives its tags then.
func changeTags(r *Request, db *store.DB, k store.TagKind, id int64, change func(tx *store.Tx, tag string) error) ([]store.Tag, error) {
	p, err := r.payload()
	if err != nil {
		return nil, err
	}
	value, err := p.text("value")
	if err != nil {
		return nil, err
	}
	tag := r.PathValue("tag")
	if value != nil && *value != "" {
		tag += ":" + *value
	}
	var tags []store.Tag
	err = db.Write(r.Ctx(), func(tx *store.Tx) (err error) {
		if err := change(tx, tag); err != nil {
			return err
		}
		tags, err = store.TagRows(r.Ctx(), tx, k, id)
		return err
	})
	return tags, err
}

// namedTags are the tags of that name, as people write them.
func namedTags(tags []store.Tag, name string) []string {
	var out []string
	for _, t := range tags {
		if strings.EqualFold(t.Name, name) {
			out = append(out, t.String())
		}
	}
	return out
}

const historyTagClass = "HistoryTagAssociation"

func (h *Histories) tags(r *Request) (any, error) {
	id, err := r.ID("id")
	if err != nil {
		return nil, err
	}
	if _, err := h.Service.See(r.Ctx(), r.Actor, id); err != nil {
		return nil, err
	}
	tags, err := store.TagRows(r.Ctx(), h.Service.DB, store.TagHistory, id)
	return printTags(r, historyTagClass, tags), err
}

func (h *Histories) tag(r *Request) (any, error) {
	id, err := r.ID("id")
	if err != nil {
		return nil, err
	}
	if _, err := h.Service.See(r.Ctx(), r.Actor, id); err != nil {
		return nil, err
	}
	tags, err := store.TagRows(r.Ctx(), h.Service.DB, store.TagHistory, id)
	if err != nil {
		return nil, err
	}
	return oneTag(r, historyTagClass, tags, r.PathValue("tag"))
}

func (h *Histories) addTag(r *Request) (any, error) {
	id, err := r.ID("id")
	if err != nil {
		return nil, err
	}
	if _, err := h.Service.Mutable(r.Ctx(), r.Actor, id); err != nil {
		return nil, err
	}
	tags, err := changeTags(r, h.Service.DB, store.TagHistory, id, func(tx *store.Tx, tag string) error {
		if err := store.AddTags(r.Ctx(), tx, store.TagHistory, []int64{id}, r.Actor.UserID(), []string{tag}); err != nil {
			return err
		}
		return store.UpdateHistories(r.Ctx(), tx, []int64{id}, store.Values{})
	})
	if err != nil {
		return nil, err
	}
	return oneTag(r, historyTagClass, tags, r.PathValue("tag"))
}

func (h *Histories) removeTag(r *Request) (any, error) {
	id, err := r.ID("id")
	if err != nil {
		return nil, err
	}
	if _, err := h.Service.Mutable(r.Ctx(), r.Actor, id); err != nil {
		return nil, err
	}
	tags, err := store.TagRows(r.Ctx(), h.Service.DB, store.TagHistory, id)
	if err != nil {
		return nil, err
	}
	named := namedTags(tags, r.PathValue("tag"))
	if len(named) == 0 {
		return nil, galaxy.Errorf(galaxy.NotFound, "Failed to find tag with name: %s", r.PathValue("tag"))
	}
	_, err = changeTags(r, h.Service.DB, store.TagHistory, id, func(tx *store.Tx, _ string) error {
		if err := store.RemoveTags(r.Ctx(), tx, store.TagHistory, []int64{id}, named); err != nil {
			return err
		}
		return store.UpdateHistories(r.Ctx(), tx, []int64{id}, store.Values{})
	})
	return true, err
}

// current is the current history, as the client polls it: null when nothing
// changed after `since`.
func (h *Histories) current(r *Request) (any, error) {
	found, err := h.Service.Current(r.Ctx(), r.Actor)
	if err != nil {
		return nil, err
	}
	r.W.Header().Set("Cache-Control", "max-age=0,no-cache,no-store")
	if found.UpdateTime, err = store.HistorySeen(r.Ctx(), h.Service.DB, found); err != nil {
		return nil, err
	}
	if since := r.Param("since"); since != "" {
		t, err := store.ParseDate(since)
		if err != nil {
			return nil, badRequest("Invalid date format for 'since': %q", since)
		}
		if !found.UpdateTime.After(t) {
			return nil, nil
		}
	}
	return printHistory(r, h.Service.DB, found, historyCurrent)
}

func (h *Histories) setCurrent(r *Request) (any, error) {
	id, err := r.DecodeID(r.Param("id"))
	if err != nil {
		return nil, err
	}
	found, err := h.Service.SetCurrent(r.Ctx(), r.Actor, id)
	if err != nil {
		return nil, err
	}
	return printHistory(r, h.Service.DB, found, historyCurrent)
}

func (h *Histories) createCurrent(r *Request) (any, error) {
	found, err := h.Service.CreateCurrent(r.Ctx(), r.Actor, r.Param("name"))
	if err != nil {
		return nil, err
	}
	return printHistory(r, h.Service.DB, found, historyCurrent)
}

// owns tells, of one history, whether the actor may change it.
func owns(a *galaxy.Actor, h *store.History) func(int64) bool {
	mine := access.ChangeHistory(a, dataset.HistoryAccess(h)) == nil
	return func(int64) bool { return mine }
}

// customBuilds gives what a build of a person's own can be made of: the FASTA
// files in a history.
func (h *Histories) customBuilds(r *Request) (any, error) {
	id, err := r.ID("id")
	if err != nil {
		return nil, err
	}
	_, contents, err := h.Service.Contents(r.Ctx(), r.Actor, store.ContentQuery{
		HistoryID: id, Order: "hid-asc", Limit: maxFASTA, Slim: true,
		Filters: store.ParseFilters([]string{"extension", "deleted"}, []string{"fasta", "false"}),
	})
	if err != nil {
		return nil, err
	}
	type choice struct {
		Label string `json:"label"`
		Value string `json:"value"`
	}
	fasta := []choice{}
	for _, c := range contents {
		if c.HDA != nil {
			fasta = append(fasta, choice{strconv.FormatInt(c.HDA.HID, 10) + ": " + c.HDA.Name, r.EncodeID(c.HDA.ID)})
		}
	}
	return map[string]any{"installed_builds": []choice{}, "fasta_hdas": fasta}, nil
}

// maxFASTA is how many files of a history are offered to make a build of.
const maxFASTA = 1000
