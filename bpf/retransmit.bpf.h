/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* network.retransmit: a TCP segment was sent again. Counted by connection and cause. */
#ifndef WEIR_RETRANSMIT_H
#define WEIR_RETRANSMIT_H

/* The stack does not say why: a probe is what its timer stands at, and recovery what congestion control is in. */
static __always_inline enum retransmit_cause cause_of(const struct sock *sk, int state)
{
	const struct inet_connection_sock *icsk = (const struct inet_connection_sock *)sk;
	__u64 congestion;

	if (state == BPF_TCP_SYN_SENT || state == BPF_TCP_SYN_RECV)
		return RETRANSMIT_SYN;
	if (BPF_CORE_READ(icsk, icsk_pending) == ICSK_TIME_LOSS_PROBE)
		return RETRANSMIT_LOSS_PROBE;
	congestion = BPF_CORE_READ_BITFIELD_PROBED(icsk, icsk_ca_state);
	if (congestion == TCP_CA_Loss)
		return RETRANSMIT_TIMEOUT;
	return congestion == TCP_CA_Recovery ? RETRANSMIT_FAST : RETRANSMIT_OTHER;
}

static __always_inline void fill_retransmit(struct retransmit_key *by, const struct sock *sk, __u64 socket)
{
	struct connection ends;

	fill_connection(DIRECT, &ends, sk, socket);
	__builtin_memcpy(by->local, ends.local, sizeof(by->local));
	__builtin_memcpy(by->remote, ends.remote, sizeof(by->remote));
	by->socket = socket;
	by->network_namespace = ends.network_namespace;
	by->local_port = ends.local_port;
	by->remote_port = ends.remote_port;
	by->family = ends.family;
	by->ipv4_mapped = ends.ipv4_mapped;
	by->state = sk->__sk_common.skc_state;
	by->cause = cause_of(sk, by->state);
}

/* In a timer or in softirq, where current is a stranger: the owner is who opened the connection. */
static __always_inline int on_retransmit(enum program program, const struct sock *sk, int error)
{
	struct program_counters *c = begin(program);
	struct count_key key = {.epoch = count_epoch, .kind = KIND_NETWORK_RETRANSMIT};
	struct retransmit_key *by = (void *)key.by;
	struct socket_entry *socket;
	struct actor actor;

	if (!c)
		return 0;
	if (!gives(program, KIND_NETWORK_RETRANSMIT))
		return ignored(c);
	socket = socket_of(DIRECT, sk);
	fill_retransmit(by, sk, socket ? socket->id : 0);
	by->failed = error != 0;
	if (add(&key, 0))
		return ended(c, KIND_NETWORK_RETRANSMIT, OUTCOME_COUNTED);
	fill_known_actor(&actor, socket);
	return ended(c, KIND_NETWORK_RETRANSMIT, begin_count(KIND_NETWORK_RETRANSMIT, program, &key, 0, &actor));
}

SEC("tp_btf/tcp_retransmit_skb")
GIVES("network.retransmit", 1, "")
TAKES("tcp_retransmit_skb", 3)
int BPF_PROG(network__tcp_retransmit_skb_err, const struct sock *sk, const struct sk_buff *skb, int error)
{
	return on_retransmit(PROGRAM_network__tcp_retransmit_skb_err, sk, error);
}

SEC("tp_btf/tcp_retransmit_skb")
GIVES("network.retransmit", 2, "")
TAKES("tcp_retransmit_skb", 2)
int BPF_PROG(network__tcp_retransmit_skb, const struct sock *sk, const struct sk_buff *skb)
{
	return on_retransmit(PROGRAM_network__tcp_retransmit_skb, sk, 0);
}

#endif
