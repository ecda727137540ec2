package client

import (
	"encoding/json"
	"fmt"
)

// Optional is a text that is null in JSON when it is empty.
type Optional string

// MarshalJSON writes null for the empty text.
func (o Optional) MarshalJSON() ([]byte, error) {
	if o == "" {
		return []byte("null"), nil
	}
	return json.Marshal(string(o))
}

// Configuration is the answer of /api/configuration: what the client has to know of the administrator's settings. Most
// fields are the options of galaxy.yml with the same name.
type Configuration struct {
	// What the server is called and where its help is.
	Brand                      Optional       `json:"brand"`
	LogoURL                    string         `json:"logo_url"`
	LogoSource                 string         `json:"logo_src"` // the picture at the left of the masthead
	LogoSourceSecondary        Optional       `json:"logo_src_secondary"`
	WikiURL                    string         `json:"wiki_url"`
	ScreencastsURL             string         `json:"screencasts_url"`
	CitationURL                string         `json:"citation_url"`
	CitationBibTeX             string         `json:"citation_bibtex"`
	CitationsExportMessageHTML string         `json:"citations_export_message_html"`
	SupportURL                 string         `json:"support_url"`
	QuotaURL                   string         `json:"quota_url"`
	HelpsiteURL                string         `json:"helpsite_url"`
	HelpForumAPIURL            string         `json:"help_forum_api_url"`
	LIMSDocURL                 string         `json:"lims_doc_url"`
	ReleaseDocBaseURL          string         `json:"release_doc_base_url"`
	TermsURL                   Optional       `json:"terms_url"`
	MailingJoinAddr            Optional       `json:"mailing_join_addr"`
	OrganizationName           Optional       `json:"organization_name"`
	OrganizationURL            Optional       `json:"organization_url"`
	InstanceResourceURL        Optional       `json:"instance_resource_url"`
	InstanceAccessURL          Optional       `json:"instance_access_url"`
	WelcomeURL                 string         `json:"welcome_url"`
	WelcomeDirectory           string         `json:"welcome_directory"`
	ShowWelcomeWithLogin       bool           `json:"show_welcome_with_login"`
	MessageBoxVisible          bool           `json:"message_box_visible"`
	MessageBoxContent          Optional       `json:"message_box_content"`
	MessageBoxClass            string         `json:"message_box_class"`
	Themes                     map[string]any `json:"themes"`
	DefaultLocale              string         `json:"default_locale"`

	// Version and start.
	VersionMajor    string   `json:"version_major"`
	VersionMinor    string   `json:"version_minor"`
	VersionExtra    Optional `json:"version_extra"`
	ServerStartTime int64    `json:"server_starttime"` // seconds since 1970; the client notices a restart by it
	Python          [2]int   `json:"python"`           // major and minor version; Galaxy shows its own here

	// Who may come in, and as whom.
	IsAdminUser                bool           `json:"is_admin_user"`
	RequireLogin               bool           `json:"require_login"`
	SingleUser                 bool           `json:"single_user"`
	UseRemoteUser              bool           `json:"use_remote_user"` // a proxy logs people in
	RemoteUserLogoutHref       Optional       `json:"remote_user_logout_href"`
	PostUserLogoutHref         string         `json:"post_user_logout_href"`
	AllowLocalAccountCreation  bool           `json:"allow_local_account_creation"`
	DisableLocalAccounts       bool           `json:"disable_local_accounts"`
	AllowUserImpersonation     bool           `json:"allow_user_impersonation"`
	EnableAccountInterface     bool           `json:"enable_account_interface"`
	EnableOIDC                 bool           `json:"enable_oidc"`
	OIDC                       map[string]any `json:"oidc"`
	PreferOIDCLogin            bool           `json:"prefer_oidc_login"`
	FixedDelegatedAuth         bool           `json:"fixed_delegated_auth"`
	AllowedLoginRedirectHosts  []string       `json:"allowed_login_redirect_hosts"`
	UserActivationOn           bool           `json:"user_activation_on"`
	InactivityBoxContent       string         `json:"inactivity_box_content"`
	RegistrationWarningMessage string         `json:"registration_warning_message"`
	ServerMailConfigured       bool           `json:"server_mail_configured"`
	ExposeUserEmail            bool           `json:"expose_user_email"`
	CookieDomain               Optional       `json:"cookie_domain"`

	// Data.
	ChunkUploadSize                       int64    `json:"chunk_upload_size"` // bytes of one piece of a resumable upload
	NginxUploadPath                       Optional `json:"nginx_upload_path"`
	FTPUploadSite                         Optional `json:"ftp_upload_site"`
	DatatypesDisableAuto                  bool     `json:"datatypes_disable_auto"`
	UploadFromFormButton                  string   `json:"upload_from_form_button"`
	FileSourcesConfigured                 bool     `json:"file_sources_configured"`
	UserLibraryImportDirAvailable         bool     `json:"user_library_import_dir_available"`
	AllowUserDatasetPurge                 bool     `json:"allow_user_dataset_purge"`
	EnableQuotas                          bool     `json:"enable_quotas"`
	QuotaSourceLabels                     []string `json:"quota_source_labels"`
	ObjectStoreAllowsIDSelection          bool     `json:"object_store_allows_id_selection"`
	ObjectStoreIDsAllowingSelection       []string `json:"object_store_ids_allowing_selection"`
	ObjectStoreAlwaysRespectUserSelection bool     `json:"object_store_always_respect_user_selection"`

	// Tools.
	PanelViews                          map[string]PanelView `json:"panel_views"`
	DefaultPanelView                    string               `json:"default_panel_view"`
	ToolboxAutoSort                     bool                 `json:"toolbox_auto_sort"`
	HasUserToolFilters                  bool                 `json:"has_user_tool_filters"`
	SelectTypeWorkflowThreshold         int64                `json:"select_type_workflow_threshold"` // number of options from which a select becomes a search field; -1 for never
	EnableToolSourceDisplay             bool                 `json:"enable_tool_source_display"`
	EnableToolGeneratedTours            bool                 `json:"enable_tool_generated_tours"`
	EnableToolRequests                  bool                 `json:"enable_tool_requests"`
	InstallToolDependencies             bool                 `json:"install_tool_dependencies"`
	InstallRepositoryDependencies       bool                 `json:"install_repository_dependencies"`
	InstallResolverDependencies         bool                 `json:"install_resolver_dependencies"`
	ToolTrainingRecommendations         bool                 `json:"tool_training_recommendations"`
	ToolTrainingRecommendationsLink     string               `json:"tool_training_recommendations_link"`
	ToolTrainingRecommendationsAPIURL   string               `json:"tool_training_recommendations_api_url"`
	EnableToolRecommendations           bool                 `json:"enable_tool_recommendations"`
	ToolRecommendationModelPath         string               `json:"tool_recommendation_model_path"`
	AdminToolRecommendationsPath        string               `json:"admin_tool_recommendations_path"`
	OverwriteModelRecommendations       bool                 `json:"overwrite_model_recommendations"`
	TopKRecommendations                 int64                `json:"topk_recommendations"`
	EnableHelpForumToolPanelIntegration bool                 `json:"enable_help_forum_tool_panel_integration"`

	// Workflows and reports.
	SimplifiedWorkflowRunUI              string `json:"simplified_workflow_run_ui"`
	SimplifiedWorkflowRunUITargetHistory string `json:"simplified_workflow_run_ui_target_history"`
	SimplifiedWorkflowRunUIJobCache      string `json:"simplified_workflow_run_ui_job_cache"`
	EnableUniqueWorkflowDefaults         bool   `json:"enable_unique_workflow_defaults"`
	EnableBetaMarkdownExport             bool   `json:"enable_beta_markdown_export"`
	MarkdownToPDFAvailable               bool   `json:"markdown_to_pdf_available"`

	// Further services.
	VisualizationsVisible    bool   `json:"visualizations_visible"`
	InteractivetoolsEnable   bool   `json:"interactivetools_enable"`
	EnableNotificationSystem bool   `json:"enable_notification_system"`
	EnableSSEUpdates         bool   `json:"enable_sse_updates"`
	EnableCeleryTasks        bool   `json:"enable_celery_tasks"`
	EnableWebhooks           bool   `json:"enable_webhooks"`
	EnableBeaconIntegration  bool   `json:"enable_beacon_integration"`
	LLMAPIConfigured         bool   `json:"llm_api_configured"`
	LLMRegistryType          string `json:"llm_registry_type"`

	// What computing costs.
	AWSEstimate                    bool    `json:"aws_estimate"`
	CarbonEmissionEstimates        bool    `json:"carbon_emission_estimates"`
	CarbonIntensity                float64 `json:"carbon_intensity"`          // grams of CO2 per kWh
	PowerUsageEffectiveness        float64 `json:"power_usage_effectiveness"` // energy the data centre takes for one unit that computing takes
	GeographicalServerLocationName string  `json:"geographical_server_location_name"`
	GeographicalServerLocationCode string  `json:"geographical_server_location_code"`

	// Tracking, all off unless set.
	GACode                       Optional `json:"ga_code"`
	PlausibleServer              Optional `json:"plausible_server"`
	PlausibleDomain              Optional `json:"plausible_domain"`
	MatomoServer                 Optional `json:"matomo_server"`
	MatomoSiteID                 Optional `json:"matomo_site_id"`
	SentryDSNPublic              Optional `json:"sentry_dsn_public"`
	SentryClientTracesSampleRate float64  `json:"sentry_client_traces_sample_rate"`

	// For administrators only; nil, and absent from the answer, for everyone else.
	*AdminConfiguration
}

