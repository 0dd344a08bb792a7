/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* network.connect: from SYN_SENT, which is process context, to its result, which comes in softirq. */
#ifndef WEIR_CONNECT_H
#define WEIR_CONNECT_H

/* A connect began: the event comes with its result. */
static __always_inline int on_syn_sent(enum reads reads, struct program_counters *c, const struct sock *sk)
{
	struct socket_entry socket = {
		.stage = STAGE_SYN_SENT,
		.direction = DIRECTION_OUTBOUND,
		.start_ns = bpf_ktime_get_boot_ns(),
	};

	socket.id = socket_id(socket.start_ns);
	fill_current(reads, &socket.actor);
	remember(reads, sk, &socket);
	return merged(c);
}

/* Sends network.connect; socket is NULL where its SYN_SENT was not seen. */
static __always_inline int send_connect(enum reads reads, struct program_counters *c, enum program program,
					const struct sock *sk, const struct socket_entry *socket, __u32 error,
					bool unknown)
{
	struct connect_sample *s = RESERVE(struct connect_sample, KIND_NETWORK_CONNECT, program);

	if (!s)
		return ended(c, KIND_NETWORK_CONNECT, OUTCOME_RING_FULL);
	fill_known_actor(&s->head.actor, socket);
	fill_connection(reads, &s->connection, sk, socket ? socket->id : 0);
	s->latency_ns = socket ? s->head.time_ns - socket->start_ns : 0;
	s->error = error;
	s->failed_unknown = unknown;
	return submit(c, KIND_NETWORK_CONNECT, s);
}

static __always_inline int on_connected(enum reads reads, struct program_counters *c, enum program program,
					const struct sock *sk)
{
	struct socket_entry unseen = {.stage = STAGE_OPEN, .direction = DIRECTION_OUTBOUND}, *socket;
	__u64 now = bpf_ktime_get_boot_ns();

	socket = socket_of(reads, sk);
	if (!socket) {
		unseen.id = socket_id(now);
		unseen.start_ns = unseen.established_ns = now;
		remember(reads, sk, &unseen);
		socket = &unseen;
	} else {
		socket->stage = STAGE_OPEN;
		socket->established_ns = now;
	}
	if (!gives(program, KIND_NETWORK_CONNECT))
		return merged(c);
	return send_connect(reads, c, program, sk, socket, 0, false);
}

static __always_inline int on_crossed(enum reads reads, struct program_counters *c, const struct sock *sk)
{
	struct socket_entry *socket = socket_of(reads, sk);

	if (socket)
		socket->stage = STAGE_CROSSED;
	return merged(c);
}

/* SYN_SENT ended without a connection. Where sk_err is 0, either the process gave up, or the kernel refused
 * before the SYN left: the latter's errno is known to tcp_v4_connect and tcp_v6_connect alone, which then tell.
 */
static __always_inline int on_refused(enum reads reads, struct program_counters *c, enum program program,
				      const struct sock *sk)
{
	struct socket_entry *socket = socket_of(reads, sk);
	__u32 error = READ(reads, sk, sk_err);

	if (!error && gives(PROGRAM_network__tcp_v4_connect, KIND_NETWORK_CONNECT) && !(socket && socket->syn_left))
		return merged(c);
	if (gives(program, KIND_NETWORK_CONNECT))
		send_connect(reads, c, program, sk, socket, error, !error);
	else
		merged(c);
	forget(sk, socket);
	return 0;
}

/* SYN_RECV ended without a connection: of interest only where it began with a connect. */
static __always_inline int on_half_open_closed(enum reads reads, struct program_counters *c, enum program program,
					       const struct sock *sk)
{
	struct socket_entry *socket = socket_of(reads, sk);

	return socket && socket->stage == STAGE_CROSSED ? on_refused(reads, c, program, sk) : ignored(c);
}

/* tcp_v4_connect and tcp_v6_connect fail before the SYN leaves: no route, no free port. sk was in no state that
 * tells (then nothing is remembered of it), or went to SYN_SENT and back.
 */
static __always_inline int on_connect_failed(struct program_counters *c, enum program program, const struct sock *sk,
					     const struct connection *end, __u32 error)
{
	struct socket_entry *socket = socket_of(DIRECT, sk);
	struct connect_sample *s = RESERVE(struct connect_sample, KIND_NETWORK_CONNECT, program);

	if (!s)
		return ended(c, KIND_NETWORK_CONNECT, OUTCOME_RING_FULL);
	fill_current(DIRECT, &s->head.actor);
	s->connection = *end;
	s->latency_ns = socket && !socket->syn_left ? s->head.time_ns - socket->start_ns : 0;
	s->error = error;
	s->failed_unknown = 0;
	forget(sk, socket);
	return submit(c, KIND_NETWORK_CONNECT, s);
}

static __always_inline int on_syn_left(struct program_counters *c, const struct sock *sk)
{
	struct socket_entry *socket = socket_of(DIRECT, sk);

	if (socket)
		socket->syn_left = 1;
	return ignored(c);
}

/* EINVAL and EAFNOSUPPORT are of an address that is none: nothing was tried. */
static __always_inline bool is_attempt(int result)
{
	return result != -22 && result != -97;
}

/* sk has lost its destination again, or never had it: it is taken from what connect was given. */
SEC("fexit/tcp_v4_connect")
GIVES("network.connect", 1, "")
TAKES("tcp_v4_connect", 3)
int BPF_PROG(network__tcp_v4_connect, struct sock *sk, struct sockaddr *uaddr, int addr_len, int result)
{
	enum program program = PROGRAM_network__tcp_v4_connect;
	struct program_counters *c = begin(program);
	struct connection end;

	if (!c)
		return 0;
	if (sk->__sk_common.skc_family != AF_INET) /* called by tcp_v6_connect, which tells */
		return ignored(c);
	if (!result)
		return on_syn_left(c, sk);
	if (!is_attempt(result) || !gives(program, KIND_NETWORK_CONNECT))
		return ignored(c);
	fill_connection(DIRECT, &end, sk, 0);
	set_remote_ipv4(&end, uaddr);
	return on_connect_failed(c, program, sk, &end, -result);
}

SEC("fexit/tcp_v6_connect")
GIVES("network.connect", 1, "")
TAKES("tcp_v6_connect", 3)
int BPF_PROG(network__tcp_v6_connect, struct sock *sk, struct sockaddr *uaddr, int addr_len, int result)
{
	enum program program = PROGRAM_network__tcp_v6_connect;
	struct program_counters *c = begin(program);
	struct connection end;

	if (!c)
		return 0;
	if (!result)
		return on_syn_left(c, sk);
	if (!is_attempt(result) || !gives(program, KIND_NETWORK_CONNECT))
		return ignored(c);
	fill_connection(DIRECT, &end, sk, 0);
	set_remote_ipv6(&end, uaddr);
	return on_connect_failed(c, program, sk, &end, -result);
}

#endif
