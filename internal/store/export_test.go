package store

import (
	"math"
	"time"
)

// ClaimQuery is the statement of ClaimJobs on PostgreSQL, for tests that explain it.
func ClaimQuery(who Claimant, n int) (string, []any) {
	return claimTexts[claimKind{}], []any{who.Pools, who.After, who.Instance, n, math.MaxInt32, who.ServerName, stamp(time.Now())}
}

// MySQLTooOld is the check of the server's version.
var MySQLTooOld = mysqlTooOld
