/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* Connections that come in. */
#ifndef WEIR_ACCEPT_H
#define WEIR_ACCEPT_H

/* A connection came in: whoever accepts it is not known here, and current is a stranger. */
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
	socket.id = socket_id(socket.established_ns);
	remember(reads, sk, &socket);
	return merged(c);
}

#endif
