/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* socket.create: which program made sockets of which family and type. Counted. */
#ifndef WEIR_SOCKET_CREATE_H
#define WEIR_SOCKET_CREATE_H

static __always_inline int count_socket(enum reads reads, struct program_counters *c, enum program program,
					struct task_struct *task, const struct socket_key *made)
{
	struct count_key key = {.epoch = count_epoch, .kind = KIND_SOCKET_CREATE};
	struct socket_key *by = (void *)key.by;
	struct actor actor;

	*by = *made;
	if (by->family != AF_PACKET && by->protocol > PROTOCOL_MPTCP)
		by->protocol = ~0U; /* none that exists: who counts through them makes no keys */
	fill_program(reads, &by->program, task, READ(reads, task, cred));
	if (add(&key, 0))
		return ended(c, KIND_SOCKET_CREATE, OUTCOME_COUNTED);
	fill_actor(reads, &actor, task);
	return ended(c, KIND_SOCKET_CREATE, begin_count(KIND_SOCKET_CREATE, program, &key, 0, &actor));
}

/* A socket of any family is about to be made, or is refused: security/security.c. The kernel's own are left out. */
SEC("fexit/security_socket_create")
GIVES("socket.create", 1, "")
TAKES("security_socket_create", 4)
int BPF_PROG(socket__security_socket_create, int family, int type, int protocol, int kern, int result)
{
	enum program program = PROGRAM_socket__security_socket_create;
	struct program_counters *c = begin(program);
	struct socket_key made = {.family = family, .type = type, .protocol = protocol, .error = -result};

	if (!c)
		return 0;
	if (kern || !gives(program, KIND_SOCKET_CREATE))
		return ignored(c);
	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_get_current_task_btf))
		return count_socket(DIRECT, c, program, bpf_get_current_task_btf(), &made);
	return count_socket(PROBED, c, program, current_task(), &made);
}

SEC("cgroup/sock_create")
GIVES("socket.create", 2, "")
MISSES("socket.create", 2, "families other than IPv4 and IPv6")
int socket__sock_create(struct bpf_sock *sk)
{
	enum program program = PROGRAM_socket__sock_create;
	struct program_counters *c = begin(program);
	struct socket_key made = {.family = sk->family, .type = sk->type, .protocol = sk->protocol};

	if (!c)
		return 1;
	if (gives(program, KIND_SOCKET_CREATE))
		count_socket(PROBED, c, program, current_task(), &made);
	else
		ignored(c);
	return 1;
}

#endif
