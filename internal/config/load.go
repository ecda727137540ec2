package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Override changes how [Load] works.
type Override func(*loader)

// WorkDir sets the directory that relative paths start from, instead of the process's own.
func WorkDir(dir string) Override { return func(l *loader) { l.workDir = dir } }

// Set gives an option of the `galaxy:` section a value, as the command line does. It wins over the file and loses
// against GALAXY_CONFIG_OVERRIDE_*.
func Set(name, value string) Override {
	return func(l *loader) {
		l.overrides = append(l.overrides, pair{key: name, value: textNode("command line", value), at: textNode("command line", name)})
	}
}

// Bind replaces the addresses that web workers listen on.
func Bind(addresses ...string) Override {
	return func(l *loader) { l.binds = addresses }
}

// SearchPaths are the places, relative to the working directory, where galaxy.yml is looked for when no path is given.
var SearchPaths = []string{"config/galaxy.yml", "galaxy.yml", "config/galaxy.ini", "galaxy.ini", "universe_wsgi.ini"}

// Find returns the galaxy.yml to read when the command line names none: $GALAXY_CONFIG_FILE, else the first of
// [SearchPaths] that exists, else "".
func Find(workDir string, environ []string) string {
	env := environment(environ)
	for _, name := range []string{"GALAXY_CONFIG_FILE", "GRAVITY_CONFIG_FILE"} {
		if path := env[name]; path != "" {
			return path
		}
	}
	for _, path := range SearchPaths {
		if full := filepath.Join(workDir, path); exists(full) {
			return full
		}
	}
	return ""
}

// loader is the state of one Load.
type loader struct {
	config    *Config
	report    *report
	workDir   string
	env       map[string]string
	overrides []pair
	binds     []string

	values        map[string]any   // typed values and defaults
	set           map[string]*node // what is given a value: where
	jobConfig     *node            // inline job_config
	saidOldPrefix map[string]bool
	notActed      []string
}

// Load reads galaxy.yml at path, and the job configuration that belongs to it; with an empty path everything has its
// default. environ is the environment in os.Environ's form.
//
// The problems are in the order they were found. When one of them is an [Error] the error is an [*InvalidError], and
// the Config, which is returned all the same, may be shown but not served.
func Load(path string, environ []string, overrides ...Override) (*Config, []Problem, error) {
	l := &loader{
		config: &Config{}, report: &report{}, env: environment(environ),
		values: map[string]any{}, set: map[string]*node{}, saidOldPrefix: map[string]bool{},
	}
	for _, o := range overrides {
		o(l)
	}
	if l.workDir == "" {
		dir, err := os.Getwd()
		if err != nil {
			return nil, nil, fmt.Errorf("finding the working directory: %w", err)
		}
		l.workDir = dir
	}
	galaxy := l.readFile(path)
	l.collect(galaxy)
	l.directories()
	l.listeners()
	l.resolvePaths()
	l.fill()
	l.loadJobs()
	l.summary()
	if errs := l.report.errors(); len(errs) > 0 {
		return l.config, l.report.problems, &InvalidError{Problems: errs}
	}
	return l.config, l.report.problems, nil
}

// environment makes a map of os.Environ's form.
func environment(environ []string) map[string]string {
	env := make(map[string]string, len(environ))
	for _, entry := range environ {
		if name, value, ok := strings.Cut(entry, "="); ok {
			env[name] = value
		}
	}
	return env
}

// textNode is a scalar that does not come from a file.
func textNode(source, text string) *node {
	return &node{kind: scalarNode, plain: true, file: source, text: text}
}

