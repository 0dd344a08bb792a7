/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* What a program says of itself. Go reads it from the object (ladder.go): there is no second list. */
#ifndef WEIR_LADDER_H
#define WEIR_LADDER_H

/* The program is part of this rung of the kind's ladder: 1 is tried first. All programs that name the same
 * rung are needed. lacks names the fields that its events have not, or when they have them not; "; " stands between
 * two. collector/attach tries each, on every kernel: trials_test.go.
 */
#define GIVES(kind, rung, lacks) __attribute__((btf_decl_tag("gives:" kind ":" #rung ":" lacks)))

/* A way in that the rung does not see: no event comes of it. Tried as what it lacks is. */
#define MISSES(kind, rung, way) __attribute__((btf_decl_tag("misses:" kind ":" #rung ":" way)))

/* What the program costs beside its runs. A rung with a price is not taken unless the configuration buys it. */
#define COSTS(price) __attribute__((btf_decl_tag("costs:" price)))

/* The hook's function or tracepoint has to take so many arguments: a wrong signature may load and read garbage. */
#define TAKES(hook, arguments) __attribute__((btf_decl_tag("takes:" hook ":" #arguments)))

/* The program's number in samples and counters; its name is the program's. Programs are attached in this order:
 * what completes inet_sock_set_state comes before it, so that nothing falls between the two; what leaves it notes
 * comes behind it, so that none is left for nobody.
 */
enum program {
	PROGRAM_process__task_newtask = 0,
	PROGRAM_process__task_newtask_raw,
	PROGRAM_process__sched_process_exec,
	PROGRAM_process__sched_process_exec_raw,
	PROGRAM_process__sched_process_exit,
	PROGRAM_process__sched_process_exit_live,
	PROGRAM_process__sched_process_exit_raw,
	PROGRAM_process__iter_task,
	PROGRAM_network__tcp_v4_connect,
	PROGRAM_network__tcp_v6_connect,
	PROGRAM_network__sock_ops,
	PROGRAM_network__inet_sock_set_state,
	PROGRAM_network__inet_sock_set_state_raw,
	PROGRAM_capability__cap_capable,
	PROGRAM_capability__cap_capable_tp,
	PROGRAM_network__tcp_v4_pre_connect,
	PROGRAM_network__tcp_v6_pre_connect,
	PROGRAM_network__connect4,
	PROGRAM_network__connect6,
	PROGRAM_network__sock_release,
	PROGRAM_process__sys_execve,
	PROGRAM_process__sys_execveat,
	PROGRAM_process__compat_sys_execve,
	PROGRAM_process__compat_sys_execveat,
	PROGRAM_process__sys_exit_execve,
	PROGRAM_process__sys_exit_execveat,
	PROGRAM_network__inet_csk_accept,
	PROGRAM_network__inet_csk_accept_flags,
	PROGRAM_network__getpeername4,
	PROGRAM_network__getpeername6,
	PROGRAM_network__iter_task_file,
	PROGRAM_network__tcp_retransmit_skb,
	PROGRAM_network__tcp_retransmit_skb_err,
	PROGRAM_socket__security_socket_create,
	PROGRAM_socket__sock_create,
	PROGRAM_block__block_rq_complete,
	PROGRAM_COUNT,
};

#endif
