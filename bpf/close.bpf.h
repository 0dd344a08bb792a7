/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* network.close: the end of a connection that was established. */
#ifndef WEIR_CLOSE_H
#define WEIR_CLOSE_H

/* A change that only a task causes which closes or shuts sk, in its context. The kernel's own threads close for
 * others (MPTCP, descriptors in flight): they are not who did it. Whose the connection is, was not seen where the
 * table knows nobody: that is current, if it opened the socket.
 */
static __always_inline void remember_closer(enum reads reads, const struct sock *sk, struct socket_entry *socket)
{
	if (READ(reads, sk, sk_socket))
		socket->accepted = 1;
	if (socket->closer.tgid || is_kernel_thread(reads))
		return;
	socket->closer = current_key(reads);
	if (socket->actor.key.tgid)
		return;
	fill_current(reads, &socket->actor);
	socket->closed_by_actor = !is_opened_by_current(reads, sk);
}

static __always_inline int on_closing(enum reads reads, struct program_counters *c, enum program program,
				      const struct sock *sk)
{
	struct socket_entry unseen = {.stage = STAGE_OPEN}, *socket = socket_of(reads, sk);

	if (!socket) {
		unseen.id = socket_id(bpf_ktime_get_boot_ns());
		remember_closer(reads, sk, &unseen);
		remember(reads, sk, &unseen);
		return merged(c);
	}
	remember_closer(reads, sk, socket);
	if (is_late(program, socket) && !socket->closed_by_actor && socket->actor.key.tgid)
		return send_late_accept(reads, c, program, sk, socket);
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

/* Whether a task makes an end of an open connection in its own context: it closes what has unread data or lingers
 * for no time, disconnects it, or lets go of a listener's backlog; and whoever aborts it by a command. In softirq
 * the mask is set only after the state, and an error before it.
 */
static __always_inline bool is_aborted(__u8 shutdown, int error, int old)
{
	bool open = old == BPF_TCP_ESTABLISHED || old == BPF_TCP_CLOSE_WAIT;

	return error == ECONNABORTED || (open && (shutdown == SHUTDOWN_MASK || !error));
}

static __always_inline enum first_closer first_closer(int old, int error, bool aborted)
{
	switch (old) {
	case BPF_TCP_CLOSE_WAIT:
	case BPF_TCP_LAST_ACK:
		return FIRST_CLOSER_REMOTE;
	case BPF_TCP_ESTABLISHED:
		if (aborted)
			return FIRST_CLOSER_LOCAL;
		return error == ECONNRESET ? FIRST_CLOSER_REMOTE : FIRST_CLOSER_NEITHER;
	case BPF_TCP_SYN_RECV:
		return error == ECONNRESET ? FIRST_CLOSER_REMOTE : FIRST_CLOSER_UNKNOWN;
	case BPF_TCP_SYN_SENT:
		return FIRST_CLOSER_UNKNOWN;
	}
	return FIRST_CLOSER_LOCAL;
}

/* tcp_reset also runs for data that comes after close, which is answered with a reset: both leave the same error. */
static __always_inline enum reset_by reset_by(int old, __u8 shutdown, int error, bool aborted)
{
	bool waits = old == BPF_TCP_FIN_WAIT1 || old == BPF_TCP_FIN_WAIT2;

	if (aborted)
		return RESET_BY_LOCAL;
	if (error != ECONNRESET && !(error == EPIPE && old == BPF_TCP_CLOSE_WAIT))
		return RESET_BY_NOBODY;
	return waits && shutdown & RCV_SHUTDOWN ? RESET_BY_EITHER : RESET_BY_REMOTE;
}

/* The closer is told where it is another than the actor. */
static __always_inline void fill_closer(struct close_sample *s, const struct socket_entry *socket)
{
	const struct process_key *closer = &socket->closer, *actor = &s->head.actor.key;

	if (closer->tgid != actor->tgid || closer->start_ns != actor->start_ns ||
	    closer->exec_count != actor->exec_count)
		s->closer = *closer;
}

/* Sends network.close; socket is NULL where nothing of the connection was seen before. */
static __always_inline int send_close(enum reads reads, struct program_counters *c, enum program program,
				      const struct sock *sk, int old, const struct socket_entry *socket, bool aborted)
{
	struct close_sample *s = RESERVE(struct close_sample, KIND_NETWORK_CLOSE, program);
	int error = READ(reads, sk, sk_err);

	if (!s)
		return ended(c, KIND_NETWORK_CLOSE, OUTCOME_RING_FULL);
	__builtin_memset(&s->closer, 0, sizeof(*s) - offsetof(struct close_sample, closer));
	fill_known_actor(&s->head.actor, socket);
	fill_connection(reads, &s->connection, sk, socket ? socket->id : 0);
	s->error = error;
	s->first_closer = first_closer(old, error, aborted);
	s->reset_by = reset_by(old, READ(reads, sk, sk_shutdown), error, aborted);
	if (socket) {
		s->direction = socket->direction;
		s->actor_is_closer = socket->closed_by_actor;
		s->never_accepted = socket->direction == DIRECTION_INBOUND && !socket->accepted;
		s->duration_ns = duration(s->head.time_ns, socket);
		s->not_established = socket->pending && !socket->established_ns;
		fill_closer(s, socket);
	}
	fill_traffic(s, sk, old);
	return submit(c, KIND_NETWORK_CLOSE, s);
}

/* A connection ended. One that a process has, and whose accept was not seen, is told to be accepted first: that is
 * an event of its own, and counts as a run of its own.
 */
static __always_inline int on_closed(enum reads reads, struct program_counters *c, enum program program,
				     const struct sock *sk, int old)
{
	struct socket_entry unseen = {.stage = STAGE_OPEN}, *socket = socket_of(reads, sk);
	bool aborted = is_aborted(READ(reads, sk, sk_shutdown), READ(reads, sk, sk_err), old);

	if (!socket && aborted)
		socket = &unseen;
	if (socket && aborted)
		remember_closer(reads, sk, socket);
	else if (socket && READ(reads, sk, sk_socket))
		socket->accepted = 1;
	if (socket && is_late(program, socket)) {
		send_late_accept(reads, c, program, sk, socket);
		c = begin(program);
		if (!c)
			return 0;
	}
	if (gives(program, KIND_NETWORK_CLOSE))
		send_close(reads, c, program, sk, old, socket, aborted);
	else
		ignored(c);
	forget(sk, socket);
	return 0;
}

#endif
