/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* process.exit. */
#ifndef WEIR_EXIT_H
#define WEIR_EXIT_H

/* The status as wait() gets it: code << 8, signal, and 0x80 where memory was dumped. */
static __always_inline __u32 wait_status(enum reads reads, struct task_struct *task)
{
	struct signal_struct *signal = READ(reads, task, signal);

	if (READ(reads, signal, flags) & SIGNAL_GROUP_EXIT)
		return READ(reads, signal, group_exit_code);
	return READ(reads, task, group_leader, exit_code);
}

enum {
	/* Threads that are on their way out when the last one ends: few, but for a tracer that waits for none. */
	LEAVING_MAX = 64,
	/* How often they are looked at again, since one of them went meanwhile. */
	LOOKS_MAX = 4,
};

/* What threads have used that are not released yet, and so not in the process's sums: the leader that left first,
 * those that leave at the same moment, this one. The list's pointers are computed, and so probed.
 */
static __always_inline void add_leaving(struct exit_sample *s, struct signal_struct *signal)
{
	void *head = __builtin_preserve_access_index(&signal->thread_head);
	struct list_head *node = BPF_CORE_READ(signal, thread_head.next);

	for (int i = 0; i < LEAVING_MAX && node && node != head; i++) {
		struct task_struct *task = (void *)node - bpf_core_field_offset(struct task_struct, thread_node);

		s->user_ns += BPF_CORE_READ(task, utime);
		s->system_ns += BPF_CORE_READ(task, stime);
		s->run_ns += BPF_CORE_READ(task, se.sum_exec_runtime);
		node = BPF_CORE_READ(node, next);
	}
}

static __always_inline void released(enum reads reads, struct exit_sample *s, struct signal_struct *signal)
{
	s->user_ns = READ(reads, signal, utime);
	s->system_ns = READ(reads, signal, stime);
	s->run_ns = READ(reads, signal, sum_sched_runtime);
}

/* A thread that is released while the others are added up would count twice or not at all: then all is done anew. */
static __always_inline void fill_times(enum reads reads, struct exit_sample *s, struct task_struct *task)
{
	struct signal_struct *signal = READ(reads, task, signal);
	int threads = READ(reads, signal, nr_threads);

	released(reads, s, signal);
	if (threads == 1) {
		s->user_ns += READ(reads, task, utime);
		s->system_ns += READ(reads, task, stime);
		s->run_ns += READ(reads, task, se.sum_exec_runtime);
		return;
	}
	for (int i = 0; i < LOOKS_MAX; i++) {
		int before = threads;

		add_leaving(s, signal);
		threads = READ(reads, signal, nr_threads);
		if (threads == before)
			return;
		released(reads, s, signal);
	}
}

static __always_inline int send_exit(enum reads reads, struct program_counters *c, enum program program,
				     struct task_struct *task)
{
	__u32 status = wait_status(reads, task);
	struct exit_sample *s = RESERVE(struct exit_sample, KIND_PROCESS_EXIT, program);

	if (!s)
		return ended(c, KIND_PROCESS_EXIT, OUTCOME_RING_FULL);
	fill_actor(reads, &s->head.actor, task);
	fill_times(reads, s, task);
	s->peak_memory_bytes = READ(reads, task, signal, maxrss) * page_bytes;
	s->exit_code = status >> 8 & 0xff;
	s->signal = status & 0x7f;
	s->core_dumped = (status & 0x80) != 0;
	s->pad = 0;
	return submit(c, KIND_PROCESS_EXIT, s);
}

/* process.exit, from 6.16 on: the kernel says itself whether this thread was the last one. */
SEC("tp_btf/sched_process_exit")
GIVES("process.exit", 1, "")
TAKES("sched_process_exit", 2)
int BPF_PROG(process__sched_process_exit, struct task_struct *task, bool group_dead)
{
	struct program_counters *c = begin(PROGRAM_process__sched_process_exit);

	if (!c)
		return 0;
	if (!group_dead || !gives(PROGRAM_process__sched_process_exit, KIND_PROCESS_EXIT))
		return ignored(c);
	return send_exit(DIRECT, c, PROGRAM_process__sched_process_exit, task);
}

/* Processes of several threads that have ended: of two threads that leave at the same time both may find that
 * none is left. Programs alone use it. The oldest make room, long after their threads are gone.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__uint(map_flags, BPF_F_RDONLY);
	__type(key, struct process_key);
	__type(value, __u8);
} exited SEC(".maps");

/* Reports whether this run is the one that tells the process's end. */
static __always_inline bool is_last(enum reads reads, struct task_struct *task)
{
	struct signal_struct *signal = READ(reads, task, signal);
	struct process_key key;
	__u8 yes = 1;

	if (READ(reads, signal, live.counter) != 0)
		return false;
	if (READ(reads, signal, nr_threads) == 1)
		return true;
	key = key_of(reads, task);
	return bpf_map_update_elem(&exited, &key, &yes, BPF_NOEXIST) == 0;
}

static __always_inline int on_exit(enum reads reads, enum program program, struct task_struct *task)
{
	struct program_counters *c = begin(program);

	if (!c)
		return 0;
	if (!gives(program, KIND_PROCESS_EXIT) || !is_last(reads, task))
		return ignored(c);
	return send_exit(reads, c, program, task);
}

SEC("tp_btf/sched_process_exit")
GIVES("process.exit", 2, "")
TAKES("sched_process_exit", 1)
int BPF_PROG(process__sched_process_exit_live, struct task_struct *task)
{
	return on_exit(DIRECT, PROGRAM_process__sched_process_exit_live, task);
}

SEC("raw_tp/sched_process_exit")
GIVES("process.exit", 3, "")
int BPF_PROG(process__sched_process_exit_raw, struct task_struct *task)
{
	return on_exit(PROBED, PROGRAM_process__sched_process_exit_raw, task);
}

#endif
