// Package cli is what weir's three programs share at their edge to a person or a supervisor: commands with
// flags and help, signals, the logger, exit codes, errors with a word on what to do, and text that is safe
// on a terminal.
//
//	func main() { os.Exit(cli.Main(collector.Command())) }
//
// Exit codes: 0 when the work is done or was stopped in good order, 1 for an error, 2 for a wrong command
// line, 128 + n where signal n cut the work short.
//
// It knows nothing of what the commands do.
package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
)

// Command is one command of a program, or the program itself. It either runs or has sub-commands, or both:
// then it runs when its first argument names none of them.
type Command struct {
	Name  string // as it is typed
	Args  string // operands in the usage line, such as "FILE" or "[HOST]"; empty where there are none
	Short string // one line, lower case, without a full stop
	Long  string // paragraphs for the command's own help
	// Flags adds the command's flags. It is called once, before Run.
	Flags func(*flag.FlagSet)
	// Run does the work. ctx ends at SIGINT or SIGTERM, with [Signal] as its cause; Run then stops in good
	// order and returns nil, or what stood in the way.
	Run func(ctx context.Context, env Env) error
	Sub []Command
}

// Env is what a command gets from the process.
type Env struct {
	Args   []string // operands, without flags
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	Log    *slog.Logger // to Stderr
}

// Usage is the error of a wrong command line.
type Usage string

func (u Usage) Error() string { return string(u) }

// Usagef makes a [Usage] error.
func Usagef(format string, args ...any) error { return Usage(fmt.Sprintf(format, args...)) }

// Main runs the program with the arguments, files and signals of the process, and returns its exit code.
func Main(program Command) int {
	ctx, stop := withSignals(context.Background())
	defer stop()
	env := Env{Args: os.Args[1:], Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}
	return run(ctx, program, env)
}

// run runs the program with the command line in env.Args.
func run(ctx context.Context, program Command, env Env) int {
	command, args := find(&program, usual(env.Args))
	flags := flag.NewFlagSet(command.Name, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	level := flags.String("log-level", "info", "least `LEVEL` that is logged to standard error: debug, info, warn or error")
	if command.Flags != nil {
		command.Flags(flags)
	}
	operands, err := parse(flags, args)
	if errors.Is(err, flag.ErrHelp) {
		help(env.Stdout, command, flags)
		return 0
	}
	if err == nil {
		env.Args = operands
		env.Log, err = newLogger(env.Stderr, *level)
	}
	if err == nil {
		err = start(ctx, command, env)
	}
	printError(env.Stderr, command.Name, err)
	return exitCode(ctx, err)
}

func start(ctx context.Context, c *Command, env Env) error {
	switch {
	case c.Run == nil && len(env.Args) > 0:
		return Usagef("unknown command %q", env.Args[0])
	case c.Run == nil:
		return Usagef("no command")
	case c.Args == "" && len(env.Args) > 0:
		return Usagef("unexpected argument %q", env.Args[0])
	}
	return c.Run(ctx, env)
}

// usual turns what people try first of any program into what stands here: "--version" is the command
// version, "help COMMAND" is "COMMAND -h".
func usual(args []string) []string {
	switch {
	case len(args) == 1 && (args[0] == "--version" || args[0] == "-version"):
		return []string{"version"}
	case len(args) > 0 && args[0] == "help":
		return append(slices.Clone(args[1:]), "-h")
	}
	return args
}

// find goes down the sub-commands that args name. The command that it returns has its full name.
func find(c *Command, args []string) (*Command, []string) {
	for len(args) > 0 {
		i := slices.IndexFunc(c.Sub, func(s Command) bool { return s.Name == args[0] })
		if i < 0 {
			break
		}
		sub := c.Sub[i]
		sub.Name = c.Name + " " + sub.Name
		c, args = &sub, args[1:]
	}
	return c, args
}

// parse takes flags before, between and after the operands; "--" ends them.
func parse(flags *flag.FlagSet, args []string) ([]string, error) {
	var operands []string
	for {
		if err := flags.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				return nil, err
			}
			return nil, Usage(err.Error())
		}
		rest := flags.Args()
		ended := len(rest) < len(args) && args[len(args)-len(rest)-1] == "--"
		if len(rest) == 0 || ended {
			return append(operands, rest...), nil
		}
		operands, args = append(operands, rest[0]), rest[1:]
	}
}

func exitCode(ctx context.Context, err error) int {
	signal, stopped := errors.AsType[Signal](context.Cause(ctx))
	switch _, usage := errors.AsType[Usage](err); {
	case err == nil:
		return 0
	case usage:
		return 2
	case stopped && errors.Is(err, context.Canceled):
		return signal.exitCode()
	}
	return 1
}

func newLogger(w io.Writer, level string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil || strings.ContainsAny(level, "+-") {
		return nil, Usagef("-log-level %q: write debug, info, warn or error", level)
	}
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: l})), nil
}
