// Package web is the HTTP server: connections that are accepted, drained and given up; who a request comes from (the
// session's cookie, an API key, a trusted proxy), protection against cross-site requests, the API mounted, the uploads, and
// for everything else the web client.
//
// It imports api, access, user, galaxy, listen, telemetry and web/client. Begin reading at serve.go, which accepts;
// connections.go knows who is idle and drains, park.go makes idle ones cheap. server.go is the site; forwarded.go says whom
// a proxy speaks for, session.go who asks, and session_site.go refuses what another site's page sends.
package web