// readFile reads the file's sections and returns `galaxy:`.
func (l *loader) readFile(path string) *node {
	c := l.config
	root := &node{kind: nullNode}
	var uwsgi *node
	if path != "" {
		if !filepath.IsAbs(path) {
			path = filepath.Join(l.workDir, path)
		}
		c.Path = filepath.Clean(path)
		c.GalaxyPath = c.Path
		if isINI(c.Path) {
			root, c.Servers = l.readINI(c.Path)
			uwsgi = section(root, "uwsgi")
		} else {
			root, uwsgi = l.readSections(c.Path)
		}
	}
	if !root.isNull() && root.kind != mapNode {
		l.report.add(Error, root, "the file holds %s where sections are expected; it begins with “galaxy:” and “gravity:”, their settings indented below", root.describe())
		root = &node{kind: nullNode}
	}
	reportRepeated(l.report, root, "this file")
	l.sections(root)

	gravity := section(root, "gravity")
	if gravity == nil {
		uwsgi = l.uwsgiCommandLine(uwsgi)
	}
	l.edition(gravity, uwsgi)
	gravity = l.instance(gravity)
	c.Gravity = readGravity(gravity, l.report, l.env)
	if len(l.binds) > 0 {
		for i := range c.Gravity.Gunicorn {
			c.Gravity.Gunicorn[i].Binds = l.binds
		}
	}
	galaxy := root.get("galaxy")
	if other := gravity.get("galaxy_config_file"); !other.isNull() && galaxy == nil {
		galaxy = l.otherGalaxy(other)
	}
	if galaxy == nil {
		return &node{kind: mapNode}
	}
	if galaxy.isNull() {
		return &node{kind: mapNode}
	}
	if galaxy.kind != mapNode {
		l.report.add(Error, galaxy, "galaxy takes a mapping (indented lines of “option: value”), not %s", galaxy.describe())
		return &node{kind: mapNode}
	}
	return galaxy
}

// isINI tells galaxy.ini from galaxy.yml.
func isINI(path string) bool {
	return strings.ToLower(filepath.Ext(strings.TrimSuffix(path, ".sample"))) == ".ini"
}

// edition decides whose rules apply to what the files leave open.
func (l *loader) edition(gravity, uwsgi *node) {
	c := l.config
	ini := c.Path != "" && isINI(c.Path)
	switch {
	case gravity != nil:
		c.EditionReason = "there is a gravity section"
		if uwsgi != nil {
			l.report.add(Notice, uwsgi, "the uwsgi section is ignored, since there is a gravity section")
		}
	case uwsgi != nil || ini:
		c.Edition, c.EditionReason = Edition1901, "there is a uwsgi section and no gravity section"
		if ini {
			c.EditionReason = "the configuration is a galaxy.ini"
		}
		if ini && uwsgi == nil && len(c.Servers) == 0 {
			c.Servers = []Server{{Name: "main", Bind: "127.0.0.1:8080", Listeners: []Listener{{Bind: "127.0.0.1:8080", Protocol: HTTP, Umask: -1}}}}
		}
		c.Uwsgi = readUwsgi(uwsgi, l.report, l.env, c.Path)
	default:
		c.EditionReason = "there is neither a gravity nor a uwsgi section"
	}
}

// section returns a section that is written in the file, null or not, or nil.
func section(root *node, name string) *node {
	for _, p := range root.pairs {
		if p.key == name {
			return root.get(name)
		}
	}
	return nil
}

// sections reports sections that nobody knows, above all options that stand outside `galaxy:`.
func (l *loader) sections(root *node) {
	known := []string{"galaxy", "gravity", "uwsgi"}
	alien := wordSet("galaxy_amqp tool_shed reports")
	stray := 0
	for _, p := range root.pairs {
		if slices.Contains(known, p.key) || alien[p.key] || strings.HasPrefix(p.key, "x-") || strings.HasPrefix(p.key, ".") {
			continue
		}
		if _, isOption := catalogue().lookup(p.key); isOption {
			if stray++; stray == 1 {
				l.report.add(Error, p.at, "the option “%s” stands outside the galaxy section; indent it below “galaxy:”", p.key)
			}
			continue
		}
		l.report.add(Warning, p.at, "nobody knows the section “%s”%s", clip(p.key, 80), didYouMean(p.key, known))
	}
}

