package main

import (
	"context"
	"errors"
)

// formatC holds the C to bpf/.clang-format. That it compiles without a warning is part of generating it.
func formatC(ctx context.Context) error {
	sources, err := files(ctx, "bpf/*.c", "bpf/*.h")
	if err != nil {
		return err
	}
	if len(sources) == 0 {
		return errors.New("bpf/ has no C")
	}
	_, err = output(ctx, "clang-format", append([]string{"--dry-run", "-Werror", "--style=file"}, sources...)...)
	return err
}
