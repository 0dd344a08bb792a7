/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* What a TCP socket is, and whose it is. */
#ifndef WEIR_SOCKET_H
#define WEIR_SOCKET_H

/* How far a socket is in its present life. */
enum stage {
	STAGE_NONE = 0, /* nothing is remembered of it: it closed, or its entry is older than the hooks */
	STAGE_TRYING,   /* connect was called; nothing has left the host */
	STAGE_SYN_SENT,
	STAGE_CROSSED, /* SYN_SENT became SYN_RECV: a connect to itself, or both ends at once */
	STAGE_OPEN,
};

/* What is remembered of a socket between its states. */
struct socket_entry {
	struct actor actor;        /* who opened or accepted it; who closed it where closed_by_actor; else all zero */
	struct process_key closer; /* who was the first to shut or close it */
	__u64 id;
	__u64 start_ns;       /* SYN_SENT */
	__u64 established_ns; /* 0: not yet, or before the hooks */
	__u32 epoch;
	__u32 remote[4]; /* where it was to go, at STAGE_TRYING; as remote_port in network order */
	__be16 remote_port;
	__u8 stage;     /* enum stage */
	__u8 direction; /* enum direction */
	__u8 closed_by_actor;
	__u8 syn_left;   /* tcp_v4_connect or tcp_v6_connect returned without an error */
	__u8 pending;    /* it was told as such */
	__u8 in_storage; /* not in sockets */
	__u8 accepted;   /* a process has it */
	__u8 accept_told;
};

/* TCP sockets from the call of connect, or from their establishment, to CLOSE; the key is the address of struct
 * sock. Programs alone use it. Go sets the size. Full: socket_storage.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_RDONLY);
	__type(key, __u64);
	__type(value, struct socket_entry);
} sockets SEC(".maps");

/* Those that found sockets full, so that nobody takes the room of others by opening many. An entry costs 700 ns more
 * here, and is freed with its socket. Programs alone use it. Refused (no memory, or no programs that reach it:
 * compat.h): the socket's events are sent without an actor. They lack a detail, and are not lost.
 */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct socket_entry);
} socket_storage SEC(".maps");

/* Whether socket_storage has held anything yet: until then a look into it is saved. */
__u32 storage_in_use;

/* Entries of another epoch are not looked at: Go begins a new one when programs were off their hooks, as what
 * they remember need not be so any more.
 */
__u32 socket_epoch;

/* A number for the socket's present life, made of the time and the CPU (splitmix64's finish spreads them): it
 * tells no kernel address, and 5.10 has no socket cookies here.
 */
static __always_inline __u64 socket_id(__u64 now)
{
	__u64 x = now * 0x9e3779b97f4a7c15ULL + bpf_get_smp_processor_id();

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}

/* The address as a number, of a pointer of any type: only some does the verifier take for a map's key. */
static __always_inline __u64 address_of(const void *p)
{
	__u64 address = (__u64)p;

	asm volatile("%0 = -%0; %0 = -%0" : "+r"(address));
	return address;
}

static __always_inline struct socket_entry *in_storage(enum reads reads, const struct sock *sk)
{
	if (!has_socket_storage(reads) || !*(volatile __u32 *)&storage_in_use)
		return 0;
	return bpf_sk_storage_get(&socket_storage, (void *)sk, 0, 0);
}

/* What is remembered of the socket, or NULL. */
static __always_inline struct socket_entry *socket_of(enum reads reads, const struct sock *sk)
{
	__u64 key = address_of(sk);
	struct socket_entry *socket = bpf_map_lookup_elem(&sockets, &key);

	if (!socket)
		socket = in_storage(reads, sk);
	return socket && socket->stage && socket->epoch == *(volatile __u32 *)&socket_epoch ? socket : 0;
}

