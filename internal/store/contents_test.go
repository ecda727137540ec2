package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"orrery/internal/galaxy"
	"orrery/internal/store"
	"orrery/internal/store/storetest"
)

func decode(s string) (int64, error) { return strconv.ParseInt(s, 10, 64) }

// collection puts a list of datasets into a history.
func collection(t *testing.T, db *store.DB, historyID, hid int64, hdas ...int64) (hdcaID int64) {
	t.Helper()
	write(t, db, func(ctx context.Context, tx *store.Tx) error {
		c, err := store.Insert(ctx, tx, "dataset_collection", store.Values{
			"collection_type": "list", "populated_state": "ok", "element_count": len(hdas), "create_time": tx.Now(), "update_time": tx.Now(),
		})
		if err != nil {
			return err
		}
		for i, id := range hdas {
			if _, err := store.Insert(ctx, tx, "dataset_collection_element", store.Values{
				"dataset_collection_id": c, "hda_id": id, "element_index": i, "element_identifier": fmt.Sprint(i),
			}); err != nil {
				return err
			}
		}
		hdcaID, err = store.Insert(ctx, tx, "history_dataset_collection_association", store.Values{
			"collection_id": c, "history_id": historyID, "name": "pair", "hid": hid, "visible": true, "deleted": false,
			"create_time": tx.Now(), "update_time": tx.Now(),
		})
		return err
	})
	return hdcaID
}

// hids gives the numbers of contents, collections with a c before them.
func hids(contents []store.Content) string {
	var out []string
	for _, c := range contents {
		if c.HDCA != nil {
			out = append(out, fmt.Sprintf("c%d", c.HDCA.HID))
		} else {
			out = append(out, fmt.Sprint(c.HDA.HID))
		}
	}
	return strings.Join(out, " ")
}

