/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* process.exec_failed. The function of the system call itself has every errno and the caller's registers, and only those
 * who call exec pay for it: docs/decisions/0018-failed-execs.md.
 */
#ifndef WEIR_EXEC_FAILED_H
#define WEIR_EXEC_FAILED_H

enum {
	FAILED_ARGUMENTS = 64, /* pointers to arguments that are followed at most */
	AT_FDCWD = -100,
	ERRORS_OF_USERS = 512, /* from here on errno means: the call is made anew, or its caller is killed */
	SIGKILL_BIT = 1 << 8,
	SIGSEGV_BIT = 1 << 10,
};

/* What exec was called with. */
struct attempt {
	const void *filename;
	const void *arguments; /* array of pointers, ended by NULL */
	__u32 pointer_bytes;
	__s32 directory;
};

/* An exec that fails beyond the point of no return has taken the caller's memory away: what its registers point at is
 * not what it was. The kernel has a deadly signal wait for such a caller (bprm_execve), and unblocks it; one that
 * the caller blocks it may have sent to itself.
 */
static __always_inline bool has_memory(struct task_struct *task)
{
	unsigned long pending = BPF_CORE_READ(task, pending.signal.sig[0]) & ~BPF_CORE_READ(task, blocked.sig[0]);

	return !(pending & (SIGKILL_BIT | SIGSEGV_BIT));
}

/* Returns the pointer to an argument; NULL at the end, and where there is no memory. */
static __always_inline const void *argument_at(const struct attempt *a, __u32 index)
{
	__u64 argument = 0;

	bpf_probe_read_user(&argument, a->pointer_bytes == 4 ? 4 : 8, a->arguments + index * a->pointer_bytes);
	return (const void *)argument;
}

/* Up to 6.13 an empty string is read as 0 bytes, not as its NUL byte. */
static __always_inline __u32 append_nul(struct exec_scratch *s)
{
	s->text[s->used & (ARGUMENTS_MAX - 1)] = 0;
	return 1;
}

/* Appends the arguments as the kernel would lay them out: each ended by a NUL byte. */
static __always_inline void append_callers_arguments(struct exec_scratch *s, const struct attempt *a)
{
	for (__u32 i = 0; i <= FAILED_ARGUMENTS; i++) {
		const void *argument = argument_at(a, i);
		long n;

		if (!argument && s->used <= ARGUMENTS_MAX)
			return;
		if (i == FAILED_ARGUMENTS || s->used >= ARGUMENTS_MAX)
			break;
		n = bpf_probe_read_user_str(s->text + (s->used & (ARGUMENTS_MAX - 1)), ARGUMENTS_MAX, argument);
		if (n < 0)
			break;
		s->used += n ?: append_nul(s);
		s->failed.argument_count = i + 1;
		if (n == ARGUMENTS_MAX)
			break;
	}
	s->failed.arguments_cut = true;
	if (s->used > ARGUMENTS_MAX)
		s->used = ARGUMENTS_MAX;
}

static __always_inline __u32 append_callers_string(struct exec_scratch *s, const void *from)
{
	__u32 at = s->used;
	long n;

	asm volatile("" : "+r"(at)); /* keeps the mask, whose bound the verifier has to see */
	n = bpf_probe_read_user_str(s->text + (at & (TEXT_SIZE - 1)), FILENAME_MAX_SIZE, from);
	if (n <= 0)
		return 0;
	s->used += n;
	return n;
}

static __always_inline void fill_failed(struct exec_scratch *s, const struct attempt *a, __u32 error)
{
	struct task_struct *task = current_task();
	__u32 start;

	s->used = 0;
	s->failed.error = error;
	s->failed.directory = a->directory;
	s->failed.argument_count = 0;
	s->failed.arguments_cut = false;
	s->failed.filename_size = 0;
	if (has_memory(task)) {
		append_callers_arguments(s, a);
		s->failed.arguments_size = s->used;
		s->failed.filename_size = append_callers_string(s, a->filename);
	} else {
		s->failed.arguments_size = 0;
		s->failed.arguments_cut = true;
	}
	start = s->used;
	s->failed.working_directory_end = append_path(PROBED, s->text, &s->used, &s->steps,
						      BPF_CORE_READ(task, fs, pwd.mnt),
						      BPF_CORE_READ(task, fs, pwd.dentry));
	s->failed.working_directory_size = s->used - start;
}

static __always_inline enum outcome send_failed(enum program program, struct exec_scratch *s)
{
	__u32 size = sizeof(s->failed) + (s->used & (TEXT_SIZE - 1));

	s->failed.head = head_of(KIND_PROCESS_EXEC_FAILED, program, size);
	fill_actor(PROBED, &s->failed.head.actor, current_task());
	if (!has_room(KIND_PROCESS_EXEC_FAILED, size))
		return OUTCOME_RING_FULL;
	return bpf_ringbuf_output(&ring, &s->failed, size, wakeup()) ? OUTCOME_RING_FULL : OUTCOME_SENT;
}

static __always_inline int on_exec_failed(enum program program, const struct attempt *a, long result)
{
	struct program_counters *c = begin(program);
	struct exec_scratch *s;
	enum outcome outcome;

	if (!c)
		return 0;
	if (result >= 0 || result <= -ERRORS_OF_USERS || !gives(program, KIND_PROCESS_EXEC_FAILED))
		return ignored(c);
	if (is_crowded(KIND_PROCESS_EXEC_FAILED)) {
		next_sequence();
		return ended(c, KIND_PROCESS_EXEC_FAILED, OUTCOME_RING_FULL);
	}
	s = take_scratch();
	if (!s)
		return ended(c, KIND_PROCESS_EXEC_FAILED, OUTCOME_TABLE_FULL);
	fill_failed(s, a, -result);
	outcome = send_failed(program, s);
	give_back(&s->owners);
	return ended(c, KIND_PROCESS_EXEC_FAILED, outcome);
}

