/* SPDX-License-Identifier: MIT */
/*
 * weft/scope.h - what belongs to a fiber: the fibers of its scopes, which do
 * not outlive them (structured concurrency, as in libdill and Trio), and its
 * own values.
 *
 * Pages: weft_scope(3), weft_key(3).
 */
#ifndef WEFT_SCOPE_H
#define WEFT_SCOPE_H

#include <weft/base.h>
#include <weft/fiber.h>

WEFT_BEGIN_DECLS

struct weft_scope;

/* --- scopes: whoever opens one waits for it and closes it, innermost first */

/* Until the close, the deadline bounds every wait of the running fiber and of
 * all members. NULL: ENOMEM. */
WEFT_API struct weft_scope *weft_scope_open(int64_t deadline);
/* A new member; any fiber of the thread may ask for it. ECANCELED: the scope is
 * cancelled or being closed. EINVAL, ENOMEM. */
WEFT_API int weft_scope_spawn(struct weft_scope *, weft_fn *, void *arg);
/* 0 when all have ended; the scope can be used again. EINVAL: not the opener.
 * EDEADLK, ETIMEDOUT, ... leave all as it is. */
WEFT_API int weft_scope_wait(struct weft_scope *, int64_t deadline);
/* The first result of a member that was not 0, or 0. */
WEFT_API int weft_scope_result(const struct weft_scope *);
/* Cancels all members. There are no new ones until all have ended. */
WEFT_API void weft_scope_cancel(struct weft_scope *);
/* Cancels what is left and waits for it, in spite of cancel and deadlines.
 * EINVAL: not the opener's innermost scope, or a deadline or shield that was
 * begun inside has not ended. NULL: 0. A fiber that ends closes its scopes. */
WEFT_API int weft_scope_close(struct weft_scope *);

/* --- keys: a value for each fiber */

typedef unsigned weft_key;      /* 0 is none */

/* A key for all threads, for ever. When a fiber ends, destroy (NULL: nothing)
 * is called in it with its value, unless that is NULL. EAGAIN: no more keys. */
WEFT_API int weft_key_create(weft_key *, void (*destroy)(void *));
/* Of the running fiber; the old value is not destroyed. EINVAL, ENOMEM. */
WEFT_API int weft_key_set(weft_key, void *);
/* NULL until it is set. */
WEFT_API void *weft_key_get(weft_key);

WEFT_END_DECLS

#endif
