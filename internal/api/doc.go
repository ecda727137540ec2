// Package api is Galaxy's REST API: one file per resource, each a translation
// between a request and a service. It has no SQL and no rules of its own.
//
// It imports the services. Begin reading at api.go; `New` lists the resources.
package api