func TestContents(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		user, _, history := person(t, db, "ann")
		_, _, other := person(t, db, "bob")
		var made []store.HDA
		write(t, db, func(ctx context.Context, tx *store.Tx) (err error) {
			if made, err = store.CreateHDAs(ctx, tx, history, []store.NewHDA{
				{Name: "alpha_1", Extension: "txt", State: galaxy.DatasetOK, DBKey: "hg38"},
				{Name: "Beta%", Extension: "bed", State: galaxy.DatasetError, Hidden: true},
				{Name: "gamma", Extension: "tabular", State: galaxy.DatasetOK},
			}); err != nil {
				return err
			}
			if _, err := store.CreateHDAs(ctx, tx, other, []store.NewHDA{{Name: "foreign"}}); err != nil {
				return err
			}
			if err := store.UpdateHDAs(ctx, tx, []int64{made[2].ID}, store.Values{"deleted": true}); err != nil {
				return err
			}
			if err := store.AddTags(ctx, tx, store.TagHDA, []int64{made[0].ID}, user, []string{"#first", "Lab"}); err != nil {
				return err
			}
			if err := store.SetAnnotation(ctx, tx, store.TagHDA, made[1].ID, user, "from the 100% freezer"); err != nil {
				return err
			}
			// A job read the first dataset and made the second.
			job, err := store.Insert(ctx, tx, "job", store.Values{"tool_id": "cat1", "state": "ok"})
			if err != nil {
				return err
			}
			if _, err = store.Insert(ctx, tx, "job_to_input_dataset", store.Values{"job_id": job, "dataset_id": made[0].ID, "name": "input1"}); err != nil {
				return err
			}
			_, err = store.Insert(ctx, tx, "job_to_output_dataset", store.Values{"job_id": job, "dataset_id": made[1].ID, "name": "out"})
			return err
		})
		hdca := collection(t, db, history, 4, made[0].ID, made[2].ID)
		later := db.Now().AddDate(0, 0, 1).Format("2006-01-02T15:04:05.000Z")
		yes, no := true, false
		for _, c := range []struct {
			query string // attr-op=value, space between
			more  store.ContentQuery
			want  string
		}{
			{"", store.ContentQuery{}, "1 2 3 c4"},
			{"", store.ContentQuery{Order: "hid-dsc"}, "c4 3 2 1"},
			{"", store.ContentQuery{Order: "hid"}, "c4 3 2 1"},
			{"", store.ContentQuery{Order: "name-asc", Types: []string{"dataset"}, Filters: store.ParseFilters([]string{"name-contains"}, []string{"A"})}, "2 1 3"},
			{"", store.ContentQuery{Order: "size-asc,hid-dsc"}, "c4 3 2 1"},
			{"", store.ContentQuery{Order: "extension-asc", Types: []string{"dataset"}}, "2 3 1"},
			{"", store.ContentQuery{Limit: 2}, "1 2"},
			{"", store.ContentQuery{Limit: 2, Offset: 2}, "3 c4"},
			{"", store.ContentQuery{Limit: 2, Offset: 3, Order: "hid-dsc"}, "1"},
			{"", store.ContentQuery{Offset: 3}, "c4"},
			{"", store.ContentQuery{Deleted: &yes}, "3"},
			{"", store.ContentQuery{Deleted: &no, Visible: &yes}, "1 c4"},
			{"", store.ContentQuery{Types: []string{"dataset_collection"}}, "c4"},
			{"", store.ContentQuery{IDs: []int64{made[1].ID}, Types: []string{"dataset"}}, "2"},
			{"deleted=False visible=true", store.ContentQuery{}, "1 c4"},
			{"deleted-eq=True", store.ContentQuery{}, "3"},
			{"deleted=None", store.ContentQuery{}, "1 2 3 c4"},
			{"purged=True", store.ContentQuery{}, ""},
			{"name-contains=ALPHA", store.ContentQuery{}, "1"},
			{"name-contains=%", store.ContentQuery{}, "2"},
			{"name-contains=a_1", store.ContentQuery{}, "1"},
			{"name-eq=pair", store.ContentQuery{}, "c4"},
			{"name-like=%a%", store.ContentQuery{Types: []string{"dataset_collection"}}, "c4"},
			{"state=ok", store.ContentQuery{}, "1 3 c4"},
			{"state-in=error,queued", store.ContentQuery{}, "2"},
			{"extension-in=txt,tabular", store.ContentQuery{}, "1 3 c4"},
			{"extension=txt", store.ContentQuery{}, "1"},
			{"extension-like=t%", store.ContentQuery{}, "1 3"},
			{"hid=2", store.ContentQuery{}, "2"},
			{"hid-ge=3", store.ContentQuery{}, "3 c4"},
			{"hid-in=1,4", store.ContentQuery{}, "1 c4"},
			{"hid-gt=1 hid-lt=4", store.ContentQuery{}, "2 3"},
			{"related=1", store.ContentQuery{}, "1 2"},
			{"related=2", store.ContentQuery{}, "1 2"},
			{"related=3", store.ContentQuery{}, "3"},
			{"history_content_type=dataset_collection", store.ContentQuery{}, "c4"},
			{fmt.Sprintf("type_id-in=dataset-%d,dataset_collection-%d", made[0].ID, hdca), store.ContentQuery{}, "1 c4"},
			{fmt.Sprintf("type_id=dataset-%d", made[0].ID), store.ContentQuery{}, "1"},
			{"update_time-ge=2001-01-01", store.ContentQuery{}, "1 2 3 c4"},
			{"update_time-ge=" + later, store.ContentQuery{}, ""},
			{"update_time-gt=978307200.25", store.ContentQuery{}, "1 2 3 c4"},
			{"create_time-lt=2001-01-01T00:00:00Z", store.ContentQuery{}, ""},
			{"tag=name:first", store.ContentQuery{}, "1"},
			{"tag=lab", store.ContentQuery{}, "1"},
			{"tag-contains=fir", store.ContentQuery{}, "1"},
			{"tag=nothing", store.ContentQuery{}, ""},
			{"annotation-contains=100%", store.ContentQuery{}, "2"},
			{"genome_build=hg38", store.ContentQuery{}, "1"},
			{"genome_build-contains=HG", store.ContentQuery{}, "1"},
			{"tool_id=cat1", store.ContentQuery{}, "2"},
			{"tool_id-contains=CAT", store.ContentQuery{}, "2"},
			{"object_store_id=default", store.ContentQuery{}, ""},
			{"quota_source_label=__null__", store.ContentQuery{}, "1 2 3 c4"},
		} {
			cq := c.more
			cq.HistoryID, cq.DecodeID = history, decode
			var q, qv []string
			for part := range strings.FieldsSeq(c.query) {
				k, v, _ := strings.Cut(part, "=")
				q, qv = append(q, k), append(qv, v)
			}
			cq.Filters = append(cq.Filters, store.ParseFilters(q, qv)...)
			for _, slim := range []bool{false, true} {
				cq.Slim = slim
				got, err := store.Contents(t.Context(), db, cq)
				if err != nil {
					t.Errorf("%q: %v", c.query, err)
				} else if hids(got) != c.want {
					t.Errorf("%q %+v gave %q, want %q", c.query, c.more, hids(got), c.want)
				}
			}
			if cq.Limit == 0 && cq.Offset == 0 {
				n, err := store.CountContentsMatching(t.Context(), db, cq)
				if err != nil || n != len(strings.Fields(c.want)) {
					t.Errorf("%q counted %d (%v), want %q", c.query, n, err, c.want)
				}
			}
		}
		got, err := store.Contents(t.Context(), db, store.ContentQuery{UserID: user})
		if err != nil || hids(got) != "1 2 3 c4" {
			t.Errorf("all of the user's: %q, %v", hids(got), err)
		}
		if got, err := store.Contents(t.Context(), db, store.ContentQuery{HistoryID: history, Slim: true, Limit: 1}); err != nil ||
			!strings.Contains(string(got[0].HDA.Metadata), "hg38") {
			t.Errorf("the slim metadata lacks the genome build: %v", err)
		}
		counts, err := store.CountContents(t.Context(), db, []int64{history, other})
		if want := (map[int64]store.ContentCounts{history: {Active: 2, Hidden: 1, Deleted: 1}, other: {Active: 1}}); err != nil || !maps.Equal(counts, want) {
			t.Errorf("counts %v, %v; want %v", counts, err, want)
		}
		states, err := store.ActiveStates(t.Context(), db, []int64{history})
		if want := map[string]int64{"ok": 2}; err != nil || !maps.Equal(states[history], want) {
			t.Errorf("states %v, %v; want %v", states, err, want)
		}
		jobs, err := store.CreatingJobs(t.Context(), db, []*store.HDA{&made[0], &made[1], &made[2]})
		if err != nil || len(jobs) != 1 || jobs[made[1].ID].ToolID != "cat1" {
			t.Errorf("creating jobs %v, %v", jobs, err)
		}
		if inside, err := store.CollectionHDAs(t.Context(), db, []int64{hdca}); err != nil || !slices.Equal(inside, []int64{made[0].ID, made[2].ID}) {
			t.Errorf("datasets in the collection: %v, %v", inside, err)
		}
	})
}

