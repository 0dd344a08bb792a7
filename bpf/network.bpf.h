/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* network.connect, network.listen, network.close: TCP over IPv4 and IPv6.
 *
 * Most changes of a TCP state happen in softirq, where current is a stranger. So the opener is remembered at
 * SYN_SENT, which is process context, and the closer at the states that only close and shutdown cause; where
 * neither was seen, the event has no actor.
 */
#ifndef WEIR_NETWORK_H
#define WEIR_NETWORK_H

/* A connect began: the event comes with its result. */
static __always_inline int on_syn_sent(enum reads reads, struct program_counters *c, const struct sock *sk)
{
	struct socket_entry socket = {.direction = DIRECTION_OUTBOUND, .start_ns = bpf_ktime_get_boot_ns()};

	socket.id = socket_id(socket.start_ns);
	fill_current(reads, &socket.actor);
	remember(sk, &socket);
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
	struct socket_entry unseen = {.direction = DIRECTION_OUTBOUND}, *socket = socket_of(sk);
	__u64 now = bpf_ktime_get_boot_ns();

	if (!socket) {
		unseen.id = socket_id(now);
		unseen.start_ns = unseen.established_ns = now;
		remember(sk, &unseen);
		socket = &unseen;
	} else {
		socket->established_ns = now;
	}
	if (!gives(program, KIND_NETWORK_CONNECT))
		return merged(c);
	return send_connect(reads, c, program, sk, socket, 0, false);
}

/* A connection came in: whoever accepts it is not known here, and current is a stranger. */
static __always_inline int on_established(enum reads reads, struct program_counters *c, enum program program,
					  const struct sock *sk)
{
	struct socket_entry socket = {.direction = DIRECTION_INBOUND, .established_ns = bpf_ktime_get_boot_ns()};
	struct socket_entry *known = socket_of(sk);

	if (known && known->crossed)
		return on_connected(reads, c, program, sk);
	socket.id = socket_id(socket.established_ns);
	remember(sk, &socket);
	return merged(c);
}

static __always_inline int on_crossed(struct program_counters *c, const struct sock *sk)
{
	struct socket_entry *socket = socket_of(sk);

	if (socket)
		socket->crossed = 1;
	return merged(c);
}

/* SYN_SENT ended without a connection. Where sk_err is 0, either the process gave up, or the kernel refused
 * before the SYN left: the latter's errno is known to tcp_v4_connect and tcp_v6_connect alone, which then tell.
 */
static __always_inline int on_refused(enum reads reads, struct program_counters *c, enum program program,
				      const struct sock *sk)
{
	struct socket_entry *socket = socket_of(sk);
	__u32 error = READ(reads, sk, sk_err);

	if (!error && gives(PROGRAM_network__tcp_v4_connect, KIND_NETWORK_CONNECT) && !(socket && socket->syn_left))
		return merged(c);
	if (gives(program, KIND_NETWORK_CONNECT))
		send_connect(reads, c, program, sk, socket, error, !error);
	else
		merged(c);
	forget(sk);
	return 0;
}

/* SYN_RECV ended without a connection: of interest only where it began with a connect. */
static __always_inline int on_half_open_closed(enum reads reads, struct program_counters *c, enum program program,
					       const struct sock *sk)
{
	struct socket_entry *socket = socket_of(sk);

	return socket && socket->crossed ? on_refused(reads, c, program, sk) : ignored(c);
}

/* A change that only close and shutdown cause, in the context of the task that calls them. The kernel's own
 * threads close for others (MPTCP, descriptors in flight): they are not who did it.
 */
static __always_inline void remember_closer(enum reads reads, const struct sock *sk)
{
	struct task_struct *task = current_task();
	struct socket_entry unseen = {.direction = DIRECTION_UNKNOWN}, *socket = socket_of(sk);

	if ((socket && socket->actor.key.tgid) || BPF_CORE_READ(task, flags) & PF_KTHREAD)
		return;
	if (socket) {
		fill_current(reads, &socket->actor);
		socket->closed_by_actor = 1;
		return;
	}
	unseen.closed_by_actor = 1;
	unseen.id = socket_id(bpf_ktime_get_boot_ns());
	fill_current(reads, &unseen.actor);
	remember(sk, &unseen);
}

static __always_inline int on_closing(enum reads reads, struct program_counters *c, const struct sock *sk)
{
	remember_closer(reads, sk);
	return merged(c);
}

/* The kernel's byte counts hold a SYN and FINs as one byte each: tcp_ack counts what it acknowledges, and
 * tcp_rcv_nxt_update what it passes. A SYN that was answered is the opener's; a FIN was acknowledged when
 * nothing is left to be, and the other end's was seen when tcp_fin has set SOCK_DONE. All probed: that sk is a
 * tcp_sock, the verifier does not know.
 */
