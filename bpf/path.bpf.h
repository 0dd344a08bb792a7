/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* Paths by a walk of dentries, as bpf_d_path is refused in tracepoints on every kernel. */
#ifndef WEIR_PATH_H
#define WEIR_PATH_H

enum {
	/* A power of two that holds all variable parts of an exec sample. */
	TEXT_SIZE = 8192,
};

_Static_assert(ARGUMENTS_MAX + FILENAME_MAX_SIZE + INTERPRETER_MAX_SIZE + 2 * PATH_MAX_SIZE <= TEXT_SIZE,
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

/* Appends the path's parts, leaf first: at most PATH_STEPS of them, and none after PATH_BYTES bytes. */
static __always_inline enum path_end append_path(__u8 *bytes, __u32 *used, struct vfsmount *vfsmount,
						 struct dentry *dentry)
{
	struct mount *mount = (void *)vfsmount - bpf_core_field_offset(struct mount, mnt);
	__u32 start = *used;

	if (!vfsmount || !dentry)
		return PATH_UNKNOWN;
	for (int i = 0; i < PATH_STEPS && *used - start <= PATH_BYTES; i++) {
		struct dentry *parent = BPF_CORE_READ(dentry, d_parent);

		if (dentry == BPF_CORE_READ(mount, mnt.mnt_root)) {
			struct mount *below = BPF_CORE_READ(mount, mnt_parent);

			if (below == mount)
				return PATH_WHOLE;
			dentry = BPF_CORE_READ(mount, mnt_mountpoint);
			mount = below;
			continue;
		}
		append_string(bytes, used, NAME_SIZE, BPF_CORE_READ(dentry, d_name.name));
		if (dentry == parent)
			return PATH_DETACHED;
		dentry = parent;
	}
	return PATH_CUT;
}

#endif
