// Package bpf is the kernel side of weir: the programs that watch the kernel, compiled and committed, and
// what Go has to know of them.
//
//	sample.h, weir.bpf.c ──bpf2go──► weir_*_bpfel.{go,o} ──► Ladders: kinds → rungs → programs
//	                                        │
//	ring buffer, task iterator ──raw bytes──┴──► Dispatch ──► Handler
//
// weir.bpf.c is the one translation unit and includes one file a domain, of network one a kind. A program tells in
// btf_decl_tags which kinds it gives, in which rung, and what it cannot tell; Ladders reads them from the object,
// so that there is no second list. Trying rungs on a kernel is the business of collector/attach.
//
// The package imports cilium/ebpf and nothing of weir. It promises nothing to outsiders.
package bpf

// The types that cross to Go. Programs, maps and variables are found by their names.
//go:generate go tool bpf2go -go-package bpf -target amd64,arm64 -output-stem weir -type kind -type outcome -type program -type program_counters -type path_end -type direction -type connect_result -type process_key -type actor -type cgroup_ids -type cgroup_key -type cgroup_path -type head -type process_facts -type file_facts -type connection -type fork_sample -type exec_sample -type process_sample -type exit_sample -type connect_sample -type listen_sample -type close_sample -type count -type count_key -type count_sample -type capability_key -type socket_key -type retransmit_key -type retransmit_cause -type block_key -type program_key -type capability_option -type epochs -type epoch_keys -type exec_failed_sample -type accept_sample -type first_closer -type reset_by object weir.bpf.c -- -Iinclude -mcpu=v2 -O2 -g -Wall -Wextra -Werror -Wno-unused-parameter -Wno-missing-declarations
