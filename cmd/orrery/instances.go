package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"

	"orrery/internal/config"
)

// A file may hold several instances, as gravity's can. Each is a server of its
// own; a command is for the one that is named first, or for all of them, one
// after the other.

// instanceVariable says which instance of a file is meant.
const instanceVariable = "GRAVITY_INSTANCE_NAME"

// instancesOf are the names of several instances in the file that a command
// line means; none when there is one, or when the environment says which.
func instancesOf(c command, args []string) (names, words []string) {
	if !c.instances || os.Getenv(instanceVariable) != "" || probing {
		return nil, nil
	}
	fs, err := flagsOf(c)
	if err != nil || fs == nil {
		return nil, nil
	}
	if words, err = parse(fs, args); err != nil {
		return nil, nil // the command says what is wrong
	}
	path := fs.Lookup("c").Value.String()
	if path == "" {
		dir, err := os.Getwd()
		if err != nil {
			return nil, nil
		}
		path = config.Find(dir, os.Environ())
	}
	if names = config.Instances(path); len(names) < 2 {
		return nil, nil
	}
	return names, words
}

// runInstances runs a command for the instance that is meant, or for each.
func runInstances(c command, args []string) error {
	names, words := instancesOf(c, args)
	if len(names) == 0 {
		return c.run(args)
	}
	if len(words) > 0 && slices.Contains(names, words[0]) {
		if err := os.Setenv(instanceVariable, words[0]); err != nil {
			return err
		}
		return c.run(args)
	}
	if len(words) > 0 || c.name == "exec" || c.name == "follow" {
		return usageError("say which instance first: one of %s", strings.Join(names, ", "))
	}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	status := exitOK
	for _, name := range names {
		fmt.Fprintf(os.Stderr, "%s:\n", name)
		cmd := exec.Command(program, append([]string{c.name}, args...)...) //nolint:gosec // this program, by the words that it was called with
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
		cmd.Env = append(os.Environ(), instanceVariable+"="+name)
		err := cmd.Run()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			return err
		}
		status = max(status, cmd.ProcessState.ExitCode())
	}
	if status != exitOK {
		return &statusError{errors.New(""), status}
	}
	return nil
}

// everyInstance makes a command one that is for all instances of a file.
func everyInstance(c command) command {
	c.instances = true
	return c
}
