/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* Samples: what crosses the ring buffer to Go, and what the task iterator writes. Every sample begins with
 * a head; its kind says which struct follows. Integers are the machine's own, addresses network order.
 * bpf2go carries these types to Go: there is no second declaration.
 */
#ifndef WEIR_SAMPLE_H
#define WEIR_SAMPLE_H

/* A kind of event. Its name, "process.exec", follows from the enumerator. */
enum kind {
	KIND_NONE = 0, /* a process that the task iterator found: no event */
	KIND_PROCESS_FORK,
	KIND_PROCESS_EXEC,
	KIND_PROCESS_EXIT,
	KIND_NETWORK_CONNECT,
	KIND_NETWORK_LISTEN,
	KIND_NETWORK_CLOSE,
	KIND_CAPABILITY_CHECK,
	KIND_PROCESS_EXEC_FAILED,
	KIND_NETWORK_ACCEPT,
	KIND_NETWORK_RETRANSMIT,
	KIND_SOCKET_CREATE,
	KIND_BLOCK_IO,
	KIND_COUNT,
};

/* What became of an event of a kind. */
enum outcome {
	OUTCOME_SENT = 0,
	OUTCOME_FILTERED,
	OUTCOME_COUNTED,
	OUTCOME_RATE_LIMITED,
	OUTCOME_RING_FULL,  /* the ring had no room: its sequence number is missing */
	OUTCOME_TABLE_FULL, /* no scratch slot was free: no sequence number was taken */
	OUTCOME_COUNT,
};

/* Names one program that a process ran, within one boot. All zero is no process. */
struct process_key {
	__u64 start_ns;   /* task_struct.start_boottime of the group leader */
	__u32 tgid;       /* in the initial pid namespace */
	__u32 exec_count; /* task_struct.self_exec_id */
};

/* Where a task is placed, by kernfs ids, which are unique within a hierarchy: the group in the v2 tree, and the one
 * in the v1 hierarchy of the memory controller, or of pids; 0 where v1 places it nowhere.
 */
struct cgroup_ids {
	__u64 v2, v1;
};

/* Who did it, and as whom. Where the key is zero nothing here is known. */
struct actor {
	struct process_key key;
	__u64 effective; /* cred.cap_effective */
	struct cgroup_ids cgroups;
	__u32 tid;
	__u32 uid, gid, euid, egid; /* in the initial user namespace */
	__u32 network_namespace;    /* inode number */
};

struct head {
	__u32 size;     /* of the whole sample, with what follows its struct */
	__u16 kind;     /* enum kind */
	__u16 program;  /* enum program */
	__u64 sequence; /* of the CPU, counted when a program tries to send */
	__u64 time_ns;  /* CLOCK_BOOTTIME */
	__u32 cpu;
	__u32 pad;
	struct actor actor;
};

enum {
	COMM_SIZE = 16, /* TASK_COMM_LEN */
	ARGUMENTS_MAX = 4096,
	ENVIRONMENT_MAX = 4096,
	FILENAME_MAX_SIZE = 4128,   /* PATH_MAX, and what execveat may put before it: "/dev/fd/2147483647/" */
	INTERPRETER_MAX_SIZE = 256, /* BINPRM_BUF_SIZE */
	PATH_BYTES = 1024,          /* the walk stops when a path has more */
	PATH_STEPS = 32,            /* parts and mount points of a path that are walked at most */
	NAME_SIZE = 256,            /* NAME_MAX and a NUL byte */
	CGROUP_TEXT = 768,
	PATH_MAX_SIZE = PATH_BYTES + NAME_SIZE,
};

/* How a walk of dentries ended. */
enum path_end {
	PATH_UNKNOWN = 0, /* there was none */
	PATH_WHOLE,       /* at the root */
	PATH_CUT,         /* at the walk's bound: the first parts are missing */
	PATH_DETACHED,    /* at a dentry that hangs in no tree, such as memfd:NAME */
};

/* A control group, in the map of them. */
struct cgroup_key {
	__u64 id; /* kernfs id */
	__u64 v1; /* 0: of the v2 tree; 1: of a v1 hierarchy */
};

/* The names of a group's path from the root on, each ended by a NUL byte. */
struct cgroup_path {
	__u32 owner; /* uid of the first part that does not belong to root */
	__u16 size;
	__u8 owned_from; /* that part, counted from 1; 0: all are root's */
	__u8 cut;        /* the last parts are missing */
	__u8 text[CGROUP_TEXT];
};

/* What is known of a process as a whole. Zero is unknown, where nothing else is said. */
struct process_facts {
	struct process_key parent;                                               /* leader of real_parent */
	__u32 namespace_tgid;                                                    /* in its innermost pid namespace */
	__u32 pid_namespace, mount_namespace, network_namespace, user_namespace; /* inode numbers */
	__u32 login_uid, audit_session; /* all ones where there is no login */
	__u32 tty;                      /* major << 20 | minor */
	__u32 session;                  /* process id of the session's leader */
	__u32 root_device;              /* of the root directory */
	__u64 root_inode;
	__u8 comm[COMM_SIZE]; /* of the leader; NUL ended */
};

