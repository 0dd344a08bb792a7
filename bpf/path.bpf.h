/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* Paths by a walk of dentries, as bpf_d_path is refused in tracepoints on every kernel. */
#ifndef WEIR_PATH_H
#define WEIR_PATH_H

enum {
	/* A power of two that holds all variable parts of an exec sample. */
	TEXT_SIZE = 16384,
};

_Static_assert(ARGUMENTS_MAX + ENVIRONMENT_MAX + FILENAME_MAX_SIZE + INTERPRETER_MAX_SIZE + 2 * PATH_MAX_SIZE <=
		       TEXT_SIZE,
	       "the parts of an exec sample have to fit");

/* Appends a string with its NUL byte and returns its size with it. */
static __always_inline __u32 append_string(__u8 *bytes, __u32 *used, __u32 max, const void *from)
{
	long n = bpf_probe_read_kernel_str(bytes + (*used & (TEXT_SIZE - 1)), max, from);

	if (n <= 0)
		return 0;
	*used += n;
	return n;
}

/* Appends a part and returns its parent, which is the part itself where it hangs in no tree. */
static __always_inline struct dentry *append_part(enum reads reads, __u8 *bytes, __u32 *used, struct dentry *part)
{
	append_string(bytes, used, NAME_SIZE, READ(reads, part, d_name.name));
	return READ(reads, part, d_parent);
}

/* Appends the path's parts, leaf first: at most PATH_STEPS of them, and none after PATH_BYTES bytes. What lies in
 * the first mount, most often all, can be read directly; the pointers to the mounts below it are computed ones.
 * steps is in map memory, as in a register the verifier walks the second loop anew for every step of the first.
 */
static __always_inline enum path_end append_path(enum reads reads, __u8 *bytes, __u32 *used, __u32 *steps,
						 struct vfsmount *vfsmount, struct dentry *dentry)
{
	struct mount *mount = (void *)vfsmount - bpf_core_field_offset(struct mount, mnt);
	struct dentry *root, *part;
	__u32 end = *used + PATH_BYTES;

	*steps = 0;
	if (!vfsmount || !dentry)
		return PATH_UNKNOWN;
	root = READ(reads, vfsmount, mnt_root);
	for (int i = 0; reads == DIRECT && i < PATH_STEPS && *used <= end && dentry != root; i++, ++*steps) {
		part = dentry;
		dentry = append_part(DIRECT, bytes, used, part);
		if (dentry == part)
			return PATH_DETACHED;
	}
	for (int i = 0; i < PATH_STEPS && *steps < PATH_STEPS && *used <= end; i++, ++*steps) {
		if (dentry == root) {
			struct mount *below = BPF_CORE_READ(mount, mnt_parent);

			if (below == mount)
				return PATH_WHOLE;
			dentry = BPF_CORE_READ(mount, mnt_mountpoint);
			root = BPF_CORE_READ(below, mnt.mnt_root);
			mount = below;
			continue;
		}
		part = dentry;
		dentry = append_part(PROBED, bytes, used, part);
		if (dentry == part)
			return PATH_DETACHED;
	}
	return PATH_CUT;
}

#endif
