package wake

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Sockets in the run folder: those of processes that are told of everything, and
// those of processes that only tell others and wait for answers.
const (
	listenSuffix = ".wake"
	askSuffix    = ".ask"
)

// patience is how long one listener is waited for before the next is woken.
const patience = 30 * time.Millisecond

// Bus is this process's end of the wake-ups.
type Bus struct {
	dir    string // the run folder's part for this host
	socket string // the name of this process's socket in it
	log    *slog.Logger
	conn   *net.UnixConn

	mu          sync.Mutex
	subscribers map[string][]chan struct{}
	away        map[string]bool   // topics for which this process is not to be chosen now
	last        map[string]string // who was woken last, by topic
	named       map[string]bool   // topics under which this process stands in the folder
	asked       map[uint64]chan message
	next        uint64
	roles       map[string]func(payload []byte, answer func([]byte))
	remote      func(message) // tells other hosts
	done        chan struct{}
	closing     chan struct{}
	work        sync.WaitGroup

	sent, received atomic.Uint64 // datagrams
}

// Counts tells how many wake-ups this process sent to others of its host, one by
// one, and how many it got.
func (b *Bus) Counts() (sent, received uint64) { return b.sent.Load(), b.received.Load() }

// message is what the datagrams carry.
type message struct {
	// Kind is "wake" (everybody), "one" (who gets it answers), "ask" (of a role),
	// "yes", "no" or "answer".
	Kind string
	// Topic is what the wake-up is about, or the role that is asked.
	Topic string `json:",omitempty"`
	// From and ID say where an answer goes.
	From    string          `json:",omitempty"`
	ID      uint64          `json:",omitempty"`
	Payload json.RawMessage `json:",omitempty"`
}

// maxMessage is the longest datagram, in bytes.
const maxMessage = 8192

// Open joins the wake-ups of a run folder under a process name, which need not be
// the only one. Only a process that listens is told of what others wake.
func Open(dir, name string, listen bool, log *slog.Logger) (*Bus, error) {
	host, err := hostFolder()
	if err != nil {
		return nil, err
	}
	b := &Bus{
		dir: filepath.Join(dir, host), log: log, subscribers: map[string][]chan struct{}{}, away: map[string]bool{}, last: map[string]string{}, named: map[string]bool{},
		asked: map[uint64]chan message{}, roles: map[string]func([]byte, func([]byte)){}, done: make(chan struct{}), closing: make(chan struct{}),
		next: rand.Uint64N(1 << 32),
	}
	for _, d := range []string{b.dir, b.topicFolder("")} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, fmt.Errorf("making the run folder: %w", err)
		}
	}
	suffix := askSuffix
	if listen {
		suffix = listenSuffix
	}
	b.socket = fmt.Sprintf("%s.%08x%s", fileName(name, 40), rand.Uint32(), suffix)
	if b.conn, err = listenShort(filepath.Join(b.dir, b.socket)); err != nil {
		return nil, fmt.Errorf("opening the socket for wake-ups: %w", err)
	}
	go b.receive()
	return b, nil
}

// hostFolder names the part of the run folder that belongs to this host since it
// was started: the folder may be on a file system that several share.
func hostFolder() (string, error) {
	host, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("asking for this host's name: %w", err)
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return fileName(host, 40), nil
	}
	return fileName(host, 40) + "-" + string(boot[:min(8, len(boot))]), nil
}

// fileName makes a name of at most n bytes that is safe in a path.
func fileName(s string, n int) string {
	safe := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-' || r == '.' {
			return r
		}
		return '_'
	}, s)
	return strings.TrimLeft(safe[:min(n, len(safe))], ".")
}

// Subscribe gives a channel that gets a value after each wake-up for the topic;
// wake-ups that nobody took yet are merged into one.
func (b *Bus) Subscribe(topic string) <-chan struct{} {
	ch := make(chan struct{}, 1)
	b.SubscribeTo(topic, ch)
	return ch
}

