/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* Settings, maps, and the ways in which a program can end. */
#ifndef WEIR_MAPS_H
#define WEIR_MAPS_H

/* How much waits in the ring when its reader is woken: a quarter of it. Go sets it before the object is loaded. */
const volatile __u64 wakeup_bytes = 1 << 20;

/* Up to here any kind may fill the ring: three quarters. Of the last quarter each kind has an equal share, so that
 * whoever floods the ring while its reader is away crowds out nobody but himself. Go sets both.
 */
const volatile __u64 common_bytes = 3 << 20;
const volatile __u64 share_bytes = (1 << 20) / KIND_COUNT;

/* Whether programs read the environment of what is executed; set likewise. If not, no instruction is spent on it. */
const volatile bool wants_environment = false;

/* The machine's page: arm64 has several. Go sets it likewise. */
const volatile __u64 page_bytes = 4096;

/* The kinds that each program is to give, a bit a kind: written by Go once it knows which rungs hold. */
__u32 given[PROGRAM_COUNT];

/* Samples on their way to the collector: programs write, its ring reader reads. 4 MiB hold 100 ms of 24,000
 * execs a second eight times over; Go sets the size. Full: ring_full.
 */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 << 20);
} ring SEC(".maps");

/* The ledger's kernel side, one entry a program: programs add, the collector reads. Never full. */
struct program_counters {
	__u64 runs;
	__u64 ignored;
	__u64 merged;
	__u64 outcomes[KIND_COUNT][OUTCOME_COUNT];
};
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, PROGRAM_COUNT);
	__uint(map_flags, BPF_F_RDONLY);
	__type(key, __u32);
	__type(value, struct program_counters);
} counters SEC(".maps");

/* The last sequence number of each CPU. Programs alone use it. Never full. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_RDONLY);
	__type(key, __u32);
	__type(value, __u64);
} sequence SEC(".maps");

/* What each kind has in the last quarter of the ring. Programs alone use it; what CPUs that run at the same time
 * overdraw by a sample or two is room that others may miss, never an event that is counted wrong.
 */
struct share {
	__u64 used; /* bytes; share_bytes where a sample did not fit any more */
	__u64 end;  /* position in the ring about behind them: once the reader is there, all of them are read */
};
struct share shares[KIND_COUNT];

static __always_inline bool is_common(__u32 size)
{
	return bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) + size <= common_bytes;
}

/* Reports whether the kind's share is used up, so that it is in vain to build a sample. */
static __always_inline bool is_crowded(enum kind kind)
{
	volatile struct share *share = &shares[kind];

	return !is_common(0) && share->used >= share_bytes && bpf_ringbuf_query(&ring, BPF_RB_CONS_POS) < share->end;
}

/* Takes so much of the kind's share. What does not fit ends it: the next one is not even built. */
static __always_inline bool take_share(enum kind kind, __u32 size)
{
	volatile struct share *share = &shares[kind];

	if (bpf_ringbuf_query(&ring, BPF_RB_CONS_POS) >= share->end)
		share->used = 0;
	if (share->used + size > share_bytes) {
		share->used = share_bytes;
		return false;
	}
	__sync_fetch_and_add(&share->used, size);
	share->end = bpf_ringbuf_query(&ring, BPF_RB_PROD_POS) + size;
	return true;
}

/* Every sample asks before it goes into the ring; what has no room is ring_full. */
static __always_inline bool has_room(enum kind kind, __u32 size)
{
	return is_common(size) || take_share(kind, size);
}

/* Every program begins with begin and ends with exactly one of ignored, merged and ended. */

static __always_inline struct program_counters *begin(enum program program)
{
	__u32 key = program;
	struct program_counters *c = bpf_map_lookup_elem(&counters, &key);

	if (c)
		__sync_fetch_and_add(&c->runs, 1);
	return c;
}

static __always_inline bool gives(enum program program, enum kind kind)
{
	return *(volatile __u32 *)&given[program] & (1U << kind);
}

/* The run was about nothing that a kind tells. */
static __always_inline int ignored(struct program_counters *c)
{
	__sync_fetch_and_add(&c->ignored, 1);
	return 0;
}

/* What the run saw is told by a later run's event. */
static __always_inline int merged(struct program_counters *c)
{
	__sync_fetch_and_add(&c->merged, 1);
	return 0;
}

static __always_inline int ended(struct program_counters *c, enum kind kind, enum outcome outcome)
{
	__sync_fetch_and_add(&c->outcomes[kind][outcome], 1);
	return 0;
}

/* The reader sets it when nothing has come for a while and it will look seldom; who sends next wakes it. Set while a
 * program is past this question, it may stay unnoticed until the next sample: the reader looks after a second.
 */
__u32 reader_dozes;

/* A wakeup is the cost of an event: the reader is woken when much waits, and looks by itself now and then. */
static __always_inline __u64 wakeup(void)
{
	if (*(volatile __u32 *)&reader_dozes) {
		reader_dozes = 0;
		return BPF_RB_FORCE_WAKEUP;
	}
	return bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) < wakeup_bytes ? BPF_RB_NO_WAKEUP : BPF_RB_FORCE_WAKEUP;
}

static __always_inline __u64 next_sequence(void)
{
	__u32 zero = 0;
	__u64 *last = bpf_map_lookup_elem(&sequence, &zero);

	return last ? next_number(last) : 0;
}

/* Takes the CPU's next sequence number: from here on the sample is sent, or its number is missing. */
static __always_inline struct head head_of(enum kind kind, enum program program, __u32 size)
{
	return (struct head){
		.size = size,
		.kind = kind,
		.program = program,
		.sequence = next_sequence(),
		.time_ns = bpf_ktime_get_boot_ns(),
		.cpu = bpf_get_smp_processor_id(),
	};
}

/* Reserves a sample of a fixed size and fills its head but for the actor; NULL where the ring is full. */
#define RESERVE(type, kind, program)                                                                                 \
	({                                                                                                           \
		struct head __head = head_of(kind, program, sizeof(type));                                           \
		type *__sample = has_room(kind, sizeof(type)) ? bpf_ringbuf_reserve(&ring, sizeof(type), 0) : 0;     \
		if (__sample)                                                                                        \
			__sample->head = __head;                                                                     \
		__sample;                                                                                            \
	})

static __always_inline int submit(struct program_counters *c, enum kind kind, void *sample)
{
	bpf_ringbuf_submit(sample, wakeup());
	return ended(c, kind, OUTCOME_SENT);
}

#endif
