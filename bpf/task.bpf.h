/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* What a task is: its key, its actor, its facts. */
#ifndef WEIR_TASK_H
#define WEIR_TASK_H

static __always_inline struct task_struct *current_task(void)
{
	return (struct task_struct *)bpf_get_current_task();
}

/* Key of the process that the task belongs to: all of it is the leader's. */
static __always_inline struct process_key key_of(enum reads reads, struct task_struct *task)
{
	struct task_struct *leader = READ(reads, task, group_leader);

	return (struct process_key){
		.start_ns = READ(reads, leader, start_boottime),
		.tgid = READ(reads, leader, tgid),
		.exec_count = READ(reads, leader, self_exec_id),
	};
}

static __always_inline void fill_actor(enum reads reads, struct actor *a, struct task_struct *task)
{
	const struct cred *cred = READ(reads, task, cred);

	a->key = key_of(reads, task);
	a->effective = effective_capabilities(reads, cred);
	a->cgroups = cgroups_of(reads, task);
	a->tid = READ(reads, task, pid);
	a->uid = READ(reads, cred, uid.val);
	a->gid = READ(reads, cred, gid.val);
	a->euid = READ(reads, cred, euid.val);
	a->egid = READ(reads, cred, egid.val);
	a->network_namespace = READ(reads, task, nsproxy, net_ns, ns.inum);
}

/* No field of an unknown actor looks like root's. */
static __always_inline void fill_nobody(struct actor *a)
{
	__builtin_memset(a, 0, sizeof(*a));
	a->uid = a->gid = a->euid = a->egid = ~0U;
}

/* The actor is current. Programs of every type have its typed pointer from 5.15 on, as they have bpf_task_pt_regs. */
static __always_inline void fill_current(enum reads reads, struct actor *a)
{
	if (reads == DIRECT && bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs))
		fill_actor(DIRECT, a, bpf_get_current_task_btf());
	else
		fill_actor(PROBED, a, current_task());
}

static __always_inline struct process_key current_key(enum reads reads)
{
	if (reads == DIRECT && bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs))
		return key_of(DIRECT, bpf_get_current_task_btf());
	return key_of(PROBED, current_task());
}

static __always_inline bool is_kernel_thread(enum reads reads)
{
	if (reads == DIRECT && bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs))
		return bpf_get_current_task_btf()->flags & PF_KTHREAD;
	return BPF_CORE_READ(current_task(), flags) & PF_KTHREAD;
}

static __always_inline __u32 tty_of(enum reads reads, struct signal_struct *signal)
{
	struct tty_struct *tty = READ(reads, signal, tty);
	struct tty_driver *driver;

	if (!tty)
		return 0;
	driver = READ(reads, tty, driver);
	return READ(reads, driver, major) << 20 | (READ(reads, driver, minor_start) + READ(reads, tty, index));
}

static __always_inline void fill_pid_namespace(enum reads reads, struct process_facts *f, struct pid *pid)
{
	__u32 level = READ(reads, pid, level);
	struct upid *own = innermost(pid, level);

	if (level == 0) {
		f->namespace_tgid = READ(reads, pid, numbers[0].nr);
		f->pid_namespace = READ(reads, pid, numbers[0].ns, ns.inum);
		return;
	}
	f->namespace_tgid = BPF_CORE_READ(own, nr);
	f->pid_namespace = BPF_CORE_READ(own, ns, ns.inum);
}

static __always_inline void fill_root(enum reads reads, struct process_facts *f, struct fs_struct *fs)
{
	struct inode *root = READ(reads, fs, root.dentry, d_inode);

	f->root_inode = READ(reads, root, i_ino);
	f->root_device = READ(reads, root, i_sb, s_dev);
}

static __always_inline void fill_facts(enum reads reads, struct process_facts *f, struct task_struct *task)
{
	struct task_struct *leader = READ(reads, task, group_leader);
	struct signal_struct *signal = READ(reads, task, signal);

	__builtin_memset(f, 0, sizeof(*f));
	f->parent = key_of(reads, READ(reads, task, real_parent));
	fill_pid_namespace(reads, f, READ(reads, task, thread_pid));
	f->mount_namespace = READ(reads, task, nsproxy, mnt_ns, ns.inum);
	f->network_namespace = READ(reads, task, nsproxy, net_ns, ns.inum);
	f->user_namespace = READ(reads, task, cred, user_ns, ns.inum);
	f->login_uid = login_uid(reads, task);
	f->audit_session = audit_session(reads, task);
	f->tty = tty_of(reads, signal);
	f->session = READ(reads, signal, pids[PIDTYPE_SID], numbers[0].nr);
	fill_root(reads, f, READ(reads, task, fs));
	BPF_CORE_READ_STR_INTO(&f->comm, leader, comm);
}

/* Of no inode, all zero. */
static __always_inline void fill_file(enum reads reads, struct file_facts *f, struct inode *inode)
{
	struct super_block *sb = READ(reads, inode, i_sb);

	f->inode = READ(reads, inode, i_ino);
	f->size_bytes = READ(reads, inode, i_size);
	f->changed_ns = changed_ns(reads, inode);
	f->device = READ(reads, sb, s_dev);
	f->filesystem = READ(reads, sb, s_magic);
	f->mode = READ(reads, inode, i_mode);
	f->user_mounted = READ(reads, sb, s_user_ns, level) > 0;
}

/* The file that the task runs, and where. It has none while it leaves, nor has a thread of the kernel. Of a layout
 * without v1 both ids are the same: here they only tell groups apart.
 */
static __always_inline void fill_program(enum reads reads, struct program_key *key, struct task_struct *task,
					 const struct cred *cred)
{
	struct css_set *set = READ(reads, task, cgroups);
	struct inode *inode = READ(reads, task, mm, exe_file, f_inode);

	key->cgroups.v2 = READ(reads, set, dfl_cgrp, kn, id);
	key->cgroups.v1 = READ(reads, memory_cgroup(reads, set), kn, id);
	key->uid = READ(reads, cred, uid.val);
	key->euid = READ(reads, cred, euid.val);
	if (!inode)
		return;
	key->inode = READ(reads, inode, i_ino);
	key->device = READ(reads, inode, i_sb, s_dev);
}

#endif
