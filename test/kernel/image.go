package kernel

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// uncompressed returns what starts fastest of a vmlinuz: on amd64 the ELF file within it, since QEMU without KVM
// takes seconds to unpack it; arm64's is not compressed.
func uncompressed(arch string, vmlinuz []byte) ([]byte, error) {
	if arch == "arm64" {
		return vmlinuz, nil
	}
	packed, err := payload(vmlinuz)
	if err != nil {
		return nil, err
	}
	elf, err := unpack(packed)
	if err != nil {
		return nil, err
	}
	if !bytes.HasPrefix(elf, []byte("\x7fELF")) {
		return nil, errors.New("what it holds is no ELF file")
	}
	return elf, nil
}

// The setup header of a bzImage: Documentation/arch/x86/boot.rst.
const (
	bootSectors       = 0x1f1 // one byte: 512-byte sectors of real-mode code behind the first
	bootMagic         = 0x202 // "HdrS"
	bootPayloadOffset = 0x248 // from the end of the real-mode code
	bootPayloadLength = 0x24c
	bootHeaderEnd     = 0x250
)

// payload returns the compressed kernel within a bzImage.
func payload(image []byte) ([]byte, error) {
	if len(image) < bootHeaderEnd || string(image[bootMagic:][:4]) != "HdrS" {
		return nil, errors.New("is no bzImage")
	}
	code := (uint64(image[bootSectors]) + 1) * 512
	from := code + uint64(binary.LittleEndian.Uint32(image[bootPayloadOffset:]))
	to := from + uint64(binary.LittleEndian.Uint32(image[bootPayloadLength:]))
	if to > uint64(len(image)) {
		return nil, fmt.Errorf("its kernel ends at byte %d of %d", to, len(image))
	}
	return image[from:to], nil
}

// unpack undoes what Debian's kernels are compressed with. The last four bytes are the kernel's size.
func unpack(packed []byte) ([]byte, error) {
	if len(packed) < 8 {
		return nil, errors.New("its kernel is cut off")
	}
	size := int(binary.LittleEndian.Uint32(packed[len(packed)-4:]))
	stream, err := decompressor(packed[:len(packed)-4])
	if err != nil {
		return nil, err
	}
	plain, err := io.ReadAll(stream)
	if err != nil {
		return nil, err
	}
	if len(plain) != size {
		return nil, fmt.Errorf("its kernel has %d bytes, not %d", len(plain), size)
	}
	return plain, nil
}

func decompressor(packed []byte) (io.Reader, error) {
	r := bytes.NewReader(packed)
	switch binary.LittleEndian.Uint32(packed) {
	case 0x184c2102: // the legacy frame of lz4: 5.10, 6.1
		return lz4.NewReader(r), nil
	case 0xfd2fb528: // zstd: 6.12 and newer
		return zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(1<<30))
	}
	return nil, fmt.Errorf("its kernel is compressed by something that begins with % x", packed[:4])
}
