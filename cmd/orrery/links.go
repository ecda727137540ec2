package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// runLinks is `orrery links`: the other names of the program, in a folder.
func runLinks(args []string) error {
	fs := newFlags("links")
	force := fs.Bool("force", false, "replace what is there under these names; it is kept as NAME.before-orrery")
	words, err := parseWords(fs, args, 1)
	if err != nil {
		return err
	}
	if len(words) == 0 {
		return usageError("say in which folder: orrery links DIR")
	}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	var all []string
	for name := range names {
		all = append(all, name)
	}
	slices.Sort(all)
	var failed error
	for _, name := range all {
		path := filepath.Join(words[0], name)
		said, err := link(strings.TrimSuffix(program, " (deleted)"), path, *force)
		if err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		fmt.Println(path + ": " + said)
	}
	return failed
}

// link makes one link, in place of an older one of this program.
func link(program, path string, force bool) (said string, err error) {
	at, err := os.Lstat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return "made", os.Symlink(program, path)
	case err != nil:
		return "", err
	}
	if target, err := os.Readlink(path); err == nil && target == program {
		return "is there", nil
	} else if err == nil && filepath.Base(target) == filepath.Base(program) {
		return "made anew", errors.Join(os.Remove(path), os.Symlink(program, path))
	}
	if !force {
		return "", fmt.Errorf("%s is there and is no link of ours; --force replaces it and keeps it as %s.before-orrery", path, filepath.Base(path))
	}
	if at.IsDir() {
		return "", fmt.Errorf("%s is a folder", path)
	}
	kept := path + ".before-orrery"
	if _, err := os.Lstat(kept); err == nil {
		return "", fmt.Errorf("%s is there already from another time; move it away", kept)
	}
	return "made; what was there is " + kept, errors.Join(os.Rename(path, kept), os.Symlink(program, path))
}
