/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* Connections that are older than the hooks: whose they are, by the descriptors that processes hold. */
#ifndef WEIR_SEED_H
#define WEIR_SEED_H

enum {
	S_IFMT = 0170000,
	S_IFSOCK = 0140000,
	SOCKFS_MAGIC = 0x534f434b,
};

/* The TCP socket that a file is; NULL for other files. A path of a unix socket may be open as well. */
static __always_inline const struct sock *tcp_of(const struct file *file)
{
	const struct inode *inode = BPF_CORE_READ(file, f_inode);
	const struct socket *socket;
	const struct sock *sk;
	__u16 protocol;

	if ((BPF_CORE_READ(inode, i_mode) & S_IFMT) != S_IFSOCK ||
	    BPF_CORE_READ(inode, i_sb, s_magic) != SOCKFS_MAGIC)
		return 0;
	socket = BPF_CORE_READ(file, private_data);
	sk = BPF_CORE_READ(socket, sk);
	protocol = BPF_CORE_READ(sk, sk_protocol);
	if (protocol == PROTOCOL_MPTCP)
		sk = first_subflow(sk);
	return protocol == PROTOCOL_TCP || protocol == PROTOCOL_MPTCP ? sk : 0;
}

static __always_inline bool is_connected(const struct sock *sk)
{
	switch (BPF_CORE_READ(sk, __sk_common.skc_state)) {
	case BPF_TCP_ESTABLISHED:
	case BPF_TCP_FIN_WAIT1:
	case BPF_TCP_FIN_WAIT2:
	case BPF_TCP_CLOSE_WAIT:
		return true;
	}
	return false;
}

/* A process that holds a socket need not be who opened or accepted it: only that one is remembered, as it is told by
 * the file's credentials. No event, and not in the ledger. What the hooks know already is better.
 */
SEC("iter/task_file")
int network__iter_task_file(struct bpf_iter__task_file *ctx)
{
	struct socket_entry found = {.stage = STAGE_OPEN, .accepted = 1, .accept_told = 1};
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	const struct sock *sk;
	__u64 key;

	if (!task || !file || BPF_CORE_READ(file, f_cred) != BPF_CORE_READ(task, cred))
		return 0;
	sk = tcp_of(file);
	if (!sk || !is_connected(sk) || socket_of(PROBED, sk))
		return 0;
	found.id = socket_id(bpf_ktime_get_boot_ns());
	fill_actor(PROBED, &found.actor, task);
	found.epoch = *(volatile __u32 *)&socket_epoch;
	key = address_of(sk);
	bpf_map_update_elem(&sockets, &key, &found, BPF_ANY);
	if (!is_connected(sk))
		bpf_map_delete_elem(&sockets, &key); /* its end may have come before the update */
	return 0;
}

#endif
