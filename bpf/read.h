/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* How programs read the kernel's memory. */
#ifndef WEIR_READ_H
#define WEIR_READ_H

/* A probe read calls a helper for every pointer on the way, some 30 ns each; direct reads made process.fork,
 * process.exec and process.exit half as long (docs/performance.md). They are for pointers whose type the verifier
 * knows: the arguments of tp_btf, fentry and fexit programs, and what these lead to; not for a pointer that was
 * computed, cast or probe-read. Either way what cannot be read is 0, as the kernel handles a load's fault.
 */
enum reads {
	DIRECT, /* loads */
	PROBED, /* bpf_probe_read_kernel: raw tracepoints, cgroup programs, bpf_get_current_task */
};

/* READ(reads, task, cred, uid.val) is task->cred->uid.val. The first argument is a constant once all is inlined. */
#define READ(reads, from, ...) ((reads) == DIRECT ? ___arrow(from, __VA_ARGS__) : BPF_CORE_READ(from, __VA_ARGS__))

#endif
