/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* network.connect that fails before its SYN leaves: denied by a program of the cgroup, no route, no free port. Of
 * most of these no state tells. Where fexit attaches, the functions that fail tell, with their errno. Elsewhere
 * connect4 and connect6 note the attempt, SYN_SENT takes the note, and who finds it still there tells: the socket's
 * next connect, or its end.
 */
#ifndef WEIR_ATTEMPT_H
#define WEIR_ATTEMPT_H

enum {
	SOCKADDR_IN_MIN = 16,
	SOCKADDR_IN6_MIN = 24, /* SIN6_LEN_RFC2133: without a scope */
};

/* sk was in no state that tells (then nothing is remembered of it), or went to SYN_SENT and back. It has lost its
 * destination again, or never had it: that is taken from what connect was given.
 */
static __always_inline int on_connect_failed(struct program_counters *c, enum program program, const struct sock *sk,
					     const struct connection *end, __u32 error)
{
	struct socket_entry *socket = socket_of(DIRECT, sk), attempt;
	struct connect_sample *s;

	if (!gives(program, KIND_NETWORK_CONNECT))
		return ignored(c);
	attempt = new_attempt(DIRECT, STAGE_NONE, (const struct tcp_sock *)sk);
	if (socket && socket->stage == STAGE_SYN_SENT && !socket->syn_left)
		attempt.start_ns = socket->start_ns;
	forget(sk, socket);
	s = RESERVE(struct connect_sample, KIND_NETWORK_CONNECT, program);
	if (!s)
		return ended(c, KIND_NETWORK_CONNECT, OUTCOME_RING_FULL);
	s->connection = *end;
	s->connection.socket = attempt.id;
	fill_connect(s, &attempt, CONNECT_ANSWERED, error);
	return submit(c, KIND_NETWORK_CONNECT, s);
}

/* tcp_v4_connect or tcp_v6_connect returned: what follows is the states' to tell. */
static __always_inline int on_syn_left(struct program_counters *c, const struct sock *sk)
{
	struct socket_entry *socket = socket_of(DIRECT, sk);

	if (socket)
		socket->syn_left = 1;
	return ignored(c);
}

/* An address of another family, or a part of one, is none: nothing was tried. */
static __always_inline int on_ipv4_failed(struct program_counters *c, enum program program, const struct sock *sk,
					  const struct sockaddr *address, int length, int result)
{
	struct sockaddr_in to = {};
	struct connection end;

	bpf_probe_read_kernel(&to, sizeof(to), address);
	if (length < SOCKADDR_IN_MIN || to.sin_family != AF_INET)
		return ignored(c);
	fill_connection(DIRECT, &end, sk, 0);
	set_remote_ipv4(&end, to.sin_addr, to.sin_port);
	return on_connect_failed(c, program, sk, &end, -result);
}

static __always_inline int on_ipv6_failed(struct program_counters *c, enum program program, const struct sock *sk,
					  const struct sockaddr *address, int length, int result)
{
	struct sockaddr_in6 to = {};
	struct connection end;

	bpf_probe_read_kernel(&to, sizeof(to), address);
	if (length < SOCKADDR_IN6_MIN || to.sin6_family != AF_INET6)
		return ignored(c);
	fill_connection(DIRECT, &end, sk, 0);
	set_remote_ipv6(&end, to.sin6_addr, to.sin6_port);
	return on_connect_failed(c, program, sk, &end, -result);
}

SEC("fexit/tcp_v4_connect")
GIVES("network.connect", 1, "")
GIVES("network.connect", 2, "")
TAKES("tcp_v4_connect", 3)
int BPF_PROG(network__tcp_v4_connect, struct sock *sk, struct sockaddr *uaddr, int addr_len, int result)
{
	enum program program = PROGRAM_network__tcp_v4_connect;
	struct program_counters *c = begin(program);

	if (!c)
		return 0;
	if (sk->__sk_common.skc_family != AF_INET) /* called by tcp_v6_connect, which tells */
		return ignored(c);
	return result ? on_ipv4_failed(c, program, sk, uaddr, addr_len, result) : on_syn_left(c, sk);
}

SEC("fexit/tcp_v6_connect")
GIVES("network.connect", 1, "")
GIVES("network.connect", 2, "")
TAKES("tcp_v6_connect", 3)
int BPF_PROG(network__tcp_v6_connect, struct sock *sk, struct sockaddr *uaddr, int addr_len, int result)
{
	enum program program = PROGRAM_network__tcp_v6_connect;
	struct program_counters *c = begin(program);

	if (!c)
		return 0;
	return result ? on_ipv6_failed(c, program, sk, uaddr, addr_len, result) : on_syn_left(c, sk);
}

