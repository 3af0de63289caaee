/* SPDX-License-Identifier: MIT */
/*
 * weft/error.h - names and texts of errors.
 *
 * Page: weft_strerror(3).
 */
#ifndef WEFT_ERROR_H
#define WEFT_ERROR_H

#include <weft/base.h>

WEFT_BEGIN_DECLS

/* "ECONNREFUSED"; "EAI_NONAME" for what weft_resolve_errno gives; else NULL. */
WEFT_API const char *weft_errno_name(int error);
/* The text, for both kinds too; never NULL. Safe in threads: it lives until
 * the thread's next call. */
WEFT_API const char *weft_strerror(int error);
/* Why this fiber's last name did not resolve, as WEFT_EAI(EAI_NONAME) and so
 * on; 0 if it did. Always negative, so that it is no errno. */
WEFT_API int weft_resolve_errno(void);
/* A code of getaddrinfo(3), which is negative on some systems only. */
#define WEFT_EAI(code) ((code) < 0 ? (code) : -(code))

WEFT_END_DECLS

#endif
