// SPDX-License-Identifier: GPL-2.0
/*
 * Runs on each tick of a CPU's clock event: one ring-buffer record per sample, its stacks as ids of
 * stack-trace maps. User space flips `control.side` at the end of a window, and reads and empties
 * the side that rests. What goes wrong is a reason in the record or a counter, never silence.
 */
#include "kernel-types.h"
#include "sampler.h"

#include <linux/bpf.h>
#include <linux/bpf_perf_event.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#define EEXIST 17
#define STACK_BYTES (EF_MAX_FRAMES * sizeof(__u64))
/* PID namespaces nest at most this deep (MAX_PID_NS_LEVEL). */
#define MAX_PID_LEVEL 32
/* Keeps the compiler from dropping a bound that the verifier needs to see. */
#define opaque(value) asm volatile("" : "+r"(value))

/* Sizes of the stack maps and of the ring are set by the loader: they grow with the CPUs. */
#define STACK_MAP(name)                                    \
	struct {                                           \
		__uint(type, BPF_MAP_TYPE_STACK_TRACE);    \
		__uint(key_size, sizeof(__u32));           \
		__uint(value_size, STACK_BYTES);           \
		__uint(max_entries, 1024);                 \
	} name SEC(".maps")

STACK_MAP(kernel_stacks_0);
STACK_MAP(kernel_stacks_1);
STACK_MAP(user_stacks_0);
STACK_MAP(user_stacks_1);

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} records SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct ef_counters);
	__uint(max_entries, EF_SIDES);
} counters SEC(".maps");

/* The side that samples go to. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, __u32);
	__uint(max_entries, 1);
} control SEC(".maps");

struct image_key {
	__u64 start_ns;
	__u64 image;
	__u32 tgid;
	__u32 zero;
};

/* Images whose process record has been sent. Forgetting one only repeats its record. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__type(key, struct image_key);
	__type(value, __u32);
	__uint(max_entries, 8192);
} announced SEC(".maps");

/* A record being built with whole stacks; too large for the BPF stack. */
struct scratch {
	struct ef_sample sample;
	__u64 frames[2 * (EF_MAX_FRAMES + 1)];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct scratch);
	__uint(max_entries, 1);
} scratches SEC(".maps");

static __always_inline bool in_user_mode(struct bpf_perf_event_data *ctx)
{
#if defined(__TARGET_ARCH_x86)
	return (ctx->regs.cs & 3) == 3;
#elif defined(__TARGET_ARCH_arm64)
	return (ctx->regs.pstate & 0xf) == 0;
#else
#error "unknown architecture"
#endif
}

static __always_inline __u32 namespace_tgid(struct task_struct *leader)
{
	struct pid *pid = BPF_CORE_READ(leader, thread_pid);
	unsigned int level = BPF_CORE_READ(pid, level);
	__u64 numbers = (__u64)pid + bpf_core_field_offset(struct pid, numbers);
	int nr = 0;

	if (level >= MAX_PID_LEVEL)
		return 0;
	bpf_probe_read_kernel(&nr, sizeof(nr),
			      (void *)(numbers + level * bpf_core_type_size(struct upid) +
				       bpf_core_field_offset(struct upid, nr)));
	return nr;
}

static __always_inline void announce(struct ef_sample *sample, struct task_struct *leader,
				     bool kernel_thread, struct ef_counters *counter)
{
	struct image_key key = {
		.start_ns = sample->start_ns,
		.image = sample->image,
		.tgid = sample->tgid,
	};
	struct ef_process process = {
		.kind = EF_RECORD_PROCESS,
		.kernel_thread = kernel_thread,
		.start_ns = sample->start_ns,
		.image = sample->image,
		.tgid = sample->tgid,
	};
	__u32 one = 1;

	if (bpf_map_lookup_elem(&announced, &key))
		return;
	process.namespace_tgid = namespace_tgid(leader);
	process.cgroup_id = bpf_get_current_cgroup_id();
	bpf_probe_read_kernel_str(process.comm, sizeof(process.comm), &leader->comm);
	if (bpf_ringbuf_output(&records, &process, sizeof(process), BPF_RB_NO_WAKEUP)) {
		counter->process_ring_full++;
		return;
	}
	bpf_map_update_elem(&announced, &key, &one, BPF_ANY);
}

/* Puts a stack where there is room for it; returns the id or one of EF_STACK_*. */
static __always_inline __s32 keep_stack(void *ctx, void *map, __u64 flags, __u32 failed,
					__u32 collided, __u32 *reasons)
{
	long id = bpf_get_stackid(ctx, map, flags);

	if (id >= 0)
		return id;
	if (id == -EEXIST) {
		*reasons |= collided;
		return EF_STACK_WHOLE;
	}
	*reasons |= failed;
	return EF_STACK_FAILED;
}

