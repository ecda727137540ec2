// Package client serves Galaxy's own web client, a single-page application that is fetched at build time and unpacked
// into a folder (see scripts/fetch-client): its files under /static, the page that starts it under every address the
// application routes itself, and the configuration it reads first.
//
// Begin with client.go (the folder and what is in it), then static.go (files), page.go (the page and /context),
// routes.go (which addresses are pages) and configuration.go (the answer of /api/configuration).
//
// It may import the standard library only; who the user is and what the settings are comes from the caller.
package client