// otherGalaxy reads the `galaxy:` section of the file that gravity's galaxy_config_file names.
func (l *loader) otherGalaxy(at *node) *node {
	if at.kind != scalarNode {
		l.report.add(Error, at, "galaxy_config_file takes a path, not %s", at.describe())
		return nil
	}
	path := l.under(filepath.Dir(l.config.Path), at.text)
	root, _ := l.readSections(path)
	galaxy := section(root, "galaxy")
	if galaxy == nil {
		l.report.add(Error, at, "%s has no galaxy section", path)
		return nil
	}
	l.config.GalaxyPath = path
	return galaxy
}

// readSections reads galaxy.yml, and its uwsgi section by uWSGI's own rules.
func (l *loader) readSections(path string) (root, uwsgi *node) {
	data, err := readBounded(path)
	if err != nil {
		l.report.file(Error, path, "%s", fileProblem(err))
		return &node{kind: nullNode, file: path}, nil
	}
	uwsgi, data = splitUwsgi(path, data)
	root, problem := parseYAML(path, data)
	if problem != nil {
		l.report.problems = append(l.report.problems, *problem)
		return &node{kind: nullNode, file: path}, nil
	}
	if uwsgi == nil {
		uwsgi = section(root, "uwsgi") // written as “uwsgi: {…}”
	}
	return root, uwsgi
}

// readYAML reads one file; what is wrong is reported and a null node returned.
func (l *loader) readYAML(path string) *node {
	null := &node{kind: nullNode, file: path}
	data, err := readBounded(path)
	if err != nil {
		l.report.file(Error, path, "%s", fileProblem(err))
		return null
	}
	n, problem := parseYAML(path, data)
	if problem != nil {
		l.report.problems = append(l.report.problems, *problem)
		return null
	}
	return n
}

// readBounded reads a file of at most maxFileSize bytes (one more is read, so that the parser sees that it is too large).
func readBounded(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, errors.New("this is a directory, not a file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxFileSize+1))
}

// fileProblem says in words why a file cannot be read.
func fileProblem(err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "there is no such file"
	case errors.Is(err, fs.ErrPermission):
		return "the file may not be read by the user that runs this program"
	default:
		return "the file cannot be read: " + err.Error()
	}
}

// collect gathers every option's value: the file, then the command line, then the environment, then the defaults.
func (l *loader) collect(galaxy *node) {
	reportRepeated(l.report, galaxy, "galaxy")
	given := map[string]pair{}
	take := func(p pair) {
		if p.value.isNull() || p.value.kind == scalarNode && p.value.file != l.config.GalaxyPath && p.value.text == "" {
			return
		}
		given[p.key] = p
	}
	for _, p := range galaxy.pairs {
		take(p)
	}
	for _, p := range l.overrides {
		take(p)
	}
	l.fromEnvironment(given, take)

	for _, key := range sortedPairs(given) {
		p := given[key]
		o, known := catalogue().lookup(key)
		if !known {
			if key != "__file__" && p.at != nil {
				l.report.add(Warning, p.at, "nobody knows the option “%s”%s", clip(key, 80), didYouMean(key, knownNames()))
			}
			continue
		}
		if o == nil {
			l.values[key], l.set[key] = p.value.plainValue(), p.value
			if !isActed(key) {
				l.notActed = append(l.notActed, key)
			}
			continue
		}
		if o.name != key {
			if _, both := given[o.name]; both {
				l.report.add(Warning, p.at, "%s is the older name of %s, which is given too and wins", key, o.name)
				continue
			}
			l.report.add(Notice, p.at, "%s is called %s now", key, o.name)
		}
		if o.name == "job_config" {
			l.jobConfig, l.set["job_config"] = p.value, p.value
			continue
		}
		if v, ok := o.typed(p.value, l.report); ok {
			l.values[o.name], l.set[o.name] = v, p.value
			if !isActed(o.name) {
				l.notActed = append(l.notActed, o.name)
			}
		}
	}
	for _, name := range catalogue().names {
		if _, set := l.set[name]; !set {
			l.values[name] = catalogue().byName[name].def
		}
	}
}

