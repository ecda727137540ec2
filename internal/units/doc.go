// Package units writes the files by which supervisord or systemd run the server's processes: the very same that
// `orrery run` would start by itself.
//
// Begin reading at [Derive], which makes services of a plan: one for all web workers, and one for each row of job
// handlers that differ in their number only. [Site.Supervisord] and [Site.Systemd] then write them down. Both are plain
// functions from data to files; nothing here touches a disk. [Diff] shows what differs between two versions of a file.
//
// It may import config, listen and supervisor.
package units
