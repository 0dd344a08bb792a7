/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* What differs between kernels, each behind one accessor. What a kernel cannot do at all is another rung. */
#ifndef WEIR_COMPAT_H
#define WEIR_COMPAT_H

#define NS_PER_S 1000000000ULL

/* Adds one and returns the sum; unlike ++ it is whole when a program interrupts another one.
 * Before 5.12 there is no atomic instruction that returns a value: Go then puts an addition and a load in
 * place of this function's body (fetch.go), and an interrupt between the two makes a number twice. It is a
 * function of its own, and not inlined, so that Go finds it.
 */
static __attribute__((noinline)) __u64 next_number(__u64 *counter)
{
	return __sync_fetch_and_add(counter, 1) + 1;
}

/* loginuid and sessionid are there with CONFIG_AUDIT only. */
static __always_inline __u32 login_uid(enum reads reads, struct task_struct *task)
{
	return bpf_core_field_exists(task->loginuid) ? READ(reads, task, loginuid.val) : ~0U;
}

static __always_inline __u32 audit_session(enum reads reads, struct task_struct *task)
{
	return bpf_core_field_exists(task->sessionid) ? READ(reads, task, sessionid) : ~0U;
}

/* kernel_cap_t is two words of 32 bits up to 6.2 and one of 64 from 6.3 on: on little endian the same bytes. */
static __always_inline __u64 effective_capabilities(enum reads reads, const struct cred *cred)
{
	const __u64 *at = (const void *)__builtin_preserve_access_index(&cred->cap_effective);
	__u64 effective = 0;

	if (reads == DIRECT)
		return *at;
	bpf_probe_read_kernel(&effective, sizeof(effective), at);
	return effective;
}

/* struct pid's numbers are an array of one up to 6.4, and a flexible one from 6.5 on: the innermost is
 * beyond what CO-RE would let an index reach, and what the verifier would let a load reach.
 */
static __always_inline struct upid *innermost(struct pid *pid, __u32 level)
{
	void *numbers = (void *)pid + bpf_core_field_offset(struct pid, numbers);

	return numbers + level * bpf_core_type_size(struct upid);
}

/* When the inode last changed, in ns since 1970: i_ctime up to 6.5, __i_ctime up to 6.10, then two integers, of
 * which 6.13's second has a flag in its highest bit.
 */
static __always_inline __u64 changed_ns(enum reads reads, struct inode *inode)
{
	struct inode___6_6 *middle = (void *)inode;
	struct inode___old *old = (void *)inode;

	if (bpf_core_field_exists(inode->i_ctime_sec))
		return READ(reads, inode, i_ctime_sec) * NS_PER_S + (READ(reads, inode, i_ctime_nsec) & ~(1U << 31));
	if (bpf_core_field_exists(middle->__i_ctime))
		return READ(reads, middle, __i_ctime.tv_sec) * NS_PER_S + READ(reads, middle, __i_ctime.tv_nsec);
	return READ(reads, old, i_ctime.tv_sec) * NS_PER_S + READ(reads, old, i_ctime.tv_nsec);
}

/* The tasks' group by a controller's number, which differs with the kernel's configuration. */
static __always_inline struct cgroup *cgroup_by(enum reads reads, struct css_set *set, __u32 controller)
{
	struct cgroup_subsys_state *state = 0;
	void *states = (void *)set + bpf_core_field_offset(struct css_set, subsys) + controller * sizeof(void *);

	if (reads == DIRECT)
		state = *(struct cgroup_subsys_state **)states;
	else
		bpf_probe_read_kernel(&state, sizeof(state), states);
	return READ(reads, state, cgroup);
}

/* From 5.11 on tp_btf and fexit programs reach socket storage; raw tracepoints, whose pointers have no type, never.
 * The enumerator came with the same version.
 */
static __always_inline bool has_socket_storage(enum reads reads)
{
	return reads == DIRECT && bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_get_current_task_btf);
}

/* Without CONFIG_MEMCG there is none. */
static __always_inline struct cgroup *memory_cgroup(enum reads reads, struct css_set *set)
{
	if (!bpf_core_enum_value_exists(enum cgroup_subsys_id, memory_cgrp_id))
		return 0;
	return cgroup_by(reads, set, bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id));
}

/* Without CONFIG_CGROUP_PIDS there is none. */
static __always_inline struct cgroup *pids_cgroup(enum reads reads, struct css_set *set)
{
	if (!bpf_core_enum_value_exists(enum cgroup_subsys_id, pids_cgrp_id))
		return 0;
	return cgroup_by(reads, set, bpf_core_enum_value(enum cgroup_subsys_id, pids_cgrp_id));
}

/* Before 5.7, or without CONFIG_MPTCP, no socket is a subflow. */
static __always_inline bool is_subflow(const struct tcp_sock *tcp)
{
	return bpf_core_field_exists(tcp->is_mptcp) && BPF_CORE_READ(tcp, is_mptcp);
}

/* From 5.19 on there is a way from a subflow to its connection, where there is CONFIG_MPTCP. */
static __always_inline bool has_mptcp_helper(void)
{
	return bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_skc_to_mptcp_sock) &&
	       bpf_core_type_exists(struct mptcp_sock);
}

/* The disk that a request is for: the request's up to 5.16, its queue's from 5.15 on. */
static __always_inline __u32 disk_of(struct request *request)
{
	struct request___old *old = (void *)request;
	struct gendisk *disk;

	if (bpf_core_field_exists(request->q->disk))
		disk = BPF_CORE_READ(request, q, disk);
	else
		disk = BPF_CORE_READ(old, rq_disk);
	return BPF_CORE_READ(disk, major) << 20 | BPF_CORE_READ(disk, first_minor);
}

#endif
