/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* block.io: how long requests to disks took, and how large they were. Histograms, counted. */
#ifndef WEIR_BLOCK_H
#define WEIR_BLOCK_H

/* The last part of a request is done. start_time_ns is on CLOCK_MONOTONIC, and 0 where the disk keeps no statistics
 * (/sys/block/NAME/queue/iostats).
 */
static __always_inline int on_completed(struct program_counters *c, struct request *request, bool failed, __u32 size)
{
	struct count_key key = {.epoch = count_epoch, .kind = KIND_BLOCK_IO};
	struct block_key *by = (void *)key.by;
	__u64 made = request->start_time_ns;

	by->device = disk_of(request);
	by->operation = request->cmd_flags & REQ_OP_MASK;
	by->failed = failed;
	by->size = slot_of(size);
	by->no_latency = made == 0;
	if (made)
		by->latency = slot_of((bpf_ktime_get_ns() - made) / 1000);
	return ended(c, KIND_BLOCK_IO, count_quietly(KIND_BLOCK_IO, &key, size));
}

/* block/blk-mq.c, blk_update_request: for each part of a request that is done, before it is taken off. */
SEC("tp_btf/block_rq_complete")
GIVES("block.io", 1, "")
TAKES("block_rq_complete", 3)
int BPF_PROG(block__block_rq_complete, struct request *request, int error, unsigned int bytes)
{
	enum program program = PROGRAM_block__block_rq_complete;
	struct program_counters *c = begin(program);

	if (!c)
		return 0;
	if (!gives(program, KIND_BLOCK_IO))
		return ignored(c);
	if (bytes < request->__data_len && !error)
		return merged(c); /* more of it is under way */
	return on_completed(c, request, error != 0, bytes);
}

#endif
