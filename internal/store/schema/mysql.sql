-- The database of Galaxy 26.1 on MariaDB and MySQL: its tables, columns, keys, indexes and triggers as its SQLAlchemy
-- models make them there, and the two heads of its Alembic history. It differs from them where they cannot work or lose
-- data: times keep six digits (DATETIME(6)), texts and JSON are not cut off (LONGTEXT, LONGBLOB), texts compare by their
-- bytes as on the other engines, and what has to have a length gets one (columns of worker_process, user_credentials,
-- credentials_group, credential and vault). Tables that Kombu, Galaxy's message library, creates for itself are left to
-- it.
--
-- Each statement is committed by itself. They can all be run again, so that an interrupted run is completed by the
-- next; the heads come last and say that everything is there. Tables may name others that come later: the checks of
-- foreign keys are off while this runs.

CREATE TABLE IF NOT EXISTS worker_process (
    id INTEGER NOT NULL AUTO_INCREMENT,
    server_name VARCHAR(255),
    hostname VARCHAR(255),
    pid INTEGER,
    update_time DATETIME(6),
    app_type VARCHAR(255),
    CONSTRAINT worker_process_pkey PRIMARY KEY (id),
    CONSTRAINT worker_process_server_name_key UNIQUE (server_name, hostname),
    KEY ix_worker_process_server_name (server_name)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS tool_source (
    id INTEGER NOT NULL AUTO_INCREMENT,
    hash VARCHAR(255),
    source LONGBLOB NOT NULL,
    source_class VARCHAR(255) NOT NULL,
    CONSTRAINT tool_source_pkey PRIMARY KEY (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS dynamic_tool (
    id INTEGER NOT NULL AUTO_INCREMENT,
    uuid CHAR(32),
    create_time DATETIME(6),
    update_time DATETIME(6),
    tool_id VARCHAR(255),
    tool_version VARCHAR(255),
    tool_format VARCHAR(255),
    tool_path VARCHAR(255),
    tool_directory VARCHAR(255),
    hidden BOOL,
    active BOOL,
    value LONGBLOB,
    public BOOL NOT NULL DEFAULT false,
    CONSTRAINT dynamic_tool_pkey PRIMARY KEY (id),
    KEY ix_dynamic_tool_update_time (update_time)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS implicit_collection_jobs (
    id INTEGER NOT NULL AUTO_INCREMENT,
    populated_state VARCHAR(64) NOT NULL,
    CONSTRAINT implicit_collection_jobs_pkey PRIMARY KEY (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS store_export_association (
    id INTEGER NOT NULL AUTO_INCREMENT,
    task_uuid CHAR(32),
    create_time DATETIME(6),
    object_type VARCHAR(32),
    object_id INTEGER,
    export_metadata LONGBLOB,
    CONSTRAINT store_export_association_pkey PRIMARY KEY (id),
    UNIQUE KEY ix_store_export_association_task_uuid (task_uuid),
    KEY ix_store_export_object (object_id, object_type)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS galaxy_group (
    id INTEGER NOT NULL AUTO_INCREMENT,
    create_time DATETIME(6),
    update_time DATETIME(6),
    name VARCHAR(255),
    deleted BOOL,
    CONSTRAINT galaxy_group_pkey PRIMARY KEY (id),
    KEY ix_galaxy_group_deleted (deleted),
    UNIQUE KEY ix_galaxy_group_name (name)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS notification (
    id INTEGER NOT NULL AUTO_INCREMENT,
    create_time DATETIME(6),
    update_time DATETIME(6),
    publication_time DATETIME(6),
    expiration_time DATETIME(6),
    source VARCHAR(32),
    category VARCHAR(64),
    variant VARCHAR(16),
    dispatched BOOL NOT NULL,
    galaxy_url VARCHAR(255),
    content LONGBLOB,
    CONSTRAINT notification_pkey PRIMARY KEY (id),
    KEY ix_notification_category (category),
    KEY ix_notification_dispatched (dispatched),
    KEY ix_notification_source (source),
    KEY ix_notification_variant (variant)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS `role` (
    id INTEGER NOT NULL AUTO_INCREMENT,
    create_time DATETIME(6),
    update_time DATETIME(6),
    name VARCHAR(255) NOT NULL,
    description LONGTEXT,
    type VARCHAR(40),
    deleted BOOL,
    CONSTRAINT role_pkey PRIMARY KEY (id),
    KEY ix_role_deleted (deleted),
    KEY ix_role_name (name),
    KEY ix_role_type (type)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS quota (
    id INTEGER NOT NULL AUTO_INCREMENT,
    create_time DATETIME(6),
    update_time DATETIME(6),
    name VARCHAR(255),
    description LONGTEXT,
    bytes BIGINT,
    operation VARCHAR(8),
    deleted BOOL,
    quota_source_label VARCHAR(32),
    CONSTRAINT quota_pkey PRIMARY KEY (id),
    KEY ix_quota_deleted (deleted),
    UNIQUE KEY ix_quota_name (name),
    KEY ix_quota_quota_source_label (quota_source_label)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS library_folder (
    id INTEGER NOT NULL AUTO_INCREMENT,
    parent_id INTEGER,
    create_time DATETIME(6),
    update_time DATETIME(6),
    name LONGTEXT,
    description LONGTEXT,
    order_id INTEGER,
    item_count INTEGER,
    deleted BOOL,
    purged BOOL,
    genome_build VARCHAR(40),
    CONSTRAINT library_folder_pkey PRIMARY KEY (id),
    CONSTRAINT library_folder_parent_id_fkey FOREIGN KEY(parent_id) REFERENCES library_folder (id),
    KEY ix_library_folder_deleted (deleted),
    KEY ix_library_folder_name (name(200)),
    KEY ix_library_folder_parent_id (parent_id),
    KEY ix_library_folder_purged (purged)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS extended_metadata (
    id INTEGER NOT NULL AUTO_INCREMENT,
    data LONGBLOB,
    CONSTRAINT extended_metadata_pkey PRIMARY KEY (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS dataset_collection (
    id INTEGER NOT NULL AUTO_INCREMENT,
    collection_type VARCHAR(255) NOT NULL,
    populated_state VARCHAR(64) NOT NULL,
    populated_state_message LONGTEXT,
    element_count INTEGER,
    create_time DATETIME(6),
    update_time DATETIME(6),
    fields LONGBLOB,
    column_definitions LONGBLOB,
    CONSTRAINT dataset_collection_pkey PRIMARY KEY (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS form_definition (
    id INTEGER NOT NULL AUTO_INCREMENT,
    create_time DATETIME(6),
    update_time DATETIME(6),
    name VARCHAR(255) NOT NULL,
    `desc` LONGTEXT,
    form_definition_current_id INTEGER NOT NULL,
    fields LONGBLOB,
    type VARCHAR(255),
    layout LONGBLOB,
    CONSTRAINT form_definition_pkey PRIMARY KEY (id),
    CONSTRAINT form_definition_form_definition_current_id_fkey FOREIGN KEY(form_definition_current_id) REFERENCES form_definition_current (id),
    KEY ix_form_definition_form_definition_current_id (form_definition_current_id),
    KEY ix_form_definition_type (type)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS psa_association (
    id INTEGER NOT NULL AUTO_INCREMENT,
    server_url VARCHAR(255),
    handle VARCHAR(255),
    secret VARCHAR(255),
    issued INTEGER,
    lifetime INTEGER,
    assoc_type VARCHAR(64),
    CONSTRAINT psa_association_pkey PRIMARY KEY (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS psa_code (
    id INTEGER NOT NULL AUTO_INCREMENT,
    email VARCHAR(200),
    code VARCHAR(32),
    CONSTRAINT psa_code_pkey PRIMARY KEY (id),
    CONSTRAINT psa_code_code_key UNIQUE (code, email)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS psa_nonce (
    id INTEGER NOT NULL AUTO_INCREMENT,
    server_url VARCHAR(255),
    timestamp INTEGER,
    salt VARCHAR(40),
    CONSTRAINT psa_nonce_pkey PRIMARY KEY (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS psa_partial (
    id INTEGER NOT NULL AUTO_INCREMENT,
    token VARCHAR(32),
    data LONGTEXT,
    next_step INTEGER,
    backend VARCHAR(32),
    CONSTRAINT psa_partial_pkey PRIMARY KEY (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS tag (
    id INTEGER NOT NULL AUTO_INCREMENT,
    type INTEGER,
    parent_id INTEGER,
    name VARCHAR(255),
    CONSTRAINT tag_pkey PRIMARY KEY (id),
    CONSTRAINT tag_name_key UNIQUE (name),
    CONSTRAINT tag_parent_id_fkey FOREIGN KEY(parent_id) REFERENCES tag (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS vault (
    `key` VARCHAR(700) NOT NULL,
    parent_key VARCHAR(700),
    value LONGTEXT,
    create_time DATETIME(6),
    update_time DATETIME(6),
    CONSTRAINT vault_pkey PRIMARY KEY (`key`),
    CONSTRAINT vault_parent_key_fkey FOREIGN KEY(parent_key) REFERENCES vault (`key`),
    KEY ix_vault_parent_key (parent_key)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS cleanup_event (
    id INTEGER NOT NULL AUTO_INCREMENT,
    create_time DATETIME(6),
    message VARCHAR(1024),
    CONSTRAINT cleanup_event_pkey PRIMARY KEY (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS user_credentials (
    id INTEGER NOT NULL AUTO_INCREMENT,
    user_id INTEGER NOT NULL,
    source_type VARCHAR(255) NOT NULL,
    source_id VARCHAR(255) NOT NULL,
    source_version VARCHAR(255) NOT NULL,
    name VARCHAR(255) NOT NULL,
    version VARCHAR(255) NOT NULL,
    current_group_id INTEGER,
    create_time DATETIME(6) NOT NULL,
    update_time DATETIME(6) NOT NULL,
    CONSTRAINT user_credentials_pkey PRIMARY KEY (id),
    CONSTRAINT user_credentials_user_id_key UNIQUE (user_id, source_type, source_id, source_version, name, version),
    CONSTRAINT user_credentials_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id),
    CONSTRAINT user_credentials_current_group_id_fkey FOREIGN KEY(current_group_id) REFERENCES credentials_group (id) ON DELETE CASCADE,
    KEY ix_user_credentials_current_group_id (current_group_id),
    KEY ix_user_credentials_user_id (user_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS credentials_group (
    id INTEGER NOT NULL AUTO_INCREMENT,
    user_credentials_id INTEGER NOT NULL,
    name VARCHAR(255) NOT NULL,
    create_time DATETIME(6) NOT NULL,
    update_time DATETIME(6) NOT NULL,
    CONSTRAINT credentials_group_pkey PRIMARY KEY (id),
    CONSTRAINT credentials_group_user_credentials_id_fkey FOREIGN KEY(user_credentials_id) REFERENCES user_credentials (id) ON DELETE CASCADE,
    KEY ix_credentials_group_user_credentials_id (user_credentials_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS group_role_association (
    id INTEGER NOT NULL AUTO_INCREMENT,
    group_id INTEGER NOT NULL,
    role_id INTEGER NOT NULL,
    create_time DATETIME(6),
    update_time DATETIME(6),
    CONSTRAINT group_role_association_pkey PRIMARY KEY (id),
    CONSTRAINT group_role_association_group_id_key UNIQUE (group_id, role_id),
    CONSTRAINT group_role_association_group_id_fkey FOREIGN KEY(group_id) REFERENCES galaxy_group (id),
    CONSTRAINT group_role_association_role_id_fkey FOREIGN KEY(role_id) REFERENCES `role` (id),
    KEY ix_group_role_association_group_id (group_id),
    KEY ix_group_role_association_role_id (role_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS group_quota_association (
    id INTEGER NOT NULL AUTO_INCREMENT,
    group_id INTEGER,
    quota_id INTEGER,
    create_time DATETIME(6),
    update_time DATETIME(6),
    CONSTRAINT group_quota_association_pkey PRIMARY KEY (id),
    CONSTRAINT group_quota_association_group_id_fkey FOREIGN KEY(group_id) REFERENCES galaxy_group (id),
    CONSTRAINT group_quota_association_quota_id_fkey FOREIGN KEY(quota_id) REFERENCES quota (id),
    KEY ix_group_quota_association_group_id (group_id),
    KEY ix_group_quota_association_quota_id (quota_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS default_quota_association (
    id INTEGER NOT NULL AUTO_INCREMENT,
    create_time DATETIME(6),
    update_time DATETIME(6),
    type VARCHAR(32),
    quota_id INTEGER,
    CONSTRAINT default_quota_association_pkey PRIMARY KEY (id),
    CONSTRAINT default_quota_association_quota_id_fkey FOREIGN KEY(quota_id) REFERENCES quota (id),
    KEY ix_default_quota_association_quota_id (quota_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS library_folder_permissions (
    id INTEGER NOT NULL AUTO_INCREMENT,
    create_time DATETIME(6),
    update_time DATETIME(6),
    action LONGTEXT,
    library_folder_id INTEGER,
    role_id INTEGER,
    CONSTRAINT library_folder_permissions_pkey PRIMARY KEY (id),
    CONSTRAINT library_folder_permissions_library_folder_id_fkey FOREIGN KEY(library_folder_id) REFERENCES library_folder (id),
    CONSTRAINT library_folder_permissions_role_id_fkey FOREIGN KEY(role_id) REFERENCES `role` (id),
    KEY ix_library_folder_permissions_library_folder_id (library_folder_id),
    KEY ix_library_folder_permissions_role_id (role_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS library (
    id INTEGER NOT NULL AUTO_INCREMENT,
    root_folder_id INTEGER,
    create_time DATETIME(6),
    update_time DATETIME(6),
    name VARCHAR(255),
    deleted BOOL,
    purged BOOL,
    description LONGTEXT,
    synopsis LONGTEXT,
    CONSTRAINT library_pkey PRIMARY KEY (id),
    CONSTRAINT library_root_folder_id_fkey FOREIGN KEY(root_folder_id) REFERENCES library_folder (id),
    KEY ix_library_deleted (deleted),
    KEY ix_library_name (name),
    KEY ix_library_purged (purged),
    KEY ix_library_root_folder_id (root_folder_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS library_dataset (
    id INTEGER NOT NULL AUTO_INCREMENT,
    library_dataset_dataset_association_id INTEGER,
    folder_id INTEGER,
    order_id INTEGER,
    create_time DATETIME(6),
    update_time DATETIME(6),
    name VARCHAR(255),
    info VARCHAR(255),
    deleted BOOL,
    purged BOOL,
    CONSTRAINT library_dataset_pkey PRIMARY KEY (id),
    CONSTRAINT library_dataset_folder_id_fkey FOREIGN KEY(folder_id) REFERENCES library_folder (id),
    CONSTRAINT library_dataset_dataset_association_id_fk FOREIGN KEY(library_dataset_dataset_association_id) REFERENCES library_dataset_dataset_association (id),
    KEY ix_library_dataset_deleted (deleted),
    KEY ix_library_dataset_folder_id (folder_id),
    KEY ix_library_dataset_library_dataset_dataset_association_id (library_dataset_dataset_association_id),
    KEY ix_library_dataset_name (name),
    KEY ix_library_dataset_purged (purged)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS extended_metadata_index (
    id INTEGER NOT NULL AUTO_INCREMENT,
    extended_metadata_id INTEGER,
    path VARCHAR(255),
    value LONGTEXT,
    CONSTRAINT extended_metadata_index_pkey PRIMARY KEY (id),
    CONSTRAINT extended_metadata_index_extended_metadata_id_fkey FOREIGN KEY(extended_metadata_id) REFERENCES extended_metadata (id) ON DELETE CASCADE ON UPDATE CASCADE,
    KEY ix_extended_metadata_index_extended_metadata_id (extended_metadata_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS library_dataset_collection_association (
    id INTEGER NOT NULL AUTO_INCREMENT,
    collection_id INTEGER,
    folder_id INTEGER,
    name VARCHAR(255),
    deleted BOOL,
    update_time DATETIME(6),
    CONSTRAINT library_dataset_collection_association_pkey PRIMARY KEY (id),
    CONSTRAINT library_dataset_collection_association_collection_id_fkey FOREIGN KEY(collection_id) REFERENCES dataset_collection (id),
    CONSTRAINT library_dataset_collection_association_folder_id_fkey FOREIGN KEY(folder_id) REFERENCES library_folder (id),
    KEY ix_library_dataset_collection_association_collection_id (collection_id),
    KEY ix_library_dataset_collection_association_folder_id (folder_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS form_definition_current (
    id INTEGER NOT NULL AUTO_INCREMENT,
    create_time DATETIME(6),
    update_time DATETIME(6),
    latest_form_id INTEGER,
    deleted BOOL,
    CONSTRAINT form_definition_current_pkey PRIMARY KEY (id),
    CONSTRAINT form_definition_current_latest_form_id_fkey FOREIGN KEY(latest_form_id) REFERENCES form_definition (id),
    KEY ix_form_definition_current_deleted (deleted),
    KEY ix_form_definition_current_latest_form_id (latest_form_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS form_values (
    id INTEGER NOT NULL AUTO_INCREMENT,
    create_time DATETIME(6),
    update_time DATETIME(6),
    form_definition_id INTEGER,
    content LONGBLOB,
    CONSTRAINT form_values_pkey PRIMARY KEY (id),
    CONSTRAINT form_values_form_definition_id_fkey FOREIGN KEY(form_definition_id) REFERENCES form_definition (id),
    KEY ix_form_values_form_definition_id (form_definition_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS cleanup_event_library_folder_association (
    id INTEGER NOT NULL AUTO_INCREMENT,
    create_time DATETIME(6),
    cleanup_event_id INTEGER,
    library_folder_id INTEGER,
    CONSTRAINT cleanup_event_library_folder_association_pkey PRIMARY KEY (id),
    CONSTRAINT cleanup_event_library_folder_association_cleanup_event_id_fkey FOREIGN KEY(cleanup_event_id) REFERENCES cleanup_event (id),
    CONSTRAINT cleanup_event_library_folder_association_library_folder_id_fkey FOREIGN KEY(library_folder_id) REFERENCES library_folder (id),
    KEY ix_cleanup_event_library_folder_association_cleanup_event_id (cleanup_event_id),
    KEY ix_cleanup_event_library_folder_association_library_folder_id (library_folder_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS credential (
    id INTEGER NOT NULL AUTO_INCREMENT,
    group_id INTEGER NOT NULL,
    name VARCHAR(255) NOT NULL,
    is_secret BOOL NOT NULL,
    is_set BOOL NOT NULL,
    value LONGTEXT,
    create_time DATETIME(6) NOT NULL,
    update_time DATETIME(6) NOT NULL,
    CONSTRAINT credential_pkey PRIMARY KEY (id),
    CONSTRAINT credential_group_id_fkey FOREIGN KEY(group_id) REFERENCES credentials_group (id) ON DELETE CASCADE,
    KEY ix_credential_group_id (group_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS galaxy_user (
    id INTEGER NOT NULL AUTO_INCREMENT,
    create_time DATETIME(6),
    update_time DATETIME(6),
    email VARCHAR(255) NOT NULL,
    username VARCHAR(255),
    password VARCHAR(255) NOT NULL,
    last_password_change DATETIME(6),
    external BOOL,
    form_values_id INTEGER,
    preferred_object_store_id VARCHAR(255),
    deleted BOOL,
    purged BOOL,
    disk_usage NUMERIC(15, 0),
    active BOOL NOT NULL,
    activation_token VARCHAR(64),
    CONSTRAINT galaxy_user_pkey PRIMARY KEY (id),
    CONSTRAINT galaxy_user_form_values_id_fkey FOREIGN KEY(form_values_id) REFERENCES form_values (id),
    KEY ix_galaxy_user_activation_token (activation_token),
    KEY ix_galaxy_user_active (active),
    KEY ix_galaxy_user_deleted (deleted),
    KEY ix_galaxy_user_disk_usage (disk_usage),
    UNIQUE KEY ix_galaxy_user_email (email),
    KEY ix_galaxy_user_form_values_id (form_values_id),
    KEY ix_galaxy_user_purged (purged),
    UNIQUE KEY ix_galaxy_user_username (username)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS library_permissions (
    id INTEGER NOT NULL AUTO_INCREMENT,
    create_time DATETIME(6),
    update_time DATETIME(6),
    action LONGTEXT,
    library_id INTEGER,
    role_id INTEGER,
    CONSTRAINT library_permissions_pkey PRIMARY KEY (id),
    CONSTRAINT library_permissions_library_id_fkey FOREIGN KEY(library_id) REFERENCES library (id),
    CONSTRAINT library_permissions_role_id_fkey FOREIGN KEY(role_id) REFERENCES `role` (id),
    KEY ix_library_permissions_library_id (library_id),
    KEY ix_library_permissions_role_id (role_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS library_dataset_permissions (
    id INTEGER NOT NULL AUTO_INCREMENT,
    create_time DATETIME(6),
    update_time DATETIME(6),
    action LONGTEXT,
    library_dataset_id INTEGER,
    role_id INTEGER,
    CONSTRAINT library_dataset_permissions_pkey PRIMARY KEY (id),
    CONSTRAINT library_dataset_permissions_library_dataset_id_fkey FOREIGN KEY(library_dataset_id) REFERENCES library_dataset (id),
    CONSTRAINT library_dataset_permissions_role_id_fkey FOREIGN KEY(role_id) REFERENCES `role` (id),
    KEY ix_library_dataset_permissions_library_dataset_id (library_dataset_id),
    KEY ix_library_dataset_permissions_role_id (role_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS library_info_association (
    id INTEGER NOT NULL AUTO_INCREMENT,
    library_id INTEGER,
    form_definition_id INTEGER,
    form_values_id INTEGER,
    inheritable BOOL,
    deleted BOOL,
    CONSTRAINT library_info_association_pkey PRIMARY KEY (id),
    CONSTRAINT library_info_association_library_id_fkey FOREIGN KEY(library_id) REFERENCES library (id),
    CONSTRAINT library_info_association_form_definition_id_fkey FOREIGN KEY(form_definition_id) REFERENCES form_definition (id),
    CONSTRAINT library_info_association_form_values_id_fkey FOREIGN KEY(form_values_id) REFERENCES form_values (id),
    KEY ix_library_info_association_deleted (deleted),
    KEY ix_library_info_association_form_definition_id (form_definition_id),
    KEY ix_library_info_association_form_values_id (form_values_id),
    KEY ix_library_info_association_inheritable (inheritable),
    KEY ix_library_info_association_library_id (library_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS library_folder_info_association (
    id INTEGER NOT NULL AUTO_INCREMENT,
    library_folder_id INTEGER,
    form_definition_id INTEGER,
    form_values_id INTEGER,
    inheritable BOOL,
    deleted BOOL,
    CONSTRAINT library_folder_info_association_pkey PRIMARY KEY (id),
    CONSTRAINT library_folder_info_association_library_folder_id_fkey FOREIGN KEY(library_folder_id) REFERENCES library_folder (id),
    CONSTRAINT library_folder_info_association_form_definition_id_fkey FOREIGN KEY(form_definition_id) REFERENCES form_definition (id),
    CONSTRAINT library_folder_info_association_form_values_id_fkey FOREIGN KEY(form_values_id) REFERENCES form_values (id),
    KEY ix_library_folder_info_association_deleted (deleted),
    KEY ix_library_folder_info_association_form_definition_id (form_definition_id),
    KEY ix_library_folder_info_association_form_values_id (form_values_id),
    KEY ix_library_folder_info_association_inheritable (inheritable),
    KEY ix_library_folder_info_association_library_folder_id (library_folder_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS cleanup_event_library_association (
    id INTEGER NOT NULL AUTO_INCREMENT,
    create_time DATETIME(6),
    cleanup_event_id INTEGER,
    library_id INTEGER,
    CONSTRAINT cleanup_event_library_association_pkey PRIMARY KEY (id),
    CONSTRAINT cleanup_event_library_association_cleanup_event_id_fkey FOREIGN KEY(cleanup_event_id) REFERENCES cleanup_event (id),
    CONSTRAINT cleanup_event_library_association_library_id_fkey FOREIGN KEY(library_id) REFERENCES library (id),
    KEY ix_cleanup_event_library_association_cleanup_event_id (cleanup_event_id),
    KEY ix_cleanup_event_library_association_library_id (library_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS cleanup_event_library_dataset_association (
    id INTEGER NOT NULL AUTO_INCREMENT,
    create_time DATETIME(6),
    cleanup_event_id INTEGER,
    library_dataset_id INTEGER,
    CONSTRAINT cleanup_event_library_dataset_association_pkey PRIMARY KEY (id),
    CONSTRAINT cleanup_event_library_dataset_association_cleanup_event_id_fkey FOREIGN KEY(cleanup_event_id) REFERENCES cleanup_event (id),
    CONSTRAINT cleanup_event_library_dataset_association_library_datase_7758 FOREIGN KEY(library_dataset_id) REFERENCES library_dataset (id),
    KEY ix_cleanup_event_library_dataset_association_cleanup_event_id (cleanup_event_id),
    KEY ix_cleanup_event_library_dataset_association_library_dataset_id (library_dataset_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS password_reset_token (
    token VARCHAR(32) NOT NULL,
    expiration_time DATETIME(6),
    user_id INTEGER,
    CONSTRAINT password_reset_token_pkey PRIMARY KEY (token),
    CONSTRAINT password_reset_token_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id),
    UNIQUE KEY ix_password_reset_token_token (token),
    KEY ix_password_reset_token_user_id (user_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS user_dynamic_tool_association (
    id INTEGER NOT NULL AUTO_INCREMENT,
    dynamic_tool_id INTEGER NOT NULL,
    user_id INTEGER NOT NULL,
    create_time DATETIME(6),
    hidden BOOL,
    active BOOL,
    CONSTRAINT user_dynamic_tool_association_pkey PRIMARY KEY (id),
    CONSTRAINT user_dynamic_tool_association_dynamic_tool_id_fkey FOREIGN KEY(dynamic_tool_id) REFERENCES dynamic_tool (id),
    CONSTRAINT user_dynamic_tool_association_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id),
    KEY ix_user_dynamic_tool_association_dynamic_tool_id (dynamic_tool_id),
    KEY ix_user_dynamic_tool_association_user_id (user_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS user_group_association (
    id INTEGER NOT NULL AUTO_INCREMENT,
    user_id INTEGER NOT NULL,
    group_id INTEGER NOT NULL,
    create_time DATETIME(6),
    update_time DATETIME(6),
    CONSTRAINT user_group_association_pkey PRIMARY KEY (id),
    CONSTRAINT user_group_association_user_id_key UNIQUE (user_id, group_id),
    CONSTRAINT user_group_association_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id),
    CONSTRAINT user_group_association_group_id_fkey FOREIGN KEY(group_id) REFERENCES galaxy_group (id),
    KEY ix_user_group_association_group_id (group_id),
    KEY ix_user_group_association_user_id (user_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS user_notification_association (
    id INTEGER NOT NULL AUTO_INCREMENT,
    user_id INTEGER,
    notification_id INTEGER,
    seen_time DATETIME(6),
    deleted BOOL,
    update_time DATETIME(6),
    CONSTRAINT user_notification_association_pkey PRIMARY KEY (id),
    CONSTRAINT user_notification_association_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id),
    CONSTRAINT user_notification_association_notification_id_fkey FOREIGN KEY(notification_id) REFERENCES notification (id),
    KEY ix_user_notification_association_deleted (deleted),
    KEY ix_user_notification_association_notification_id (notification_id),
    KEY ix_user_notification_association_user_id (user_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS history (
    id INTEGER NOT NULL AUTO_INCREMENT,
    create_time DATETIME(6),
    update_time DATETIME(6),
    user_id INTEGER,
    name VARCHAR(255),
    hid_counter INTEGER,
    deleted BOOL,
    purged BOOL,
    importing BOOL,
    genome_build VARCHAR(40),
    importable BOOL,
    slug LONGTEXT,
    published BOOL,
    preferred_object_store_id VARCHAR(255),
    archived BOOL DEFAULT false,
    archive_export_id INTEGER,
    CONSTRAINT history_pkey PRIMARY KEY (id),
    CONSTRAINT history_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id),
    CONSTRAINT history_archive_export_id_fkey FOREIGN KEY(archive_export_id) REFERENCES store_export_association (id),
    KEY ix_history_archived (archived),
    KEY ix_history_deleted (deleted),
    KEY ix_history_importing (importing),
    KEY ix_history_published (published),
    KEY ix_history_purged (purged),
    KEY ix_history_slug (slug(200)),
    KEY ix_history_update_time (update_time),
    KEY ix_history_user_id (user_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS user_role_association (
    id INTEGER NOT NULL AUTO_INCREMENT,
    user_id INTEGER NOT NULL,
    role_id INTEGER NOT NULL,
    create_time DATETIME(6),
    update_time DATETIME(6),
    CONSTRAINT user_role_association_pkey PRIMARY KEY (id),
    CONSTRAINT user_role_association_user_id_key UNIQUE (user_id, role_id),
    CONSTRAINT user_role_association_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id),
    CONSTRAINT user_role_association_role_id_fkey FOREIGN KEY(role_id) REFERENCES `role` (id),
    KEY ix_user_role_association_role_id (role_id),
    KEY ix_user_role_association_user_id (user_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS user_quota_source_usage (
    id INTEGER NOT NULL AUTO_INCREMENT,
    user_id INTEGER,
    quota_source_label VARCHAR(32),
    disk_usage NUMERIC(15, 0) NOT NULL,
    CONSTRAINT user_quota_source_usage_pkey PRIMARY KEY (id),
    CONSTRAINT uqsu_unique_label_per_user UNIQUE (user_id, quota_source_label),
    CONSTRAINT user_quota_source_usage_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id),
    KEY ix_user_quota_source_usage_quota_source_label (quota_source_label),
    KEY ix_user_quota_source_usage_user_id (user_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS user_quota_association (
    id INTEGER NOT NULL AUTO_INCREMENT,
    user_id INTEGER,
    quota_id INTEGER,
    create_time DATETIME(6),
    update_time DATETIME(6),
    CONSTRAINT user_quota_association_pkey PRIMARY KEY (id),
    CONSTRAINT user_quota_association_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id),
    CONSTRAINT user_quota_association_quota_id_fkey FOREIGN KEY(quota_id) REFERENCES quota (id),
    KEY ix_user_quota_association_quota_id (quota_id),
    KEY ix_user_quota_association_user_id (user_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS default_user_permissions (
    id INTEGER NOT NULL AUTO_INCREMENT,
    user_id INTEGER,
    action LONGTEXT,
    role_id INTEGER,
    CONSTRAINT default_user_permissions_pkey PRIMARY KEY (id),
    CONSTRAINT default_user_permissions_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id),
    CONSTRAINT default_user_permissions_role_id_fkey FOREIGN KEY(role_id) REFERENCES `role` (id),
    KEY ix_default_user_permissions_role_id (role_id),
    KEY ix_default_user_permissions_user_id (user_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS stored_workflow (
    id INTEGER NOT NULL AUTO_INCREMENT,
    create_time DATETIME(6),
    update_time DATETIME(6),
    user_id INTEGER NOT NULL,
    latest_workflow_id INTEGER,
    name LONGTEXT,
    deleted BOOL,
    hidden BOOL,
    importable BOOL,
    slug LONGTEXT,
    from_path LONGTEXT,
    published BOOL,
    CONSTRAINT stored_workflow_pkey PRIMARY KEY (id),
    CONSTRAINT stored_workflow_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id),
    CONSTRAINT stored_workflow_latest_workflow_id_fk FOREIGN KEY(latest_workflow_id) REFERENCES workflow (id),
    KEY ix_stored_workflow_latest_workflow_id (latest_workflow_id),
    KEY ix_stored_workflow_published (published),
    KEY ix_stored_workflow_slug (slug(200)),
    KEY ix_stored_workflow_update_time (update_time),
    KEY ix_stored_workflow_user_id (user_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS user_address (
    id INTEGER NOT NULL AUTO_INCREMENT,
    create_time DATETIME(6),
    update_time DATETIME(6),
    user_id INTEGER,
    `desc` VARCHAR(255),
    name VARCHAR(255) NOT NULL,
    institution VARCHAR(255),
    address VARCHAR(255) NOT NULL,
    city VARCHAR(255) NOT NULL,
    state VARCHAR(255) NOT NULL,
    postal_code VARCHAR(255) NOT NULL,
    country VARCHAR(255) NOT NULL,
    phone VARCHAR(255),
    deleted BOOL,
    purged BOOL,
    CONSTRAINT user_address_pkey PRIMARY KEY (id),
    CONSTRAINT user_address_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id),
    KEY ix_user_address_deleted (deleted),
    KEY ix_user_address_purged (purged),
    KEY ix_user_address_user_id (user_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS oidc_user_authnz_tokens (
    id INTEGER NOT NULL AUTO_INCREMENT,
    user_id INTEGER,
    uid VARCHAR(255),
    provider VARCHAR(32),
    extra_data LONGBLOB,
    lifetime INTEGER,
    assoc_type VARCHAR(64),
    CONSTRAINT oidc_user_authnz_tokens_pkey PRIMARY KEY (id),
    CONSTRAINT oidc_user_authnz_tokens_provider_key UNIQUE (provider, uid),
    CONSTRAINT oidc_user_authnz_tokens_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id),
    KEY ix_oidc_user_authnz_tokens_user_id (user_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS visualization (
    id INTEGER NOT NULL AUTO_INCREMENT,
    create_time DATETIME(6),
    update_time DATETIME(6),
    user_id INTEGER NOT NULL,
    latest_revision_id INTEGER,
    title LONGTEXT,
    type LONGTEXT,
    dbkey LONGTEXT,
    deleted BOOL,
    importable BOOL,
    slug LONGTEXT,
    published BOOL,
    CONSTRAINT visualization_pkey PRIMARY KEY (id),
    CONSTRAINT visualization_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id),
    CONSTRAINT visualization_latest_revision_id_fk FOREIGN KEY(latest_revision_id) REFERENCES visualization_revision (id),
    KEY ix_visualization_dbkey (dbkey(200)),
    KEY ix_visualization_deleted (deleted),
    KEY ix_visualization_importable (importable),
    KEY ix_visualization_latest_revision_id (latest_revision_id),
    KEY ix_visualization_published (published),
    KEY ix_visualization_slug (slug(200)),
    KEY ix_visualization_user_id (user_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS library_dataset_collection_tag_association (
    id INTEGER NOT NULL AUTO_INCREMENT,
    library_dataset_collection_id INTEGER,
    tag_id INTEGER,
    user_id INTEGER,
    user_tname VARCHAR(255),
    value VARCHAR(255),
    user_value VARCHAR(255),
    CONSTRAINT library_dataset_collection_tag_association_pkey PRIMARY KEY (id),
    CONSTRAINT library_dataset_collection_tag_association_library_datas_614f FOREIGN KEY(library_dataset_collection_id) REFERENCES library_dataset_collection_association (id),
    CONSTRAINT library_dataset_collection_tag_association_tag_id_fkey FOREIGN KEY(tag_id) REFERENCES tag (id),
    CONSTRAINT library_dataset_collection_tag_association_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id),
    KEY ix_library_dataset_collection_tag_association_library_da_41b1 (library_dataset_collection_id),
    KEY ix_library_dataset_collection_tag_association_tag_id (tag_id),
    KEY ix_library_dataset_collection_tag_association_user_id (user_id),
    KEY ix_library_dataset_collection_tag_association_user_tname (user_tname),
    KEY ix_library_dataset_collection_tag_association_user_value (user_value),
    KEY ix_library_dataset_collection_tag_association_value (value)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS tool_tag_association (
    id INTEGER NOT NULL AUTO_INCREMENT,
    tool_id VARCHAR(255),
    tag_id INTEGER,
    user_id INTEGER,
    user_tname VARCHAR(255),
    value VARCHAR(255),
    user_value VARCHAR(255),
    CONSTRAINT tool_tag_association_pkey PRIMARY KEY (id),
    CONSTRAINT tool_tag_association_tag_id_fkey FOREIGN KEY(tag_id) REFERENCES tag (id),
    CONSTRAINT tool_tag_association_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id),
    KEY ix_tool_tag_association_tag_id (tag_id),
    KEY ix_tool_tag_association_tool_id (tool_id),
    KEY ix_tool_tag_association_user_id (user_id),
    KEY ix_tool_tag_association_user_tname (user_tname),
    KEY ix_tool_tag_association_user_value (user_value),
    KEY ix_tool_tag_association_value (value)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS library_dataset_collection_annotation_association (
    id INTEGER NOT NULL AUTO_INCREMENT,
    library_dataset_collection_id INTEGER,
    user_id INTEGER,
    annotation LONGTEXT,
    CONSTRAINT library_dataset_collection_annotation_association_pkey PRIMARY KEY (id),
    CONSTRAINT library_dataset_collection_annotation_association_librar_e3c0 FOREIGN KEY(library_dataset_collection_id) REFERENCES library_dataset_collection_association (id),
    CONSTRAINT library_dataset_collection_annotation_association_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id),
    KEY ix_library_dataset_collection_annotation_association_lib_8a3d (library_dataset_collection_id),
    KEY ix_library_dataset_collection_annotation_association_user_id (user_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS library_dataset_collection_rating_association (
    id INTEGER NOT NULL AUTO_INCREMENT,
    library_dataset_collection_id INTEGER,
    user_id INTEGER,
    rating INTEGER,
    CONSTRAINT library_dataset_collection_rating_association_pkey PRIMARY KEY (id),
    CONSTRAINT library_dataset_collection_rating_association_library_da_89cf FOREIGN KEY(library_dataset_collection_id) REFERENCES library_dataset_collection_association (id),
    CONSTRAINT library_dataset_collection_rating_association_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id),
    KEY ix_library_dataset_collection_rating_association_library_877d (library_dataset_collection_id),
    KEY ix_library_dataset_collection_rating_association_rating (rating),
    KEY ix_library_dataset_collection_rating_association_user_id (user_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS user_preference (
    id INTEGER NOT NULL AUTO_INCREMENT,
    user_id INTEGER,
    name VARCHAR(255),
    value LONGTEXT,
    CONSTRAINT user_preference_pkey PRIMARY KEY (id),
    CONSTRAINT user_preference_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id),
    KEY ix_user_preference_name (name),
    KEY ix_user_preference_user_id (user_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS user_object_store (
    id INTEGER NOT NULL AUTO_INCREMENT,
    user_id INTEGER,
    uuid CHAR(32) NOT NULL,
    create_time DATETIME(6) NOT NULL,
    update_time DATETIME(6) NOT NULL,
    name VARCHAR(255) NOT NULL,
    description LONGTEXT,
    hidden BOOL NOT NULL,
    active BOOL NOT NULL,
    purged BOOL NOT NULL,
    template_id VARCHAR(255) NOT NULL,
    template_version INTEGER NOT NULL,
    template_definition LONGBLOB,
    template_variables LONGBLOB,
    template_secrets LONGBLOB,
    CONSTRAINT user_object_store_pkey PRIMARY KEY (id),
    CONSTRAINT user_object_store_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id),
    KEY ix_user_object_store_name (name),
    KEY ix_user_object_store_template_id (template_id),
    KEY ix_user_object_store_template_version (template_version),
    KEY ix_user_object_store_update_time (update_time),
    KEY ix_user_object_store_user_id (user_id),
    KEY ix_user_object_store_uuid (uuid)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS user_file_source (
    id INTEGER NOT NULL AUTO_INCREMENT,
    user_id INTEGER,
    uuid CHAR(32) NOT NULL,
    create_time DATETIME(6) NOT NULL,
    update_time DATETIME(6) NOT NULL,
    name VARCHAR(255) NOT NULL,
    description LONGTEXT,
    hidden BOOL NOT NULL,
    active BOOL NOT NULL,
    purged BOOL NOT NULL,
    template_id VARCHAR(255) NOT NULL,
    template_version INTEGER NOT NULL,
    template_definition LONGBLOB,
    template_variables LONGBLOB,
    template_secrets LONGBLOB,
    CONSTRAINT user_file_source_pkey PRIMARY KEY (id),
    CONSTRAINT user_file_source_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id),
    KEY ix_user_file_source_name (name),
    KEY ix_user_file_source_template_id (template_id),
    KEY ix_user_file_source_template_version (template_version),
    KEY ix_user_file_source_update_time (update_time),
    KEY ix_user_file_source_user_id (user_id),
    KEY ix_user_file_source_uuid (uuid)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS tool_landing_request (
    id INTEGER NOT NULL AUTO_INCREMENT,
    user_id INTEGER,
    create_time DATETIME(6),
    update_time DATETIME(6),
    uuid CHAR(32) NOT NULL,
    tool_id VARCHAR(255) NOT NULL,
    tool_version VARCHAR(255),
    request_state LONGBLOB,
    client_secret VARCHAR(255),
    public BOOL NOT NULL,
    origin VARCHAR(255),
    CONSTRAINT tool_landing_request_pkey PRIMARY KEY (id),
    CONSTRAINT tool_landing_request_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id),
    KEY ix_tool_landing_request_update_time (update_time),
    KEY ix_tool_landing_request_user_id (user_id),
    KEY ix_tool_landing_request_uuid (uuid)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS api_keys (
    id INTEGER NOT NULL AUTO_INCREMENT,
    create_time DATETIME(6),
    user_id INTEGER,
    `key` VARCHAR(32),
    deleted BOOL NOT NULL DEFAULT false,
    CONSTRAINT api_keys_pkey PRIMARY KEY (id),
    CONSTRAINT api_keys_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id),
    KEY ix_api_keys_deleted (deleted),
    UNIQUE KEY ix_api_keys_key (`key`),
    KEY ix_api_keys_user_id (user_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS cleanup_event_user_association (
    id INTEGER NOT NULL AUTO_INCREMENT,
    create_time DATETIME(6),
    cleanup_event_id INTEGER,
    user_id INTEGER,
    CONSTRAINT cleanup_event_user_association_pkey PRIMARY KEY (id),
    CONSTRAINT cleanup_event_user_association_cleanup_event_id_fkey FOREIGN KEY(cleanup_event_id) REFERENCES cleanup_event (id),
    CONSTRAINT cleanup_event_user_association_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id),
    KEY ix_cleanup_event_user_association_cleanup_event_id (cleanup_event_id),
    KEY ix_cleanup_event_user_association_user_id (user_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS celery_user_rate_limit (
    user_id INTEGER NOT NULL,
    last_scheduled_time DATETIME(6) NOT NULL,
    CONSTRAINT celery_user_rate_limit_pkey PRIMARY KEY (user_id),
    CONSTRAINT celery_user_rate_limit_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS celery_user_active_task (
    task_id VARCHAR(255) NOT NULL,
    user_id INTEGER NOT NULL,
    started_at DATETIME(6) NOT NULL,
    CONSTRAINT celery_user_active_task_pkey PRIMARY KEY (task_id),
    CONSTRAINT celery_user_active_task_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id) ON DELETE CASCADE,
    KEY ix_celery_user_active_task_user_id (user_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS tool_request (
    id INTEGER NOT NULL AUTO_INCREMENT,
    tool_source_id INTEGER NOT NULL,
    history_id INTEGER NOT NULL,
    request LONGBLOB NOT NULL,
    state VARCHAR(32),
    state_message LONGBLOB,
    CONSTRAINT tool_request_pkey PRIMARY KEY (id),
    CONSTRAINT tool_request_tool_source_id_fkey FOREIGN KEY(tool_source_id) REFERENCES tool_source (id),
    CONSTRAINT tool_request_history_id_fkey FOREIGN KEY(history_id) REFERENCES history (id),
    KEY ix_tool_request_history_id (history_id),
    KEY ix_tool_request_state (state),
    KEY ix_tool_request_state_message (state_message),
    KEY ix_tool_request_tool_source_id (tool_source_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS history_audit (
    history_id INTEGER NOT NULL,
    update_time DATETIME(6) NOT NULL,
    CONSTRAINT history_audit_pkey PRIMARY KEY (history_id, update_time),
    CONSTRAINT history_audit_history_id_fkey FOREIGN KEY(history_id) REFERENCES history (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS history_user_share_association (
    id INTEGER NOT NULL AUTO_INCREMENT,
    history_id INTEGER,
    user_id INTEGER,
    CONSTRAINT history_user_share_association_pkey PRIMARY KEY (id),
    CONSTRAINT history_user_share_association_history_id_fkey FOREIGN KEY(history_id) REFERENCES history (id),
    CONSTRAINT history_user_share_association_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id),
    KEY ix_history_user_share_association_history_id (history_id),
    KEY ix_history_user_share_association_user_id (user_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS default_history_permissions (
    id INTEGER NOT NULL AUTO_INCREMENT,
    history_id INTEGER,
    action LONGTEXT,
    role_id INTEGER,
    CONSTRAINT default_history_permissions_pkey PRIMARY KEY (id),
    CONSTRAINT default_history_permissions_history_id_fkey FOREIGN KEY(history_id) REFERENCES history (id),
    CONSTRAINT default_history_permissions_role_id_fkey FOREIGN KEY(role_id) REFERENCES `role` (id),
    KEY ix_default_history_permissions_history_id (history_id),
    KEY ix_default_history_permissions_role_id (role_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS galaxy_session (
    id INTEGER NOT NULL AUTO_INCREMENT,
    create_time DATETIME(6),
    update_time DATETIME(6),
    user_id INTEGER,
    remote_host VARCHAR(255),
    remote_addr VARCHAR(255),
    referer LONGTEXT,
    current_history_id INTEGER,
    session_key VARCHAR(255),
    is_valid BOOL,
    prev_session_id INTEGER,
    disk_usage NUMERIC(15, 0),
    last_action DATETIME(6),
    CONSTRAINT galaxy_session_pkey PRIMARY KEY (id),
    CONSTRAINT galaxy_session_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id),
    CONSTRAINT galaxy_session_current_history_id_fkey FOREIGN KEY(current_history_id) REFERENCES history (id),
    KEY ix_galaxy_session_disk_usage (disk_usage),
    UNIQUE KEY ix_galaxy_session_session_key (session_key),
    KEY ix_galaxy_session_user_id (user_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS workflow (
    id INTEGER NOT NULL AUTO_INCREMENT,
    create_time DATETIME(6),
    update_time DATETIME(6),
    stored_workflow_id INTEGER,
    parent_workflow_id INTEGER,
    name LONGTEXT,
    has_cycles BOOL,
    has_errors BOOL,
    reports_config LONGBLOB,
    creator_metadata LONGBLOB,
    license LONGTEXT,
    source_metadata LONGBLOB,
    readme LONGTEXT,
    logo_url LONGTEXT,
    help LONGTEXT,
    uuid CHAR(32),
    doi JSON,
    CONSTRAINT workflow_pkey PRIMARY KEY (id),
    CONSTRAINT workflow_stored_workflow_id_fkey FOREIGN KEY(stored_workflow_id) REFERENCES stored_workflow (id),
    CONSTRAINT workflow_parent_workflow_id_fkey FOREIGN KEY(parent_workflow_id) REFERENCES workflow (id),
    KEY ix_workflow_parent_workflow_id (parent_workflow_id),
    KEY ix_workflow_stored_workflow_id (stored_workflow_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS stored_workflow_user_share_connection (
    id INTEGER NOT NULL AUTO_INCREMENT,
    stored_workflow_id INTEGER,
    user_id INTEGER,
    CONSTRAINT stored_workflow_user_share_connection_pkey PRIMARY KEY (id),
    CONSTRAINT stored_workflow_user_share_connection_stored_workflow_id_fkey FOREIGN KEY(stored_workflow_id) REFERENCES stored_workflow (id),
    CONSTRAINT stored_workflow_user_share_connection_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id),
    KEY ix_stored_workflow_user_share_connection_stored_workflow_id (stored_workflow_id),
    KEY ix_stored_workflow_user_share_connection_user_id (user_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS stored_workflow_menu_entry (
    id INTEGER NOT NULL AUTO_INCREMENT,
    stored_workflow_id INTEGER,
    user_id INTEGER,
    order_index INTEGER,
    CONSTRAINT stored_workflow_menu_entry_pkey PRIMARY KEY (id),
    CONSTRAINT stored_workflow_menu_entry_stored_workflow_id_fkey FOREIGN KEY(stored_workflow_id) REFERENCES stored_workflow (id),
    CONSTRAINT stored_workflow_menu_entry_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id),
    KEY ix_stored_workflow_menu_entry_stored_workflow_id (stored_workflow_id),
    KEY ix_stored_workflow_menu_entry_user_id (user_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS visualization_revision (
    id INTEGER NOT NULL AUTO_INCREMENT,
    create_time DATETIME(6),
    update_time DATETIME(6),
    visualization_id INTEGER NOT NULL,
    title LONGTEXT,
    dbkey LONGTEXT,
    config LONGBLOB,
    CONSTRAINT visualization_revision_pkey PRIMARY KEY (id),
    CONSTRAINT visualization_revision_visualization_id_fkey FOREIGN KEY(visualization_id) REFERENCES visualization (id),
    KEY ix_visualization_revision_dbkey (dbkey(200)),
    KEY ix_visualization_revision_visualization_id (visualization_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS visualization_user_share_association (
    id INTEGER NOT NULL AUTO_INCREMENT,
    visualization_id INTEGER,
    user_id INTEGER,
    CONSTRAINT visualization_user_share_association_pkey PRIMARY KEY (id),
    CONSTRAINT visualization_user_share_association_visualization_id_fkey FOREIGN KEY(visualization_id) REFERENCES visualization (id),
    CONSTRAINT visualization_user_share_association_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id),
    KEY ix_visualization_user_share_association_user_id (user_id),
    KEY ix_visualization_user_share_association_visualization_id (visualization_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS history_tag_association (
    id INTEGER NOT NULL AUTO_INCREMENT,
    history_id INTEGER,
    tag_id INTEGER,
    user_id INTEGER,
    user_tname VARCHAR(255),
    value VARCHAR(255),
    user_value VARCHAR(255),
    CONSTRAINT history_tag_association_pkey PRIMARY KEY (id),
    CONSTRAINT history_tag_association_history_id_fkey FOREIGN KEY(history_id) REFERENCES history (id),
    CONSTRAINT history_tag_association_tag_id_fkey FOREIGN KEY(tag_id) REFERENCES tag (id),
    CONSTRAINT history_tag_association_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id),
    KEY ix_history_tag_association_history_id (history_id),
    KEY ix_history_tag_association_tag_id (tag_id),
    KEY ix_history_tag_association_user_id (user_id),
    KEY ix_history_tag_association_user_tname (user_tname),
    KEY ix_history_tag_association_user_value (user_value),
    KEY ix_history_tag_association_value (value)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS stored_workflow_tag_association (
    id INTEGER NOT NULL AUTO_INCREMENT,
    stored_workflow_id INTEGER,
    tag_id INTEGER,
    user_id INTEGER,
    user_tname VARCHAR(255),
    value VARCHAR(255),
    user_value VARCHAR(255),
    CONSTRAINT stored_workflow_tag_association_pkey PRIMARY KEY (id),
    CONSTRAINT stored_workflow_tag_association_stored_workflow_id_fkey FOREIGN KEY(stored_workflow_id) REFERENCES stored_workflow (id),
    CONSTRAINT stored_workflow_tag_association_tag_id_fkey FOREIGN KEY(tag_id) REFERENCES tag (id),
    CONSTRAINT stored_workflow_tag_association_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id),
    KEY ix_stored_workflow_tag_association_stored_workflow_id (stored_workflow_id),
    KEY ix_stored_workflow_tag_association_tag_id (tag_id),
    KEY ix_stored_workflow_tag_association_user_id (user_id),
    KEY ix_stored_workflow_tag_association_user_tname (user_tname),
    KEY ix_stored_workflow_tag_association_user_value (user_value),
    KEY ix_stored_workflow_tag_association_value (value)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS visualization_tag_association (
    id INTEGER NOT NULL AUTO_INCREMENT,
    visualization_id INTEGER,
    tag_id INTEGER,
    user_id INTEGER,
    user_tname VARCHAR(255),
    value VARCHAR(255),
    user_value VARCHAR(255),
    CONSTRAINT visualization_tag_association_pkey PRIMARY KEY (id),
    CONSTRAINT visualization_tag_association_visualization_id_fkey FOREIGN KEY(visualization_id) REFERENCES visualization (id),
    CONSTRAINT visualization_tag_association_tag_id_fkey FOREIGN KEY(tag_id) REFERENCES tag (id),
    CONSTRAINT visualization_tag_association_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id),
    KEY ix_visualization_tag_association_tag_id (tag_id),
    KEY ix_visualization_tag_association_user_id (user_id),
    KEY ix_visualization_tag_association_user_tname (user_tname),
    KEY ix_visualization_tag_association_user_value (user_value),
    KEY ix_visualization_tag_association_value (value),
    KEY ix_visualization_tag_association_visualization_id (visualization_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS history_annotation_association (
    id INTEGER NOT NULL AUTO_INCREMENT,
    history_id INTEGER,
    user_id INTEGER,
    annotation LONGTEXT,
    CONSTRAINT history_annotation_association_pkey PRIMARY KEY (id),
    CONSTRAINT history_annotation_association_history_id_fkey FOREIGN KEY(history_id) REFERENCES history (id),
    CONSTRAINT history_annotation_association_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id),
    KEY ix_history_anno_assoc_annotation (annotation(200)),
    KEY ix_history_annotation_association_history_id (history_id),
    KEY ix_history_annotation_association_user_id (user_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS stored_workflow_annotation_association (
    id INTEGER NOT NULL AUTO_INCREMENT,
    stored_workflow_id INTEGER,
    user_id INTEGER,
    annotation LONGTEXT,
    CONSTRAINT stored_workflow_annotation_association_pkey PRIMARY KEY (id),
    CONSTRAINT stored_workflow_annotation_association_stored_workflow_id_fkey FOREIGN KEY(stored_workflow_id) REFERENCES stored_workflow (id),
    CONSTRAINT stored_workflow_annotation_association_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id),
    KEY ix_stored_workflow_ann_assoc_annotation (annotation(200)),
    KEY ix_stored_workflow_annotation_association_stored_workflow_id (stored_workflow_id),
    KEY ix_stored_workflow_annotation_association_user_id (user_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS visualization_annotation_association (
    id INTEGER NOT NULL AUTO_INCREMENT,
    visualization_id INTEGER,
    user_id INTEGER,
    annotation LONGTEXT,
    CONSTRAINT visualization_annotation_association_pkey PRIMARY KEY (id),
    CONSTRAINT visualization_annotation_association_visualization_id_fkey FOREIGN KEY(visualization_id) REFERENCES visualization (id),
    CONSTRAINT visualization_annotation_association_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id),
    KEY ix_visualization_annotation_association_annotation (annotation(200)),
    KEY ix_visualization_annotation_association_user_id (user_id),
    KEY ix_visualization_annotation_association_visualization_id (visualization_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS history_rating_association (
    id INTEGER NOT NULL AUTO_INCREMENT,
    history_id INTEGER,
    user_id INTEGER,
    rating INTEGER,
    CONSTRAINT history_rating_association_pkey PRIMARY KEY (id),
    CONSTRAINT history_rating_association_history_id_fkey FOREIGN KEY(history_id) REFERENCES history (id),
    CONSTRAINT history_rating_association_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id),
    KEY ix_history_rating_association_history_id (history_id),
    KEY ix_history_rating_association_rating (rating),
    KEY ix_history_rating_association_user_id (user_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS stored_workflow_rating_association (
    id INTEGER NOT NULL AUTO_INCREMENT,
    stored_workflow_id INTEGER,
    user_id INTEGER,
    rating INTEGER,
    CONSTRAINT stored_workflow_rating_association_pkey PRIMARY KEY (id),
    CONSTRAINT stored_workflow_rating_association_stored_workflow_id_fkey FOREIGN KEY(stored_workflow_id) REFERENCES stored_workflow (id),
    CONSTRAINT stored_workflow_rating_association_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id),
    KEY ix_stored_workflow_rating_association_rating (rating),
    KEY ix_stored_workflow_rating_association_stored_workflow_id (stored_workflow_id),
    KEY ix_stored_workflow_rating_association_user_id (user_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS visualization_rating_association (
    id INTEGER NOT NULL AUTO_INCREMENT,
    visualization_id INTEGER,
    user_id INTEGER,
    rating INTEGER,
    CONSTRAINT visualization_rating_association_pkey PRIMARY KEY (id),
    CONSTRAINT visualization_rating_association_visualization_id_fkey FOREIGN KEY(visualization_id) REFERENCES visualization (id),
    CONSTRAINT visualization_rating_association_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id),
    KEY ix_visualization_rating_association_rating (rating),
    KEY ix_visualization_rating_association_user_id (user_id),
    KEY ix_visualization_rating_association_visualization_id (visualization_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS data_manager_history_association (
    id INTEGER NOT NULL AUTO_INCREMENT,
    create_time DATETIME(6),
    update_time DATETIME(6),
    history_id INTEGER,
    user_id INTEGER,
    CONSTRAINT data_manager_history_association_pkey PRIMARY KEY (id),
    CONSTRAINT data_manager_history_association_history_id_fkey FOREIGN KEY(history_id) REFERENCES history (id),
    CONSTRAINT data_manager_history_association_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id),
    KEY ix_data_manager_history_association_history_id (history_id),
    KEY ix_data_manager_history_association_update_time (update_time),
    KEY ix_data_manager_history_association_user_id (user_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS cleanup_event_history_association (
    id INTEGER NOT NULL AUTO_INCREMENT,
    create_time DATETIME(6),
    cleanup_event_id INTEGER,
    history_id INTEGER,
    CONSTRAINT cleanup_event_history_association_pkey PRIMARY KEY (id),
    CONSTRAINT cleanup_event_history_association_cleanup_event_id_fkey FOREIGN KEY(cleanup_event_id) REFERENCES cleanup_event (id),
    CONSTRAINT cleanup_event_history_association_history_id_fkey FOREIGN KEY(history_id) REFERENCES history (id),
    KEY ix_cleanup_event_history_association_cleanup_event_id (cleanup_event_id),
    KEY ix_cleanup_event_history_association_history_id (history_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS dataset_storage_operation_snapshot (
    id INTEGER NOT NULL AUTO_INCREMENT,
    history_id INTEGER NOT NULL,
    user_id INTEGER NOT NULL,
    mode VARCHAR(32) NOT NULL,
    target_object_store_id VARCHAR(255) NOT NULL,
    resolved_dataset_ids LONGBLOB NOT NULL,
    eligible_dataset_ids LONGBLOB NOT NULL,
    create_time DATETIME(6),
    update_time DATETIME(6),
    expires_at DATETIME(6) NOT NULL,
    CONSTRAINT dataset_storage_operation_snapshot_pkey PRIMARY KEY (id),
    CONSTRAINT dataset_storage_operation_snapshot_history_id_fkey FOREIGN KEY(history_id) REFERENCES history (id) ON DELETE CASCADE,
    CONSTRAINT dataset_storage_operation_snapshot_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id) ON DELETE CASCADE,
    KEY ix_dataset_storage_operation_snapshot_expires_at (expires_at),
    KEY ix_dataset_storage_operation_snapshot_history_id (history_id),
    KEY ix_dataset_storage_operation_snapshot_mode (mode),
    KEY ix_dataset_storage_operation_snapshot_user_id (user_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS job (
    id INTEGER NOT NULL AUTO_INCREMENT,
    create_time DATETIME(6),
    update_time DATETIME(6),
    history_id INTEGER,
    library_folder_id INTEGER,
    tool_id VARCHAR(255),
    tool_version LONGTEXT,
    galaxy_version VARCHAR(64),
    dynamic_tool_id INTEGER,
    state VARCHAR(64),
    info VARCHAR(255),
    copied_from_job_id INTEGER,
    command_line LONGTEXT,
    dependencies LONGBLOB,
    job_messages LONGBLOB,
    param_filename VARCHAR(1024),
    runner_name VARCHAR(255),
    job_stdout LONGTEXT,
    job_stderr LONGTEXT,
    tool_stdout LONGTEXT,
    tool_stderr LONGTEXT,
    exit_code INTEGER,
    traceback LONGTEXT,
    session_id INTEGER,
    user_id INTEGER,
    job_runner_name VARCHAR(255),
    job_runner_external_id VARCHAR(255),
    destination_id VARCHAR(255),
    destination_params LONGBLOB,
    object_store_id VARCHAR(255),
    imported BOOL,
    handler VARCHAR(255),
    preferred_object_store_id VARCHAR(255),
    object_store_id_overrides LONGBLOB,
    tool_request_id INTEGER,
    tool_state JSON,
    CONSTRAINT job_pkey PRIMARY KEY (id),
    CONSTRAINT job_history_id_fkey FOREIGN KEY(history_id) REFERENCES history (id),
    CONSTRAINT job_library_folder_id_fkey FOREIGN KEY(library_folder_id) REFERENCES library_folder (id),
    CONSTRAINT job_dynamic_tool_id_fkey FOREIGN KEY(dynamic_tool_id) REFERENCES dynamic_tool (id),
    CONSTRAINT job_session_id_fkey FOREIGN KEY(session_id) REFERENCES galaxy_session (id) ON DELETE SET NULL,
    CONSTRAINT job_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id),
    CONSTRAINT job_tool_request_id_fkey FOREIGN KEY(tool_request_id) REFERENCES tool_request (id),
    KEY ix_job_dynamic_tool_id (dynamic_tool_id),
    KEY ix_job_handler (handler),
    KEY ix_job_history_id (history_id),
    KEY ix_job_imported (imported),
    KEY ix_job_job_runner_external_id (job_runner_external_id),
    KEY ix_job_library_folder_id (library_folder_id),
    KEY ix_job_object_store_id (object_store_id),
    KEY ix_job_session_id (session_id),
    KEY ix_job_state (state),
    KEY ix_job_tool_id (tool_id),
    KEY ix_job_tool_request_id (tool_request_id),
    KEY ix_job_update_time (update_time),
    KEY ix_job_user_id (user_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS event (
    id INTEGER NOT NULL AUTO_INCREMENT,
    create_time DATETIME(6),
    update_time DATETIME(6),
    history_id INTEGER,
    user_id INTEGER,
    message VARCHAR(1024),
    session_id INTEGER,
    tool_id VARCHAR(255),
    CONSTRAINT event_pkey PRIMARY KEY (id),
    CONSTRAINT event_history_id_fkey FOREIGN KEY(history_id) REFERENCES history (id),
    CONSTRAINT event_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id),
    CONSTRAINT event_session_id_fkey FOREIGN KEY(session_id) REFERENCES galaxy_session (id) ON DELETE SET NULL,
    KEY ix_event_history_id (history_id),
    KEY ix_event_session_id (session_id),
    KEY ix_event_user_id (user_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS galaxy_session_to_history (
    id INTEGER NOT NULL AUTO_INCREMENT,
    create_time DATETIME(6),
    session_id INTEGER,
    history_id INTEGER,
    CONSTRAINT galaxy_session_to_history_pkey PRIMARY KEY (id),
    CONSTRAINT galaxy_session_to_history_session_id_fkey FOREIGN KEY(session_id) REFERENCES galaxy_session (id) ON DELETE CASCADE,
    CONSTRAINT galaxy_session_to_history_history_id_fkey FOREIGN KEY(history_id) REFERENCES history (id),
    KEY ix_galaxy_session_to_history_history_id (history_id),
    KEY ix_galaxy_session_to_history_session_id (session_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS workflow_comment (
    id INTEGER NOT NULL AUTO_INCREMENT,
    order_index INTEGER,
    workflow_id INTEGER NOT NULL,
    position LONGBLOB,
    size LONGBLOB,
    type VARCHAR(16),
    color VARCHAR(16),
    data LONGBLOB,
    parent_comment_id INTEGER,
    CONSTRAINT workflow_comment_pkey PRIMARY KEY (id),
    CONSTRAINT workflow_comment_workflow_id_fkey FOREIGN KEY(workflow_id) REFERENCES workflow (id),
    CONSTRAINT workflow_comment_parent_comment_id_fkey FOREIGN KEY(parent_comment_id) REFERENCES workflow_comment (id),
    KEY ix_workflow_comment_parent_comment_id (parent_comment_id),
    KEY ix_workflow_comment_workflow_id (workflow_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS workflow_invocation (
    id INTEGER NOT NULL AUTO_INCREMENT,
    create_time DATETIME(6),
    update_time DATETIME(6),
    workflow_id INTEGER NOT NULL,
    state VARCHAR(64),
    scheduler VARCHAR(255),
    handler VARCHAR(255),
    uuid CHAR(32),
    history_id INTEGER,
    on_complete JSON,
    CONSTRAINT workflow_invocation_pkey PRIMARY KEY (id),
    CONSTRAINT workflow_invocation_workflow_id_fkey FOREIGN KEY(workflow_id) REFERENCES workflow (id),
    CONSTRAINT workflow_invocation_history_id_fkey FOREIGN KEY(history_id) REFERENCES history (id),
    KEY ix_workflow_invocation_handler (handler),
    KEY ix_workflow_invocation_history_id (history_id),
    KEY ix_workflow_invocation_scheduler (scheduler),
    KEY ix_workflow_invocation_state (state),
    KEY ix_workflow_invocation_update_time (update_time),
    KEY ix_workflow_invocation_workflow_id (workflow_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS workflow_landing_request (
    id INTEGER NOT NULL AUTO_INCREMENT,
    user_id INTEGER,
    workflow_id INTEGER,
    stored_workflow_id INTEGER,
    create_time DATETIME(6),
    update_time DATETIME(6),
    uuid CHAR(32) NOT NULL,
    request_state LONGBLOB,
    client_secret VARCHAR(255),
    workflow_source VARCHAR(255),
    workflow_source_type VARCHAR(255),
    public BOOL NOT NULL,
    origin VARCHAR(255),
    CONSTRAINT workflow_landing_request_pkey PRIMARY KEY (id),
    CONSTRAINT workflow_landing_request_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id),
    CONSTRAINT workflow_landing_request_workflow_id_fkey FOREIGN KEY(workflow_id) REFERENCES stored_workflow (id),
    CONSTRAINT workflow_landing_request_stored_workflow_id_fkey FOREIGN KEY(stored_workflow_id) REFERENCES workflow (id),
    KEY ix_workflow_landing_request_update_time (update_time),
    KEY ix_workflow_landing_request_user_id (user_id),
    KEY ix_workflow_landing_request_uuid (uuid)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS landing_request_to_tool_request_association (
    id INTEGER NOT NULL AUTO_INCREMENT,
    landing_request_id INTEGER NOT NULL,
    tool_request_id INTEGER NOT NULL,
    CONSTRAINT landing_request_to_tool_request_association_pkey PRIMARY KEY (id),
    CONSTRAINT landing_request_to_tool_request_association_landing_requ_64f3 FOREIGN KEY(landing_request_id) REFERENCES tool_landing_request (id),
    CONSTRAINT landing_request_to_tool_request_association_tool_request_id_fkey FOREIGN KEY(tool_request_id) REFERENCES tool_request (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS user_action (
    id INTEGER NOT NULL AUTO_INCREMENT,
    create_time DATETIME(6),
    user_id INTEGER,
    session_id INTEGER,
    action VARCHAR(255),
    context VARCHAR(512),
    params VARCHAR(1024),
    CONSTRAINT user_action_pkey PRIMARY KEY (id),
    CONSTRAINT user_action_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id),
    CONSTRAINT user_action_session_id_fkey FOREIGN KEY(session_id) REFERENCES galaxy_session (id) ON DELETE SET NULL,
    KEY ix_user_action_session_id (session_id),
    KEY ix_user_action_user_id (user_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS dataset_storage_operation_run (
    id INTEGER NOT NULL AUTO_INCREMENT,
    snapshot_id INTEGER NOT NULL,
    history_id INTEGER NOT NULL,
    user_id INTEGER NOT NULL,
    mode VARCHAR(32) NOT NULL,
    target_object_store_id VARCHAR(255) NOT NULL,
    state VARCHAR(32) NOT NULL,
    skip_ineligible BOOL NOT NULL,
    notify_on_completion BOOL NOT NULL,
    task_id CHAR(32),
    total_count INTEGER NOT NULL,
    succeeded_count INTEGER NOT NULL,
    failed_count INTEGER NOT NULL,
    skipped_count INTEGER NOT NULL,
    total_bytes_processed BIGINT NOT NULL,
    create_time DATETIME(6),
    update_time DATETIME(6),
    CONSTRAINT dataset_storage_operation_run_pkey PRIMARY KEY (id),
    CONSTRAINT dataset_storage_operation_run_snapshot_id_fkey FOREIGN KEY(snapshot_id) REFERENCES dataset_storage_operation_snapshot (id) ON DELETE CASCADE,
    CONSTRAINT dataset_storage_operation_run_history_id_fkey FOREIGN KEY(history_id) REFERENCES history (id) ON DELETE CASCADE,
    CONSTRAINT dataset_storage_operation_run_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id) ON DELETE CASCADE,
    KEY ix_dataset_storage_operation_run_history_id (history_id),
    KEY ix_dataset_storage_operation_run_mode (mode),
    KEY ix_dataset_storage_operation_run_snapshot_id (snapshot_id),
    KEY ix_dataset_storage_operation_run_state (state),
    KEY ix_dataset_storage_operation_run_task_id (task_id),
    KEY ix_dataset_storage_operation_run_user_id (user_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS job_metric_text (
    id INTEGER NOT NULL AUTO_INCREMENT,
    job_id INTEGER,
    plugin VARCHAR(255),
    metric_name VARCHAR(255),
    metric_value VARCHAR(1023),
    CONSTRAINT job_metric_text_pkey PRIMARY KEY (id),
    CONSTRAINT job_metric_text_job_id_fkey FOREIGN KEY(job_id) REFERENCES job (id),
    KEY ix_job_metric_text_job_id (job_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS job_metric_numeric (
    id INTEGER NOT NULL AUTO_INCREMENT,
    job_id INTEGER,
    plugin VARCHAR(255),
    metric_name VARCHAR(255),
    metric_value NUMERIC(26, 7),
    CONSTRAINT job_metric_numeric_pkey PRIMARY KEY (id),
    CONSTRAINT job_metric_numeric_job_id_fkey FOREIGN KEY(job_id) REFERENCES job (id),
    KEY ix_job_metric_numeric_job_id (job_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS task (
    id INTEGER NOT NULL AUTO_INCREMENT,
    create_time DATETIME(6),
    execution_time DATETIME(6),
    update_time DATETIME(6),
    state VARCHAR(64),
    command_line LONGTEXT,
    param_filename VARCHAR(1024),
    runner_name VARCHAR(255),
    job_stdout LONGTEXT,
    job_stderr LONGTEXT,
    tool_stdout LONGTEXT,
    tool_stderr LONGTEXT,
    exit_code INTEGER,
    job_messages LONGBLOB,
    info VARCHAR(255),
    traceback LONGTEXT,
    job_id INTEGER NOT NULL,
    working_directory VARCHAR(1024),
    task_runner_name VARCHAR(255),
    task_runner_external_id VARCHAR(255),
    prepare_input_files_cmd LONGTEXT,
    CONSTRAINT task_pkey PRIMARY KEY (id),
    CONSTRAINT task_job_id_fkey FOREIGN KEY(job_id) REFERENCES job (id),
    KEY ix_task_job_id (job_id),
    KEY ix_task_state (state)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS job_parameter (
    id INTEGER NOT NULL AUTO_INCREMENT,
    job_id INTEGER,
    name VARCHAR(255),
    value LONGTEXT,
    CONSTRAINT job_parameter_pkey PRIMARY KEY (id),
    CONSTRAINT job_parameter_job_id_fkey FOREIGN KEY(job_id) REFERENCES job (id),
    KEY ix_job_parameter_job_id (job_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS job_to_implicit_output_dataset_collection (
    id INTEGER NOT NULL AUTO_INCREMENT,
    job_id INTEGER,
    dataset_collection_id INTEGER,
    name VARCHAR(255),
    CONSTRAINT job_to_implicit_output_dataset_collection_pkey PRIMARY KEY (id),
    CONSTRAINT job_to_implicit_output_dataset_collection_job_id_fkey FOREIGN KEY(job_id) REFERENCES job (id),
    CONSTRAINT job_to_implicit_output_dataset_collection_dataset_collec_066b FOREIGN KEY(dataset_collection_id) REFERENCES dataset_collection (id),
    KEY ix_job_to_implicit_output_dataset_collection_dataset_col_c788 (dataset_collection_id),
    KEY ix_job_to_implicit_output_dataset_collection_job_id (job_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS job_state_history (
    id INTEGER NOT NULL AUTO_INCREMENT,
    create_time DATETIME(6),
    job_id INTEGER,
    state VARCHAR(64),
    info VARCHAR(255),
    CONSTRAINT job_state_history_pkey PRIMARY KEY (id),
    CONSTRAINT job_state_history_job_id_fkey FOREIGN KEY(job_id) REFERENCES job (id),
    KEY ix_job_state_history_job_id (job_id),
    KEY ix_job_state_history_state (state)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS job_credentials_context (
    id INTEGER NOT NULL AUTO_INCREMENT,
    job_id INTEGER NOT NULL,
    user_credentials_id INTEGER,
    service_name VARCHAR(255) NOT NULL,
    service_version VARCHAR(255) NOT NULL,
    selected_group_id INTEGER,
    selected_group_name VARCHAR(255) NOT NULL,
    CONSTRAINT job_credentials_context_pkey PRIMARY KEY (id),
    CONSTRAINT job_credentials_context_job_id_fkey FOREIGN KEY(job_id) REFERENCES job (id),
    CONSTRAINT job_credentials_context_user_credentials_id_fkey FOREIGN KEY(user_credentials_id) REFERENCES user_credentials (id) ON DELETE SET NULL,
    CONSTRAINT job_credentials_context_selected_group_id_fkey FOREIGN KEY(selected_group_id) REFERENCES credentials_group (id) ON DELETE SET NULL,
    KEY ix_job_credentials_context_job_id (job_id),
    KEY ix_job_credentials_context_selected_group_id (selected_group_id),
    KEY ix_job_credentials_context_user_credentials_id (user_credentials_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS implicit_collection_jobs_job_association (
    id INTEGER NOT NULL AUTO_INCREMENT,
    implicit_collection_jobs_id INTEGER,
    job_id INTEGER,
    order_index INTEGER NOT NULL,
    CONSTRAINT implicit_collection_jobs_job_association_pkey PRIMARY KEY (id),
    CONSTRAINT implicit_collection_jobs_job_association_implicit_collec_8095 FOREIGN KEY(implicit_collection_jobs_id) REFERENCES implicit_collection_jobs (id),
    CONSTRAINT implicit_collection_jobs_job_association_job_id_fkey FOREIGN KEY(job_id) REFERENCES job (id),
    KEY ix_implicit_collection_jobs_job_association_implicit_col_ea04 (implicit_collection_jobs_id),
    KEY ix_implicit_collection_jobs_job_association_job_id (job_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS job_import_history_archive (
    id INTEGER NOT NULL AUTO_INCREMENT,
    job_id INTEGER,
    history_id INTEGER,
    archive_dir LONGTEXT,
    CONSTRAINT job_import_history_archive_pkey PRIMARY KEY (id),
    CONSTRAINT job_import_history_archive_job_id_fkey FOREIGN KEY(job_id) REFERENCES job (id),
    CONSTRAINT job_import_history_archive_history_id_fkey FOREIGN KEY(history_id) REFERENCES history (id),
    KEY ix_job_import_history_archive_history_id (history_id),
    KEY ix_job_import_history_archive_job_id (job_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS job_container_association (
    id INTEGER NOT NULL AUTO_INCREMENT,
    job_id INTEGER,
    container_type LONGTEXT,
    container_name LONGTEXT,
    container_info LONGBLOB,
    created_time DATETIME(6),
    modified_time DATETIME(6),
    CONSTRAINT job_container_association_pkey PRIMARY KEY (id),
    CONSTRAINT job_container_association_job_id_fkey FOREIGN KEY(job_id) REFERENCES job (id),
    KEY ix_job_container_association_job_id (job_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS interactivetool_entry_point (
    id INTEGER NOT NULL AUTO_INCREMENT,
    job_id INTEGER,
    name LONGTEXT,
    token LONGTEXT NOT NULL,
    tool_port INTEGER,
    host LONGTEXT,
    port INTEGER,
    protocol LONGTEXT,
    entry_url LONGTEXT,
    requires_domain BOOL,
    requires_path_in_url BOOL,
    requires_path_in_header_named LONGTEXT,
    info LONGBLOB,
    configured BOOL,
    deleted BOOL,
    created_time DATETIME(6),
    modified_time DATETIME(6),
    label LONGTEXT,
    CONSTRAINT interactivetool_entry_point_pkey PRIMARY KEY (id),
    CONSTRAINT interactivetool_entry_point_job_id_fkey FOREIGN KEY(job_id) REFERENCES job (id),
    KEY ix_interactivetool_entry_point_job_id (job_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS dataset (
    id INTEGER NOT NULL AUTO_INCREMENT,
    job_id INTEGER,
    create_time DATETIME(6),
    update_time DATETIME(6),
    state VARCHAR(64),
    deleted BOOL,
    purged BOOL,
    purgable BOOL,
    object_store_id VARCHAR(255),
    external_filename LONGTEXT,
    _extra_files_path LONGTEXT,
    created_from_basename LONGTEXT,
    file_size NUMERIC(15, 0),
    total_size NUMERIC(15, 0),
    uuid CHAR(32),
    CONSTRAINT dataset_pkey PRIMARY KEY (id),
    CONSTRAINT uq_uuid_column UNIQUE (uuid),
    CONSTRAINT dataset_job_id_fkey FOREIGN KEY(job_id) REFERENCES job (id),
    CONSTRAINT dataset_uuid_key UNIQUE (uuid),
    KEY ix_dataset_deleted (deleted),
    KEY ix_dataset_job_id (job_id),
    KEY ix_dataset_object_store_id (object_store_id),
    KEY ix_dataset_purged (purged),
    KEY ix_dataset_state (state),
    KEY ix_dataset_update_time (update_time)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS history_dataset_collection_association (
    id INTEGER NOT NULL AUTO_INCREMENT,
    collection_id INTEGER,
    history_id INTEGER,
    name VARCHAR(255),
    hid INTEGER,
    visible BOOL,
    deleted BOOL,
    copied_from_history_dataset_collection_association_id INTEGER,
    implicit_output_name VARCHAR(255),
    job_id INTEGER,
    implicit_collection_jobs_id INTEGER,
    create_time DATETIME(6),
    update_time DATETIME(6),
    CONSTRAINT history_dataset_collection_association_pkey PRIMARY KEY (id),
    CONSTRAINT history_dataset_collection_association_collection_id_fkey FOREIGN KEY(collection_id) REFERENCES dataset_collection (id),
    CONSTRAINT history_dataset_collection_association_history_id_fkey FOREIGN KEY(history_id) REFERENCES history (id),
    CONSTRAINT history_dataset_collection_association_copied_from_histo_b77d FOREIGN KEY(copied_from_history_dataset_collection_association_id) REFERENCES history_dataset_collection_association (id),
    CONSTRAINT history_dataset_collection_association_job_id_fkey FOREIGN KEY(job_id) REFERENCES job (id),
    CONSTRAINT history_dataset_collection_association_implicit_collecti_ec64 FOREIGN KEY(implicit_collection_jobs_id) REFERENCES implicit_collection_jobs (id),
    KEY ix_history_dataset_collection_association_collection_id (collection_id),
    KEY ix_history_dataset_collection_association_history_id (history_id),
    KEY ix_history_dataset_collection_association_implicit_colle_1290 (implicit_collection_jobs_id),
    KEY ix_history_dataset_collection_association_job_id (job_id),
    KEY ix_history_dataset_collection_association_update_time (update_time)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS workflow_step (
    id INTEGER NOT NULL AUTO_INCREMENT,
    create_time DATETIME(6),
    update_time DATETIME(6),
    workflow_id INTEGER NOT NULL,
    subworkflow_id INTEGER,
    dynamic_tool_id INTEGER,
    type VARCHAR(64),
    tool_id LONGTEXT,
    tool_version LONGTEXT,
    tool_inputs LONGBLOB,
    tool_errors LONGBLOB,
    position LONGBLOB,
    config LONGBLOB,
    order_index INTEGER NOT NULL,
    when_expression LONGBLOB,
    uuid CHAR(32),
    label VARCHAR(255),
    parent_comment_id INTEGER,
    CONSTRAINT workflow_step_pkey PRIMARY KEY (id),
    CONSTRAINT workflow_step_workflow_id_fkey FOREIGN KEY(workflow_id) REFERENCES workflow (id),
    CONSTRAINT workflow_step_subworkflow_id_fkey FOREIGN KEY(subworkflow_id) REFERENCES workflow (id),
    CONSTRAINT workflow_step_dynamic_tool_id_fkey FOREIGN KEY(dynamic_tool_id) REFERENCES dynamic_tool (id),
    CONSTRAINT workflow_step_parent_comment_id_fkey FOREIGN KEY(parent_comment_id) REFERENCES workflow_comment (id),
    KEY ix_workflow_step_dynamic_tool_id (dynamic_tool_id),
    KEY ix_workflow_step_parent_comment_id (parent_comment_id),
    KEY ix_workflow_step_subworkflow_id (subworkflow_id),
    KEY ix_workflow_step_workflow_id (workflow_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS workflow_invocation_completion (
    id INTEGER NOT NULL AUTO_INCREMENT,
    workflow_invocation_id INTEGER NOT NULL,
    completion_time DATETIME(6) NOT NULL,
    job_state_summary JSON,
    hooks_executed JSON,
    CONSTRAINT workflow_invocation_completion_pkey PRIMARY KEY (id),
    CONSTRAINT workflow_invocation_completion_workflow_invocation_id_fkey FOREIGN KEY(workflow_invocation_id) REFERENCES workflow_invocation (id),
    UNIQUE KEY ix_workflow_invocation_completion_workflow_invocation_id (workflow_invocation_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS workflow_request_input_parameters (
    id INTEGER NOT NULL AUTO_INCREMENT,
    workflow_invocation_id INTEGER,
    name VARCHAR(255),
    value LONGTEXT,
    type VARCHAR(255),
    CONSTRAINT workflow_request_input_parameters_pkey PRIMARY KEY (id),
    CONSTRAINT workflow_request_input_parameters_workflow_invocation_id_fkey FOREIGN KEY(workflow_invocation_id) REFERENCES workflow_invocation (id) ON DELETE CASCADE ON UPDATE CASCADE,
    KEY ix_workflow_request_input_parameters_workflow_invocation_id (workflow_invocation_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS page (
    id INTEGER NOT NULL AUTO_INCREMENT,
    create_time DATETIME(6),
    update_time DATETIME(6),
    user_id INTEGER NOT NULL,
    latest_revision_id INTEGER,
    title LONGTEXT,
    deleted BOOL,
    importable BOOL,
    slug LONGTEXT,
    published BOOL,
    source_invocation_id INTEGER,
    history_id INTEGER,
    CONSTRAINT page_pkey PRIMARY KEY (id),
    CONSTRAINT page_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id),
    CONSTRAINT page_source_invocation_id_fkey FOREIGN KEY(source_invocation_id) REFERENCES workflow_invocation (id),
    CONSTRAINT page_history_id_fkey FOREIGN KEY(history_id) REFERENCES history (id),
    CONSTRAINT page_latest_revision_id_fk FOREIGN KEY(latest_revision_id) REFERENCES page_revision (id),
    KEY ix_page_deleted (deleted),
    KEY ix_page_history_id (history_id),
    KEY ix_page_importable (importable),
    KEY ix_page_latest_revision_id (latest_revision_id),
    KEY ix_page_published (published),
    KEY ix_page_slug (slug(200)),
    KEY ix_page_source_invocation_id (source_invocation_id),
    KEY ix_page_user_id (user_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS data_manager_job_association (
    id INTEGER NOT NULL AUTO_INCREMENT,
    create_time DATETIME(6),
    update_time DATETIME(6),
    job_id INTEGER,
    data_manager_id LONGTEXT,
    CONSTRAINT data_manager_job_association_pkey PRIMARY KEY (id),
    CONSTRAINT data_manager_job_association_job_id_fkey FOREIGN KEY(job_id) REFERENCES job (id),
    KEY ix_data_manager_job_association_data_manager_id (data_manager_id(200)),
    KEY ix_data_manager_job_association_job_id (job_id),
    KEY ix_data_manager_job_association_update_time (update_time)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS landing_request_to_workflow_invocation_association (
    id INTEGER NOT NULL AUTO_INCREMENT,
    landing_request_id INTEGER NOT NULL,
    workflow_invocation_id INTEGER NOT NULL,
    CONSTRAINT landing_request_to_workflow_invocation_association_pkey PRIMARY KEY (id),
    CONSTRAINT landing_request_to_workflow_invocation_association_landi_3004 FOREIGN KEY(landing_request_id) REFERENCES workflow_landing_request (id),
    CONSTRAINT landing_request_to_workflow_invocation_association_workf_a279 FOREIGN KEY(workflow_invocation_id) REFERENCES workflow_invocation (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS tool_request_implicit_collection_association (
    id INTEGER NOT NULL AUTO_INCREMENT,
    tool_request_id INTEGER NOT NULL,
    dataset_collection_id INTEGER NOT NULL,
    output_name VARCHAR(255) NOT NULL,
    CONSTRAINT tool_request_implicit_collection_association_pkey PRIMARY KEY (id),
    CONSTRAINT fk_trica_tri FOREIGN KEY(tool_request_id) REFERENCES tool_request (id),
    CONSTRAINT fk_trica_dci FOREIGN KEY(dataset_collection_id) REFERENCES history_dataset_collection_association (id),
    KEY ix_tool_request_implicit_collection_association_dataset__35ab (dataset_collection_id),
    KEY ix_tool_request_implicit_collection_association_tool_request_id (tool_request_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS task_metric_text (
    id INTEGER NOT NULL AUTO_INCREMENT,
    task_id INTEGER,
    plugin VARCHAR(255),
    metric_name VARCHAR(255),
    metric_value VARCHAR(1023),
    CONSTRAINT task_metric_text_pkey PRIMARY KEY (id),
    CONSTRAINT task_metric_text_task_id_fkey FOREIGN KEY(task_id) REFERENCES task (id),
    KEY ix_task_metric_text_task_id (task_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS task_metric_numeric (
    id INTEGER NOT NULL AUTO_INCREMENT,
    task_id INTEGER,
    plugin VARCHAR(255),
    metric_name VARCHAR(255),
    metric_value NUMERIC(26, 7),
    CONSTRAINT task_metric_numeric_pkey PRIMARY KEY (id),
    CONSTRAINT task_metric_numeric_task_id_fkey FOREIGN KEY(task_id) REFERENCES task (id),
    KEY ix_task_metric_numeric_task_id (task_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS job_to_input_dataset_collection (
    id INTEGER NOT NULL AUTO_INCREMENT,
    job_id INTEGER,
    dataset_collection_id INTEGER,
    name VARCHAR(255),
    adapter LONGBLOB,
    CONSTRAINT job_to_input_dataset_collection_pkey PRIMARY KEY (id),
    CONSTRAINT job_to_input_dataset_collection_job_id_fkey FOREIGN KEY(job_id) REFERENCES job (id),
    CONSTRAINT job_to_input_dataset_collection_dataset_collection_id_fkey FOREIGN KEY(dataset_collection_id) REFERENCES history_dataset_collection_association (id),
    KEY ix_job_to_input_dataset_collection_dataset_collection_id (dataset_collection_id),
    KEY ix_job_to_input_dataset_collection_job_id (job_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS job_to_output_dataset_collection (
    id INTEGER NOT NULL AUTO_INCREMENT,
    job_id INTEGER,
    dataset_collection_id INTEGER,
    name VARCHAR(255),
    CONSTRAINT job_to_output_dataset_collection_pkey PRIMARY KEY (id),
    CONSTRAINT job_to_output_dataset_collection_job_id_fkey FOREIGN KEY(job_id) REFERENCES job (id),
    CONSTRAINT job_to_output_dataset_collection_dataset_collection_id_fkey FOREIGN KEY(dataset_collection_id) REFERENCES history_dataset_collection_association (id),
    KEY ix_job_to_output_dataset_collection_dataset_collection_id (dataset_collection_id),
    KEY ix_job_to_output_dataset_collection_job_id (job_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS implicitly_created_dataset_collection_inputs (
    id INTEGER NOT NULL AUTO_INCREMENT,
    dataset_collection_id INTEGER,
    input_dataset_collection_id INTEGER,
    name VARCHAR(255),
    CONSTRAINT implicitly_created_dataset_collection_inputs_pkey PRIMARY KEY (id),
    CONSTRAINT implicitly_created_dataset_collection_inputs_dataset_col_64bf FOREIGN KEY(dataset_collection_id) REFERENCES history_dataset_collection_association (id),
    CONSTRAINT implicitly_created_dataset_collection_inputs_input_datas_1655 FOREIGN KEY(input_dataset_collection_id) REFERENCES history_dataset_collection_association (id),
    KEY ix_implicitly_created_dataset_collection_inputs_dataset__5590 (dataset_collection_id),
    KEY ix_implicitly_created_dataset_collection_inputs_input_da_b5c7 (input_dataset_collection_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS post_job_action (
    id INTEGER NOT NULL AUTO_INCREMENT,
    workflow_step_id INTEGER,
    action_type VARCHAR(255) NOT NULL,
    output_name VARCHAR(255),
    action_arguments LONGBLOB,
    CONSTRAINT post_job_action_pkey PRIMARY KEY (id),
    CONSTRAINT post_job_action_workflow_step_id_fkey FOREIGN KEY(workflow_step_id) REFERENCES workflow_step (id),
    KEY ix_post_job_action_workflow_step_id (workflow_step_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS job_export_history_archive (
    id INTEGER NOT NULL AUTO_INCREMENT,
    job_id INTEGER,
    history_id INTEGER,
    dataset_id INTEGER,
    compressed BOOL,
    history_attrs_filename LONGTEXT,
    CONSTRAINT job_export_history_archive_pkey PRIMARY KEY (id),
    CONSTRAINT job_export_history_archive_job_id_fkey FOREIGN KEY(job_id) REFERENCES job (id),
    CONSTRAINT job_export_history_archive_history_id_fkey FOREIGN KEY(history_id) REFERENCES history (id),
    CONSTRAINT job_export_history_archive_dataset_id_fkey FOREIGN KEY(dataset_id) REFERENCES dataset (id),
    KEY ix_job_export_history_archive_compressed (compressed),
    KEY ix_job_export_history_archive_dataset_id (dataset_id),
    KEY ix_job_export_history_archive_history_id (history_id),
    KEY ix_job_export_history_archive_job_id (job_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS genome_index_tool_data (
    id INTEGER NOT NULL AUTO_INCREMENT,
    job_id INTEGER,
    dataset_id INTEGER,
    fasta_path VARCHAR(255),
    created_time DATETIME(6),
    modified_time DATETIME(6),
    indexer VARCHAR(64),
    user_id INTEGER,
    CONSTRAINT genome_index_tool_data_pkey PRIMARY KEY (id),
    CONSTRAINT genome_index_tool_data_job_id_fkey FOREIGN KEY(job_id) REFERENCES job (id),
    CONSTRAINT genome_index_tool_data_dataset_id_fkey FOREIGN KEY(dataset_id) REFERENCES dataset (id),
    CONSTRAINT genome_index_tool_data_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id),
    KEY ix_genome_index_tool_data_dataset_id (dataset_id),
    KEY ix_genome_index_tool_data_job_id (job_id),
    KEY ix_genome_index_tool_data_user_id (user_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS chat_exchange (
    id INTEGER NOT NULL AUTO_INCREMENT,
    user_id INTEGER NOT NULL,
    job_id INTEGER,
    page_id INTEGER,
    CONSTRAINT chat_exchange_pkey PRIMARY KEY (id),
    CONSTRAINT chat_exchange_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id),
    CONSTRAINT chat_exchange_job_id_fkey FOREIGN KEY(job_id) REFERENCES job (id),
    CONSTRAINT chat_exchange_page_id_fkey FOREIGN KEY(page_id) REFERENCES page (id),
    KEY ix_chat_exchange_job_id (job_id),
    KEY ix_chat_exchange_page_id (page_id),
    KEY ix_chat_exchange_user_id (user_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS dataset_permissions (
    id INTEGER NOT NULL AUTO_INCREMENT,
    create_time DATETIME(6),
    update_time DATETIME(6),
    action LONGTEXT,
    dataset_id INTEGER,
    role_id INTEGER,
    CONSTRAINT dataset_permissions_pkey PRIMARY KEY (id),
    CONSTRAINT dataset_permissions_dataset_id_fkey FOREIGN KEY(dataset_id) REFERENCES dataset (id),
    CONSTRAINT dataset_permissions_role_id_fkey FOREIGN KEY(role_id) REFERENCES `role` (id),
    KEY ix_dataset_permissions_dataset_id (dataset_id),
    KEY ix_dataset_permissions_role_id (role_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS dataset_source (
    id INTEGER NOT NULL AUTO_INCREMENT,
    dataset_id INTEGER,
    source_uri LONGTEXT,
    extra_files_path LONGTEXT,
    transform LONGBLOB,
    requested_transform LONGBLOB,
    CONSTRAINT dataset_source_pkey PRIMARY KEY (id),
    CONSTRAINT dataset_source_dataset_id_fkey FOREIGN KEY(dataset_id) REFERENCES dataset (id),
    KEY ix_dataset_source_dataset_id (dataset_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS dataset_hash (
    id INTEGER NOT NULL AUTO_INCREMENT,
    dataset_id INTEGER,
    hash_function LONGTEXT,
    hash_value LONGTEXT,
    extra_files_path LONGTEXT,
    CONSTRAINT dataset_hash_pkey PRIMARY KEY (id),
    CONSTRAINT dataset_hash_dataset_id_fkey FOREIGN KEY(dataset_id) REFERENCES dataset (id),
    KEY ix_dataset_hash_dataset_id (dataset_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS workflow_step_input (
    id INTEGER NOT NULL AUTO_INCREMENT,
    workflow_step_id INTEGER,
    name LONGTEXT,
    merge_type LONGTEXT,
    scatter_type LONGTEXT,
    value_from LONGBLOB,
    value_from_type LONGTEXT,
    default_value LONGBLOB,
    default_value_set BOOL,
    runtime_value BOOL,
    CONSTRAINT workflow_step_input_pkey PRIMARY KEY (id),
    CONSTRAINT workflow_step_input_workflow_step_id_fkey FOREIGN KEY(workflow_step_id) REFERENCES workflow_step (id),
    KEY ix_workflow_step_input_workflow_step_id (workflow_step_id),
    UNIQUE KEY ix_workflow_step_input_workflow_step_id_name_unique (workflow_step_id, name(200))
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS workflow_output (
    id INTEGER NOT NULL AUTO_INCREMENT,
    workflow_step_id INTEGER NOT NULL,
    output_name VARCHAR(255),
    label VARCHAR(255),
    uuid CHAR(32),
    CONSTRAINT workflow_output_pkey PRIMARY KEY (id),
    CONSTRAINT workflow_output_workflow_step_id_fkey FOREIGN KEY(workflow_step_id) REFERENCES workflow_step (id),
    KEY ix_workflow_output_workflow_step_id (workflow_step_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS workflow_invocation_to_subworkflow_invocation_association (
    id INTEGER NOT NULL AUTO_INCREMENT,
    workflow_invocation_id INTEGER,
    subworkflow_invocation_id INTEGER,
    workflow_step_id INTEGER,
    CONSTRAINT workflow_invocation_to_subworkflow_invocation_association_pkey PRIMARY KEY (id),
    CONSTRAINT fk_wfi_swi_wfi FOREIGN KEY(workflow_invocation_id) REFERENCES workflow_invocation (id),
    CONSTRAINT fk_wfi_swi_swi FOREIGN KEY(subworkflow_invocation_id) REFERENCES workflow_invocation (id),
    CONSTRAINT fk_wfi_swi_ws FOREIGN KEY(workflow_step_id) REFERENCES workflow_step (id),
    KEY ix_workflow_invocation_to_subworkflow_invocation_associa_1149 (subworkflow_invocation_id),
    KEY ix_workflow_invocation_to_subworkflow_invocation_associa_8f66 (workflow_invocation_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS workflow_invocation_step (
    id INTEGER NOT NULL AUTO_INCREMENT,
    create_time DATETIME(6),
    update_time DATETIME(6),
    workflow_invocation_id INTEGER NOT NULL,
    workflow_step_id INTEGER NOT NULL,
    state VARCHAR(64),
    job_id INTEGER,
    implicit_collection_jobs_id INTEGER,
    action LONGBLOB,
    CONSTRAINT workflow_invocation_step_pkey PRIMARY KEY (id),
    CONSTRAINT workflow_invocation_step_workflow_invocation_id_fkey FOREIGN KEY(workflow_invocation_id) REFERENCES workflow_invocation (id),
    CONSTRAINT workflow_invocation_step_workflow_step_id_fkey FOREIGN KEY(workflow_step_id) REFERENCES workflow_step (id),
    CONSTRAINT workflow_invocation_step_job_id_fkey FOREIGN KEY(job_id) REFERENCES job (id),
    CONSTRAINT workflow_invocation_step_implicit_collection_jobs_id_fkey FOREIGN KEY(implicit_collection_jobs_id) REFERENCES implicit_collection_jobs (id),
    KEY ix_workflow_invocation_step_implicit_collection_jobs_id (implicit_collection_jobs_id),
    KEY ix_workflow_invocation_step_job_id (job_id),
    KEY ix_workflow_invocation_step_state (state),
    KEY ix_workflow_invocation_step_workflow_invocation_id (workflow_invocation_id),
    KEY ix_workflow_invocation_step_workflow_step_id (workflow_step_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS workflow_request_step_states (
    id INTEGER NOT NULL AUTO_INCREMENT,
    workflow_invocation_id INTEGER,
    workflow_step_id INTEGER,
    value LONGBLOB,
    CONSTRAINT workflow_request_step_states_pkey PRIMARY KEY (id),
    CONSTRAINT workflow_request_step_states_workflow_invocation_id_fkey FOREIGN KEY(workflow_invocation_id) REFERENCES workflow_invocation (id) ON DELETE CASCADE ON UPDATE CASCADE,
    CONSTRAINT workflow_request_step_states_workflow_step_id_fkey FOREIGN KEY(workflow_step_id) REFERENCES workflow_step (id),
    KEY ix_workflow_request_step_states_workflow_invocation_id (workflow_invocation_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS workflow_request_to_input_collection_dataset (
    id INTEGER NOT NULL AUTO_INCREMENT,
    name VARCHAR(255),
    workflow_invocation_id INTEGER,
    workflow_step_id INTEGER,
    dataset_collection_id INTEGER,
    request LONGBLOB,
    CONSTRAINT workflow_request_to_input_collection_dataset_pkey PRIMARY KEY (id),
    CONSTRAINT workflow_request_to_input_collection_dataset_workflow_in_d764 FOREIGN KEY(workflow_invocation_id) REFERENCES workflow_invocation (id),
    CONSTRAINT workflow_request_to_input_collection_dataset_workflow_st_c90d FOREIGN KEY(workflow_step_id) REFERENCES workflow_step (id),
    CONSTRAINT workflow_request_to_input_collection_dataset_dataset_col_b7a6 FOREIGN KEY(dataset_collection_id) REFERENCES history_dataset_collection_association (id),
    KEY ix_workflow_request_to_input_collection_dataset_dataset__4671 (dataset_collection_id),
    KEY ix_workflow_request_to_input_collection_dataset_workflow_7564 (workflow_invocation_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS workflow_request_input_step_parameter (
    id INTEGER NOT NULL AUTO_INCREMENT,
    workflow_invocation_id INTEGER,
    workflow_step_id INTEGER,
    parameter_value LONGBLOB,
    request LONGBLOB,
    CONSTRAINT workflow_request_input_step_parameter_pkey PRIMARY KEY (id),
    CONSTRAINT workflow_request_input_step_parameter_workflow_invocatio_8d49 FOREIGN KEY(workflow_invocation_id) REFERENCES workflow_invocation (id),
    CONSTRAINT workflow_request_input_step_parameter_workflow_step_id_fkey FOREIGN KEY(workflow_step_id) REFERENCES workflow_step (id),
    KEY ix_workflow_request_input_step_parameter_workflow_invocation_id (workflow_invocation_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS page_revision (
    id INTEGER NOT NULL AUTO_INCREMENT,
    create_time DATETIME(6),
    update_time DATETIME(6),
    page_id INTEGER NOT NULL,
    title LONGTEXT,
    content LONGTEXT,
    content_format VARCHAR(32),
    edit_source VARCHAR(16),
    CONSTRAINT page_revision_pkey PRIMARY KEY (id),
    CONSTRAINT page_revision_page_id_fkey FOREIGN KEY(page_id) REFERENCES page (id),
    KEY ix_page_revision_page_id (page_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS page_user_share_association (
    id INTEGER NOT NULL AUTO_INCREMENT,
    page_id INTEGER,
    user_id INTEGER,
    CONSTRAINT page_user_share_association_pkey PRIMARY KEY (id),
    CONSTRAINT page_user_share_association_page_id_fkey FOREIGN KEY(page_id) REFERENCES page (id),
    CONSTRAINT page_user_share_association_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id),
    KEY ix_page_user_share_association_page_id (page_id),
    KEY ix_page_user_share_association_user_id (user_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS page_tag_association (
    id INTEGER NOT NULL AUTO_INCREMENT,
    page_id INTEGER,
    tag_id INTEGER,
    user_id INTEGER,
    user_tname VARCHAR(255),
    value VARCHAR(255),
    user_value VARCHAR(255),
    CONSTRAINT page_tag_association_pkey PRIMARY KEY (id),
    CONSTRAINT page_tag_association_page_id_fkey FOREIGN KEY(page_id) REFERENCES page (id),
    CONSTRAINT page_tag_association_tag_id_fkey FOREIGN KEY(tag_id) REFERENCES tag (id),
    CONSTRAINT page_tag_association_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id),
    KEY ix_page_tag_association_page_id (page_id),
    KEY ix_page_tag_association_tag_id (tag_id),
    KEY ix_page_tag_association_user_id (user_id),
    KEY ix_page_tag_association_user_tname (user_tname),
    KEY ix_page_tag_association_user_value (user_value),
    KEY ix_page_tag_association_value (value)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS workflow_step_tag_association (
    id INTEGER NOT NULL AUTO_INCREMENT,
    workflow_step_id INTEGER,
    tag_id INTEGER,
    user_id INTEGER,
    user_tname VARCHAR(255),
    value VARCHAR(255),
    user_value VARCHAR(255),
    CONSTRAINT workflow_step_tag_association_pkey PRIMARY KEY (id),
    CONSTRAINT workflow_step_tag_association_workflow_step_id_fkey FOREIGN KEY(workflow_step_id) REFERENCES workflow_step (id),
    CONSTRAINT workflow_step_tag_association_tag_id_fkey FOREIGN KEY(tag_id) REFERENCES tag (id),
    CONSTRAINT workflow_step_tag_association_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id),
    KEY ix_workflow_step_tag_association_tag_id (tag_id),
    KEY ix_workflow_step_tag_association_user_id (user_id),
    KEY ix_workflow_step_tag_association_user_tname (user_tname),
    KEY ix_workflow_step_tag_association_user_value (user_value),
    KEY ix_workflow_step_tag_association_value (value),
    KEY ix_workflow_step_tag_association_workflow_step_id (workflow_step_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS history_dataset_collection_tag_association (
    id INTEGER NOT NULL AUTO_INCREMENT,
    history_dataset_collection_id INTEGER,
    tag_id INTEGER,
    user_id INTEGER,
    user_tname VARCHAR(255),
    value VARCHAR(255),
    user_value VARCHAR(255),
    CONSTRAINT history_dataset_collection_tag_association_pkey PRIMARY KEY (id),
    CONSTRAINT history_dataset_collection_tag_association_history_datas_d4c1 FOREIGN KEY(history_dataset_collection_id) REFERENCES history_dataset_collection_association (id),
    CONSTRAINT history_dataset_collection_tag_association_tag_id_fkey FOREIGN KEY(tag_id) REFERENCES tag (id),
    CONSTRAINT history_dataset_collection_tag_association_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id),
    KEY ix_history_dataset_collection_tag_association_history_da_f807 (history_dataset_collection_id),
    KEY ix_history_dataset_collection_tag_association_tag_id (tag_id),
    KEY ix_history_dataset_collection_tag_association_user_id (user_id),
    KEY ix_history_dataset_collection_tag_association_user_tname (user_tname),
    KEY ix_history_dataset_collection_tag_association_user_value (user_value),
    KEY ix_history_dataset_collection_tag_association_value (value)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS workflow_step_annotation_association (
    id INTEGER NOT NULL AUTO_INCREMENT,
    workflow_step_id INTEGER,
    user_id INTEGER,
    annotation LONGTEXT,
    CONSTRAINT workflow_step_annotation_association_pkey PRIMARY KEY (id),
    CONSTRAINT workflow_step_annotation_association_workflow_step_id_fkey FOREIGN KEY(workflow_step_id) REFERENCES workflow_step (id),
    CONSTRAINT workflow_step_annotation_association_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id),
    KEY ix_workflow_step_ann_assoc_annotation (annotation(200)),
    KEY ix_workflow_step_annotation_association_user_id (user_id),
    KEY ix_workflow_step_annotation_association_workflow_step_id (workflow_step_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS page_annotation_association (
    id INTEGER NOT NULL AUTO_INCREMENT,
    page_id INTEGER,
    user_id INTEGER,
    annotation LONGTEXT,
    CONSTRAINT page_annotation_association_pkey PRIMARY KEY (id),
    CONSTRAINT page_annotation_association_page_id_fkey FOREIGN KEY(page_id) REFERENCES page (id),
    CONSTRAINT page_annotation_association_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id),
    KEY ix_page_annotation_association_annotation (annotation(200)),
    KEY ix_page_annotation_association_page_id (page_id),
    KEY ix_page_annotation_association_user_id (user_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS history_dataset_collection_annotation_association (
    id INTEGER NOT NULL AUTO_INCREMENT,
    history_dataset_collection_id INTEGER,
    user_id INTEGER,
    annotation LONGTEXT,
    CONSTRAINT history_dataset_collection_annotation_association_pkey PRIMARY KEY (id),
    CONSTRAINT history_dataset_collection_annotation_association_histor_f7a1 FOREIGN KEY(history_dataset_collection_id) REFERENCES history_dataset_collection_association (id),
    CONSTRAINT history_dataset_collection_annotation_association_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id),
    KEY ix_history_dataset_collection_annotation_association_his_f516 (history_dataset_collection_id),
    KEY ix_history_dataset_collection_annotation_association_user_id (user_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS page_rating_association (
    id INTEGER NOT NULL AUTO_INCREMENT,
    page_id INTEGER,
    user_id INTEGER,
    rating INTEGER,
    CONSTRAINT page_rating_association_pkey PRIMARY KEY (id),
    CONSTRAINT page_rating_association_page_id_fkey FOREIGN KEY(page_id) REFERENCES page (id),
    CONSTRAINT page_rating_association_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id),
    KEY ix_page_rating_association_page_id (page_id),
    KEY ix_page_rating_association_rating (rating),
    KEY ix_page_rating_association_user_id (user_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS history_dataset_collection_rating_association (
    id INTEGER NOT NULL AUTO_INCREMENT,
    history_dataset_collection_id INTEGER,
    user_id INTEGER,
    rating INTEGER,
    CONSTRAINT history_dataset_collection_rating_association_pkey PRIMARY KEY (id),
    CONSTRAINT history_dataset_collection_rating_association_history_da_8874 FOREIGN KEY(history_dataset_collection_id) REFERENCES history_dataset_collection_association (id),
    CONSTRAINT history_dataset_collection_rating_association_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id),
    KEY ix_history_dataset_collection_rating_association_history_c7e9 (history_dataset_collection_id),
    KEY ix_history_dataset_collection_rating_association_rating (rating),
    KEY ix_history_dataset_collection_rating_association_user_id (user_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS cleanup_event_dataset_association (
    id INTEGER NOT NULL AUTO_INCREMENT,
    create_time DATETIME(6),
    cleanup_event_id INTEGER,
    dataset_id INTEGER,
    CONSTRAINT cleanup_event_dataset_association_pkey PRIMARY KEY (id),
    CONSTRAINT cleanup_event_dataset_association_cleanup_event_id_fkey FOREIGN KEY(cleanup_event_id) REFERENCES cleanup_event (id),
    CONSTRAINT cleanup_event_dataset_association_dataset_id_fkey FOREIGN KEY(dataset_id) REFERENCES dataset (id),
    KEY ix_cleanup_event_dataset_association_cleanup_event_id (cleanup_event_id),
    KEY ix_cleanup_event_dataset_association_dataset_id (dataset_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS dataset_storage_operation_run_item (
    id INTEGER NOT NULL AUTO_INCREMENT,
    run_id INTEGER NOT NULL,
    dataset_id INTEGER NOT NULL,
    state VARCHAR(32) NOT NULL,
    reason_code VARCHAR(64),
    bytes_processed BIGINT NOT NULL,
    create_time DATETIME(6),
    update_time DATETIME(6),
    CONSTRAINT dataset_storage_operation_run_item_pkey PRIMARY KEY (id),
    CONSTRAINT dataset_storage_operation_run_item_run_id_key UNIQUE (run_id, dataset_id),
    CONSTRAINT dataset_storage_operation_run_item_run_id_fkey FOREIGN KEY(run_id) REFERENCES dataset_storage_operation_run (id) ON DELETE CASCADE,
    CONSTRAINT dataset_storage_operation_run_item_dataset_id_fkey FOREIGN KEY(dataset_id) REFERENCES dataset (id) ON DELETE CASCADE,
    KEY ix_dataset_storage_operation_run_item_dataset_id (dataset_id),
    KEY ix_dataset_storage_operation_run_item_run_id (run_id),
    KEY ix_dataset_storage_operation_run_item_state (state)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS library_dataset_dataset_association (
    id INTEGER NOT NULL AUTO_INCREMENT,
    library_dataset_id INTEGER,
    dataset_id INTEGER,
    create_time DATETIME(6),
    update_time DATETIME(6),
    state VARCHAR(64),
    copied_from_history_dataset_association_id INTEGER,
    copied_from_library_dataset_dataset_association_id INTEGER,
    name VARCHAR(255),
    info VARCHAR(255),
    blurb VARCHAR(255),
    peek LONGTEXT,
    tool_version LONGTEXT,
    extension VARCHAR(64),
    metadata LONGBLOB,
    metadata_deferred BOOL,
    parent_id INTEGER,
    designation VARCHAR(255),
    deleted BOOL,
    validated_state VARCHAR(64) NOT NULL,
    validated_state_message LONGTEXT,
    visible BOOL,
    extended_metadata_id INTEGER,
    user_id INTEGER,
    message VARCHAR(255),
    CONSTRAINT library_dataset_dataset_association_pkey PRIMARY KEY (id),
    CONSTRAINT library_dataset_dataset_association_library_dataset_id_fkey FOREIGN KEY(library_dataset_id) REFERENCES library_dataset (id),
    CONSTRAINT library_dataset_dataset_association_dataset_id_fkey FOREIGN KEY(dataset_id) REFERENCES dataset (id),
    CONSTRAINT library_dataset_dataset_association_parent_id_fkey FOREIGN KEY(parent_id) REFERENCES library_dataset_dataset_association (id),
    CONSTRAINT library_dataset_dataset_association_extended_metadata_id_fkey FOREIGN KEY(extended_metadata_id) REFERENCES extended_metadata (id),
    CONSTRAINT library_dataset_dataset_association_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id),
    CONSTRAINT library_dataset_dataset_association_id_fkey FOREIGN KEY(copied_from_library_dataset_dataset_association_id) REFERENCES library_dataset_dataset_association (id),
    CONSTRAINT library_dataset_dataset_association_copied_from_hda_fkey FOREIGN KEY(copied_from_history_dataset_association_id) REFERENCES history_dataset_association (id),
    KEY ix_library_dataset_dataset_association_dataset_id (dataset_id),
    KEY ix_library_dataset_dataset_association_deleted (deleted),
    KEY ix_library_dataset_dataset_association_extended_metadata_id (extended_metadata_id),
    KEY ix_library_dataset_dataset_association_library_dataset_id (library_dataset_id),
    KEY ix_library_dataset_dataset_association_name (name),
    KEY ix_library_dataset_dataset_association_state (state),
    KEY ix_library_dataset_dataset_association_update_time (update_time),
    KEY ix_library_dataset_dataset_association_user_id (user_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS job_to_input_library_dataset (
    id INTEGER NOT NULL AUTO_INCREMENT,
    job_id INTEGER,
    ldda_id INTEGER,
    name VARCHAR(255),
    CONSTRAINT job_to_input_library_dataset_pkey PRIMARY KEY (id),
    CONSTRAINT job_to_input_library_dataset_job_id_fkey FOREIGN KEY(job_id) REFERENCES job (id),
    CONSTRAINT job_to_input_library_dataset_ldda_id_fkey FOREIGN KEY(ldda_id) REFERENCES library_dataset_dataset_association (id),
    KEY ix_job_to_input_library_dataset_job_id (job_id),
    KEY ix_job_to_input_library_dataset_ldda_id (ldda_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS job_to_output_library_dataset (
    id INTEGER NOT NULL AUTO_INCREMENT,
    job_id INTEGER,
    ldda_id INTEGER,
    name VARCHAR(255),
    CONSTRAINT job_to_output_library_dataset_pkey PRIMARY KEY (id),
    CONSTRAINT job_to_output_library_dataset_job_id_fkey FOREIGN KEY(job_id) REFERENCES job (id),
    CONSTRAINT job_to_output_library_dataset_ldda_id_fkey FOREIGN KEY(ldda_id) REFERENCES library_dataset_dataset_association (id),
    KEY ix_job_to_output_library_dataset_job_id (job_id),
    KEY ix_job_to_output_library_dataset_ldda_id (ldda_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS post_job_action_association (
    id INTEGER NOT NULL AUTO_INCREMENT,
    job_id INTEGER NOT NULL,
    post_job_action_id INTEGER NOT NULL,
    CONSTRAINT post_job_action_association_pkey PRIMARY KEY (id),
    CONSTRAINT post_job_action_association_job_id_fkey FOREIGN KEY(job_id) REFERENCES job (id),
    CONSTRAINT post_job_action_association_post_job_action_id_fkey FOREIGN KEY(post_job_action_id) REFERENCES post_job_action (id),
    KEY ix_post_job_action_association_job_id (job_id),
    KEY ix_post_job_action_association_post_job_action_id (post_job_action_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS chat_exchange_message (
    id INTEGER NOT NULL AUTO_INCREMENT,
    chat_exchange_id INTEGER NOT NULL,
    create_time DATETIME(6) NOT NULL,
    message LONGTEXT NOT NULL,
    feedback INTEGER,
    CONSTRAINT chat_exchange_message_pkey PRIMARY KEY (id),
    CONSTRAINT chat_exchange_message_chat_exchange_id_fkey FOREIGN KEY(chat_exchange_id) REFERENCES chat_exchange (id),
    KEY ix_chat_exchange_message_chat_exchange_id (chat_exchange_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS library_dataset_dataset_association_permissions (
    id INTEGER NOT NULL AUTO_INCREMENT,
    create_time DATETIME(6),
    update_time DATETIME(6),
    action LONGTEXT,
    library_dataset_dataset_association_id INTEGER,
    role_id INTEGER,
    CONSTRAINT library_dataset_dataset_association_permissions_pkey PRIMARY KEY (id),
    CONSTRAINT library_dataset_dataset_association_permissions_library__14ac FOREIGN KEY(library_dataset_dataset_association_id) REFERENCES library_dataset_dataset_association (id),
    CONSTRAINT library_dataset_dataset_association_permissions_role_id_fkey FOREIGN KEY(role_id) REFERENCES `role` (id),
    KEY ix_library_dataset_dataset_association_permissions_libra_45eb (library_dataset_dataset_association_id),
    KEY ix_library_dataset_dataset_association_permissions_role_id (role_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS dataset_source_hash (
    id INTEGER NOT NULL AUTO_INCREMENT,
    dataset_source_id INTEGER,
    hash_function LONGTEXT,
    hash_value LONGTEXT,
    CONSTRAINT dataset_source_hash_pkey PRIMARY KEY (id),
    CONSTRAINT dataset_source_hash_dataset_source_id_fkey FOREIGN KEY(dataset_source_id) REFERENCES dataset_source (id),
    KEY ix_dataset_source_hash_dataset_source_id (dataset_source_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS library_dataset_dataset_info_association (
    id INTEGER NOT NULL AUTO_INCREMENT,
    library_dataset_dataset_association_id INTEGER,
    form_definition_id INTEGER,
    form_values_id INTEGER,
    deleted BOOL,
    CONSTRAINT library_dataset_dataset_info_association_pkey PRIMARY KEY (id),
    CONSTRAINT library_dataset_dataset_info_association_library_dataset_1bd2 FOREIGN KEY(library_dataset_dataset_association_id) REFERENCES library_dataset_dataset_association (id),
    CONSTRAINT library_dataset_dataset_info_association_form_definition_id_fkey FOREIGN KEY(form_definition_id) REFERENCES form_definition (id),
    CONSTRAINT library_dataset_dataset_info_association_form_values_id_fkey FOREIGN KEY(form_values_id) REFERENCES form_values (id),
    KEY ix_library_dataset_dataset_info_association_deleted (deleted),
    KEY ix_library_dataset_dataset_info_association_form_definition_id (form_definition_id),
    KEY ix_library_dataset_dataset_info_association_form_values_id (form_values_id),
    KEY ix_library_dataset_dataset_info_association_library_data_ceca (library_dataset_dataset_association_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS workflow_step_connection (
    id INTEGER NOT NULL AUTO_INCREMENT,
    output_step_id INTEGER,
    input_step_input_id INTEGER,
    output_name LONGTEXT,
    input_subworkflow_step_id INTEGER,
    CONSTRAINT workflow_step_connection_pkey PRIMARY KEY (id),
    CONSTRAINT workflow_step_connection_output_step_id_fkey FOREIGN KEY(output_step_id) REFERENCES workflow_step (id),
    CONSTRAINT workflow_step_connection_input_step_input_id_fkey FOREIGN KEY(input_step_input_id) REFERENCES workflow_step_input (id),
    CONSTRAINT workflow_step_connection_input_subworkflow_step_id_fkey FOREIGN KEY(input_subworkflow_step_id) REFERENCES workflow_step (id),
    KEY ix_workflow_step_connection_input_step_input_id (input_step_input_id),
    KEY ix_workflow_step_connection_input_subworkflow_step_id (input_subworkflow_step_id),
    KEY ix_workflow_step_connection_output_step_id (output_step_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS workflow_invocation_output_dataset_collection_association (
    id INTEGER NOT NULL AUTO_INCREMENT,
    workflow_invocation_id INTEGER,
    workflow_step_id INTEGER,
    dataset_collection_id INTEGER,
    workflow_output_id INTEGER,
    CONSTRAINT workflow_invocation_output_dataset_collection_association_pkey PRIMARY KEY (id),
    CONSTRAINT fk_wiodca_wii FOREIGN KEY(workflow_invocation_id) REFERENCES workflow_invocation (id),
    CONSTRAINT fk_wiodca_wsi FOREIGN KEY(workflow_step_id) REFERENCES workflow_step (id),
    CONSTRAINT fk_wiodca_dci FOREIGN KEY(dataset_collection_id) REFERENCES history_dataset_collection_association (id),
    CONSTRAINT fk_wiodca_woi FOREIGN KEY(workflow_output_id) REFERENCES workflow_output (id),
    KEY ix_workflow_invocation_output_dataset_collection_associa_ec97 (dataset_collection_id),
    KEY ix_workflow_invocation_output_dataset_collection_associa_ab6c (workflow_invocation_id),
    KEY ix_workflow_invocation_output_dataset_collection_associa_2ff7 (workflow_output_id),
    KEY ix_workflow_invocation_output_dataset_collection_associa_f407 (workflow_step_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS workflow_invocation_output_value (
    id INTEGER NOT NULL AUTO_INCREMENT,
    workflow_invocation_id INTEGER,
    workflow_step_id INTEGER,
    workflow_output_id INTEGER,
    value LONGBLOB,
    CONSTRAINT workflow_invocation_output_value_pkey PRIMARY KEY (id),
    CONSTRAINT workflow_invocation_output_value_workflow_invocation_id_fkey FOREIGN KEY(workflow_invocation_id) REFERENCES workflow_invocation (id),
    CONSTRAINT workflow_invocation_output_value_workflow_step_id_fkey FOREIGN KEY(workflow_step_id) REFERENCES workflow_step (id),
    CONSTRAINT workflow_invocation_output_value_workflow_output_id_fkey FOREIGN KEY(workflow_output_id) REFERENCES workflow_output (id),
    KEY ix_workflow_invocation_output_value_workflow_invocation_id (workflow_invocation_id),
    KEY ix_workflow_invocation_output_value_workflow_output_id (workflow_output_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS workflow_invocation_step_output_dataset_collection_association (
    id INTEGER NOT NULL AUTO_INCREMENT,
    workflow_invocation_step_id INTEGER,
    workflow_step_id INTEGER,
    dataset_collection_id INTEGER,
    output_name VARCHAR(255),
    CONSTRAINT workflow_invocation_step_output_dataset_collection_assoc_d3d8 PRIMARY KEY (id),
    CONSTRAINT fk_wisodca_wisi FOREIGN KEY(workflow_invocation_step_id) REFERENCES workflow_invocation_step (id),
    CONSTRAINT fk_wisodca_wsi FOREIGN KEY(workflow_step_id) REFERENCES workflow_step (id),
    CONSTRAINT fk_wisodca_dci FOREIGN KEY(dataset_collection_id) REFERENCES history_dataset_collection_association (id),
    KEY ix_workflow_invocation_step_output_dataset_collection_as_b73b (dataset_collection_id),
    KEY ix_workflow_invocation_step_output_dataset_collection_as_db49 (workflow_invocation_step_id),
    KEY ix_workflow_invocation_step_output_dataset_collection_as_06b8 (workflow_step_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS library_dataset_dataset_association_tag_association (
    id INTEGER NOT NULL AUTO_INCREMENT,
    library_dataset_dataset_association_id INTEGER,
    tag_id INTEGER,
    user_id INTEGER,
    user_tname VARCHAR(255),
    value VARCHAR(255),
    user_value VARCHAR(255),
    CONSTRAINT library_dataset_dataset_association_tag_association_pkey PRIMARY KEY (id),
    CONSTRAINT library_dataset_dataset_association_tag_association_libr_65d5 FOREIGN KEY(library_dataset_dataset_association_id) REFERENCES library_dataset_dataset_association (id),
    CONSTRAINT library_dataset_dataset_association_tag_association_tag_id_fkey FOREIGN KEY(tag_id) REFERENCES tag (id),
    CONSTRAINT library_dataset_dataset_association_tag_association_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id),
    KEY ix_library_dataset_dataset_association_tag_association_l_f6fd (library_dataset_dataset_association_id),
    KEY ix_library_dataset_dataset_association_tag_association_tag_id (tag_id),
    KEY ix_library_dataset_dataset_association_tag_association_user_id (user_id),
    KEY ix_library_dataset_dataset_association_tag_association_u_3501 (user_tname),
    KEY ix_library_dataset_dataset_association_tag_association_u_087f (user_value),
    KEY ix_library_dataset_dataset_association_tag_association_value (value)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS cleanup_event_ldda_association (
    id INTEGER NOT NULL AUTO_INCREMENT,
    create_time DATETIME(6),
    cleanup_event_id INTEGER,
    ldda_id INTEGER,
    CONSTRAINT cleanup_event_ldda_association_pkey PRIMARY KEY (id),
    CONSTRAINT cleanup_event_ldda_association_cleanup_event_id_fkey FOREIGN KEY(cleanup_event_id) REFERENCES cleanup_event (id),
    CONSTRAINT cleanup_event_ldda_association_ldda_id_fkey FOREIGN KEY(ldda_id) REFERENCES library_dataset_dataset_association (id),
    KEY ix_cleanup_event_ldda_association_cleanup_event_id (cleanup_event_id),
    KEY ix_cleanup_event_ldda_association_ldda_id (ldda_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS history_dataset_association (
    id INTEGER NOT NULL AUTO_INCREMENT,
    history_id INTEGER,
    dataset_id INTEGER,
    create_time DATETIME(6),
    update_time DATETIME(6),
    state VARCHAR(64),
    copied_from_history_dataset_association_id INTEGER,
    copied_from_library_dataset_dataset_association_id INTEGER,
    name VARCHAR(255),
    info VARCHAR(255),
    blurb VARCHAR(255),
    peek LONGTEXT,
    tool_version LONGTEXT,
    extension VARCHAR(64),
    metadata LONGBLOB,
    metadata_deferred BOOL,
    parent_id INTEGER,
    designation VARCHAR(255),
    deleted BOOL,
    visible BOOL,
    extended_metadata_id INTEGER,
    version INTEGER,
    hid INTEGER,
    purged BOOL,
    validated_state VARCHAR(64) NOT NULL,
    validated_state_message LONGTEXT,
    hidden_beneath_collection_instance_id INTEGER,
    CONSTRAINT history_dataset_association_pkey PRIMARY KEY (id),
    CONSTRAINT history_dataset_association_history_id_fkey FOREIGN KEY(history_id) REFERENCES history (id),
    CONSTRAINT history_dataset_association_dataset_id_fkey FOREIGN KEY(dataset_id) REFERENCES dataset (id),
    CONSTRAINT history_dataset_association_copied_from_history_dataset__8139 FOREIGN KEY(copied_from_history_dataset_association_id) REFERENCES history_dataset_association (id),
    CONSTRAINT history_dataset_association_copied_from_library_dataset__05a2 FOREIGN KEY(copied_from_library_dataset_dataset_association_id) REFERENCES library_dataset_dataset_association (id),
    CONSTRAINT history_dataset_association_parent_id_fkey FOREIGN KEY(parent_id) REFERENCES history_dataset_association (id),
    CONSTRAINT history_dataset_association_extended_metadata_id_fkey FOREIGN KEY(extended_metadata_id) REFERENCES extended_metadata (id),
    CONSTRAINT history_dataset_association_hidden_beneath_collection_in_e6cd FOREIGN KEY(hidden_beneath_collection_instance_id) REFERENCES history_dataset_collection_association (id),
    KEY ix_history_dataset_association_dataset_id (dataset_id),
    KEY ix_history_dataset_association_deleted (deleted),
    KEY ix_history_dataset_association_extended_metadata_id (extended_metadata_id),
    KEY ix_history_dataset_association_extension (extension),
    KEY ix_history_dataset_association_history_id (history_id),
    KEY ix_history_dataset_association_purged (purged),
    KEY ix_history_dataset_association_state (state),
    KEY ix_history_dataset_association_update_time (update_time),
    KEY ix_history_dataset_association_version (version)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS job_to_input_dataset (
    id INTEGER NOT NULL AUTO_INCREMENT,
    job_id INTEGER,
    dataset_id INTEGER,
    dataset_version INTEGER,
    name VARCHAR(255),
    adapter LONGBLOB,
    CONSTRAINT job_to_input_dataset_pkey PRIMARY KEY (id),
    CONSTRAINT job_to_input_dataset_job_id_fkey FOREIGN KEY(job_id) REFERENCES job (id),
    CONSTRAINT job_to_input_dataset_dataset_id_fkey FOREIGN KEY(dataset_id) REFERENCES history_dataset_association (id),
    KEY ix_job_to_input_dataset_dataset_id (dataset_id),
    KEY ix_job_to_input_dataset_job_id (job_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS job_to_output_dataset (
    id INTEGER NOT NULL AUTO_INCREMENT,
    job_id INTEGER,
    dataset_id INTEGER,
    name VARCHAR(255),
    CONSTRAINT job_to_output_dataset_pkey PRIMARY KEY (id),
    CONSTRAINT job_to_output_dataset_job_id_fkey FOREIGN KEY(job_id) REFERENCES job (id),
    CONSTRAINT job_to_output_dataset_dataset_id_fkey FOREIGN KEY(dataset_id) REFERENCES history_dataset_association (id),
    KEY ix_job_to_output_dataset_dataset_id (dataset_id),
    KEY ix_job_to_output_dataset_job_id (job_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS job_external_output_metadata (
    id INTEGER NOT NULL AUTO_INCREMENT,
    job_id INTEGER,
    history_dataset_association_id INTEGER,
    library_dataset_dataset_association_id INTEGER,
    is_valid BOOL,
    filename_in VARCHAR(255),
    filename_out VARCHAR(255),
    filename_results_code VARCHAR(255),
    filename_kwds VARCHAR(255),
    filename_override_metadata VARCHAR(255),
    job_runner_external_pid VARCHAR(255),
    CONSTRAINT job_external_output_metadata_pkey PRIMARY KEY (id),
    CONSTRAINT job_external_output_metadata_job_id_fkey FOREIGN KEY(job_id) REFERENCES job (id),
    CONSTRAINT job_external_output_metadata_history_dataset_association_id_fkey FOREIGN KEY(history_dataset_association_id) REFERENCES history_dataset_association (id),
    CONSTRAINT job_external_output_metadata_library_dataset_dataset_ass_ea02 FOREIGN KEY(library_dataset_dataset_association_id) REFERENCES library_dataset_dataset_association (id),
    KEY ix_job_external_output_metadata_history_dataset_association_id (history_dataset_association_id),
    KEY ix_job_external_output_metadata_job_id (job_id),
    KEY ix_job_external_output_metadata_library_dataset_dataset__04f7 (library_dataset_dataset_association_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS history_dataset_association_history (
    id INTEGER NOT NULL AUTO_INCREMENT,
    history_dataset_association_id INTEGER,
    update_time DATETIME(6),
    version INTEGER,
    name VARCHAR(255),
    extension VARCHAR(64),
    metadata LONGBLOB,
    extended_metadata_id INTEGER,
    CONSTRAINT history_dataset_association_history_pkey PRIMARY KEY (id),
    CONSTRAINT history_dataset_association_history_history_dataset_asso_f37d FOREIGN KEY(history_dataset_association_id) REFERENCES history_dataset_association (id),
    CONSTRAINT history_dataset_association_history_extended_metadata_id_fkey FOREIGN KEY(extended_metadata_id) REFERENCES extended_metadata (id),
    KEY ix_history_dataset_association_history_extended_metadata_id (extended_metadata_id),
    KEY ix_history_dataset_association_history_history_dataset_a_5f1c (history_dataset_association_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS history_dataset_association_display_at_authorization (
    id INTEGER NOT NULL AUTO_INCREMENT,
    create_time DATETIME(6),
    update_time DATETIME(6),
    history_dataset_association_id INTEGER,
    user_id INTEGER,
    site VARCHAR(255),
    CONSTRAINT history_dataset_association_display_at_authorization_pkey PRIMARY KEY (id),
    CONSTRAINT history_dataset_association_display_at_authorization_his_2509 FOREIGN KEY(history_dataset_association_id) REFERENCES history_dataset_association (id),
    CONSTRAINT history_dataset_association_display_at_authorization_use_a065 FOREIGN KEY(user_id) REFERENCES galaxy_user (id),
    KEY ix_history_dataset_association_display_at_authorization__a293 (history_dataset_association_id),
    KEY ix_history_dataset_association_display_at_authorization__9dc8 (update_time),
    KEY ix_history_dataset_association_display_at_authorization_user_id (user_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS history_dataset_association_subset (
    id INTEGER NOT NULL AUTO_INCREMENT,
    history_dataset_association_id INTEGER,
    history_dataset_association_subset_id INTEGER,
    location VARCHAR(255),
    CONSTRAINT history_dataset_association_subset_pkey PRIMARY KEY (id),
    CONSTRAINT history_dataset_association_subset_history_dataset_assoc_66fc FOREIGN KEY(history_dataset_association_id) REFERENCES history_dataset_association (id),
    CONSTRAINT history_dataset_association_subset_history_dataset_assoc_e7e9 FOREIGN KEY(history_dataset_association_subset_id) REFERENCES history_dataset_association (id),
    KEY ix_history_dataset_association_subset_history_dataset_as_0156 (history_dataset_association_id),
    KEY ix_history_dataset_association_subset_history_dataset_as_cc82 (history_dataset_association_subset_id),
    KEY ix_history_dataset_association_subset_location (location)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS implicitly_converted_dataset_association (
    id INTEGER NOT NULL AUTO_INCREMENT,
    create_time DATETIME(6),
    update_time DATETIME(6),
    hda_id INTEGER,
    ldda_id INTEGER,
    hda_parent_id INTEGER,
    ldda_parent_id INTEGER,
    deleted BOOL,
    metadata_safe BOOL,
    type VARCHAR(255),
    CONSTRAINT implicitly_converted_dataset_association_pkey PRIMARY KEY (id),
    CONSTRAINT implicitly_converted_dataset_association_hda_id_fkey FOREIGN KEY(hda_id) REFERENCES history_dataset_association (id),
    CONSTRAINT implicitly_converted_dataset_association_ldda_id_fkey FOREIGN KEY(ldda_id) REFERENCES library_dataset_dataset_association (id),
    CONSTRAINT implicitly_converted_dataset_association_hda_parent_id_fkey FOREIGN KEY(hda_parent_id) REFERENCES history_dataset_association (id),
    CONSTRAINT implicitly_converted_dataset_association_ldda_parent_id_fkey FOREIGN KEY(ldda_parent_id) REFERENCES library_dataset_dataset_association (id),
    KEY ix_implicitly_converted_dataset_association_deleted (deleted),
    KEY ix_implicitly_converted_dataset_association_hda_id (hda_id),
    KEY ix_implicitly_converted_dataset_association_hda_parent_id (hda_parent_id),
    KEY ix_implicitly_converted_dataset_association_ldda_id (ldda_id),
    KEY ix_implicitly_converted_dataset_association_ldda_parent_id (ldda_parent_id),
    KEY ix_implicitly_converted_dataset_association_metadata_safe (metadata_safe)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS dataset_collection_element (
    id INTEGER NOT NULL AUTO_INCREMENT,
    dataset_collection_id INTEGER NOT NULL,
    hda_id INTEGER,
    ldda_id INTEGER,
    child_collection_id INTEGER,
    element_index INTEGER,
    element_identifier VARCHAR(255),
    columns LONGBLOB,
    CONSTRAINT dataset_collection_element_pkey PRIMARY KEY (id),
    CONSTRAINT dataset_collection_element_dataset_collection_id_fkey FOREIGN KEY(dataset_collection_id) REFERENCES dataset_collection (id),
    CONSTRAINT dataset_collection_element_hda_id_fkey FOREIGN KEY(hda_id) REFERENCES history_dataset_association (id),
    CONSTRAINT dataset_collection_element_ldda_id_fkey FOREIGN KEY(ldda_id) REFERENCES library_dataset_dataset_association (id),
    CONSTRAINT dataset_collection_element_child_collection_id_fkey FOREIGN KEY(child_collection_id) REFERENCES dataset_collection (id),
    KEY ix_dataset_collection_element_child_collection_id (child_collection_id),
    KEY ix_dataset_collection_element_dataset_collection_id (dataset_collection_id),
    KEY ix_dataset_collection_element_hda_id (hda_id),
    KEY ix_dataset_collection_element_ldda_id (ldda_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS workflow_invocation_message (
    id INTEGER NOT NULL AUTO_INCREMENT,
    workflow_invocation_id INTEGER NOT NULL,
    reason VARCHAR(32),
    details VARCHAR(255),
    output_name VARCHAR(255),
    workflow_step_id INTEGER,
    dependent_workflow_step_id INTEGER,
    job_id INTEGER,
    hda_id INTEGER,
    hdca_id INTEGER,
    workflow_step_index_path JSON,
    CONSTRAINT workflow_invocation_message_pkey PRIMARY KEY (id),
    CONSTRAINT workflow_invocation_message_workflow_invocation_id_fkey FOREIGN KEY(workflow_invocation_id) REFERENCES workflow_invocation (id),
    CONSTRAINT workflow_invocation_message_workflow_step_id_fkey FOREIGN KEY(workflow_step_id) REFERENCES workflow_step (id),
    CONSTRAINT workflow_invocation_message_dependent_workflow_step_id_fkey FOREIGN KEY(dependent_workflow_step_id) REFERENCES workflow_step (id),
    CONSTRAINT workflow_invocation_message_job_id_fkey FOREIGN KEY(job_id) REFERENCES job (id),
    CONSTRAINT workflow_invocation_message_hda_id_fkey FOREIGN KEY(hda_id) REFERENCES history_dataset_association (id),
    CONSTRAINT workflow_invocation_message_hdca_id_fkey FOREIGN KEY(hdca_id) REFERENCES history_dataset_collection_association (id),
    KEY ix_workflow_invocation_message_workflow_invocation_id (workflow_invocation_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS workflow_request_to_input_dataset (
    id INTEGER NOT NULL AUTO_INCREMENT,
    name VARCHAR(255),
    workflow_invocation_id INTEGER,
    workflow_step_id INTEGER,
    dataset_id INTEGER,
    request LONGBLOB,
    CONSTRAINT workflow_request_to_input_dataset_pkey PRIMARY KEY (id),
    CONSTRAINT workflow_request_to_input_dataset_workflow_invocation_id_fkey FOREIGN KEY(workflow_invocation_id) REFERENCES workflow_invocation (id),
    CONSTRAINT workflow_request_to_input_dataset_workflow_step_id_fkey FOREIGN KEY(workflow_step_id) REFERENCES workflow_step (id),
    CONSTRAINT workflow_request_to_input_dataset_dataset_id_fkey FOREIGN KEY(dataset_id) REFERENCES history_dataset_association (id),
    KEY ix_workflow_request_to_input_dataset_dataset_id (dataset_id),
    KEY ix_workflow_request_to_input_dataset_workflow_invocation_id (workflow_invocation_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS workflow_invocation_output_dataset_association (
    id INTEGER NOT NULL AUTO_INCREMENT,
    workflow_invocation_id INTEGER,
    workflow_step_id INTEGER,
    dataset_id INTEGER,
    workflow_output_id INTEGER,
    CONSTRAINT workflow_invocation_output_dataset_association_pkey PRIMARY KEY (id),
    CONSTRAINT workflow_invocation_output_dataset_association_workflow__3e18 FOREIGN KEY(workflow_invocation_id) REFERENCES workflow_invocation (id),
    CONSTRAINT workflow_invocation_output_dataset_association_workflow__f863 FOREIGN KEY(workflow_step_id) REFERENCES workflow_step (id),
    CONSTRAINT workflow_invocation_output_dataset_association_dataset_id_fkey FOREIGN KEY(dataset_id) REFERENCES history_dataset_association (id),
    CONSTRAINT workflow_invocation_output_dataset_association_workflow__136d FOREIGN KEY(workflow_output_id) REFERENCES workflow_output (id),
    KEY ix_workflow_invocation_output_dataset_association_dataset_id (dataset_id),
    KEY ix_workflow_invocation_output_dataset_association_workfl_5924 (workflow_invocation_id),
    KEY ix_workflow_invocation_output_dataset_association_workfl_1da5 (workflow_output_id),
    KEY ix_workflow_invocation_output_dataset_association_workfl_f5e0 (workflow_step_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS workflow_invocation_step_output_dataset_association (
    id INTEGER NOT NULL AUTO_INCREMENT,
    workflow_invocation_step_id INTEGER,
    dataset_id INTEGER,
    output_name VARCHAR(255),
    CONSTRAINT workflow_invocation_step_output_dataset_association_pkey PRIMARY KEY (id),
    CONSTRAINT workflow_invocation_step_output_dataset_association_work_bf5d FOREIGN KEY(workflow_invocation_step_id) REFERENCES workflow_invocation_step (id),
    CONSTRAINT workflow_invocation_step_output_dataset_association_data_c26a FOREIGN KEY(dataset_id) REFERENCES history_dataset_association (id),
    KEY ix_workflow_invocation_step_output_dataset_association_d_66f5 (dataset_id),
    KEY ix_workflow_invocation_step_output_dataset_association_w_bcc0 (workflow_invocation_step_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS metadata_file (
    id INTEGER NOT NULL AUTO_INCREMENT,
    name LONGTEXT,
    hda_id INTEGER,
    lda_id INTEGER,
    create_time DATETIME(6),
    update_time DATETIME(6),
    object_store_id VARCHAR(255),
    uuid CHAR(32),
    deleted BOOL,
    purged BOOL,
    CONSTRAINT metadata_file_pkey PRIMARY KEY (id),
    CONSTRAINT metadata_file_hda_id_fkey FOREIGN KEY(hda_id) REFERENCES history_dataset_association (id),
    CONSTRAINT metadata_file_lda_id_fkey FOREIGN KEY(lda_id) REFERENCES library_dataset_dataset_association (id),
    KEY ix_metadata_file_deleted (deleted),
    KEY ix_metadata_file_hda_id (hda_id),
    KEY ix_metadata_file_lda_id (lda_id),
    KEY ix_metadata_file_object_store_id (object_store_id),
    KEY ix_metadata_file_purged (purged),
    KEY ix_metadata_file_update_time (update_time),
    KEY ix_metadata_file_uuid (uuid)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS history_dataset_association_tag_association (
    id INTEGER NOT NULL AUTO_INCREMENT,
    history_dataset_association_id INTEGER,
    tag_id INTEGER,
    user_id INTEGER,
    user_tname VARCHAR(255),
    value VARCHAR(255),
    user_value VARCHAR(255),
    CONSTRAINT history_dataset_association_tag_association_pkey PRIMARY KEY (id),
    CONSTRAINT history_dataset_association_tag_association_history_data_d483 FOREIGN KEY(history_dataset_association_id) REFERENCES history_dataset_association (id),
    CONSTRAINT history_dataset_association_tag_association_tag_id_fkey FOREIGN KEY(tag_id) REFERENCES tag (id),
    CONSTRAINT history_dataset_association_tag_association_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id),
    KEY ix_history_dataset_association_tag_association_history_d_d2de (history_dataset_association_id),
    KEY ix_history_dataset_association_tag_association_tag_id (tag_id),
    KEY ix_history_dataset_association_tag_association_user_id (user_id),
    KEY ix_history_dataset_association_tag_association_user_tname (user_tname),
    KEY ix_history_dataset_association_tag_association_user_value (user_value),
    KEY ix_history_dataset_association_tag_association_value (value)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS history_dataset_association_annotation_association (
    id INTEGER NOT NULL AUTO_INCREMENT,
    history_dataset_association_id INTEGER,
    user_id INTEGER,
    annotation LONGTEXT,
    CONSTRAINT history_dataset_association_annotation_association_pkey PRIMARY KEY (id),
    CONSTRAINT history_dataset_association_annotation_association_histo_e9f5 FOREIGN KEY(history_dataset_association_id) REFERENCES history_dataset_association (id),
    CONSTRAINT history_dataset_association_annotation_association_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id),
    KEY ix_history_dataset_anno_assoc_annotation (annotation(200)),
    KEY ix_history_dataset_association_annotation_association_hi_e624 (history_dataset_association_id),
    KEY ix_history_dataset_association_annotation_association_user_id (user_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS history_dataset_association_rating_association (
    id INTEGER NOT NULL AUTO_INCREMENT,
    history_dataset_association_id INTEGER,
    user_id INTEGER,
    rating INTEGER,
    CONSTRAINT history_dataset_association_rating_association_pkey PRIMARY KEY (id),
    CONSTRAINT history_dataset_association_rating_association_history_d_c7ea FOREIGN KEY(history_dataset_association_id) REFERENCES history_dataset_association (id),
    CONSTRAINT history_dataset_association_rating_association_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id),
    KEY ix_history_dataset_association_rating_association_histor_2052 (history_dataset_association_id),
    KEY ix_history_dataset_association_rating_association_rating (rating),
    KEY ix_history_dataset_association_rating_association_user_id (user_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS cleanup_event_hda_association (
    id INTEGER NOT NULL AUTO_INCREMENT,
    create_time DATETIME(6),
    cleanup_event_id INTEGER,
    hda_id INTEGER,
    CONSTRAINT cleanup_event_hda_association_pkey PRIMARY KEY (id),
    CONSTRAINT cleanup_event_hda_association_cleanup_event_id_fkey FOREIGN KEY(cleanup_event_id) REFERENCES cleanup_event (id),
    CONSTRAINT cleanup_event_hda_association_hda_id_fkey FOREIGN KEY(hda_id) REFERENCES history_dataset_association (id),
    KEY ix_cleanup_event_hda_association_cleanup_event_id (cleanup_event_id),
    KEY ix_cleanup_event_hda_association_hda_id (hda_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS job_to_input_dataset_collection_element (
    id INTEGER NOT NULL AUTO_INCREMENT,
    job_id INTEGER,
    dataset_collection_element_id INTEGER,
    name VARCHAR(255),
    adapter LONGBLOB,
    CONSTRAINT job_to_input_dataset_collection_element_pkey PRIMARY KEY (id),
    CONSTRAINT job_to_input_dataset_collection_element_job_id_fkey FOREIGN KEY(job_id) REFERENCES job (id),
    CONSTRAINT job_to_input_dataset_collection_element_dataset_collecti_f1ea FOREIGN KEY(dataset_collection_element_id) REFERENCES dataset_collection_element (id),
    KEY ix_job_to_input_dataset_collection_element_dataset_colle_9c5d (dataset_collection_element_id),
    KEY ix_job_to_input_dataset_collection_element_job_id (job_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS cleanup_event_metadata_file_association (
    id INTEGER NOT NULL AUTO_INCREMENT,
    create_time DATETIME(6),
    cleanup_event_id INTEGER,
    metadata_file_id INTEGER,
    CONSTRAINT cleanup_event_metadata_file_association_pkey PRIMARY KEY (id),
    CONSTRAINT cleanup_event_metadata_file_association_cleanup_event_id_fkey FOREIGN KEY(cleanup_event_id) REFERENCES cleanup_event (id),
    CONSTRAINT cleanup_event_metadata_file_association_metadata_file_id_fkey FOREIGN KEY(metadata_file_id) REFERENCES metadata_file (id),
    KEY ix_cleanup_event_metadata_file_association_cleanup_event_id (cleanup_event_id),
    KEY ix_cleanup_event_metadata_file_association_metadata_file_id (metadata_file_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS cleanup_event_icda_association (
    id INTEGER NOT NULL AUTO_INCREMENT,
    create_time DATETIME(6),
    cleanup_event_id INTEGER,
    icda_id INTEGER,
    CONSTRAINT cleanup_event_icda_association_pkey PRIMARY KEY (id),
    CONSTRAINT cleanup_event_icda_association_cleanup_event_id_fkey FOREIGN KEY(cleanup_event_id) REFERENCES cleanup_event (id),
    CONSTRAINT cleanup_event_icda_association_icda_id_fkey FOREIGN KEY(icda_id) REFERENCES implicitly_converted_dataset_association (id),
    KEY ix_cleanup_event_icda_association_cleanup_event_id (cleanup_event_id),
    KEY ix_cleanup_event_icda_association_icda_id (icda_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS tool_shed_repository (
    id INTEGER NOT NULL AUTO_INCREMENT,
    create_time DATETIME(6),
    update_time DATETIME(6),
    tool_shed VARCHAR(255),
    name VARCHAR(255),
    description LONGTEXT,
    owner VARCHAR(255),
    installed_changeset_revision VARCHAR(255),
    changeset_revision VARCHAR(255),
    ctx_rev VARCHAR(10),
    metadata LONGBLOB,
    includes_datatypes BOOL,
    tool_shed_status LONGBLOB,
    deleted BOOL,
    uninstalled BOOL,
    dist_to_shed BOOL,
    status VARCHAR(255),
    error_message LONGTEXT,
    PRIMARY KEY (id),
    KEY ix_tool_shed_repository_changeset_revision (changeset_revision),
    KEY ix_tool_shed_repository_deleted (deleted),
    KEY ix_tool_shed_repository_includes_datatypes (includes_datatypes),
    KEY ix_tool_shed_repository_name (name),
    KEY ix_tool_shed_repository_owner (owner),
    KEY ix_tool_shed_repository_tool_shed (tool_shed)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS repository_dependency (
    id INTEGER NOT NULL AUTO_INCREMENT,
    create_time DATETIME(6),
    update_time DATETIME(6),
    tool_shed_repository_id INTEGER NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(tool_shed_repository_id) REFERENCES tool_shed_repository (id),
    KEY ix_repository_dependency_tool_shed_repository_id (tool_shed_repository_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS tool_dependency (
    id INTEGER NOT NULL AUTO_INCREMENT,
    create_time DATETIME(6),
    update_time DATETIME(6),
    tool_shed_repository_id INTEGER NOT NULL,
    name VARCHAR(255),
    version LONGTEXT,
    type VARCHAR(40),
    status VARCHAR(255) NOT NULL,
    error_message LONGTEXT,
    PRIMARY KEY (id),
    FOREIGN KEY(tool_shed_repository_id) REFERENCES tool_shed_repository (id),
    KEY ix_tool_dependency_tool_shed_repository_id (tool_shed_repository_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS tool_version (
    id INTEGER NOT NULL AUTO_INCREMENT,
    create_time DATETIME(6),
    update_time DATETIME(6),
    tool_id VARCHAR(255),
    tool_shed_repository_id INTEGER,
    PRIMARY KEY (id),
    FOREIGN KEY(tool_shed_repository_id) REFERENCES tool_shed_repository (id),
    KEY ix_tool_version_tool_shed_repository_id (tool_shed_repository_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS repository_repository_dependency_association (
    id INTEGER NOT NULL AUTO_INCREMENT,
    create_time DATETIME(6),
    update_time DATETIME(6),
    tool_shed_repository_id INTEGER,
    repository_dependency_id INTEGER,
    PRIMARY KEY (id),
    FOREIGN KEY(tool_shed_repository_id) REFERENCES tool_shed_repository (id),
    FOREIGN KEY(repository_dependency_id) REFERENCES repository_dependency (id),
    KEY ix_repository_repository_dependency_association_reposito_c823 (repository_dependency_id),
    KEY ix_repository_repository_dependency_association_tool_she_0af8 (tool_shed_repository_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS tool_version_association (
    id INTEGER NOT NULL AUTO_INCREMENT,
    tool_id INTEGER NOT NULL,
    parent_id INTEGER NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(tool_id) REFERENCES tool_version (id),
    FOREIGN KEY(parent_id) REFERENCES tool_version (id),
    KEY ix_tool_version_association_parent_id (parent_id),
    KEY ix_tool_version_association_tool_id (tool_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Every change of a history or of what it contains leaves a row in history_audit, from which clients learn of it.
DROP TRIGGER IF EXISTS trigger_history_dataset_association_aur;

CREATE TRIGGER trigger_history_dataset_association_aur AFTER UPDATE ON history_dataset_association FOR EACH ROW
    INSERT IGNORE INTO history_audit (history_id, update_time)
    SELECT NEW.history_id, UTC_TIMESTAMP(6) FROM DUAL WHERE NEW.history_id IS NOT NULL;

DROP TRIGGER IF EXISTS trigger_history_dataset_association_air;

CREATE TRIGGER trigger_history_dataset_association_air AFTER INSERT ON history_dataset_association FOR EACH ROW
    INSERT IGNORE INTO history_audit (history_id, update_time)
    SELECT NEW.history_id, UTC_TIMESTAMP(6) FROM DUAL WHERE NEW.history_id IS NOT NULL;

DROP TRIGGER IF EXISTS trigger_history_dataset_collection_association_aur;

CREATE TRIGGER trigger_history_dataset_collection_association_aur AFTER UPDATE ON history_dataset_collection_association FOR EACH ROW
    INSERT IGNORE INTO history_audit (history_id, update_time)
    SELECT NEW.history_id, UTC_TIMESTAMP(6) FROM DUAL WHERE NEW.history_id IS NOT NULL;

DROP TRIGGER IF EXISTS trigger_history_dataset_collection_association_air;

CREATE TRIGGER trigger_history_dataset_collection_association_air AFTER INSERT ON history_dataset_collection_association FOR EACH ROW
    INSERT IGNORE INTO history_audit (history_id, update_time)
    SELECT NEW.history_id, UTC_TIMESTAMP(6) FROM DUAL WHERE NEW.history_id IS NOT NULL;

DROP TRIGGER IF EXISTS trigger_history_aur;

CREATE TRIGGER trigger_history_aur AFTER UPDATE ON history FOR EACH ROW
    INSERT IGNORE INTO history_audit (history_id, update_time)
    SELECT NEW.id, UTC_TIMESTAMP(6) FROM DUAL WHERE NEW.id IS NOT NULL;

DROP TRIGGER IF EXISTS trigger_history_air;

CREATE TRIGGER trigger_history_air AFTER INSERT ON history FOR EACH ROW
    INSERT IGNORE INTO history_audit (history_id, update_time)
    SELECT NEW.id, UTC_TIMESTAMP(6) FROM DUAL WHERE NEW.id IS NOT NULL;

-- One head per Alembic branch: gxy (Galaxy's own tables), then tsi (installed tool shed repositories).
CREATE TABLE IF NOT EXISTS alembic_version (
    version_num VARCHAR(32) NOT NULL,
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

INSERT IGNORE INTO alembic_version (version_num) VALUES ('fac9c76612f9'), ('d4a650f47a3c');
