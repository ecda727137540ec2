// Package objectstore keeps the bytes of datasets: one folder on disk, laid out
// as Galaxy's default object store, so that either server reads the other's
// files. No path leaves the folder, whatever a dataset, an archive or a person
// names its files.
//
// It imports galaxy. Begin reading at disk.go.
package objectstore