func TestBadContentFilters(t *testing.T) {
	db := storetest.SQLite(t)
	for _, c := range []struct {
		q, qv string
		want  string
	}{
		{"foo", "1", "bad filter"},
		{"deleted-ge", "1", "bad filter"},
		{"deleted", "maybe", "unparsable value for filter"},
		{"state", "bla", "invalid state in filter"},
		{"state-contains", "ok", "bad op in filter"},
		{"hid", "x", "unparsable value for filter"},
		{"hid-in", "1,x", "unparsable value for filter"},
		{"related", "x", "unparsable value for filter"},
		{"update_time-ge", "yesterday", "unparsable value for filter"},
		{"update_time-ge", "2026-13-45", "unparsable value for filter"},
		{"update_time", "2026-01-01", "bad op in filter"},
		{"history_content_type", "x", "bad op in filter"},
		{"extension-in", ",", "empty extension list"},
		{"name-in", "x", "bad filter"},
		{"tag-in", "x", "bad op in filter"},
		{"tool_id-in", "x", "bad filter"},
	} {
		_, err := store.Contents(t.Context(), db, store.ContentQuery{HistoryID: 1, Filters: store.ParseFilters([]string{c.q}, []string{c.qv}), DecodeID: decode})
		var ge *galaxy.Error
		if !errors.As(err, &ge) || ge.Kind != galaxy.Invalid || ge.Message != c.want {
			t.Errorf("%s=%s: %v, want %q", c.q, c.qv, err, c.want)
		}
	}
	if _, err := store.Contents(t.Context(), db, store.ContentQuery{HistoryID: 1, Order: "foo"}); galaxy.KindOf(err) != galaxy.Invalid {
		t.Errorf("order foo: %v", err)
	}
}

