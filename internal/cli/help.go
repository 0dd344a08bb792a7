package cli

import (
	"flag"
	"fmt"
	"io"
	"strings"
)

// help writes a command's own help: usage, what it is for, sub-commands, flags.
func help(w io.Writer, c *Command, flags *flag.FlagSet) {
	fmt.Fprintf(w, "%s: %s\n\nUsage:\n", c.Name, c.Short)
	if c.Run != nil {
		fmt.Fprintf(w, "  %s\n", strings.TrimRight(c.Name+" [flags] "+c.Args, " "))
	}
	if len(c.Sub) > 0 {
		fmt.Fprintf(w, "  %s COMMAND [flags]\n", c.Name)
	}
	if c.Long != "" {
		fmt.Fprintf(w, "\n%s\n", strings.TrimSpace(c.Long))
	}
	helpCommands(w, c)
	fmt.Fprint(w, "\nFlags:\n")
	flags.VisitAll(func(f *flag.Flag) { helpFlag(w, f) })
}

func helpCommands(w io.Writer, c *Command) {
	if len(c.Sub) == 0 {
		return
	}
	width := 0
	for _, s := range c.Sub {
		width = max(width, len(s.Name))
	}
	fmt.Fprint(w, "\nCommands:\n")
	for _, s := range c.Sub {
		fmt.Fprintf(w, "  %-*s  %s\n", width, s.Name, s.Short)
	}
	fmt.Fprintf(w, "\n%s COMMAND -h tells more of one.\n", c.Name)
}

func helpFlag(w io.Writer, f *flag.Flag) {
	value, usage := flag.UnquoteUsage(f)
	fmt.Fprintf(w, "  %s\n      %s", strings.TrimRight("-"+f.Name+" "+value, " "), usage)
	if f.DefValue != "" && f.DefValue != "0" && f.DefValue != "0s" && f.DefValue != "false" {
		fmt.Fprintf(w, " (default %s)", f.DefValue)
	}
	fmt.Fprintln(w)
}
