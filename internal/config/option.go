package config

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
)

// kind is the type that Galaxy gives an option.
type kind string

const (
	kindString kind = "str"
	kindBool   kind = "bool"
	kindInt    kind = "int"
	kindFloat  kind = "float"
	kindList   kind = "seq"
	kindMap    kind = "map"
	kindAny    kind = "any"
)

// option is one row of options.tsv: what Galaxy 26.1 knows about an option of the `galaxy:` section.
type option struct {
	name       string
	kind       kind
	def        any    // string, bool, int64, float64, []any, map[string]any, or nil for no default
	resolvesTo string // the option whose directory relative paths start from, or ""
	perHost    bool   // NAME_by_host is an option too
	alias      string // the older name, or ""
	enum       []string
}

//go:embed options.tsv
var optionTable string

// catalogue is options.tsv, parsed once.
var catalogue = sync.OnceValue(func() *optionCatalogue {
	c := &optionCatalogue{byName: map[string]*option{}, renamed: map[string]string{}}
	for line := range strings.Lines(optionTable) {
		line = strings.TrimRight(line, "\n")
		if line == "" || line[0] == '#' {
			continue
		}
		fields := append(strings.Split(line, "\t"), "", "", "")
		o := &option{name: fields[0], kind: kind(fields[1]), resolvesTo: fields[3]}
		if fields[2] != "" {
			o.def = mustDefault(o, fields[2])
		}
		for _, mark := range strings.Fields(fields[4]) {
			switch key, value, _ := strings.Cut(mark, "="); key {
			case "per_host":
				o.perHost = true
			case "alias":
				o.alias = value
				c.renamed[value] = o.name
			case "enum":
				o.enum = strings.Split(value, "|")
			}
		}
		c.byName[o.name] = o
		c.names = append(c.names, o.name)
	}
	for old, current := range renamedOptions {
		c.renamed[old] = current
	}
	return c
})

// optionCatalogue answers what is known about option names.
type optionCatalogue struct {
	byName  map[string]*option
	names   []string          // in the table's order, which is alphabetical
	renamed map[string]string // older name to present name
}

// mustDefault decodes a default of the embedded table; a table that does not decode is a mistake in the build, which
// every test of this package finds.
func mustDefault(o *option, text string) any {
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		panic(fmt.Sprintf("options.tsv: %s: %v", o.name, err))
	}
	if f, ok := v.(float64); ok && o.kind == kindInt {
		return int64(f)
	}
	return v
}

// renamedOptions are the older names that Galaxy still reads.
var renamedOptions = map[string]string{
	"blacklist_file":                        "email_domain_blocklist_file",
	"whitelist_file":                        "email_domain_allowlist_file",
	"sanitize_whitelist_file":               "sanitize_allowlist_file",
	"user_library_import_symlink_whitelist": "user_library_import_symlink_allowlist",
	"fetch_url_whitelist":                   "fetch_url_allowlist",
	"containers_resolvers_config_file":      "container_resolvers_config_file",
	"activation_email":                      "email_from",
	"ga4gh_service_organization_name":       "organization_name",
	"ga4gh_service_organization_url":        "organization_url",
}

// unlisted are options that Galaxy reads although its schema does not list them, or that older editions had.
var unlisted = wordSet(`
	allow_library_path_paste api_folders attach_to_pools auto_configure_logging aws_access_key aws_secret_key blog_url
	check_migrate_databases check_upload_content container_image_cache_path cookie_path database_encoding
	database_file default_job_handlers default_job_resubmission_condition disable_library_comptypes
	distributed_object_store_config_file enable_beta_workflow_modules enable_tool_document_cache filter-with here
	index_tool_help integrated_tool_panel_tracking_directory interactivetools_map irods_default_resource
	irods_root_collection_path job_handlers job_queue_cleanup_interval jobs_directory log_destination
	log_rotate_count log_rotate_size metadata_strategy new_lib_browse nodejs_path object_store
	object_store_check_old_style os_access_key os_bucket_name os_conn_path os_host os_is_secure os_port os_secret_key
	os_use_reduced_redundancy output_size_limit override_tempdir paste.app_factory pbs_application_server
	pbs_dataset_path pbs_dataset_server pbs_stage_path per_kind_id_secret_base prefer_custos_login root root_dir
	running_functional_tests s3_bucket shared_home_dir statsd_host tool_labels_boost tool_secret
	tool_test_data_directories trust_ipython_notebook_conversion update_integrated_tool_panel
	use_reduced_redundancy use_tool_dependencies

	allow_user_creation api_allow_run_as brand_by_host enable_beta_mulled_containers enable_communication_server
	communication_server_host communication_server_port enable_legacy_sample_tracking_api
	enable_old_display_applications force_beta_workflow_scheduled_for_collections
	force_beta_workflow_scheduled_min_steps history_local_serial_workflow_scheduling genomespace_ui_url
	galaxy_data_manager_data_path job_metrics_config_file len_file_path message_box_content
	nglims_config_file openid_config_file openid_consumer_cache_path enable_openid running_from_source
	sanitize_whitelist smtp_host tool_runners use_interactive use_lint use_nglims use_printdebug
	visualizations_config_directory webhooks_dir workflow_monitor_sleep
	allow_tool_conf_env prefer_original_galaxy pdf_export_js google_analytics_code
`)

// engineOptionPrefixes begin option names that are handed to the database library.
var engineOptionPrefixes = []string{"database_engine_option_", "install_database_engine_option_"}

// lookup finds the option that name stands for. known is false when neither Galaxy 26.1 nor an older edition has it;
// o is nil for names that are known without a type.
func (c *optionCatalogue) lookup(name string) (o *option, known bool) {
	if current, ok := c.renamed[name]; ok {
		name = current
	}
	if o, ok := c.byName[name]; ok {
		return o, true
	}
	if base, ok := strings.CutSuffix(name, "_by_host"); ok {
		if o := c.byName[base]; o != nil && o.perHost {
			return nil, true
		}
	}
	for _, prefix := range engineOptionPrefixes {
		if strings.HasPrefix(name, prefix) {
			return nil, true
		}
	}
	return nil, unlisted[name]
}

// wordSet makes a set of the words in s.
func wordSet(s string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(s) {
		set[w] = true
	}
	return set
}
