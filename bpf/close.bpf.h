/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* network.close: the end of a connection that was established. */
#ifndef WEIR_CLOSE_H
#define WEIR_CLOSE_H

/* A change that only close and shutdown cause, in the context of the task that calls them. The kernel's own
 * threads close for others (MPTCP, descriptors in flight): they are not who did it.
 */
static __always_inline void remember_closer(enum reads reads, const struct sock *sk)
{
	struct task_struct *task = current_task();
	struct socket_entry unseen = {.stage = STAGE_OPEN}, *socket = socket_of(reads, sk);

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
	remember(reads, sk, &unseen);
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

static __always_inline __u64 duration(__u64 now, const struct socket_entry *socket)
{
	if (!socket)
		return 0;
	if (socket->established_ns)
		return now - socket->established_ns;
	return socket->pending ? now - socket->start_ns : 0;
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
	s->not_established = socket && socket->pending && !socket->established_ns;
	s->pad = 0;
	s->duration_ns = duration(s->head.time_ns, socket);
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
	struct socket_entry *socket;
	bool open = old == BPF_TCP_ESTABLISHED || old == BPF_TCP_CLOSE_WAIT;

	if (open && READ(reads, sk, sk_shutdown) == SHUTDOWN_MASK)
		remember_closer(reads, sk);
	socket = socket_of(reads, sk);
	if (gives(program, KIND_NETWORK_CLOSE))
		send_close(reads, c, program, sk, old, socket);
	else
		ignored(c);
	forget(sk, socket);
	return 0;
}

#endif
