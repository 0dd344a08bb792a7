package attach

import (
	"debug/elf"
	"encoding/binary"
	"testing"
)

// program32 is a program of 32-bit ARM.
func program32(t *testing.T, code, data part) string {
	const headers = 52 + 32
	text := assembled(base+headers, code, data)
	return writeProgram(t, elf.Header32{
		Ident: ident(elf.ELFCLASS32), Type: uint16(elf.ET_EXEC), Machine: uint16(elf.EM_ARM), Version: 1,
		Entry: base + headers, Phoff: 52, Flags: 0x05000000, Ehsize: 52, Phentsize: 32, Phnum: 1, // EABI 5
	}, elf.Prog32{
		Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R | elf.PF_W | elf.PF_X), Vaddr: base, Paddr: base,
		Filesz: uint32(headers + len(text)), Memsz: uint32(headers + len(text)), Align: 0x1000,
	}, text)
}

// execve32 is machine code that calls execve, and exits with errno where that returns.
func execve32(path, arguments, environment uint32) (code []byte) {
	add := func(instruction uint32) { code = binary.LittleEndian.AppendUint32(code, instruction) }
	load := func(register, number uint32) { // movw and movt
		add(0xe3000000 | number>>12&0xf<<16 | register<<12 | number&0xfff)
		add(0xe3400000 | number>>28<<16 | register<<12 | number>>16&0xfff)
	}
	load(0, path)
	load(1, arguments)
	load(2, environment)
	load(7, 11)     // execve
	add(0xef000000) // svc 0
	add(0xe2600000) // rsb r0, r0, 0
	load(7, 1)      // exit
	add(0xef000000)
	return code
}
