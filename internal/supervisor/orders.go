package supervisor

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"

	"orrery/internal/deployment"
)

// task is an order on its way. They are carried out one after the other; only stops of everything do not wait.
type task struct {
	order Order
	to    *answer // nil for those that come by signal
	// resumed tells that this program has taken its predecessor's place to carry it out.
	resumed bool
	// memory is set for a process that is replaced since it uses too much.
	memory *slot
}

// take accepts an order from the control socket.
func (s *Supervisor) take(order Order, to *answer) {
	s.options.Log.Info("an order", "verb", order.Verb, "names", strings.Join(order.Names, " "))
	// One step with the freeze before this program is replaced: an order that was not accepted by then is given again, to
	// the next one.
	s.mu.Lock()
	to.taken()
	switch order.Verb {
	case VerbStart, VerbStop, VerbRestart, VerbGraceful, VerbUpdate:
		s.enqueue(&task{order: order, to: to})
		s.mu.Unlock()
		return
	}
	s.mu.Unlock()
	switch order.Verb {
	case VerbShutdown:
		if len(order.Names) > 0 {
			to.done(errors.New("shutdown ends the whole server; stop takes names"))
			return
		}
		s.mu.Lock()
		s.lastWords = append(s.lastWords, to)
		s.mu.Unlock()
		s.begin("it was ordered to shut down")
	case VerbReopen:
		s.reopen(to)
	default:
		to.done(fmt.Errorf("there is no order %q; there are start, stop, restart, graceful, update, reopen and shutdown", order.Verb))
	}
}

func (s *Supervisor) enqueue(t *task) {
	select {
	case s.queue <- t:
	default:
		t.to.done(errors.New("too many orders are waiting"))
	}
}

// work carries orders out until quit is closed.
func (s *Supervisor) work(quit <-chan struct{}) {
	for {
		select {
		case <-quit:
			for {
				select {
				case t := <-s.queue:
					t.to.done(errStopping)
				default:
					return
				}
			}
		case t := <-s.queue:
			err := s.carryOut(t)
			if err != nil {
				s.options.Log.Error("the order could not be carried out", "verb", t.order.Verb, "error", err)
			}
			t.to.done(err)
		}
	}
}

func (s *Supervisor) carryOut(t *task) error {
	if s.isStopping() {
		return errStopping
	}
	if t.memory != nil {
		return s.replaceForMemory(t.memory)
	}
	if t.order.DryRun && t.order.Verb != VerbUpdate {
		return errors.New("only an update can be tried without being done")
	}
	switch t.order.Verb {
	case VerbStop:
		return s.stopNamed(t)
	case VerbStart:
		return s.startNamed(t)
	case VerbRestart:
		return s.noteProblem(s.reload(t, true, false))
	case VerbUpdate:
		err := s.reload(t, false, true)
		if t.order.DryRun {
			return err
		}
		return s.noteProblem(err)
	default:
		s.notify(NotifyReloading())
		err := s.noteProblem(s.graceful(t))
		status := ""
		if err != nil {
			status = "the last restart was not taken: " + err.Error()
		}
		s.notify(NotifyReady(status))
		return err
	}
}

// notify logs what systemd could not be told.
func (s *Supervisor) notify(err error) {
	if err != nil {
		s.options.Log.Warn("systemd", "error", err)
	}
}

// noteProblem keeps why the last change was not taken, for reports.
func (s *Supervisor) noteProblem(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return err
	}
	s.problem = ""
	if err != nil {
		s.problem = err.Error()
	}
	return err
}

func (s *Supervisor) isStopping() bool {
	select {
	case <-s.stop:
		return true
	default:
		return false
	}
}

func (s *Supervisor) say(t *task, process, format string, args ...any) {
	message := fmt.Sprintf(format, args...)
	t.to.say(Progress{Time: s.options.Now(), Process: process, Message: message})
	if process != "" {
		s.options.Log.Info(message, "process", process)
	} else {
		s.options.Log.Info(message)
	}
}

// named finds the slots that an order means.
func (s *Supervisor) named(names []string) ([]*slot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var specs []Spec
	var out []*slot
	for _, sl := range s.slots {
		if sl.removed {
			continue
		}
		specs = append(specs, sl.spec)
		if sl.spec.called(names) {
			out = append(out, sl)
		}
	}
	return out, checkNames(names, specs)
}

