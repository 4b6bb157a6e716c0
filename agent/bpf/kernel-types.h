/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel's structures, reduced to the fields that sampler.bpf.c reads. Offsets are relocated at
 * load time from the running kernel's BTF, so neither order nor size here matters.
 */
#ifndef EVERFLAME_KERNEL_TYPES_H
#define EVERFLAME_KERNEL_TYPES_H

#include <linux/types.h>
#include <stdbool.h>

#define EF_TASK_COMM_LEN 16
/* include/linux/sched.h: the task is a kernel thread. */
#define EF_PF_KTHREAD 0x00200000

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct upid {
	int nr;
};

struct pid {
	unsigned int level;
	struct upid numbers[1];
};

struct mm_struct {
	unsigned long start_stack;
};

struct task_struct {
	unsigned int flags;
	struct mm_struct *mm;
	struct task_struct *group_leader;
	struct pid *thread_pid;
	__u64 start_boottime;
	char comm[EF_TASK_COMM_LEN];
};

#pragma clang attribute pop

#endif
