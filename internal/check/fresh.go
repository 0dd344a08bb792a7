package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
)

// fresh generates everything anew, in place, and names what came out differently. It works on a tree with
// changes as well: it compares with what was there before, not with what is committed.
func fresh(ctx context.Context) error {
	before, err := sums(ctx)
	if err != nil {
		return err
	}
	if _, err := output(ctx, "make", "--no-print-directory", "generate"); err != nil {
		return err
	}
	after, err := sums(ctx)
	if err != nil {
		return err
	}
	if stale := differing(before, after); len(stale) > 0 {
		return fmt.Errorf("these were stale, and are generated anew; look at them and commit them:\n%s", strings.Join(stale, "\n"))
	}
	return nil
}

type sum [sha256.Size]byte

// sums reads every file that is not ignored. A missing one is committed and deleted in the tree.
func sums(ctx context.Context) (map[string]sum, error) {
	names, err := files(ctx)
	if err != nil {
		return nil, err
	}
	all := make(map[string]sum, len(names))
	for _, name := range names {
		data, err := os.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		all[name] = sha256.Sum256(data)
	}
	return all, nil
}

// differing lists the names whose sums differ, or that only one of the two has.
func differing(a, b map[string]sum) []string {
	names := map[string]bool{}
	for name, s := range a {
		if other, ok := b[name]; !ok || other != s {
			names[name] = true
		}
	}
	for name := range b {
		if _, ok := a[name]; !ok {
			names[name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}
