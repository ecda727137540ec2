-- The database of Galaxy 26.1 on SQLite: its tables, columns, types, keys, indexes and triggers as Galaxy's own models
-- create them, and the two heads of its Alembic history. Tables stand after the tables they refer to.

CREATE TABLE alembic_version (
    version_num VARCHAR(32) NOT NULL,
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);

CREATE TABLE worker_process (
    id INTEGER NOT NULL,
    server_name VARCHAR(255),
    hostname VARCHAR(255),
    pid INTEGER,
    update_time DATETIME,
    app_type VARCHAR,
    CONSTRAINT worker_process_pkey PRIMARY KEY (id),
    CONSTRAINT worker_process_server_name_key UNIQUE (server_name, hostname)
);
CREATE INDEX ix_worker_process_server_name ON worker_process (server_name);

CREATE TABLE tool_source (
    id INTEGER NOT NULL,
    hash VARCHAR(255),
    source BLOB NOT NULL,
    source_class VARCHAR(255) NOT NULL,
    CONSTRAINT tool_source_pkey PRIMARY KEY (id)
);

CREATE TABLE dynamic_tool (
    id INTEGER NOT NULL,
    uuid CHAR(32),
    create_time DATETIME,
    update_time DATETIME,
    tool_id VARCHAR(255),
    tool_version VARCHAR(255),
    tool_format VARCHAR(255),
    tool_path VARCHAR(255),
    tool_directory VARCHAR(255),
    hidden BOOLEAN,
    active BOOLEAN,
    value BLOB,
    public BOOLEAN DEFAULT 0 NOT NULL,
    CONSTRAINT dynamic_tool_pkey PRIMARY KEY (id)
);
CREATE INDEX ix_dynamic_tool_update_time ON dynamic_tool (update_time);

CREATE TABLE implicit_collection_jobs (
    id INTEGER NOT NULL,
    populated_state VARCHAR(64) NOT NULL,
    CONSTRAINT implicit_collection_jobs_pkey PRIMARY KEY (id)
);

CREATE TABLE store_export_association (
    id INTEGER NOT NULL,
    task_uuid CHAR(32),
    create_time DATETIME,
    object_type VARCHAR(32),
    object_id INTEGER,
    export_metadata BLOB,
    CONSTRAINT store_export_association_pkey PRIMARY KEY (id)
);
CREATE UNIQUE INDEX ix_store_export_association_task_uuid ON store_export_association (task_uuid);
CREATE INDEX ix_store_export_object ON store_export_association (object_id, object_type);

CREATE TABLE galaxy_group (
    id INTEGER NOT NULL,
    create_time DATETIME,
    update_time DATETIME,
    name VARCHAR(255),
    deleted BOOLEAN,
    CONSTRAINT galaxy_group_pkey PRIMARY KEY (id)
);
CREATE INDEX ix_galaxy_group_deleted ON galaxy_group (deleted);
CREATE UNIQUE INDEX ix_galaxy_group_name ON galaxy_group (name);

CREATE TABLE notification (
    id INTEGER NOT NULL,
    create_time DATETIME,
    update_time DATETIME,
    publication_time DATETIME,
    expiration_time DATETIME,
    source VARCHAR(32),
    category VARCHAR(64),
    variant VARCHAR(16),
    dispatched BOOLEAN NOT NULL,
    galaxy_url VARCHAR(255),
    content BLOB,
    CONSTRAINT notification_pkey PRIMARY KEY (id)
);
CREATE INDEX ix_notification_category ON notification (category);
CREATE INDEX ix_notification_dispatched ON notification (dispatched);
CREATE INDEX ix_notification_source ON notification (source);
CREATE INDEX ix_notification_variant ON notification (variant);

CREATE TABLE role (
    id INTEGER NOT NULL,
    create_time DATETIME,
    update_time DATETIME,
    name VARCHAR(255) NOT NULL,
    description TEXT,
    type VARCHAR(40),
    deleted BOOLEAN,
    CONSTRAINT role_pkey PRIMARY KEY (id)
);
CREATE INDEX ix_role_deleted ON role (deleted);
CREATE INDEX ix_role_name ON role (name);
CREATE INDEX ix_role_type ON role (type);

CREATE TABLE quota (
    id INTEGER NOT NULL,
    create_time DATETIME,
    update_time DATETIME,
    name VARCHAR(255),
    description TEXT,
    bytes BIGINT,
    operation VARCHAR(8),
    deleted BOOLEAN,
    quota_source_label VARCHAR(32),
    CONSTRAINT quota_pkey PRIMARY KEY (id)
);
CREATE INDEX ix_quota_deleted ON quota (deleted);
CREATE UNIQUE INDEX ix_quota_name ON quota (name);
CREATE INDEX ix_quota_quota_source_label ON quota (quota_source_label);

CREATE TABLE library_folder (
    id INTEGER NOT NULL,
    parent_id INTEGER,
    create_time DATETIME,
    update_time DATETIME,
    name TEXT,
    description TEXT,
    order_id INTEGER,
    item_count INTEGER,
    deleted BOOLEAN,
    purged BOOLEAN,
    genome_build VARCHAR(40),
    CONSTRAINT library_folder_pkey PRIMARY KEY (id),
    CONSTRAINT library_folder_parent_id_fkey FOREIGN KEY(parent_id) REFERENCES library_folder (id)
);
CREATE INDEX ix_library_folder_deleted ON library_folder (deleted);
CREATE INDEX ix_library_folder_name ON library_folder (name);
CREATE INDEX ix_library_folder_parent_id ON library_folder (parent_id);
CREATE INDEX ix_library_folder_purged ON library_folder (purged);

CREATE TABLE extended_metadata (
    id INTEGER NOT NULL,
    data BLOB,
    CONSTRAINT extended_metadata_pkey PRIMARY KEY (id)
);

CREATE TABLE dataset_collection (
    id INTEGER NOT NULL,
    collection_type VARCHAR(255) NOT NULL,
    populated_state VARCHAR(64) NOT NULL,
    populated_state_message TEXT,
    element_count INTEGER,
    create_time DATETIME,
    update_time DATETIME,
    fields BLOB,
    column_definitions BLOB,
    CONSTRAINT dataset_collection_pkey PRIMARY KEY (id)
);

CREATE TABLE form_definition (
    id INTEGER NOT NULL,
    create_time DATETIME,
    update_time DATETIME,
    name VARCHAR(255) NOT NULL,
    "desc" TEXT,
    form_definition_current_id INTEGER NOT NULL,
    fields BLOB,
    type VARCHAR(255),
    layout BLOB,
    CONSTRAINT form_definition_pkey PRIMARY KEY (id),
    CONSTRAINT form_definition_form_definition_current_id_fkey FOREIGN KEY(form_definition_current_id) REFERENCES form_definition_current (id)
);
CREATE INDEX ix_form_definition_form_definition_current_id ON form_definition (form_definition_current_id);
CREATE INDEX ix_form_definition_type ON form_definition (type);

CREATE TABLE psa_association (
    id INTEGER NOT NULL,
    server_url VARCHAR(255),
    handle VARCHAR(255),
    secret VARCHAR(255),
    issued INTEGER,
    lifetime INTEGER,
    assoc_type VARCHAR(64),
    CONSTRAINT psa_association_pkey PRIMARY KEY (id)
);

CREATE TABLE psa_code (
    id INTEGER NOT NULL,
    email VARCHAR(200),
    code VARCHAR(32),
    CONSTRAINT psa_code_pkey PRIMARY KEY (id),
    CONSTRAINT psa_code_code_key UNIQUE (code, email)
);

CREATE TABLE psa_nonce (
    id INTEGER NOT NULL,
    server_url VARCHAR(255),
    timestamp INTEGER,
    salt VARCHAR(40),
    CONSTRAINT psa_nonce_pkey PRIMARY KEY (id)
);

CREATE TABLE psa_partial (
    id INTEGER NOT NULL,
    token VARCHAR(32),
    data TEXT,
    next_step INTEGER,
    backend VARCHAR(32),
    CONSTRAINT psa_partial_pkey PRIMARY KEY (id)
);

CREATE TABLE tag (
    id INTEGER NOT NULL,
    type INTEGER,
    parent_id INTEGER,
    name VARCHAR(255),
    CONSTRAINT tag_pkey PRIMARY KEY (id),
    CONSTRAINT tag_name_key UNIQUE (name),
    CONSTRAINT tag_parent_id_fkey FOREIGN KEY(parent_id) REFERENCES tag (id)
);

CREATE TABLE vault (
    "key" TEXT NOT NULL,
    parent_key TEXT,
    value TEXT,
    create_time DATETIME,
    update_time DATETIME,
    CONSTRAINT vault_pkey PRIMARY KEY ("key"),
    CONSTRAINT vault_parent_key_fkey FOREIGN KEY(parent_key) REFERENCES vault ("key")
);
CREATE INDEX ix_vault_parent_key ON vault (parent_key);

CREATE TABLE cleanup_event (
    id INTEGER NOT NULL,
    create_time DATETIME,
    message VARCHAR(1024),
    CONSTRAINT cleanup_event_pkey PRIMARY KEY (id)
);

CREATE TABLE user_credentials (
    id INTEGER NOT NULL,
    user_id INTEGER NOT NULL,
    source_type VARCHAR NOT NULL,
    source_id VARCHAR NOT NULL,
    source_version VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    version VARCHAR NOT NULL,
    current_group_id INTEGER,
    create_time DATETIME NOT NULL,
    update_time DATETIME NOT NULL,
    CONSTRAINT user_credentials_pkey PRIMARY KEY (id),
    CONSTRAINT user_credentials_user_id_key UNIQUE (user_id, source_type, source_id, source_version, name, version),
    CONSTRAINT user_credentials_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id),
    CONSTRAINT user_credentials_current_group_id_fkey FOREIGN KEY(current_group_id) REFERENCES credentials_group (id) ON DELETE CASCADE
);
CREATE INDEX ix_user_credentials_current_group_id ON user_credentials (current_group_id);
CREATE INDEX ix_user_credentials_user_id ON user_credentials (user_id);

CREATE TABLE credentials_group (
    id INTEGER NOT NULL,
    user_credentials_id INTEGER NOT NULL,
    name VARCHAR NOT NULL,
    create_time DATETIME NOT NULL,
    update_time DATETIME NOT NULL,
    CONSTRAINT credentials_group_pkey PRIMARY KEY (id),
    CONSTRAINT credentials_group_user_credentials_id_fkey FOREIGN KEY(user_credentials_id) REFERENCES user_credentials (id) ON DELETE CASCADE
);
CREATE INDEX ix_credentials_group_user_credentials_id ON credentials_group (user_credentials_id);

CREATE TABLE group_role_association (
    id INTEGER NOT NULL,
    group_id INTEGER NOT NULL,
    role_id INTEGER NOT NULL,
    create_time DATETIME,
    update_time DATETIME,
    CONSTRAINT group_role_association_pkey PRIMARY KEY (id),
    CONSTRAINT group_role_association_group_id_key UNIQUE (group_id, role_id),
    CONSTRAINT group_role_association_group_id_fkey FOREIGN KEY(group_id) REFERENCES galaxy_group (id),
    CONSTRAINT group_role_association_role_id_fkey FOREIGN KEY(role_id) REFERENCES role (id)
);
CREATE INDEX ix_group_role_association_group_id ON group_role_association (group_id);
CREATE INDEX ix_group_role_association_role_id ON group_role_association (role_id);

CREATE TABLE group_quota_association (
    id INTEGER NOT NULL,
    group_id INTEGER,
    quota_id INTEGER,
    create_time DATETIME,
    update_time DATETIME,
    CONSTRAINT group_quota_association_pkey PRIMARY KEY (id),
    CONSTRAINT group_quota_association_group_id_fkey FOREIGN KEY(group_id) REFERENCES galaxy_group (id),
    CONSTRAINT group_quota_association_quota_id_fkey FOREIGN KEY(quota_id) REFERENCES quota (id)
);
CREATE INDEX ix_group_quota_association_group_id ON group_quota_association (group_id);
CREATE INDEX ix_group_quota_association_quota_id ON group_quota_association (quota_id);

CREATE TABLE default_quota_association (
    id INTEGER NOT NULL,
    create_time DATETIME,
    update_time DATETIME,
    type VARCHAR(32),
    quota_id INTEGER,
    CONSTRAINT default_quota_association_pkey PRIMARY KEY (id),
    CONSTRAINT default_quota_association_quota_id_fkey FOREIGN KEY(quota_id) REFERENCES quota (id)
);
CREATE INDEX ix_default_quota_association_quota_id ON default_quota_association (quota_id);

CREATE TABLE library_folder_permissions (
    id INTEGER NOT NULL,
    create_time DATETIME,
    update_time DATETIME,
    action TEXT,
    library_folder_id INTEGER,
    role_id INTEGER,
    CONSTRAINT library_folder_permissions_pkey PRIMARY KEY (id),
    CONSTRAINT library_folder_permissions_library_folder_id_fkey FOREIGN KEY(library_folder_id) REFERENCES library_folder (id),
    CONSTRAINT library_folder_permissions_role_id_fkey FOREIGN KEY(role_id) REFERENCES role (id)
);
CREATE INDEX ix_library_folder_permissions_library_folder_id ON library_folder_permissions (library_folder_id);
CREATE INDEX ix_library_folder_permissions_role_id ON library_folder_permissions (role_id);

CREATE TABLE library (
    id INTEGER NOT NULL,
    root_folder_id INTEGER,
    create_time DATETIME,
    update_time DATETIME,
    name VARCHAR(255),
    deleted BOOLEAN,
    purged BOOLEAN,
    description TEXT,
    synopsis TEXT,
    CONSTRAINT library_pkey PRIMARY KEY (id),
    CONSTRAINT library_root_folder_id_fkey FOREIGN KEY(root_folder_id) REFERENCES library_folder (id)
);
CREATE INDEX ix_library_deleted ON library (deleted);
CREATE INDEX ix_library_name ON library (name);
CREATE INDEX ix_library_purged ON library (purged);
CREATE INDEX ix_library_root_folder_id ON library (root_folder_id);

CREATE TABLE library_dataset (
    id INTEGER NOT NULL,
    library_dataset_dataset_association_id INTEGER,
    folder_id INTEGER,
    order_id INTEGER,
    create_time DATETIME,
    update_time DATETIME,
    name VARCHAR(255),
    info VARCHAR(255),
    deleted BOOLEAN,
    purged BOOLEAN,
    CONSTRAINT library_dataset_pkey PRIMARY KEY (id),
    CONSTRAINT library_dataset_dataset_association_id_fk FOREIGN KEY(library_dataset_dataset_association_id) REFERENCES library_dataset_dataset_association (id),
    CONSTRAINT library_dataset_folder_id_fkey FOREIGN KEY(folder_id) REFERENCES library_folder (id)
);
CREATE INDEX ix_library_dataset_deleted ON library_dataset (deleted);
CREATE INDEX ix_library_dataset_folder_id ON library_dataset (folder_id);
CREATE INDEX ix_library_dataset_library_dataset_dataset_association_id ON library_dataset (library_dataset_dataset_association_id);
CREATE INDEX ix_library_dataset_name ON library_dataset (name);
CREATE INDEX ix_library_dataset_purged ON library_dataset (purged);

CREATE TABLE extended_metadata_index (
    id INTEGER NOT NULL,
    extended_metadata_id INTEGER,
    path VARCHAR(255),
    value TEXT,
    CONSTRAINT extended_metadata_index_pkey PRIMARY KEY (id),
    CONSTRAINT extended_metadata_index_extended_metadata_id_fkey FOREIGN KEY(extended_metadata_id) REFERENCES extended_metadata (id) ON DELETE CASCADE ON UPDATE CASCADE
);
CREATE INDEX ix_extended_metadata_index_extended_metadata_id ON extended_metadata_index (extended_metadata_id);

CREATE TABLE library_dataset_collection_association (
    id INTEGER NOT NULL,
    collection_id INTEGER,
    folder_id INTEGER,
    name VARCHAR(255),
    deleted BOOLEAN,
    update_time DATETIME,
    CONSTRAINT library_dataset_collection_association_pkey PRIMARY KEY (id),
    CONSTRAINT library_dataset_collection_association_collection_id_fkey FOREIGN KEY(collection_id) REFERENCES dataset_collection (id),
    CONSTRAINT library_dataset_collection_association_folder_id_fkey FOREIGN KEY(folder_id) REFERENCES library_folder (id)
);
CREATE INDEX ix_library_dataset_collection_association_collection_id ON library_dataset_collection_association (collection_id);
CREATE INDEX ix_library_dataset_collection_association_folder_id ON library_dataset_collection_association (folder_id);

CREATE TABLE form_definition_current (
    id INTEGER NOT NULL,
    create_time DATETIME,
    update_time DATETIME,
    latest_form_id INTEGER,
    deleted BOOLEAN,
    CONSTRAINT form_definition_current_pkey PRIMARY KEY (id),
    CONSTRAINT form_definition_current_latest_form_id_fkey FOREIGN KEY(latest_form_id) REFERENCES form_definition (id)
);
CREATE INDEX ix_form_definition_current_deleted ON form_definition_current (deleted);
CREATE INDEX ix_form_definition_current_latest_form_id ON form_definition_current (latest_form_id);

CREATE TABLE form_values (
    id INTEGER NOT NULL,
    create_time DATETIME,
    update_time DATETIME,
    form_definition_id INTEGER,
    content BLOB,
    CONSTRAINT form_values_pkey PRIMARY KEY (id),
    CONSTRAINT form_values_form_definition_id_fkey FOREIGN KEY(form_definition_id) REFERENCES form_definition (id)
);
CREATE INDEX ix_form_values_form_definition_id ON form_values (form_definition_id);

CREATE TABLE cleanup_event_library_folder_association (
    id INTEGER NOT NULL,
    create_time DATETIME,
    cleanup_event_id INTEGER,
    library_folder_id INTEGER,
    CONSTRAINT cleanup_event_library_folder_association_pkey PRIMARY KEY (id),
    CONSTRAINT cleanup_event_library_folder_association_cleanup_event_id_fkey FOREIGN KEY(cleanup_event_id) REFERENCES cleanup_event (id),
    CONSTRAINT cleanup_event_library_folder_association_library_folder_id_fkey FOREIGN KEY(library_folder_id) REFERENCES library_folder (id)
);
CREATE INDEX ix_cleanup_event_library_folder_association_cleanup_event_id ON cleanup_event_library_folder_association (cleanup_event_id);
CREATE INDEX ix_cleanup_event_library_folder_association_library_folder_id ON cleanup_event_library_folder_association (library_folder_id);

CREATE TABLE credential (
    id INTEGER NOT NULL,
    group_id INTEGER NOT NULL,
    name VARCHAR NOT NULL,
    is_secret BOOLEAN NOT NULL,
    is_set BOOLEAN NOT NULL,
    value VARCHAR,
    create_time DATETIME NOT NULL,
    update_time DATETIME NOT NULL,
    CONSTRAINT credential_pkey PRIMARY KEY (id),
    CONSTRAINT credential_group_id_fkey FOREIGN KEY(group_id) REFERENCES credentials_group (id) ON DELETE CASCADE
);
CREATE INDEX ix_credential_group_id ON credential (group_id);

CREATE TABLE galaxy_user (
    id INTEGER NOT NULL,
    create_time DATETIME,
    update_time DATETIME,
    email VARCHAR(255) NOT NULL,
    username VARCHAR(255),
    password VARCHAR(255) NOT NULL,
    last_password_change DATETIME,
    external BOOLEAN,
    form_values_id INTEGER,
    preferred_object_store_id VARCHAR(255),
    deleted BOOLEAN,
    purged BOOLEAN,
    disk_usage NUMERIC(15, 0),
    active BOOLEAN NOT NULL,
    activation_token VARCHAR(64),
    CONSTRAINT galaxy_user_pkey PRIMARY KEY (id),
    CONSTRAINT galaxy_user_form_values_id_fkey FOREIGN KEY(form_values_id) REFERENCES form_values (id)
);
CREATE INDEX ix_galaxy_user_activation_token ON galaxy_user (activation_token);
CREATE INDEX ix_galaxy_user_active ON galaxy_user (active);
CREATE INDEX ix_galaxy_user_deleted ON galaxy_user (deleted);
CREATE INDEX ix_galaxy_user_disk_usage ON galaxy_user (disk_usage);
CREATE UNIQUE INDEX ix_galaxy_user_email ON galaxy_user (email);
CREATE INDEX ix_galaxy_user_form_values_id ON galaxy_user (form_values_id);
CREATE INDEX ix_galaxy_user_purged ON galaxy_user (purged);
CREATE UNIQUE INDEX ix_galaxy_user_username ON galaxy_user (username);

CREATE TABLE library_permissions (
    id INTEGER NOT NULL,
    create_time DATETIME,
    update_time DATETIME,
    action TEXT,
    library_id INTEGER,
    role_id INTEGER,
    CONSTRAINT library_permissions_pkey PRIMARY KEY (id),
    CONSTRAINT library_permissions_library_id_fkey FOREIGN KEY(library_id) REFERENCES library (id),
    CONSTRAINT library_permissions_role_id_fkey FOREIGN KEY(role_id) REFERENCES role (id)
);
CREATE INDEX ix_library_permissions_library_id ON library_permissions (library_id);
CREATE INDEX ix_library_permissions_role_id ON library_permissions (role_id);

