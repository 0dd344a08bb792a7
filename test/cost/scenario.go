package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"
)

// Scenario is a rate of execs on a machine with many processes.
type Scenario string

const (
	Idle      Scenario = "idle"
	Quiet     Scenario = "100/s"
	Busy      Scenario = "5,000/s"
	Saturated Scenario = "saturated"
)

// aliveProcesses are there in every scenario.
const aliveProcesses = 15_000

var scenarios = []struct {
	name       Scenario
	rate, jobs int
	times      int // of the workloads' duration
}{
	{Idle, 0, 0, 5},
	{Quiet, 100, 1, 5},
	{Busy, 5000, runtime.NumCPU(), 2},
	{Saturated, 0, runtime.NumCPU(), 2},
}

// inScenarios are the contenders that targets compare.
func inScenarios(c contender) bool { return c.name == weirName || c.name == execsnoopName }

// scenarios goes through the rates with each contender, from low to high: memory that a high rate took is kept.
func (b *bench) scenarios(ctx context.Context, run *Run, round int) error {
	end, err := b.load.sleepers(aliveProcesses)
	if err != nil {
		return err
	}
	for _, c := range contenders() {
		if inScenarios(c) && b.broken[c.name] == "" {
			b.say("round %d of %d: rates beside %s", round+1, b.rounds, c.name)
			if err := b.scenariosOf(ctx, c, run, round); err != nil {
				return errors.Join(fmt.Errorf("%s, rates: %w", c.name, err), end())
			}
		}
	}
	return end()
}

func (b *bench) scenariosOf(ctx context.Context, c contender, run *Run, round int) error {
	watched, err := b.begin(ctx, c, Exec)
	if err != nil || watched == nil {
		return err
	}
	for _, at := range scenarios {
		s := Sample{Round: round, Contender: c.name, Workload: Exec, Scenario: at.name}
		d := time.Duration(at.times) * b.duration
		err := watched.measure(ctx, &s, func() (load, error) {
			if at.jobs == 0 {
				return load{Workload: Exec, Elapsed: d}, pass(ctx, d)
			}
			return b.load.run(ctx, Exec, d, at.rate, at.jobs)
		})
		if err != nil {
			return errors.Join(err, watched.end())
		}
		run.Samples = append(run.Samples, s)
	}
	return watched.end()
}
