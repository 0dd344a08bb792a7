package cli

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// Signal is the cause by which a signal ends a command's context.
type Signal struct{ syscall.Signal }

func (s Signal) Error() string { return s.String() }

func (s Signal) exitCode() int { return 128 + int(s.Signal) }

// withSignals returns a context that SIGINT or SIGTERM ends. The second of them ends the process at once,
// for the person who does not want to wait for good order.
func withSignals(parent context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 2) // both may come before the goroutine runs
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	go watch(signals, cancel)
	return ctx, func() {
		signal.Stop(signals)
		close(signals)
		cancel(nil)
	}
}

func watch(signals <-chan os.Signal, cancel context.CancelCauseFunc) {
	first := true
	for s := range signals {
		cause := Signal{s.(syscall.Signal)}
		if !first {
			fmt.Fprintf(os.Stderr, "%s again: ended without finishing\n", cause)
			os.Exit(cause.exitCode())
		}
		cancel(cause)
		first = false
	}
}
