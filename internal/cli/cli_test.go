package cli

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

var errBroken = errors.New("open spool /var/lib/weir: permission denied")

// program is a program with a sub-command for each way in which a command can end.
func program() Command {
	var loud bool
	return Command{
		Name: "weir", Short: "measure a stream", Long: "All of it.",
		Sub: []Command{
			{Name: "echo", Args: "WORD...", Short: "say words",
				Flags: func(f *flag.FlagSet) { f.BoolVar(&loud, "loud", false, "say them loudly") },
				Run: func(_ context.Context, env Env) error {
					words := strings.Join(env.Args, " ")
					if loud {
						words = strings.ToUpper(words)
					}
					fmt.Fprintln(env.Stdout, words)
					return nil
				}},
			{Name: "fail", Short: "fail", Run: func(context.Context, Env) error {
				return fmt.Errorf("start: %w", WithHint(errBroken, "run it as root"))
			}},
			{Name: "faults", Short: "fail twice", Run: func(context.Context, Env) error {
				return errors.Join(errors.New("a: \x1b[31mred"), errors.New("b: bad"))
			}},
			{Name: "log", Short: "log", Run: func(_ context.Context, env Env) error {
				env.Log.Debug("quiet")
				env.Log.Info("hook fell back", "kind", "process.exec\x1b")
				return nil
			}},
			{Name: "wait", Short: "wait", Run: func(ctx context.Context, _ Env) error {
				<-ctx.Done()
				return context.Canceled
			}},
			VersionCommand(),
		},
	}
}

func TestCommandLines(t *testing.T) {
	tests := []struct {
		line        string
		code        int
		out, errOut string // parts of what is printed
	}{
		{"echo a b", 0, "a b\n", ""},
		{"echo -loud a b", 0, "A B\n", ""},
		{"echo a -loud b", 0, "A B\n", ""},
		{"echo a -- -loud", 0, "a -loud\n", ""},
		{"echo -lou", 2, "", "weir echo: flag provided but not defined: -lou\nweir echo -h shows how it is used\n"},
		{"ecko", 2, "", `weir: unknown command "ecko"`},
		{"", 2, "", "weir: no command"},
		{"version now", 2, "", `weir version: unexpected argument "now"`},
		{"fail", 1, "", "weir fail: start: open spool /var/lib/weir: permission denied\n  run it as root\n"},
		{"faults", 1, "", "weir faults: a: \\x1b[31mred\nweir faults: b: bad\n"},
		{"log", 0, "", `msg="hook fell back" kind="process.exec\x1b"`},
		{"log -log-level debug", 0, "", "msg=quiet"},
		{"log -log-level loud", 2, "", `-log-level "loud": write debug, info, warn or error`},
		{"-h", 0, "  echo     say words\n", ""},
		{"echo -h", 0, "weir echo [flags] WORD...\n", ""},
		{"echo -h", 0, "  -loud\n      say them loudly\n", ""},
		{"version", 0, "devel go", ""},
		{"--version", 0, "devel go", ""},
		{"help", 0, "  echo     say words\n", ""},
		{"help echo", 0, "weir echo [flags] WORD...\n", ""},
	}
	for _, test := range tests {
		t.Run(test.line, func(t *testing.T) {
			var out, errOut bytes.Buffer
			code := run(t.Context(), program(), Env{Args: strings.Fields(test.line), Stdout: &out, Stderr: &errOut})
			if code != test.code {
				t.Errorf("exit code %d, want %d", code, test.code)
			}
			if !strings.Contains(out.String(), test.out) || !strings.Contains(errOut.String(), test.errOut) {
				t.Errorf("printed %q and %q", out.String(), errOut.String())
			}
		})
	}
}

func TestAHintIsShownOnce(t *testing.T) {
	err := errors.Join(WithHint(errBroken, "run it as root"), WithHint(errBroken, "look"), WithHint(errBroken, "run it as root"))
	var out bytes.Buffer
	printError(&out, "weir", err)
	if got := out.String(); strings.Count(got, "  run it as root\n") != 1 || strings.Count(got, "  look\n") != 1 {
		t.Error(got)
	}
	if !errors.Is(err, errBroken) || WithHint(nil, "x") != nil {
		t.Error("a hint hides the error, or makes one")
	}
}

func TestACommandThatASignalCutsShortSaysSo(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(Signal{syscall.SIGTERM})
	var errOut bytes.Buffer
	code := run(ctx, program(), Env{Args: []string{"wait"}, Stderr: &errOut})
	if code != 128+15 || !strings.Contains(errOut.String(), "weir wait: stopped before it was done") {
		t.Errorf("%d, %q", code, errOut.String())
	}
}

// TestSignals runs this test binary as a program of its own, since signals are the process's.
func TestSignals(t *testing.T) {
	if os.Getenv("WEIR_TEST_SIGNALS") != "" {
		stubborn := Command{Name: "stubborn", Run: func(ctx context.Context, env Env) error {
			fmt.Fprintln(env.Stdout, "ready")
			<-ctx.Done()
			fmt.Fprintln(env.Stdout, context.Cause(ctx))
			select {} // only the second signal ends it
		}}
		os.Args = os.Args[:1]
		os.Exit(Main(stubborn))
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestSignals$")
	cmd.Env = append(os.Environ(), "WEIR_TEST_SIGNALS=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"ready", "interrupt"} {
		var line string
		if _, err := fmt.Fscanln(out, &line); err != nil || line != want {
			t.Fatalf("%q, %v; want %q", line, err, want)
		}
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
	}
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != 128+2 {
		t.Errorf("ended with %v", err)
	}
}

type settings struct {
	Port uint16 `yaml:"port"`
}

func TestConfigCheckTellsGoodFromBad(t *testing.T) {
	dir := t.TempDir()
	good, bad := dir+"/good.yaml", dir+"/bad.yaml"
	for path, text := range map[string]string{good: "port: 1\n", bad: "prot: 1\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var out, errOut bytes.Buffer
	env := Env{Args: []string{"check", good, bad}, Stdout: &out, Stderr: &errOut}
	if code := run(t.Context(), ConfigCommand(func() *settings { return new(settings) }), env); code != 1 {
		t.Errorf("exit code %d", code)
	}
	if want := good + ": good\n"; out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
	if want := "config check: " + bad + ":1:1: prot: unknown key; the nearest is port\n"; errOut.String() != want {
		t.Errorf("%q, want %q", errOut.String(), want)
	}
}
