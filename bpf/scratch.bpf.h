/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* Who has a slot of scratch memory. */
#ifndef WEIR_SCRATCH_H
#define WEIR_SCRATCH_H

/* Takes a slot if it is free. An addition and a look suffice, and 5.10 has no compare and swap: of several
 * that try at once, at most one can read 1, and none has to.
 */
static __always_inline bool take(__u64 *owners)
{
	__sync_fetch_and_add(owners, 1);
	if (*(volatile __u64 *)owners == 1)
		return true;
	__sync_fetch_and_add(owners, -1);
	return false;
}

static __always_inline void give_back(__u64 *owners)
{
	__sync_fetch_and_add(owners, -1);
}

#endif
