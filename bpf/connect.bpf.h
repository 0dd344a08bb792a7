/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* network.connect: from SYN_SENT, which is process context, to its result, which comes in softirq. Attempts that
 * fail before that are attempt.bpf.h's.
 *
 * An attempt is one event: at its result, or, where the first SYN is still unanswered when it is sent again
 * (after 1 s, unless the route or another program says otherwise), at that moment as pending. The result of what
 * was told as pending is its network.close.
 */
#ifndef WEIR_CONNECT_H
#define WEIR_CONNECT_H

/* Who calls connect. The kernel's workers open MPTCP's further connections for whoever has the first one: they
 * are not who did it (name_subflow).
 */
static __always_inline void fill_opener(enum reads reads, struct socket_entry *socket, const struct tcp_sock *tcp)
{
	if (is_kernel_thread(reads) && is_subflow(tcp))
		return;
	fill_current(reads, &socket->actor);
}

/* An attempt that begins now; nothing of it is known but who and when. */
static __always_inline struct socket_entry new_attempt(enum reads reads, enum stage stage, const struct tcp_sock *tcp)
{
	struct socket_entry socket = {
		.stage = stage,
		.direction = DIRECTION_OUTBOUND,
		.start_ns = bpf_ktime_get_boot_ns(),
	};

	socket.id = socket_id(socket.start_ns);
	fill_opener(reads, &socket, tcp);
	return socket;
}

/* A connect began: the event comes with its result. */
static __always_inline int on_syn_sent(enum reads reads, struct program_counters *c, const struct sock *sk)
{
	struct socket_entry *called = socket_of(reads, sk), socket;

	if (called && called->stage == STAGE_TRYING) {
		called->stage = STAGE_SYN_SENT;
		return merged(c);
	}
	socket = new_attempt(reads, STAGE_SYN_SENT, (const struct tcp_sock *)sk);
	remember(reads, sk, &socket);
	return merged(c);
}

static __always_inline void fill_connect(struct connect_sample *s, const struct socket_entry *socket,
					 enum connect_result result, __u32 error)
{
	fill_known_actor(&s->head.actor, socket);
	s->latency_ns = socket ? s->head.time_ns - socket->start_ns : 0;
	s->error = error;
	s->result = result;
}

/* Sends network.connect; socket is NULL where its SYN_SENT was not seen. */
static __always_inline int send_connect(enum reads reads, struct program_counters *c, enum program program,
					const struct sock *sk, const struct socket_entry *socket,
					enum connect_result result, __u32 error)
{
	struct connect_sample *s = RESERVE(struct connect_sample, KIND_NETWORK_CONNECT, program);

	if (!s)
		return ended(c, KIND_NETWORK_CONNECT, OUTCOME_RING_FULL);
	fill_connection(reads, &s->connection, sk, socket ? socket->id : 0);
	fill_connect(s, socket, result, error);
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
	if (!gives(program, KIND_NETWORK_CONNECT) || socket->pending)
		return merged(c);
	return send_connect(reads, c, program, sk, socket, CONNECT_ANSWERED, 0);
}

static __always_inline int on_crossed(enum reads reads, struct program_counters *c, const struct sock *sk)
{
	struct socket_entry *socket = socket_of(reads, sk);

	if (socket)
		socket->stage = STAGE_CROSSED;
	return merged(c);
}

/* Whether the kernel refused the attempt before a SYN left, which then is for tcp_v4_connect and tcp_v6_connect to
 * tell, as they alone know the errno. Without them it shows in that no segment was sent, by a socket that nobody
 * closes.
 */
static __always_inline bool syn_left(enum reads reads, const struct sock *sk, const struct socket_entry *socket)
{
	if (socket && gives(PROGRAM_network__tcp_v4_connect, KIND_NETWORK_CONNECT))
		return socket->syn_left;
	return BPF_CORE_READ((const struct tcp_sock *)sk, segs_out) || READ(reads, sk, sk_shutdown) == SHUTDOWN_MASK;
}

/* What was told as pending failed. Where network.close is not wanted, nobody hears of it. */
static __always_inline int send_pending_end(enum reads reads, struct program_counters *c, enum program program,
					    const struct sock *sk, const struct socket_entry *socket)
{
	if (!gives(program, KIND_NETWORK_CLOSE))
		return merged(c);
	return send_close(reads, c, program, sk, BPF_TCP_SYN_SENT, socket, false);
}

/* SYN_SENT ended without a connection. Where sk_err is 0, the process gave up, or the SYN never left. */
static __always_inline int on_refused(enum reads reads, struct program_counters *c, enum program program,
				      const struct sock *sk)
{
	struct socket_entry *socket = socket_of(reads, sk);
	__u32 error = READ(reads, sk, sk_err);
	enum connect_result result = CONNECT_ANSWERED;

	if (!error)
		result = syn_left(reads, sk, socket) ? CONNECT_ABANDONED : CONNECT_FAILED;
	if (result == CONNECT_FAILED && gives(PROGRAM_network__tcp_v4_connect, KIND_NETWORK_CONNECT))
		return merged(c);
	if (socket && socket->pending)
		send_pending_end(reads, c, program, sk, socket);
	else if (gives(program, KIND_NETWORK_CONNECT))
		send_connect(reads, c, program, sk, socket, result, error);
	else
		merged(c);
	forget(sk, socket);
	return 0;
}

/* Another connection of MPTCP is its first one's opener's, whoever opens it: a worker, or a daemon. The helper is
 * there from 5.19 on; before, what workers open has no actor.
 */
static __always_inline void name_subflow(const struct sock *sk, void *context)
{
	struct socket_entry *opener, *socket;
	struct mptcp_sock *connection;

	if (!has_mptcp_helper())
		return;
	connection = bpf_skc_to_mptcp_sock(context);
	if (!connection || !connection->first || connection->first == sk)
		return;
	socket = socket_of(DIRECT, sk);
	opener = socket_of(DIRECT, connection->first);
	if (socket && opener)
		socket->actor = opener->actor;
}

/* The SYN is about to leave: sock_ops is to be called when it is sent again. */
static __always_inline int on_syn_leaves(struct program_counters *c, struct bpf_sock_ops *ops, const struct sock *sk)
{
	if (!gives(PROGRAM_network__sock_ops, KIND_NETWORK_CONNECT))
		return ignored(c);
	bpf_sock_ops_cb_flags_set(ops, ops->bpf_sock_ops_cb_flags | BPF_SOCK_OPS_RTO_CB_FLAG);
	if (ops->sk)
		name_subflow(sk, ops->sk);
	return merged(c);
}

/* A timeout to send again, the first of a connection that asked for it: it asks for no more. */
static __always_inline int on_unanswered(struct program_counters *c, struct bpf_sock_ops *ops, const struct sock *sk)
{
	struct socket_entry *socket = socket_of(DIRECT, sk);
	bool expired = ops->args[2], waits = ops->state == BPF_TCP_SYN_SENT || ops->state == BPF_TCP_SYN_RECV;

	bpf_sock_ops_cb_flags_set(ops, ops->bpf_sock_ops_cb_flags & ~BPF_SOCK_OPS_RTO_CB_FLAG);
	if (expired || !waits || !socket || socket->pending ||
	    !gives(PROGRAM_network__sock_ops, KIND_NETWORK_CONNECT))
		return ignored(c);
	socket->pending = 1;
	return send_connect(DIRECT, c, PROGRAM_network__sock_ops, sk, socket, CONNECT_PENDING, 0);
}

#endif