// fromEnvironment adds GALAXY_CONFIG_OVERRIDE_NAME, which wins over everything, and GALAXY_CONFIG_NAME, which counts
// only where nothing else gives a value.
func (l *loader) fromEnvironment(given map[string]pair, take func(pair)) {
	const prefix, overridePrefix = "GALAXY_CONFIG_", "GALAXY_CONFIG_OVERRIDE_"
	for _, variable := range sortedKeys(l.env) {
		name, wins := "", false
		if rest, ok := strings.CutPrefix(variable, overridePrefix); ok {
			name, wins = strings.ToLower(rest), true
		} else if rest, ok := strings.CutPrefix(variable, prefix); ok {
			name = strings.ToLower(rest)
		}
		if name == "" || name == "file" || name == "dir" {
			continue // GALAXY_CONFIG_FILE and GALAXY_CONFIG_DIR are not options
		}
		if _, already := given[name]; already && !wins {
			continue
		}
		source := "environment variable " + variable
		value := textNode(source, l.env[variable])
		if o, _ := catalogue().lookup(name); o != nil && (o.kind == kindList || o.kind == kindMap || o.kind == kindAny && o.name != "tool_config_file") {
			n, problem := parseYAML(source, []byte(value.text))
			if problem != nil {
				l.report.problems = append(l.report.problems, *problem)
				continue
			}
			value = n
		}
		take(pair{key: name, at: textNode(source, name), value: value})
	}
}

// sortedPairs returns the names in the order in which their values are written, which is the order of the messages.
func sortedPairs(given map[string]pair) []string {
	names := sortedKeys(given)
	slices.SortStableFunc(names, func(a, b string) int {
		na, nb := given[a].value, given[b].value
		if d := strings.Compare(na.file, nb.file); d != 0 {
			return d
		}
		return na.line - nb.line
	})
	return names
}

// knownNames are the names to suggest.
func knownNames() []string {
	names := slices.Clone(catalogue().names)
	for old := range catalogue().renamed {
		names = append(names, old)
	}
	slices.Sort(names)
	return names
}

