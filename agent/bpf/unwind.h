/* SPDX-License-Identifier: GPL-2.0 */
/*
 * From a frame to its caller's, by a row of an unwind table (docs/formats.md, 7) or by the frame
 * pointer. The same code is compiled for the kernel and, for its tests, as a program: whoever
 * includes it defines ef_read_user(to, bytes, from), which returns 0 where it could read.
 */
#ifndef EVERFLAME_UNWIND_H
#define EVERFLAME_UNWIND_H

#include <linux/types.h>

struct ef_row {
	__u16 low;
	__u8 op;
	__u8 registers;
	__u16 a;
	__s16 b;
};

/* Of the a of EF_OP_AT_SP: the lower ones are added to what was read. */
#define EF_PLUS_BITS 5

enum ef_op {
	EF_OP_NONE = 0,
	EF_OP_SP = 1,
	EF_OP_FP = 2,
	EF_OP_PLT = 3,
	EF_OP_AT_FP = 4,
	EF_OP_AT_SP = 5,
	EF_OP_SIGNAL = 6,
	EF_OP_STOP = 7,
	EF_OP_UNSUPPORTED = 8,
};

enum ef_registers {
	EF_REGS_SAME = 0,
	EF_REGS_AT_CFA = 1,
	EF_REGS_AT_FP = 2,
	EF_REGS_LOST = 3,
	EF_REGS_RA_AT_CFA = 4,
};

/* Registers as of a frame. */
struct ef_frame {
	__u64 pc;
	__u64 sp;
	__u64 fp;
	/* arm64's link register; only the innermost frame has one. */
	__u64 lr;
	/* Nothing was called from there: pc is no return address, and lr holds. */
	__u32 is_innermost;
	/* The frame pointer was lost on the way here. */
	__u32 fp_is_lost;
};

enum ef_step {
	EF_STEP_CALLER = 0,
	/* The outermost frame: nobody called it. */
	EF_STEP_ROOT,
	EF_STEP_NO_ROW,
	EF_STEP_UNSUPPORTED,
	EF_STEP_UNREADABLE,
	/* The caller's frame would lie below: tables and stack do not fit. */
	EF_STEP_BACKWARDS,
};

/* No stack of a thread is larger; a frame pointer beyond that is something else. */
#define EF_MAX_STACK (1ULL << 30)

#if defined(__TARGET_ARCH_arm64) || (defined(__aarch64__) && !defined(__bpf__))
#define EF_ARM64 1
#else
#define EF_ARM64 0
#endif

/* Of arm64's pointers, the bits that are an address: the others may sign it. */
#define EF_ARM64_ADDRESS ((1ULL << 48) - 1)

/*
 * What the kernel has put on the stack before a signal handler: struct rt_sigframe. The places of
 * registers in it are part of the kernel's interface.
 */
#if EF_ARM64
#define EF_SIGNAL_FP (312 + 29 * 8)
#define EF_SIGNAL_LR (312 + 30 * 8)
#define EF_SIGNAL_SP (312 + 31 * 8)
#define EF_SIGNAL_PC (312 + 32 * 8)
#else
#define EF_SIGNAL_FP 120
#define EF_SIGNAL_SP 160
#define EF_SIGNAL_PC 168
#endif

static __always_inline int ef_leave_signal(struct ef_frame *frame)
{
	__u64 sp = frame->sp;

	if (ef_read_user(&frame->pc, 8, sp + EF_SIGNAL_PC) ||
	    ef_read_user(&frame->fp, 8, sp + EF_SIGNAL_FP) ||
	    ef_read_user(&frame->sp, 8, sp + EF_SIGNAL_SP))
		return EF_STEP_UNREADABLE;
#if EF_ARM64
	if (ef_read_user(&frame->lr, 8, sp + EF_SIGNAL_LR))
		return EF_STEP_UNREADABLE;
#endif
	/* The signal came between two instructions, as a sample does. */
	frame->is_innermost = 1;
	frame->fp_is_lost = 0;
	return frame->pc == 0 ? EF_STEP_ROOT : EF_STEP_CALLER;
}