func TestUpdateHDAsKeepsVersions(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		_, _, history := person(t, db, "ann")
		write(t, db, func(ctx context.Context, tx *store.Tx) error {
			made, err := store.CreateHDAs(ctx, tx, history, []store.NewHDA{{Name: "ok", State: galaxy.DatasetOK}, {Name: "queued", State: galaxy.DatasetQueued}})
			if err != nil {
				return err
			}
			ids := []int64{made[0].ID, made[1].ID}
			if err := store.UpdateHDAs(ctx, tx, ids, store.Values{"visible": false}); err != nil {
				return err
			}
			return store.UpdateHDAs(ctx, tx, ids, store.Values{"name": "new"})
		})
		if got := one[string](t, db, "SELECT name FROM history_dataset_association_history"); got != "ok" {
			t.Errorf("kept the version %q", got)
		}
		versions, err := store.Column[int64](t.Context(), db, "SELECT version FROM history_dataset_association ORDER BY id")
		if err != nil || !slices.Equal(versions, []int64{2, 1}) {
			t.Errorf("versions %v, %v", versions, err)
		}
	})
}

func TestCopyingAndPurgingBooksTheUsage(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ann, _, mine := person(t, db, "ann")
		bob, _, his := person(t, db, "bob")
		var original store.HDA
		write(t, db, func(ctx context.Context, tx *store.Tx) error {
			made, err := store.CreateHDAs(ctx, tx, mine, []store.NewHDA{{Name: "x", Metadata: json.RawMessage(`{"dbkey": ["hg19"]}`)}})
			if err != nil {
				return err
			}
			if err := store.AddTags(ctx, tx, store.TagHDA, []int64{made[0].ID}, ann, []string{"name:a"}); err != nil {
				return err
			}
			if err := store.FinishHDAs(ctx, tx, []store.FinishedHDA{{ID: made[0].ID, State: galaxy.DatasetOK, FileSize: 100, TotalSize: 100}}); err != nil {
				return err
			}
			original = made[0]
			return nil
		})
		usage := func(who int64) int64 {
			return one[int64](t, db, "SELECT COALESCE(disk_usage, 0) FROM galaxy_user WHERE id = ?", who)
		}
		clone := func(history int64) (c store.HDA) {
			write(t, db, func(ctx context.Context, tx *store.Tx) error {
				rows, err := store.HDAs(ctx, tx, []int64{original.ID})
				if err != nil {
					return err
				}
				made, err := store.CopyHDAs(ctx, tx, history, rows, false)
				if err == nil {
					c = made[0]
				}
				return err
			})
			return c
		}
		purge := func(id int64) (gone []store.Dataset) {
			write(t, db, func(ctx context.Context, tx *store.Tx) (err error) {
				gone, err = store.PurgeHDAs(ctx, tx, []int64{id})
				return err
			})
			return gone
		}
		second, foreign := clone(mine), clone(his)
		if second.HID != 2 || second.CopiedFromHDA != original.ID || second.Dataset.ID != original.Dataset.ID {
			t.Errorf("copy %+v", second)
		}
		if tags, err := store.Tags(t.Context(), db, store.TagHDA, []int64{second.ID}); err != nil || !slices.Equal(tags[second.ID], []string{"name:a"}) {
			t.Errorf("the copy's tags: %v, %v", tags, err)
		}
		if usage(ann) != 100 || usage(bob) != 100 {
			t.Errorf("usage after copying: %d, %d", usage(ann), usage(bob))
		}
		for i, step := range []struct {
			id       int64
			ann, bob int64
			gone     int
		}{{original.ID, 100, 100, 0}, {original.ID, 100, 100, 0}, {second.ID, 0, 100, 0}, {foreign.ID, 0, 0, 1}, {foreign.ID, 0, 0, 0}} {
			if gone := purge(step.id); len(gone) != step.gone || usage(ann) != step.ann || usage(bob) != step.bob {
				t.Errorf("step %d: gone %v, usage %d and %d; want %+v", i, gone, usage(ann), usage(bob), step)
			}
		}
		if !one[bool](t, db, "SELECT purged FROM dataset WHERE id = ?", original.Dataset.ID) {
			t.Error("the dataset is not purged")
		}
	})
}