// fill sets the typed fields from the values.
func (l *loader) fill() {
	c := l.config
	c.values, c.origins = l.values, map[string]string{}
	for name, at := range l.set {
		c.origins[name] = at.file
		if at.line > 0 {
			c.origins[name] = fmt.Sprintf("%s:%d", at.file, at.line)
		}
	}
	l.fillDatabase()

	// jobs_directory is the older name of job_working_directory and wins where it is set.
	jobs := c.String("job_working_directory")
	if v := asText(l.values["jobs_directory"]); v != "" {
		jobs = v
	}
	c.JobWorkingDirectory = l.under(c.DataDir, jobs)
	l.values["job_working_directory"] = c.JobWorkingDirectory
	c.FilePath = c.String("file_path")
	if files := filepath.Join(c.DataDir, "files"); !c.IsSet("file_path") && exists(files) {
		c.FilePath = files
		l.values["file_path"] = files
	}
	c.ObjectStoreStoreBy = c.String("object_store_store_by")
	switch {
	case c.ObjectStoreStoreBy == "" && filepath.Base(c.FilePath) == "objects":
		c.ObjectStoreStoreBy = "uuid"
	case c.ObjectStoreStoreBy == "":
		c.ObjectStoreStoreBy = "id"
	case c.ObjectStoreStoreBy != "id" && c.ObjectStoreStoreBy != "uuid":
		l.report.add(Error, l.set["object_store_store_by"], "object_store_store_by is id or uuid, not %q", c.ObjectStoreStoreBy)
	}
	l.values["object_store_store_by"] = c.ObjectStoreStoreBy
	if file := c.String("object_store_config_file"); exists(file) {
		c.ObjectStoreConfigFile = file
	} else if at := l.set["object_store_config_file"]; at != nil {
		l.missing(at, "object_store_config_file", file)
	}
	c.NewFilePath = c.String("new_file_path")
	c.CleanupJob = c.String("cleanup_job")
	c.OutputsToWorkingDirectory = c.Bool("outputs_to_working_directory")
	c.RetryJobOutputCollection = l.within("retry_job_output_collection", 0, 1000)
	c.MonitorThreadJoinTimeout = time.Duration(l.within("monitor_thread_join_timeout", -1, 86400)) * time.Second
	c.TrackJobsInDatabase = c.Bool("track_jobs_in_database")
	c.DefaultJobShell = c.String("default_job_shell")
	c.MaxDiscoveredFiles = l.within("max_discovered_files", 0, 1<<31-1)
	c.MaxMetadataValueSize = c.Int("max_metadata_value_size")
	c.CacheUserJobCount = c.Bool("cache_user_job_count")
	c.HandlerLease = time.Duration(l.within("orrery_handler_lease", 2, 86400)) * time.Second
	c.EnableFailedJobsDirCleanup = c.Bool("enable_failed_jobs_working_directory_cleanup")
	if c.JobQueueCleanupInterval = time.Duration(c.Int("job_queue_cleanup_interval")) * time.Second; c.JobQueueCleanupInterval <= 0 {
		c.JobQueueCleanupInterval = 5 * time.Second
	}

	if c.IsSet("tool_config_file") {
		for _, file := range c.List("tool_config_file") {
			switch {
			case exists(file):
				c.ToolConfigFiles = append(c.ToolConfigFiles, file)
			case file == c.String("shed_tool_config_file") || file == c.String("migrated_tools_config"):
				// Galaxy makes these when a first tool is installed from the Tool Shed.
			default:
				l.missing(l.set["tool_config_file"], "tool_config_file", file)
			}
		}
	} else if file := filepath.Join(c.ConfigDir, "tool_conf.xml"); exists(file) {
		c.ToolConfigFiles = []string{file}
	}
	c.ToolPath, c.ToolDataPath = c.String("tool_path"), c.String("tool_data_path")
	if c.IsSet("datatypes_config_file") {
		c.DatatypesFiles = c.List("datatypes_config_file")
	}

	c.AdminUsers = c.List("admin_users")
	c.BootstrapAdminAPIKey = c.String("bootstrap_admin_api_key")
	l.fillSecret()
	c.SingleUser = l.singleUser()
	c.AllowUserCreation = c.Bool("allow_local_account_creation")
	c.AllowUserDeletion = c.Bool("allow_user_deletion")
	c.AllowDatasetPurge = c.Bool("allow_user_dataset_purge")
	c.AllowImpersonation = c.Bool("allow_user_impersonation")
	c.RequireLogin = c.Bool("require_login")
	c.UseRemoteUser = c.Bool("use_remote_user")
	c.UserActivation = c.Bool("user_activation_on")
	c.ExposeUserName = c.Bool("expose_user_name")
	c.ExposeUserEmail = c.Bool("expose_user_email")
	c.NewDatasetsPrivate = c.Bool("new_user_dataset_access_role_default_private")
	c.SessionDuration = time.Duration(l.within("session_duration", 0, 1<<30)) * time.Minute
	c.PasswordExpiration = time.Duration(l.within("password_expiration_period", 0, 100000)) * 24 * time.Hour
	c.EnableQuotas = c.Bool("enable_quotas")

	if c.ServerName = c.String("server_name"); !validServerName(c.ServerName) {
		l.report.add(Error, l.set["server_name"], "server_name: use letters, digits, “.”, “_” and “-”, not %q", clip(c.ServerName, 80))
	}
	c.Brand, c.WelcomeURL, c.LogoURL = c.String("brand"), c.String("welcome_url"), c.String("logo_url")
	c.ShowWelcomeWithLogin = c.Bool("show_welcome_with_login")
	l.fillURLs()
	c.CookieDomain, c.CookiePath = c.String("cookie_domain"), c.String("cookie_path")
	c.XFrameOptions = c.String("x_frame_options")
	c.PrettyDatetimeFormat = os.Expand(escapeDollar(c.String("pretty_datetime_format")), expandDatetime)
	l.values["pretty_datetime_format"] = c.PrettyDatetimeFormat
	c.SanitizeAllHTML = c.Bool("sanitize_all_html")
	c.SanitizeAllowlistFile = c.String("sanitize_allowlist_file")
	c.StaticDir = c.String("static_dir")
	c.AllowedOrigins = c.List("allowed_origin_hostnames")

	if c.TusUploadStore = c.String("tus_upload_store"); c.TusUploadStore == "" {
		c.TusUploadStore = filepath.Join(c.NewFilePath, "tus")
	}
	c.ChunkUploadSize = c.Int("chunk_upload_size")
	c.MaximumUploadFileSize = c.Int("maximum_upload_file_size")
	c.CheckUploadContent = !c.IsSet("check_upload_content") || c.Bool("check_upload_content")
	c.AllowPathPaste = c.Bool("allow_path_paste")
	c.FetchURLAllowlist = l.allowlist()
	c.LibraryImportDir, c.UserLibraryImportDir = c.String("library_import_dir"), c.String("user_library_import_dir")
	c.UserLibraryImportSymlink = c.List("user_library_import_symlink_allowlist")
	c.FTPUploadDir, c.FTPUploadSite = c.String("ftp_upload_dir"), c.String("ftp_upload_site")
	c.FTPUploadDirIdentifier, c.FTPUploadPurge = c.String("ftp_upload_dir_identifier"), c.Bool("ftp_upload_purge")
	if c.FTPUploadDirTemplate = c.String("ftp_upload_dir_template"); c.FTPUploadDirTemplate == "" {
		c.FTPUploadDirTemplate = "${ftp_upload_dir}/${ftp_upload_dir_identifier}"
	}

	c.LogLevel = strings.ToUpper(c.String("log_level"))
	if !slices.Contains([]string{"TRACE", "DEBUG", "INFO", "WARN", "WARNING", "ERROR", "CRITICAL", "FATAL", "NOTSET"}, c.LogLevel) {
		l.report.add(Error, l.set["log_level"], "log_level is TRACE, DEBUG, INFO, WARNING, ERROR or CRITICAL, not %q", clip(c.LogLevel, 40))
	}
	c.LogFormat, c.AdminListen = c.String("orrery_log_format"), absoluteBind(c.Root, c.String("orrery_admin_listen"))
	c.DrainLimit = time.Duration(l.within("orrery_drain_limit", 0, 7*86400)) * time.Second
	c.Logging, _ = l.values["logging"].(map[string]any)
	c.SentryDSN = c.String("sentry_dsn")
	if c.LogDir = l.under(c.Root, c.Gravity.LogDir); c.LogDir == "" {
		c.LogDir = filepath.Join(c.DataDir, "gravity", "log")
	}
}

