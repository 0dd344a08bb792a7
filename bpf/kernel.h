/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* The few kernel types that the programs read, with the members that they read. Offsets come from the
 * running kernel's BTF; order, size and what is left out do not matter here.
 */
#ifndef WEIR_KERNEL_H
#define WEIR_KERNEL_H

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

/* include/linux/ns_common.h; the namespaces that hold one */
struct ns_common {
	unsigned int inum;
};
struct pid_namespace {
	struct ns_common ns;
};
struct mnt_namespace {
	struct ns_common ns;
};
struct user_namespace {
	int level;
	struct ns_common ns;
};
struct net {
	struct ns_common ns;
};
struct nsproxy {
	struct mnt_namespace *mnt_ns;
	struct net *net_ns;
};

/* include/linux/pid.h */
struct upid {
	int nr;
	struct pid_namespace *ns;
};
struct pid {
	unsigned int level;
	struct upid numbers[1];
};

/* include/linux/uidgid.h */
typedef struct {
	unsigned int val;
} kuid_t;
typedef struct {
	unsigned int val;
} kgid_t;

/* fs/kernfs/kernfs-internal.h, include/linux/kernfs.h, include/linux/cgroup-defs.h */
struct kernfs_iattrs {
	kuid_t ia_uid;
};
struct kernfs_node {
	__u64 id;
	const char *name;
	struct kernfs_iattrs *iattr;
};
struct cgroup_root;
struct cgroup_subsys_state {
	struct cgroup *cgroup;
	struct cgroup_subsys_state *parent;
};
struct cgroup {
	struct cgroup_subsys_state self;
	struct kernfs_node *kn;
	struct cgroup_root *root;
	int level;
};
struct css_set {
	struct cgroup_subsys_state *subsys[1];
	struct cgroup *dfl_cgrp;
};
enum cgroup_subsys_id {
	memory_cgrp_id = 4,
	pids_cgrp_id = 10,
};

/* include/linux/cred.h */
typedef struct {
	__u64 val;
} kernel_cap_t;
struct cred {
	kuid_t uid, euid;
	kgid_t gid, egid;
	kernel_cap_t cap_effective;
	struct user_namespace *user_ns;
};

/* include/linux/fs.h, include/linux/dcache.h, fs/mount.h */
struct super_block {
	__u32 s_dev;
	unsigned long s_magic;
	struct user_namespace *s_user_ns;
};
struct timespec64 {
	__s64 tv_sec;
	long tv_nsec;
};
struct inode {
	__u16 i_mode;
	unsigned int i_nlink;
	unsigned long i_ino;
	__s64 i_size;
	struct super_block *i_sb;
	__s64 i_ctime_sec; /* from 6.11 on */
	__u32 i_ctime_nsec;
};
struct inode___6_6 {
	struct timespec64 __i_ctime;
};
struct inode___old {
	struct timespec64 i_ctime;
};
struct qstr {
	const unsigned char *name;
};
struct dentry {
	struct inode *d_inode;
	struct dentry *d_parent;
	struct qstr d_name;
};
struct vfsmount {
	struct dentry *mnt_root;
};
struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
};
struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};
struct file {
	struct path f_path;
	struct inode *f_inode;
	const struct cred *f_cred;
	void *private_data;
};
struct fs_struct {
	struct path root, pwd;
};

/* include/linux/tty.h, include/linux/tty_driver.h */
struct tty_driver {
	int major, minor_start;
};
struct tty_struct {
	int index;
	struct tty_driver *driver;
};

/* include/linux/types.h */
struct list_head {
	struct list_head *next;
};

/* include/linux/sched/signal.h; times are ns, maxrss is pages */
typedef struct {
	int counter;
} atomic_t;
enum {
	SIGNAL_GROUP_EXIT = 0x4,
	PIDTYPE_SID = 3,
};
struct signal_struct {
	atomic_t live;
	int nr_threads;
	struct list_head thread_head;
	int group_exit_code;
	unsigned int flags;
	struct pid *pids[PIDTYPE_SID + 1];
	struct tty_struct *tty;
	__u64 utime, stime;
	unsigned long long sum_sched_runtime;
	unsigned long maxrss;
};

/* arch/x86/include/asm/ptrace.h, arch/arm64/include/asm/ptrace.h */
struct pt_regs {
#ifdef __TARGET_ARCH_arm64
	__u64 regs[31];
	__u64 orig_x0;
#else
	unsigned long bx, cx, dx, si, di, r10;
#endif
};

/* include/linux/signal_types.h */
typedef struct {
	unsigned long sig[1];
} sigset_t;
struct sigpending {
	sigset_t signal;
};