static __always_inline int ef_find_cfa(const struct ef_row *row, const struct ef_frame *frame,
				       __u64 *cfa)
{
	switch (row->op) {
	case EF_OP_SP:
		*cfa = frame->sp + row->a * 8ULL;
		return 0;
	case EF_OP_PLT:
		*cfa = frame->sp + 8 + ((frame->pc & 15) >= row->a ? 8 : 0);
		return 0;
	case EF_OP_AT_SP:
		if (ef_read_user(cfa, 8, frame->sp + (row->a >> EF_PLUS_BITS) * 8ULL))
			return EF_STEP_UNREADABLE;
		*cfa += (row->a & ((1 << EF_PLUS_BITS) - 1)) * 8ULL;
		return 0;
	}
	if (frame->fp_is_lost)
		return EF_STEP_UNSUPPORTED;
	if (row->op == EF_OP_FP) {
		*cfa = frame->fp + row->a * 8ULL;
		return 0;
	}
	if (row->op != EF_OP_AT_FP)
		return EF_STEP_UNSUPPORTED;
	return ef_read_user(cfa, 8, frame->fp + (__s16)row->a * 8LL) ? EF_STEP_UNREADABLE : 0;
}

/* The return address and the frame pointer of the caller; 0, or why they cannot be told. */
static __always_inline int ef_find_registers(const struct ef_row *row, struct ef_frame *frame,
					     __u64 cfa, __u64 *pc)
{
	__u64 place = cfa + row->b * 8LL;

#if EF_ARM64
	if (row->registers == EF_REGS_SAME) {
		*pc = frame->lr;
		return frame->is_innermost ? 0 : EF_STEP_UNSUPPORTED;
	}
	if (row->registers == EF_REGS_RA_AT_CFA)
		return ef_read_user(pc, 8, place) ? EF_STEP_UNREADABLE : 0;
	if (ef_read_user(pc, 8, place + 8) || ef_read_user(&frame->fp, 8, place))
		return EF_STEP_UNREADABLE;
	frame->fp_is_lost = 0;
	return 0;
#else
	__u64 fp = frame->fp;

	if (ef_read_user(pc, 8, cfa - 8))
		return EF_STEP_UNREADABLE;
	if (row->registers == EF_REGS_SAME)
		return 0;
	if (row->registers == EF_REGS_LOST) {
		frame->fp_is_lost = 1;
		return 0;
	}
	if (row->registers == EF_REGS_AT_FP)
		place = fp + row->b * 8LL;
	if (ef_read_user(&frame->fp, 8, place))
		return EF_STEP_UNREADABLE;
	frame->fp_is_lost = 0;
	return 0;
#endif
}

/* Goes to the caller by a row; at anything but EF_STEP_CALLER the frame may be half changed. */
static __always_inline int ef_step_by_row(const struct ef_row *row, struct ef_frame *frame)
{
	__u64 cfa = 0, pc = 0;
	int problem;

	if (row->op == EF_OP_NONE)
		return EF_STEP_NO_ROW;
	if (row->op == EF_OP_STOP)
		return EF_STEP_ROOT;
	if (row->op == EF_OP_SIGNAL)
		return ef_leave_signal(frame);
	problem = ef_find_cfa(row, frame, &cfa);
	if (problem)
		return problem;
	/* A leaf of arm64 may have no frame at all. */
	if (cfa < frame->sp || (cfa == frame->sp && !(EF_ARM64 && frame->is_innermost)))
		return EF_STEP_BACKWARDS;
	problem = ef_find_registers(row, frame, cfa, &pc);
	if (problem)
		return problem;
	if (EF_ARM64)
		pc &= EF_ARM64_ADDRESS;
	frame->pc = pc;
	frame->sp = cfa;
	frame->is_innermost = 0;
	return pc == 0 ? EF_STEP_ROOT : EF_STEP_CALLER;
}

/* By the frame pointer, for code without rows: Go's and that of JIT compilers keep one. */
static __always_inline int ef_step_by_frame_pointer(struct ef_frame *frame)
{
	__u64 pair[2];
	__u64 fp = frame->fp;

	if (frame->fp_is_lost)
		return EF_STEP_NO_ROW;
	if (fp == 0)
		return frame->is_innermost ? EF_STEP_NO_ROW : EF_STEP_ROOT;
	if (fp < frame->sp || fp - frame->sp > EF_MAX_STACK || (fp & 7))
		return EF_STEP_NO_ROW;
	if (ef_read_user(pair, sizeof(pair), fp))
		return EF_STEP_UNREADABLE;
	frame->sp = fp + 16;
	frame->fp = pair[0];
	frame->pc = EF_ARM64 ? pair[1] & EF_ARM64_ADDRESS : pair[1];
	frame->is_innermost = 0;
	return frame->pc == 0 ? EF_STEP_ROOT : EF_STEP_CALLER;
}

#endif