// missing reports a file that an option names and that does not exist. The default's name may be written out, as Galaxy's
// sample has it, and means no more than leaving the option out.
func (l *loader) missing(at *node, name, file string) {
	if at.kind == scalarNode && at.text == asText(catalogue().byName[name].def) {
		l.report.add(Notice, at, "%s: there is no file %s, and the option has its default: it is as if it were not set", name, file)
		return
	}
	l.report.add(Error, at, "%s: there is no file %s", name, file)
}

// within returns a whole number and reports one that is out of range.
func (l *loader) within(name string, lowest, highest int64) int {
	i := l.config.Int(name)
	if i < lowest || i > highest {
		l.report.add(Error, l.set[name], "%s is a number from %d to %d, not %d", name, lowest, highest, i)
		return int(lowest)
	}
	return int(i)
}

func (l *loader) fillDatabase() {
	c := l.config
	connection := c.String("database_connection")
	if connection == "" {
		// An absolute path: sqlite:/// and its own slash.
		connection = "sqlite:///" + filepath.Join(c.DataDir, "universe.sqlite") + "?isolation_level=IMMEDIATE"
		l.values["database_connection"] = connection
	}
	at := l.set["database_connection"]
	db, err := ParseDatabase(connection, c.Root)
	if err != nil {
		l.report.add(Error, at, "database_connection: %v", err)
		return
	}
	if strings.HasPrefix(connection, "postgres:") || strings.HasPrefix(connection, "postgres+") {
		l.report.add(Notice, at, "database_connection: “postgres://” is written “postgresql://” now")
	}
	c.Database = db
}

