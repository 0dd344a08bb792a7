//go:build ignore
// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0)
/* The kernel side of weir: one object, one set of maps. */
#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "kernel.h"
#include "read.h"
#include "compat.h"
#include "sample.h"
#include "ladder.h"
#include "maps.bpf.h"
#include "scratch.bpf.h"
#include "cgroup.bpf.h"
#include "task.bpf.h"
#include "path.bpf.h"
#include "process.bpf.h"
#include "exec.bpf.h"
#include "exec_failed.bpf.h"
#include "exit.bpf.h"
#include "socket.bpf.h"
#include "accept.bpf.h"
#include "close.bpf.h"
#include "connect.bpf.h"
#include "attempt.bpf.h"
#include "listen.bpf.h"
#include "network.bpf.h"
#include "count.bpf.h"
#include "capability.bpf.h"
#include "seed.bpf.h"
#include "retransmit.bpf.h"
#include "socket_create.bpf.h"
#include "block.bpf.h"

/* Clang leaves out of the object's types what no map and no variable names, and bpf2go looks for them there. */
union crossing {
	enum kind kind;
	enum outcome outcome;
	enum program program;
	enum path_end path_end;
	enum direction direction;
	enum connect_result connect_result;
	struct fork_sample fork_sample;
	struct exec_sample exec_sample;
	struct process_sample process_sample;
	struct exec_failed_sample exec_failed_sample;
	struct exit_sample exit_sample;
	struct connect_sample connect_sample;
	struct listen_sample listen_sample;
	struct close_sample close_sample;
	struct count_sample count_sample;
	struct program_key program_key;
	struct capability_key capability_key;
	struct socket_key socket_key;
	struct retransmit_key retransmit_key;
	struct block_key block_key;
	enum retransmit_cause retransmit_cause;
	enum capability_option capability_option;
	enum epochs epochs;
	struct accept_sample accept_sample;
	enum first_closer first_closer;
	enum reset_by reset_by;
};
const union crossing *crossing __attribute__((unused));

char LICENSE[] SEC("license") = "Dual BSD/GPL";
