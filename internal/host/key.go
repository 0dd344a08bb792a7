package host

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// keyFile is the name of the host's key: PKCS #8 in PEM, as openssl writes and reads it.
const keyFile = "host.key"

// UnsafeKeyError says why a host's key is not taken as it lies there, and what to do.
type UnsafeKeyError struct {
	Path   string
	Reason string
}

func (e *UnsafeKeyError) Error() string { return fmt.Sprintf("host key %s: %s", e.Path, e.Reason) }

// Key returns the key with which this host signs its batches. It lies in dir, which must exist, and is made
// there where there is none: the host gets a new id with it. A key that another user could have read or
// written is refused with an *UnsafeKeyError.
func Key(dir string) (ed25519.PrivateKey, error) {
	path := filepath.Join(dir, keyFile)
	key, err := readKey(path)
	if errors.Is(err, fs.ErrNotExist) {
		return makeKey(dir)
	}
	return key, err
}

func readKey(path string) (ed25519.PrivateKey, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if errors.Is(err, unix.ELOOP) {
		return nil, &UnsafeKeyError{path, "is a symbolic link; put the key itself there"}
	}
	if err != nil {
		return nil, fmt.Errorf("host key: %w", err)
	}
	defer f.Close()
	if err := checkKeyFile(f); err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(f, 4096))
	if err != nil {
		return nil, fmt.Errorf("host key %s: %w", path, err)
	}
	key, err := parseKey(text)
	if err != nil {
		return nil, fmt.Errorf("host key %s: %w; restore it from a backup, or remove it: then this host gets a new id", path, err)
	}
	return key, nil
}

func checkKeyFile(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("host key: %w", err)
	}
	owner := info.Sys().(*syscall.Stat_t).Uid
	switch {
	case !info.Mode().IsRegular():
		return &UnsafeKeyError{f.Name(), "is no regular file"}
	case int(owner) != os.Geteuid():
		return &UnsafeKeyError{f.Name(), fmt.Sprintf("belongs to uid %d and weir runs as uid %d; chown it", owner, os.Geteuid())}
	case info.Mode().Perm()&0o077 != 0:
		return &UnsafeKeyError{f.Name(), fmt.Sprintf("has mode %04o, so that others may have it; chmod 0600 it if nobody read it, else remove it", info.Mode().Perm())}
	}
	return nil
}

func parseKey(text []byte) (ed25519.PrivateKey, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("is not PEM")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	key, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return nil, errors.New("is no Ed25519 key")
	}
	return key, nil
}

// makeKey writes a new key beside its place and links it there: whoever finds a key finds a whole one, and
// of two starts at once both use the first one's.
func makeKey(dir string) (key ed25519.PrivateKey, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("make host key in %s: %w", dir, err)
		}
	}()
	_, key, err = ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(dir, keyFile+".") // mode 0600, never an existing file
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, keyFile)
	if err := os.Link(f.Name(), path); errors.Is(err, fs.ErrExist) {
		return readKey(path)
	} else if err != nil {
		return nil, err
	}
	return key, syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