func TestTags(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		user, _, history := person(t, db, "ann")
		ids := []int64{history}
		steps := []struct {
			do   func(ctx context.Context, tx *store.Tx) error
			want []string
		}{
			{func(ctx context.Context, tx *store.Tx) error {
				return store.SetTags(ctx, tx, store.TagHistory, ids, user, []string{"b", "#a", "group:x:y", "", " b "})
			}, []string{"name:a", "b", "group:x:y"}},
			{func(ctx context.Context, tx *store.Tx) error {
				return store.AddTags(ctx, tx, store.TagHistory, ids, user, []string{"b", "c", "group:z"})
			}, []string{"name:a", "b", "c", "group:x:y", "group:z"}},
			{func(ctx context.Context, tx *store.Tx) error {
				return store.RemoveTags(ctx, tx, store.TagHistory, ids, []string{"name:a", "group:x:y", "missing"})
			}, []string{"b", "c", "group:z"}},
			{func(ctx context.Context, tx *store.Tx) error {
				return store.SetTags(ctx, tx, store.TagHistory, ids, user, nil)
			}, nil},
		}
		for i, s := range steps {
			write(t, db, s.do)
			got, err := store.Tags(t.Context(), db, store.TagHistory, ids)
			if err != nil || !slices.Equal(got[history], s.want) {
				t.Errorf("step %d: %q, %v; want %q", i, got[history], err, s.want)
			}
		}
	})
}

func TestAnnotations(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		user, _, history := person(t, db, "ann")
		for _, text := range []string{"one", "two", "", "three"} {
			write(t, db, func(ctx context.Context, tx *store.Tx) error {
				return store.SetAnnotation(ctx, tx, store.TagHistory, history, user, text)
			})
			got, err := store.Annotations(t.Context(), db, store.TagHistory, []int64{history})
			if err != nil || got[history] != text {
				t.Errorf("%q, %v; want %q", got[history], err, text)
			}
		}
	})
}

