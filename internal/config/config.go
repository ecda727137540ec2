package config

import (
	"net/netip"
	"slices"
	"strings"
	"time"
)

// DefaultIDSecret is Galaxy's default for id_secret. Identifiers made with it can be decoded by anyone.
const DefaultIDSecret = "USING THE DEFAULT IS NOT SECURE!"

// Edition says which edition's rules apply to what the files leave open.
type Edition int

const (
	// Edition2201 is for a file with a `gravity:` section or with neither process section.
	Edition2201 Edition = iota
	// Edition1901 is for a file with `uwsgi:` and no `gravity:`, and for galaxy.ini.
	Edition1901
)

// String returns "22.01" or "19.01".
func (e Edition) String() string {
	if e == Edition1901 {
		return "19.01"
	}
	return "22.01"
}

// Config is the whole configuration, checked, typed and with every path absolute. It is not changed after [Load].
//
// Options that have no field of their own are read with [Config.String], [Config.Bool], [Config.Int], [Config.Float],
// [Config.List] and [Config.Value].
type Config struct {
	// Path is the galaxy.yml or galaxy.ini that was read, absolute; empty when there is none.
	Path string
	// GalaxyPath is the file with the `galaxy:` section, another than Path where gravity's galaxy_config_file names it.
	GalaxyPath string
	// Edition follows from the file, EditionReason says in words from what.
	Edition       Edition
	EditionReason string

	// Root is the directory that Galaxy would be started in; ConfigDir holds the administrator's files,
	// ManagedConfigDir the files that the server writes, DataDir everything else that it writes.
	Root, ConfigDir, ManagedConfigDir, DataDir string

	Database Database // database_connection

	// Datasets and jobs.
	FilePath                   string // file_path: where the disk object store keeps datasets
	NewFilePath                string // new_file_path: temporary files
	JobWorkingDirectory        string // jobs_directory, or job_working_directory
	ObjectStoreStoreBy         string // "uuid" or "id"
	ObjectStoreConfigFile      string // "" when there is none; only disk stores are acted on
	CleanupJob                 string // "always", "onsuccess" or "never"
	OutputsToWorkingDirectory  bool
	RetryJobOutputCollection   int
	MonitorThreadJoinTimeout   time.Duration
	TrackJobsInDatabase        bool
	DefaultJobShell            string
	MaxDiscoveredFiles         int
	MaxMetadataValueSize       int64 // bytes
	CacheUserJobCount          bool
	JobQueueCleanupInterval    time.Duration
	HandlerLease               time.Duration // orrery_handler_lease: how long a process may be silent before others take its jobs over
	EnableFailedJobsDirCleanup bool

	// Tools.
	ToolConfigFiles []string // tool_config_file; empty when it is not set and config/tool_conf.xml does not exist
	ToolPath        string   // tool_path: what relative tool files in tool_conf.xml start from
	ToolDataPath    string   // tool_data_path
	DatatypesFiles  []string // datatypes_config_file when it is set

	// Identity.
	IDSecret             string // id_secret
	AdminUsers           []string
	BootstrapAdminAPIKey string // bootstrap_admin_api_key, formerly master_api_key
	SingleUser           string // single_user: the e-mail address of the only user, or ""
	AllowUserCreation    bool   // allow_local_account_creation, formerly allow_user_creation
	AllowUserDeletion    bool
	AllowDatasetPurge    bool // allow_user_dataset_purge
	AllowImpersonation   bool // allow_user_impersonation
	RequireLogin         bool
	UseRemoteUser        bool
	UserActivation       bool // user_activation_on
	ExposeUserName       bool
	ExposeUserEmail      bool
	NewDatasetsPrivate   bool          // new_user_dataset_access_role_default_private
	SessionDuration      time.Duration // 0: sessions do not expire
	PasswordExpiration   time.Duration // 0: passwords do not expire
	EnableQuotas         bool

	// Pages.
	ServerName            string // server_name, the base of web workers' names
	Brand                 string
	WelcomeURL            string
	LogoURL               string
	ShowWelcomeWithLogin  bool
	InfrastructureURL     string // galaxy_infrastructure_url
	InfrastructureURLSet  bool
	URLPrefix             string // galaxy_url_prefix, "/" when the server is at the root
	CookieDomain          string
	CookiePath            string
	XFrameOptions         string // "" sends no header
	PrettyDatetimeFormat  string // a strftime format, with $locale and $iso8601 expanded
	SanitizeAllHTML       bool
	SanitizeAllowlistFile string
	StaticDir             string
	AllowedOrigins        []string // allowed_origin_hostnames; an entry within slashes is a regular expression

	// Uploads.
	TusUploadStore           string // where unfinished uploads are kept
	ChunkUploadSize          int64  // bytes
	MaximumUploadFileSize    int64  // bytes
	CheckUploadContent       bool
	AllowPathPaste           bool
	FetchURLAllowlist        []netip.Prefix // private addresses that uploads by URL may reach
	LibraryImportDir         string         // "" when unset
	UserLibraryImportDir     string
	UserLibraryImportSymlink []string // user_library_import_symlink_allowlist
	FTPUploadDir             string
	FTPUploadDirIdentifier   string
	FTPUploadDirTemplate     string
	FTPUploadPurge           bool
	FTPUploadSite            string

	// Logs.
	LogLevel  string         // TRACE, DEBUG, INFO, WARNING, ERROR or CRITICAL
	Logging   map[string]any // logging: Python's dictConfig form, not acted on yet
	SentryDSN string
	LogDir    string // gravity's log_dir: one log per process
	LogFormat string // orrery_log_format: "text" or "json"

	// Restarts and what an administrator looks at.
	AdminListen string        // orrery_admin_listen: an address for metrics and health; "" is a UNIX socket in DataDir/run
	DrainLimit  time.Duration // orrery_drain_limit: how long a worker whose successor serves may go on moving bytes

	Gravity Gravity
	// Uwsgi and Servers are the processes of the edition of 19.01, which has no gravity.
	Uwsgi   Uwsgi
	Servers []Server // galaxy.ini's, in the file's order
	Jobs    *JobConfig

	values  map[string]any
	origins map[string]string // for what is set: where
}

