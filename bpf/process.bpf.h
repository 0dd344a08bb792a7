/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* process.fork, and the processes that are older than the hooks. */
#ifndef WEIR_PROCESS_H
#define WEIR_PROCESS_H

/* process.fork. At task_newtask the child is whole, and already in the group that CLONE_INTO_CGROUP names. */
static __always_inline int on_fork(enum reads reads, enum program program, struct task_struct *child, __u64 flags)
{
	struct program_counters *c = begin(program);
	struct fork_sample *s;

	if (!c)
		return 0;
	if ((flags & CLONE_THREAD) || !gives(program, KIND_PROCESS_FORK))
		return ignored(c);
	s = RESERVE(struct fork_sample, KIND_PROCESS_FORK, program);
	if (!s)
		return ended(c, KIND_PROCESS_FORK, OUTCOME_RING_FULL);
	fill_current(reads, &s->head.actor);
	s->child = key_of(reads, child);
	s->flags = flags;
	fill_facts(reads, &s->facts, child);
	return submit(c, KIND_PROCESS_FORK, s);
}

SEC("tp_btf/task_newtask")
GIVES("process.fork", 1, "")
int BPF_PROG(process__task_newtask, struct task_struct *task, unsigned long clone_flags)
{
	return on_fork(DIRECT, PROGRAM_process__task_newtask, task, clone_flags);
}

SEC("raw_tp/task_newtask")
GIVES("process.fork", 2, "")
int BPF_PROG(process__task_newtask_raw, struct task_struct *task, unsigned long clone_flags)
{
	return on_fork(PROBED, PROGRAM_process__task_newtask_raw, task, clone_flags);
}

/* Room for one process of the iterator, which one reader reads. The programs alone use it. */
struct process_scratch {
	__u32 used;
	__u32 steps;
	struct process_sample sample;
	__u8 text[TEXT_SIZE + FILENAME_MAX_SIZE];
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_RDONLY);
	__type(key, __u32);
	__type(value, struct process_scratch);
} process_scratch SEC(".maps");

static __always_inline __u32 fill_process(struct process_scratch *s, struct task_struct *task)
{
	struct file *file = BPF_CORE_READ(task, mm, exe_file);
	__u32 size;

	s->used = 0;
	fill_facts(PROBED, &s->sample.facts, task);
	fill_file(PROBED, &s->sample.file, BPF_CORE_READ(file, f_inode));
	s->sample.executable_end = append_path(PROBED, s->text, &s->used, &s->steps, BPF_CORE_READ(file, f_path.mnt),
					       BPF_CORE_READ(file, f_path.dentry));
	s->sample.executable_size = s->used;
	size = (sizeof(s->sample) + (s->used & (TEXT_SIZE - 1)) + 7) & ~7U;
	s->sample.head = (struct head){
		.size = size,
		.program = PROGRAM_process__iter_task,
		.time_ns = bpf_ktime_get_boot_ns(),
		.cpu = bpf_get_smp_processor_id(),
	};
	fill_actor(PROBED, &s->sample.head.actor, task);
	return size;
}

/* Processes that are older than the hooks. No event, and not in the ledger: Go reads them from the iterator. */
SEC("iter/task")
int process__iter_task(struct bpf_iter__task *ctx)
{
	struct seq_file *seq =
		ctx->meta->seq; /* no probe read: bpf_seq_write wants a pointer that the verifier trusts */
	struct task_struct *task = ctx->task;
	struct process_scratch *s;
	__u32 zero = 0;

	if (!task || BPF_CORE_READ(task, group_leader) != task)
		return 0;
	s = bpf_map_lookup_elem(&process_scratch, &zero);
	if (!s)
		return 0;
	bpf_seq_write(seq, &s->sample, fill_process(s, task));
	return 0;
}

#endif