// stopNamed stops processes and keeps them stopped.
func (s *Supervisor) stopNamed(t *task) error {
	slots, err := s.named(t.order.Names)
	if err != nil {
		return err
	}
	var all []*instance
	s.mu.Lock()
	for _, sl := range slots {
		sl.stopped = true
		sl.cancelWait()
		if sl.current == nil {
			sl.set("stopped", "", s.options.Now())
		}
		for _, inst := range sl.instances() {
			s.stopLocked(inst, inst.drains)
			all = append(all, inst)
		}
	}
	s.mu.Unlock()
	for _, inst := range all {
		<-inst.gone
		s.say(t, inst.spec.Name, "stopped: it %s", inst.how)
	}
	return nil
}

// startNamed starts processes that an order stopped, or that wait after a crash.
func (s *Supervisor) startNamed(t *task) error {
	slots, err := s.named(t.order.Names)
	if err != nil {
		return err
	}
	return s.together(len(slots), func(i int) error {
		sl := slots[i]
		s.mu.Lock()
		sl.stopped = false
		sl.cancelWait()
		running := sl.current
		sl.failures = 0
		s.mu.Unlock()
		if running != nil {
			s.say(t, sl.spec.Name, "runs already")
			return nil
		}
		return s.startAndWait(t, sl)
	})
}

// startAndWait starts a process where none runs and waits until it serves. When it does not, it is tried again as after a
// crash.
func (s *Supervisor) startAndWait(t *task, sl *slot) error {
	inst := s.launch(sl)
	if inst == nil {
		return fmt.Errorf("%s could not be started", sl.spec.Name)
	}
	if !s.awaitReady(inst) {
		return startError(inst.spec, inst.how)
	}
	s.say(t, sl.spec.Name, "serves")
	return nil
}

// awaitReady waits until an instance serves (true) or has ended.
func (s *Supervisor) awaitReady(inst *instance) bool {
	select {
	case <-inst.serves:
		return true
	case <-inst.gone:
		select {
		case <-inst.serves:
			return true
		default:
			return false
		}
	}
}

// together does n things, a few at a time: each start of a process takes all that a processor has.
func (s *Supervisor) together(n int, f func(i int) error) error {
	places := make(chan struct{}, max(2, runtime.NumCPU()))
	failures := make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			if s.isStopping() {
				failures[i] = errStopping
				return
			}
			failures[i] = f(i)
		})
	}
	all.Wait()
	return errors.Join(failures...)
}

// graceful takes the program on disk and the files as they are, with new processes beside the old ones. This program
// itself is replaced first, unless only some processes are meant.
func (s *Supervisor) graceful(t *task) error {
	s.mu.Lock()
	begun := s.begun // before that whoever started the server waits for this program
	s.mu.Unlock()
	if !t.resumed && begun && len(t.order.Names) == 0 && len(s.options.Probe) > 0 {
		return s.replaceSelf(t)
	}
	return s.reload(t, false, false)
}

