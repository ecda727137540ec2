package config

// Instances are the names of gravity's instances in a file, in its order: none when it has no section or one instance
// without a list. What is wrong with the file is [Load]'s to say.
func Instances(path string) (names []string) {
	if path == "" || isINI(path) {
		return nil
	}
	l := &loader{config: &Config{}, report: &report{}}
	root, _ := l.readSections(path)
	gravity := section(root, "gravity")
	if gravity == nil || gravity.kind != listNode {
		return nil
	}
	for _, item := range gravity.items {
		if item.kind != mapNode {
			continue
		}
		name := "_default_"
		if v := item.get("instance_name"); !v.isNull() && v.kind == scalarNode {
			name = v.text
		}
		names = append(names, name)
	}
	return names
}