CREATE TABLE library_dataset_permissions (
    id INTEGER NOT NULL,
    create_time DATETIME,
    update_time DATETIME,
    action TEXT,
    library_dataset_id INTEGER,
    role_id INTEGER,
    CONSTRAINT library_dataset_permissions_pkey PRIMARY KEY (id),
    CONSTRAINT library_dataset_permissions_library_dataset_id_fkey FOREIGN KEY(library_dataset_id) REFERENCES library_dataset (id),
    CONSTRAINT library_dataset_permissions_role_id_fkey FOREIGN KEY(role_id) REFERENCES role (id)
);
CREATE INDEX ix_library_dataset_permissions_library_dataset_id ON library_dataset_permissions (library_dataset_id);
CREATE INDEX ix_library_dataset_permissions_role_id ON library_dataset_permissions (role_id);

CREATE TABLE library_info_association (
    id INTEGER NOT NULL,
    library_id INTEGER,
    form_definition_id INTEGER,
    form_values_id INTEGER,
    inheritable BOOLEAN,
    deleted BOOLEAN,
    CONSTRAINT library_info_association_pkey PRIMARY KEY (id),
    CONSTRAINT library_info_association_library_id_fkey FOREIGN KEY(library_id) REFERENCES library (id),
    CONSTRAINT library_info_association_form_definition_id_fkey FOREIGN KEY(form_definition_id) REFERENCES form_definition (id),
    CONSTRAINT library_info_association_form_values_id_fkey FOREIGN KEY(form_values_id) REFERENCES form_values (id)
);
CREATE INDEX ix_library_info_association_deleted ON library_info_association (deleted);
CREATE INDEX ix_library_info_association_form_definition_id ON library_info_association (form_definition_id);
CREATE INDEX ix_library_info_association_form_values_id ON library_info_association (form_values_id);
CREATE INDEX ix_library_info_association_inheritable ON library_info_association (inheritable);
CREATE INDEX ix_library_info_association_library_id ON library_info_association (library_id);

CREATE TABLE library_folder_info_association (
    id INTEGER NOT NULL,
    library_folder_id INTEGER,
    form_definition_id INTEGER,
    form_values_id INTEGER,
    inheritable BOOLEAN,
    deleted BOOLEAN,
    CONSTRAINT library_folder_info_association_pkey PRIMARY KEY (id),
    CONSTRAINT library_folder_info_association_library_folder_id_fkey FOREIGN KEY(library_folder_id) REFERENCES library_folder (id),
    CONSTRAINT library_folder_info_association_form_definition_id_fkey FOREIGN KEY(form_definition_id) REFERENCES form_definition (id),
    CONSTRAINT library_folder_info_association_form_values_id_fkey FOREIGN KEY(form_values_id) REFERENCES form_values (id)
);
CREATE INDEX ix_library_folder_info_association_deleted ON library_folder_info_association (deleted);
CREATE INDEX ix_library_folder_info_association_form_definition_id ON library_folder_info_association (form_definition_id);
CREATE INDEX ix_library_folder_info_association_form_values_id ON library_folder_info_association (form_values_id);
CREATE INDEX ix_library_folder_info_association_inheritable ON library_folder_info_association (inheritable);
CREATE INDEX ix_library_folder_info_association_library_folder_id ON library_folder_info_association (library_folder_id);

CREATE TABLE cleanup_event_library_association (
    id INTEGER NOT NULL,
    create_time DATETIME,
    cleanup_event_id INTEGER,
    library_id INTEGER,
    CONSTRAINT cleanup_event_library_association_pkey PRIMARY KEY (id),
    CONSTRAINT cleanup_event_library_association_cleanup_event_id_fkey FOREIGN KEY(cleanup_event_id) REFERENCES cleanup_event (id),
    CONSTRAINT cleanup_event_library_association_library_id_fkey FOREIGN KEY(library_id) REFERENCES library (id)
);
CREATE INDEX ix_cleanup_event_library_association_cleanup_event_id ON cleanup_event_library_association (cleanup_event_id);
CREATE INDEX ix_cleanup_event_library_association_library_id ON cleanup_event_library_association (library_id);

CREATE TABLE cleanup_event_library_dataset_association (
    id INTEGER NOT NULL,
    create_time DATETIME,
    cleanup_event_id INTEGER,
    library_dataset_id INTEGER,
    CONSTRAINT cleanup_event_library_dataset_association_pkey PRIMARY KEY (id),
    CONSTRAINT cleanup_event_library_dataset_association_cleanup_event_id_fkey FOREIGN KEY(cleanup_event_id) REFERENCES cleanup_event (id),
    CONSTRAINT cleanup_event_library_dataset_association_library_dataset_id_fkey FOREIGN KEY(library_dataset_id) REFERENCES library_dataset (id)
);
CREATE INDEX ix_cleanup_event_library_dataset_association_cleanup_event_id ON cleanup_event_library_dataset_association (cleanup_event_id);
CREATE INDEX ix_cleanup_event_library_dataset_association_library_dataset_id ON cleanup_event_library_dataset_association (library_dataset_id);

CREATE TABLE password_reset_token (
    token VARCHAR(32) NOT NULL,
    expiration_time DATETIME,
    user_id INTEGER,
    CONSTRAINT password_reset_token_pkey PRIMARY KEY (token),
    CONSTRAINT password_reset_token_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id)
);
CREATE UNIQUE INDEX ix_password_reset_token_token ON password_reset_token (token);
CREATE INDEX ix_password_reset_token_user_id ON password_reset_token (user_id);

CREATE TABLE user_dynamic_tool_association (
    id INTEGER NOT NULL,
    dynamic_tool_id INTEGER NOT NULL,
    user_id INTEGER NOT NULL,
    create_time DATETIME,
    hidden BOOLEAN,
    active BOOLEAN,
    CONSTRAINT user_dynamic_tool_association_pkey PRIMARY KEY (id),
    CONSTRAINT user_dynamic_tool_association_dynamic_tool_id_fkey FOREIGN KEY(dynamic_tool_id) REFERENCES dynamic_tool (id),
    CONSTRAINT user_dynamic_tool_association_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id)
);
CREATE INDEX ix_user_dynamic_tool_association_dynamic_tool_id ON user_dynamic_tool_association (dynamic_tool_id);
CREATE INDEX ix_user_dynamic_tool_association_user_id ON user_dynamic_tool_association (user_id);

CREATE TABLE user_group_association (
    id INTEGER NOT NULL,
    user_id INTEGER NOT NULL,
    group_id INTEGER NOT NULL,
    create_time DATETIME,
    update_time DATETIME,
    CONSTRAINT user_group_association_pkey PRIMARY KEY (id),
    CONSTRAINT user_group_association_user_id_key UNIQUE (user_id, group_id),
    CONSTRAINT user_group_association_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id),
    CONSTRAINT user_group_association_group_id_fkey FOREIGN KEY(group_id) REFERENCES galaxy_group (id)
);
CREATE INDEX ix_user_group_association_group_id ON user_group_association (group_id);
CREATE INDEX ix_user_group_association_user_id ON user_group_association (user_id);

CREATE TABLE user_notification_association (
    id INTEGER NOT NULL,
    user_id INTEGER,
    notification_id INTEGER,
    seen_time DATETIME,
    deleted BOOLEAN,
    update_time DATETIME,
    CONSTRAINT user_notification_association_pkey PRIMARY KEY (id),
    CONSTRAINT user_notification_association_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id),
    CONSTRAINT user_notification_association_notification_id_fkey FOREIGN KEY(notification_id) REFERENCES notification (id)
);
CREATE INDEX ix_user_notification_association_deleted ON user_notification_association (deleted);
CREATE INDEX ix_user_notification_association_notification_id ON user_notification_association (notification_id);
CREATE INDEX ix_user_notification_association_user_id ON user_notification_association (user_id);

CREATE TABLE history (
    id INTEGER NOT NULL,
    create_time DATETIME,
    update_time DATETIME,
    user_id INTEGER,
    name VARCHAR(255),
    hid_counter INTEGER,
    deleted BOOLEAN,
    purged BOOLEAN,
    importing BOOLEAN,
    genome_build VARCHAR(40),
    importable BOOLEAN,
    slug TEXT,
    published BOOLEAN,
    preferred_object_store_id VARCHAR(255),
    archived BOOLEAN DEFAULT 0,
    archive_export_id INTEGER,
    CONSTRAINT history_pkey PRIMARY KEY (id),
    CONSTRAINT history_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id),
    CONSTRAINT history_archive_export_id_fkey FOREIGN KEY(archive_export_id) REFERENCES store_export_association (id)
);
CREATE INDEX ix_history_archived ON history (archived);
CREATE INDEX ix_history_deleted ON history (deleted);
CREATE INDEX ix_history_importing ON history (importing);
CREATE INDEX ix_history_published ON history (published);
CREATE INDEX ix_history_purged ON history (purged);
CREATE INDEX ix_history_slug ON history (slug);
CREATE INDEX ix_history_update_time ON history (update_time);
CREATE INDEX ix_history_user_id ON history (user_id);

CREATE TABLE user_role_association (
    id INTEGER NOT NULL,
    user_id INTEGER NOT NULL,
    role_id INTEGER NOT NULL,
    create_time DATETIME,
    update_time DATETIME,
    CONSTRAINT user_role_association_pkey PRIMARY KEY (id),
    CONSTRAINT user_role_association_user_id_key UNIQUE (user_id, role_id),
    CONSTRAINT user_role_association_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id),
    CONSTRAINT user_role_association_role_id_fkey FOREIGN KEY(role_id) REFERENCES role (id)
);
CREATE INDEX ix_user_role_association_role_id ON user_role_association (role_id);
CREATE INDEX ix_user_role_association_user_id ON user_role_association (user_id);

CREATE TABLE user_quota_source_usage (
    id INTEGER NOT NULL,
    user_id INTEGER,
    quota_source_label VARCHAR(32),
    disk_usage NUMERIC(15, 0) NOT NULL,
    CONSTRAINT user_quota_source_usage_pkey PRIMARY KEY (id),
    CONSTRAINT uqsu_unique_label_per_user UNIQUE (user_id, quota_source_label),
    CONSTRAINT user_quota_source_usage_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id)
);
CREATE INDEX ix_user_quota_source_usage_quota_source_label ON user_quota_source_usage (quota_source_label);
CREATE INDEX ix_user_quota_source_usage_user_id ON user_quota_source_usage (user_id);

CREATE TABLE user_quota_association (
    id INTEGER NOT NULL,
    user_id INTEGER,
    quota_id INTEGER,
    create_time DATETIME,
    update_time DATETIME,
    CONSTRAINT user_quota_association_pkey PRIMARY KEY (id),
    CONSTRAINT user_quota_association_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id),
    CONSTRAINT user_quota_association_quota_id_fkey FOREIGN KEY(quota_id) REFERENCES quota (id)
);
CREATE INDEX ix_user_quota_association_quota_id ON user_quota_association (quota_id);
CREATE INDEX ix_user_quota_association_user_id ON user_quota_association (user_id);

CREATE TABLE default_user_permissions (
    id INTEGER NOT NULL,
    user_id INTEGER,
    action TEXT,
    role_id INTEGER,
    CONSTRAINT default_user_permissions_pkey PRIMARY KEY (id),
    CONSTRAINT default_user_permissions_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id),
    CONSTRAINT default_user_permissions_role_id_fkey FOREIGN KEY(role_id) REFERENCES role (id)
);
CREATE INDEX ix_default_user_permissions_role_id ON default_user_permissions (role_id);
CREATE INDEX ix_default_user_permissions_user_id ON default_user_permissions (user_id);

CREATE TABLE stored_workflow (
    id INTEGER NOT NULL,
    create_time DATETIME,
    update_time DATETIME,
    user_id INTEGER NOT NULL,
    latest_workflow_id INTEGER,
    name TEXT,
    deleted BOOLEAN,
    hidden BOOLEAN,
    importable BOOLEAN,
    slug TEXT,
    from_path TEXT,
    published BOOLEAN,
    CONSTRAINT stored_workflow_pkey PRIMARY KEY (id),
    CONSTRAINT stored_workflow_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id),
    CONSTRAINT stored_workflow_latest_workflow_id_fk FOREIGN KEY(latest_workflow_id) REFERENCES workflow (id)
);
CREATE INDEX ix_stored_workflow_latest_workflow_id ON stored_workflow (latest_workflow_id);
CREATE INDEX ix_stored_workflow_published ON stored_workflow (published);
CREATE INDEX ix_stored_workflow_slug ON stored_workflow (slug);
CREATE INDEX ix_stored_workflow_update_time ON stored_workflow (update_time);
CREATE INDEX ix_stored_workflow_user_id ON stored_workflow (user_id);

CREATE TABLE user_address (
    id INTEGER NOT NULL,
    create_time DATETIME,
    update_time DATETIME,
    user_id INTEGER,
    "desc" VARCHAR(255),
    name VARCHAR(255) NOT NULL,
    institution VARCHAR(255),
    address VARCHAR(255) NOT NULL,
    city VARCHAR(255) NOT NULL,
    state VARCHAR(255) NOT NULL,
    postal_code VARCHAR(255) NOT NULL,
    country VARCHAR(255) NOT NULL,
    phone VARCHAR(255),
    deleted BOOLEAN,
    purged BOOLEAN,
    CONSTRAINT user_address_pkey PRIMARY KEY (id),
    CONSTRAINT user_address_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id)
);
CREATE INDEX ix_user_address_deleted ON user_address (deleted);
CREATE INDEX ix_user_address_purged ON user_address (purged);
CREATE INDEX ix_user_address_user_id ON user_address (user_id);

CREATE TABLE oidc_user_authnz_tokens (
    id INTEGER NOT NULL,
    user_id INTEGER,
    uid VARCHAR(255),
    provider VARCHAR(32),
    extra_data BLOB,
    lifetime INTEGER,
    assoc_type VARCHAR(64),
    CONSTRAINT oidc_user_authnz_tokens_pkey PRIMARY KEY (id),
    CONSTRAINT oidc_user_authnz_tokens_provider_key UNIQUE (provider, uid),
    CONSTRAINT oidc_user_authnz_tokens_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id)
);
CREATE INDEX ix_oidc_user_authnz_tokens_user_id ON oidc_user_authnz_tokens (user_id);

CREATE TABLE visualization (
    id INTEGER NOT NULL,
    create_time DATETIME,
    update_time DATETIME,
    user_id INTEGER NOT NULL,
    latest_revision_id INTEGER,
    title TEXT,
    type TEXT,
    dbkey TEXT,
    deleted BOOLEAN,
    importable BOOLEAN,
    slug TEXT,
    published BOOLEAN,
    CONSTRAINT visualization_pkey PRIMARY KEY (id),
    CONSTRAINT visualization_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id),
    CONSTRAINT visualization_latest_revision_id_fk FOREIGN KEY(latest_revision_id) REFERENCES visualization_revision (id)
);
CREATE INDEX ix_visualization_dbkey ON visualization (dbkey);
CREATE INDEX ix_visualization_deleted ON visualization (deleted);
CREATE INDEX ix_visualization_importable ON visualization (importable);
CREATE INDEX ix_visualization_latest_revision_id ON visualization (latest_revision_id);
CREATE INDEX ix_visualization_published ON visualization (published);
CREATE INDEX ix_visualization_slug ON visualization (slug);
CREATE INDEX ix_visualization_user_id ON visualization (user_id);

CREATE TABLE library_dataset_collection_tag_association (
    id INTEGER NOT NULL,
    library_dataset_collection_id INTEGER,
    tag_id INTEGER,
    user_id INTEGER,
    user_tname VARCHAR(255),
    value VARCHAR(255),
    user_value VARCHAR(255),
    CONSTRAINT library_dataset_collection_tag_association_pkey PRIMARY KEY (id),
    CONSTRAINT library_dataset_collection_tag_association_library_dataset_collection_id_fkey FOREIGN KEY(library_dataset_collection_id) REFERENCES library_dataset_collection_association (id),
    CONSTRAINT library_dataset_collection_tag_association_tag_id_fkey FOREIGN KEY(tag_id) REFERENCES tag (id),
    CONSTRAINT library_dataset_collection_tag_association_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id)
);
CREATE INDEX ix_library_dataset_collection_tag_association_library_dataset_collection_id ON library_dataset_collection_tag_association (library_dataset_collection_id);
CREATE INDEX ix_library_dataset_collection_tag_association_tag_id ON library_dataset_collection_tag_association (tag_id);
CREATE INDEX ix_library_dataset_collection_tag_association_user_id ON library_dataset_collection_tag_association (user_id);
CREATE INDEX ix_library_dataset_collection_tag_association_user_tname ON library_dataset_collection_tag_association (user_tname);
CREATE INDEX ix_library_dataset_collection_tag_association_user_value ON library_dataset_collection_tag_association (user_value);
CREATE INDEX ix_library_dataset_collection_tag_association_value ON library_dataset_collection_tag_association (value);

CREATE TABLE tool_tag_association (
    id INTEGER NOT NULL,
    tool_id VARCHAR(255),
    tag_id INTEGER,
    user_id INTEGER,
    user_tname VARCHAR(255),
    value VARCHAR(255),
    user_value VARCHAR(255),
    CONSTRAINT tool_tag_association_pkey PRIMARY KEY (id),
    CONSTRAINT tool_tag_association_tag_id_fkey FOREIGN KEY(tag_id) REFERENCES tag (id),
    CONSTRAINT tool_tag_association_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id)
);
CREATE INDEX ix_tool_tag_association_tag_id ON tool_tag_association (tag_id);
CREATE INDEX ix_tool_tag_association_tool_id ON tool_tag_association (tool_id);
CREATE INDEX ix_tool_tag_association_user_id ON tool_tag_association (user_id);
CREATE INDEX ix_tool_tag_association_user_tname ON tool_tag_association (user_tname);
CREATE INDEX ix_tool_tag_association_user_value ON tool_tag_association (user_value);
CREATE INDEX ix_tool_tag_association_value ON tool_tag_association (value);

CREATE TABLE library_dataset_collection_annotation_association (
    id INTEGER NOT NULL,
    library_dataset_collection_id INTEGER,
    user_id INTEGER,
    annotation TEXT,
    CONSTRAINT library_dataset_collection_annotation_association_pkey PRIMARY KEY (id),
    CONSTRAINT library_dataset_collection_annotation_association_library_dataset_collection_id_fkey FOREIGN KEY(library_dataset_collection_id) REFERENCES library_dataset_collection_association (id),
    CONSTRAINT library_dataset_collection_annotation_association_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id)
);
CREATE INDEX ix_library_dataset_collection_annotation_association_library_dataset_collection_id ON library_dataset_collection_annotation_association (library_dataset_collection_id);
CREATE INDEX ix_library_dataset_collection_annotation_association_user_id ON library_dataset_collection_annotation_association (user_id);

CREATE TABLE library_dataset_collection_rating_association (
    id INTEGER NOT NULL,
    library_dataset_collection_id INTEGER,
    user_id INTEGER,
    rating INTEGER,
    CONSTRAINT library_dataset_collection_rating_association_pkey PRIMARY KEY (id),
    CONSTRAINT library_dataset_collection_rating_association_library_dataset_collection_id_fkey FOREIGN KEY(library_dataset_collection_id) REFERENCES library_dataset_collection_association (id),
    CONSTRAINT library_dataset_collection_rating_association_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id)
);
CREATE INDEX ix_library_dataset_collection_rating_association_library_dataset_collection_id ON library_dataset_collection_rating_association (library_dataset_collection_id);
CREATE INDEX ix_library_dataset_collection_rating_association_rating ON library_dataset_collection_rating_association (rating);
CREATE INDEX ix_library_dataset_collection_rating_association_user_id ON library_dataset_collection_rating_association (user_id);

CREATE TABLE user_preference (
    id INTEGER NOT NULL,
    user_id INTEGER,
    name VARCHAR(255),
    value TEXT,
    CONSTRAINT user_preference_pkey PRIMARY KEY (id),
    CONSTRAINT user_preference_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id)
);
CREATE INDEX ix_user_preference_name ON user_preference (name);
CREATE INDEX ix_user_preference_user_id ON user_preference (user_id);

CREATE TABLE user_object_store (
    id INTEGER NOT NULL,
    user_id INTEGER,
    uuid CHAR(32) NOT NULL,
    create_time DATETIME NOT NULL,
    update_time DATETIME NOT NULL,
    name VARCHAR(255) NOT NULL,
    description TEXT,
    hidden BOOLEAN NOT NULL,
    active BOOLEAN NOT NULL,
    purged BOOLEAN NOT NULL,
    template_id VARCHAR(255) NOT NULL,
    template_version INTEGER NOT NULL,
    template_definition BLOB,
    template_variables BLOB,
    template_secrets BLOB,
    CONSTRAINT user_object_store_pkey PRIMARY KEY (id),
    CONSTRAINT user_object_store_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id)
);
CREATE INDEX ix_user_object_store_name ON user_object_store (name);
CREATE INDEX ix_user_object_store_template_id ON user_object_store (template_id);
CREATE INDEX ix_user_object_store_template_version ON user_object_store (template_version);
CREATE INDEX ix_user_object_store_update_time ON user_object_store (update_time);
CREATE INDEX ix_user_object_store_user_id ON user_object_store (user_id);
CREATE INDEX ix_user_object_store_uuid ON user_object_store (uuid);

