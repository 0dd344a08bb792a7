package main

import (
	"context"
	"errors"
)

// released is the contract as it was last released: an image that buf made. It is made anew at a release
// alone.
const released = "proto/weir.v1.binpb"

// contract holds the .proto files to buf.yaml, and to what was released.
func contract(ctx context.Context) error {
	return errors.Join(
		buf(ctx, "lint"),
		buf(ctx, "breaking", "--against", released),
	)
}

func buf(ctx context.Context, args ...string) error {
	_, err := output(ctx, "go", append([]string{"tool", "-modfile=internal/tools.mod", "buf"}, args...)...)
	return err
}
