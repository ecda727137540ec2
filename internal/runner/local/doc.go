// Package local runs jobs as processes of this machine that outlive their
// handler: each in a session of its own, holding a lock file for as long as it
// lives, so that a later handler can tell whether it still runs, wait for it and
// stop it.
package local
