package cli

import (
	"io"
	"os"
	"unicode"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// Width returns the columns of the terminal that w is, or 0 where it is none.
func Width(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok {
		return 0
	}
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0
	}
	return int(size.Col)
}

// Escape returns s with everything that could steer a terminal or mislead its reader written as a Go
// escape: control characters, bytes that are no UTF-8, invisible and direction-changing characters, and
// the backslash itself.
func Escape(s string) string {
	for _, r := range s {
		if !shown(r) {
			return string(AppendEscaped(nil, s))
		}
	}
	return s
}

// AppendEscaped appends s to dst as [Escape] shows it.
func AppendEscaped[T string | []byte](dst []byte, s T) []byte {
	for i := 0; i < len(s); {
		r, size := decodeRune(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			dst = appendHex(append(dst, `\x`...), uint32(s[i]), 2)
		case shown(r):
			dst = utf8.AppendRune(dst, r)
		default:
			dst = appendRuneEscape(dst, r)
		}
		i += size
	}
	return dst
}

func decodeRune[T string | []byte](s T) (rune, int) {
	var head [utf8.UTFMax]byte
	return utf8.DecodeRune(head[:copy(head[:], s)])
}

// shown says which characters stand for themselves. utf8.RuneError is looked at more closely.
func shown(r rune) bool {
	return r != '\\' && r != utf8.RuneError && unicode.IsPrint(r)
}

func appendRuneEscape(dst []byte, r rune) []byte {
	switch {
	case r == '\\':
		return append(dst, `\\`...)
	case r == '\n':
		return append(dst, `\n`...)
	case r == '\t':
		return append(dst, `\t`...)
	case r < utf8.RuneSelf:
		return appendHex(append(dst, `\x`...), uint32(r), 2)
	case r <= 0xffff:
		return appendHex(append(dst, `\u`...), uint32(r), 4)
	}
	return appendHex(append(dst, `\U`...), uint32(r), 8)
}

func appendHex(dst []byte, n uint32, digits int) []byte {
	for shift := 4 * (digits - 1); shift >= 0; shift -= 4 {
		dst = append(dst, "0123456789abcdef"[n>>shift&0xf])
	}
	return dst
}