static __always_inline void fill_traffic(struct close_sample *s, const struct sock *sk, int state)
{
	const struct tcp_sock *tcp = (const struct tcp_sock *)sk;
	bool fin_sent = state == BPF_TCP_FIN_WAIT1 || state == BPF_TCP_FIN_WAIT2 || state == BPF_TCP_CLOSING ||
			state == BPF_TCP_LAST_ACK || state == BPF_TCP_TIME_WAIT;
	__u64 sent = BPF_CORE_READ(tcp, bytes_acked), received = BPF_CORE_READ(tcp, bytes_received);

	if (sent && s->direction == DIRECTION_OUTBOUND)
		sent--;
	if (sent && fin_sent && BPF_CORE_READ(tcp, snd_una) == BPF_CORE_READ(tcp, write_seq))
		sent--;
	if (received && BPF_CORE_READ(sk, __sk_common.skc_flags) & 1UL << SOCK_DONE)
		received--;
	s->sent_bytes = sent;
	s->received_bytes = received;
	s->sent_segments = BPF_CORE_READ(tcp, segs_out);
	s->received_segments = BPF_CORE_READ(tcp, segs_in);
}

/* Sends network.close; socket is NULL where nothing of the connection was seen before. */
static __always_inline int send_close(enum reads reads, struct program_counters *c, enum program program,
				      const struct sock *sk, int state, const struct socket_entry *socket)
{
	struct close_sample *s = RESERVE(struct close_sample, KIND_NETWORK_CLOSE, program);

	if (!s)
		return ended(c, KIND_NETWORK_CLOSE, OUTCOME_RING_FULL);
	fill_known_actor(&s->head.actor, socket);
	fill_connection(reads, &s->connection, sk, socket ? socket->id : 0);
	s->direction = socket ? socket->direction : DIRECTION_UNKNOWN;
	s->actor_is_closer = socket ? socket->closed_by_actor : 0;
	s->pad = 0;
	s->duration_ns = socket && socket->established_ns ? s->head.time_ns - socket->established_ns : 0;
	s->error = READ(reads, sk, sk_err);
	fill_traffic(s, sk, state);
	return submit(c, KIND_NETWORK_CLOSE, s);
}

/* A connection ended. With both directions shut in a state that shutdown leaves at once, this is close itself,
 * which resets what has unread data or lingers for no time; softirq sets the mask only after the state.
 */
static __always_inline int on_closed(enum reads reads, struct program_counters *c, enum program program,
				     const struct sock *sk, int old)
{
	bool open = old == BPF_TCP_ESTABLISHED || old == BPF_TCP_CLOSE_WAIT;

	if (open && READ(reads, sk, sk_shutdown) == SHUTDOWN_MASK)
		remember_closer(reads, sk);
	if (gives(program, KIND_NETWORK_CLOSE))
		send_close(reads, c, program, sk, old, socket_of(sk));
	else
		ignored(c);
	forget(sk);
	return 0;
}

/* A socket began to listen, in the context of who calls listen. */
static __always_inline int on_listen(enum reads reads, struct program_counters *c, enum program program,
				     const struct sock *sk)
{
	struct listen_sample *s;
	struct connection end;

	if (!gives(program, KIND_NETWORK_LISTEN))
		return ignored(c);
	s = RESERVE(struct listen_sample, KIND_NETWORK_LISTEN, program);
	if (!s)
		return ended(c, KIND_NETWORK_LISTEN, OUTCOME_RING_FULL);
	fill_current(reads, &s->head.actor);
	fill_connection(reads, &end, sk, 0);
	__builtin_memcpy(s->address, end.local, sizeof(s->address));
	s->port = end.local_port;
	s->family = end.family;
	s->ipv4_mapped = end.ipv4_mapped;
	s->dual_stack = end.family == AF_INET6 && is_unspecified(end.local) &&
			!BPF_CORE_READ_BITFIELD_PROBED(sk, __sk_common.skc_ipv6only);
	s->backlog = READ(reads, sk, sk_max_ack_backlog);
	s->network_namespace = end.network_namespace;
	return submit(c, KIND_NETWORK_LISTEN, s);
}

/* One number for a pair of states, for a switch. */
#define CHANGE(old, new) ((old) << 8 | (new))

