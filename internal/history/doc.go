// Package history is what people do with their histories and with many of the
// contents at once: make, rename, share by publishing, copy, delete and purge
// histories; list, hide, tag, copy, delete contents.
//
// It imports galaxy, store, access and dataset. Begin reading at history.go.
package history