/* include/linux/mm_types.h, include/linux/sched.h */
struct mm_struct {
	unsigned long arg_start, arg_end, env_start, env_end;
	struct file *exe_file;
};
enum {
	PF_KTHREAD = 0x00200000,
	CLONE_THREAD = 0x00010000,
};
struct sched_entity {
	__u64 sum_exec_runtime;
};
struct task_struct {
	unsigned int flags;
	void *stack;
	struct sched_entity se;
	sigset_t blocked;
	struct sigpending pending;
	int pid, tgid;
	int exit_code;
	struct list_head thread_node;
	__u64 utime, stime;
	__u64 start_boottime;
	__u64 self_exec_id;
	struct task_struct *group_leader, *real_parent;
	struct pid *thread_pid;
	const struct cred *cred;
	struct css_set *cgroups;
	struct nsproxy *nsproxy;
	struct signal_struct *signal;
	struct mm_struct *mm;
	struct fs_struct *fs;
	kuid_t loginuid;        /* CONFIG_AUDIT */
	unsigned int sessionid; /* CONFIG_AUDIT */
	char comm[16];
};

/* include/linux/binfmts.h */
struct linux_binprm {
	unsigned int secureexec : 1;
	int argc;
	const char *filename, *interp;
};

/* include/linux/net.h */
struct socket {
	struct file *file;
	struct sock *sk;
};

/* include/net/sock.h, include/net/inet_sock.h, include/linux/tcp.h, net/mptcp/protocol.h */
struct in6_addr {
	__u32 words[4];
};
typedef struct {
	struct net *net;
} possible_net_t;
struct sock_common {
	__be32 skc_daddr, skc_rcv_saddr;
	__be16 skc_dport;
	unsigned short skc_family, skc_num;
	volatile unsigned char skc_state;
	unsigned char skc_ipv6only : 1;
	int skc_bound_dev_if;
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr, skc_v6_rcv_saddr;
	unsigned long skc_flags;
};
struct sock {
	struct sock_common __sk_common;
	__u8 sk_kern_sock : 1;
	__u16 sk_protocol;
	int sk_err;
	__u32 sk_ack_backlog, sk_max_ack_backlog;
	unsigned char sk_shutdown;
	struct socket *sk_socket;
};
struct inet_sock {
	__be16 inet_sport;
};
struct tcp_sock {
	__u64 bytes_acked, bytes_received;
	__u32 segs_out, segs_in;
	__u32 snd_una, write_seq;
	bool is_mptcp; /* CONFIG_MPTCP */
};
/* net/mptcp/protocol.h */
struct mptcp_sock {
	struct sock *first;
};
enum {
	AF_INET = 2,
	AF_INET6 = 10,
	AF_PACKET = 17,
	PROTOCOL_TCP = 6,
	PROTOCOL_MPTCP = 262,
	RCV_SHUTDOWN = 1,
	SHUTDOWN_MASK = 3,
	SOCK_DONE = 1, /* enum sock_flags: a bit's number */
	EPIPE = 32,    /* include/uapi/asm-generic/errno.h */
	ECONNABORTED = 103,
	ECONNRESET = 104,
};
struct inet_connection_sock {
	__u8 icsk_ca_state : 5;
	__u8 icsk_pending;
};
enum {
	TCP_CA_Recovery = 3,
	TCP_CA_Loss = 4,
	ICSK_TIME_LOSS_PROBE = 5,
};

/* include/linux/blk-mq.h, include/linux/blkdev.h */
struct gendisk {
	int major, first_minor;
};
struct request_queue {
	struct gendisk *disk; /* from 5.15 on */
};
struct request {
	struct request_queue *q;
	unsigned int cmd_flags;
	unsigned int __data_len;
	__u64 start_time_ns;
};
struct request___old {
	struct gendisk *rq_disk; /* up to 5.16 */
};
enum {
	REQ_OP_MASK = 0xff,
};

/* kernel/bpf/task_iter.c, include/linux/bpf.h */
struct seq_file;
struct bpf_iter_meta {
	struct seq_file *seq;
};
struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};
struct bpf_iter__task_file {
	struct task_struct *task;
	struct file *file;
};

#pragma clang attribute pop

/* include/uapi/linux/in.h, in6.h: the same on every kernel, and so not relocated */
struct sockaddr_in {
	__u16 sin_family;
	__be16 sin_port;
	__be32 sin_addr;
};
struct sockaddr_in6 {
	__u16 sin6_family;
	__be16 sin6_port;
	__be32 sin6_flowinfo;
	__u32 sin6_addr[4];
};
struct sockaddr;
struct sk_buff;

#endif