// reload reads the configuration and makes the processes what it asks for. hard stops each before it starts it again;
// otherwise successors start first. changedOnly leaves those alone that would not differ.
func (s *Supervisor) reload(t *task, hard, changedOnly bool) error {
	names := t.order.Names
	s.mu.Lock()
	old := Wanted{}
	for _, sl := range s.slots {
		if !sl.removed {
			old.Specs = append(old.Specs, sl.spec)
		}
	}
	s.mu.Unlock()
	wanted := Wanted{Specs: slices.Clone(old.Specs), Config: s.config, Own: s.own, Signals: s.signals}
	if s.options.Load != nil {
		var err error
		if wanted, err = s.options.Load(); err != nil {
			return fmt.Errorf("the configuration cannot be taken, and all stays as it is: %w", err)
		}
	}
	for i := range wanted.Specs {
		wanted.Specs[i].Program = programStamp(wanted.Specs[i].Path)
	}
	if err := checkNames(names, slices.Concat(wanted.Specs, old.Specs)); err != nil {
		return err
	}
	changes := Changes(old, wanted)
	specs := map[string]Spec{}
	for _, spec := range slices.Concat(old.Specs, wanted.Specs) {
		specs[spec.Name] = spec
	}
	changes = slices.DeleteFunc(changes, func(c Change) bool {
		spec := specs[c.Process]
		return !spec.called(names)
	})
	if t.order.DryRun {
		for _, c := range changes {
			t.to.say(Progress{Process: c.Process, Message: strings.TrimSpace(string(c.Kind) + " " + c.Why), Change: &c})
		}
		return nil
	}
	// A program that is another one is taken by the supervisor as well.
	if changedOnly && !t.resumed && len(names) == 0 && len(s.options.Probe) > 0 && programStamp("") != s.program {
		return s.replaceSelf(t)
	}
	if err := s.sockets.open(wanted.listens()); err != nil {
		return fmt.Errorf("the configuration cannot be taken, and all stays as it is: %w", err)
	}
	err := s.apply(t, changes, specs, hard, changedOnly)
	s.mu.Lock()
	if err == nil && len(names) == 0 {
		s.adopt(wanted)
		s.order(wanted.Specs)
	}
	needed := slices.Clone(s.own)
	for _, sl := range s.slots {
		if !sl.removed {
			needed = append(needed, sl.spec.Listen...)
		}
	}
	s.mu.Unlock()
	paths := s.sockets.keep(needed)
	s.mu.Lock()
	s.paths = append(s.paths, paths...)
	idle := s.idlePathsLocked()
	s.mu.Unlock()
	s.removePaths(idle)
	s.serveOwn()
	if err == nil {
		s.event(Event{Kind: Taken})
	}
	return err
}

// order brings the slots into the configuration's order; those that are on their way out come last.
func (s *Supervisor) order(specs []Spec) {
	place := func(sl *slot) int {
		if i := slices.IndexFunc(specs, func(spec Spec) bool { return spec.Name == sl.spec.Name }); i >= 0 && !sl.removed {
			return i
		}
		return len(specs)
	}
	slices.SortStableFunc(s.slots, func(a, b *slot) int { return place(a) - place(b) })
}

// step is a process that a reload starts or replaces.
type step struct {
	slot  *slot
	spec  Spec
	fresh bool // there was no such process
	inst  *instance
}

// apply makes changes: group after group where web workers have several, then the handlers; what nothing asks for any more
// comes last. The first group that does not become ready ends it.
func (s *Supervisor) apply(t *task, changes []Change, specs map[string]Spec, hard, changedOnly bool) error {
	var groups [][]*step
	at := map[string]int{}
	touched := 0
	s.mu.Lock()
	for _, c := range changes {
		if c.Kind == ChangeStop {
			continue
		}
		spec := specs[c.Process]
		sl := s.slotLocked(c.Process)
		if sl != nil && (c.Kind == ChangeNone && changedOnly || sl.stopped && !hard) {
			sl.spec = spec // only what is the supervisor's own business, or for the next start
			continue
		}
		key := string(spec.Kind)
		if spec.Kind == deployment.Web {
			key += " " + spec.Group
		}
		st := &step{slot: sl, spec: spec}
		if sl == nil {
			st.fresh, st.slot = true, s.newSlot(spec)
		}
		if _, known := at[key]; !known {
			at[key] = len(groups)
			groups = append(groups, nil)
		}
		groups[at[key]] = append(groups[at[key]], st)
		touched++
	}
	s.mu.Unlock()
	for _, group := range groups {
		var err error
		if hard {
			err = s.restartGroup(t, group)
		} else {
			err = s.replaceGroup(t, group)
		}
		if err != nil {
			return err
		}
	}
	for _, c := range changes {
		if c.Kind != ChangeStop {
			continue
		}
		s.mu.Lock()
		if sl := s.slotLocked(c.Process); sl != nil {
			sl.removed = true
			sl.cancelWait()
			for _, inst := range sl.instances() {
				s.stopLocked(inst, true)
			}
			if len(sl.instances()) == 0 {
				s.slots = slices.DeleteFunc(s.slots, func(other *slot) bool { return other == sl })
			}
		}
		s.mu.Unlock()
		touched++
		s.say(t, c.Process, "is told to stop: %s", c.Why)
	}
	if touched == 0 {
		s.say(t, "", "nothing changes")
	}
	return nil
}

func (s *Supervisor) slotLocked(name string) *slot {
	for _, sl := range s.slots {
		if sl.spec.Name == name && !sl.removed {
			return sl
		}
	}
	return nil
}

