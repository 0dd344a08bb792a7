/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* Counting: what happens too often to be told one by one is counted by a key in the kernel, and told each interval.
 * The first run of a key that was not sighted lately is sent at once.
 *
 * Sums are exact: an epoch lasts from one reading to the next. Go raises it, waits until no program runs that may
 * have read the one before, and from then on nothing adds to what the old epoch's keys hold: it can be read, told,
 * and deleted.
 */
#ifndef WEIR_COUNT_H
#define WEIR_COUNT_H

/* Go raises it before it reads. */
__u32 count_epoch;

/* How many keys of a kind are new in an epoch at most, firsts that are sent among them: so that nobody makes a flood of
 * firsts, and no kind leaves another without room. EPOCHS of each of 4 counted kinds have room in counts.
 */
const volatile __u32 keys_of_a_kind = 2048;

/* How many keys each kind has in an epoch, by the epoch modulo EPOCHS: programs add, Go clears what the next epoch
 * is to use. Never full.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, EPOCHS);
	__type(key, __u32);
	__type(value, struct epoch_keys);
} counted_keys SEC(".maps");

/* What was counted, by key: programs add, the collector reads and deletes. It holds
 * what keys_of_a_kind lets in. Full: table_full.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 32768);
	__type(key, struct count_key);
	__type(value, struct count);
} counts SEC(".maps");

/* Keys that were told already, their epoch 0. Programs alone use it; the least used make room, and are told again. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__uint(map_flags, BPF_F_RDONLY);
	__type(key, struct count_key);
	__type(value, __u8);
} sighted SEC(".maps");

/* Adds to what is counted by the key; false where the key is new in its epoch. */
static __always_inline bool add(const struct count_key *key, __u64 amount)
{
	struct count *n = bpf_map_lookup_elem(&counts, key);

	if (!n)
		return false;
	__sync_fetch_and_add(&n->count, 1);
	if (amount) /* clang makes an "or" of an addition of a constant 0, and 5.10 has only additions */
		__sync_fetch_and_add(&n->amount, amount);
	return true;
}

/* Takes room for one key more. Several that try at once may find less room than there is, and none finds more. */
static __always_inline bool take_room(enum kind kind, __u32 in)
{
	__u32 index = in % EPOCHS;
	struct epoch_keys *keys = bpf_map_lookup_elem(&counted_keys, &index);
	__u32 *taken;

	if (!keys)
		return false;
	taken = &keys->of[kind];
	__sync_fetch_and_add(taken, 1);
	return *(volatile __u32 *)taken <= keys_of_a_kind;
}

/* Whether the key is told for the first time, or for the first time in long. */
static __always_inline bool sight(struct count_key *key)
{
	__u32 now = key->epoch;
	__u8 yes = 1;
	bool first;

	key->epoch = 0;
	first = !bpf_map_lookup_elem(&sighted, key);
	if (first)
		bpf_map_update_elem(&sighted, key, &yes, BPF_ANY);
	key->epoch = now;
	return first;
}

static __always_inline void unsight(struct count_key *key)
{
	__u32 now = key->epoch;

	key->epoch = 0;
	bpf_map_delete_elem(&sighted, key);
	key->epoch = now;
}

/* Sends the first run of a key, which then is in no sum. Where the ring is full the next run is the first one. */
static __always_inline enum outcome send_first(enum kind kind, enum program program, struct count_key *key,
					       __u64 amount, const struct actor *actor)
{
	struct count_sample *s = RESERVE(struct count_sample, kind, program);

	if (!s) {
		unsight(key);
		return OUTCOME_RING_FULL;
	}
	s->head.actor = *actor;
	s->key = *key;
	s->count = (struct count){.actor = *actor, .count = 1, .amount = amount, .first_ns = s->head.time_ns};
	bpf_ringbuf_submit(s, wakeup());
	return OUTCOME_SENT;
}

/* The key is new in this epoch: it is sent if it is new at all, and begins to be counted otherwise. */
static __always_inline enum outcome begin_count(enum kind kind, enum program program, struct count_key *key,
						__u64 amount, const struct actor *actor)
{
	struct count fresh = {.actor = *actor, .first_ns = bpf_ktime_get_boot_ns()};

	if (!take_room(kind, key->epoch))
		return OUTCOME_TABLE_FULL;
	if (sight(key))
		return send_first(kind, program, key, amount, actor);
	bpf_map_update_elem(&counts, key, &fresh, BPF_NOEXIST); /* another CPU may have been faster */
	return add(key, amount) ? OUTCOME_COUNTED : OUTCOME_TABLE_FULL;
}

/* Counts without a first one that is sent, as of the slots of a histogram. Nobody is its actor. */
static __always_inline enum outcome count_quietly(enum kind kind, struct count_key *key, __u64 amount)
{
	struct count fresh = {.first_ns = bpf_ktime_get_boot_ns()};

	if (add(key, amount))
		return OUTCOME_COUNTED;
	if (!take_room(kind, key->epoch))
		return OUTCOME_TABLE_FULL;
	fill_nobody(&fresh.actor);
	bpf_map_update_elem(&counts, key, &fresh, BPF_NOEXIST);
	return add(key, amount) ? OUTCOME_COUNTED : OUTCOME_TABLE_FULL;
}

/* The slot of a histogram that a value falls into: floor(log2), 0 for 0. */
static __always_inline __u32 slot_of(__u64 value)
{
	__u32 slot = 0;

	for (__u32 bits = 32; bits; bits >>= 1) {
		if (value >> bits) {
			value >>= bits;
			slot += bits;
		}
	}
	return slot;
}

#endif
