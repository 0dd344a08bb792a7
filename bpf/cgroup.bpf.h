/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* Where tasks are placed, and what the groups are called. Whatever writes a group's id into a sample has its path
 * put into a map before: so the path is there for whoever reads the sample, also when the group is gone by then, or
 * was made, or entered, in a way that no hook tells of (CLONE_INTO_CGROUP).
 */
#ifndef WEIR_CGROUP_H
#define WEIR_CGROUP_H

enum {
	CGROUP_DEPTH = 16,                       /* parts of a path that are kept */
	CGROUP_CLIMB = 128,                      /* levels to the root that are climbed */
	CGROUP_STARTS = CGROUP_TEXT - NAME_SIZE, /* a power of two: no part begins behind it */
};

_Static_assert((CGROUP_STARTS & (CGROUP_STARTS - 1)) == 0, "is a mask");

/* Paths of groups that events named: programs write, Go reads what it does not know yet. Full: the group that was
 * not named for the longest time makes room, and is put here again when it is named.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 2048);
	__uint(map_flags, BPF_F_RDONLY);
	__type(key, struct cgroup_key);
	__type(value, struct cgroup_path);
} cgroups SEC(".maps");

/* Room to make a path in. */
struct cgroup_scratch {
	__u64 owners; /* one: taken */
	__u32 level;  /* in map memory, as in a register the verifier walks each loop anew for every value */
	__u32 used;
	__u64 parts[CGROUP_DEPTH]; /* addresses of struct cgroup */
	struct cgroup_path path;
};

enum {
	CGROUP_SLOTS = 4,
};

/* Several a CPU, as of exec_scratch. Programs alone use it. None free: the next event of the group tries again. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, CGROUP_SLOTS);
	__uint(map_flags, BPF_F_RDONLY);
	__type(key, __u32);
	__type(value, struct cgroup_scratch);
} cgroup_scratch SEC(".maps");

static __always_inline struct cgroup_scratch *take_cgroup_scratch(void)
{
	for (__u32 i = 0; i < CGROUP_SLOTS; i++) {
		__u32 key = i;
		struct cgroup_scratch *s = bpf_map_lookup_elem(&cgroup_scratch, &key);

		if (s && take(&s->owners))
			return s;
	}
	return 0;
}

static __always_inline struct cgroup *parent_of(struct cgroup *group)
{
	return (void *)BPF_CORE_READ(group, self.parent) - bpf_core_field_offset(struct cgroup, self);
}

/* Lists the path's first parts, which are those that runtimes name. Where the root is too far up there are none.
 */
static __always_inline bool list_parts(struct cgroup_scratch *s, struct cgroup *group)
{
	s->level = BPF_CORE_READ(group, level);
	s->path.cut = s->level > CGROUP_DEPTH;
	for (int i = 0; i < CGROUP_CLIMB && s->level > 0; i++) {
		__u32 part = --s->level;

		if (part < CGROUP_DEPTH)
			s->parts[part] = (__u64)group;
		group = parent_of(group);
	}
	return s->level == 0;
}

/* Appends the part, and remembers the first one that does not belong to root: who owns it may make groups in it,
 * and call them as containers are called.
 */
static __always_inline void append_group(struct cgroup_scratch *s, struct cgroup *group, __u8 depth)
{
	long n = bpf_probe_read_kernel_str(s->path.text + (s->used & (CGROUP_STARTS - 1)), NAME_SIZE,
					   BPF_CORE_READ(group, kn, name));
	__u32 owner = BPF_CORE_READ(group, kn, iattr, ia_uid.val); /* no iattr, as of most: 0 */

	if (n > 0)
		s->used += n;
	if (owner && !s->path.owned_from) {
		s->path.owned_from = depth;
		s->path.owner = owner;
	}
}

static __always_inline void fill_path(struct cgroup_scratch *s, struct cgroup *group)
{
	s->used = 0;
	s->path.owner = 0;
	s->path.owned_from = 0;
	__builtin_memset(s->parts, 0, sizeof(s->parts));
	if (!list_parts(s, group)) {
		s->path.size = 0;
		return;
	}
	for (int i = 0; i < CGROUP_DEPTH; i++) {
		if (!s->parts[i])
			break;
		if (s->used >= CGROUP_STARTS) {
			s->path.cut = 1;
			break;
		}
		append_group(s, (struct cgroup *)s->parts[i], i + 1);
	}
	s->path.size = s->used;
}

/* Puts the path of a group into the map: once, as a rule. It is global, so that the verifier looks at it once a
 * program and not at every place where it is called; such a function takes no pointer that the kernel of 5.10 knows.
 */
__attribute__((noinline)) int tell_cgroup(__u64 address, __u64 v1)
{
	struct cgroup *group = (struct cgroup *)address;
	struct cgroup_scratch *s = take_cgroup_scratch();
	struct cgroup_key key = {.id = BPF_CORE_READ(group, kn, id), .v1 = v1};

	if (!s)
		return 0;
	fill_path(s, group);
	bpf_map_update_elem(&cgroups, &key, &s->path, BPF_ANY);
	give_back(&s->owners);
	return 0;
}

/* The group's id, whose path is in the map. The root has none. */
static __always_inline __u64 told_cgroup(enum reads reads, struct cgroup *group, __u64 v1)
{
	struct cgroup_key key = {.id = READ(reads, group, kn, id), .v1 = v1};

	/* self.cgroup is the group itself, and probed it is a number for the verifier. */
	if (READ(reads, group, level) > 0 && !bpf_map_lookup_elem(&cgroups, &key))
		tell_cgroup((__u64)BPF_CORE_READ(group, self.cgroup), v1);
	return key.id;
}

static __always_inline bool is_placed_by_v1(enum reads reads, struct cgroup *group, struct cgroup *v2)
{
	return group && READ(reads, group, level) > 0 && READ(reads, group, root) != READ(reads, v2, root);
}

/* Where the task is placed. The v2 tree of a hybrid layout may hold it elsewhere than v1's hierarchies: systemd
 * leaves a container there in the group of the daemon that made it. So both are told.
 */
static __always_inline struct cgroup_ids cgroups_of(enum reads reads, struct task_struct *task)
{
	struct css_set *set = READ(reads, task, cgroups);
	struct cgroup *v2 = READ(reads, set, dfl_cgrp), *v1 = memory_cgroup(reads, set);
	struct cgroup_ids ids = {.v2 = told_cgroup(reads, v2, 0)};

	if (!is_placed_by_v1(reads, v1, v2))
		v1 = pids_cgroup(reads, set); /* cgroup_disable=memory, as arm64 boards have it */
	if (is_placed_by_v1(reads, v1, v2))
		ids.v1 = told_cgroup(reads, v1, 1);
	return ids;
}

#endif
