package config

import "strings"

// suggest returns the name in names that name was most likely meant to be, or "" when none is near enough.
func suggest(name string, names []string) string {
	name = strings.ToLower(name)
	if len(name) > 100 {
		return ""
	}
	limit := 1 + len(name)/6
	best, bestDistance := "", limit+1
	for _, candidate := range names {
		if abs(len(candidate)-len(name)) >= bestDistance {
			continue
		}
		if d := distance(name, strings.ToLower(candidate)); d < bestDistance {
			best, bestDistance = candidate, d
		}
	}
	return best
}

// didYouMean renders suggest's answer as the tail of a message.
func didYouMean(name string, names []string) string {
	if s := suggest(name, names); s != "" {
		return "; did you mean “" + s + "”?"
	}
	return ""
}

// distance is the number of insertions, deletions, replacements and swaps of neighbours that turn a into b.
func distance(a, b string) int {
	var older, previous, current = make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range previous {
		previous[j] = j
	}
	for i := 1; i <= len(a); i++ {
		current[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			current[j] = min(previous[j]+1, current[j-1]+1, previous[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				current[j] = min(current[j], older[j-2]+1)
			}
		}
		older, previous, current = previous, current, older
	}
	return previous[len(b)]
}

func abs(n int) int {
	if n < 0 {
		return -n
	}
	return n
}
