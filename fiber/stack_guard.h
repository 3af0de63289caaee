/* SPDX-License-Identifier: MIT */
/*
 * fiber/stack_guard.h - what fiber/stack.c asks of fiber/stack_guard.c.
 *
 * weft__stack_guard_size()     bytes below s->low that belong to the guard, as
 *                              whole pages
 * weft__stack_guard_install()  stand a guard below s->low and note in s->guard
 *                              which; there is always a last resort
 * weft__stack_guard_dissolve() there are no mprotect guards in this memory any
 *                              more, false: ENOMEM
 * weft__stack_guard_refund()   so many mprotect guards have been unmapped
 */
#ifndef WEFT_FIBER_STACK_GUARD_H
#define WEFT_FIBER_STACK_GUARD_H

#include "fiber/stack.h"

size_t weft__page_size(void);
size_t weft__stack_guard_size(void);
void weft__stack_guard_install(struct weft__stacks *, struct weft__stack *);
bool weft__stack_guard_dissolve(char *base, size_t bytes);
void weft__stack_guard_refund(size_t guards);

#endif