CREATE TABLE user_file_source (
    id INTEGER NOT NULL,
    user_id INTEGER,
    uuid CHAR(32) NOT NULL,
    create_time DATETIME NOT NULL,
    update_time DATETIME NOT NULL,
    name VARCHAR(255) NOT NULL,
    description TEXT,
    hidden BOOLEAN NOT NULL,
    active BOOLEAN NOT NULL,
    purged BOOLEAN NOT NULL,
    template_id VARCHAR(255) NOT NULL,
    template_version INTEGER NOT NULL,
    template_definition BLOB,
    template_variables BLOB,
    template_secrets BLOB,
    CONSTRAINT user_file_source_pkey PRIMARY KEY (id),
    CONSTRAINT user_file_source_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id)
);
CREATE INDEX ix_user_file_source_name ON user_file_source (name);
CREATE INDEX ix_user_file_source_template_id ON user_file_source (template_id);
CREATE INDEX ix_user_file_source_template_version ON user_file_source (template_version);
CREATE INDEX ix_user_file_source_update_time ON user_file_source (update_time);
CREATE INDEX ix_user_file_source_user_id ON user_file_source (user_id);
CREATE INDEX ix_user_file_source_uuid ON user_file_source (uuid);

CREATE TABLE tool_landing_request (
    id INTEGER NOT NULL,
    user_id INTEGER,
    create_time DATETIME,
    update_time DATETIME,
    uuid CHAR(32) NOT NULL,
    tool_id VARCHAR(255) NOT NULL,
    tool_version VARCHAR(255),
    request_state BLOB,
    client_secret VARCHAR(255),
    public BOOLEAN NOT NULL,
    origin VARCHAR(255),
    CONSTRAINT tool_landing_request_pkey PRIMARY KEY (id),
    CONSTRAINT tool_landing_request_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id)
);
CREATE INDEX ix_tool_landing_request_update_time ON tool_landing_request (update_time);
CREATE INDEX ix_tool_landing_request_user_id ON tool_landing_request (user_id);
CREATE INDEX ix_tool_landing_request_uuid ON tool_landing_request (uuid);

CREATE TABLE api_keys (
    id INTEGER NOT NULL,
    create_time DATETIME,
    user_id INTEGER,
    "key" VARCHAR(32),
    deleted BOOLEAN DEFAULT 0 NOT NULL,
    CONSTRAINT api_keys_pkey PRIMARY KEY (id),
    CONSTRAINT api_keys_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id)
);
CREATE INDEX ix_api_keys_deleted ON api_keys (deleted);
CREATE UNIQUE INDEX ix_api_keys_key ON api_keys ("key");
CREATE INDEX ix_api_keys_user_id ON api_keys (user_id);

CREATE TABLE cleanup_event_user_association (
    id INTEGER NOT NULL,
    create_time DATETIME,
    cleanup_event_id INTEGER,
    user_id INTEGER,
    CONSTRAINT cleanup_event_user_association_pkey PRIMARY KEY (id),
    CONSTRAINT cleanup_event_user_association_cleanup_event_id_fkey FOREIGN KEY(cleanup_event_id) REFERENCES cleanup_event (id),
    CONSTRAINT cleanup_event_user_association_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id)
);
CREATE INDEX ix_cleanup_event_user_association_cleanup_event_id ON cleanup_event_user_association (cleanup_event_id);
CREATE INDEX ix_cleanup_event_user_association_user_id ON cleanup_event_user_association (user_id);

CREATE TABLE celery_user_rate_limit (
    user_id INTEGER NOT NULL,
    last_scheduled_time DATETIME NOT NULL,
    CONSTRAINT celery_user_rate_limit_pkey PRIMARY KEY (user_id),
    CONSTRAINT celery_user_rate_limit_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id) ON DELETE CASCADE
);

CREATE TABLE celery_user_active_task (
    task_id VARCHAR(255) NOT NULL,
    user_id INTEGER NOT NULL,
    started_at DATETIME NOT NULL,
    CONSTRAINT celery_user_active_task_pkey PRIMARY KEY (task_id),
    CONSTRAINT celery_user_active_task_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id) ON DELETE CASCADE
);
CREATE INDEX ix_celery_user_active_task_user_id ON celery_user_active_task (user_id);

CREATE TABLE tool_request (
    id INTEGER NOT NULL,
    tool_source_id INTEGER NOT NULL,
    history_id INTEGER NOT NULL,
    request BLOB NOT NULL,
    state VARCHAR(32),
    state_message BLOB,
    CONSTRAINT tool_request_pkey PRIMARY KEY (id),
    CONSTRAINT tool_request_tool_source_id_fkey FOREIGN KEY(tool_source_id) REFERENCES tool_source (id),
    CONSTRAINT tool_request_history_id_fkey FOREIGN KEY(history_id) REFERENCES history (id)
);
CREATE INDEX ix_tool_request_history_id ON tool_request (history_id);
CREATE INDEX ix_tool_request_state ON tool_request (state);
CREATE INDEX ix_tool_request_state_message ON tool_request (state_message);
CREATE INDEX ix_tool_request_tool_source_id ON tool_request (tool_source_id);

CREATE TABLE history_audit (
    history_id INTEGER NOT NULL,
    update_time DATETIME NOT NULL,
    CONSTRAINT history_audit_pkey PRIMARY KEY (history_id, update_time) ON CONFLICT IGNORE,
    CONSTRAINT history_audit_history_id_fkey FOREIGN KEY(history_id) REFERENCES history (id)
);

CREATE TABLE history_user_share_association (
    id INTEGER NOT NULL,
    history_id INTEGER,
    user_id INTEGER,
    CONSTRAINT history_user_share_association_pkey PRIMARY KEY (id),
    CONSTRAINT history_user_share_association_history_id_fkey FOREIGN KEY(history_id) REFERENCES history (id),
    CONSTRAINT history_user_share_association_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id)
);
CREATE INDEX ix_history_user_share_association_history_id ON history_user_share_association (history_id);
CREATE INDEX ix_history_user_share_association_user_id ON history_user_share_association (user_id);

CREATE TABLE default_history_permissions (
    id INTEGER NOT NULL,
    history_id INTEGER,
    action TEXT,
    role_id INTEGER,
    CONSTRAINT default_history_permissions_pkey PRIMARY KEY (id),
    CONSTRAINT default_history_permissions_history_id_fkey FOREIGN KEY(history_id) REFERENCES history (id),
    CONSTRAINT default_history_permissions_role_id_fkey FOREIGN KEY(role_id) REFERENCES role (id)
);
CREATE INDEX ix_default_history_permissions_history_id ON default_history_permissions (history_id);
CREATE INDEX ix_default_history_permissions_role_id ON default_history_permissions (role_id);

CREATE TABLE galaxy_session (
    id INTEGER NOT NULL,
    create_time DATETIME,
    update_time DATETIME,
    user_id INTEGER,
    remote_host VARCHAR(255),
    remote_addr VARCHAR(255),
    referer TEXT,
    current_history_id INTEGER,
    session_key VARCHAR(255),
    is_valid BOOLEAN,
    prev_session_id INTEGER,
    disk_usage NUMERIC(15, 0),
    last_action DATETIME,
    CONSTRAINT galaxy_session_pkey PRIMARY KEY (id),
    CONSTRAINT galaxy_session_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id),
    CONSTRAINT galaxy_session_current_history_id_fkey FOREIGN KEY(current_history_id) REFERENCES history (id)
);
CREATE INDEX ix_galaxy_session_disk_usage ON galaxy_session (disk_usage);
CREATE UNIQUE INDEX ix_galaxy_session_session_key ON galaxy_session (session_key);
CREATE INDEX ix_galaxy_session_user_id ON galaxy_session (user_id);

CREATE TABLE workflow (
    id INTEGER NOT NULL,
    create_time DATETIME,
    update_time DATETIME,
    stored_workflow_id INTEGER,
    parent_workflow_id INTEGER,
    name TEXT,
    has_cycles BOOLEAN,
    has_errors BOOLEAN,
    reports_config BLOB,
    creator_metadata BLOB,
    license TEXT,
    source_metadata BLOB,
    readme TEXT,
    logo_url TEXT,
    help TEXT,
    uuid CHAR(32),
    doi JSON,
    CONSTRAINT workflow_pkey PRIMARY KEY (id),
    CONSTRAINT workflow_stored_workflow_id_fkey FOREIGN KEY(stored_workflow_id) REFERENCES stored_workflow (id),
    CONSTRAINT workflow_parent_workflow_id_fkey FOREIGN KEY(parent_workflow_id) REFERENCES workflow (id)
);
CREATE INDEX ix_workflow_parent_workflow_id ON workflow (parent_workflow_id);
CREATE INDEX ix_workflow_stored_workflow_id ON workflow (stored_workflow_id);

CREATE TABLE stored_workflow_user_share_connection (
    id INTEGER NOT NULL,
    stored_workflow_id INTEGER,
    user_id INTEGER,
    CONSTRAINT stored_workflow_user_share_connection_pkey PRIMARY KEY (id),
    CONSTRAINT stored_workflow_user_share_connection_stored_workflow_id_fkey FOREIGN KEY(stored_workflow_id) REFERENCES stored_workflow (id),
    CONSTRAINT stored_workflow_user_share_connection_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id)
);
CREATE INDEX ix_stored_workflow_user_share_connection_stored_workflow_id ON stored_workflow_user_share_connection (stored_workflow_id);
CREATE INDEX ix_stored_workflow_user_share_connection_user_id ON stored_workflow_user_share_connection (user_id);

CREATE TABLE stored_workflow_menu_entry (
    id INTEGER NOT NULL,
    stored_workflow_id INTEGER,
    user_id INTEGER,
    order_index INTEGER,
    CONSTRAINT stored_workflow_menu_entry_pkey PRIMARY KEY (id),
    CONSTRAINT stored_workflow_menu_entry_stored_workflow_id_fkey FOREIGN KEY(stored_workflow_id) REFERENCES stored_workflow (id),
    CONSTRAINT stored_workflow_menu_entry_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id)
);
CREATE INDEX ix_stored_workflow_menu_entry_stored_workflow_id ON stored_workflow_menu_entry (stored_workflow_id);
CREATE INDEX ix_stored_workflow_menu_entry_user_id ON stored_workflow_menu_entry (user_id);

CREATE TABLE visualization_revision (
    id INTEGER NOT NULL,
    create_time DATETIME,
    update_time DATETIME,
    visualization_id INTEGER NOT NULL,
    title TEXT,
    dbkey TEXT,
    config BLOB,
    CONSTRAINT visualization_revision_pkey PRIMARY KEY (id),
    CONSTRAINT visualization_revision_visualization_id_fkey FOREIGN KEY(visualization_id) REFERENCES visualization (id)
);
CREATE INDEX ix_visualization_revision_dbkey ON visualization_revision (dbkey);
CREATE INDEX ix_visualization_revision_visualization_id ON visualization_revision (visualization_id);

CREATE TABLE visualization_user_share_association (
    id INTEGER NOT NULL,
    visualization_id INTEGER,
    user_id INTEGER,
    CONSTRAINT visualization_user_share_association_pkey PRIMARY KEY (id),
    CONSTRAINT visualization_user_share_association_visualization_id_fkey FOREIGN KEY(visualization_id) REFERENCES visualization (id),
    CONSTRAINT visualization_user_share_association_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id)
);
CREATE INDEX ix_visualization_user_share_association_user_id ON visualization_user_share_association (user_id);
CREATE INDEX ix_visualization_user_share_association_visualization_id ON visualization_user_share_association (visualization_id);

CREATE TABLE history_tag_association (
    id INTEGER NOT NULL,
    history_id INTEGER,
    tag_id INTEGER,
    user_id INTEGER,
    user_tname VARCHAR(255),
    value VARCHAR(255),
    user_value VARCHAR(255),
    CONSTRAINT history_tag_association_pkey PRIMARY KEY (id),
    CONSTRAINT history_tag_association_history_id_fkey FOREIGN KEY(history_id) REFERENCES history (id),
    CONSTRAINT history_tag_association_tag_id_fkey FOREIGN KEY(tag_id) REFERENCES tag (id),
    CONSTRAINT history_tag_association_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id)
);
CREATE INDEX ix_history_tag_association_history_id ON history_tag_association (history_id);
CREATE INDEX ix_history_tag_association_tag_id ON history_tag_association (tag_id);
CREATE INDEX ix_history_tag_association_user_id ON history_tag_association (user_id);
CREATE INDEX ix_history_tag_association_user_tname ON history_tag_association (user_tname);
CREATE INDEX ix_history_tag_association_user_value ON history_tag_association (user_value);
CREATE INDEX ix_history_tag_association_value ON history_tag_association (value);

CREATE TABLE stored_workflow_tag_association (
    id INTEGER NOT NULL,
    stored_workflow_id INTEGER,
    tag_id INTEGER,
    user_id INTEGER,
    user_tname VARCHAR(255),
    value VARCHAR(255),
    user_value VARCHAR(255),
    CONSTRAINT stored_workflow_tag_association_pkey PRIMARY KEY (id),
    CONSTRAINT stored_workflow_tag_association_stored_workflow_id_fkey FOREIGN KEY(stored_workflow_id) REFERENCES stored_workflow (id),
    CONSTRAINT stored_workflow_tag_association_tag_id_fkey FOREIGN KEY(tag_id) REFERENCES tag (id),
    CONSTRAINT stored_workflow_tag_association_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id)
);
CREATE INDEX ix_stored_workflow_tag_association_stored_workflow_id ON stored_workflow_tag_association (stored_workflow_id);
CREATE INDEX ix_stored_workflow_tag_association_tag_id ON stored_workflow_tag_association (tag_id);
CREATE INDEX ix_stored_workflow_tag_association_user_id ON stored_workflow_tag_association (user_id);
CREATE INDEX ix_stored_workflow_tag_association_user_tname ON stored_workflow_tag_association (user_tname);
CREATE INDEX ix_stored_workflow_tag_association_user_value ON stored_workflow_tag_association (user_value);
CREATE INDEX ix_stored_workflow_tag_association_value ON stored_workflow_tag_association (value);

CREATE TABLE visualization_tag_association (
    id INTEGER NOT NULL,
    visualization_id INTEGER,
    tag_id INTEGER,
    user_id INTEGER,
    user_tname VARCHAR(255),
    value VARCHAR(255),
    user_value VARCHAR(255),
    CONSTRAINT visualization_tag_association_pkey PRIMARY KEY (id),
    CONSTRAINT visualization_tag_association_visualization_id_fkey FOREIGN KEY(visualization_id) REFERENCES visualization (id),
    CONSTRAINT visualization_tag_association_tag_id_fkey FOREIGN KEY(tag_id) REFERENCES tag (id),
    CONSTRAINT visualization_tag_association_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id)
);
CREATE INDEX ix_visualization_tag_association_tag_id ON visualization_tag_association (tag_id);
CREATE INDEX ix_visualization_tag_association_user_id ON visualization_tag_association (user_id);
CREATE INDEX ix_visualization_tag_association_user_tname ON visualization_tag_association (user_tname);
CREATE INDEX ix_visualization_tag_association_user_value ON visualization_tag_association (user_value);
CREATE INDEX ix_visualization_tag_association_value ON visualization_tag_association (value);
CREATE INDEX ix_visualization_tag_association_visualization_id ON visualization_tag_association (visualization_id);

CREATE TABLE history_annotation_association (
    id INTEGER NOT NULL,
    history_id INTEGER,
    user_id INTEGER,
    annotation TEXT,
    CONSTRAINT history_annotation_association_pkey PRIMARY KEY (id),
    CONSTRAINT history_annotation_association_history_id_fkey FOREIGN KEY(history_id) REFERENCES history (id),
    CONSTRAINT history_annotation_association_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id)
);
CREATE INDEX ix_history_anno_assoc_annotation ON history_annotation_association (annotation);
CREATE INDEX ix_history_annotation_association_history_id ON history_annotation_association (history_id);
CREATE INDEX ix_history_annotation_association_user_id ON history_annotation_association (user_id);

CREATE TABLE stored_workflow_annotation_association (
    id INTEGER NOT NULL,
    stored_workflow_id INTEGER,
    user_id INTEGER,
    annotation TEXT,
    CONSTRAINT stored_workflow_annotation_association_pkey PRIMARY KEY (id),
    CONSTRAINT stored_workflow_annotation_association_stored_workflow_id_fkey FOREIGN KEY(stored_workflow_id) REFERENCES stored_workflow (id),
    CONSTRAINT stored_workflow_annotation_association_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id)
);
CREATE INDEX ix_stored_workflow_ann_assoc_annotation ON stored_workflow_annotation_association (annotation);
CREATE INDEX ix_stored_workflow_annotation_association_stored_workflow_id ON stored_workflow_annotation_association (stored_workflow_id);
CREATE INDEX ix_stored_workflow_annotation_association_user_id ON stored_workflow_annotation_association (user_id);

CREATE TABLE visualization_annotation_association (
    id INTEGER NOT NULL,
    visualization_id INTEGER,
    user_id INTEGER,
    annotation TEXT,
    CONSTRAINT visualization_annotation_association_pkey PRIMARY KEY (id),
    CONSTRAINT visualization_annotation_association_visualization_id_fkey FOREIGN KEY(visualization_id) REFERENCES visualization (id),
    CONSTRAINT visualization_annotation_association_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id)
);
CREATE INDEX ix_visualization_annotation_association_annotation ON visualization_annotation_association (annotation);
CREATE INDEX ix_visualization_annotation_association_user_id ON visualization_annotation_association (user_id);
CREATE INDEX ix_visualization_annotation_association_visualization_id ON visualization_annotation_association (visualization_id);

CREATE TABLE history_rating_association (
    id INTEGER NOT NULL,
    history_id INTEGER,
    user_id INTEGER,
    rating INTEGER,
    CONSTRAINT history_rating_association_pkey PRIMARY KEY (id),
    CONSTRAINT history_rating_association_history_id_fkey FOREIGN KEY(history_id) REFERENCES history (id),
    CONSTRAINT history_rating_association_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id)
);
CREATE INDEX ix_history_rating_association_history_id ON history_rating_association (history_id);
CREATE INDEX ix_history_rating_association_rating ON history_rating_association (rating);
CREATE INDEX ix_history_rating_association_user_id ON history_rating_association (user_id);

CREATE TABLE stored_workflow_rating_association (
    id INTEGER NOT NULL,
    stored_workflow_id INTEGER,
    user_id INTEGER,
    rating INTEGER,
    CONSTRAINT stored_workflow_rating_association_pkey PRIMARY KEY (id),
    CONSTRAINT stored_workflow_rating_association_stored_workflow_id_fkey FOREIGN KEY(stored_workflow_id) REFERENCES stored_workflow (id),
    CONSTRAINT stored_workflow_rating_association_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id)
);
CREATE INDEX ix_stored_workflow_rating_association_rating ON stored_workflow_rating_association (rating);
CREATE INDEX ix_stored_workflow_rating_association_stored_workflow_id ON stored_workflow_rating_association (stored_workflow_id);
CREATE INDEX ix_stored_workflow_rating_association_user_id ON stored_workflow_rating_association (user_id);

CREATE TABLE visualization_rating_association (
    id INTEGER NOT NULL,
    visualization_id INTEGER,
    user_id INTEGER,
    rating INTEGER,
    CONSTRAINT visualization_rating_association_pkey PRIMARY KEY (id),
    CONSTRAINT visualization_rating_association_visualization_id_fkey FOREIGN KEY(visualization_id) REFERENCES visualization (id),
    CONSTRAINT visualization_rating_association_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id)
);
CREATE INDEX ix_visualization_rating_association_rating ON visualization_rating_association (rating);
CREATE INDEX ix_visualization_rating_association_user_id ON visualization_rating_association (user_id);
CREATE INDEX ix_visualization_rating_association_visualization_id ON visualization_rating_association (visualization_id);

CREATE TABLE data_manager_history_association (
    id INTEGER NOT NULL,
    create_time DATETIME,
    update_time DATETIME,
    history_id INTEGER,
    user_id INTEGER,
    CONSTRAINT data_manager_history_association_pkey PRIMARY KEY (id),
    CONSTRAINT data_manager_history_association_history_id_fkey FOREIGN KEY(history_id) REFERENCES history (id),
    CONSTRAINT data_manager_history_association_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id)
);
CREATE INDEX ix_data_manager_history_association_history_id ON data_manager_history_association (history_id);
CREATE INDEX ix_data_manager_history_association_update_time ON data_manager_history_association (update_time);
CREATE INDEX ix_data_manager_history_association_user_id ON data_manager_history_association (user_id);