/* The file that a process runs, and what tells later whether a file is still that one, unchanged. */
struct file_facts {
	__u64 inode;
	__u64 size_bytes;
	__u64 changed_ns; /* since 1970 */
	__u32 device;     /* super_block.s_dev, major << 20 | minor; stat may tell another one */
	__u32 filesystem; /* its magic number */
	__u32 mode;
	__u32 user_mounted; /* the file system was mounted in a user namespace: its user may be anybody */
};

/* The actor is who called clone; child and facts are of the new process. */
struct fork_sample {
	struct head head;
	struct process_key child;
	__u64 flags; /* clone's */
	struct process_facts facts;
};

/* Followed by arguments, environment, filename, interpreter, executable and working directory, each of the size told here. */
struct exec_sample {
	struct head head;
	struct process_facts facts;
	struct file_facts file;
	__u32 argument_count;
	__u32 arguments_bytes;   /* of all arguments, however many of them follow */
	__u32 environment_bytes; /* likewise; 0 where it is not read */
	__u16 arguments_size;
	__u16 environment_size;
	__u16 filename_size;
	__u16 interpreter_size;
	__u16 executable_size;
	__u16 working_directory_size;
	__u8 executable_end;        /* enum path_end */
	__u8 working_directory_end; /* enum path_end */
	__u8 deleted, memfd, secure;
	__u8 pad[3];
};

/* A call of execve or execveat that returned an error. Followed by arguments, filename and working directory, each of
 * the size told here; the first two are the caller's, as they were when the call returned, and empty where the
 * caller's memory is gone.
 */
struct exec_failed_sample {
	struct head head;
	__u32 error;          /* errno */
	__s32 directory;      /* execveat's file descriptor; AT_FDCWD of execve */
	__u32 argument_count; /* of those that follow */
	__u16 arguments_size;
	__u16 filename_size;
	__u16 working_directory_size;
	__u8 working_directory_end; /* enum path_end */
	__u8 arguments_cut;         /* there are more, or the last one is longer */
};

/* A process that the task iterator found, the actor. Followed by its executable. */
struct process_sample {
	struct head head;
	struct process_facts facts;
	struct file_facts file; /* all zero of a kernel thread */
	__u16 executable_size;
	__u8 executable_end; /* enum path_end */
	__u8 pad[5];
};

/* As wait() sees it. Ticks sample what user_ns and system_ns say, the scheduler measures run_ns: the whole is that,
 * in the proportion of the two (kernel/sched/cputime.c). What the last thread ran since the last tick is in none.
 */
struct exit_sample {
	struct head head;
	__u64 user_ns, system_ns, run_ns; /* of all threads that the process ever had */
	__u64 peak_memory_bytes;          /* signal_struct.maxrss: resident, of all programs that the process ran */
	__u32 exit_code;
	__u8 signal;
	__u8 core_dumped;
	__u16 pad;
};

/* The two ends of a TCP socket, seen from this host. */
struct connection {
	__u64 socket;   /* the same in all samples of one connection; 0 is unknown */
	__u32 local[4]; /* network order; IPv4 in the first word */
	__u32 remote[4];
	__u16 local_port, remote_port; /* host order */
	__u16 family;                  /* AF_INET or AF_INET6, of the addresses */
	__u16 ipv4_mapped;             /* an IPv6 socket holds these IPv4 addresses */
	__u32 network_namespace;       /* inode number; of the socket, which need not be the actor's */
	__u32 interface; /* index of the one that the socket is bound to, as link-local ones are; or 0 */
};

/* How an attempt to connect ended. */
enum connect_result {
	CONNECT_ANSWERED = 0, /* error tells */
	CONNECT_FAILED,       /* before a SYN left; the errno is not known */
	CONNECT_ABANDONED,    /* the process gave up before there was an answer */
	CONNECT_PENDING,      /* it has not ended: a close tells of that, with the same socket */
};

struct connect_sample {
	struct head head;
	struct connection connection;
	__u64 latency_ns; /* from the call, or from SYN_SENT, to the result */
	__u32 error;      /* errno; 0 is success, where the result is CONNECT_ANSWERED */
	__u32 result;     /* enum connect_result */
};

struct listen_sample {
	struct head head;
	__u32 address[4]; /* network order; IPv4 in the first word */
	__u16 port;
	__u16 family;
	__u16 ipv4_mapped;
	__u16 dual_stack;
	__u32 backlog;
	__u32 network_namespace;
};

enum direction {
	DIRECTION_UNKNOWN = 0, /* the connection is older than the hooks */
	DIRECTION_OUTBOUND,
	DIRECTION_INBOUND,
};

/* accept returned a connection to the actor. */
struct accept_sample {
	struct head head;
	struct connection connection;
	__u64 latency_ns;    /* since it was established; 0 is unknown, or that it was not yet */
	__u32 waiting;       /* connections that still wait at the listener; only with backlog */
	__u32 backlog;       /* how many may; 0 is unknown */
	__u16 listener_port; /* 0 is unknown */
	__u8 late;           /* the rung did not see accept, but the actor close what it had accepted */
	__u8 pad[5];
};

