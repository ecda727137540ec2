package config

// acted are the options that Orrery acts on, by the names of Galaxy 26.1. The others are named once in a notice when an
// administrator sets them. Whoever makes the server act on another option adds it here.
var acted = wordSet(`
	admin_users allow_local_account_creation allow_path_paste allow_user_dataset_purge allow_user_deletion
	allow_user_impersonation bootstrap_admin_api_key brand cache_user_job_count check_upload_content
	chunk_upload_size cleanup_job config_dir cookie_domain cookie_path data_dir database_connection
	default_job_resubmission_condition enable_quotas expose_user_email expose_user_name fetch_url_allowlist
	file_path ftp_upload_dir ftp_upload_dir_identifier ftp_upload_dir_template ftp_upload_purge ftp_upload_site
	galaxy_infrastructure_url galaxy_url_prefix id_secret job_config job_config_file job_metrics
	job_metrics_config_file job_working_directory jobs_directory library_import_dir log_level logo_url
	managed_config_dir maximum_upload_file_size new_file_path new_user_dataset_access_role_default_private
	object_store_config_file object_store_store_by orrery_handler_lease password_expiration_period
	pretty_datetime_format require_login root root_dir sanitize_all_html sanitize_allowlist_file server_name
	session_duration show_welcome_with_login single_user static_dir tool_config_file tool_destinations_config_file
	tool_data_path tool_path track_jobs_in_database tus_upload_store use_remote_user user_library_import_dir
	welcome_url x_frame_options
`)

// shown are options whose whole effect is that the web client's configuration page carries them.
var shown = wordSet(`
	citation_bibtex citation_url citations_export_message_html datatypes_disable_auto default_locale
	default_panel_view display_galaxy_brand enable_account_interface enable_unique_workflow_defaults ga_code
	geographical_server_location_code helpsite_url inactivity_box_content
	instance_access_url instance_resource_url logo_src logo_src_secondary mailing_join_addr matomo_server
	matomo_site_id message_box_class message_box_content message_box_visible organization_name organization_url
	plausible_domain plausible_server post_user_logout_href power_usage_effectiveness quota_url
	registration_warning_message release_doc_base_url remote_user_logout_href screencasts_url
	select_type_workflow_threshold simplified_workflow_run_ui simplified_workflow_run_ui_job_cache
	simplified_workflow_run_ui_target_history support_url terms_url tool_training_recommendations
	tool_training_recommendations_api_url tool_training_recommendations_link toolbox_auto_sort
	upload_from_form_button visualizations_visible welcome_directory wiki_url
`)

// without are options that change nothing here, whatever their value: they steer how Galaxy's Python processes find or
// build what one static program contains.
var without = wordSet(`
	auto_configure_logging check_migrate_databases conda_auto_init conda_auto_install database_auto_migrate
	database_encoding job_queue_cleanup_interval monitor_thread_join_timeout override_tempdir running_functional_tests static_cache_time static_enabled
	template_cache_path here
`)

func isActed(name string) bool { return acted[name] || shown[name] || without[name] }
