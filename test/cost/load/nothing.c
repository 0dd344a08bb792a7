//go:build ignore
// SPDX-License-Identifier: Apache-2.0
/* The program that the exec storm runs: it exits, and has no library to load before that. */
#ifdef __x86_64__
#define EXIT "mov $231, %eax; xor %edi, %edi; syscall" /* exit_group(0) */
#else
#define EXIT "mov x8, #94; mov x0, #0; svc #0"
#endif

__asm__(".globl _start; _start: " EXIT);