/* Which end was the first to close. */
enum first_closer {
	FIRST_CLOSER_UNKNOWN = 0,
	FIRST_CLOSER_LOCAL,
	FIRST_CLOSER_REMOTE,
	FIRST_CLOSER_NEITHER, /* the kernel gave up: keepalive, retransmission */
};

enum reset_by {
	RESET_BY_NOBODY = 0,
	RESET_BY_LOCAL,
	RESET_BY_REMOTE,
	RESET_BY_EITHER, /* after this end was closed: by the other, or in answer to data that came all the same */
};

/* An established connection ended, or a connect that was told as pending failed. The actor opened or accepted it, or
 * closed it where actor_is_closer.
 */
struct close_sample {
	struct head head;
	struct connection connection;
	struct process_key closer; /* who was the first to shut or close this end; zero is nobody, or the actor */
	__u64 duration_ns;         /* since it was established, or since the call of connect; 0 is unknown */
	__u64 sent_bytes;          /* payload that was acknowledged */
	__u64 received_bytes;
	__u32 sent_segments, received_segments;
	__u32 error; /* errno that ended it */
	__u8 direction;
	__u8 actor_is_closer;
	__u8 first_closer; /* enum first_closer */
	__u8 reset_by;     /* enum reset_by */
	__u8 never_accepted;
	__u8 not_established;
	__u8 pad[6];
};

/* Epochs that are counted apart: the one that is counted in, the one that is read, and what a killed reader left.
 * A power of two.
 */
enum epochs {
	EPOCHS = 4,
};

struct epoch_keys {
	__u32 of[KIND_COUNT];
};

/* What a counted kind counts by: the rest is the kind's own, and zero where it has less. */
struct count_key {
	__u32 epoch;
	__u16 kind;
	__u16 pad;
	__u64 by[7];
};

/* What was counted by one key in one epoch. */
struct count {
	struct actor actor; /* of the first */
	__u64 count;
	__u64 amount;   /* sum of what the kind adds up, such as bytes */
	__u64 first_ns; /* CLOCK_BOOTTIME */
};

/* The first of a key in long; Go makes them of what was counted, too. */
struct count_sample {
	struct head head;
	struct count_key key;
	struct count count;
};

enum capability_option {
	CAPABILITY_NOAUDIT = 0x2,  /* CAP_OPT_NOAUDIT: a refusal is not logged, as the kernel only looks */
	CAPABILITY_INSETID = 0x4,  /* CAP_OPT_INSETID: asked by setuid or setgid */
	CAPABILITY_UNKNOWN = 0x80, /* the rung does not tell */
};

/* Who does what is counted by the file that runs and where it runs, and not by process: a build is thousands of
 * processes of a few files.
 */
struct program_key {
	__u64 inode; /* of the executable; 0 is a thread of the kernel */
	struct cgroup_ids cgroups;
	__u32 device; /* major << 20 | minor */
	__u32 uid, euid;
	__u32 pad;
};

/* capability.check */
struct capability_key {
	struct program_key program; /* uid and euid are of the credentials that were asked */
	__u32 user_namespace;
	__u16 capability;
	__u8 options; /* enum capability_option */
	__u8 refused;
	__u64 pad;
};

/* socket.create */
struct socket_key {
	struct program_key program;
	__u32 family, type, protocol; /* type without its flags */
	__u32 error;                  /* errno */
};

/* Why a segment was sent again. */
enum retransmit_cause {
	RETRANSMIT_OTHER = 0,
	RETRANSMIT_TIMEOUT,    /* nothing was acknowledged in time */
	RETRANSMIT_FAST,       /* later segments were acknowledged */
	RETRANSMIT_LOSS_PROBE, /* the last segment, as its acknowledgement is late: RFC 8985 */
	RETRANSMIT_SYN,        /* the connection is being opened */
};

/* network.retransmit */
struct retransmit_key {
	__u32 local[4]; /* as in struct connection */
	__u32 remote[4];
	__u64 socket;
	__u32 network_namespace;
	__u16 local_port, remote_port;
	__u8 family;
	__u8 ipv4_mapped;
	__u8 state; /* of TCP */
	__u8 cause; /* enum retransmit_cause */
	__u8 failed;
	__u8 pad[3];
};

/* block.io: two histograms at once, of which each key is a slot of both. Slot n holds values from 2^n on, and below
 * 2^(n+1); 0 is in slot 0.
 */
struct block_key {
	__u32 device;    /* major << 20 | minor, of the disk */
	__u16 operation; /* enum req_op */
	__u16 failed;
	__u8 latency; /* slot of the us since the request was made */
	__u8 size;    /* slot of its bytes */
	__u8 no_latency;
	__u8 pad[5];
	__u64 zero[5];
};

#define FITS(kind_key)                                                                                               \
	_Static_assert(sizeof(struct kind_key) == sizeof(((struct count_key *)0)->by), "the key has to fit")
FITS(capability_key);
FITS(socket_key);
FITS(retransmit_key);
FITS(block_key);

#endif
