package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"orrery/internal/config"
	"orrery/internal/deployment"
	"orrery/internal/listen"
	"orrery/internal/web/client"
)

// greet says in a few lines that the server is up, and what to do next.
func greet(w io.Writer, cfg *config.Config, plan []deployment.Planned) {
	var addresses []string
	for _, p := range plan {
		for _, s := range p.Listeners {
			if url := urlOf(s); url != "" && !slices.Contains(addresses, url) {
				addresses = append(addresses, url)
			}
		}
	}
	web, handlers := 0, 0
	for _, p := range plan {
		if p.Kind == deployment.Web {
			web++
		} else {
			handlers++
		}
	}
	if web+handlers == 0 {
		fmt.Fprintln(w, "Orrery holds sockets for servers that attach to its Zerg pool, and serves nothing itself.")
		return
	}
	fmt.Fprintf(w, "Orrery serves Galaxy at %s\n", strings.Join(addresses, " and "))
	fmt.Fprintf(w, "  processes  %s\n", processes(web, handlers))
	fmt.Fprintf(w, "  database   %s\n", cfg.Database.Redacted())
	fmt.Fprintf(w, "  toolbox    %s\n", strings.Join(toolboxFiles(cfg), ", "))
	if _, err := os.Stat(filepath.Join(clientDir(cfg.Root, cfg.StaticDir), "dist")); web > 0 && err != nil {
		fmt.Fprintf(w, "  client     missing, only the API is served: %s\n", client.HowToGet)
	}
	fmt.Fprintf(w, "  logs       %s\n", cfg.LogDir)
	switch {
	case len(cfg.AdminUsers) > 0:
		fmt.Fprintf(w, "  admins     %s (register with that address to become one)\n", strings.Join(cfg.AdminUsers, ", "))
	default:
		where := cfg.Path
		if where == "" {
			where = "config/galaxy.yml"
		}
		fmt.Fprintf(w, "  admins     none yet: register in the browser, then put that address into %s:\n", where)
		fmt.Fprint(w, "               galaxy:\n                 admin_users: you@example.org\n             and start again\n")
	}
	fmt.Fprintln(w, "Ctrl-C stops it.")
}

// urlOf is where a person finds a listener.
func urlOf(s listen.Spec) string {
	a, err := listen.Parse(s.Bind)
	if err != nil {
		return s.Bind
	}
	switch url := a.URL(); s.Protocol {
	case listen.HTTPS:
		return "https" + strings.TrimPrefix(url, "http")
	case listen.UWSGI:
		return a.String() + " (uwsgi)"
	case listen.Redirect:
		return ""
	default:
		return url
	}
}

func processes(web, handlers int) string {
	count := func(n int, what string) string {
		if n == 1 {
			return "1 " + what
		}
		return strconv.Itoa(n) + " " + what + "s"
	}
	if handlers == 0 {
		return count(web, "web worker") + " that run the jobs too"
	}
	return count(web, "web worker") + ", " + count(handlers, "job handler")
}
