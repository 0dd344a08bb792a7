/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* <linux/bpf.h> leads here, and the system's own lies in a directory named for the machine that builds. */
#include <asm-generic/posix_types.h>