// SubscribeTo is Subscribe with a channel of the caller's, which has room for one
// value; several topics may share it.
func (b *Bus) SubscribeTo(topic string, ch chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.subscribers[topic] = append(b.subscribers[topic], ch)
	b.show(topic)
}

// SetIdle says whether this process may be chosen by WakeOne for its topics. One
// that has no room says no; when it says yes again it has to look for itself
// after that, since what came meanwhile went to others.
func (b *Bus) SetIdle(topics []string, idle bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, topic := range topics {
		if b.away[topic] == idle {
			b.away[topic] = !idle
			b.show(topic)
		}
	}
}

// topicFolder is where those stand who listen to a topic and are idle.
func (b *Bus) topicFolder(topic string) string {
	if topic == "" {
		return filepath.Join(b.dir, "topics")
	}
	return filepath.Join(b.dir, "topics", topicName(topic))
}

// topicName makes a file name of a topic; different topics may share one only by
// chance of a hash, and then a hint goes to the wrong one, who says no.
func topicName(topic string) string {
	sum := uint64(14695981039346656037) // FNV-1a
	for i := range len(topic) {
		sum = (sum ^ uint64(topic[i])) * 1099511628211
	}
	return fmt.Sprintf("%s.%016x", fileName(topic, 60), sum)
}

// show makes the folder say whether this process is idle for a topic. Topics of
// which everybody is told need no folder.
func (b *Bus) show(topic string) {
	if !strings.HasSuffix(b.socket, listenSuffix) || !chosen(topic) {
		return
	}
	want := len(b.subscribers[topic]) > 0 && !b.away[topic]
	if want == b.named[topic] {
		return
	}
	dir := b.topicFolder(topic)
	link := filepath.Join(dir, b.socket)
	var err error
	if want {
		if err = os.Symlink(filepath.Join("..", "..", b.socket), link); errors.Is(err, os.ErrNotExist) {
			if err = os.Mkdir(dir, 0o700); err == nil || errors.Is(err, os.ErrExist) {
				err = os.WriteFile(filepath.Join(dir, "topic"), []byte(topic), 0o600)
			}
			if err == nil {
				err = os.Symlink(filepath.Join("..", "..", b.socket), link)
			}
		}
	} else {
		err = os.Remove(link)
	}
	if err != nil {
		b.log.Warn("this process cannot say in the run folder whether it is idle", "error", err)
		return
	}
	b.named[topic] = want
}

// Wake sends a wake-up for a topic to every process that listens, on every host,
// this one included. It never blocks for long and never fails: a lost wake-up
// costs only time.
func (b *Bus) Wake(topic string) {
	b.WakeHost(topic)
	b.tellOthers(message{Kind: "wake", Topic: topic})
}

// WakeHost is Wake on this host alone.
func (b *Bus) WakeHost(topic string) {
	b.deliver(topic)
	names := b.listeners(b.dir)
	if chosen(topic) { // who is not idle need not know
		names = b.listeners(b.topicFolder(topic))
	}
	for _, name := range names {
		if name != b.socket {
			b.sendTo(name, message{Kind: "wake", Topic: topic})
		}
	}
}

func (b *Bus) tellOthers(m message) {
	b.mu.Lock()
	remote := b.remote
	b.mu.Unlock()
	if remote != nil {
		remote(m)
	}
}

// WakeOne is Wake for what one listener is enough for, such as a new job: this
// process if it is idle, else an idle one of this host, else one of each other
// host. Who does not answer in a moment is busy, stopped or dead: the next one is
// woken then.
func (b *Bus) WakeOne(topic string) { b.wakeOne(topic, true) }

// WakeNext is WakeOne for another process of this host, and for nobody if none is
// idle: who has taken what it can says so, if there is more.
func (b *Bus) WakeNext(topic string) { b.wakeOne(topic, false) }

func (b *Bus) wakeOne(topic string, anywhere bool) {
	if taken, seen := b.take(topic); anywhere && taken {
		b.start(func() {
			timer := time.NewTimer(patience)
			defer timer.Stop()
			select {
			case <-timer.C:
			case <-b.closing:
				return
			}
			if !seen() { // this process is busy with something else
				b.wakeFirst(topic, true)
			}
		})
		return
	}
	b.start(func() { b.wakeFirst(topic, anywhere) })
}

