package store

import (
	"context"
	"errors"
	"slices"
	"strings"
)

// TagKind is a kind of thing that people tag and annotate.
type TagKind struct {
	tags, annotations, column string
}

// The kinds of things that are tagged here.
var (
	TagHistory = TagKind{"history_tag_association", "history_annotation_association", "history_id"}
	TagHDA     = TagKind{"history_dataset_association_tag_association",
		"history_dataset_association_annotation_association", "history_dataset_association_id"}
	TagHDCA = TagKind{"history_dataset_collection_tag_association",
		"history_dataset_collection_annotation_association", "history_dataset_collection_id"}
)

// maxTags bounds the tags of one item, maxTagName their length.
const (
	maxTags    = 1000
	maxTagName = 255
)

// Tag is one tag of an item: a name and, behind a colon, a value.
type Tag struct {
	// ID is the row that ties the tag to the item.
	ID          int64
	Name, Value string
}

// String gives the tag as people write it.
func (t Tag) String() string {
	if t.Value == "" {
		return t.Name
	}
	return t.Name + ":" + t.Value
}

// SortTags puts tags into the order that Galaxy prints them in: those with
// `name:` first.
func SortTags(tags []string) {
	slices.SortStableFunc(tags, func(a, b string) int { return strings.Compare(tagOrder(a), tagOrder(b)) })
}

func tagOrder(t string) string {
	if rest, ok := strings.CutPrefix(t, "name:"); ok {
		return "#" + rest
	}
	return t
}

// ParseTag reads a tag as people write it: `#x` means `name:x`, and what cannot
// stand in a tag is taken out. An empty result is no tag.
func ParseTag(s string) Tag {
	s = strings.TrimSpace(Clip(s, 2*maxTagName))
	if rest, ok := strings.CutPrefix(s, "#"); ok {
		s = "name:" + rest
	}
	// The first of the two separators that Galaxy knows divides name and value.
	name, value := s, ""
	if i := strings.IndexAny(s, ":="); i >= 0 {
		name, value = s[:i], s[i+1:]
	}
	return Tag{Name: Clip(scrubTag(name), maxTagName), Value: Clip(strings.TrimSpace(value), maxTagName)}
}

// scrubTag takes the spaces around a tag's name away and gives later parts of a
// hierarchy the separator that Galaxy keeps.
func scrubTag(name string) string {
	return strings.Trim(strings.TrimSpace(name), ".")
}

// Tags reads the tags of items, as people write them and in the order that
// Galaxy prints them, by the item's id. One query.
func Tags(ctx context.Context, q Querier, k TagKind, ids []int64) (map[int64][]string, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	cond, arg := AnyOf(q, k.column, ids)
	rows, err := q.Query(ctx, "SELECT "+k.column+", user_tname, user_value FROM "+k.tags+" WHERE "+cond, arg)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	out := map[int64][]string{}
	for rows.Next() {
		var id int64
		var t Tag
		if err := rows.Scan(&id, &t.Name, &t.Value); err != nil {
			return nil, err
		}
		out[id] = append(out[id], t.String())
	}
	for _, tags := range out {
		SortTags(tags)
	}
	return out, rows.Err()
}

// TagRows reads the tags of one item with the ids of their rows.
func TagRows(ctx context.Context, q Querier, k TagKind, id int64) ([]Tag, error) {
	return Collect(ctx, q, func(r *Rows) (t Tag, err error) { return t, r.Scan(&t.ID, &t.Name, &t.Value) },
		"SELECT id, user_tname, user_value FROM "+k.tags+" WHERE "+k.column+" = ? ORDER BY id", id)
}

// SetTags replaces the tags of items.
func SetTags(ctx context.Context, tx *Tx, k TagKind, ids []int64, userID int64, tags []string) error {
	if len(ids) == 0 {
		return nil
	}
	cond, arg := AnyOf(tx, k.column, ids)
	if _, err := tx.Exec(ctx, "DELETE FROM "+k.tags+" WHERE "+cond, arg); err != nil {
		return err
	}
	return AddTags(ctx, tx, k, ids, userID, tags)
}

// AddTags gives items tags that they do not have yet. A tag whose name an item
// has already, without a value or with the same one, stays as it is.
func AddTags(ctx context.Context, tx *Tx, k TagKind, ids []int64, userID int64, tags []string) error {
	wanted := parseTags(tags)
	if len(wanted) == 0 || len(ids) == 0 {
		return nil
	}
	tagIDs, err := ensureTags(ctx, tx, wanted)
	if err != nil {
		return err
	}
	have, err := Tags(ctx, tx, k, ids)
	if err != nil {
		return err
	}
	var rows [][]any
	for _, id := range ids {
		for _, t := range wanted {
			if !slices.Contains(have[id], t.String()) {
				rows = append(rows, []any{id, tagIDs[strings.ToLower(t.Name)], OrNull(userID), t.Name, OrNull(strings.ToLower(t.Value)), OrNull(t.Value)})
			}
		}
	}
	return InsertRows(ctx, tx, k.tags, []string{k.column, "tag_id", "user_id", "user_tname", "value", "user_value"}, rows)
}