CREATE TABLE cleanup_event_history_association (
    id INTEGER NOT NULL,
    create_time DATETIME,
    cleanup_event_id INTEGER,
    history_id INTEGER,
    CONSTRAINT cleanup_event_history_association_pkey PRIMARY KEY (id),
    CONSTRAINT cleanup_event_history_association_cleanup_event_id_fkey FOREIGN KEY(cleanup_event_id) REFERENCES cleanup_event (id),
    CONSTRAINT cleanup_event_history_association_history_id_fkey FOREIGN KEY(history_id) REFERENCES history (id)
);
CREATE INDEX ix_cleanup_event_history_association_cleanup_event_id ON cleanup_event_history_association (cleanup_event_id);
CREATE INDEX ix_cleanup_event_history_association_history_id ON cleanup_event_history_association (history_id);

CREATE TABLE dataset_storage_operation_snapshot (
    id INTEGER NOT NULL,
    history_id INTEGER NOT NULL,
    user_id INTEGER NOT NULL,
    mode VARCHAR(32) NOT NULL,
    target_object_store_id VARCHAR(255) NOT NULL,
    resolved_dataset_ids BLOB NOT NULL,
    eligible_dataset_ids BLOB NOT NULL,
    create_time DATETIME,
    update_time DATETIME,
    expires_at DATETIME NOT NULL,
    CONSTRAINT dataset_storage_operation_snapshot_pkey PRIMARY KEY (id),
    CONSTRAINT dataset_storage_operation_snapshot_history_id_fkey FOREIGN KEY(history_id) REFERENCES history (id) ON DELETE CASCADE,
    CONSTRAINT dataset_storage_operation_snapshot_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id) ON DELETE CASCADE
);
CREATE INDEX ix_dataset_storage_operation_snapshot_expires_at ON dataset_storage_operation_snapshot (expires_at);
CREATE INDEX ix_dataset_storage_operation_snapshot_history_id ON dataset_storage_operation_snapshot (history_id);
CREATE INDEX ix_dataset_storage_operation_snapshot_mode ON dataset_storage_operation_snapshot (mode);
CREATE INDEX ix_dataset_storage_operation_snapshot_user_id ON dataset_storage_operation_snapshot (user_id);

CREATE TABLE job (
    id INTEGER NOT NULL,
    create_time DATETIME,
    update_time DATETIME,
    history_id INTEGER,
    library_folder_id INTEGER,
    tool_id VARCHAR(255),
    tool_version TEXT,
    galaxy_version VARCHAR(64),
    dynamic_tool_id INTEGER,
    state VARCHAR(64),
    info VARCHAR(255),
    copied_from_job_id INTEGER,
    command_line TEXT,
    dependencies BLOB,
    job_messages BLOB,
    param_filename VARCHAR(1024),
    runner_name VARCHAR(255),
    job_stdout TEXT,
    job_stderr TEXT,
    tool_stdout TEXT,
    tool_stderr TEXT,
    exit_code INTEGER,
    traceback TEXT,
    session_id INTEGER,
    user_id INTEGER,
    job_runner_name VARCHAR(255),
    job_runner_external_id VARCHAR(255),
    destination_id VARCHAR(255),
    destination_params BLOB,
    object_store_id VARCHAR(255),
    imported BOOLEAN,
    handler VARCHAR(255),
    preferred_object_store_id VARCHAR(255),
    object_store_id_overrides BLOB,
    tool_request_id INTEGER,
    tool_state JSON,
    CONSTRAINT job_pkey PRIMARY KEY (id),
    CONSTRAINT job_history_id_fkey FOREIGN KEY(history_id) REFERENCES history (id),
    CONSTRAINT job_library_folder_id_fkey FOREIGN KEY(library_folder_id) REFERENCES library_folder (id),
    CONSTRAINT job_dynamic_tool_id_fkey FOREIGN KEY(dynamic_tool_id) REFERENCES dynamic_tool (id),
    CONSTRAINT job_session_id_fkey FOREIGN KEY(session_id) REFERENCES galaxy_session (id) ON DELETE SET NULL,
    CONSTRAINT job_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id),
    CONSTRAINT job_tool_request_id_fkey FOREIGN KEY(tool_request_id) REFERENCES tool_request (id)
);
CREATE INDEX ix_job_dynamic_tool_id ON job (dynamic_tool_id);
CREATE INDEX ix_job_handler ON job (handler);
CREATE INDEX ix_job_history_id ON job (history_id);
CREATE INDEX ix_job_imported ON job (imported);
CREATE INDEX ix_job_job_runner_external_id ON job (job_runner_external_id);
CREATE INDEX ix_job_library_folder_id ON job (library_folder_id);
CREATE INDEX ix_job_object_store_id ON job (object_store_id);
CREATE INDEX ix_job_session_id ON job (session_id);
CREATE INDEX ix_job_state ON job (state);
CREATE INDEX ix_job_tool_id ON job (tool_id);
CREATE INDEX ix_job_tool_request_id ON job (tool_request_id);
CREATE INDEX ix_job_update_time ON job (update_time);
CREATE INDEX ix_job_user_id ON job (user_id);

CREATE TABLE event (
    id INTEGER NOT NULL,
    create_time DATETIME,
    update_time DATETIME,
    history_id INTEGER,
    user_id INTEGER,
    message VARCHAR(1024),
    session_id INTEGER,
    tool_id VARCHAR(255),
    CONSTRAINT event_pkey PRIMARY KEY (id),
    CONSTRAINT event_history_id_fkey FOREIGN KEY(history_id) REFERENCES history (id),
    CONSTRAINT event_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id),
    CONSTRAINT event_session_id_fkey FOREIGN KEY(session_id) REFERENCES galaxy_session (id) ON DELETE SET NULL
);
CREATE INDEX ix_event_history_id ON event (history_id);
CREATE INDEX ix_event_session_id ON event (session_id);
CREATE INDEX ix_event_user_id ON event (user_id);

CREATE TABLE galaxy_session_to_history (
    id INTEGER NOT NULL,
    create_time DATETIME,
    session_id INTEGER,
    history_id INTEGER,
    CONSTRAINT galaxy_session_to_history_pkey PRIMARY KEY (id),
    CONSTRAINT galaxy_session_to_history_session_id_fkey FOREIGN KEY(session_id) REFERENCES galaxy_session (id) ON DELETE CASCADE,
    CONSTRAINT galaxy_session_to_history_history_id_fkey FOREIGN KEY(history_id) REFERENCES history (id)
);
CREATE INDEX ix_galaxy_session_to_history_history_id ON galaxy_session_to_history (history_id);
CREATE INDEX ix_galaxy_session_to_history_session_id ON galaxy_session_to_history (session_id);

CREATE TABLE workflow_comment (
    id INTEGER NOT NULL,
    order_index INTEGER,
    workflow_id INTEGER NOT NULL,
    position BLOB,
    size BLOB,
    type VARCHAR(16),
    color VARCHAR(16),
    data BLOB,
    parent_comment_id INTEGER,
    CONSTRAINT workflow_comment_pkey PRIMARY KEY (id),
    CONSTRAINT workflow_comment_workflow_id_fkey FOREIGN KEY(workflow_id) REFERENCES workflow (id),
    CONSTRAINT workflow_comment_parent_comment_id_fkey FOREIGN KEY(parent_comment_id) REFERENCES workflow_comment (id)
);
CREATE INDEX ix_workflow_comment_parent_comment_id ON workflow_comment (parent_comment_id);
CREATE INDEX ix_workflow_comment_workflow_id ON workflow_comment (workflow_id);

CREATE TABLE workflow_invocation (
    id INTEGER NOT NULL,
    create_time DATETIME,
    update_time DATETIME,
    workflow_id INTEGER NOT NULL,
    state VARCHAR(64),
    scheduler VARCHAR(255),
    handler VARCHAR(255),
    uuid CHAR(32),
    history_id INTEGER,
    on_complete JSON,
    CONSTRAINT workflow_invocation_pkey PRIMARY KEY (id),
    CONSTRAINT workflow_invocation_workflow_id_fkey FOREIGN KEY(workflow_id) REFERENCES workflow (id),
    CONSTRAINT workflow_invocation_history_id_fkey FOREIGN KEY(history_id) REFERENCES history (id)
);
CREATE INDEX ix_workflow_invocation_handler ON workflow_invocation (handler);
CREATE INDEX ix_workflow_invocation_history_id ON workflow_invocation (history_id);
CREATE INDEX ix_workflow_invocation_scheduler ON workflow_invocation (scheduler);
CREATE INDEX ix_workflow_invocation_state ON workflow_invocation (state);
CREATE INDEX ix_workflow_invocation_update_time ON workflow_invocation (update_time);
CREATE INDEX ix_workflow_invocation_workflow_id ON workflow_invocation (workflow_id);

CREATE TABLE workflow_landing_request (
    id INTEGER NOT NULL,
    user_id INTEGER,
    workflow_id INTEGER,
    stored_workflow_id INTEGER,
    create_time DATETIME,
    update_time DATETIME,
    uuid CHAR(32) NOT NULL,
    request_state BLOB,
    client_secret VARCHAR(255),
    workflow_source VARCHAR(255),
    workflow_source_type VARCHAR(255),
    public BOOLEAN NOT NULL,
    origin VARCHAR(255),
    CONSTRAINT workflow_landing_request_pkey PRIMARY KEY (id),
    CONSTRAINT workflow_landing_request_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id),
    CONSTRAINT workflow_landing_request_workflow_id_fkey FOREIGN KEY(workflow_id) REFERENCES stored_workflow (id),
    CONSTRAINT workflow_landing_request_stored_workflow_id_fkey FOREIGN KEY(stored_workflow_id) REFERENCES workflow (id)
);
CREATE INDEX ix_workflow_landing_request_update_time ON workflow_landing_request (update_time);
CREATE INDEX ix_workflow_landing_request_user_id ON workflow_landing_request (user_id);
CREATE INDEX ix_workflow_landing_request_uuid ON workflow_landing_request (uuid);

CREATE TABLE landing_request_to_tool_request_association (
    id INTEGER NOT NULL,
    landing_request_id INTEGER NOT NULL,
    tool_request_id INTEGER NOT NULL,
    CONSTRAINT landing_request_to_tool_request_association_pkey PRIMARY KEY (id),
    CONSTRAINT landing_request_to_tool_request_association_landing_request_id_fkey FOREIGN KEY(landing_request_id) REFERENCES tool_landing_request (id),
    CONSTRAINT landing_request_to_tool_request_association_tool_request_id_fkey FOREIGN KEY(tool_request_id) REFERENCES tool_request (id)
);

CREATE TABLE user_action (
    id INTEGER NOT NULL,
    create_time DATETIME,
    user_id INTEGER,
    session_id INTEGER,
    action VARCHAR(255),
    context VARCHAR(512),
    params VARCHAR(1024),
    CONSTRAINT user_action_pkey PRIMARY KEY (id),
    CONSTRAINT user_action_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id),
    CONSTRAINT user_action_session_id_fkey FOREIGN KEY(session_id) REFERENCES galaxy_session (id) ON DELETE SET NULL
);
CREATE INDEX ix_user_action_session_id ON user_action (session_id);
CREATE INDEX ix_user_action_user_id ON user_action (user_id);

CREATE TABLE dataset_storage_operation_run (
    id INTEGER NOT NULL,
    snapshot_id INTEGER NOT NULL,
    history_id INTEGER NOT NULL,
    user_id INTEGER NOT NULL,
    mode VARCHAR(32) NOT NULL,
    target_object_store_id VARCHAR(255) NOT NULL,
    state VARCHAR(32) NOT NULL,
    skip_ineligible BOOLEAN NOT NULL,
    notify_on_completion BOOLEAN NOT NULL,
    task_id CHAR(32),
    total_count INTEGER NOT NULL,
    succeeded_count INTEGER NOT NULL,
    failed_count INTEGER NOT NULL,
    skipped_count INTEGER NOT NULL,
    total_bytes_processed BIGINT NOT NULL,
    create_time DATETIME,
    update_time DATETIME,
    CONSTRAINT dataset_storage_operation_run_pkey PRIMARY KEY (id),
    CONSTRAINT dataset_storage_operation_run_snapshot_id_fkey FOREIGN KEY(snapshot_id) REFERENCES dataset_storage_operation_snapshot (id) ON DELETE CASCADE,
    CONSTRAINT dataset_storage_operation_run_history_id_fkey FOREIGN KEY(history_id) REFERENCES history (id) ON DELETE CASCADE,
    CONSTRAINT dataset_storage_operation_run_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id) ON DELETE CASCADE
);
CREATE INDEX ix_dataset_storage_operation_run_history_id ON dataset_storage_operation_run (history_id);
CREATE INDEX ix_dataset_storage_operation_run_mode ON dataset_storage_operation_run (mode);
CREATE INDEX ix_dataset_storage_operation_run_snapshot_id ON dataset_storage_operation_run (snapshot_id);
CREATE INDEX ix_dataset_storage_operation_run_state ON dataset_storage_operation_run (state);
CREATE INDEX ix_dataset_storage_operation_run_task_id ON dataset_storage_operation_run (task_id);
CREATE INDEX ix_dataset_storage_operation_run_user_id ON dataset_storage_operation_run (user_id);

CREATE TABLE job_metric_text (
    id INTEGER NOT NULL,
    job_id INTEGER,
    plugin VARCHAR(255),
    metric_name VARCHAR(255),
    metric_value VARCHAR(1023),
    CONSTRAINT job_metric_text_pkey PRIMARY KEY (id),
    CONSTRAINT job_metric_text_job_id_fkey FOREIGN KEY(job_id) REFERENCES job (id)
);
CREATE INDEX ix_job_metric_text_job_id ON job_metric_text (job_id);

CREATE TABLE job_metric_numeric (
    id INTEGER NOT NULL,
    job_id INTEGER,
    plugin VARCHAR(255),
    metric_name VARCHAR(255),
    metric_value NUMERIC(26, 7),
    CONSTRAINT job_metric_numeric_pkey PRIMARY KEY (id),
    CONSTRAINT job_metric_numeric_job_id_fkey FOREIGN KEY(job_id) REFERENCES job (id)
);
CREATE INDEX ix_job_metric_numeric_job_id ON job_metric_numeric (job_id);

CREATE TABLE task (
    id INTEGER NOT NULL,
    create_time DATETIME,
    execution_time DATETIME,
    update_time DATETIME,
    state VARCHAR(64),
    command_line TEXT,
    param_filename VARCHAR(1024),
    runner_name VARCHAR(255),
    job_stdout TEXT,
    job_stderr TEXT,
    tool_stdout TEXT,
    tool_stderr TEXT,
    exit_code INTEGER,
    job_messages BLOB,
    info VARCHAR(255),
    traceback TEXT,
    job_id INTEGER NOT NULL,
    working_directory VARCHAR(1024),
    task_runner_name VARCHAR(255),
    task_runner_external_id VARCHAR(255),
    prepare_input_files_cmd TEXT,
    CONSTRAINT task_pkey PRIMARY KEY (id),
    CONSTRAINT task_job_id_fkey FOREIGN KEY(job_id) REFERENCES job (id)
);
CREATE INDEX ix_task_job_id ON task (job_id);
CREATE INDEX ix_task_state ON task (state);

CREATE TABLE job_parameter (
    id INTEGER NOT NULL,
    job_id INTEGER,
    name VARCHAR(255),
    value TEXT,
    CONSTRAINT job_parameter_pkey PRIMARY KEY (id),
    CONSTRAINT job_parameter_job_id_fkey FOREIGN KEY(job_id) REFERENCES job (id)
);
CREATE INDEX ix_job_parameter_job_id ON job_parameter (job_id);

CREATE TABLE job_to_implicit_output_dataset_collection (
    id INTEGER NOT NULL,
    job_id INTEGER,
    dataset_collection_id INTEGER,
    name VARCHAR(255),
    CONSTRAINT job_to_implicit_output_dataset_collection_pkey PRIMARY KEY (id),
    CONSTRAINT job_to_implicit_output_dataset_collection_job_id_fkey FOREIGN KEY(job_id) REFERENCES job (id),
    CONSTRAINT job_to_implicit_output_dataset_collection_dataset_collection_id_fkey FOREIGN KEY(dataset_collection_id) REFERENCES dataset_collection (id)
);
CREATE INDEX ix_job_to_implicit_output_dataset_collection_dataset_collection_id ON job_to_implicit_output_dataset_collection (dataset_collection_id);
CREATE INDEX ix_job_to_implicit_output_dataset_collection_job_id ON job_to_implicit_output_dataset_collection (job_id);

CREATE TABLE job_state_history (
    id INTEGER NOT NULL,
    create_time DATETIME,
    job_id INTEGER,
    state VARCHAR(64),
    info VARCHAR(255),
    CONSTRAINT job_state_history_pkey PRIMARY KEY (id),
    CONSTRAINT job_state_history_job_id_fkey FOREIGN KEY(job_id) REFERENCES job (id)
);
CREATE INDEX ix_job_state_history_job_id ON job_state_history (job_id);
CREATE INDEX ix_job_state_history_state ON job_state_history (state);

CREATE TABLE job_credentials_context (
    id INTEGER NOT NULL,
    job_id INTEGER NOT NULL,
    user_credentials_id INTEGER,
    service_name VARCHAR(255) NOT NULL,
    service_version VARCHAR(255) NOT NULL,
    selected_group_id INTEGER,
    selected_group_name VARCHAR(255) NOT NULL,
    CONSTRAINT job_credentials_context_pkey PRIMARY KEY (id),
    CONSTRAINT job_credentials_context_job_id_fkey FOREIGN KEY(job_id) REFERENCES job (id),
    CONSTRAINT job_credentials_context_user_credentials_id_fkey FOREIGN KEY(user_credentials_id) REFERENCES user_credentials (id) ON DELETE SET NULL,
    CONSTRAINT job_credentials_context_selected_group_id_fkey FOREIGN KEY(selected_group_id) REFERENCES credentials_group (id) ON DELETE SET NULL
);
CREATE INDEX ix_job_credentials_context_job_id ON job_credentials_context (job_id);
CREATE INDEX ix_job_credentials_context_selected_group_id ON job_credentials_context (selected_group_id);
CREATE INDEX ix_job_credentials_context_user_credentials_id ON job_credentials_context (user_credentials_id);

CREATE TABLE implicit_collection_jobs_job_association (
    id INTEGER NOT NULL,
    implicit_collection_jobs_id INTEGER,
    job_id INTEGER,
    order_index INTEGER NOT NULL,
    CONSTRAINT implicit_collection_jobs_job_association_pkey PRIMARY KEY (id),
    CONSTRAINT implicit_collection_jobs_job_association_implicit_collection_jobs_id_fkey FOREIGN KEY(implicit_collection_jobs_id) REFERENCES implicit_collection_jobs (id),
    CONSTRAINT implicit_collection_jobs_job_association_job_id_fkey FOREIGN KEY(job_id) REFERENCES job (id)
);
CREATE INDEX ix_implicit_collection_jobs_job_association_implicit_collection_jobs_id ON implicit_collection_jobs_job_association (implicit_collection_jobs_id);
CREATE INDEX ix_implicit_collection_jobs_job_association_job_id ON implicit_collection_jobs_job_association (job_id);

CREATE TABLE job_import_history_archive (
    id INTEGER NOT NULL,
    job_id INTEGER,
    history_id INTEGER,
    archive_dir TEXT,
    CONSTRAINT job_import_history_archive_pkey PRIMARY KEY (id),
    CONSTRAINT job_import_history_archive_job_id_fkey FOREIGN KEY(job_id) REFERENCES job (id),
    CONSTRAINT job_import_history_archive_history_id_fkey FOREIGN KEY(history_id) REFERENCES history (id)
);
CREATE INDEX ix_job_import_history_archive_history_id ON job_import_history_archive (history_id);
CREATE INDEX ix_job_import_history_archive_job_id ON job_import_history_archive (job_id);

CREATE TABLE job_container_association (
    id INTEGER NOT NULL,
    job_id INTEGER,
    container_type TEXT,
    container_name TEXT,
    container_info BLOB,
    created_time DATETIME,
    modified_time DATETIME,
    CONSTRAINT job_container_association_pkey PRIMARY KEY (id),
    CONSTRAINT job_container_association_job_id_fkey FOREIGN KEY(job_id) REFERENCES job (id)
);
CREATE INDEX ix_job_container_association_job_id ON job_container_association (job_id);

CREATE TABLE interactivetool_entry_point (
    id INTEGER NOT NULL,
    job_id INTEGER,
    name TEXT,
    token TEXT NOT NULL,
    tool_port INTEGER,
    host TEXT,
    port INTEGER,
    protocol TEXT,
    entry_url TEXT,
    requires_domain BOOLEAN,
    requires_path_in_url BOOLEAN,
    requires_path_in_header_named TEXT,
    info BLOB,
    configured BOOLEAN,
    deleted BOOLEAN,
    created_time DATETIME,
    modified_time DATETIME,
    label TEXT,
    CONSTRAINT interactivetool_entry_point_pkey PRIMARY KEY (id),
    CONSTRAINT interactivetool_entry_point_job_id_fkey FOREIGN KEY(job_id) REFERENCES job (id)
);
CREATE INDEX ix_interactivetool_entry_point_job_id ON interactivetool_entry_point (job_id);

