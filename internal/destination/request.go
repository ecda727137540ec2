package destination

// Request is what is known of a job when its destination is chosen.
type Request struct {
	Tool Tool
	// User is who started the job; nil when nobody is logged in.
	User *User
	Job  Job
	// Params are the job's parameters as its tool takes them: nested mappings of text, numbers, booleans and lists.
	Params map[string]any
	Inputs []Input
	// Resources are the values of job_resource_params_conf.xml that the user chose, without the select that opens them.
	Resources map[string]any

	// To is the id or tag that a resubmission names; "" asks for what the tool is mapped to, or on a further attempt for
	// the destination of the attempt before.
	To string
	// Attempt counts from 1; 0 is taken as 1.
	Attempt int
	// Previous is where the attempt before this one ran; nil on the first.
	Previous *Previous
}

// Tool is the tool of a job.
type Tool struct {
	ID      string // as the toolbox knows it: for a tool of a tool shed host/repos/owner/repository/tool/version
	OldID   string // as its file says
	Version string
	Name    string
	// Type is Galaxy's tool_type: "default", "data_source", "interactive", "user_defined", …; "" is default.
	Type string
	// UUID is that of a tool that is kept in the database, such as a user-defined one.
	UUID string
	// Local tools belong to the class `local` even if they have another id than upload1 and __DATA_FETCH__.
	Local bool
	// RequiresGalaxy tools belong to the class `requires_galaxy`.
	RequiresGalaxy bool
	// Containers are those of its requirements.
	Containers []Container
	// Resources are its <resource> requirements by type: cores_min, ram_min (MiB), cuda_device_count_min, ….
	Resources map[string]float64
}

// Container is one that a tool says it runs in.
type Container struct{ Type, Identifier string } // Type is docker or singularity

// User is a registered user.
type User struct {
	ID       int64
	Email    string
	Username string
	Roles    []string // names of all roles, those of groups included, in the order of Galaxy's all_roles
	// Preferences are what the user has set beside the usual, for rules that look at them.
	Preferences map[string]string
}

// Job is the job's row.
type Job struct {
	ID        int64
	HistoryID int64
	// HistoryTags are the names of its history's tags.
	HistoryTags []string
	State       string
	// SessionID is that of the session that made it; 0 when unknown.
	SessionID int64
	// WorkflowInvocation is the UUID of the invocation that made the job, or "".
	WorkflowInvocation string
	// WorkflowResources are the parameters that the invocation asks for.
	WorkflowResources map[string]any
}

// Input is one dataset that a job reads.
type Input struct {
	// Name is the parameter's, with those around it (`cond|input`) and a number behind it when it takes several.
	Name      string
	DatasetID int64
	HDAID     int64
	Title     string // what its history calls it
	Ext       string // its datatype's extension
	Size      int64  // bytes
	Path      string // where its bytes are; "" when they are not at hand
	// ObjectStoreID is that of its object store.
	ObjectStoreID string
	DBKey         string
	// Metadata are its simple values: numbers, text, lists.
	Metadata map[string]any
}

// Previous is where an earlier attempt ran.
type Previous struct {
	ID, Runner string
	Params     map[string]string
}

func (r *Request) attempt() int { return max(r.Attempt, 1) }
