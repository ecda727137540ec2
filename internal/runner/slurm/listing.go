package slurm

import (
	"strings"
	"time"
)

// row is what Slurm says about a job.
type row struct {
	state  string // in capitals, one word
	reason string
}

// listing is what Slurm knew of the server's jobs at one moment.
type listing struct {
	asked time.Time // before the command began
	jobs  map[string]row
	// tagged are the ids of the submissions of an attempt, by the tag in their comment.
	tagged map[string][]string
}

// squeueFormat makes lines that parseListing reads. The comment comes last: it may
// hold anything.
const squeueFormat = "--format=%A|%T|%r|%k"

// parseListing reads what squeue printed. A line that is none of ours is left out,
// such as the second line of a comment.
func parseListing(text string, asked time.Time) *listing {
	l := &listing{asked: asked, jobs: map[string]row{}, tagged: map[string][]string{}}
	cluster := ""
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if name, ok := strings.CutPrefix(line, "CLUSTER: "); ok { // with --clusters
			cluster = strings.TrimSpace(name)
			continue
		}
		id, rest, ok := strings.Cut(line, "|")
		if !ok || !isJobID(id) {
			continue
		}
		state, rest, _ := strings.Cut(rest, "|")
		reason, comment, ok := strings.Cut(rest, "|")
		if !ok || !isState(state) {
			continue
		}
		if cluster != "" {
			id += "." + cluster
		}
		r := row{state: state, reason: reason}
		old, twice := l.jobs[id]
		if !twice || old.over() { // of several parts of one job, one that lives
			l.jobs[id] = r
		}
		if tag, _, _ := strings.Cut(comment, " "); !twice && strings.HasPrefix(tag, tagPrefix) {
			l.tagged[tag] = append(l.tagged[tag], id)
		}
	}
	return l
}

// parseAccounts reads what sacct printed for
// --parsable2 --noheader --allocations --format=JobIDRaw,State.
func parseAccounts(text string) map[string]row {
	jobs := map[string]row{}
	for line := range strings.Lines(text) {
		id, state, ok := strings.Cut(strings.TrimRight(line, "\r\n"), "|")
		// «CANCELLED by 1000», and a «+» at the end of what is cut off.
		state, _, _ = strings.Cut(state, " ")
		state = strings.TrimSuffix(state, "+")
		if !ok || !isJobID(id) || !isState(state) {
			continue
		}
		jobs[id] = row{state: state} // the last of several: it ran again after those before
	}
	return jobs
}

// isJobID tells whether a text is the number of a job.
func isJobID(text string) bool {
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return false
		}
	}
	return text != "" && text != "0" && len(text) <= 10
}

func isState(text string) bool {
	for i := range len(text) {
		if (text[i] < 'A' || text[i] > 'Z') && text[i] != '_' {
			return false
		}
	}
	return text != ""
}

// parseSubmitted reads what sbatch --parsable printed: the job's id, and the
// cluster's name after a semicolon. Plugins of the site may print lines before it.
func parseSubmitted(text string) (id string, ok bool) {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	id, cluster, named := strings.Cut(strings.TrimSpace(lines[len(lines)-1]), ";")
	if !isJobID(id) {
		return "", false
	}
	if named && cluster != "" {
		if !isCluster(cluster) {
			return "", false
		}
		id += "." + cluster
	}
	return id, true
}

// isCluster tells whether a text can be a cluster's name.
func isCluster(text string) bool {
	return text != "" && text[0] != '-' && !strings.ContainsFunc(text, func(c rune) bool {
		return c <= ' ' || c == ',' || c == ';' || c == '|' || c == 0x7f
	})
}

// split takes a job's external id apart: «12», or «12.cluster» as Galaxy writes it.
func split(external string) (id, cluster string, ok bool) {
	id, cluster, named := strings.Cut(strings.TrimSpace(external), ".")
	return id, cluster, isJobID(id) && (!named || isCluster(cluster))
}
