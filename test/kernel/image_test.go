package kernel

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

const elf = "\x7fELF and what follows"

// bzImage is a boot header, a sector of code, and the payload.
func bzImage(t *testing.T, payload []byte) []byte {
	t.Helper()
	const sectors, offset = 2, 16
	image := make([]byte, (sectors+1)*512+offset, 4096)
	image[bootSectors] = sectors
	copy(image[bootMagic:], "HdrS")
	binary.LittleEndian.PutUint32(image[bootPayloadOffset:], offset)
	binary.LittleEndian.PutUint32(image[bootPayloadLength:], uint32(len(payload)))
	return append(append(image, payload...), "what follows the payload"...)
}

func sized(packed []byte, size int) []byte {
	return binary.LittleEndian.AppendUint32(packed, uint32(size))
}

func zstdOf(t *testing.T, plain string) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return w.EncodeAll([]byte(plain), nil)
}

func lz4Of(t *testing.T, plain string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := lz4.NewWriter(&out)
	if err := w.Apply(lz4.LegacyOption(true)); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(plain)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestAKernelIsFoundInItsImage(t *testing.T) {
	for name, packed := range map[string][]byte{"zstd": zstdOf(t, elf), "lz4": lz4Of(t, elf)} {
		plain, err := uncompressed("amd64", bzImage(t, sized(packed, len(elf))))
		if err != nil || string(plain) != elf {
			t.Errorf("%s: %q, %v", name, plain, err)
		}
	}
	if plain, err := uncompressed("arm64", []byte("as it is")); err != nil || string(plain) != "as it is" {
		t.Errorf("arm64: %q, %v", plain, err)
	}
}

func TestAnImageThatIsNoneIsRefused(t *testing.T) {
	cut := bzImage(t, sized(zstdOf(t, elf), len(elf)))
	for name, c := range map[string]struct {
		image []byte
		want  string
	}{
		"no image":   {[]byte("MZ"), "no bzImage"},
		"cut off":    {cut[:(2+1)*512+20], "ends at byte"},
		"no payload": {bzImage(t, nil), "cut off"},
		"gzip":       {bzImage(t, sized([]byte("\x1f\x8b\x08\x00"), 4)), "1f 8b 08 00"},
		"wrong size": {bzImage(t, sized(zstdOf(t, elf), 1)), "not 1"},
		"no ELF":     {bzImage(t, sized(zstdOf(t, "text"), 4)), "no ELF"},
	} {
		if _, err := uncompressed("amd64", c.image); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want %q", name, err, c.want)
		}
	}
}
