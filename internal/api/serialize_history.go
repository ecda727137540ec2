package api

import (
	"slices"
	"strings"

	"orrery/internal/datatype"
	"orrery/internal/galaxy"
	"orrery/internal/store"
)

// The keys of each view of a history, in the order that Galaxy prints them.
var (
	historySummary = []string{"model_class", "id", "name", "deleted", "purged", "archived", "url", "published", "count", "annotation", "tags",
		"update_time", "preferred_object_store_id"}
	historyDetailed = append(slices.Clone(historySummary), "contents_url", "size", "user_id", "create_time", "importable", "slug", "username",
		"username_and_slug", "genome_build", "state", "state_ids", "state_details")
	historyDev = append(slices.Clone(historySummary), "contents_url", "size", "user_id", "create_time", "importable", "slug",
		"username_and_slug", "genome_build", "contents_active")
	// historyCurrent is what the client's polling reads.
	historyCurrent = append(slices.Clone(historyDev), "hid_counter")
	historyExtra   = []string{"nice_size", "contents_states"}
)

// historyKeys gives the keys to print for the parameters view and keys: those
// of the view, those that are named, or both.
func historyKeys(view, keys, defaultView string) ([]string, error) {
	var base []string
	if view == "" && keys == "" {
		view = defaultView
	}
	switch view {
	case "":
	case "summary":
		base = historySummary
	case "detailed":
		base = historyDetailed
	case "dev-detailed":
		base = historyDev
	default:
		return nil, galaxy.Errorf(galaxy.Invalid, "unknown view: %s", view)
	}
	if keys == "" {
		return base, nil
	}
	asked := strings.Split(keys, ",")
	out := slices.Clip(base)
	for _, key := range slices.Concat(historyDetailed, historyDev, historyExtra) {
		if slices.ContainsFunc(asked, func(k string) bool { return strings.TrimSpace(k) == key }) && !slices.Contains(out, key) {
			out = append(out, key)
		}
	}
	return out, nil
}

// historyPage is what is read at once to print many histories.
type historyPage struct {
	r           *Request
	tags        map[int64][]string
	annotations map[int64]string
	sizes       map[int64]int64
	counts      map[int64]store.ContentCounts
	states      map[int64][]store.ContentState
	active      map[int64]map[string]int64
}

func newHistoryPage(r *Request, db *store.DB, histories []store.History, keys []string) (*historyPage, error) {
	page := &historyPage{r: r}
	ids := make([]int64, len(histories))
	for i := range histories {
		ids[i] = histories[i].ID
	}
	has := func(key string) bool { return slices.Contains(keys, key) }
	var err error
	if has("tags") {
		if page.tags, err = store.Tags(r.Ctx(), db, store.TagHistory, ids); err != nil {
			return nil, err
		}
	}
	if has("annotation") {
		if page.annotations, err = store.Annotations(r.Ctx(), db, store.TagHistory, ids); err != nil {
			return nil, err
		}
	}
	if has("size") || has("nice_size") {
		if page.sizes, err = store.HistorySizes(r.Ctx(), db, ids); err != nil {
			return nil, err
		}
	}
	if has("contents_active") {
		if page.counts, err = store.CountContents(r.Ctx(), db, ids); err != nil {
			return nil, err
		}
	}
	if has("state") || has("state_ids") || has("state_details") {
		if page.states, err = store.StatesByHistory(r.Ctx(), db, ids); err != nil {
			return nil, err
		}
	}
	if has("contents_states") {
		if page.active, err = store.ActiveStates(r.Ctx(), db, ids); err != nil {
			return nil, err
		}
	}
	return page, nil
}

// historyState sums up the states of the datasets that are not deleted.
func historyState(h *store.History, counts map[galaxy.DatasetState]int) galaxy.DatasetState {
	total := 0
	for _, n := range counts {
		total += n
	}
	switch {
	case h.HIDCounter <= 1:
		return galaxy.DatasetNew
	case counts[galaxy.DatasetRunning]+counts[galaxy.DatasetSettingMeta]+counts[galaxy.DatasetUpload] > 0:
		return galaxy.DatasetRunning
	case counts[galaxy.DatasetQueued]+counts[galaxy.DatasetNew] > 0:
		return galaxy.DatasetQueued
	case counts[galaxy.DatasetError]+counts[galaxy.DatasetFailedMetadata] > 0:
		return galaxy.DatasetError
	case counts[galaxy.DatasetOK]+counts[galaxy.DatasetDeferred] == total:
		return galaxy.DatasetOK
	}
	return galaxy.DatasetError
}

