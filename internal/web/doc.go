// Package web is the HTTP server: who a request comes from (the session's cookie, an API key), protection against
// cross-site requests, the API mounted, the uploads, and for everything else the web client.
//
// It imports api, access, user, galaxy and web/client. Begin reading at server.go; session.go says who asks,
// session_site.go refuses what another site's page sends.
package web
