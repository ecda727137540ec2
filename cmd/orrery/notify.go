package main

import "orrery/internal/supervisor"

// ready says that this process does its work: to its supervisor or, when it has
// none, to systemd.
func (p *process) ready() error {
	if p.child != nil {
		return p.child.Ready()
	}
	tellStarter(exitOK, nil)
	if err := supervisor.NotifyReady(""); err != nil {
		p.log.Warn("systemd is not told that this process is ready, and will take it to hang", "error", err)
	}
	return nil
}
