/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* process.exec. */
#ifndef WEIR_EXEC_H
#define WEIR_EXEC_H

/* Room to build an exec sample in, so that the ring gets what is used of it alone. */
struct exec_scratch {
	__u64 owners; /* one: taken */
	__u32 used;   /* of text; in map memory, as in a register the verifier did not finish the path's loop */
	__u32 steps;  /* of the path that is walked */
	union {
		struct exec_sample sample;
		struct {
			__u8 before[sizeof(struct exec_sample) - sizeof(struct exec_failed_sample)];
			struct exec_failed_sample failed;
		};
	};
	__u8 text[TEXT_SIZE +
		  FILENAME_MAX_SIZE]; /* right behind the sample; what begins in TEXT_SIZE may end behind it */
};

_Static_assert(__builtin_offsetof(struct exec_scratch, text) ==
			       __builtin_offsetof(struct exec_scratch, sample) + sizeof(struct exec_sample) &&
		       __builtin_offsetof(struct exec_scratch, text) ==
			       __builtin_offsetof(struct exec_scratch, failed) + sizeof(struct exec_failed_sample),
	       "the text has to follow the sample");

enum {
	EXEC_SLOTS = 4,
};

/* Several a CPU: from 7.0 on a program can be preempted, and another task's exec runs on the same CPU meanwhile.
 * Programs alone use it. None free: table_full.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, EXEC_SLOTS);
	__uint(map_flags, BPF_F_RDONLY);
	__type(key, __u32);
	__type(value, struct exec_scratch);
} exec_scratch SEC(".maps");

static __always_inline struct exec_scratch *take_scratch(void)
{
	for (__u32 i = 0; i < EXEC_SLOTS; i++) {
		__u32 key = i;
		struct exec_scratch *s = bpf_map_lookup_elem(&exec_scratch, &key);

		if (s && take(&s->owners))
			return s;
	}
	return 0;
}

/* Reads exactly what the arguments occupy: a read beyond the stack's end fails whole. */
static __always_inline void append_arguments(enum reads reads, struct exec_scratch *s, struct mm_struct *mm)
{
	unsigned long start = READ(reads, mm, arg_start);
	__u64 size = READ(reads, mm, arg_end) - start;

	s->sample.arguments_bytes = size;
	s->sample.arguments_size = 0;
	if (size > ARGUMENTS_MAX)
		size = ARGUMENTS_MAX;
	asm volatile("" : "+r"(size)); /* keeps the bound that the verifier has to see */
	if (size > ARGUMENTS_MAX || bpf_probe_read_user(s->text, size, (void *)start))
		return;
	s->sample.arguments_size = size;
	s->used = size;
}

/* The environment lies behind the arguments, and is copied behind them. */
static __always_inline void append_environment(enum reads reads, struct exec_scratch *s, struct mm_struct *mm)
{
	unsigned long start;
	__u64 size;

	s->sample.environment_bytes = 0;
	s->sample.environment_size = 0;
	if (!wants_environment)
		return;
	start = READ(reads, mm, env_start);
	size = READ(reads, mm, env_end) - start;
	s->sample.environment_bytes = size;
	if (size > ENVIRONMENT_MAX)
		size = ENVIRONMENT_MAX;
	asm volatile("" : "+r"(size)); /* as above */
	if (size > ENVIRONMENT_MAX ||
	    bpf_probe_read_user(s->text + (s->used & (2 * ARGUMENTS_MAX - 1)), size, (void *)start))
		return;
	s->sample.environment_size = size;
	s->used += size;
}

static __always_inline bool is_memfd(const __u8 *name, enum path_end end)
{
	return end == PATH_DETACHED && name[0] == 'm' && name[1] == 'e' && name[2] == 'm' && name[3] == 'f' &&
	       name[4] == 'd' && name[5] == ':';
}

static __always_inline void append_executable(enum reads reads, struct exec_scratch *s, struct file *file)
{
	struct inode *inode = READ(reads, file, f_inode);
	__u32 start = s->used;

	fill_file(reads, &s->sample.file, inode);
	s->sample.deleted = READ(reads, inode, i_nlink) == 0;
	s->sample.executable_end = append_path(reads, s->text, &s->used, &s->steps, READ(reads, file, f_path.mnt),
					       READ(reads, file, f_path.dentry));
	s->sample.executable_size = s->used - start;
	s->sample.memfd = is_memfd(s->text + (start & (TEXT_SIZE - 1)), s->sample.executable_end);
}