CREATE TABLE dataset (
    id INTEGER NOT NULL,
    job_id INTEGER,
    create_time DATETIME,
    update_time DATETIME,
    state VARCHAR(64),
    deleted BOOLEAN,
    purged BOOLEAN,
    purgable BOOLEAN,
    object_store_id VARCHAR(255),
    external_filename TEXT,
    _extra_files_path TEXT,
    created_from_basename TEXT,
    file_size NUMERIC(15, 0),
    total_size NUMERIC(15, 0),
    uuid CHAR(32),
    CONSTRAINT dataset_pkey PRIMARY KEY (id),
    CONSTRAINT uq_uuid_column UNIQUE (uuid),
    CONSTRAINT dataset_job_id_fkey FOREIGN KEY(job_id) REFERENCES job (id),
    CONSTRAINT dataset_uuid_key UNIQUE (uuid)
);
CREATE INDEX ix_dataset_deleted ON dataset (deleted);
CREATE INDEX ix_dataset_job_id ON dataset (job_id);
CREATE INDEX ix_dataset_object_store_id ON dataset (object_store_id);
CREATE INDEX ix_dataset_purged ON dataset (purged);
CREATE INDEX ix_dataset_state ON dataset (state);
CREATE INDEX ix_dataset_update_time ON dataset (update_time);

CREATE TABLE history_dataset_collection_association (
    id INTEGER NOT NULL,
    collection_id INTEGER,
    history_id INTEGER,
    name VARCHAR(255),
    hid INTEGER,
    visible BOOLEAN,
    deleted BOOLEAN,
    copied_from_history_dataset_collection_association_id INTEGER,
    implicit_output_name VARCHAR(255),
    job_id INTEGER,
    implicit_collection_jobs_id INTEGER,
    create_time DATETIME,
    update_time DATETIME,
    CONSTRAINT history_dataset_collection_association_pkey PRIMARY KEY (id),
    CONSTRAINT history_dataset_collection_association_collection_id_fkey FOREIGN KEY(collection_id) REFERENCES dataset_collection (id),
    CONSTRAINT history_dataset_collection_association_history_id_fkey FOREIGN KEY(history_id) REFERENCES history (id),
    CONSTRAINT history_dataset_collection_association_copied_from_history_dataset_collection_association_id_fkey FOREIGN KEY(copied_from_history_dataset_collection_association_id) REFERENCES history_dataset_collection_association (id),
    CONSTRAINT history_dataset_collection_association_job_id_fkey FOREIGN KEY(job_id) REFERENCES job (id),
    CONSTRAINT history_dataset_collection_association_implicit_collection_jobs_id_fkey FOREIGN KEY(implicit_collection_jobs_id) REFERENCES implicit_collection_jobs (id)
);
CREATE INDEX ix_history_dataset_collection_association_collection_id ON history_dataset_collection_association (collection_id);
CREATE INDEX ix_history_dataset_collection_association_history_id ON history_dataset_collection_association (history_id);
CREATE INDEX ix_history_dataset_collection_association_implicit_collection_jobs_id ON history_dataset_collection_association (implicit_collection_jobs_id);
CREATE INDEX ix_history_dataset_collection_association_job_id ON history_dataset_collection_association (job_id);
CREATE INDEX ix_history_dataset_collection_association_update_time ON history_dataset_collection_association (update_time);

CREATE TABLE workflow_step (
    id INTEGER NOT NULL,
    create_time DATETIME,
    update_time DATETIME,
    workflow_id INTEGER NOT NULL,
    subworkflow_id INTEGER,
    dynamic_tool_id INTEGER,
    type VARCHAR(64),
    tool_id TEXT,
    tool_version TEXT,
    tool_inputs BLOB,
    tool_errors BLOB,
    position BLOB,
    config BLOB,
    order_index INTEGER NOT NULL,
    when_expression BLOB,
    uuid CHAR(32),
    label VARCHAR(255),
    parent_comment_id INTEGER,
    CONSTRAINT workflow_step_pkey PRIMARY KEY (id),
    CONSTRAINT workflow_step_workflow_id_fkey FOREIGN KEY(workflow_id) REFERENCES workflow (id),
    CONSTRAINT workflow_step_subworkflow_id_fkey FOREIGN KEY(subworkflow_id) REFERENCES workflow (id),
    CONSTRAINT workflow_step_dynamic_tool_id_fkey FOREIGN KEY(dynamic_tool_id) REFERENCES dynamic_tool (id),
    CONSTRAINT workflow_step_parent_comment_id_fkey FOREIGN KEY(parent_comment_id) REFERENCES workflow_comment (id)
);
CREATE INDEX ix_workflow_step_dynamic_tool_id ON workflow_step (dynamic_tool_id);
CREATE INDEX ix_workflow_step_parent_comment_id ON workflow_step (parent_comment_id);
CREATE INDEX ix_workflow_step_subworkflow_id ON workflow_step (subworkflow_id);
CREATE INDEX ix_workflow_step_workflow_id ON workflow_step (workflow_id);

CREATE TABLE workflow_invocation_completion (
    id INTEGER NOT NULL,
    workflow_invocation_id INTEGER NOT NULL,
    completion_time DATETIME NOT NULL,
    job_state_summary JSON,
    hooks_executed JSON,
    CONSTRAINT workflow_invocation_completion_pkey PRIMARY KEY (id),
    CONSTRAINT workflow_invocation_completion_workflow_invocation_id_fkey FOREIGN KEY(workflow_invocation_id) REFERENCES workflow_invocation (id)
);
CREATE UNIQUE INDEX ix_workflow_invocation_completion_workflow_invocation_id ON workflow_invocation_completion (workflow_invocation_id);

CREATE TABLE workflow_request_input_parameters (
    id INTEGER NOT NULL,
    workflow_invocation_id INTEGER,
    name VARCHAR(255),
    value TEXT,
    type VARCHAR(255),
    CONSTRAINT workflow_request_input_parameters_pkey PRIMARY KEY (id),
    CONSTRAINT workflow_request_input_parameters_workflow_invocation_id_fkey FOREIGN KEY(workflow_invocation_id) REFERENCES workflow_invocation (id) ON DELETE CASCADE ON UPDATE CASCADE
);
CREATE INDEX ix_workflow_request_input_parameters_workflow_invocation_id ON workflow_request_input_parameters (workflow_invocation_id);

CREATE TABLE page (
    id INTEGER NOT NULL,
    create_time DATETIME,
    update_time DATETIME,
    user_id INTEGER NOT NULL,
    latest_revision_id INTEGER,
    title TEXT,
    deleted BOOLEAN,
    importable BOOLEAN,
    slug TEXT,
    published BOOLEAN,
    source_invocation_id INTEGER,
    history_id INTEGER,
    CONSTRAINT page_pkey PRIMARY KEY (id),
    CONSTRAINT page_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id),
    CONSTRAINT page_latest_revision_id_fk FOREIGN KEY(latest_revision_id) REFERENCES page_revision (id),
    CONSTRAINT page_source_invocation_id_fkey FOREIGN KEY(source_invocation_id) REFERENCES workflow_invocation (id),
    CONSTRAINT page_history_id_fkey FOREIGN KEY(history_id) REFERENCES history (id)
);
CREATE INDEX ix_page_deleted ON page (deleted);
CREATE INDEX ix_page_history_id ON page (history_id);
CREATE INDEX ix_page_importable ON page (importable);
CREATE INDEX ix_page_latest_revision_id ON page (latest_revision_id);
CREATE INDEX ix_page_published ON page (published);
CREATE INDEX ix_page_slug ON page (slug);
CREATE INDEX ix_page_source_invocation_id ON page (source_invocation_id);
CREATE INDEX ix_page_user_id ON page (user_id);

CREATE TABLE data_manager_job_association (
    id INTEGER NOT NULL,
    create_time DATETIME,
    update_time DATETIME,
    job_id INTEGER,
    data_manager_id TEXT,
    CONSTRAINT data_manager_job_association_pkey PRIMARY KEY (id),
    CONSTRAINT data_manager_job_association_job_id_fkey FOREIGN KEY(job_id) REFERENCES job (id)
);
CREATE INDEX ix_data_manager_job_association_data_manager_id ON data_manager_job_association (data_manager_id);
CREATE INDEX ix_data_manager_job_association_job_id ON data_manager_job_association (job_id);
CREATE INDEX ix_data_manager_job_association_update_time ON data_manager_job_association (update_time);

CREATE TABLE landing_request_to_workflow_invocation_association (
    id INTEGER NOT NULL,
    landing_request_id INTEGER NOT NULL,
    workflow_invocation_id INTEGER NOT NULL,
    CONSTRAINT landing_request_to_workflow_invocation_association_pkey PRIMARY KEY (id),
    CONSTRAINT landing_request_to_workflow_invocation_association_landing_request_id_fkey FOREIGN KEY(landing_request_id) REFERENCES workflow_landing_request (id),
    CONSTRAINT landing_request_to_workflow_invocation_association_workflow_invocation_id_fkey FOREIGN KEY(workflow_invocation_id) REFERENCES workflow_invocation (id)
);

CREATE TABLE tool_request_implicit_collection_association (
    id INTEGER NOT NULL,
    tool_request_id INTEGER NOT NULL,
    dataset_collection_id INTEGER NOT NULL,
    output_name VARCHAR(255) NOT NULL,
    CONSTRAINT tool_request_implicit_collection_association_pkey PRIMARY KEY (id),
    CONSTRAINT fk_trica_tri FOREIGN KEY(tool_request_id) REFERENCES tool_request (id),
    CONSTRAINT fk_trica_dci FOREIGN KEY(dataset_collection_id) REFERENCES history_dataset_collection_association (id)
);
CREATE INDEX ix_tool_request_implicit_collection_association_dataset_collection_id ON tool_request_implicit_collection_association (dataset_collection_id);
CREATE INDEX ix_tool_request_implicit_collection_association_tool_request_id ON tool_request_implicit_collection_association (tool_request_id);

CREATE TABLE task_metric_text (
    id INTEGER NOT NULL,
    task_id INTEGER,
    plugin VARCHAR(255),
    metric_name VARCHAR(255),
    metric_value VARCHAR(1023),
    CONSTRAINT task_metric_text_pkey PRIMARY KEY (id),
    CONSTRAINT task_metric_text_task_id_fkey FOREIGN KEY(task_id) REFERENCES task (id)
);
CREATE INDEX ix_task_metric_text_task_id ON task_metric_text (task_id);

CREATE TABLE task_metric_numeric (
    id INTEGER NOT NULL,
    task_id INTEGER,
    plugin VARCHAR(255),
    metric_name VARCHAR(255),
    metric_value NUMERIC(26, 7),
    CONSTRAINT task_metric_numeric_pkey PRIMARY KEY (id),
    CONSTRAINT task_metric_numeric_task_id_fkey FOREIGN KEY(task_id) REFERENCES task (id)
);
CREATE INDEX ix_task_metric_numeric_task_id ON task_metric_numeric (task_id);

CREATE TABLE job_to_input_dataset_collection (
    id INTEGER NOT NULL,
    job_id INTEGER,
    dataset_collection_id INTEGER,
    name VARCHAR(255),
    adapter BLOB,
    CONSTRAINT job_to_input_dataset_collection_pkey PRIMARY KEY (id),
    CONSTRAINT job_to_input_dataset_collection_job_id_fkey FOREIGN KEY(job_id) REFERENCES job (id),
    CONSTRAINT job_to_input_dataset_collection_dataset_collection_id_fkey FOREIGN KEY(dataset_collection_id) REFERENCES history_dataset_collection_association (id)
);
CREATE INDEX ix_job_to_input_dataset_collection_dataset_collection_id ON job_to_input_dataset_collection (dataset_collection_id);
CREATE INDEX ix_job_to_input_dataset_collection_job_id ON job_to_input_dataset_collection (job_id);

CREATE TABLE job_to_output_dataset_collection (
    id INTEGER NOT NULL,
    job_id INTEGER,
    dataset_collection_id INTEGER,
    name VARCHAR(255),
    CONSTRAINT job_to_output_dataset_collection_pkey PRIMARY KEY (id),
    CONSTRAINT job_to_output_dataset_collection_job_id_fkey FOREIGN KEY(job_id) REFERENCES job (id),
    CONSTRAINT job_to_output_dataset_collection_dataset_collection_id_fkey FOREIGN KEY(dataset_collection_id) REFERENCES history_dataset_collection_association (id)
);
CREATE INDEX ix_job_to_output_dataset_collection_dataset_collection_id ON job_to_output_dataset_collection (dataset_collection_id);
CREATE INDEX ix_job_to_output_dataset_collection_job_id ON job_to_output_dataset_collection (job_id);

CREATE TABLE implicitly_created_dataset_collection_inputs (
    id INTEGER NOT NULL,
    dataset_collection_id INTEGER,
    input_dataset_collection_id INTEGER,
    name VARCHAR(255),
    CONSTRAINT implicitly_created_dataset_collection_inputs_pkey PRIMARY KEY (id),
    CONSTRAINT implicitly_created_dataset_collection_inputs_dataset_collection_id_fkey FOREIGN KEY(dataset_collection_id) REFERENCES history_dataset_collection_association (id),
    CONSTRAINT implicitly_created_dataset_collection_inputs_input_dataset_collection_id_fkey FOREIGN KEY(input_dataset_collection_id) REFERENCES history_dataset_collection_association (id)
);
CREATE INDEX ix_implicitly_created_dataset_collection_inputs_dataset_collection_id ON implicitly_created_dataset_collection_inputs (dataset_collection_id);
CREATE INDEX ix_implicitly_created_dataset_collection_inputs_input_dataset_collection_id ON implicitly_created_dataset_collection_inputs (input_dataset_collection_id);

CREATE TABLE post_job_action (
    id INTEGER NOT NULL,
    workflow_step_id INTEGER,
    action_type VARCHAR(255) NOT NULL,
    output_name VARCHAR(255),
    action_arguments BLOB,
    CONSTRAINT post_job_action_pkey PRIMARY KEY (id),
    CONSTRAINT post_job_action_workflow_step_id_fkey FOREIGN KEY(workflow_step_id) REFERENCES workflow_step (id)
);
CREATE INDEX ix_post_job_action_workflow_step_id ON post_job_action (workflow_step_id);

CREATE TABLE job_export_history_archive (
    id INTEGER NOT NULL,
    job_id INTEGER,
    history_id INTEGER,
    dataset_id INTEGER,
    compressed BOOLEAN,
    history_attrs_filename TEXT,
    CONSTRAINT job_export_history_archive_pkey PRIMARY KEY (id),
    CONSTRAINT job_export_history_archive_job_id_fkey FOREIGN KEY(job_id) REFERENCES job (id),
    CONSTRAINT job_export_history_archive_history_id_fkey FOREIGN KEY(history_id) REFERENCES history (id),
    CONSTRAINT job_export_history_archive_dataset_id_fkey FOREIGN KEY(dataset_id) REFERENCES dataset (id)
);
CREATE INDEX ix_job_export_history_archive_compressed ON job_export_history_archive (compressed);
CREATE INDEX ix_job_export_history_archive_dataset_id ON job_export_history_archive (dataset_id);
CREATE INDEX ix_job_export_history_archive_history_id ON job_export_history_archive (history_id);
CREATE INDEX ix_job_export_history_archive_job_id ON job_export_history_archive (job_id);

CREATE TABLE genome_index_tool_data (
    id INTEGER NOT NULL,
    job_id INTEGER,
    dataset_id INTEGER,
    fasta_path VARCHAR(255),
    created_time DATETIME,
    modified_time DATETIME,
    indexer VARCHAR(64),
    user_id INTEGER,
    CONSTRAINT genome_index_tool_data_pkey PRIMARY KEY (id),
    CONSTRAINT genome_index_tool_data_job_id_fkey FOREIGN KEY(job_id) REFERENCES job (id),
    CONSTRAINT genome_index_tool_data_dataset_id_fkey FOREIGN KEY(dataset_id) REFERENCES dataset (id),
    CONSTRAINT genome_index_tool_data_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id)
);
CREATE INDEX ix_genome_index_tool_data_dataset_id ON genome_index_tool_data (dataset_id);
CREATE INDEX ix_genome_index_tool_data_job_id ON genome_index_tool_data (job_id);
CREATE INDEX ix_genome_index_tool_data_user_id ON genome_index_tool_data (user_id);

CREATE TABLE chat_exchange (
    id INTEGER NOT NULL,
    user_id INTEGER NOT NULL,
    job_id INTEGER,
    page_id INTEGER,
    CONSTRAINT chat_exchange_pkey PRIMARY KEY (id),
    CONSTRAINT chat_exchange_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id),
    CONSTRAINT chat_exchange_job_id_fkey FOREIGN KEY(job_id) REFERENCES job (id),
    CONSTRAINT chat_exchange_page_id_fkey FOREIGN KEY(page_id) REFERENCES page (id)
);
CREATE INDEX ix_chat_exchange_job_id ON chat_exchange (job_id);
CREATE INDEX ix_chat_exchange_page_id ON chat_exchange (page_id);
CREATE INDEX ix_chat_exchange_user_id ON chat_exchange (user_id);

CREATE TABLE dataset_permissions (
    id INTEGER NOT NULL,
    create_time DATETIME,
    update_time DATETIME,
    action TEXT,
    dataset_id INTEGER,
    role_id INTEGER,
    CONSTRAINT dataset_permissions_pkey PRIMARY KEY (id),
    CONSTRAINT dataset_permissions_dataset_id_fkey FOREIGN KEY(dataset_id) REFERENCES dataset (id),
    CONSTRAINT dataset_permissions_role_id_fkey FOREIGN KEY(role_id) REFERENCES role (id)
);
CREATE INDEX ix_dataset_permissions_dataset_id ON dataset_permissions (dataset_id);
CREATE INDEX ix_dataset_permissions_role_id ON dataset_permissions (role_id);

CREATE TABLE dataset_source (
    id INTEGER NOT NULL,
    dataset_id INTEGER,
    source_uri TEXT,
    extra_files_path TEXT,
    transform BLOB,
    requested_transform BLOB,
    CONSTRAINT dataset_source_pkey PRIMARY KEY (id),
    CONSTRAINT dataset_source_dataset_id_fkey FOREIGN KEY(dataset_id) REFERENCES dataset (id)
);
CREATE INDEX ix_dataset_source_dataset_id ON dataset_source (dataset_id);

CREATE TABLE dataset_hash (
    id INTEGER NOT NULL,
    dataset_id INTEGER,
    hash_function TEXT,
    hash_value TEXT,
    extra_files_path TEXT,
    CONSTRAINT dataset_hash_pkey PRIMARY KEY (id),
    CONSTRAINT dataset_hash_dataset_id_fkey FOREIGN KEY(dataset_id) REFERENCES dataset (id)
);
CREATE INDEX ix_dataset_hash_dataset_id ON dataset_hash (dataset_id);

CREATE TABLE workflow_step_input (
    id INTEGER NOT NULL,
    workflow_step_id INTEGER,
    name TEXT,
    merge_type TEXT,
    scatter_type TEXT,
    value_from BLOB,
    value_from_type TEXT,
    default_value BLOB,
    default_value_set BOOLEAN,
    runtime_value BOOLEAN,
    CONSTRAINT workflow_step_input_pkey PRIMARY KEY (id),
    CONSTRAINT workflow_step_input_workflow_step_id_fkey FOREIGN KEY(workflow_step_id) REFERENCES workflow_step (id)
);
CREATE INDEX ix_workflow_step_input_workflow_step_id ON workflow_step_input (workflow_step_id);
CREATE UNIQUE INDEX ix_workflow_step_input_workflow_step_id_name_unique ON workflow_step_input (workflow_step_id, name);

CREATE TABLE workflow_output (
    id INTEGER NOT NULL,
    workflow_step_id INTEGER NOT NULL,
    output_name VARCHAR(255),
    label VARCHAR(255),
    uuid CHAR(32),
    CONSTRAINT workflow_output_pkey PRIMARY KEY (id),
    CONSTRAINT workflow_output_workflow_step_id_fkey FOREIGN KEY(workflow_step_id) REFERENCES workflow_step (id)
);
CREATE INDEX ix_workflow_output_workflow_step_id ON workflow_output (workflow_step_id);

CREATE TABLE workflow_invocation_to_subworkflow_invocation_association (
    id INTEGER NOT NULL,
    workflow_invocation_id INTEGER,
    subworkflow_invocation_id INTEGER,
    workflow_step_id INTEGER,
    CONSTRAINT workflow_invocation_to_subworkflow_invocation_association_pkey PRIMARY KEY (id),
    CONSTRAINT fk_wfi_swi_wfi FOREIGN KEY(workflow_invocation_id) REFERENCES workflow_invocation (id),
    CONSTRAINT fk_wfi_swi_swi FOREIGN KEY(subworkflow_invocation_id) REFERENCES workflow_invocation (id),
    CONSTRAINT fk_wfi_swi_ws FOREIGN KEY(workflow_step_id) REFERENCES workflow_step (id)
);
CREATE INDEX ix_workflow_invocation_to_subworkflow_invocation_association_subworkflow_invocation_id ON workflow_invocation_to_subworkflow_invocation_association (subworkflow_invocation_id);
CREATE INDEX ix_workflow_invocation_to_subworkflow_invocation_association_workflow_invocation_id ON workflow_invocation_to_subworkflow_invocation_association (workflow_invocation_id);

