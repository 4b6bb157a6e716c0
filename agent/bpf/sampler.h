/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What sampler.bpf.c writes and agent/sample-record.ts reads. Every field has its natural alignment
 * and there is no padding; the assertions below and a test of the decoder hold both sides together.
 */
#ifndef EVERFLAME_SAMPLER_H
#define EVERFLAME_SAMPLER_H

#include <linux/types.h>

/* Frames of one stack: the kernel's own default limit (kernel.perf_event_max_stack). */
#define EF_MAX_FRAMES 127
/* Maps of stacks are doubled; one side is written while the other is read and emptied. */
#define EF_SIDES 2

/* ef_sample.kernel_stack and user_stack where there is no id of a stack in a map. */
#define EF_STACK_NONE (-1)   /* There is no such part: user code runs, or a kernel thread. */
#define EF_STACK_WHOLE (-2)  /* Its frames follow the record. */
#define EF_STACK_FAILED (-3) /* The kernel could not say; `reasons` has why. */

enum ef_record_kind {
	EF_RECORD_SAMPLE = 1,
	EF_RECORD_PROCESS = 2,
};

enum ef_reason {
	EF_KERNEL_STACK_FAILED = 1 << 0,
	EF_USER_STACK_FAILED = 1 << 1,
	/* Another stack held the bucket, so the stack travels whole. Nothing is lost. */
	EF_KERNEL_STACK_COLLIDED = 1 << 2,
	EF_USER_STACK_COLLIDED = 1 << 3,
};

/* One sample; then kernel_depth and user_depth program counters of 8 bytes, leaf first. */
struct ef_sample {
	__u32 kind;
	__u32 cpu;
	/* CLOCK_MONOTONIC, ns. */
	__u64 time_ns;
	/* When the thread group's leader started: CLOCK_BOOTTIME, ns. */
	__u64 start_ns;
	/*
	 * Top of the initial stack, which every exec draws anew: with tgid and start_ns it tells
	 * one program image from the next. /proc/PID/stat shows it as startstack. 0 without memory.
	 */
	__u64 image;
	__u32 tgid;
	__u32 tid;
	__s32 kernel_stack;
	__s32 user_stack;
	/* Which side of the maps and counters the sample belongs to. */
	__u32 side;
	/* Bits of ef_reason. */
	__u32 reasons;
	__u32 kernel_depth;
	__u32 user_depth;
};

/* Precedes the first sample of a program image, for images that are gone before /proc is read. */
struct ef_process {
	__u32 kind;
	__u32 kernel_thread;
	__u64 start_ns;
	__u64 image;
	__u32 tgid;
	/* The process id inside the process' own pid namespace. */
	__u32 namespace_tgid;
	/* Id of its cgroup in the v2 hierarchy: the inode of the cgroup's directory. */
	__u64 cgroup_id;
	/* Of the thread group's leader; NUL-terminated. */
	char comm[16];
};

/* Per CPU and side; none is ever reset. sampled = records of samples + ring_full. */
struct ef_counters {
	__u64 sampled;
	/* Samples that found the ring buffer full. */
	__u64 ring_full;
	/* Process records that found the ring buffer full; they are sent with a later sample. */
	__u64 process_ring_full;
};

#ifdef __bpf__
#define EF_ASSERT(condition) _Static_assert(condition, #condition)
EF_ASSERT(sizeof(struct ef_sample) == 64);
EF_ASSERT(sizeof(struct ef_process) == 56);
EF_ASSERT(sizeof(struct ef_counters) == 24);
EF_ASSERT(__builtin_offsetof(struct ef_sample, image) == 24);
EF_ASSERT(__builtin_offsetof(struct ef_sample, kernel_stack) == 40);
EF_ASSERT(__builtin_offsetof(struct ef_sample, user_depth) == 60);
EF_ASSERT(__builtin_offsetof(struct ef_process, cgroup_id) == 32);
EF_ASSERT(__builtin_offsetof(struct ef_process, comm) == 40);
#endif

#endif
