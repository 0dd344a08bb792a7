//go:build ignore
// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0)
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "sample.h"
char LICENSE[] SEC("license") = "Dual BSD/GPL";
const struct fork_sample *u1; const struct exec_sample *u2; const struct process_sample *u3; const struct exit_sample *u4;
const struct connect_sample *u5; const struct listen_sample *u6; const struct close_sample *u7; const enum kind *u8; const enum outcome *u9; const enum path_end *u10; const enum direction *u11;