func TestListHistories(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ann, _, first := person(t, db, "ann")
		bob, _, bobs := person(t, db, "bob")
		var second, deleted int64
		write(t, db, func(ctx context.Context, tx *store.Tx) (err error) {
			if second, err = store.CreateHistory(ctx, tx, store.History{UserID: ann, Name: "my_lab"}); err != nil {
				return err
			}
			if deleted, err = store.CreateHistory(ctx, tx, store.History{UserID: ann, Name: "old"}); err != nil {
				return err
			}
			if err = store.UpdateHistories(ctx, tx, []int64{deleted}, store.Values{"deleted": true}); err != nil {
				return err
			}
			if err = store.UpdateHistories(ctx, tx, []int64{bobs}, store.Values{"published": true, "name": "theirs"}); err != nil {
				return err
			}
			if err = store.AddTags(ctx, tx, store.TagHistory, []int64{second}, ann, []string{"rna"}); err != nil {
				return err
			}
			_, err = store.Insert(ctx, tx, "history_user_share_association", store.Values{"history_id": first, "user_id": bob})
			return err
		})
		no := false
		filter := func(q, qv string) []store.Filter { return store.ParseFilters([]string{q}, []string{qv}) }
		for i, c := range []struct {
			hq   store.HistoryQuery
			want []int64
		}{
			{store.HistoryQuery{OwnerID: ann, Order: "name-asc"}, []int64{first, second, deleted}},
			{store.HistoryQuery{OwnerID: ann, Deleted: &no, Order: "name-dsc"}, []int64{second, first}},
			{store.HistoryQuery{OwnerID: ann, Order: "name-asc", Limit: 1, Offset: 1}, []int64{second}},
			{store.HistoryQuery{OwnerID: ann, Filters: filter("name-contains", "lab")}, []int64{second}},
			{store.HistoryQuery{OwnerID: ann, Filters: filter("tag", "rna")}, []int64{second}},
			{store.HistoryQuery{OwnerID: ann, Filters: filter("deleted", "true")}, []int64{deleted}},
			{store.HistoryQuery{OwnerID: ann, Filters: filter("update_time-lt", "2001-01-01")}, nil},
			{store.HistoryQuery{OwnerID: ann, Search: []store.SearchTerm{{Text: "RNA"}}}, []int64{second}},
			{store.HistoryQuery{OwnerID: ann, Search: []store.SearchTerm{{Field: "name", Text: "_l"}}}, []int64{second}},
			{store.HistoryQuery{Published: true}, []int64{bobs}},
			{store.HistoryQuery{Everyone: true, Filters: filter("username-eq", "BOB")}, []int64{bobs}},
			{store.HistoryQuery{SharedWith: bob}, []int64{first}},
			{store.HistoryQuery{SharedWith: bob, Published: true, Order: "name-asc"}, []int64{first, bobs}},
			{store.HistoryQuery{}, nil},
		} {
			found, err := store.ListHistories(t.Context(), db, c.hq)
			var got []int64
			for _, h := range found {
				got = append(got, h.ID)
			}
			if err != nil || !slices.Equal(got, c.want) {
				t.Errorf("case %d: %v, %v; want %v", i, got, err, c.want)
			}
			if c.hq.Limit == 0 {
				if n, err := store.CountHistories(t.Context(), db, c.hq); err != nil || n != len(c.want) {
					t.Errorf("case %d counted %d, %v", i, n, err)
				}
			}
		}
		if _, err := store.ListHistories(t.Context(), db, store.HistoryQuery{Order: "hid"}); galaxy.KindOf(err) != galaxy.Invalid {
			t.Errorf("order hid: %v", err)
		}
		h, err := store.MostRecentHistory(t.Context(), db, ann)
		if err != nil || h.ID != second {
			t.Errorf("most recent %+v, %v; want %d", h, err, second)
		}
		if h.Username != "ann" || h.Count() != 0 || h.GenomeBuild != nil {
			t.Errorf("wrong fields: %+v", h)
		}
	})
}

func FuzzParseDate(f *testing.F) {
	for _, s := range []string{"2026-11-22T10:15:47.451480Z", "2026-11-22", "1700000000.5", "NaN", "1e300", "2026-11-22 ", "é"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if d, err := store.ParseDate(s); err == nil && (d.Year() < -3000 || d.Year() > 9999) {
			t.Errorf("%q became %v", s, d)
		}
	})
}

func FuzzParseTag(f *testing.F) {
	for _, s := range []string{"#a", "name:x", "a:b:c", "=", " . ", "\x00", "a=b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		tag := store.ParseTag(s)
		if len([]rune(tag.Name)) > 255 || len([]rune(tag.Value)) > 255 || strings.Contains(tag.String(), "\x00") {
			t.Errorf("%q became %+v", s, tag)
		}
	})
}
