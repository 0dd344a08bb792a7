package file

import (
	"errors"
	"path/filepath"
	"time"

	"github.com/weirproject/weir/internal/config"
)

// Config is the configuration of the destination file: rotated NDJSON in a directory.
type Config struct {
	// Directory of the files, made where it is missing. The lane's directory beneath the data directory
	// where it is empty.
	Directory string `yaml:"directory"`
	// Size from which on events.ndjson is rotated; it is exceeded by at most one request.
	RotateBytes config.Size `yaml:"rotate_bytes"`
	// Age from which on events.ndjson is rotated, when the next event comes.
	RotateAge time.Duration `yaml:"rotate_age"`
	// Most bytes of all files together; the oldest is removed at a rotation. 0B keeps all.
	KeepBytes config.Size `yaml:"keep_bytes"`
	// Most rotated files; the oldest is removed at a rotation. 0 keeps all.
	KeepFiles int `yaml:"keep_files"`
	// Compress rotated files with zstd.
	Compress bool `yaml:"compress"`
}

// Default returns the defaults.
func Default() *Config {
	return &Config{RotateBytes: 64 * config.MiB, RotateAge: 24 * time.Hour, KeepBytes: 5 * config.GiB}
}

// Validate joins all faults.
func (c *Config) Validate() error {
	var errs []error
	if c.Directory != "" && !filepath.IsAbs(c.Directory) {
		errs = append(errs, config.Invalid("directory", "%q is relative; write an absolute path", c.Directory))
	}
	if c.RotateBytes < 4*config.KiB {
		errs = append(errs, config.Invalid("rotate_bytes", "%s; write at least 4KiB", c.RotateBytes))
	}
	if c.RotateAge <= 0 {
		errs = append(errs, config.Invalid("rotate_age", "%s; it must be above 0s", c.RotateAge))
	}
	if c.KeepBytes != 0 && c.KeepBytes < 2*c.RotateBytes {
		errs = append(errs, config.Invalid("keep_bytes", "%s; write at least twice rotate_bytes, which is %s, or 0B to keep all", c.KeepBytes, c.RotateBytes))
	}
	if c.KeepFiles < 0 {
		errs = append(errs, config.Invalid("keep_files", "%d is negative; write 0 to keep all", c.KeepFiles))
	}
	return errors.Join(errs...)
}
