/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* network.listen. */
#ifndef WEIR_LISTEN_H
#define WEIR_LISTEN_H

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

#endif
