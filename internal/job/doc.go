// Package job creates jobs, shows them and changes their state on people's
// behalf. What happens to a job between its creation and its end is the job
// handler's business (package jobhandler).
//
// It imports galaxy, store, access, tool, objectstore and wake. Begin reading at
// create.go.
package job