/* Frames read, or 0; the reason is noted where the stack cannot be read a second time. */
static __always_inline __u32 read_whole(void *ctx, __u64 *frames, __u64 flags)
{
	long bytes = bpf_get_stack(ctx, frames, STACK_BYTES, flags);

	return bytes > 0 ? (__u32)bytes / sizeof(__u64) : 0;
}

static __always_inline void add_whole_stacks(void *ctx, struct scratch *scratch)
{
	struct ef_sample *sample = &scratch->sample;
	__u64 depth = 0;

	if (sample->kernel_stack == EF_STACK_WHOLE) {
		depth = read_whole(ctx, scratch->frames, 0);
		if (depth == 0) {
			sample->kernel_stack = EF_STACK_FAILED;
			sample->reasons |= EF_KERNEL_STACK_FAILED;
		}
	}
	opaque(depth);
	if (depth > EF_MAX_FRAMES)
		depth = EF_MAX_FRAMES;
	sample->kernel_depth = depth;
	if (sample->user_stack == EF_STACK_WHOLE) {
		sample->user_depth = read_whole(ctx, &scratch->frames[depth], BPF_F_USER_STACK);
		if (sample->user_depth == 0) {
			sample->user_stack = EF_STACK_FAILED;
			sample->reasons |= EF_USER_STACK_FAILED;
		}
	}
}

static __always_inline void keep_stacks(struct bpf_perf_event_data *ctx, struct ef_sample *sample,
					bool has_user)
{
	void *kernel = sample->side ? (void *)&kernel_stacks_1 : (void *)&kernel_stacks_0;
	void *user = sample->side ? (void *)&user_stacks_1 : (void *)&user_stacks_0;

	if (!in_user_mode(ctx)) {
		sample->kernel_stack = keep_stack(ctx, kernel, 0, EF_KERNEL_STACK_FAILED,
						  EF_KERNEL_STACK_COLLIDED, &sample->reasons);
	}
	if (has_user) {
		sample->user_stack = keep_stack(ctx, user, BPF_F_USER_STACK, EF_USER_STACK_FAILED,
						EF_USER_STACK_COLLIDED, &sample->reasons);
	}
}

SEC("perf_event")
int sample_cpu(struct bpf_perf_event_data *ctx)
{
	__u32 zero = 0;
	__u32 *side_now = bpf_map_lookup_elem(&control, &zero);
	struct scratch *scratch = bpf_map_lookup_elem(&scratches, &zero);
	struct task_struct *task = (void *)bpf_get_current_task();
	struct task_struct *leader = BPF_CORE_READ(task, group_leader);
	struct mm_struct *memory = BPF_CORE_READ(task, mm);
	bool kernel_thread = (BPF_CORE_READ(task, flags) & EF_PF_KTHREAD) != 0;
	bool has_user = !kernel_thread && memory != 0;
	__u64 ids = bpf_get_current_pid_tgid();
	struct ef_counters *counter;
	struct ef_sample *sample;
	__u64 bytes;
	__u32 side;

	if (!side_now || !scratch)
		return 0;
	side = *side_now & 1;
	counter = bpf_map_lookup_elem(&counters, &side);
	if (!counter)
		return 0;
	/* Counted before anything of this side is touched: a reader that finds as many records as
	 * this count (less ring_full) knows that nobody uses the side any more. */
	counter->sampled++;

	sample = &scratch->sample;
	sample->kind = EF_RECORD_SAMPLE;
	sample->cpu = bpf_get_smp_processor_id();
	sample->time_ns = bpf_ktime_get_ns();
	sample->start_ns = BPF_CORE_READ(leader, start_boottime);
	sample->image = has_user ? BPF_CORE_READ(memory, start_stack) : 0;
	sample->tgid = ids >> 32;
	sample->tid = (__u32)ids;
	sample->kernel_stack = EF_STACK_NONE;
	sample->user_stack = EF_STACK_NONE;
	sample->side = side;
	sample->reasons = 0;
	sample->kernel_depth = 0;
	sample->user_depth = 0;
	announce(sample, leader, kernel_thread, counter);
	keep_stacks(ctx, sample, has_user);
	if (sample->reasons & (EF_KERNEL_STACK_COLLIDED | EF_USER_STACK_COLLIDED))
		add_whole_stacks(ctx, scratch);

	bytes = sizeof(*sample) + (sample->kernel_depth + sample->user_depth) * sizeof(__u64);
	opaque(bytes);
	if (bytes > sizeof(*scratch))
		bytes = sizeof(*scratch);
	if (bpf_ringbuf_output(&records, scratch, bytes, BPF_RB_NO_WAKEUP))
		counter->ring_full++;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