/* The function of a system call, and the registers that hold its first three arguments; those of 32-bit calls. */
#ifdef __TARGET_ARCH_arm64
#define NATIVE           "__arm64_sys_"
#define COMPAT           "__arm64_compat_sys_"
#define NATIVE_REGISTERS orig_x0, regs[1], regs[2]
#define COMPAT_REGISTERS orig_x0, regs[1], regs[2]
#else
#define NATIVE           "__x64_sys_"
#define COMPAT           "__ia32_compat_sys_"
#define NATIVE_REGISTERS di, si, dx
#define COMPAT_REGISTERS bx, cx, dx
#endif

#define EXECVE(from, address, ...)   EXECVE_(from, address, __VA_ARGS__)
#define EXECVEAT(from, address, ...) EXECVEAT_(from, address, __VA_ARGS__)

#define EXECVE_(from, address, first, second, third)                                                                 \
	((struct attempt){                                                                                           \
		.filename = (const void *)(unsigned long)(address)BPF_CORE_READ(from, first),                        \
		.arguments = (const void *)(unsigned long)(address)BPF_CORE_READ(from, second),                      \
		.pointer_bytes = sizeof(address),                                                                    \
		.directory = AT_FDCWD,                                                                               \
	})

#define EXECVEAT_(from, address, first, second, third)                                                               \
	((struct attempt){                                                                                           \
		.filename = (const void *)(unsigned long)(address)BPF_CORE_READ(from, second),                       \
		.arguments = (const void *)(unsigned long)(address)BPF_CORE_READ(from, third),                       \
		.pointer_bytes = sizeof(address),                                                                    \
		.directory = BPF_CORE_READ(from, first),                                                             \
	})

/* The registers with which the task entered the kernel. The function has them as its argument, but 5.10's types do not
 * say there what pt_regs is, and the verifier then refuses to touch it. Before 5.15 there is no helper either, and they
 * lie at the very end of the task's stack, of 16 KiB or a page.
 */
static __always_inline struct pt_regs *entry_registers(void)
{
	__u64 stack_bytes = page_bytes > 16384 ? page_bytes : 16384;

	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs))
		return (struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());
	return BPF_CORE_READ(current_task(), stack) + stack_bytes - bpf_core_type_size(struct pt_regs);
}

SEC("fexit/" NATIVE "execve")
GIVES("process.exec_failed", 1, "")
MISSES("process.exec_failed", 1, "programs that the kernel starts")
GIVES("process.exec_failed", 2, "")
MISSES("process.exec_failed", 2, "programs that the kernel starts")
MISSES("process.exec_failed", 2, "32-bit callers")
TAKES(NATIVE "execve", 1)
int BPF_PROG(process__sys_execve, const struct pt_regs *regs, long result)
{
	struct attempt a = EXECVE(entry_registers(), __u64, NATIVE_REGISTERS);

	return on_exec_failed(PROGRAM_process__sys_execve, &a, result);
}

SEC("fexit/" NATIVE "execveat")
GIVES("process.exec_failed", 1, "")
GIVES("process.exec_failed", 2, "")
TAKES(NATIVE "execveat", 1)
int BPF_PROG(process__sys_execveat, const struct pt_regs *regs, long result)
{
	struct attempt a = EXECVEAT(entry_registers(), __u64, NATIVE_REGISTERS);

	return on_exec_failed(PROGRAM_process__sys_execveat, &a, result);
}

SEC("fexit/" COMPAT "execve")
GIVES("process.exec_failed", 1, "")
TAKES(COMPAT "execve", 1)
int BPF_PROG(process__compat_sys_execve, const struct pt_regs *regs, long result)
{
	struct attempt a = EXECVE(entry_registers(), __u32, COMPAT_REGISTERS);

	return on_exec_failed(PROGRAM_process__compat_sys_execve, &a, result);
}

SEC("fexit/" COMPAT "execveat")
GIVES("process.exec_failed", 1, "")
TAKES(COMPAT "execveat", 1)
int BPF_PROG(process__compat_sys_execveat, const struct pt_regs *regs, long result)
{
	struct attempt a = EXECVEAT(entry_registers(), __u32, COMPAT_REGISTERS);

	return on_exec_failed(PROGRAM_process__compat_sys_execveat, &a, result);
}

/* include/trace/events/syscalls.h, as programs get it */
struct syscall_exit {
	__u64 common;
	__u64 number;
	__s64 result;
};

#define SYSCALL_PRICE                                                                                                \
	"every system call of every process takes the kernel's slow path (getppid: 1.3 times as long), whatever it " \
	"is"

SEC("tracepoint/syscalls/sys_exit_execve")
GIVES("process.exec_failed", 3, "")
MISSES("process.exec_failed", 3, "programs that the kernel starts")
MISSES("process.exec_failed", 3, "32-bit callers")
COSTS(SYSCALL_PRICE)
int process__sys_exit_execve(struct syscall_exit *ctx)
{
	struct attempt a = EXECVE(entry_registers(), __u64, NATIVE_REGISTERS);

	return on_exec_failed(PROGRAM_process__sys_exit_execve, &a, ctx->result);
}

SEC("tracepoint/syscalls/sys_exit_execveat")
GIVES("process.exec_failed", 3, "")
COSTS(SYSCALL_PRICE)
int process__sys_exit_execveat(struct syscall_exit *ctx)
{
	struct attempt a = EXECVEAT(entry_registers(), __u64, NATIVE_REGISTERS);

	return on_exec_failed(PROGRAM_process__sys_exit_execveat, &a, ctx->result);
}

#endif
