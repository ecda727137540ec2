package supervisor

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// programPath: the path is found once, while the working directory and the file are those of the start.
var programPath = findProgram()

// Program is the path on disk of the program that this process was started from, by the name that it was called by if
// that leads to it: a symbolic link that is pointed at a new release leads to the new one.
func Program() string { return programPath }

func findProgram() string {
	own, err := os.Executable()
	if err != nil {
		own = ""
	}
	// A program that was replaced on disk while it runs.
	own = strings.TrimSuffix(own, " (deleted)")
	if len(os.Args) == 0 {
		return own
	}
	called := os.Args[0]
	if !strings.Contains(called, "/") {
		for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
			if info, err := os.Stat(filepath.Join(dir, os.Args[0])); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
				called = filepath.Join(dir, os.Args[0])
				break
			}
		}
	}
	called, err = filepath.Abs(called)
	if err != nil {
		return own
	}
	a, errA := os.Stat(called)
	b, errB := os.Stat("/proc/self/exe")
	if errA != nil || errB != nil || !os.SameFile(a, b) {
		return own
	}
	return called
}

// programStamp tells one program on disk from another: "" when there is none.
func programStamp(path string) string {
	if path == "" {
		path = programPath
	}
	var st syscall.Stat_t
	if err := syscall.Stat(path, &st); err != nil {
		return ""
	}
	return fmt.Sprintf("%x-%x-%x-%x.%x", st.Dev, st.Ino, st.Size, st.Mtim.Sec, st.Mtim.Nsec)
}