// take wakes this process's subscribers of a topic and tells whether one was free
// to be woken; seen tells later whether it has taken notice.
func (b *Bus) take(topic string) (taken bool, seen func() bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.away[topic] {
		return false, nil
	}
	var told []chan struct{}
	for _, ch := range b.subscribers[topic] {
		select {
		case ch <- struct{}{}:
			told = append(told, ch)
		default: // it has not even seen the last one
		}
	}
	return len(told) > 0, func() bool { return !slices.ContainsFunc(told, func(ch chan struct{}) bool { return len(ch) > 0 }) }
}

// wakeFirst wakes one other listener of this host after the other until one says
// that it is awake.
func (b *Bus) wakeFirst(topic string, anywhere bool) {
	names := slices.DeleteFunc(b.listeners(b.topicFolder(topic)), func(name string) bool { return name == b.socket })
	rand.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	b.mu.Lock()
	last := b.last[topic]
	b.mu.Unlock()
	if i := slices.Index(names, last); i > 0 { // its connection to the database is warm
		names[0], names[i] = names[i], names[0]
	}
	id, answers := b.expect()
	defer b.forget(id)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for _, name := range names {
		if !b.sendTo(name, message{Kind: "one", Topic: topic, From: b.socket, ID: id}) {
			continue
		}
		timer.Reset(patience)
		select {
		case m := <-answers:
			if m.Kind == "yes" {
				b.mu.Lock()
				b.last[topic] = name
				b.mu.Unlock()
				return
			}
		case <-timer.C:
		case <-b.closing:
			return
		}
	}
	if anywhere {
		b.tellOthers(message{Kind: "one", Topic: topic})
	}
}

// start runs f in a goroutine that Close waits for; not after Close.
func (b *Bus) start(f func()) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case <-b.closing:
		return false
	default:
	}
	b.work.Go(f)
	return true
}

// expect prepares for an answer.
func (b *Bus) expect() (uint64, <-chan message) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.next++
	ch := make(chan message, 4)
	b.asked[b.next] = ch
	return b.next, ch
}

func (b *Bus) forget(id uint64) {
	b.mu.Lock()
	delete(b.asked, id)
	b.mu.Unlock()
}

// listeners lists the sockets of those who listen.
func (b *Bus) listeners(dir string) []string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil // nobody ever listened to that topic
	}
	var names []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), listenSuffix) {
			names = append(names, e.Name())
		}
	}
	return names
}

// Idle lists for what (tags or names) processes of this host are idle, of the
// topics that one of Jobs and Orphans makes.
func (b *Bus) Idle(topic func(string) string) []string {
	entries, err := os.ReadDir(b.topicFolder(""))
	if err != nil {
		return nil
	}
	prefix := fileName(topic(""), 60)
	var targets []string
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), prefix) || len(b.listeners(filepath.Join(b.topicFolder(""), e.Name()))) == 0 {
			continue
		}
		text, err := os.ReadFile(filepath.Join(b.topicFolder(""), e.Name(), "topic"))
		if err == nil {
			targets = append(targets, strings.TrimPrefix(string(text), topic("")))
		}
	}
	return targets
}

// sendTo drops a datagram into a process's socket, without waiting for room in
// it, and tells whether it lies there. What a dead process left is removed.
func (b *Bus) sendTo(name string, m message) bool {
	if !strings.HasSuffix(name, listenSuffix) && !strings.HasSuffix(name, askSuffix) || name != filepath.Base(name) {
		return false // whoever asked for an answer is none of us
	}
	text, err := json.Marshal(m)
	if err != nil || len(text) > maxMessage {
		b.log.Error("a wake-up cannot be sent", "topic", m.Topic, "bytes", len(text), "error", err)
		return false
	}
	raw, err := b.conn.SyscallConn()
	if err != nil {
		return false
	}
	path := filepath.Join(b.dir, name)
	addr, cleanup := shortAddr(path)
	defer cleanup()
	_ = raw.Control(func(fd uintptr) {
		err = syscall.Sendto(int(fd), text, syscall.MSG_DONTWAIT|syscall.MSG_NOSIGNAL, &syscall.SockaddrUnix{Name: addr})
	})
	if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ENOENT) {
		b.log.Debug("a process that listened for wake-ups is gone", "socket", path)
		b.removeSocket(name)
	}
	if err == nil {
		b.sent.Add(1)
	}
	return err == nil
}

