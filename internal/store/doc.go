// Package store is the database: Galaxy's tables, the codec between their
// columns and Go, and every query, one file per subject.
//
// It may import internal/galaxy. The engines' differences live in engine.go and
// codec.go; a query is written once, with `?` for its arguments, and runs on
// every engine. Begin reading at store.go.
package store
