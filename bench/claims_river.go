package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

// buildRiver builds bench/river, a module of its own.
func (b *claimBench) buildRiver(ctx context.Context) error {
	b.riverProgram = filepath.Join(b.dir, "river")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", b.riverProgram, ".")
	cmd.Dir = filepath.Join(b.root, "bench", "river")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building bench/river: %w\n%s", err, out)
	}
	return b.createDatabase(ctx, "river")
}

// riverBenchWorkers is how many jobs a client of `river bench`, River's own measurement, works at once.
const riverBenchWorkers = 2000

// measureRiver works no-op jobs with as many processes as there are handlers, with as many slots as those have and then as
// many as in River's own bench.
func (b *claimBench) measureRiver(ctx context.Context, clients int) error {
	for _, workers := range []int{b.slots, riverBenchWorkers} {
		prepare := exec.CommandContext(ctx, b.riverProgram, "prepare", b.dsn("postgresql", "river"), strconv.Itoa(2*b.waiting))
		prepare.Stderr = os.Stderr
		if err := prepare.Run(); err != nil {
			return fmt.Errorf("preparing River: %w", err)
		}
		each := make([][]string, clients)
		for i := range each {
			each[i] = []string{"work", b.dsn("postgresql", "river"), strconv.Itoa(workers), "2", strconv.Itoa(b.seconds)}
		}
		c, err := gather(ctx, b.riverProgram, each)
		if err != nil {
			return err
		}
		if err := c.begin(); err != nil {
			c.dismiss()
			return err
		}
		all, err := c.results()
		if err != nil {
			c.dismiss()
			return err
		}
		perSecond, _ := rate(all)
		b.note(&b.rates, riverFigure(workers, clients), perSecond)
	}
	return nil
}