// IsSet tells whether the option is given a value somewhere.
func (c *Config) IsSet(name string) bool {
	_, ok := c.origins[current(name)]
	return ok
}

// Value returns an option as Galaxy types it: string, bool, int64, float64, []any, map[string]any, or nil when it has
// neither value nor default. Paths are resolved. Names that nobody knows give nil.
func (c *Config) Value(name string) any {
	return c.values[current(name)]
}

// String returns the option as text, a list joined by commas; "" when it has no value.
func (c *Config) String(name string) string { return asText(c.Value(name)) }

// Bool returns the option as a boolean, as Galaxy reads text: true, yes, on and 1 are true, all else is false.
func (c *Config) Bool(name string) bool { return asBool(c.Value(name)) }

// Int returns the option as a whole number, 0 when it is not one.
func (c *Config) Int(name string) int64 {
	switch v := c.Value(name).(type) {
	case int64:
		return v
	case float64:
		return int64(v)
	case string:
		i, _ := parseInt(strings.TrimSpace(v))
		return i
	default:
		return 0
	}
}

// Float returns the option as a number, 0 when it is not one.
func (c *Config) Float(name string) float64 {
	switch v := c.Value(name).(type) {
	case int64:
		return float64(v)
	case float64:
		return v
	case string:
		f, _ := parseFloat(strings.TrimSpace(v))
		return f
	default:
		return 0
	}
}

// Shown returns all options with their values, without those that are secrets.
func (c *Config) Shown() map[string]any {
	out := make(map[string]any, len(c.values))
	for name, value := range c.values {
		if !isSecret(name) {
			out[name] = value
		}
	}
	return out
}

// List returns the option as a list of texts: a list's items, or a text split at its commas. Empty items are left out.
func (c *Config) List(name string) []string { return asList(c.Value(name)) }

// ForHost returns an option as the browser's host should see it: the first entry of NAME_by_host whose key is a part of
// host, else the option itself.
func (c *Config) ForHost(name, host string) any {
	if byHost, ok := c.values[name+"_by_host"].(map[string]any); ok && host != "" {
		keys := make([]string, 0, len(byHost))
		for key := range byHost {
			if key != "" && strings.Contains(host, key) {
				keys = append(keys, key)
			}
		}
		if len(keys) > 0 {
			// The longest match is the most particular one, whatever the order in the file.
			slices.SortFunc(keys, func(a, b string) int {
				if d := len(b) - len(a); d != 0 {
					return d
				}
				return strings.Compare(a, b)
			})
			return byHost[keys[0]]
		}
	}
	return c.Value(name)
}

// IsAdmin tells whether email belongs to an administrator.
func (c *Config) IsAdmin(email string) bool {
	return email != "" && slices.Contains(c.AdminUsers, email)
}

// current returns the present name of an option.
func current(name string) string {
	if now, ok := catalogue().renamed[name]; ok {
		return now
	}
	return name
}
