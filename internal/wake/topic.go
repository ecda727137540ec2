package wake

// Jobs is the topic of new jobs whose handler is a tag or a server's name.
func Jobs(handler string) string { return "jobs " + handler }

// Orphans is the topic of jobs of a pool that somebody has to take over.
func Orphans(pool string) string { return "orphans " + pool }