// removeSocket removes a socket and what points to it.
func (b *Bus) removeSocket(name string) {
	links, err := filepath.Glob(filepath.Join(b.topicFolder(""), "*", name))
	if err == nil {
		for _, path := range append(links, filepath.Join(b.dir, name)) {
			if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
				b.log.Warn("removing a dead socket failed", "error", err)
			}
		}
	}
}

func (b *Bus) receive() {
	defer close(b.done)
	buf := make([]byte, maxMessage)
	for {
		n, _, err := b.conn.ReadFromUnix(buf)
		if err != nil {
			return // closed
		}
		var m message
		if err := json.Unmarshal(buf[:n], &m); err != nil {
			b.log.Warn("a datagram that is no wake-up came in", "error", err)
			continue
		}
		b.received.Add(1)
		b.handle(m)
	}
}

func (b *Bus) handle(m message) {
	from := filepath.Base(m.From) // an answer goes to a socket of this folder only
	switch m.Kind {
	case "wake":
		b.deliver(m.Topic)
	case "one":
		answer := "no"
		if taken, _ := b.take(m.Topic); taken {
			answer = "yes"
		}
		b.sendTo(from, message{Kind: answer, ID: m.ID})
	case "ask":
		b.mu.Lock()
		serve := b.roles[m.Topic]
		b.mu.Unlock()
		if serve != nil {
			serve(m.Payload, func(payload []byte) { b.sendTo(from, message{Kind: "answer", ID: m.ID, Payload: payload}) })
		}
	case "yes", "no", "answer":
		b.mu.Lock()
		ch := b.asked[m.ID]
		b.mu.Unlock()
		if ch != nil {
			select {
			case ch <- m:
			default:
			}
		}
	}
}

// fromElsewhere passes on what came from another host.
func (b *Bus) fromElsewhere(m message) {
	switch m.Kind {
	case "wake":
		b.WakeHost(m.Topic)
	case "one":
		if taken, _ := b.take(m.Topic); !taken {
			b.start(func() { b.wakeFirst(m.Topic, false) }) // this must not travel on
		}
	}
}

// deliver wakes the subscribers of a topic, or of every topic if it is "".
func (b *Bus) deliver(topic string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	channels := b.subscribers[topic]
	if topic == "" {
		channels = slices.Concat(slices.Collect(maps.Values(b.subscribers))...)
	}
	for _, ch := range channels {
		select {
		case ch <- struct{}{}:
		default:
		}
	}
}

// Close leaves the wake-ups.
func (b *Bus) Close() error {
	b.mu.Lock()
	select {
	case <-b.closing:
		b.mu.Unlock()
		return nil
	default:
	}
	close(b.closing)
	b.mu.Unlock()
	b.work.Wait()
	b.removeSocket(b.socket)
	err := b.conn.Close()
	<-b.done
	return err
}

// maxSocketPath is the longest path of a UNIX socket, in bytes.
const maxSocketPath = 107

// shortAddr gives a name of at most maxSocketPath bytes for a socket's path: the
// path itself, or one through a descriptor of its folder.
func shortAddr(path string) (addr string, cleanup func()) {
	if len(path) <= maxSocketPath {
		return path, func() {}
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return path, func() {}
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(path)), func() { _ = dir.Close() }
}

func listenShort(path string) (*net.UnixConn, error) {
	addr, cleanup := shortAddr(path)
	defer cleanup()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: addr, Net: "unixgram"})
	if err != nil && strings.Contains(err.Error(), "invalid argument") {
		return nil, fmt.Errorf("%w (the run folder's path may be too long for a socket)", err)
	}
	return conn, err
}
