// Package config reads the administrator's files into one typed [Config]: galaxy.yml with its `galaxy:`, `gravity:` and
// `uwsgi:` sections, or galaxy.ini, the job configuration in XML, YAML or inline, and the environment variables that
// override them.
//
// Everything that is wrong is reported as a [Problem] with its file and line; a start goes ahead with warnings and
// notices, never with an error. Values that nobody set have Galaxy 26.1's defaults (options.tsv), and relative paths
// resolve as Galaxy resolves them.
//
// The package may import internal/galaxy and nothing else of ours. Begin reading at [Load] in load.go; yaml.go turns a
// file into nodes that remember their lines, uwsgi.go and ini.go split the older forms, settings.go turns nodes into
// typed values, paths.go resolves paths, config.go holds the result. gravity.go, gunicorn.go and uwsgiread.go say which
// processes there are, listener.go where they listen; gunicornargs.go and uwsgiargs.go read those programs' command lines.
// job.go and its neighbours are the job configuration.
package config