static __always_inline void append_directory(enum reads reads, struct exec_scratch *s, struct fs_struct *fs)
{
	__u32 start = s->used;

	s->sample.working_directory_end = append_path(reads, s->text, &s->used, &s->steps, READ(reads, fs, pwd.mnt),
						      READ(reads, fs, pwd.dentry));
	s->sample.working_directory_size = s->used - start;
}

/* Where the file is run as it is, interp is the same pointer as filename (alloc_bprm), and has nothing to tell. */
static __always_inline __u32 append_interpreter(enum reads reads, struct exec_scratch *s, struct linux_binprm *bprm)
{
	const char *interpreter = READ(reads, bprm, interp);

	if (interpreter == READ(reads, bprm, filename))
		return 0;
	return append_string(s->text, &s->used, INTERPRETER_MAX_SIZE, interpreter);
}

static __always_inline void fill_exec(enum reads reads, struct exec_scratch *s, struct task_struct *task,
				      struct linux_binprm *bprm)
{
	struct mm_struct *mm = READ(reads, task, mm);

	s->used = 0;
	append_arguments(reads, s, mm);
	append_environment(reads, s, mm);
	s->sample.argument_count = READ(reads, bprm, argc);
	s->sample.secure = BPF_CORE_READ_BITFIELD_PROBED(bprm, secureexec);
	s->sample.filename_size = append_string(s->text, &s->used, FILENAME_MAX_SIZE, READ(reads, bprm, filename));
	s->sample.interpreter_size = append_interpreter(reads, s, bprm);
	append_executable(reads, s, READ(reads, mm, exe_file));
	append_directory(reads, s, READ(reads, task, fs));
	fill_facts(reads, &s->sample.facts, task);
}

static __always_inline enum outcome send_exec(enum reads reads, enum program program, struct exec_scratch *s,
					      struct task_struct *task)
{
	__u32 size = sizeof(s->sample) + (s->used & (TEXT_SIZE - 1));

	s->sample.head = head_of(KIND_PROCESS_EXEC, program, size);
	fill_actor(reads, &s->sample.head.actor, task);
	if (!has_room(KIND_PROCESS_EXEC, size))
		return OUTCOME_RING_FULL;
	return bpf_ringbuf_output(&ring, &s->sample, size, wakeup()) ? OUTCOME_RING_FULL : OUTCOME_SENT;
}

/* process.exec. This runs in the new image, so mm->arg_start holds what the program sees, not what execve was
 * given; credentials, comm and the exec count are the new ones.
 */
static __always_inline int on_exec(enum reads reads, enum program program, struct task_struct *task,
				   struct linux_binprm *bprm)
{
	struct program_counters *c = begin(program);
	struct exec_scratch *s;
	enum outcome outcome;

	if (!c)
		return 0;
	if (!gives(program, KIND_PROCESS_EXEC))
		return ignored(c);
	if (is_crowded(KIND_PROCESS_EXEC)) {
		next_sequence();
		return ended(c, KIND_PROCESS_EXEC, OUTCOME_RING_FULL);
	}
	s = take_scratch();
	if (!s)
		return ended(c, KIND_PROCESS_EXEC, OUTCOME_TABLE_FULL);
	fill_exec(reads, s, task, bprm);
	outcome = send_exec(reads, program, s, task);
	give_back(&s->owners);
	return ended(c, KIND_PROCESS_EXEC, outcome);
}

SEC("tp_btf/sched_process_exec")
GIVES("process.exec", 1, "")
TAKES("sched_process_exec", 3)
int BPF_PROG(process__sched_process_exec, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
	return on_exec(DIRECT, PROGRAM_process__sched_process_exec, task, bprm);
}

SEC("raw_tp/sched_process_exec")
GIVES("process.exec", 2, "")
int BPF_PROG(process__sched_process_exec_raw, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
	return on_exec(PROBED, PROGRAM_process__sched_process_exec_raw, task, bprm);
}

#endif