// RemoveTags takes tags from items.
func RemoveTags(ctx context.Context, tx *Tx, k TagKind, ids []int64, tags []string) error {
	for _, t := range parseTags(tags) { // as many as one person types
		cond, arg := AnyOf(tx, k.column, ids)
		if _, err := tx.Exec(ctx, "DELETE FROM "+k.tags+" WHERE "+cond+" AND user_tname = ? AND COALESCE(user_value, '') = ?",
			arg, t.Name, t.Value); err != nil {
			return err
		}
	}
	return nil
}

func parseTags(tags []string) []Tag {
	var out []Tag
	seen := map[string]bool{}
	for _, s := range tags {
		t := ParseTag(s)
		if t.Name != "" && !seen[t.String()] && len(out) < maxTags {
			seen[t.String()] = true
			out = append(out, t)
		}
	}
	return out
}

// ensureTags gives the rows of the names of tags, made if they are new, by the
// name in lower case.
func ensureTags(ctx context.Context, tx *Tx, tags []Tag) (map[string]int64, error) {
	names := make([]string, len(tags))
	for i, t := range tags {
		names[i] = strings.ToLower(t.Name)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	rows := make([][]any, len(names))
	for i, n := range names {
		rows[i] = []any{0, n}
	}
	query, args := insertSQL("tag", []string{"type", "name"}, rows)
	unlessThere := " ON CONFLICT (name) DO NOTHING"
	if tx.Engine() == MySQL {
		unlessThere = " ON DUPLICATE KEY UPDATE name = name"
	}
	if _, err := tx.Exec(ctx, query+unlessThere, args...); err != nil {
		return nil, err
	}
	cond, arg := AnyOfText(tx, "name", names)
	found, err := tx.Query(ctx, "SELECT id, name FROM tag WHERE "+cond, arg)
	if err != nil {
		return nil, err
	}
	defer func() { _ = found.Close() }()
	out := map[string]int64{}
	for found.Next() {
		var id int64
		var name string
		if err := found.Scan(&id, &name); err != nil {
			return nil, err
		}
		out[name] = id
	}
	return out, found.Err()
}

// Annotations reads what the owners wrote about items, by the item's id.
func Annotations(ctx context.Context, q Querier, k TagKind, ids []int64) (map[int64]string, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	cond, arg := AnyOf(q, k.column, ids)
	rows, err := q.Query(ctx, "SELECT "+k.column+", annotation FROM "+k.annotations+" WHERE "+cond+" ORDER BY id DESC", arg)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	out := map[int64]string{}
	for rows.Next() {
		var id int64
		var text string
		if err := rows.Scan(&id, &text); err != nil {
			return nil, err
		}
		out[id] = text
	}
	return out, rows.Err()
}

// SetAnnotation replaces what was written about an item; an empty text removes
// it.
func SetAnnotation(ctx context.Context, tx *Tx, k TagKind, id, userID int64, text string) error {
	if text == "" {
		_, err := tx.Exec(ctx, "DELETE FROM "+k.annotations+" WHERE "+k.column+" = ?", id)
		return err
	}
	var row int64
	err := tx.QueryRow(ctx, "SELECT id FROM "+k.annotations+" WHERE "+k.column+" = ? ORDER BY id LIMIT 1", id).Scan(&row)
	if errors.Is(err, ErrNoRows) {
		_, err = tx.Exec(ctx, "INSERT INTO "+k.annotations+" ("+k.column+", user_id, annotation) VALUES (?, ?, ?)",
			id, OrNull(userID), noNUL(text))
		return err
	}
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, "UPDATE "+k.annotations+" SET annotation = ? WHERE id = ?", noNUL(text), row)
	return err
}

// copyTags gives copies (by their original's id) the tags of their originals.
func copyTags(ctx context.Context, tx *Tx, k TagKind, copies map[int64][]int64, userID int64) error {
	if len(copies) == 0 {
		return nil
	}
	originals := make([]int64, 0, len(copies))
	for id := range copies {
		originals = append(originals, id)
	}
	cond, arg := AnyOf(tx, k.column, originals)
	type row struct {
		item, tag         int64
		name, value, user string
	}
	found, err := Collect(ctx, tx, func(r *Rows) (t row, err error) {
		return t, r.Scan(&t.item, &t.tag, &t.name, &t.value, &t.user)
	}, "SELECT "+k.column+", tag_id, user_tname, value, user_value FROM "+k.tags+" WHERE "+cond+" ORDER BY id", arg)
	if err != nil {
		return err
	}
	var rows [][]any
	for _, t := range found {
		for _, item := range copies[t.item] {
			rows = append(rows, []any{item, t.tag, OrNull(userID), t.name, OrNull(t.value), OrNull(t.user)})
		}
	}
	return InsertRows(ctx, tx, k.tags, []string{k.column, "tag_id", "user_id", "user_tname", "value", "user_value"}, rows)
}
