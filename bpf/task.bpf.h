/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* What a task is: its key, its actor, its facts. All reads are probe reads, as raw tracepoints, cgroup programs
 * and 5.10 (which has no bpf_get_current_task_btf) get plain pointers.
 */
#ifndef WEIR_TASK_H
#define WEIR_TASK_H

static __always_inline struct task_struct *current_task(void)
{
	return (struct task_struct *)bpf_get_current_task();
}

/* Key of the process that the task belongs to: all of it is the leader's. */
static __always_inline struct process_key key_of(struct task_struct *task)
{
	struct task_struct *leader = BPF_CORE_READ(task, group_leader);

	return (struct process_key){
		.start_ns = BPF_CORE_READ(leader, start_boottime),
		.tgid = BPF_CORE_READ(leader, tgid),
		.exec_count = BPF_CORE_READ(leader, self_exec_id),
	};
}

/* The group that says where the task is placed: v2's, unless v2 only has it in the root and v1 places it. */
static __always_inline struct cgroup *cgroup_of(struct task_struct *task)
{
	struct css_set *set = BPF_CORE_READ(task, cgroups);
	struct cgroup *unified = BPF_CORE_READ(set, dfl_cgrp), *memory;

	if (BPF_CORE_READ(unified, level) > 0)
		return unified;
	memory = memory_cgroup(set);
	return memory && BPF_CORE_READ(memory, level) > 0 ? memory : unified;
}

static __always_inline void fill_actor(struct actor *a, struct task_struct *task)
{
	const struct cred *cred = BPF_CORE_READ(task, cred);
	struct cgroup *cgroup = cgroup_of(task);

	a->key = key_of(task);
	a->effective = effective_capabilities(cred);
	a->cgroup = BPF_CORE_READ(cgroup, kn, id);
	a->tid = BPF_CORE_READ(task, pid);
	a->uid = BPF_CORE_READ(cred, uid.val);
	a->gid = BPF_CORE_READ(cred, gid.val);
	a->euid = BPF_CORE_READ(cred, euid.val);
	a->egid = BPF_CORE_READ(cred, egid.val);
	a->pad = 0;
}

static __always_inline __u32 tty_of(struct signal_struct *signal)
{
	struct tty_struct *tty = BPF_CORE_READ(signal, tty);
	struct tty_driver *driver;

	if (!tty)
		return 0;
	driver = BPF_CORE_READ(tty, driver);
	return BPF_CORE_READ(driver, major) << 8 | (BPF_CORE_READ(driver, minor_start) + BPF_CORE_READ(tty, index));
}

static __always_inline void fill_facts(struct process_facts *f, struct task_struct *task)
{
	struct task_struct *leader = BPF_CORE_READ(task, group_leader);
	struct upid *own = innermost(BPF_CORE_READ(task, thread_pid));
	struct signal_struct *signal = BPF_CORE_READ(task, signal);
	struct cgroup *cgroup = cgroup_of(task);
	struct upid *session;

	__builtin_memset(f, 0, sizeof(*f));
	f->parent = key_of(BPF_CORE_READ(task, real_parent));
	f->cgroup = BPF_CORE_READ(cgroup, kn, id);
	if (BPF_CORE_READ(cgroup, level) > 0)
		bpf_probe_read_kernel_str(f->cgroup_name, sizeof(f->cgroup_name), BPF_CORE_READ(cgroup, kn, name));
	f->namespace_tgid = BPF_CORE_READ(own, nr);
	f->pid_namespace = BPF_CORE_READ(own, ns, ns.inum);
	f->mount_namespace = BPF_CORE_READ(task, nsproxy, mnt_ns, ns.inum);
	f->network_namespace = BPF_CORE_READ(task, nsproxy, net_ns, ns.inum);
	f->user_namespace = BPF_CORE_READ(task, cred, user_ns, ns.inum);
	f->login_uid = login_uid(task);
	f->audit_session = audit_session(task);
	f->tty = tty_of(signal);
	session = outermost(BPF_CORE_READ(signal, pids[PIDTYPE_SID]));
	f->session = BPF_CORE_READ(session, nr);
	BPF_CORE_READ_STR_INTO(&f->comm, leader, comm);
}

#endif