func (l *loader) fillSecret() {
	c := l.config
	c.IDSecret = c.String("id_secret")
	at := l.set["id_secret"]
	if c.IDSecret == DefaultIDSecret || c.IDSecret == "" {
		c.IDSecret = DefaultIDSecret
		where, severity := at, Notice // whoever only tries the server has written no file
		if where == nil && c.GalaxyPath != "" {
			where, severity = &node{file: c.GalaxyPath}, Warning
		}
		l.report.add(severity, where, "id_secret is not set: anyone can decode this server's identifiers and forge its session cookies; set it before others use the server, once and for good, since it makes the URLs")
		return
	}
	// Blowfish takes keys of 4 to 56 bytes, and Galaxy refuses others.
	if n := len(c.IDSecret); n < 5 || n > 56 {
		l.report.add(Error, at, "id_secret is 5 to 56 bytes long, not %d", n)
	}
}

// singleUser returns the e-mail address of single_user. Galaxy also takes a true value, which stands for its own
// address.
func (l *loader) singleUser() string {
	user := l.config.String("single_user")
	switch strings.ToLower(user) {
	case "", "false", "no", "off", "0", "none":
		return ""
	}
	if !strings.Contains(user, "@") {
		l.report.add(Error, l.set["single_user"], "single_user takes the e-mail address of the only user, not %q", clip(user, 60))
	}
	return user
}

func (l *loader) fillURLs() {
	c := l.config
	at := l.set["galaxy_infrastructure_url"]
	c.InfrastructureURLSet = at != nil
	missing := ""
	expanded := os.Expand(c.String("galaxy_infrastructure_url"), func(name string) string {
		switch name {
		case "HOST_IP":
			return hostIP()
		case "GALAXY_WEB_PORT":
			if l.env[name] == "" {
				missing = name
			}
			return l.env[name]
		default:
			return "${" + name + "}"
		}
	})
	if missing != "" {
		l.report.add(Error, at, "galaxy_infrastructure_url uses $%s, but the environment does not have it", missing)
	}
	if u, err := url.Parse(expanded); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		if missing == "" {
			l.report.add(Error, at, "galaxy_infrastructure_url takes the server's address such as https://galaxy.example.org, not %q", clip(expanded, 80))
		}
	}
	c.InfrastructureURL = strings.TrimRight(expanded, "/")
	l.values["galaxy_infrastructure_url"] = c.InfrastructureURL
	c.URLPrefix = "/" + strings.Trim(c.String("galaxy_url_prefix"), "/")
}

// hostIP is the address that this host's name stands for, as other hosts see it.
func hostIP() string {
	name, err := os.Hostname()
	if err == nil {
		if addresses, err := net.LookupHost(name); err == nil && len(addresses) > 0 {
			return addresses[0]
		}
	}
	return "127.0.0.1"
}

// escapeDollar keeps a “$$” as one dollar sign through os.Expand.
func escapeDollar(s string) string { return strings.ReplaceAll(s, "$$", "${$}") }

func expandDatetime(name string) string {
	switch name {
	case "locale":
		return "%a %b %e %H:%M:%S %Y"
	case "iso8601":
		return "%Y-%m-%d %H:%M:%S"
	case "$":
		return "$"
	default:
		return "$" + name
	}
}

func (l *loader) allowlist() []netip.Prefix {
	var out []netip.Prefix
	for _, entry := range l.config.List("fetch_url_allowlist") {
		if prefix, err := netip.ParsePrefix(entry); err == nil {
			out = append(out, prefix.Masked())
		} else if address, err := netip.ParseAddr(entry); err == nil {
			out = append(out, netip.PrefixFrom(address, address.BitLen()))
		} else {
			l.report.add(Error, l.set["fetch_url_allowlist"], "fetch_url_allowlist takes addresses and networks such as 10.0.0.0/8, not %q", clip(entry, 60))
		}
	}
	return out
}

// summary adds the one notice about options that are known and not acted on yet.
func (l *loader) summary() {
	if len(l.notActed) == 0 {
		return
	}
	slices.Sort(l.notActed)
	at := &node{file: l.config.GalaxyPath}
	l.report.add(Notice, at, "these options are known and have no effect yet: %s", strings.Join(slices.Compact(l.notActed), ", "))
}
