package config

import "strings"

// instance picks one of several instances, which gravity takes as a list. One server serves one of them: the one that
// GRAVITY_INSTANCE_NAME names.
func (l *loader) instance(gravity *node) *node {
	if gravity.isNull() || gravity.kind != listNode {
		return gravity
	}
	wanted := l.env["GRAVITY_INSTANCE_NAME"]
	var names []string
	for _, item := range gravity.items {
		if item.kind != mapNode {
			l.report.add(Error, item, "gravity takes a mapping for each instance, not %s", item.describe())
			return &node{kind: nullNode, file: gravity.file, line: gravity.line, column: gravity.column}
		}
		name := "_default_"
		if v := item.get("instance_name"); !v.isNull() && v.kind == scalarNode {
			name = v.text
		}
		if name == wanted || len(gravity.items) == 1 {
			return item
		}
		names = append(names, name)
	}
	if wanted != "" {
		l.report.add(Error, gravity, "no instance is named %s, as GRAVITY_INSTANCE_NAME asks for; there are %s", clip(wanted, 60), clip(strings.Join(names, ", "), 300))
	} else {
		l.report.add(Error, gravity, "there are several instances (%s), and one server serves one: say which with GRAVITY_INSTANCE_NAME=NAME in its environment, or give each a file of its own", clip(strings.Join(names, ", "), 300))
	}
	return &node{kind: nullNode, file: gravity.file, line: gravity.line, column: gravity.column}
}