CREATE TABLE workflow_invocation_step (
    id INTEGER NOT NULL,
    create_time DATETIME,
    update_time DATETIME,
    workflow_invocation_id INTEGER NOT NULL,
    workflow_step_id INTEGER NOT NULL,
    state VARCHAR(64),
    job_id INTEGER,
    implicit_collection_jobs_id INTEGER,
    action BLOB,
    CONSTRAINT workflow_invocation_step_pkey PRIMARY KEY (id),
    CONSTRAINT workflow_invocation_step_workflow_invocation_id_fkey FOREIGN KEY(workflow_invocation_id) REFERENCES workflow_invocation (id),
    CONSTRAINT workflow_invocation_step_workflow_step_id_fkey FOREIGN KEY(workflow_step_id) REFERENCES workflow_step (id),
    CONSTRAINT workflow_invocation_step_job_id_fkey FOREIGN KEY(job_id) REFERENCES job (id),
    CONSTRAINT workflow_invocation_step_implicit_collection_jobs_id_fkey FOREIGN KEY(implicit_collection_jobs_id) REFERENCES implicit_collection_jobs (id)
);
CREATE INDEX ix_workflow_invocation_step_implicit_collection_jobs_id ON workflow_invocation_step (implicit_collection_jobs_id);
CREATE INDEX ix_workflow_invocation_step_job_id ON workflow_invocation_step (job_id);
CREATE INDEX ix_workflow_invocation_step_state ON workflow_invocation_step (state);
CREATE INDEX ix_workflow_invocation_step_workflow_invocation_id ON workflow_invocation_step (workflow_invocation_id);
CREATE INDEX ix_workflow_invocation_step_workflow_step_id ON workflow_invocation_step (workflow_step_id);

CREATE TABLE workflow_request_step_states (
    id INTEGER NOT NULL,
    workflow_invocation_id INTEGER,
    workflow_step_id INTEGER,
    value BLOB,
    CONSTRAINT workflow_request_step_states_pkey PRIMARY KEY (id),
    CONSTRAINT workflow_request_step_states_workflow_invocation_id_fkey FOREIGN KEY(workflow_invocation_id) REFERENCES workflow_invocation (id) ON DELETE CASCADE ON UPDATE CASCADE,
    CONSTRAINT workflow_request_step_states_workflow_step_id_fkey FOREIGN KEY(workflow_step_id) REFERENCES workflow_step (id)
);
CREATE INDEX ix_workflow_request_step_states_workflow_invocation_id ON workflow_request_step_states (workflow_invocation_id);

CREATE TABLE workflow_request_to_input_collection_dataset (
    id INTEGER NOT NULL,
    name VARCHAR(255),
    workflow_invocation_id INTEGER,
    workflow_step_id INTEGER,
    dataset_collection_id INTEGER,
    request BLOB,
    CONSTRAINT workflow_request_to_input_collection_dataset_pkey PRIMARY KEY (id),
    CONSTRAINT workflow_request_to_input_collection_dataset_workflow_invocation_id_fkey FOREIGN KEY(workflow_invocation_id) REFERENCES workflow_invocation (id),
    CONSTRAINT workflow_request_to_input_collection_dataset_workflow_step_id_fkey FOREIGN KEY(workflow_step_id) REFERENCES workflow_step (id),
    CONSTRAINT workflow_request_to_input_collection_dataset_dataset_collection_id_fkey FOREIGN KEY(dataset_collection_id) REFERENCES history_dataset_collection_association (id)
);
CREATE INDEX ix_workflow_request_to_input_collection_dataset_dataset_collection_id ON workflow_request_to_input_collection_dataset (dataset_collection_id);
CREATE INDEX ix_workflow_request_to_input_collection_dataset_workflow_invocation_id ON workflow_request_to_input_collection_dataset (workflow_invocation_id);

CREATE TABLE workflow_request_input_step_parameter (
    id INTEGER NOT NULL,
    workflow_invocation_id INTEGER,
    workflow_step_id INTEGER,
    parameter_value BLOB,
    request BLOB,
    CONSTRAINT workflow_request_input_step_parameter_pkey PRIMARY KEY (id),
    CONSTRAINT workflow_request_input_step_parameter_workflow_invocation_id_fkey FOREIGN KEY(workflow_invocation_id) REFERENCES workflow_invocation (id),
    CONSTRAINT workflow_request_input_step_parameter_workflow_step_id_fkey FOREIGN KEY(workflow_step_id) REFERENCES workflow_step (id)
);
CREATE INDEX ix_workflow_request_input_step_parameter_workflow_invocation_id ON workflow_request_input_step_parameter (workflow_invocation_id);

CREATE TABLE page_revision (
    id INTEGER NOT NULL,
    create_time DATETIME,
    update_time DATETIME,
    page_id INTEGER NOT NULL,
    title TEXT,
    content TEXT,
    content_format VARCHAR(32),
    edit_source VARCHAR(16),
    CONSTRAINT page_revision_pkey PRIMARY KEY (id),
    CONSTRAINT page_revision_page_id_fkey FOREIGN KEY(page_id) REFERENCES page (id)
);
CREATE INDEX ix_page_revision_page_id ON page_revision (page_id);

CREATE TABLE page_user_share_association (
    id INTEGER NOT NULL,
    page_id INTEGER,
    user_id INTEGER,
    CONSTRAINT page_user_share_association_pkey PRIMARY KEY (id),
    CONSTRAINT page_user_share_association_page_id_fkey FOREIGN KEY(page_id) REFERENCES page (id),
    CONSTRAINT page_user_share_association_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id)
);
CREATE INDEX ix_page_user_share_association_page_id ON page_user_share_association (page_id);
CREATE INDEX ix_page_user_share_association_user_id ON page_user_share_association (user_id);

CREATE TABLE page_tag_association (
    id INTEGER NOT NULL,
    page_id INTEGER,
    tag_id INTEGER,
    user_id INTEGER,
    user_tname VARCHAR(255),
    value VARCHAR(255),
    user_value VARCHAR(255),
    CONSTRAINT page_tag_association_pkey PRIMARY KEY (id),
    CONSTRAINT page_tag_association_page_id_fkey FOREIGN KEY(page_id) REFERENCES page (id),
    CONSTRAINT page_tag_association_tag_id_fkey FOREIGN KEY(tag_id) REFERENCES tag (id),
    CONSTRAINT page_tag_association_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id)
);
CREATE INDEX ix_page_tag_association_page_id ON page_tag_association (page_id);
CREATE INDEX ix_page_tag_association_tag_id ON page_tag_association (tag_id);
CREATE INDEX ix_page_tag_association_user_id ON page_tag_association (user_id);
CREATE INDEX ix_page_tag_association_user_tname ON page_tag_association (user_tname);
CREATE INDEX ix_page_tag_association_user_value ON page_tag_association (user_value);
CREATE INDEX ix_page_tag_association_value ON page_tag_association (value);

CREATE TABLE workflow_step_tag_association (
    id INTEGER NOT NULL,
    workflow_step_id INTEGER,
    tag_id INTEGER,
    user_id INTEGER,
    user_tname VARCHAR(255),
    value VARCHAR(255),
    user_value VARCHAR(255),
    CONSTRAINT workflow_step_tag_association_pkey PRIMARY KEY (id),
    CONSTRAINT workflow_step_tag_association_workflow_step_id_fkey FOREIGN KEY(workflow_step_id) REFERENCES workflow_step (id),
    CONSTRAINT workflow_step_tag_association_tag_id_fkey FOREIGN KEY(tag_id) REFERENCES tag (id),
    CONSTRAINT workflow_step_tag_association_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id)
);
CREATE INDEX ix_workflow_step_tag_association_tag_id ON workflow_step_tag_association (tag_id);
CREATE INDEX ix_workflow_step_tag_association_user_id ON workflow_step_tag_association (user_id);
CREATE INDEX ix_workflow_step_tag_association_user_tname ON workflow_step_tag_association (user_tname);
CREATE INDEX ix_workflow_step_tag_association_user_value ON workflow_step_tag_association (user_value);
CREATE INDEX ix_workflow_step_tag_association_value ON workflow_step_tag_association (value);
CREATE INDEX ix_workflow_step_tag_association_workflow_step_id ON workflow_step_tag_association (workflow_step_id);

CREATE TABLE history_dataset_collection_tag_association (
    id INTEGER NOT NULL,
    history_dataset_collection_id INTEGER,
    tag_id INTEGER,
    user_id INTEGER,
    user_tname VARCHAR(255),
    value VARCHAR(255),
    user_value VARCHAR(255),
    CONSTRAINT history_dataset_collection_tag_association_pkey PRIMARY KEY (id),
    CONSTRAINT history_dataset_collection_tag_association_history_dataset_collection_id_fkey FOREIGN KEY(history_dataset_collection_id) REFERENCES history_dataset_collection_association (id),
    CONSTRAINT history_dataset_collection_tag_association_tag_id_fkey FOREIGN KEY(tag_id) REFERENCES tag (id),
    CONSTRAINT history_dataset_collection_tag_association_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id)
);
CREATE INDEX ix_history_dataset_collection_tag_association_history_dataset_collection_id ON history_dataset_collection_tag_association (history_dataset_collection_id);
CREATE INDEX ix_history_dataset_collection_tag_association_tag_id ON history_dataset_collection_tag_association (tag_id);
CREATE INDEX ix_history_dataset_collection_tag_association_user_id ON history_dataset_collection_tag_association (user_id);
CREATE INDEX ix_history_dataset_collection_tag_association_user_tname ON history_dataset_collection_tag_association (user_tname);
CREATE INDEX ix_history_dataset_collection_tag_association_user_value ON history_dataset_collection_tag_association (user_value);
CREATE INDEX ix_history_dataset_collection_tag_association_value ON history_dataset_collection_tag_association (value);

CREATE TABLE workflow_step_annotation_association (
    id INTEGER NOT NULL,
    workflow_step_id INTEGER,
    user_id INTEGER,
    annotation TEXT,
    CONSTRAINT workflow_step_annotation_association_pkey PRIMARY KEY (id),
    CONSTRAINT workflow_step_annotation_association_workflow_step_id_fkey FOREIGN KEY(workflow_step_id) REFERENCES workflow_step (id),
    CONSTRAINT workflow_step_annotation_association_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id)
);
CREATE INDEX ix_workflow_step_ann_assoc_annotation ON workflow_step_annotation_association (annotation);
CREATE INDEX ix_workflow_step_annotation_association_user_id ON workflow_step_annotation_association (user_id);
CREATE INDEX ix_workflow_step_annotation_association_workflow_step_id ON workflow_step_annotation_association (workflow_step_id);

CREATE TABLE page_annotation_association (
    id INTEGER NOT NULL,
    page_id INTEGER,
    user_id INTEGER,
    annotation TEXT,
    CONSTRAINT page_annotation_association_pkey PRIMARY KEY (id),
    CONSTRAINT page_annotation_association_page_id_fkey FOREIGN KEY(page_id) REFERENCES page (id),
    CONSTRAINT page_annotation_association_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id)
);
CREATE INDEX ix_page_annotation_association_annotation ON page_annotation_association (annotation);
CREATE INDEX ix_page_annotation_association_page_id ON page_annotation_association (page_id);
CREATE INDEX ix_page_annotation_association_user_id ON page_annotation_association (user_id);

CREATE TABLE history_dataset_collection_annotation_association (
    id INTEGER NOT NULL,
    history_dataset_collection_id INTEGER,
    user_id INTEGER,
    annotation TEXT,
    CONSTRAINT history_dataset_collection_annotation_association_pkey PRIMARY KEY (id),
    CONSTRAINT history_dataset_collection_annotation_association_history_dataset_collection_id_fkey FOREIGN KEY(history_dataset_collection_id) REFERENCES history_dataset_collection_association (id),
    CONSTRAINT history_dataset_collection_annotation_association_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id)
);
CREATE INDEX ix_history_dataset_collection_annotation_association_history_dataset_collection_id ON history_dataset_collection_annotation_association (history_dataset_collection_id);
CREATE INDEX ix_history_dataset_collection_annotation_association_user_id ON history_dataset_collection_annotation_association (user_id);

CREATE TABLE page_rating_association (
    id INTEGER NOT NULL,
    page_id INTEGER,
    user_id INTEGER,
    rating INTEGER,
    CONSTRAINT page_rating_association_pkey PRIMARY KEY (id),
    CONSTRAINT page_rating_association_page_id_fkey FOREIGN KEY(page_id) REFERENCES page (id),
    CONSTRAINT page_rating_association_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id)
);
CREATE INDEX ix_page_rating_association_page_id ON page_rating_association (page_id);
CREATE INDEX ix_page_rating_association_rating ON page_rating_association (rating);
CREATE INDEX ix_page_rating_association_user_id ON page_rating_association (user_id);

CREATE TABLE history_dataset_collection_rating_association (
    id INTEGER NOT NULL,
    history_dataset_collection_id INTEGER,
    user_id INTEGER,
    rating INTEGER,
    CONSTRAINT history_dataset_collection_rating_association_pkey PRIMARY KEY (id),
    CONSTRAINT history_dataset_collection_rating_association_history_dataset_collection_id_fkey FOREIGN KEY(history_dataset_collection_id) REFERENCES history_dataset_collection_association (id),
    CONSTRAINT history_dataset_collection_rating_association_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id)
);
CREATE INDEX ix_history_dataset_collection_rating_association_history_dataset_collection_id ON history_dataset_collection_rating_association (history_dataset_collection_id);
CREATE INDEX ix_history_dataset_collection_rating_association_rating ON history_dataset_collection_rating_association (rating);
CREATE INDEX ix_history_dataset_collection_rating_association_user_id ON history_dataset_collection_rating_association (user_id);

CREATE TABLE cleanup_event_dataset_association (
    id INTEGER NOT NULL,
    create_time DATETIME,
    cleanup_event_id INTEGER,
    dataset_id INTEGER,
    CONSTRAINT cleanup_event_dataset_association_pkey PRIMARY KEY (id),
    CONSTRAINT cleanup_event_dataset_association_cleanup_event_id_fkey FOREIGN KEY(cleanup_event_id) REFERENCES cleanup_event (id),
    CONSTRAINT cleanup_event_dataset_association_dataset_id_fkey FOREIGN KEY(dataset_id) REFERENCES dataset (id)
);
CREATE INDEX ix_cleanup_event_dataset_association_cleanup_event_id ON cleanup_event_dataset_association (cleanup_event_id);
CREATE INDEX ix_cleanup_event_dataset_association_dataset_id ON cleanup_event_dataset_association (dataset_id);

CREATE TABLE dataset_storage_operation_run_item (
    id INTEGER NOT NULL,
    run_id INTEGER NOT NULL,
    dataset_id INTEGER NOT NULL,
    state VARCHAR(32) NOT NULL,
    reason_code VARCHAR(64),
    bytes_processed BIGINT NOT NULL,
    create_time DATETIME,
    update_time DATETIME,
    CONSTRAINT dataset_storage_operation_run_item_pkey PRIMARY KEY (id),
    CONSTRAINT dataset_storage_operation_run_item_run_id_key UNIQUE (run_id, dataset_id),
    CONSTRAINT dataset_storage_operation_run_item_run_id_fkey FOREIGN KEY(run_id) REFERENCES dataset_storage_operation_run (id) ON DELETE CASCADE,
    CONSTRAINT dataset_storage_operation_run_item_dataset_id_fkey FOREIGN KEY(dataset_id) REFERENCES dataset (id) ON DELETE CASCADE
);
CREATE INDEX ix_dataset_storage_operation_run_item_dataset_id ON dataset_storage_operation_run_item (dataset_id);
CREATE INDEX ix_dataset_storage_operation_run_item_run_id ON dataset_storage_operation_run_item (run_id);
CREATE INDEX ix_dataset_storage_operation_run_item_state ON dataset_storage_operation_run_item (state);

CREATE TABLE library_dataset_dataset_association (
    id INTEGER NOT NULL,
    library_dataset_id INTEGER,
    dataset_id INTEGER,
    create_time DATETIME,
    update_time DATETIME,
    state VARCHAR(64),
    copied_from_history_dataset_association_id INTEGER,
    copied_from_library_dataset_dataset_association_id INTEGER,
    name VARCHAR(255),
    info VARCHAR(255),
    blurb VARCHAR(255),
    peek TEXT,
    tool_version TEXT,
    extension VARCHAR(64),
    metadata BLOB,
    metadata_deferred BOOLEAN,
    parent_id INTEGER,
    designation VARCHAR(255),
    deleted BOOLEAN,
    validated_state VARCHAR(64) NOT NULL,
    validated_state_message TEXT,
    visible BOOLEAN,
    extended_metadata_id INTEGER,
    user_id INTEGER,
    message VARCHAR(255),
    CONSTRAINT library_dataset_dataset_association_pkey PRIMARY KEY (id),
    CONSTRAINT library_dataset_dataset_association_library_dataset_id_fkey FOREIGN KEY(library_dataset_id) REFERENCES library_dataset (id),
    CONSTRAINT library_dataset_dataset_association_dataset_id_fkey FOREIGN KEY(dataset_id) REFERENCES dataset (id),
    CONSTRAINT history_dataset_association_dataset_id_fkey FOREIGN KEY(copied_from_history_dataset_association_id) REFERENCES history_dataset_association (id),
    CONSTRAINT library_dataset_dataset_association_id_fkey FOREIGN KEY(copied_from_library_dataset_dataset_association_id) REFERENCES library_dataset_dataset_association (id),
    CONSTRAINT library_dataset_dataset_association_parent_id_fkey FOREIGN KEY(parent_id) REFERENCES library_dataset_dataset_association (id),
    CONSTRAINT library_dataset_dataset_association_extended_metadata_id_fkey FOREIGN KEY(extended_metadata_id) REFERENCES extended_metadata (id),
    CONSTRAINT library_dataset_dataset_association_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id)
);
CREATE INDEX ix_library_dataset_dataset_association_dataset_id ON library_dataset_dataset_association (dataset_id);
CREATE INDEX ix_library_dataset_dataset_association_deleted ON library_dataset_dataset_association (deleted);
CREATE INDEX ix_library_dataset_dataset_association_extended_metadata_id ON library_dataset_dataset_association (extended_metadata_id);
CREATE INDEX ix_library_dataset_dataset_association_library_dataset_id ON library_dataset_dataset_association (library_dataset_id);
CREATE INDEX ix_library_dataset_dataset_association_name ON library_dataset_dataset_association (name);
CREATE INDEX ix_library_dataset_dataset_association_state ON library_dataset_dataset_association (state);
CREATE INDEX ix_library_dataset_dataset_association_update_time ON library_dataset_dataset_association (update_time);
CREATE INDEX ix_library_dataset_dataset_association_user_id ON library_dataset_dataset_association (user_id);

CREATE TABLE job_to_input_library_dataset (
    id INTEGER NOT NULL,
    job_id INTEGER,
    ldda_id INTEGER,
    name VARCHAR(255),
    CONSTRAINT job_to_input_library_dataset_pkey PRIMARY KEY (id),
    CONSTRAINT job_to_input_library_dataset_job_id_fkey FOREIGN KEY(job_id) REFERENCES job (id),
    CONSTRAINT job_to_input_library_dataset_ldda_id_fkey FOREIGN KEY(ldda_id) REFERENCES library_dataset_dataset_association (id)
);
CREATE INDEX ix_job_to_input_library_dataset_job_id ON job_to_input_library_dataset (job_id);
CREATE INDEX ix_job_to_input_library_dataset_ldda_id ON job_to_input_library_dataset (ldda_id);

CREATE TABLE job_to_output_library_dataset (
    id INTEGER NOT NULL,
    job_id INTEGER,
    ldda_id INTEGER,
    name VARCHAR(255),
    CONSTRAINT job_to_output_library_dataset_pkey PRIMARY KEY (id),
    CONSTRAINT job_to_output_library_dataset_job_id_fkey FOREIGN KEY(job_id) REFERENCES job (id),
    CONSTRAINT job_to_output_library_dataset_ldda_id_fkey FOREIGN KEY(ldda_id) REFERENCES library_dataset_dataset_association (id)
);
CREATE INDEX ix_job_to_output_library_dataset_job_id ON job_to_output_library_dataset (job_id);
CREATE INDEX ix_job_to_output_library_dataset_ldda_id ON job_to_output_library_dataset (ldda_id);

CREATE TABLE post_job_action_association (
    id INTEGER NOT NULL,
    job_id INTEGER NOT NULL,
    post_job_action_id INTEGER NOT NULL,
    CONSTRAINT post_job_action_association_pkey PRIMARY KEY (id),
    CONSTRAINT post_job_action_association_job_id_fkey FOREIGN KEY(job_id) REFERENCES job (id),
    CONSTRAINT post_job_action_association_post_job_action_id_fkey FOREIGN KEY(post_job_action_id) REFERENCES post_job_action (id)
);
CREATE INDEX ix_post_job_action_association_job_id ON post_job_action_association (job_id);
CREATE INDEX ix_post_job_action_association_post_job_action_id ON post_job_action_association (post_job_action_id);

