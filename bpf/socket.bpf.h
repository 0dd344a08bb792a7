/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* What a TCP socket is, and who opened it. */
#ifndef WEIR_SOCKET_H
#define WEIR_SOCKET_H

/* What is remembered of a socket between its states. */
struct socket_entry {
	struct actor actor; /* who opened it; who closed it where closed_by_actor; else all zero */
	__u64 id;
	__u64 start_ns;       /* SYN_SENT */
	__u64 established_ns; /* 0: not yet, or before the hooks */
	__u8 direction;       /* enum direction */
	__u8 closed_by_actor;
	__u8 crossed;  /* SYN_SENT became SYN_RECV: a connect to itself, or both ends at once */
	__u8 syn_left; /* tcp_v4_connect or tcp_v6_connect returned without an error */
	__u32 pad;
};

/* TCP sockets from SYN_SENT, or from their establishment, to CLOSE; the key is the address of struct sock.
 * Programs alone use it. Go sets the size. Full: events of the sockets that found no room are sent without an
 * actor: they lack a detail, and are not lost.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_RDONLY);
	__type(key, __u64);
	__type(value, struct socket_entry);
} sockets SEC(".maps");

static __always_inline struct socket_entry *socket_of(const struct sock *sk)
{
	__u64 key = (__u64)sk;

	return bpf_map_lookup_elem(&sockets, &key);
}

static __always_inline void remember(const struct sock *sk, const struct socket_entry *socket)
{
	__u64 key = (__u64)sk;

	bpf_map_update_elem(&sockets, &key, socket, BPF_ANY);
}

static __always_inline void forget(const struct sock *sk)
{
	__u64 key = (__u64)sk;

	bpf_map_delete_elem(&sockets, &key);
}

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
}

/* Where connect was to go, when the socket does not know it: it was refused before. */
static __always_inline void set_remote_ipv4(struct connection *c, const void *sockaddr)
{
	struct sockaddr_in to = {};

	bpf_probe_read_kernel(&to, sizeof(to), sockaddr);
	c->remote[0] = to.sin_addr;
	c->remote_port = bpf_ntohs(to.sin_port);
}

static __always_inline void set_remote_ipv6(struct connection *c, const void *sockaddr)
{
	struct sockaddr_in6 to = {};

	bpf_probe_read_kernel(&to, sizeof(to), sockaddr);
	c->remote_port = bpf_ntohs(to.sin6_port);
	if (!is_mapped(to.sin6_addr)) {
		__builtin_memcpy(c->remote, to.sin6_addr, sizeof(c->remote));
		return;
	}
	c->family = AF_INET;
	c->ipv4_mapped = 1;
	c->remote[0] = to.sin6_addr[3];
	if (!is_mapped(c->local))
		__builtin_memset(c->local, 0, sizeof(c->local)); /* it was ::, as the socket has no IPv6 address */
}

/* The actor where it is known, or nobody: no field of an unknown actor looks like root's. */
static __always_inline void fill_known_actor(struct actor *a, const struct socket_entry *socket)
{
	if (socket && socket->actor.key.tgid) {
		*a = socket->actor;
		return;
	}
	__builtin_memset(a, 0, sizeof(*a));
	a->uid = a->gid = a->euid = a->egid = ~0U;
}

#endif
