package attach

import (
	"debug/elf"
	"encoding/binary"
	"testing"
)

// program32 is a 64-bit program that calls the kernel by int 0x80: as a 32-bit one does, and some malware.
func program32(t *testing.T, code, data part) string {
	const headers = 64 + 56
	text := assembled(base+headers, code, data)
	return writeProgram(t, elf.Header64{
		Ident: ident(elf.ELFCLASS64), Type: uint16(elf.ET_EXEC), Machine: uint16(elf.EM_X86_64), Version: 1,
		Entry: base + headers, Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: 1,
	}, elf.Prog64{
		Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R | elf.PF_W | elf.PF_X), Vaddr: base, Paddr: base,
		Filesz: uint64(headers + len(text)), Memsz: uint64(headers + len(text)), Align: 0x1000,
	}, text)
}

// execve32 is machine code that calls execve, and exits with errno where that returns.
func execve32(path, arguments, environment uint32) (code []byte) {
	add := func(number uint32, opcode byte) {
		code = binary.LittleEndian.AppendUint32(append(code, opcode), number)
	}
	add(path, 0xbb)                                         // mov ebx, path
	add(arguments, 0xb9)                                    // mov ecx, arguments
	add(environment, 0xba)                                  // mov edx, environment
	add(11, 0xb8)                                           // mov eax, execve
	code = append(code, 0xcd, 0x80, 0xf7, 0xd8, 0x89, 0xc3) // int 0x80; neg eax; mov ebx, eax
	add(1, 0xb8)                                            // mov eax, exit
	return append(code, 0xcd, 0x80)
}
