package store

// ClaimQuery is the statement of ClaimJobs, for tests that explain it.
var ClaimQuery = claimQuery
