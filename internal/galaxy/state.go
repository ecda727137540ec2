package galaxy

// JobState is the value of job.state.
type JobState string

// The states of a job, by Galaxy's names.
const (
	JobNew            JobState = "new"
	JobResubmitted    JobState = "resubmitted"
	JobUpload         JobState = "upload"
	JobWaiting        JobState = "waiting"
	JobQueued         JobState = "queued"
	JobRunning        JobState = "running"
	JobOK             JobState = "ok"
	JobError          JobState = "error"
	JobFailed         JobState = "failed"
	JobPaused         JobState = "paused"
	JobDeleting       JobState = "deleting"
	JobDeleted        JobState = "deleted"
	JobStopping       JobState = "stop"
	JobStopped        JobState = "stopped"
	JobSkipped        JobState = "skipped"
	JobDeletedNew     JobState = "deleted_new"
	JobFinishing      JobState = "finishing"
	JobStateUndefined JobState = ""
)

// Terminal tells whether a job in this state will never change again by itself.
func (s JobState) Terminal() bool {
	switch s {
	case JobOK, JobError, JobFailed, JobDeleted, JobDeleting, JobStopped, JobSkipped, JobDeletedNew:
		return true
	}
	return false
}

// DatasetState is the value of dataset.state and, when a dataset copy differs
// from it, of history_dataset_association.state.
type DatasetState string

// The states of a dataset, by Galaxy's names.
const (
	DatasetNew            DatasetState = "new"
	DatasetUpload         DatasetState = "upload"
	DatasetQueued         DatasetState = "queued"
	DatasetRunning        DatasetState = "running"
	DatasetOK             DatasetState = "ok"
	DatasetEmpty          DatasetState = "empty"
	DatasetError          DatasetState = "error"
	DatasetPaused         DatasetState = "paused"
	DatasetSettingMeta    DatasetState = "setting_metadata"
	DatasetFailedMetadata DatasetState = "failed_metadata"
	DatasetDeferred       DatasetState = "deferred"
	DatasetDiscarded      DatasetState = "discarded"
)

// DatasetStates lists every dataset state in the order Galaxy's API prints them.
var DatasetStates = []DatasetState{
	DatasetNew, DatasetUpload, DatasetQueued, DatasetRunning, DatasetOK, DatasetEmpty, DatasetError,
	DatasetPaused, DatasetSettingMeta, DatasetFailedMetadata, DatasetDeferred, DatasetDiscarded,
}

// Terminal tells whether a dataset in this state will never change again by
// itself.
func (s DatasetState) Terminal() bool {
	switch s {
	case DatasetOK, DatasetEmpty, DatasetError, DatasetDeferred, DatasetDiscarded, DatasetFailedMetadata:
		return true
	}
	return false
}

// Ready tells whether a job may read a dataset in this state as its input.
func (s DatasetState) Ready() bool {
	switch s {
	case DatasetOK, DatasetEmpty, DatasetDeferred, DatasetFailedMetadata:
		return true
	}
	return false
}