CREATE TABLE chat_exchange_message (
    id INTEGER NOT NULL,
    chat_exchange_id INTEGER NOT NULL,
    create_time DATETIME NOT NULL,
    message TEXT NOT NULL,
    feedback INTEGER,
    CONSTRAINT chat_exchange_message_pkey PRIMARY KEY (id),
    CONSTRAINT chat_exchange_message_chat_exchange_id_fkey FOREIGN KEY(chat_exchange_id) REFERENCES chat_exchange (id)
);
CREATE INDEX ix_chat_exchange_message_chat_exchange_id ON chat_exchange_message (chat_exchange_id);

CREATE TABLE library_dataset_dataset_association_permissions (
    id INTEGER NOT NULL,
    create_time DATETIME,
    update_time DATETIME,
    action TEXT,
    library_dataset_dataset_association_id INTEGER,
    role_id INTEGER,
    CONSTRAINT library_dataset_dataset_association_permissions_pkey PRIMARY KEY (id),
    CONSTRAINT library_dataset_dataset_association_permissions_library_dataset_dataset_association_id_fkey FOREIGN KEY(library_dataset_dataset_association_id) REFERENCES library_dataset_dataset_association (id),
    CONSTRAINT library_dataset_dataset_association_permissions_role_id_fkey FOREIGN KEY(role_id) REFERENCES role (id)
);
CREATE INDEX ix_library_dataset_dataset_association_permissions_library_dataset_dataset_association_id ON library_dataset_dataset_association_permissions (library_dataset_dataset_association_id);
CREATE INDEX ix_library_dataset_dataset_association_permissions_role_id ON library_dataset_dataset_association_permissions (role_id);

CREATE TABLE dataset_source_hash (
    id INTEGER NOT NULL,
    dataset_source_id INTEGER,
    hash_function TEXT,
    hash_value TEXT,
    CONSTRAINT dataset_source_hash_pkey PRIMARY KEY (id),
    CONSTRAINT dataset_source_hash_dataset_source_id_fkey FOREIGN KEY(dataset_source_id) REFERENCES dataset_source (id)
);
CREATE INDEX ix_dataset_source_hash_dataset_source_id ON dataset_source_hash (dataset_source_id);

CREATE TABLE library_dataset_dataset_info_association (
    id INTEGER NOT NULL,
    library_dataset_dataset_association_id INTEGER,
    form_definition_id INTEGER,
    form_values_id INTEGER,
    deleted BOOLEAN,
    CONSTRAINT library_dataset_dataset_info_association_pkey PRIMARY KEY (id),
    CONSTRAINT library_dataset_dataset_info_association_library_dataset_dataset_association_id_fkey FOREIGN KEY(library_dataset_dataset_association_id) REFERENCES library_dataset_dataset_association (id),
    CONSTRAINT library_dataset_dataset_info_association_form_definition_id_fkey FOREIGN KEY(form_definition_id) REFERENCES form_definition (id),
    CONSTRAINT library_dataset_dataset_info_association_form_values_id_fkey FOREIGN KEY(form_values_id) REFERENCES form_values (id)
);
CREATE INDEX ix_library_dataset_dataset_info_association_deleted ON library_dataset_dataset_info_association (deleted);
CREATE INDEX ix_library_dataset_dataset_info_association_form_definition_id ON library_dataset_dataset_info_association (form_definition_id);
CREATE INDEX ix_library_dataset_dataset_info_association_form_values_id ON library_dataset_dataset_info_association (form_values_id);
CREATE INDEX ix_library_dataset_dataset_info_association_library_dataset_dataset_association_id ON library_dataset_dataset_info_association (library_dataset_dataset_association_id);

CREATE TABLE workflow_step_connection (
    id INTEGER NOT NULL,
    output_step_id INTEGER,
    input_step_input_id INTEGER,
    output_name TEXT,
    input_subworkflow_step_id INTEGER,
    CONSTRAINT workflow_step_connection_pkey PRIMARY KEY (id),
    CONSTRAINT workflow_step_connection_output_step_id_fkey FOREIGN KEY(output_step_id) REFERENCES workflow_step (id),
    CONSTRAINT workflow_step_connection_input_step_input_id_fkey FOREIGN KEY(input_step_input_id) REFERENCES workflow_step_input (id),
    CONSTRAINT workflow_step_connection_input_subworkflow_step_id_fkey FOREIGN KEY(input_subworkflow_step_id) REFERENCES workflow_step (id)
);
CREATE INDEX ix_workflow_step_connection_input_step_input_id ON workflow_step_connection (input_step_input_id);
CREATE INDEX ix_workflow_step_connection_input_subworkflow_step_id ON workflow_step_connection (input_subworkflow_step_id);
CREATE INDEX ix_workflow_step_connection_output_step_id ON workflow_step_connection (output_step_id);

CREATE TABLE workflow_invocation_output_dataset_collection_association (
    id INTEGER NOT NULL,
    workflow_invocation_id INTEGER,
    workflow_step_id INTEGER,
    dataset_collection_id INTEGER,
    workflow_output_id INTEGER,
    CONSTRAINT workflow_invocation_output_dataset_collection_association_pkey PRIMARY KEY (id),
    CONSTRAINT fk_wiodca_wii FOREIGN KEY(workflow_invocation_id) REFERENCES workflow_invocation (id),
    CONSTRAINT fk_wiodca_wsi FOREIGN KEY(workflow_step_id) REFERENCES workflow_step (id),
    CONSTRAINT fk_wiodca_dci FOREIGN KEY(dataset_collection_id) REFERENCES history_dataset_collection_association (id),
    CONSTRAINT fk_wiodca_woi FOREIGN KEY(workflow_output_id) REFERENCES workflow_output (id)
);
CREATE INDEX ix_workflow_invocation_output_dataset_collection_association_dataset_collection_id ON workflow_invocation_output_dataset_collection_association (dataset_collection_id);
CREATE INDEX ix_workflow_invocation_output_dataset_collection_association_workflow_invocation_id ON workflow_invocation_output_dataset_collection_association (workflow_invocation_id);
CREATE INDEX ix_workflow_invocation_output_dataset_collection_association_workflow_output_id ON workflow_invocation_output_dataset_collection_association (workflow_output_id);
CREATE INDEX ix_workflow_invocation_output_dataset_collection_association_workflow_step_id ON workflow_invocation_output_dataset_collection_association (workflow_step_id);

CREATE TABLE workflow_invocation_output_value (
    id INTEGER NOT NULL,
    workflow_invocation_id INTEGER,
    workflow_step_id INTEGER,
    workflow_output_id INTEGER,
    value BLOB,
    CONSTRAINT workflow_invocation_output_value_pkey PRIMARY KEY (id),
    CONSTRAINT workflow_invocation_output_value_workflow_invocation_id_fkey FOREIGN KEY(workflow_invocation_id) REFERENCES workflow_invocation (id),
    CONSTRAINT workflow_invocation_output_value_workflow_step_id_fkey FOREIGN KEY(workflow_step_id) REFERENCES workflow_step (id),
    CONSTRAINT workflow_invocation_output_value_workflow_output_id_fkey FOREIGN KEY(workflow_output_id) REFERENCES workflow_output (id)
);
CREATE INDEX ix_workflow_invocation_output_value_workflow_invocation_id ON workflow_invocation_output_value (workflow_invocation_id);
CREATE INDEX ix_workflow_invocation_output_value_workflow_output_id ON workflow_invocation_output_value (workflow_output_id);

CREATE TABLE workflow_invocation_step_output_dataset_collection_association (
    id INTEGER NOT NULL,
    workflow_invocation_step_id INTEGER,
    workflow_step_id INTEGER,
    dataset_collection_id INTEGER,
    output_name VARCHAR(255),
    CONSTRAINT workflow_invocation_step_output_dataset_collection_association_pkey PRIMARY KEY (id),
    CONSTRAINT fk_wisodca_wisi FOREIGN KEY(workflow_invocation_step_id) REFERENCES workflow_invocation_step (id),
    CONSTRAINT fk_wisodca_wsi FOREIGN KEY(workflow_step_id) REFERENCES workflow_step (id),
    CONSTRAINT fk_wisodca_dci FOREIGN KEY(dataset_collection_id) REFERENCES history_dataset_collection_association (id)
);
CREATE INDEX ix_workflow_invocation_step_output_dataset_collection_association_dataset_collection_id ON workflow_invocation_step_output_dataset_collection_association (dataset_collection_id);
CREATE INDEX ix_workflow_invocation_step_output_dataset_collection_association_workflow_invocation_step_id ON workflow_invocation_step_output_dataset_collection_association (workflow_invocation_step_id);
CREATE INDEX ix_workflow_invocation_step_output_dataset_collection_association_workflow_step_id ON workflow_invocation_step_output_dataset_collection_association (workflow_step_id);

CREATE TABLE library_dataset_dataset_association_tag_association (
    id INTEGER NOT NULL,
    library_dataset_dataset_association_id INTEGER,
    tag_id INTEGER,
    user_id INTEGER,
    user_tname VARCHAR(255),
    value VARCHAR(255),
    user_value VARCHAR(255),
    CONSTRAINT library_dataset_dataset_association_tag_association_pkey PRIMARY KEY (id),
    CONSTRAINT library_dataset_dataset_association_tag_association_library_dataset_dataset_association_id_fkey FOREIGN KEY(library_dataset_dataset_association_id) REFERENCES library_dataset_dataset_association (id),
    CONSTRAINT library_dataset_dataset_association_tag_association_tag_id_fkey FOREIGN KEY(tag_id) REFERENCES tag (id),
    CONSTRAINT library_dataset_dataset_association_tag_association_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id)
);
CREATE INDEX ix_library_dataset_dataset_association_tag_association_library_dataset_dataset_association_id ON library_dataset_dataset_association_tag_association (library_dataset_dataset_association_id);
CREATE INDEX ix_library_dataset_dataset_association_tag_association_tag_id ON library_dataset_dataset_association_tag_association (tag_id);
CREATE INDEX ix_library_dataset_dataset_association_tag_association_user_id ON library_dataset_dataset_association_tag_association (user_id);
CREATE INDEX ix_library_dataset_dataset_association_tag_association_user_tname ON library_dataset_dataset_association_tag_association (user_tname);
CREATE INDEX ix_library_dataset_dataset_association_tag_association_user_value ON library_dataset_dataset_association_tag_association (user_value);
CREATE INDEX ix_library_dataset_dataset_association_tag_association_value ON library_dataset_dataset_association_tag_association (value);

CREATE TABLE cleanup_event_ldda_association (
    id INTEGER NOT NULL,
    create_time DATETIME,
    cleanup_event_id INTEGER,
    ldda_id INTEGER,
    CONSTRAINT cleanup_event_ldda_association_pkey PRIMARY KEY (id),
    CONSTRAINT cleanup_event_ldda_association_cleanup_event_id_fkey FOREIGN KEY(cleanup_event_id) REFERENCES cleanup_event (id),
    CONSTRAINT cleanup_event_ldda_association_ldda_id_fkey FOREIGN KEY(ldda_id) REFERENCES library_dataset_dataset_association (id)
);
CREATE INDEX ix_cleanup_event_ldda_association_cleanup_event_id ON cleanup_event_ldda_association (cleanup_event_id);
CREATE INDEX ix_cleanup_event_ldda_association_ldda_id ON cleanup_event_ldda_association (ldda_id);

CREATE TABLE history_dataset_association (
    id INTEGER NOT NULL,
    history_id INTEGER,
    dataset_id INTEGER,
    create_time DATETIME,
    update_time DATETIME,
    state VARCHAR(64),
    copied_from_history_dataset_association_id INTEGER,
    copied_from_library_dataset_dataset_association_id INTEGER,
    name VARCHAR(255),
    info VARCHAR(255),
    blurb VARCHAR(255),
    peek TEXT,
    tool_version TEXT,
    extension VARCHAR(64),
    metadata BLOB,
    metadata_deferred BOOLEAN,
    parent_id INTEGER,
    designation VARCHAR(255),
    deleted BOOLEAN,
    visible BOOLEAN,
    extended_metadata_id INTEGER,
    version INTEGER,
    hid INTEGER,
    purged BOOLEAN,
    validated_state VARCHAR(64) NOT NULL,
    validated_state_message TEXT,
    hidden_beneath_collection_instance_id INTEGER,
    CONSTRAINT history_dataset_association_pkey PRIMARY KEY (id),
    CONSTRAINT history_dataset_association_history_id_fkey FOREIGN KEY(history_id) REFERENCES history (id),
    CONSTRAINT history_dataset_association_dataset_id_fkey FOREIGN KEY(dataset_id) REFERENCES dataset (id),
    CONSTRAINT history_dataset_association_copied_from_history_dataset_association_id_fkey FOREIGN KEY(copied_from_history_dataset_association_id) REFERENCES history_dataset_association (id),
    CONSTRAINT history_dataset_association_copied_from_library_dataset_dataset_association_id_fkey FOREIGN KEY(copied_from_library_dataset_dataset_association_id) REFERENCES library_dataset_dataset_association (id),
    CONSTRAINT history_dataset_association_parent_id_fkey FOREIGN KEY(parent_id) REFERENCES history_dataset_association (id),
    CONSTRAINT history_dataset_association_extended_metadata_id_fkey FOREIGN KEY(extended_metadata_id) REFERENCES extended_metadata (id),
    CONSTRAINT history_dataset_association_hidden_beneath_collection_instance_id_fkey FOREIGN KEY(hidden_beneath_collection_instance_id) REFERENCES history_dataset_collection_association (id)
);
CREATE INDEX ix_history_dataset_association_dataset_id ON history_dataset_association (dataset_id);
CREATE INDEX ix_history_dataset_association_deleted ON history_dataset_association (deleted);
CREATE INDEX ix_history_dataset_association_extended_metadata_id ON history_dataset_association (extended_metadata_id);
CREATE INDEX ix_history_dataset_association_extension ON history_dataset_association (extension);
CREATE INDEX ix_history_dataset_association_history_id ON history_dataset_association (history_id);
CREATE INDEX ix_history_dataset_association_purged ON history_dataset_association (purged);
CREATE INDEX ix_history_dataset_association_state ON history_dataset_association (state);
CREATE INDEX ix_history_dataset_association_update_time ON history_dataset_association (update_time);
CREATE INDEX ix_history_dataset_association_version ON history_dataset_association (version);

CREATE TABLE job_to_input_dataset (
    id INTEGER NOT NULL,
    job_id INTEGER,
    dataset_id INTEGER,
    dataset_version INTEGER,
    name VARCHAR(255),
    adapter BLOB,
    CONSTRAINT job_to_input_dataset_pkey PRIMARY KEY (id),
    CONSTRAINT job_to_input_dataset_job_id_fkey FOREIGN KEY(job_id) REFERENCES job (id),
    CONSTRAINT job_to_input_dataset_dataset_id_fkey FOREIGN KEY(dataset_id) REFERENCES history_dataset_association (id)
);
CREATE INDEX ix_job_to_input_dataset_dataset_id ON job_to_input_dataset (dataset_id);
CREATE INDEX ix_job_to_input_dataset_job_id ON job_to_input_dataset (job_id);

CREATE TABLE job_to_output_dataset (
    id INTEGER NOT NULL,
    job_id INTEGER,
    dataset_id INTEGER,
    name VARCHAR(255),
    CONSTRAINT job_to_output_dataset_pkey PRIMARY KEY (id),
    CONSTRAINT job_to_output_dataset_job_id_fkey FOREIGN KEY(job_id) REFERENCES job (id),
    CONSTRAINT job_to_output_dataset_dataset_id_fkey FOREIGN KEY(dataset_id) REFERENCES history_dataset_association (id)
);
CREATE INDEX ix_job_to_output_dataset_dataset_id ON job_to_output_dataset (dataset_id);
CREATE INDEX ix_job_to_output_dataset_job_id ON job_to_output_dataset (job_id);

CREATE TABLE job_external_output_metadata (
    id INTEGER NOT NULL,
    job_id INTEGER,
    history_dataset_association_id INTEGER,
    library_dataset_dataset_association_id INTEGER,
    is_valid BOOLEAN,
    filename_in VARCHAR(255),
    filename_out VARCHAR(255),
    filename_results_code VARCHAR(255),
    filename_kwds VARCHAR(255),
    filename_override_metadata VARCHAR(255),
    job_runner_external_pid VARCHAR(255),
    CONSTRAINT job_external_output_metadata_pkey PRIMARY KEY (id),
    CONSTRAINT job_external_output_metadata_job_id_fkey FOREIGN KEY(job_id) REFERENCES job (id),
    CONSTRAINT job_external_output_metadata_history_dataset_association_id_fkey FOREIGN KEY(history_dataset_association_id) REFERENCES history_dataset_association (id),
    CONSTRAINT job_external_output_metadata_library_dataset_dataset_association_id_fkey FOREIGN KEY(library_dataset_dataset_association_id) REFERENCES library_dataset_dataset_association (id)
);
CREATE INDEX ix_job_external_output_metadata_history_dataset_association_id ON job_external_output_metadata (history_dataset_association_id);
CREATE INDEX ix_job_external_output_metadata_job_id ON job_external_output_metadata (job_id);
CREATE INDEX ix_job_external_output_metadata_library_dataset_dataset_association_id ON job_external_output_metadata (library_dataset_dataset_association_id);

CREATE TABLE history_dataset_association_history (
    id INTEGER NOT NULL,
    history_dataset_association_id INTEGER,
    update_time DATETIME,
    version INTEGER,
    name VARCHAR(255),
    extension VARCHAR(64),
    metadata BLOB,
    extended_metadata_id INTEGER,
    CONSTRAINT history_dataset_association_history_pkey PRIMARY KEY (id),
    CONSTRAINT history_dataset_association_history_history_dataset_association_id_fkey FOREIGN KEY(history_dataset_association_id) REFERENCES history_dataset_association (id),
    CONSTRAINT history_dataset_association_history_extended_metadata_id_fkey FOREIGN KEY(extended_metadata_id) REFERENCES extended_metadata (id)
);
CREATE INDEX ix_history_dataset_association_history_extended_metadata_id ON history_dataset_association_history (extended_metadata_id);
CREATE INDEX ix_history_dataset_association_history_history_dataset_association_id ON history_dataset_association_history (history_dataset_association_id);

CREATE TABLE history_dataset_association_display_at_authorization (
    id INTEGER NOT NULL,
    create_time DATETIME,
    update_time DATETIME,
    history_dataset_association_id INTEGER,
    user_id INTEGER,
    site VARCHAR(255),
    CONSTRAINT history_dataset_association_display_at_authorization_pkey PRIMARY KEY (id),
    CONSTRAINT history_dataset_association_display_at_authorization_history_dataset_association_id_fkey FOREIGN KEY(history_dataset_association_id) REFERENCES history_dataset_association (id),
    CONSTRAINT history_dataset_association_display_at_authorization_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id)
);
CREATE INDEX ix_history_dataset_association_display_at_authorization_history_dataset_association_id ON history_dataset_association_display_at_authorization (history_dataset_association_id);
CREATE INDEX ix_history_dataset_association_display_at_authorization_update_time ON history_dataset_association_display_at_authorization (update_time);
CREATE INDEX ix_history_dataset_association_display_at_authorization_user_id ON history_dataset_association_display_at_authorization (user_id);

CREATE TABLE history_dataset_association_subset (
    id INTEGER NOT NULL,
    history_dataset_association_id INTEGER,
    history_dataset_association_subset_id INTEGER,
    location VARCHAR(255),
    CONSTRAINT history_dataset_association_subset_pkey PRIMARY KEY (id),
    CONSTRAINT history_dataset_association_subset_history_dataset_association_id_fkey FOREIGN KEY(history_dataset_association_id) REFERENCES history_dataset_association (id),
    CONSTRAINT history_dataset_association_subset_history_dataset_association_subset_id_fkey FOREIGN KEY(history_dataset_association_subset_id) REFERENCES history_dataset_association (id)
);
CREATE INDEX ix_history_dataset_association_subset_history_dataset_association_id ON history_dataset_association_subset (history_dataset_association_id);
CREATE INDEX ix_history_dataset_association_subset_history_dataset_association_subset_id ON history_dataset_association_subset (history_dataset_association_subset_id);
CREATE INDEX ix_history_dataset_association_subset_location ON history_dataset_association_subset (location);

