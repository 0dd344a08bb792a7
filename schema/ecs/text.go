package ecs

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"time"
	"unicode/utf8"
)

// appendEscaped appends b as the inside of a JSON string. Each byte that is not UTF-8 becomes U+FFFD.
func appendEscaped[T []byte | string](dst []byte, b T) []byte {
	start := 0 // of what is still to be copied as it is
	for i := 0; i < len(b); {
		c := b[i]
		if plain[c] {
			i++
			continue
		}
		if c < utf8.RuneSelf {
			dst = appendEscape(append(dst, b[start:i]...), c)
			i++
			start = i
			continue
		}
		r, size := decodeRune(b[i:])
		if r == utf8.RuneError && size == 1 {
			dst = append(append(dst, b[start:i]...), "\ufffd"...)
			start = i + 1
		}
		i += size
	}
	return append(dst, b[start:]...)
}

// plain tells the ASCII characters that stand in a JSON string as they are.
var plain = func() (t [256]bool) {
	for c := byte(' '); c < utf8.RuneSelf; c++ {
		t[c] = c != '"' && c != '\\'
	}
	return t
}()

func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	const digits = "0123456789abcdef"
	return append(dst, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
}

func decodeRune[T []byte | string](b T) (rune, int) {
	// At most 4 bytes are a rune, so that a conversion never allocates.
	return utf8.DecodeRuneInString(string(b[:min(len(b), utf8.UTFMax)]))
}

func appendString[T []byte | string](dst []byte, s T) []byte {
	return append(appendEscaped(append(dst, '"'), s), '"')
}

// appendArguments appends NUL-ended arguments as an array.
func appendArguments(dst, arguments []byte) []byte {
	dst = append(dst, '[')
	for arguments = withoutLastNUL(arguments); ; {
		first, rest, more := bytes.Cut(arguments, nul)
		dst = appendString(dst, first)
		if !more {
			return append(dst, ']')
		}
		dst = append(dst, ',')
		arguments = rest
	}
}

// appendCommandLine appends NUL-ended arguments joined by spaces.
func appendCommandLine(dst, arguments []byte) []byte {
	dst = append(dst, '"')
	for arguments = withoutLastNUL(arguments); ; {
		first, rest, more := bytes.Cut(arguments, nul)
		dst = appendEscaped(dst, first)
		if !more {
			return append(dst, '"')
		}
		dst = append(dst, ' ')
		arguments = rest
	}
}

var nul = []byte{0}

func withoutLastNUL(arguments []byte) []byte { return bytes.TrimSuffix(arguments, nul) }

func appendBase64(dst, b []byte) []byte {
	return append(base64.StdEncoding.AppendEncode(append(dst, '"'), b), '"')
}

func appendHex(dst, b []byte) []byte {
	return append(hex.AppendEncode(append(dst, '"'), b), '"')
}

// appendTime appends µs since 1970 in RFC 3339, UTC, always with six digits after the point. Times that
// have no four-digit year, which no clock tells, become the nearest that has one.
func appendTime(dst []byte, us int64) []byte {
	t := time.UnixMicro(min(max(us, firstMicro), lastMicro)).UTC()
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	dst = append(dst, '"')
	dst = append(appendDigits(dst, year, 4), '-')
	dst = append(appendDigits(dst, int(month), 2), '-')
	dst = append(appendDigits(dst, day, 2), 'T')
	dst = append(appendDigits(dst, hour, 2), ':')
	dst = append(appendDigits(dst, minute, 2), ':')
	dst = append(appendDigits(dst, second, 2), '.')
	dst = appendDigits(dst, t.Nanosecond()/1000, 6)
	return append(dst, 'Z', '"')
}

var (
	firstMicro = time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()
	lastMicro  = time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC).UnixMicro()
)

func appendDigits(dst []byte, n, width int) []byte {
	for i := range width {
		dst = append(dst, byte('0'+n/power[width-1-i]%10))
	}
	return dst
}

var power = [...]int{1, 10, 100, 1000, 10_000, 100_000}
