package config

import (
	"os"
	"strings"
	"testing"
)

// TestDocumentationNamesEverySetting keeps docs/configuration.md complete: what is read is told of.
func TestDocumentationNamesEverySetting(t *testing.T) {
	data, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	var names []string
	for _, set := range []map[string]bool{gravityKeys, gunicornKeys, handlerKeys, serverKeys} {
		for name := range set {
			switch name {
			case "server_pools", "die-on-term", "hook-master-start": // another name of pools, and uWSGI's
			default:
				names = append(names, name)
			}
		}
	}
	for _, o := range gunicornOptions {
		names = append(names, "--"+o.Name)
		if o.Without != "" && !strings.Contains(text, "| "+o.Without+" |") {
			t.Errorf("why --%s has no effect is not told", o.Name)
		}
	}
	for _, name := range catalogue().names {
		if strings.HasPrefix(name, "orrery_") {
			names = append(names, name)
		}
	}
	names = append(names, strings.Fields(`processes workers socket http https shared-socket http-to-https uid gid chmod-socket chown-socket static-map mule
		farm die-on-term hook-master-start reload-mercy worker-reload-mercy mule-reload-mercy logto logto2 daemonize daemonize2 pidfile
		pidfile2 stats chdir zerg-pool zerg offload-threads threads master listen umask env reload-on-rss http-keepalive http-timeout`)...)
	for _, name := range names {
		if name != "extra_args" && !strings.Contains(text, "`"+name+"`") {
			t.Errorf("%s is not told of", name)
		}
	}
}