CREATE TABLE implicitly_converted_dataset_association (
    id INTEGER NOT NULL,
    create_time DATETIME,
    update_time DATETIME,
    hda_id INTEGER,
    ldda_id INTEGER,
    hda_parent_id INTEGER,
    ldda_parent_id INTEGER,
    deleted BOOLEAN,
    metadata_safe BOOLEAN,
    type VARCHAR(255),
    CONSTRAINT implicitly_converted_dataset_association_pkey PRIMARY KEY (id),
    CONSTRAINT implicitly_converted_dataset_association_hda_id_fkey FOREIGN KEY(hda_id) REFERENCES history_dataset_association (id),
    CONSTRAINT implicitly_converted_dataset_association_ldda_id_fkey FOREIGN KEY(ldda_id) REFERENCES library_dataset_dataset_association (id),
    CONSTRAINT implicitly_converted_dataset_association_hda_parent_id_fkey FOREIGN KEY(hda_parent_id) REFERENCES history_dataset_association (id),
    CONSTRAINT implicitly_converted_dataset_association_ldda_parent_id_fkey FOREIGN KEY(ldda_parent_id) REFERENCES library_dataset_dataset_association (id)
);
CREATE INDEX ix_implicitly_converted_dataset_association_deleted ON implicitly_converted_dataset_association (deleted);
CREATE INDEX ix_implicitly_converted_dataset_association_hda_id ON implicitly_converted_dataset_association (hda_id);
CREATE INDEX ix_implicitly_converted_dataset_association_hda_parent_id ON implicitly_converted_dataset_association (hda_parent_id);
CREATE INDEX ix_implicitly_converted_dataset_association_ldda_id ON implicitly_converted_dataset_association (ldda_id);
CREATE INDEX ix_implicitly_converted_dataset_association_ldda_parent_id ON implicitly_converted_dataset_association (ldda_parent_id);
CREATE INDEX ix_implicitly_converted_dataset_association_metadata_safe ON implicitly_converted_dataset_association (metadata_safe);

CREATE TABLE dataset_collection_element (
    id INTEGER NOT NULL,
    dataset_collection_id INTEGER NOT NULL,
    hda_id INTEGER,
    ldda_id INTEGER,
    child_collection_id INTEGER,
    element_index INTEGER,
    element_identifier VARCHAR(255),
    columns BLOB,
    CONSTRAINT dataset_collection_element_pkey PRIMARY KEY (id),
    CONSTRAINT dataset_collection_element_dataset_collection_id_fkey FOREIGN KEY(dataset_collection_id) REFERENCES dataset_collection (id),
    CONSTRAINT dataset_collection_element_hda_id_fkey FOREIGN KEY(hda_id) REFERENCES history_dataset_association (id),
    CONSTRAINT dataset_collection_element_ldda_id_fkey FOREIGN KEY(ldda_id) REFERENCES library_dataset_dataset_association (id),
    CONSTRAINT dataset_collection_element_child_collection_id_fkey FOREIGN KEY(child_collection_id) REFERENCES dataset_collection (id)
);
CREATE INDEX ix_dataset_collection_element_child_collection_id ON dataset_collection_element (child_collection_id);
CREATE INDEX ix_dataset_collection_element_dataset_collection_id ON dataset_collection_element (dataset_collection_id);
CREATE INDEX ix_dataset_collection_element_hda_id ON dataset_collection_element (hda_id);
CREATE INDEX ix_dataset_collection_element_ldda_id ON dataset_collection_element (ldda_id);

CREATE TABLE workflow_invocation_message (
    id INTEGER NOT NULL,
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
    CONSTRAINT workflow_invocation_message_hdca_id_fkey FOREIGN KEY(hdca_id) REFERENCES history_dataset_collection_association (id)
);
CREATE INDEX ix_workflow_invocation_message_workflow_invocation_id ON workflow_invocation_message (workflow_invocation_id);

CREATE TABLE workflow_request_to_input_dataset (
    id INTEGER NOT NULL,
    name VARCHAR(255),
    workflow_invocation_id INTEGER,
    workflow_step_id INTEGER,
    dataset_id INTEGER,
    request BLOB,
    CONSTRAINT workflow_request_to_input_dataset_pkey PRIMARY KEY (id),
    CONSTRAINT workflow_request_to_input_dataset_workflow_invocation_id_fkey FOREIGN KEY(workflow_invocation_id) REFERENCES workflow_invocation (id),
    CONSTRAINT workflow_request_to_input_dataset_workflow_step_id_fkey FOREIGN KEY(workflow_step_id) REFERENCES workflow_step (id),
    CONSTRAINT workflow_request_to_input_dataset_dataset_id_fkey FOREIGN KEY(dataset_id) REFERENCES history_dataset_association (id)
);
CREATE INDEX ix_workflow_request_to_input_dataset_dataset_id ON workflow_request_to_input_dataset (dataset_id);
CREATE INDEX ix_workflow_request_to_input_dataset_workflow_invocation_id ON workflow_request_to_input_dataset (workflow_invocation_id);

CREATE TABLE workflow_invocation_output_dataset_association (
    id INTEGER NOT NULL,
    workflow_invocation_id INTEGER,
    workflow_step_id INTEGER,
    dataset_id INTEGER,
    workflow_output_id INTEGER,
    CONSTRAINT workflow_invocation_output_dataset_association_pkey PRIMARY KEY (id),
    CONSTRAINT workflow_invocation_output_dataset_association_workflow_invocation_id_fkey FOREIGN KEY(workflow_invocation_id) REFERENCES workflow_invocation (id),
    CONSTRAINT workflow_invocation_output_dataset_association_workflow_step_id_fkey FOREIGN KEY(workflow_step_id) REFERENCES workflow_step (id),
    CONSTRAINT workflow_invocation_output_dataset_association_dataset_id_fkey FOREIGN KEY(dataset_id) REFERENCES history_dataset_association (id),
    CONSTRAINT workflow_invocation_output_dataset_association_workflow_output_id_fkey FOREIGN KEY(workflow_output_id) REFERENCES workflow_output (id)
);
CREATE INDEX ix_workflow_invocation_output_dataset_association_dataset_id ON workflow_invocation_output_dataset_association (dataset_id);
CREATE INDEX ix_workflow_invocation_output_dataset_association_workflow_invocation_id ON workflow_invocation_output_dataset_association (workflow_invocation_id);
CREATE INDEX ix_workflow_invocation_output_dataset_association_workflow_output_id ON workflow_invocation_output_dataset_association (workflow_output_id);
CREATE INDEX ix_workflow_invocation_output_dataset_association_workflow_step_id ON workflow_invocation_output_dataset_association (workflow_step_id);

CREATE TABLE workflow_invocation_step_output_dataset_association (
    id INTEGER NOT NULL,
    workflow_invocation_step_id INTEGER,
    dataset_id INTEGER,
    output_name VARCHAR(255),
    CONSTRAINT workflow_invocation_step_output_dataset_association_pkey PRIMARY KEY (id),
    CONSTRAINT workflow_invocation_step_output_dataset_association_workflow_invocation_step_id_fkey FOREIGN KEY(workflow_invocation_step_id) REFERENCES workflow_invocation_step (id),
    CONSTRAINT workflow_invocation_step_output_dataset_association_dataset_id_fkey FOREIGN KEY(dataset_id) REFERENCES history_dataset_association (id)
);
CREATE INDEX ix_workflow_invocation_step_output_dataset_association_dataset_id ON workflow_invocation_step_output_dataset_association (dataset_id);
CREATE INDEX ix_workflow_invocation_step_output_dataset_association_workflow_invocation_step_id ON workflow_invocation_step_output_dataset_association (workflow_invocation_step_id);

CREATE TABLE metadata_file (
    id INTEGER NOT NULL,
    name TEXT,
    hda_id INTEGER,
    lda_id INTEGER,
    create_time DATETIME,
    update_time DATETIME,
    object_store_id VARCHAR(255),
    uuid CHAR(32),
    deleted BOOLEAN,
    purged BOOLEAN,
    CONSTRAINT metadata_file_pkey PRIMARY KEY (id),
    CONSTRAINT metadata_file_hda_id_fkey FOREIGN KEY(hda_id) REFERENCES history_dataset_association (id),
    CONSTRAINT metadata_file_lda_id_fkey FOREIGN KEY(lda_id) REFERENCES library_dataset_dataset_association (id)
);
CREATE INDEX ix_metadata_file_deleted ON metadata_file (deleted);
CREATE INDEX ix_metadata_file_hda_id ON metadata_file (hda_id);
CREATE INDEX ix_metadata_file_lda_id ON metadata_file (lda_id);
CREATE INDEX ix_metadata_file_object_store_id ON metadata_file (object_store_id);
CREATE INDEX ix_metadata_file_purged ON metadata_file (purged);
CREATE INDEX ix_metadata_file_update_time ON metadata_file (update_time);
CREATE INDEX ix_metadata_file_uuid ON metadata_file (uuid);

CREATE TABLE history_dataset_association_tag_association (
    id INTEGER NOT NULL,
    history_dataset_association_id INTEGER,
    tag_id INTEGER,
    user_id INTEGER,
    user_tname VARCHAR(255),
    value VARCHAR(255),
    user_value VARCHAR(255),
    CONSTRAINT history_dataset_association_tag_association_pkey PRIMARY KEY (id),
    CONSTRAINT history_dataset_association_tag_association_history_dataset_association_id_fkey FOREIGN KEY(history_dataset_association_id) REFERENCES history_dataset_association (id),
    CONSTRAINT history_dataset_association_tag_association_tag_id_fkey FOREIGN KEY(tag_id) REFERENCES tag (id),
    CONSTRAINT history_dataset_association_tag_association_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id)
);
CREATE INDEX ix_history_dataset_association_tag_association_history_dataset_association_id ON history_dataset_association_tag_association (history_dataset_association_id);
CREATE INDEX ix_history_dataset_association_tag_association_tag_id ON history_dataset_association_tag_association (tag_id);
CREATE INDEX ix_history_dataset_association_tag_association_user_id ON history_dataset_association_tag_association (user_id);
CREATE INDEX ix_history_dataset_association_tag_association_user_tname ON history_dataset_association_tag_association (user_tname);
CREATE INDEX ix_history_dataset_association_tag_association_user_value ON history_dataset_association_tag_association (user_value);
CREATE INDEX ix_history_dataset_association_tag_association_value ON history_dataset_association_tag_association (value);

CREATE TABLE history_dataset_association_annotation_association (
    id INTEGER NOT NULL,
    history_dataset_association_id INTEGER,
    user_id INTEGER,
    annotation TEXT,
    CONSTRAINT history_dataset_association_annotation_association_pkey PRIMARY KEY (id),
    CONSTRAINT history_dataset_association_annotation_association_history_dataset_association_id_fkey FOREIGN KEY(history_dataset_association_id) REFERENCES history_dataset_association (id),
    CONSTRAINT history_dataset_association_annotation_association_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id)
);
CREATE INDEX ix_history_dataset_anno_assoc_annotation ON history_dataset_association_annotation_association (annotation);
CREATE INDEX ix_history_dataset_association_annotation_association_history_dataset_association_id ON history_dataset_association_annotation_association (history_dataset_association_id);
CREATE INDEX ix_history_dataset_association_annotation_association_user_id ON history_dataset_association_annotation_association (user_id);

CREATE TABLE history_dataset_association_rating_association (
    id INTEGER NOT NULL,
    history_dataset_association_id INTEGER,
    user_id INTEGER,
    rating INTEGER,
    CONSTRAINT history_dataset_association_rating_association_pkey PRIMARY KEY (id),
    CONSTRAINT history_dataset_association_rating_association_history_dataset_association_id_fkey FOREIGN KEY(history_dataset_association_id) REFERENCES history_dataset_association (id),
    CONSTRAINT history_dataset_association_rating_association_user_id_fkey FOREIGN KEY(user_id) REFERENCES galaxy_user (id)
);
CREATE INDEX ix_history_dataset_association_rating_association_history_dataset_association_id ON history_dataset_association_rating_association (history_dataset_association_id);
CREATE INDEX ix_history_dataset_association_rating_association_rating ON history_dataset_association_rating_association (rating);
CREATE INDEX ix_history_dataset_association_rating_association_user_id ON history_dataset_association_rating_association (user_id);

CREATE TABLE cleanup_event_hda_association (
    id INTEGER NOT NULL,
    create_time DATETIME,
    cleanup_event_id INTEGER,
    hda_id INTEGER,
    CONSTRAINT cleanup_event_hda_association_pkey PRIMARY KEY (id),
    CONSTRAINT cleanup_event_hda_association_cleanup_event_id_fkey FOREIGN KEY(cleanup_event_id) REFERENCES cleanup_event (id),
    CONSTRAINT cleanup_event_hda_association_hda_id_fkey FOREIGN KEY(hda_id) REFERENCES history_dataset_association (id)
);
CREATE INDEX ix_cleanup_event_hda_association_cleanup_event_id ON cleanup_event_hda_association (cleanup_event_id);
CREATE INDEX ix_cleanup_event_hda_association_hda_id ON cleanup_event_hda_association (hda_id);

CREATE TABLE job_to_input_dataset_collection_element (
    id INTEGER NOT NULL,
    job_id INTEGER,
    dataset_collection_element_id INTEGER,
    name VARCHAR(255),
    adapter BLOB,
    CONSTRAINT job_to_input_dataset_collection_element_pkey PRIMARY KEY (id),
    CONSTRAINT job_to_input_dataset_collection_element_job_id_fkey FOREIGN KEY(job_id) REFERENCES job (id),
    CONSTRAINT job_to_input_dataset_collection_element_dataset_collection_element_id_fkey FOREIGN KEY(dataset_collection_element_id) REFERENCES dataset_collection_element (id)
);
CREATE INDEX ix_job_to_input_dataset_collection_element_dataset_collection_element_id ON job_to_input_dataset_collection_element (dataset_collection_element_id);
CREATE INDEX ix_job_to_input_dataset_collection_element_job_id ON job_to_input_dataset_collection_element (job_id);

CREATE TABLE cleanup_event_metadata_file_association (
    id INTEGER NOT NULL,
    create_time DATETIME,
    cleanup_event_id INTEGER,
    metadata_file_id INTEGER,
    CONSTRAINT cleanup_event_metadata_file_association_pkey PRIMARY KEY (id),
    CONSTRAINT cleanup_event_metadata_file_association_cleanup_event_id_fkey FOREIGN KEY(cleanup_event_id) REFERENCES cleanup_event (id),
    CONSTRAINT cleanup_event_metadata_file_association_metadata_file_id_fkey FOREIGN KEY(metadata_file_id) REFERENCES metadata_file (id)
);
CREATE INDEX ix_cleanup_event_metadata_file_association_cleanup_event_id ON cleanup_event_metadata_file_association (cleanup_event_id);
CREATE INDEX ix_cleanup_event_metadata_file_association_metadata_file_id ON cleanup_event_metadata_file_association (metadata_file_id);

CREATE TABLE cleanup_event_icda_association (
    id INTEGER NOT NULL,
    create_time DATETIME,
    cleanup_event_id INTEGER,
    icda_id INTEGER,
    CONSTRAINT cleanup_event_icda_association_pkey PRIMARY KEY (id),
    CONSTRAINT cleanup_event_icda_association_cleanup_event_id_fkey FOREIGN KEY(cleanup_event_id) REFERENCES cleanup_event (id),
    CONSTRAINT cleanup_event_icda_association_icda_id_fkey FOREIGN KEY(icda_id) REFERENCES implicitly_converted_dataset_association (id)
);
CREATE INDEX ix_cleanup_event_icda_association_cleanup_event_id ON cleanup_event_icda_association (cleanup_event_id);
CREATE INDEX ix_cleanup_event_icda_association_icda_id ON cleanup_event_icda_association (icda_id);

CREATE TABLE tool_shed_repository (
    id INTEGER NOT NULL,
    create_time DATETIME,
    update_time DATETIME,
    tool_shed VARCHAR(255),
    name VARCHAR(255),
    description TEXT,
    owner VARCHAR(255),
    installed_changeset_revision VARCHAR(255),
    changeset_revision VARCHAR(255),
    ctx_rev VARCHAR(10),
    metadata BLOB,
    includes_datatypes BOOLEAN,
    tool_shed_status BLOB,
    deleted BOOLEAN,
    uninstalled BOOLEAN,
    dist_to_shed BOOLEAN,
    status VARCHAR(255),
    error_message TEXT,
    PRIMARY KEY (id)
);
CREATE INDEX ix_tool_shed_repository_changeset_revision ON tool_shed_repository (changeset_revision);
CREATE INDEX ix_tool_shed_repository_deleted ON tool_shed_repository (deleted);
CREATE INDEX ix_tool_shed_repository_includes_datatypes ON tool_shed_repository (includes_datatypes);
CREATE INDEX ix_tool_shed_repository_name ON tool_shed_repository (name);
CREATE INDEX ix_tool_shed_repository_owner ON tool_shed_repository (owner);
CREATE INDEX ix_tool_shed_repository_tool_shed ON tool_shed_repository (tool_shed);

CREATE TABLE repository_dependency (
    id INTEGER NOT NULL,
    create_time DATETIME,
    update_time DATETIME,
    tool_shed_repository_id INTEGER NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(tool_shed_repository_id) REFERENCES tool_shed_repository (id)
);
CREATE INDEX ix_repository_dependency_tool_shed_repository_id ON repository_dependency (tool_shed_repository_id);

CREATE TABLE tool_dependency (
    id INTEGER NOT NULL,
    create_time DATETIME,
    update_time DATETIME,
    tool_shed_repository_id INTEGER NOT NULL,
    name VARCHAR(255),
    version TEXT,
    type VARCHAR(40),
    status VARCHAR(255) NOT NULL,
    error_message TEXT,
    PRIMARY KEY (id),
    FOREIGN KEY(tool_shed_repository_id) REFERENCES tool_shed_repository (id)
);
CREATE INDEX ix_tool_dependency_tool_shed_repository_id ON tool_dependency (tool_shed_repository_id);

CREATE TABLE tool_version (
    id INTEGER NOT NULL,
    create_time DATETIME,
    update_time DATETIME,
    tool_id VARCHAR(255),
    tool_shed_repository_id INTEGER,
    PRIMARY KEY (id),
    FOREIGN KEY(tool_shed_repository_id) REFERENCES tool_shed_repository (id)
);
CREATE INDEX ix_tool_version_tool_shed_repository_id ON tool_version (tool_shed_repository_id);

CREATE TABLE repository_repository_dependency_association (
    id INTEGER NOT NULL,
    create_time DATETIME,
    update_time DATETIME,
    tool_shed_repository_id INTEGER,
    repository_dependency_id INTEGER,
    PRIMARY KEY (id),
    FOREIGN KEY(tool_shed_repository_id) REFERENCES tool_shed_repository (id),
    FOREIGN KEY(repository_dependency_id) REFERENCES repository_dependency (id)
);
CREATE INDEX ix_repository_repository_dependency_association_repository_dependency_id ON repository_repository_dependency_association (repository_dependency_id);
CREATE INDEX ix_repository_repository_dependency_association_tool_shed_repository_id ON repository_repository_dependency_association (tool_shed_repository_id);

CREATE TABLE tool_version_association (
    id INTEGER NOT NULL,
    tool_id INTEGER NOT NULL,
    parent_id INTEGER NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(tool_id) REFERENCES tool_version (id),
    FOREIGN KEY(parent_id) REFERENCES tool_version (id)
);
CREATE INDEX ix_tool_version_association_parent_id ON tool_version_association (parent_id);
CREATE INDEX ix_tool_version_association_tool_id ON tool_version_association (tool_id);

-- Every change of a history or of what it contains leaves a row in history_audit, from which clients learn of it.
CREATE TRIGGER trigger_history_dataset_association_aur AFTER UPDATE ON history_dataset_association FOR EACH ROW
BEGIN
    INSERT INTO history_audit (history_id, update_time)
    SELECT NEW.history_id, strftime('%Y-%m-%d %H:%M:%f', 'now') WHERE NEW.history_id IS NOT NULL;
END;
CREATE TRIGGER trigger_history_dataset_association_air AFTER INSERT ON history_dataset_association FOR EACH ROW
BEGIN
    INSERT INTO history_audit (history_id, update_time)
    SELECT NEW.history_id, strftime('%Y-%m-%d %H:%M:%f', 'now') WHERE NEW.history_id IS NOT NULL;
END;
CREATE TRIGGER trigger_history_dataset_collection_association_aur AFTER UPDATE ON history_dataset_collection_association FOR EACH ROW
BEGIN
    INSERT INTO history_audit (history_id, update_time)
    SELECT NEW.history_id, strftime('%Y-%m-%d %H:%M:%f', 'now') WHERE NEW.history_id IS NOT NULL;
END;
CREATE TRIGGER trigger_history_dataset_collection_association_air AFTER INSERT ON history_dataset_collection_association FOR EACH ROW
BEGIN
    INSERT INTO history_audit (history_id, update_time)
    SELECT NEW.history_id, strftime('%Y-%m-%d %H:%M:%f', 'now') WHERE NEW.history_id IS NOT NULL;
END;
CREATE TRIGGER trigger_history_aur AFTER UPDATE ON history FOR EACH ROW
BEGIN
    INSERT INTO history_audit (history_id, update_time)
    SELECT NEW.id, strftime('%Y-%m-%d %H:%M:%f', 'now') WHERE NEW.id IS NOT NULL;
END;
CREATE TRIGGER trigger_history_air AFTER INSERT ON history FOR EACH ROW
BEGIN
    INSERT INTO history_audit (history_id, update_time)
    SELECT NEW.id, strftime('%Y-%m-%d %H:%M:%f', 'now') WHERE NEW.id IS NOT NULL;
END;

-- One head per Alembic branch: gxy (Galaxy's own tables), then tsi (installed tool shed repositories).
INSERT INTO alembic_version (version_num) VALUES ('fac9c76612f9'), ('d4a650f47a3c');
