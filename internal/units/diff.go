package units

import (
	"fmt"
	"strings"
)

// Diff shows what differs between two versions of a file, as `diff -u` does: three lines around each change. It is empty
// when nothing differs.
func Diff(name, before, after string) string {
	if before == after {
		return ""
	}
	a, b := splitLines(before), splitLines(after)
	edits := compare(a, b)
	const around = 3
	show := make([]bool, len(edits))
	for i, e := range edits {
		if e.mark == ' ' {
			continue
		}
		for j := max(0, i-around); j < min(len(edits), i+around+1); j++ {
			show[j] = true
		}
	}
	var out strings.Builder
	fmt.Fprintf(&out, "--- %s\n+++ %s\n", name, name)
	from, to := 1, 1
	for i := 0; i < len(edits); {
		if !show[i] {
			from, to, i = from+1, to+1, i+1
			continue
		}
		oldLines, newLines := 0, 0
		var hunk strings.Builder
		for ; i < len(edits) && show[i]; i++ {
			hunk.WriteByte(edits[i].mark)
			hunk.WriteString(edits[i].line)
			hunk.WriteByte('\n')
			if edits[i].mark != '+' {
				oldLines++
			}
			if edits[i].mark != '-' {
				newLines++
			}
		}
		fmt.Fprintf(&out, "@@ -%d,%d +%d,%d @@\n%s", from, oldLines, to, newLines, hunk.String())
		from, to = from+oldLines, to+newLines
	}
	return out.String()
}

type edit struct {
	mark byte // ' ', '-' or '+'
	line string
}

// maxLines bounds the table below; longer files, which ours never are, are shown as replaced altogether.
const maxLines = 4000

// compare finds the longest row of lines that both have, and from it what was removed and added.
func compare(a, b []string) (out []edit) {
	if len(a) > maxLines || len(b) > maxLines {
		for _, line := range a {
			out = append(out, edit{'-', line})
		}
		for _, line := range b {
			out = append(out, edit{'+', line})
		}
		return out
	}
	common := make([][]int32, len(a)+1)
	for i := range common {
		common[i] = make([]int32, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			out = append(out, edit{' ', a[i]})
			i, j = i+1, j+1
		case j == len(b) || i < len(a) && common[i+1][j] >= common[i][j+1]:
			out = append(out, edit{'-', a[i]})
			i++
		default:
			out = append(out, edit{'+', b[j]})
			j++
		}
	}
	return out
}

func splitLines(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}
