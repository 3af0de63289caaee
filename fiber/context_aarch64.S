/* SPDX-License-Identifier: MIT */
/*
 * fiber/context_aarch64.S - the switch for AArch64, AAPCS64.
 *
 *     void weft__context_swap(struct weft__context *from,
 *         struct weft__context *to);
 *
 * A suspended context is 160 bytes on its stack; its sp points at the first:
 *
 *     sp + 0    x19 ... x28
 *     sp + 80   x29 (frame pointer), x30 (where to go on: behind the call of
 *               the switch, or, in a context that has not run,
 *               weft__context_start; context_asm.c writes these words)
 *     sp + 96   d8 ... d15
 *
 * fpcr stays the thread's. The end is a ret although its prediction fails
 * after a switch: where branch targets are checked (BTI), only ret may go to an
 * address behind a call. There is no red zone, so sp moves before the stores.
 * Guarded control stacks (GCS) forbid the switch as shadow stacks do on x86-64,
 * and the property note does not claim them.
 */

#if defined(__aarch64__) && !defined(__ILP32__) && !defined(_WIN32)

#ifdef __APPLE__
#define NAME(name) _##name
#define HIDDEN(name) .private_extern NAME(name)
#define FUNCTION(name)
#define END(name)
#else
#define NAME(name) name
#define HIDDEN(name) .hidden name
#define FUNCTION(name) .type name, %function
#define END(name) .size name, . - name
#endif

#define BTI_C hint #34

	.text

	.globl	NAME(weft__context_swap)
	HIDDEN(weft__context_swap)
	FUNCTION(weft__context_swap)
	.p2align 4
NAME(weft__context_swap):
	.cfi_startproc
	BTI_C
	sub	sp, sp, #160
	.cfi_def_cfa_offset 160
	stp	x19, x20, [sp]
	stp	x21, x22, [sp, #16]
	stp	x23, x24, [sp, #32]
	stp	x25, x26, [sp, #48]
	stp	x27, x28, [sp, #64]
	stp	x29, x30, [sp, #80]
	stp	d8, d9, [sp, #96]
	stp	d10, d11, [sp, #112]
	stp	d12, d13, [sp, #128]
	stp	d14, d15, [sp, #144]
	mov	x9, sp
	str	x9, [x0]

	ldr	x9, [x1]
	mov	sp, x9
	ldp	x19, x20, [sp]
	ldp	x21, x22, [sp, #16]
	ldp	x23, x24, [sp, #32]
	ldp	x25, x26, [sp, #48]
	ldp	x27, x28, [sp, #64]
	ldp	x29, x30, [sp, #80]
	ldp	d8, d9, [sp, #96]
	ldp	d10, d11, [sp, #112]
	ldp	d12, d13, [sp, #128]
	ldp	d14, d15, [sp, #144]
	add	sp, sp, #160
	.cfi_def_cfa_offset 0
	ret
	.cfi_endproc
	END(weft__context_swap)

/*
 * The first frame of a context: x19 is the entry, x20 its argument. Unwinders
 * stop here: there is no caller, and x29 is 0.
 */
	.globl	NAME(weft__context_start)
	HIDDEN(weft__context_start)
	FUNCTION(weft__context_start)
	.p2align 4
NAME(weft__context_start):
	.cfi_startproc
	.cfi_undefined x30
	mov	x0, x20
	blr	x19
	brk	#1
	.cfi_endproc
	END(weft__context_start)

#endif

#if defined(__linux__) && defined(__ELF__)
	.section .note.GNU-stack, "", %progbits
#if defined(__aarch64__) && !defined(__ILP32__)
	/* GNU_PROPERTY_AARCH64_FEATURE_1_AND: BTI */
	.section .note.gnu.property, "a"
	.p2align 3
	.long	4, 16, 5
	.asciz	"GNU"
	.long	0xc0000000, 4, 1, 0
#endif
#endif
