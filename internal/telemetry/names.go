package telemetry

// Description says what a metric is.
type Description struct {
	Kind string // “counter”, “gauge” or “histogram”
	Help string
}

// Described are the metrics of a server, by name. Those of Go's runtime and of the process (go_…, process_…) are as in
// every program that has them.
var Described = map[string]Description{
	"orrery_http_requests_total":           {"counter", "Requests that were answered, by class of route, method and status."},
	"orrery_http_request_duration_seconds": {"histogram", "How long answering took, by class of route."},
	"orrery_http_requests_in_flight":       {"gauge", "Requests that are being answered."},
	"orrery_http_request_bytes_total":      {"counter", "Bytes of the bodies of requests whose length was announced."},
	"orrery_http_response_bytes_total":     {"counter", "Bytes of the bodies of answers."},
	"orrery_claims_total":                  {"counter", "How often a handler asked the database for jobs."},
	"orrery_claim_duration_seconds":        {"histogram", "How long the database took to give them."},
	"orrery_jobs_claimed_total":            {"counter", "Jobs that a handler claimed."},
	"orrery_jobs_taken_over_total":         {"counter", "Jobs that a handler took over from others."},
	"orrery_lease_renewals_total":          {"counter", "Renewals of a handler's lease."},
	"orrery_lease_renewals_failed_total":   {"counter", "Renewals that the database did not take in time."},
	"orrery_leases_lost_total":             {"counter", "Leases that ended though their process lived."},
	"orrery_handler_slots":                 {"gauge", "Jobs that a handler takes at once."},
	"orrery_handler_jobs":                  {"gauge", "Jobs in a handler's hands, by stage."},
	"orrery_handler_jobs_in_hand":          {"gauge", "Jobs in a handler's hands."},
	"orrery_job_duration_seconds":          {"histogram", "From a job's claim to its end, by destination and last state."},
	"orrery_runner_errors_total":           {"counter", "Jobs that a runner could not take or lost sight of, each time."},
	"orrery_db_connections_open":           {"gauge", "Connections to the database."},
	"orrery_db_connections_in_use":         {"gauge", "Connections to the database that work."},
	"orrery_db_connections_max":            {"gauge", "The most connections to the database that a process opens."},
	"orrery_db_waits_total":                {"counter", "How often a connection was waited for."},
	"orrery_db_wait_seconds_total":         {"counter", "How long connections were waited for in all."},
	"orrery_wakeups_sent_total":            {"counter", "Wake-ups that a process sent to others of its host."},
	"orrery_wakeups_received_total":        {"counter", "Wake-ups that a process got."},
	"orrery_process_start_time_seconds":    {"gauge", "When a process began, in seconds since 1970."},
	"orrery_goroutines":                    {"gauge", "What a process does at the same time."},
	"orrery_info":                          {"gauge", "1, with the version."},
	"orrery_supervisor_start_time_seconds": {"gauge", "When the supervisor began, in seconds since 1970."},
	"orrery_supervisor_problem":            {"gauge", "1 when something is wrong, see /report."},
	"orrery_supervisor_config_changed":     {"gauge", "1 when the files are others than those that the server runs by."},
	"orrery_process_up":                    {"gauge", "1 when a process is ready."},
	"orrery_process_state":                 {"gauge", "1 for the state that a process is in."},
	"orrery_process_restarts_total":        {"counter", "How often a process was started again after it had ended by itself."},
	"orrery_process_replacements_total":    {"counter", "How often a process was replaced gracefully."},
	"orrery_process_memory_bytes":          {"gauge", "A process's own memory, without its jobs."},
	"orrery_listen_queue":                  {"gauge", "Connections that wait to be accepted on a socket."},
	"orrery_database_answers":              {"gauge", "1 when a process could count the jobs in the database."},
	"orrery_jobs":                          {"gauge", "Unfinished jobs, by state, handler and pool."},
	"orrery_jobs_unserved":                 {"gauge", "Unfinished jobs that no living handler serves, by where they were sent."},
	"orrery_pool_handlers":                 {"gauge", "Handlers of all hosts, by state."},
}
