package local

import (
	"os"
	"strconv"
)

// sessionNice is the weight of a job's session against others, as a nice value.
const sessionNice = "15"

// giveWay lowers the priority of a job's session. Where the kernel groups
// processes by session (sched_autogroup), a nice value counts within a session
// only, and a job, which has its own, would get as much of a processor as all web
// workers together. Best effort: a kernel may know no such groups, and lets an
// ordinary user change ten in a second.
func giveWay(pid int) {
	_ = os.WriteFile("/proc/"+strconv.Itoa(pid)+"/autogroup", []byte(sessionNice), 0)
}
