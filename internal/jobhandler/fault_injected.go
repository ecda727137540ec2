//go:build faults

package jobhandler

import "os"

// A program built with the tag «faults» reads from ORRERY_FAULT what to do at
// which steps (see injectFaults).
func init() {
	if text := os.Getenv("ORRERY_FAULT"); text != "" {
		if err := injectFaults(text); err != nil {
			panic(err)
		}
	}
}