/* The pair of states decides before any map is looked into: this runs six times a connection. */
static __always_inline int on_change(enum reads reads, struct program_counters *c, enum program program,
				     const struct sock *sk, int old, int new)
{
	switch (CHANGE(old, new)) {
	case CHANGE(BPF_TCP_CLOSE, BPF_TCP_SYN_SENT):
		return on_syn_sent(reads, c, sk);
	case CHANGE(BPF_TCP_SYN_SENT, BPF_TCP_ESTABLISHED):
		return on_connected(reads, c, program, sk);
	case CHANGE(BPF_TCP_SYN_SENT, BPF_TCP_SYN_RECV):
		return on_crossed(c, sk);
	case CHANGE(BPF_TCP_SYN_SENT, BPF_TCP_CLOSE):
		return on_refused(reads, c, program, sk);
	case CHANGE(BPF_TCP_SYN_RECV, BPF_TCP_ESTABLISHED):
		return on_established(reads, c, program, sk);
	case CHANGE(BPF_TCP_SYN_RECV, BPF_TCP_CLOSE):
		return on_half_open_closed(reads, c, program, sk);
	case CHANGE(BPF_TCP_ESTABLISHED, BPF_TCP_FIN_WAIT1):
	case CHANGE(BPF_TCP_CLOSE_WAIT, BPF_TCP_LAST_ACK):
		return on_closing(reads, c, sk);
	case CHANGE(BPF_TCP_CLOSE, BPF_TCP_LISTEN):
		return on_listen(reads, c, program, sk);
	case CHANGE(BPF_TCP_LISTEN, BPF_TCP_CLOSE):
		return ignored(c);
	}
	return new == BPF_TCP_CLOSE ? on_closed(reads, c, program, sk, old) : ignored(c);
}

/* Only TCP's own sockets: MPTCP's outer ones change states beside them. */
static __always_inline int on_state(enum reads reads, enum program program, const struct sock *sk, int old, int new)
{
	struct program_counters *c = begin(program);

	if (!c)
		return 0;
	return READ(reads, sk, sk_protocol) == PROTOCOL_TCP ? on_change(reads, c, program, sk, old, new) : ignored(c);
}

SEC("tp_btf/inet_sock_set_state")
GIVES("network.connect", 1, "")
GIVES("network.connect", 2, "failures before the SYN leaves: no route is not seen, no free port has no errno")
GIVES("network.listen", 2, "port of a listen without bind; also tells a listen that then fails")
GIVES("network.close", 1, "")
TAKES("inet_sock_set_state", 3)
int BPF_PROG(network__inet_sock_set_state, const struct sock *sk, int oldstate, int newstate)
{
	return on_state(DIRECT, PROGRAM_network__inet_sock_set_state, sk, oldstate, newstate);
}

SEC("raw_tp/inet_sock_set_state")
GIVES("network.connect", 3, "failures before the SYN leaves: no route is not seen, no free port has no errno")
GIVES("network.listen", 3, "port of a listen without bind; also tells a listen that then fails")
GIVES("network.close", 2, "")
int BPF_PROG(network__inet_sock_set_state_raw, const struct sock *sk, int oldstate, int newstate)
{
	return on_state(PROBED, PROGRAM_network__inet_sock_set_state_raw, sk, oldstate, newstate);
}

/* tcp_v4_connect and tcp_v6_connect fail before the SYN leaves: no route, no free port. sk was in no state that
 * tells (then nothing is remembered of it), or went to SYN_SENT and back.
 */
static __always_inline int on_connect_failed(struct program_counters *c, enum program program, const struct sock *sk,
					     const struct connection *end, __u32 error)
{
	struct socket_entry *socket = socket_of(sk);
	struct connect_sample *s = RESERVE(struct connect_sample, KIND_NETWORK_CONNECT, program);

	if (!s)
		return ended(c, KIND_NETWORK_CONNECT, OUTCOME_RING_FULL);
	fill_current(DIRECT, &s->head.actor);
	s->connection = *end;
	s->latency_ns = socket && !socket->syn_left ? s->head.time_ns - socket->start_ns : 0;
	s->error = error;
	s->failed_unknown = 0;
	forget(sk);
	return submit(c, KIND_NETWORK_CONNECT, s);
}

static __always_inline int on_syn_left(struct program_counters *c, const struct sock *sk)
{
	struct socket_entry *socket = socket_of(sk);

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

/* Tells the true port without bind too, and only what succeeded; not a second listen, which changes the backlog. */
SEC("sockops")
GIVES("network.listen", 1, "")
int network__sock_ops(struct bpf_sock_ops *ops)
{
	struct program_counters *c = begin(PROGRAM_network__sock_ops);
	struct bpf_sock *sk;
	struct tcp_sock *tcp;

	if (!c)
		return 1;
	if (ops->op != BPF_SOCK_OPS_TCP_LISTEN_CB) {
		ignored(c);
		return 1;
	}
	sk = ops->sk;
	tcp = sk ? bpf_skc_to_tcp_sock(sk) : 0;
	if (tcp)
		on_listen(PROBED, c, PROGRAM_network__sock_ops, (const struct sock *)tcp);
	else
		ignored(c);
	return 1;
}

#endif
