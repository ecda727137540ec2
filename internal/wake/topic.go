package wake

import "strings"

// The topics for which one listener is chosen.
const (
	jobsPrefix    = "jobs "
	orphansPrefix = "orphans "
)

// Jobs is the topic of new jobs whose handler is a tag or a server's name.
func Jobs(handler string) string { return jobsPrefix + handler }

// Orphans is the topic of jobs of a pool that somebody has to take over.
func Orphans(pool string) string { return orphansPrefix + pool }

// chosen tells whether a topic concerns only those that are idle.
func chosen(topic string) bool {
	return strings.HasPrefix(topic, jobsPrefix) || strings.HasPrefix(topic, orphansPrefix)
}
