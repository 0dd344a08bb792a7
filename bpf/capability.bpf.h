/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* capability.check: which program asked for which capability, and whether it has it. Counted. */
#ifndef WEIR_CAPABILITY_H
#define WEIR_CAPABILITY_H

/* A capability was asked for: security/commoncap.c, cap_capable, through which all checks go. */
struct check {
	const struct cred *cred;
	struct user_namespace *namespace;
	int capability;
	__u8 options;
	int result;
};

static __always_inline int count_check(enum reads reads, enum program program, struct task_struct *task,
				       const struct check *check)
{
	struct program_counters *c = begin(program);
	struct count_key key = {.epoch = count_epoch, .kind = KIND_CAPABILITY_CHECK};
	struct capability_key *by = (void *)key.by;
	/* Not read through check, which is none of the kernel's types: CO-RE would look for it there. */
	struct user_namespace *namespace = check->namespace;
	const struct cred *cred = check->cred;
	struct actor actor;

	if (!c)
		return 0;
	if (!gives(program, KIND_CAPABILITY_CHECK))
		return ignored(c);
	fill_program(reads, &by->program, task, cred);
	by->user_namespace = READ(reads, namespace, ns.inum);
	by->capability = check->capability;
	by->options = check->options;
	by->refused = check->result != 0;
	if (add(&key, 0))
		return ended(c, KIND_CAPABILITY_CHECK, OUTCOME_COUNTED);
	fill_actor(reads, &actor, task);
	return ended(c, KIND_CAPABILITY_CHECK, begin_count(KIND_CAPABILITY_CHECK, program, &key, 0, &actor));
}

static __always_inline int on_check(enum program program, const struct check *check)
{
	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_get_current_task_btf))
		return count_check(DIRECT, program, bpf_get_current_task_btf(), check);
	return count_check(PROBED, program, current_task(), check);
}

SEC("fexit/cap_capable")
GIVES("capability.check", 1, "")
TAKES("cap_capable", 4)
int BPF_PROG(capability__cap_capable, const struct cred *cred, struct user_namespace *namespace, int capability,
	     unsigned int options, int result)
{
	struct check check = {cred, namespace, capability, options & (CAPABILITY_NOAUDIT | CAPABILITY_INSETID),
			      result};

	return on_check(PROGRAM_capability__cap_capable, &check);
}

SEC("tp_btf/cap_capable")
GIVES("capability.check", 2, "whether it was audited, and whether setuid asked")
TAKES("cap_capable", 5)
int BPF_PROG(capability__cap_capable_tp, const struct cred *cred, struct user_namespace *namespace,
	     const struct user_namespace *capable, int capability, int result)
{
	struct check check = {cred, namespace, capability, CAPABILITY_UNKNOWN, result};

	return on_check(PROGRAM_capability__cap_capable_tp, &check);
}

#endif