// replaceGroup starts successors, and when all of them serve, the old ones are told to finish. If one does not serve, the
// successors are killed and the old ones stay.
func (s *Supervisor) replaceGroup(t *task, group []*step) error {
	s.mu.Lock()
	for _, st := range group {
		if st.fresh {
			s.slots = append(s.slots, st.slot)
		}
	}
	s.mu.Unlock()
	err := s.together(len(group), func(i int) error {
		st := group[i]
		limit := st.spec.RestartTimeout
		if limit == 0 {
			limit = st.spec.readyTimeout()
		}
		s.mu.Lock()
		inst, err := s.startLocked(st.slot, st.spec, limit)
		if err == nil {
			st.inst, st.slot.successor = inst, inst
		}
		s.mu.Unlock()
		if err != nil {
			return fmt.Errorf("%s could not be started: %w", st.spec.Name, err)
		}
		s.say(t, st.spec.Name, "a new one starts as process %d", inst.r.pid)
		s.event(Event{Kind: Started, Name: st.spec.Name, PID: inst.r.pid})
		if !s.awaitReady(inst) {
			return startError(inst.spec, inst.how)
		}
		return nil
	})
	if err != nil {
		s.giveUp(group)
		return fmt.Errorf("the old processes go on, for the new ones do not serve: %w", err)
	}
	for _, st := range group {
		s.swap(t, st)
	}
	s.checkAllReady()
	return nil
}

// giveUp kills the successors of a group and forgets what is new of it.
func (s *Supervisor) giveUp(group []*step) {
	for _, st := range group {
		if st.inst != nil {
			s.mu.Lock()
			st.inst.stopping = true
			s.mu.Unlock()
			st.inst.r.signal(syscall.SIGKILL)
			<-st.inst.gone
		}
		if st.fresh {
			s.mu.Lock()
			s.slots = slices.DeleteFunc(s.slots, func(other *slot) bool { return other == st.slot })
			s.mu.Unlock()
		}
	}
}

// swap makes a successor that serves the one that counts, and tells its predecessor to finish.
func (s *Supervisor) swap(t *task, st *step) {
	s.mu.Lock()
	sl := st.slot
	if sl.successor != st.inst { // it served and crashed since; it is as if it had crashed after taking over
		select {
		case <-st.inst.gone:
			sl.spec = st.spec
			none := sl.current == nil && sl.waiting == nil
			s.mu.Unlock()
			if none {
				s.failed(sl, st.inst.how, false, 0)
			}
			return
		default:
		}
	}
	old := sl.current
	sl.spec, sl.current, sl.successor, sl.everReady = st.inst.spec, st.inst, nil, true
	sl.cancelWait()
	sl.failures = 0
	e := Event{Kind: Replaced, Name: sl.spec.Name, PID: st.inst.r.pid}
	if old != nil {
		sl.draining = append(sl.draining, old)
		e.Old = old.r.pid
	}
	if !st.fresh {
		sl.generation++
	}
	st.inst.generation = sl.generation
	sl.set("ready", "", s.options.Now())
	s.mu.Unlock()
	// The old one looks up whether it has a successor.
	s.event(e)
	if st.fresh {
		s.say(t, sl.spec.Name, "serves, as process %d", e.PID)
		return
	}
	if old != nil {
		s.mu.Lock()
		s.stopLocked(old, true)
		s.mu.Unlock()
	}
	s.say(t, sl.spec.Name, "process %d serves in place of the old one, which finishes what it has", e.PID)
}

// restartGroup stops processes and starts them again.
func (s *Supervisor) restartGroup(t *task, group []*step) error {
	return s.together(len(group), func(i int) error {
		st := group[i]
		sl := st.slot
		s.mu.Lock()
		if st.fresh {
			s.slots = append(s.slots, sl)
		}
		// It is not a crash that its end is.
		sl.stopped = true
		sl.cancelWait()
		old := sl.current
		if old != nil {
			s.stopLocked(old, false)
		}
		s.mu.Unlock()
		if old != nil {
			<-old.gone
			s.say(t, sl.spec.Name, "stopped: it %s", old.how)
		}
		s.mu.Lock()
		sl.stopped, sl.spec, sl.failures = false, st.spec, 0
		s.mu.Unlock()
		return s.startAndWait(t, sl)
	})
}