// AdminConfiguration is what only administrators are told.
type AdminConfiguration struct {
	LibraryImportDir      Optional `json:"library_import_dir"`
	UserLibraryImportDir  Optional `json:"user_library_import_dir"`
	AllowLibraryPathPaste bool     `json:"allow_library_path_paste"`
	AllowUserDeletion     bool     `json:"allow_user_deletion"`
	ToolShedURLs          []string `json:"tool_shed_urls"`
}

// PanelView is one way to arrange the toolbox.
type PanelView struct {
	ID          string `json:"id"`
	ModelClass  string `json:"model_class"`
	Name        string `json:"name"`
	Description string `json:"description"`
	ViewType    string `json:"view_type"`
	Searchable  bool   `json:"searchable"`
}

// DefaultConfiguration has Galaxy's defaults, with every feature off that a server has to offer first. The caller sets
// the version, the start time and what the administrator configured.
func DefaultConfiguration() Configuration {
	return Configuration{
		LogoSource:                           "/static/favicon.svg",
		WikiURL:                              "https://galaxyproject.org/",
		ScreencastsURL:                       "https://www.youtube.com/c/galaxyproject",
		CitationURL:                          "https://galaxyproject.org/citing-galaxy",
		CitationBibTeX:                       "@article{Galaxy2024, title=\"The Galaxy platform for accessible, reproducible, and collaborative data analyses: 2024 update\", author=\"{The Galaxy Community}\", journal=\"Nucleic Acids Research\", year=\"2024\", doi=\"10.1093/nar/gkae410\"}",
		CitationsExportMessageHTML:           `Please cite the tools of this analysis, and <a href="https://galaxyproject.org/citing-galaxy">Galaxy</a> itself.`,
		SupportURL:                           "https://galaxyproject.org/support/",
		QuotaURL:                             "https://galaxyproject.org/support/account-quotas/",
		HelpsiteURL:                          "https://help.galaxyproject.org/",
		HelpForumAPIURL:                      "https://help.galaxyproject.org/",
		LIMSDocURL:                           "https://usegalaxy.org/u/rkchak/p/sts",
		ReleaseDocBaseURL:                    "https://docs.galaxyproject.org/en/release_",
		WelcomeURL:                           "/static/welcome.html",
		WelcomeDirectory:                     "plugins/welcome_page/new_user/static/topics/",
		MessageBoxClass:                      "info",
		DefaultLocale:                        "auto",
		PostUserLogoutHref:                   "/root/login?is_logout_redirect=true",
		AllowLocalAccountCreation:            true,
		EnableAccountInterface:               true,
		InactivityBoxContent:                 "Your account is not activated yet: please follow the link in the mail that was sent to you. Until then you can look around, but neither upload nor run anything.",
		RegistrationWarningMessage:           "One account per person, please: the computing power here is shared.",
		ChunkUploadSize:                      10485760,
		UploadFromFormButton:                 "always-off",
		AllowUserDatasetPurge:                true,
		DefaultPanelView:                     "default",
		ToolboxAutoSort:                      true,
		SelectTypeWorkflowThreshold:          -1,
		ToolTrainingRecommendationsLink:      "https://training.galaxyproject.org/training-material/by-tool/{training_tool_identifier}.html",
		ToolTrainingRecommendationsAPIURL:    "https://training.galaxyproject.org/training-material/api/top-tools.json",
		TopKRecommendations:                  20,
		SimplifiedWorkflowRunUI:              "prefer",
		SimplifiedWorkflowRunUITargetHistory: "prefer_current",
		SimplifiedWorkflowRunUIJobCache:      "off",
		VisualizationsVisible:                true,
		LLMRegistryType:                      "default",
		CarbonEmissionEstimates:              true,
		CarbonIntensity:                      475.0,
		PowerUsageEffectiveness:              1.67,
		GeographicalServerLocationName:       "Any (Any)",
		GeographicalServerLocationCode:       "GLOBAL",
		Python:                               [2]int{3, 11},
		PanelViews: map[string]PanelView{
			"default": {
				ID: "default", ModelClass: "type", Name: "Full Tool Panel", ViewType: "default", Searchable: true,
				Description: "All tools, in the sections the administrator arranged them in.",
			},
		},
		AdminConfiguration: &AdminConfiguration{},
	}
}