/* Called only where a program is attached to connect4 or connect6, which may deny. */
SEC("fexit/tcp_v4_pre_connect")
GIVES("network.connect", 1, "")
GIVES("network.connect", 2, "")
TAKES("tcp_v4_pre_connect", 3)
int BPF_PROG(network__tcp_v4_pre_connect, struct sock *sk, struct sockaddr *uaddr, int addr_len, int result)
{
	enum program program = PROGRAM_network__tcp_v4_pre_connect;
	struct program_counters *c = begin(program);

	if (!c)
		return 0;
	return result ? on_ipv4_failed(c, program, sk, uaddr, addr_len, result) : ignored(c);
}

SEC("fexit/tcp_v6_pre_connect")
GIVES("network.connect", 1, "")
GIVES("network.connect", 2, "")
TAKES("tcp_v6_pre_connect", 3)
int BPF_PROG(network__tcp_v6_pre_connect, struct sock *sk, struct sockaddr *uaddr, int addr_len, int result)
{
	enum program program = PROGRAM_network__tcp_v6_pre_connect;
	struct program_counters *c = begin(program);

	if (!c)
		return 0;
	return result ? on_ipv6_failed(c, program, sk, uaddr, addr_len, result) : ignored(c);
}

/* Tells of the attempt that was noted, and left nothing else. Its time is that of the call. */
static __always_inline int send_attempt(struct program_counters *c, enum program program, const struct sock *sk,
					struct socket_entry *attempt)
{
	struct connect_sample *s = RESERVE(struct connect_sample, KIND_NETWORK_CONNECT, program);

	if (!s)
		return ended(c, KIND_NETWORK_CONNECT, OUTCOME_RING_FULL);
	s->head.time_ns = attempt->start_ns;
	fill_connection(PROBED, &s->connection, sk, attempt->id);
	if (s->connection.family == AF_INET && !s->connection.ipv4_mapped)
		set_remote_ipv4(&s->connection, attempt->remote[0], attempt->remote_port);
	else
		set_remote_ipv6(&s->connection, attempt->remote, attempt->remote_port);
	fill_connect(s, attempt, CONNECT_FAILED, 0);
	return submit(c, KIND_NETWORK_CONNECT, s);
}

/* connect4 and connect6: connect was called, of a socket that is in no connection. Of the kernel's own sockets, MPTCP's
 * among them, sock_release does not tell: they get no note.
 */
static __always_inline int on_call(enum program program, struct bpf_sock_addr *call, const __u32 *remote)
{
	struct program_counters *c = begin(program);
	const struct sock *sk = (const struct sock *)call->sk, *address = (const struct sock *)address_of(sk);
	struct socket_entry *before, attempt;

	if (!c)
		return 1;
	if (!sk || call->protocol != PROTOCOL_TCP || call->user_family != call->family ||
	    !gives(program, KIND_NETWORK_CONNECT) || BPF_CORE_READ_BITFIELD_PROBED(address, sk_kern_sock)) {
		ignored(c);
		return 1;
	}
	before = socket_of(DIRECT, sk);
	if (before && before->stage == STAGE_TRYING)
		send_attempt(c, program, address, before);
	else
		merged(c);
	attempt = new_attempt(DIRECT, STAGE_TRYING, (const struct tcp_sock *)address);
	__builtin_memcpy(attempt.remote, remote, sizeof(attempt.remote));
	attempt.remote_port = call->user_port;
	remember(DIRECT, sk, &attempt);
	return 1;
}

SEC("cgroup/connect4")
GIVES("network.connect", 3, "")
int network__connect4(struct bpf_sock_addr *call)
{
	__u32 remote[4] = {call->user_ip4};

	return on_call(PROGRAM_network__connect4, call, remote);
}

SEC("cgroup/connect6")
GIVES("network.connect", 3, "")
int network__connect6(struct bpf_sock_addr *call)
{
	__u32 remote[4] = {call->user_ip6[0], call->user_ip6[1], call->user_ip6[2], call->user_ip6[3]};

	return on_call(PROGRAM_network__connect6, call, remote);
}

/* A socket of any protocol ends. One that is open or opening has left the note behind; one that listens may still have
 * it, of a connect that failed before.
 */
SEC("cgroup/sock_release")
GIVES("network.connect", 3, "")
int network__sock_release(struct bpf_sock *sk)
{
	enum program program = PROGRAM_network__sock_release;
	struct program_counters *c = begin(program);
	struct socket_entry *attempt = 0;

	if (!c)
		return 1;
	if (sk->protocol == PROTOCOL_TCP && (sk->state == BPF_TCP_CLOSE || sk->state == BPF_TCP_LISTEN) &&
	    gives(program, KIND_NETWORK_CONNECT))
		attempt = socket_of(DIRECT, (const struct sock *)sk);
	if (!attempt || attempt->stage != STAGE_TRYING) {
		ignored(c);
		return 1;
	}
	send_attempt(c, program, (const struct sock *)address_of(sk), attempt);
	forget((const struct sock *)sk, attempt);
	return 1;
}

#endif
