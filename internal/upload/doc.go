// Package upload brings people's data in: files sent in resumable chunks (the
// tus protocol), pasted text, and addresses to fetch from. Each request becomes
// a job of Galaxy's tool __DATA_FETCH__, whose command is this program's own
// `data-fetch`.
//
// It imports galaxy, store, access, job, jobhandler, datatype and tool. Begin
// reading at request.go, then fetch.go.
package upload
