/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* network.accept: a connection came in, and accept returned it to a task.
 *
 * A connection is established in softirq, before anybody accepts it and whether or not anybody will. The acceptor
 * is current when inet_csk_accept returns. Where that cannot be watched, accept is seen to look up the other end's
 * address, if its caller wants it; and else at the latest when the acceptor shuts or closes the connection.
 */
#ifndef WEIR_ACCEPT_H
#define WEIR_ACCEPT_H

/* What a listener says of its queue; all zero where the listener is not known. */
struct queue {
	__u32 waiting, backlog;
	__u16 port;
};

/* Sends network.accept. Who only closed a connection did not accept it. */
static __always_inline int send_accept(enum reads reads, struct program_counters *c, enum program program,
				       const struct sock *sk, const struct socket_entry *socket,
				       const struct queue *queue, bool late)
{
	struct accept_sample *s = RESERVE(struct accept_sample, KIND_NETWORK_ACCEPT, program);

	if (!s)
		return ended(c, KIND_NETWORK_ACCEPT, OUTCOME_RING_FULL);
	fill_known_actor(&s->head.actor, socket->closed_by_actor ? 0 : socket);
	fill_connection(reads, &s->connection, sk, socket->id);
	s->latency_ns = socket->established_ns && !late ? s->head.time_ns - socket->established_ns : 0;
	s->waiting = queue->waiting;
	s->backlog = queue->backlog;
	s->listener_port = queue->port;
	s->late = late;
	__builtin_memset(s->pad, 0, sizeof(s->pad));
	return submit(c, KIND_NETWORK_ACCEPT, s);
}

/* accept returned sk to current, whose the connection is from now on; if it had ended before, it is told alone. */
static __always_inline int on_accepted(enum reads reads, struct program_counters *c, enum program program,
				       const struct sock *sk, const struct queue *queue)
{
	struct socket_entry unseen = {.stage = STAGE_OPEN, .direction = DIRECTION_INBOUND};
	struct socket_entry *socket = socket_of(reads, sk);

	if (!socket && READ(reads, sk, __sk_common.skc_state) != BPF_TCP_CLOSE) {
		unseen.id = socket_id(bpf_ktime_get_boot_ns());
		remember(reads, sk, &unseen);
		socket = socket_of(reads, sk);
	}
	if (!socket)
		socket = &unseen;
	fill_current(reads, &socket->actor);
	socket->accepted = socket->accept_told = 1;
	return send_accept(reads, c, program, sk, socket, queue, false);
}

/* accept returned sk; NULL is an accept that returns without a connection. */
static __always_inline int on_accept(enum program program, const struct sock *listener, const struct sock *sk)
{
	struct program_counters *c = begin(program);
	struct queue queue;

	if (!c)
		return 0;
	if (!sk || sk->sk_protocol != PROTOCOL_TCP || !gives(program, KIND_NETWORK_ACCEPT))
		return ignored(c);
	queue.waiting = listener->sk_ack_backlog;
	queue.backlog = listener->sk_max_ack_backlog;
	queue.port = listener->__sk_common.skc_num;
	return on_accepted(DIRECT, c, program, sk, &queue);
}

struct proto_accept_arg;

SEC("fexit/inet_csk_accept")
GIVES("network.accept", 1, "")
TAKES("inet_csk_accept", 2)
int BPF_PROG(network__inet_csk_accept, struct sock *listener, struct proto_accept_arg *arg, struct sock *sk)
{
	return on_accept(PROGRAM_network__inet_csk_accept, listener, sk);
}

/* Up to 6.9. */
SEC("fexit/inet_csk_accept")
GIVES("network.accept", 2, "")
TAKES("inet_csk_accept", 4)
int BPF_PROG(network__inet_csk_accept_flags, struct sock *listener, int flags, int *err, bool kern, struct sock *sk)
{
	return on_accept(PROGRAM_network__inet_csk_accept_flags, listener, sk);
}

