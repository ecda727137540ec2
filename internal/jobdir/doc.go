// Package jobdir is a job's folder: where it lies, what is in it, the scripts
// that run in it, and what they leave behind. Handlers and runners share it.
//
// It may import internal/galaxy. Begin reading at jobdir.go; script.go has the
// rule by which a job runs once.
package jobdir