static __always_inline bool put_into_storage(enum reads reads, const struct sock *sk,
					     const struct socket_entry *socket)
{
	struct socket_entry *kept;

	if (!has_socket_storage(reads))
		return false;
	storage_in_use = 1;
	kept = bpf_sk_storage_get(&socket_storage, (void *)sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (!kept)
		return false;
	*kept = *socket;
	kept->in_storage = 1;
	return true;
}

/* Begins the socket's life anew: what was remembered of it is overwritten. Reports whether there was room. */
static __always_inline bool remember(enum reads reads, const struct sock *sk, struct socket_entry *socket)
{
	__u64 key = address_of(sk);
	struct socket_entry *before = in_storage(reads, sk);

	if (before)
		before->stage = STAGE_NONE;
	socket->epoch = *(volatile __u32 *)&socket_epoch;
	return !bpf_map_update_elem(&sockets, &key, socket, BPF_ANY) || put_into_storage(reads, sk, socket);
}

/* Ends the socket's life; the same struct sock may begin another. */
static __always_inline void forget(const struct sock *sk, struct socket_entry *socket)
{
	__u64 key = address_of(sk);

	if (socket && socket->in_storage)
		socket->stage = STAGE_NONE;
	else
		bpf_map_delete_elem(&sockets, &key);
}

/* Whether the socket's file is current's own: who opens a file leaves its credentials with it, and no two
 * processes have the same ones, as fork and exec make new ones. A process that changed its own since is not
 * known by this.
 */
static __always_inline bool is_opened_by_current(enum reads reads, const struct sock *sk)
{
	const struct cred *opener = READ(reads, sk, sk_socket, file, f_cred);

	return opener && opener == BPF_CORE_READ(current_task(), cred);
}

static __always_inline bool is_mapped(const __u32 *words)
{
	return !words[0] && !words[1] && words[2] == bpf_htonl(0xffff);
}

static __always_inline bool is_unspecified(const __u32 *words)
{
	return !words[0] && !words[1] && !words[2] && !words[3];
}

static __always_inline void fill_ipv4(enum reads reads, struct connection *c, const struct sock *sk)
{
	c->family = AF_INET;
	c->local[0] = READ(reads, sk, __sk_common.skc_rcv_saddr);
	c->remote[0] = READ(reads, sk, __sk_common.skc_daddr);
}

/* A socket of mapped addresses keeps the IPv4 ones too. */
static __always_inline void fill_ipv6(enum reads reads, struct connection *c, const struct sock *sk)
{
	BPF_CORE_READ_INTO(&c->local, sk, __sk_common.skc_v6_rcv_saddr);
	BPF_CORE_READ_INTO(&c->remote, sk, __sk_common.skc_v6_daddr);
	if (!is_mapped(c->local) && !is_mapped(c->remote)) {
		c->family = AF_INET6;
		return;
	}
	__builtin_memset(c->local, 0, sizeof(c->local));
	__builtin_memset(c->remote, 0, sizeof(c->remote));
	fill_ipv4(reads, c, sk);
	c->ipv4_mapped = 1;
}

/* inet_sport and not skc_num: that is 0 already when the socket closes. It is probed, as sk is cast for it. */
static __always_inline void fill_connection(enum reads reads, struct connection *c, const struct sock *sk, __u64 id)
{
	const struct inet_sock *inet = (const struct inet_sock *)sk;

	__builtin_memset(c, 0, sizeof(*c));
	c->socket = id;
	if (READ(reads, sk, __sk_common.skc_family) == AF_INET6)
		fill_ipv6(reads, c, sk);
	else
		fill_ipv4(reads, c, sk);
	c->local_port = bpf_ntohs(BPF_CORE_READ(inet, inet_sport));
	c->remote_port = bpf_ntohs(READ(reads, sk, __sk_common.skc_dport));
	c->network_namespace = READ(reads, sk, __sk_common.skc_net.net, ns.inum);
	c->interface = READ(reads, sk, __sk_common.skc_bound_dev_if);
}

/* Where connect was to go, when the socket does not know it: it was refused before. All in network order. */
static __always_inline void set_remote_ipv4(struct connection *c, __u32 address, __be16 port)
{
	c->remote[0] = address;
	c->remote_port = bpf_ntohs(port);
}

static __always_inline void set_remote_ipv6(struct connection *c, const __u32 *address, __be16 port)
{
	c->remote_port = bpf_ntohs(port);
	if (!is_mapped(address)) {
		__builtin_memcpy(c->remote, address, sizeof(c->remote));
		return;
	}
	c->family = AF_INET;
	c->ipv4_mapped = 1;
	c->remote[0] = address[3];
	if (!is_mapped(c->local))
		__builtin_memset(c->local, 0, sizeof(c->local)); /* it was ::, as the socket has no IPv6 address */
}

/* The actor where it is known, or nobody. */
static __always_inline void fill_known_actor(struct actor *a, const struct socket_entry *socket)
{
	if (socket && socket->actor.key.tgid) {
		*a = socket->actor;
		return;
	}
	fill_nobody(a);
}

#endif