// Answers are the encoded forms of a Configuration. They are made once, since every page of the client asks for one.
type Answers struct {
	forAll, forAdmin json.RawMessage
	fields           map[bool]map[string]json.RawMessage // by admin or not
}

// NewAnswers encodes a configuration in its form for administrators and in the one for everyone else.
func NewAnswers(configuration Configuration) (*Answers, error) {
	for _, list := range []*[]string{
		&configuration.AllowedLoginRedirectHosts, &configuration.QuotaSourceLabels, &configuration.ObjectStoreIDsAllowingSelection,
	} {
		if *list == nil { // null is no list to the client
			*list = []string{}
		}
	}
	if configuration.Themes == nil {
		configuration.Themes = map[string]any{}
	}
	if configuration.OIDC == nil {
		configuration.OIDC = map[string]any{}
	}
	forAdmin := AdminConfiguration{}
	if configuration.AdminConfiguration != nil {
		forAdmin = *configuration.AdminConfiguration
	}
	if forAdmin.ToolShedURLs == nil {
		forAdmin.ToolShedURLs = []string{}
	}
	var answers Answers
	var err error
	configuration.IsAdminUser, configuration.AdminConfiguration = false, nil
	if answers.forAll, err = json.Marshal(configuration); err != nil {
		return nil, fmt.Errorf("configuration for the client: %w", err)
	}
	configuration.IsAdminUser, configuration.AdminConfiguration = true, &forAdmin
	if answers.forAdmin, err = json.Marshal(configuration); err != nil {
		return nil, fmt.Errorf("configuration for the client: %w", err)
	}
	answers.fields = map[bool]map[string]json.RawMessage{false: {}, true: {}}
	for admin, fields := range answers.fields {
		if err := json.Unmarshal(answers.For(admin), &fields); err != nil {
			return nil, fmt.Errorf("configuration for the client: %w", err)
		}
	}
	return &answers, nil
}

// For returns the answer of /api/configuration, a JSON object. The caller must not change it.
func (a *Answers) For(admin bool) json.RawMessage {
	if admin {
		return a.forAdmin
	}
	return a.forAll
}

// Only returns the answer of /api/configuration?keys=…: an object with the named keys, those left out that do not exist
// or that this user may not see.
func (a *Answers) Only(admin bool, keys []string) (json.RawMessage, error) {
	chosen := make(map[string]json.RawMessage, min(len(keys), len(a.fields[true])))
	for _, key := range keys {
		if value, ok := a.fields[admin][key]; ok {
			chosen[key] = value
		}
	}
	return json.Marshal(chosen)
}
