package config

import (
	"os"
	"path/filepath"
	"strings"
)

// directories finds the directories that relative paths start from.
func (l *loader) directories() {
	c := l.config
	c.Root = l.root()
	configFileDir := ""
	if c.GalaxyPath != "" {
		configFileDir = filepath.Dir(c.GalaxyPath)
	}
	take := func(name string) string {
		if dir := asText(l.values[name]); dir != "" {
			return l.under(c.Root, dir)
		}
		return ""
	}
	if c.ConfigDir = take("config_dir"); c.ConfigDir == "" {
		if c.ConfigDir = configFileDir; c.ConfigDir == "" {
			c.ConfigDir = filepath.Join(c.Root, "config")
		}
	}
	installed := false
	if c.DataDir = take("data_dir"); c.DataDir == "" {
		c.DataDir = filepath.Join(c.Root, "database")
		// A Galaxy that was installed as a package keeps its data beside its configuration. Opening an empty database
		// elsewhere would look like losing everything.
		if beside := filepath.Join(c.ConfigDir, "data"); !exists(c.DataDir) && exists(filepath.Join(beside, "universe.sqlite")) {
			c.DataDir, installed = beside, true
			l.report.file(Notice, c.GalaxyPath, "data_dir is not set: taking %s, where a database is", beside)
		}
	}
	if c.ManagedConfigDir = take("managed_config_dir"); c.ManagedConfigDir == "" {
		c.ManagedConfigDir = c.ConfigDir
		// There it also keeps the files that it writes, whether data_dir is set or not.
		if beside := filepath.Join(c.DataDir, "config"); installed || exists(filepath.Join(beside, "integrated_tool_panel.xml")) &&
			!exists(filepath.Join(c.ConfigDir, "integrated_tool_panel.xml")) {
			c.ManagedConfigDir = beside
		}
	}
	l.values["config_dir"], l.values["data_dir"], l.values["managed_config_dir"] = c.ConfigDir, c.DataDir, c.ManagedConfigDir
}

// root is the directory that Galaxy would run in.
func (l *loader) root() string {
	for _, dir := range []string{l.config.Gravity.GalaxyRoot, l.config.Uwsgi.Chdir, asText(l.values["root"]), asText(l.values["root_dir"]), l.env["GALAXY_ROOT_DIR"]} {
		if dir != "" {
			return l.under(l.workDir, dir)
		}
	}
	if l.config.GalaxyPath != "" {
		if parent := filepath.Dir(filepath.Dir(l.config.GalaxyPath)); exists(filepath.Join(parent, "lib", "galaxy")) {
			return parent
		}
	}
	return l.workDir
}

// under resolves a path that starts from base unless it is absolute.
func (l *loader) under(base, path string) string {
	if path == "" {
		return ""
	}
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(base, path)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// oldPrefix is the directory that older configurations wrote before paths which now start from there.
var oldPrefix = map[string]string{"config_dir": "config", "data_dir": "database"}

// rootFallback are options for which Galaxy also looks under its root when a relative path does not exist where it
// belongs.
var rootFallback = wordSet(`auth_config_file build_sites_config_file data_manager_config_file datatypes_config_file
	dependency_resolvers_config_file error_report_file job_config_file job_metrics_config_file
	job_resource_params_file local_conda_mapping_file migrated_tools_config modules_mapping_files
	object_store_config_file oidc_backends_config_file oidc_config_file shed_data_manager_config_file
	shed_tool_config_file shed_tool_data_table_config tool_destinations_config_file tool_sheds_config_file
	user_preferences_extra_conf_path workflow_resource_params_file workflow_schedulers_config_file
	markdown_export_css markdown_export_css_pages markdown_export_css_invocation_reports file_path
	tool_data_table_config_path tool_config_file themes_config_file`)

// severalPaths are options that hold a list of paths.
var severalPaths = wordSet(`tool_config_file tool_data_table_config_path datatypes_config_file modules_mapping_files`)

// resolvePaths makes every path option absolute, from the directory that Galaxy takes for it.
func (l *loader) resolvePaths() {
	done := map[string]string{}
	var base func(name string) string
	base = func(name string) string {
		switch name {
		case "config_dir", "data_dir", "managed_config_dir":
			return asText(l.values[name])
		}
		if dir, ok := done[name]; ok {
			return dir
		}
		o := catalogue().byName[name]
		done[name] = l.config.Root // ends a circle, which the table does not have
		done[name] = l.under(base(o.resolvesTo), l.withoutOldPrefix(o, asText(l.values[name])))
		return done[name]
	}
	for _, name := range catalogue().names {
		o := catalogue().byName[name]
		if o.resolvesTo == "" || l.values[name] == nil {
			continue
		}
		from := base(o.resolvesTo)
		if severalPaths[name] {
			var paths []any
			for _, path := range asList(l.values[name]) {
				paths = append(paths, l.resolveOne(o, from, path))
			}
			l.values[name] = paths
			continue
		}
		if path := asText(l.values[name]); path != "" {
			l.values[name] = l.resolveOne(o, from, path)
		}
	}
	// Options that Galaxy leaves to the directory it runs in.
	for _, name := range []string{"tool_path", "tool_data_path", "static_dir", "static_dist_dir", "static_images_dir",
		"static_scripts_dir", "static_style_dir", "static_favicon_dir", "static_robots_txt", "tus_upload_store",
		"tus_upload_store_job_files", "nginx_upload_store", "library_import_dir", "user_library_import_dir",
		"ftp_upload_dir", "file_source_temp_dir"} {
		if path := asText(l.values[name]); path != "" {
			l.values[name] = l.under(l.config.Root, path)
		}
	}
	for _, name := range []string{"integrated_tool_panel_config", "sanitize_allowlist_file"} {
		if path := asText(l.values[name]); path != "" {
			l.values[name] = l.under(l.config.ManagedConfigDir, path)
		}
	}
}

// resolveOne resolves one path of an option.
func (l *loader) resolveOne(o *option, from, path string) string {
	path = l.withoutOldPrefix(o, path)
	resolved := l.under(from, path)
	if at, set := l.set[o.name]; set && rootFallback[o.name] && !filepath.IsAbs(path) && !exists(resolved) {
		if other := l.under(l.config.Root, path); exists(other) {
			l.report.add(Notice, at, "%s: relative paths start from %s; taking %s, which exists", o.name, from, other)
			return other
		}
	}
	return resolved
}

// withoutOldPrefix drops the directory that older configurations wrote in front.
func (l *loader) withoutOldPrefix(o *option, path string) string {
	prefix := oldPrefix[o.resolvesTo]
	if _, set := l.set[o.name]; !set || prefix == "" {
		return path
	}
	if rest, ok := strings.CutPrefix(path, prefix+"/"); ok {
		if !l.saidOldPrefix[o.name] {
			l.saidOldPrefix[o.name] = true
			l.report.add(Notice, l.set[o.name], "%s: relative paths start from the %s; the leading “%s/” is left out", o.name,
				strings.ReplaceAll(o.resolvesTo, "_", " "), prefix)
		}
		return rest
	}
	return path
}
