package cli

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/weirproject/weir/internal/config"
)

// Version returns what the go command stamped into the program: the tag that it was built from, such as
// "v0.1.0", or a pseudo-version with the commit; "devel" where it stamped neither (-buildvcs=false).
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "devel"
	}
	return info.Main.Version
}

// VersionCommand prints what the program was built from.
func VersionCommand() Command {
	return Command{
		Name:  "version",
		Short: "print the version",
		Run: func(_ context.Context, env Env) error {
			_, err := fmt.Fprintf(env.Stdout, "%s %s %s/%s\n", Version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
}

// ConfigCommand is "config check FILE" for a program whose configuration defaults returns: a pointer to a
// struct that holds the defaults, new at each call.
func ConfigCommand[T any](defaults func() *T) Command {
	return Command{
		Name:  "config",
		Short: "check a configuration file",
		Sub: []Command{{
			Name:  "check",
			Args:  "FILE...",
			Short: "say whether the program would start with a file, and what is wrong with it",
			Long:  "Reads each file as the program would, and starts nothing. Files that the configuration names are not read.",
			Run: func(_ context.Context, env Env) error {
				if len(env.Args) == 0 {
					return Usagef("no file")
				}
				return checkFiles(env, defaults)
			},
		}},
	}
}

func checkFiles[T any](env Env, defaults func() *T) error {
	var errs []error
	for _, path := range env.Args {
		err := config.Load(path, defaults())
		if err == nil {
			_, err = fmt.Fprintf(env.Stdout, "%s: good\n", Escape(path))
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