func (page *historyPage) write(w *jsonWriter, h *store.History, keys []string) error {
	id := page.r.EncodeID(h.ID)
	counts := map[galaxy.DatasetState]int{}
	ids := map[galaxy.DatasetState][]string{}
	for _, s := range page.states[h.ID] {
		if !s.Deleted {
			counts[s.State]++
		}
		if slices.Contains(keys, "state_ids") {
			ids[s.State] = append(ids[s.State], page.r.EncodeID(s.HDAID))
		}
	}
	w.open('{')
	for _, key := range keys {
		w.key(key)
		switch key {
		case "model_class":
			w.raw(`"History"`)
		case "id":
			w.id(id)
		case "name":
			w.string(h.Name)
		case "deleted":
			w.bool(h.Deleted)
		case "purged":
			w.bool(h.Purged)
		case "archived":
			w.bool(h.Archived)
		case "published":
			w.bool(h.Published)
		case "importable":
			w.bool(h.Importable)
		case "url":
			w.id("/api/histories/" + id)
		case "contents_url":
			w.id("/api/histories/" + id + "/contents")
		case "count":
			w.int(h.Count())
		case "hid_counter":
			w.int(h.HIDCounter)
		case "annotation":
			w.stringOrNull(page.annotations[h.ID])
		case "tags":
			w.strings(page.tags[h.ID])
		case "update_time":
			w.time(h.UpdateTime)
		case "create_time":
			w.time(h.CreateTime)
		case "preferred_object_store_id":
			w.stringOrNull(h.PreferredObjectStoreID)
		case "size":
			w.int(page.sizes[h.ID])
		case "nice_size":
			w.string(datatype.NiceSize(page.sizes[h.ID]))
		case "user_id":
			w.encoded(page.r, h.UserID)
		case "slug":
			w.stringOrNull(h.Slug)
		case "username":
			w.stringOrNull(h.Username)
		case "username_and_slug":
			if h.Username == "" || h.Slug == "" {
				w.raw("null")
			} else {
				w.string("u/" + h.Username + "/h/" + h.Slug)
			}
		case "genome_build":
			if h.GenomeBuild == nil {
				w.raw("null")
			} else {
				w.string(*h.GenomeBuild)
			}
		case "state":
			w.id(string(historyState(h, counts)))
		case "state_ids":
			w.open('{')
			for _, s := range galaxy.DatasetStates {
				w.key(string(s))
				w.strings(ids[s])
			}
			w.close('}')
		case "state_details":
			w.open('{')
			for _, s := range galaxy.DatasetStates {
				w.key(string(s))
				w.int(int64(counts[s]))
			}
			w.close('}')
		case "contents_active":
			if err := w.any(page.counts[h.ID]); err != nil {
				return err
			}
		case "contents_states":
			states := page.active[h.ID]
			if states == nil {
				states = map[string]int64{}
			}
			if err := w.any(states); err != nil {
				return err
			}
		}
	}
	w.close('}')
	return nil
}

// printHistories prints a list of histories.
func printHistories(r *Request, db *store.DB, histories []store.History, keys []string) (any, error) {
	page, err := newHistoryPage(r, db, histories, keys)
	if err != nil {
		return nil, err
	}
	w := jsonWriter{first: true}
	w.open('[')
	for i := range histories {
		w.next()
		if err := page.write(&w, &histories[i], keys); err != nil {
			return nil, err
		}
		w.first = false
	}
	w.close(']')
	return Raw{ContentType: "application/json", Body: w.buf}, nil
}

// printHistory prints one history.
func printHistory(r *Request, db *store.DB, h *store.History, keys []string) (any, error) {
	page, err := newHistoryPage(r, db, []store.History{*h}, keys)
	if err != nil {
		return nil, err
	}
	w := jsonWriter{first: true}
	if err := page.write(&w, h, keys); err != nil {
		return nil, err
	}
	return Raw{ContentType: "application/json", Body: w.buf}, nil
}