/* Whether no accept of sk was told. The table does not know it before it is established and after its end: a socket
 * of a process is in SYN_RECV only by TCP Fast Open, or by a connect, which the table knows; and getpeername
 * refuses one in CLOSE before it comes here, while accept does not.
 */
static __always_inline bool is_untold(enum reads reads, const struct sock *sk)
{
	struct socket_entry *socket = socket_of(reads, sk);
	__u8 state = READ(reads, sk, __sk_common.skc_state);

	if (!socket)
		return state == BPF_TCP_SYN_RECV || state == BPF_TCP_CLOSE;
	return socket->direction == DIRECTION_INBOUND && !socket->accept_told;
}

/* current looks up the address of sk's other end. */
static __always_inline int on_lookup(enum reads reads, struct program_counters *c, enum program program,
				     const struct sock *sk)
{
	struct queue unknown = {};

	if (!gives(program, KIND_NETWORK_ACCEPT) || !is_untold(reads, sk) || !is_opened_by_current(reads, sk))
		return ignored(c);
	return on_accepted(reads, c, program, sk, &unknown);
}

/* The first TCP socket of an MPTCP one. */
static __always_inline const struct sock *first_subflow(const struct sock *sk)
{
	const struct mptcp_sock *mptcp = (const struct mptcp_sock *)sk;

	return bpf_core_field_exists(mptcp->first) ? BPF_CORE_READ(mptcp, first) : 0;
}

/* accept looks up the other end's address, as getpeername does, which anybody may call who has the socket. */
static __always_inline int on_peer_name(enum program program, struct bpf_sock_addr *ctx)
{
	struct program_counters *c = begin(program);
	struct bpf_sock *context = ctx->sk;
	const struct sock *sk;

	if (!c)
		return 1;
	sk = context ? (const struct sock *)bpf_skc_to_tcp_sock(context) : 0;
	if (sk)
		on_lookup(DIRECT, c, program, sk);
	else if (ctx->protocol == PROTOCOL_MPTCP)
		on_lookup(PROBED, c, program, first_subflow((const struct sock *)address_of(context)));
	else
		ignored(c);
	return 1;
}

/* accept with NULL, and io_uring's, may ask for no address. */
#define UNSEEN_ACCEPT                                                                                                \
	"listener's port and queue; time and thread where accept asks for no address; process where it asks for no " \
	"address and the other end resets first"
#define MISSED_ACCEPT "accept that asks for no address, of a connection that is over"

SEC("cgroup/getpeername4")
GIVES("network.accept", 3, UNSEEN_ACCEPT)
MISSES("network.accept", 3, MISSED_ACCEPT)
GIVES("network.accept", 4, UNSEEN_ACCEPT)
MISSES("network.accept", 4, MISSED_ACCEPT)
int network__getpeername4(struct bpf_sock_addr *ctx)
{
	return on_peer_name(PROGRAM_network__getpeername4, ctx);
}

SEC("cgroup/getpeername6")
GIVES("network.accept", 3, "")
GIVES("network.accept", 4, "")
int network__getpeername6(struct bpf_sock_addr *ctx)
{
	return on_peer_name(PROGRAM_network__getpeername6, ctx);
}

/* Whether a process has the connection whose accept was not seen: the rung does not see every one, and no rung those
 * that had begun before it was attached.
 */
static __always_inline bool is_late(enum program program, const struct socket_entry *socket)
{
	return socket->direction == DIRECTION_INBOUND && socket->accepted && !socket->accept_told &&
	       gives(program, KIND_NETWORK_ACCEPT);
}

static __always_inline int send_late_accept(enum reads reads, struct program_counters *c, enum program program,
					    const struct sock *sk, struct socket_entry *socket)
{
	struct queue unknown = {};

	socket->accept_told = 1;
	return send_accept(reads, c, program, sk, socket, &unknown, true);
}

#endif
