// Package dataset is what people do with one dataset of a history: look at it,
// download it, change its name, tags, type and metadata, delete and purge it.
//
// It imports galaxy, store, access, datatype and objectstore. Begin reading at
// dataset.go, then display.go.
package dataset
