/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* The programs that serve several kinds of TCP over IPv4 and IPv6; each kind has a file of its own.
 *
 * Most changes of a TCP state happen in softirq, where current is a stranger. So the opener is remembered at
 * SYN_SENT, which is process context, and the closer at the states that only close and shutdown cause; where
 * neither was seen, the event has no actor.
 */
#ifndef WEIR_NETWORK_H
#define WEIR_NETWORK_H

/* A connection came in: whoever accepts it is not known here, and current is a stranger. With TCP Fast Open it may
 * be accepted already.
 */
static __always_inline int on_established(enum reads reads, struct program_counters *c, enum program program,
					  const struct sock *sk)
{
	struct socket_entry socket = {
		.stage = STAGE_OPEN,
		.direction = DIRECTION_INBOUND,
		.established_ns = bpf_ktime_get_boot_ns(),
	};
	struct socket_entry *known = socket_of(reads, sk);

	if (known && known->stage == STAGE_CROSSED)
		return on_connected(reads, c, program, sk);
	if (known && known->direction == DIRECTION_INBOUND && !known->established_ns) {
		known->established_ns = socket.established_ns;
		return merged(c);
	}
	socket.id = socket_id(socket.established_ns);
	if (!remember(reads, sk, &socket) && gives(PROGRAM_network__getpeername4, KIND_NETWORK_ACCEPT))
		return ended(c, KIND_NETWORK_ACCEPT, OUTCOME_TABLE_FULL);
	return merged(c);
}

/* SYN_RECV ended without a connection: of interest only where it began with a connect, or was accepted with TCP
 * Fast Open.
 */
static __always_inline int on_half_open_closed(enum reads reads, struct program_counters *c, enum program program,
					       const struct sock *sk)
{
	struct socket_entry *socket = socket_of(reads, sk);

	if (socket && socket->direction == DIRECTION_INBOUND)
		return on_closed(reads, c, program, sk, BPF_TCP_SYN_RECV);
	return socket && socket->stage == STAGE_CROSSED ? on_refused(reads, c, program, sk) : ignored(c);
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
		return on_crossed(reads, c, sk);
	case CHANGE(BPF_TCP_SYN_SENT, BPF_TCP_CLOSE):
		return on_refused(reads, c, program, sk);
	case CHANGE(BPF_TCP_SYN_RECV, BPF_TCP_ESTABLISHED):
		return on_established(reads, c, program, sk);
	case CHANGE(BPF_TCP_SYN_RECV, BPF_TCP_CLOSE):
		return on_half_open_closed(reads, c, program, sk);
	case CHANGE(BPF_TCP_ESTABLISHED, BPF_TCP_FIN_WAIT1):
	case CHANGE(BPF_TCP_CLOSE_WAIT, BPF_TCP_LAST_ACK):
	case CHANGE(BPF_TCP_SYN_RECV, BPF_TCP_FIN_WAIT1):
		return on_closing(reads, c, program, sk);
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

/* What network.connect lacks without fexit, and without a cgroup2 tree. */
#define NO_ERRNO          "errno where no SYN left"
#define NO_PENDING        "pending where there is no answer"
#define NO_ROUTE          "connect without a route"
#define NO_ROUTE_OF_MPTCP "connect of MPTCP without a route"
#define DENIED            "connect that a program of the cgroup denies"

SEC("tp_btf/inet_sock_set_state")
GIVES("network.connect", 1, "")
GIVES("network.connect", 2, NO_PENDING)
GIVES("network.connect", 3, NO_ERRNO)
MISSES("network.connect", 3, NO_ROUTE_OF_MPTCP)
GIVES("network.connect", 4, NO_ERRNO "; " NO_PENDING)
MISSES("network.connect", 4, NO_ROUTE)
MISSES("network.connect", 4, NO_ROUTE_OF_MPTCP)
MISSES("network.connect", 4, DENIED)
GIVES("network.listen", 2, "port without bind; result: a listen that then fails is told too")
GIVES("network.close", 1, "")
GIVES("network.accept", 1, "")
GIVES("network.accept", 2, "")
GIVES("network.accept", 3, "")
TAKES("inet_sock_set_state", 3)
int BPF_PROG(network__inet_sock_set_state, const struct sock *sk, int oldstate, int newstate)
{
	return on_state(DIRECT, PROGRAM_network__inet_sock_set_state, sk, oldstate, newstate);
}

SEC("raw_tp/inet_sock_set_state")
GIVES("network.connect", 5, NO_ERRNO "; " NO_PENDING)
MISSES("network.connect", 5, NO_ROUTE)
MISSES("network.connect", 5, NO_ROUTE_OF_MPTCP)
MISSES("network.connect", 5, DENIED)
GIVES("network.listen", 3, "port without bind; result: a listen that then fails is told too")
GIVES("network.close", 2, "")
GIVES("network.accept", 4, "")
int BPF_PROG(network__inet_sock_set_state_raw, const struct sock *sk, int oldstate, int newstate)
{
	return on_state(PROBED, PROGRAM_network__inet_sock_set_state_raw, sk, oldstate, newstate);
}

/* LISTEN_CB tells the true port without bind too, and only what succeeded; not a second listen, which changes the
 * backlog.
 */
static __always_inline int on_sock_op(struct program_counters *c, struct bpf_sock_ops *ops, const struct sock *sk)
{
	switch (ops->op) {
	case BPF_SOCK_OPS_TCP_LISTEN_CB:
		return on_listen(DIRECT, c, PROGRAM_network__sock_ops, sk);
	case BPF_SOCK_OPS_TCP_CONNECT_CB:
		return on_syn_leaves(c, ops, sk);
	case BPF_SOCK_OPS_RTO_CB:
		return on_unanswered(c, ops, sk);
	}
	return ignored(c);
}

static __always_inline bool is_of_interest(__u32 op)
{
	return op == BPF_SOCK_OPS_TCP_LISTEN_CB || op == BPF_SOCK_OPS_TCP_CONNECT_CB || op == BPF_SOCK_OPS_RTO_CB;
}

SEC("sockops")
GIVES("network.listen", 1, "")
GIVES("network.connect", 1, "")
GIVES("network.connect", 3, "")
int network__sock_ops(struct bpf_sock_ops *ops)
{
	struct program_counters *c = begin(PROGRAM_network__sock_ops);
	struct bpf_sock *sk;
	struct tcp_sock *tcp;

	if (!c)
		return 1;
	if (!is_of_interest(ops->op)) {
		ignored(c);
		return 1;
	}
	sk = ops->sk;
	tcp = sk ? bpf_skc_to_tcp_sock(sk) : 0;
	if (tcp)
		on_sock_op(c, ops, (const struct sock *)tcp);
	else
		ignored(c);
	return 1;
}

#endif
