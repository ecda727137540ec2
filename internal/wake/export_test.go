package wake

// Folders gives the folder of the sockets, and that of a topic.
func (b *Bus) Folders(topic string) (sockets, of string) { return b.dir, b.topicFolder(topic) }
