/* SPDX-License-Identifier: MIT */
/*
 * Names and texts of errors, and why the last stream could not be made.
 */
#include "config.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

#include "lib/stream.h"
#include "weft/error.h"

struct name {
	int error;
	const char *name;
};

#define NAME(code) { code, #code }
#define EAI(code) { WEFT_EAI(code), #code }

/* POSIX, and what of Linux and the BSDs a socket program can meet. Where two
 * names share a number, the one that is first here is given. */
static const struct name names[] = {
	NAME(E2BIG), NAME(EACCES), NAME(EADDRINUSE), NAME(EADDRNOTAVAIL),
	NAME(EAFNOSUPPORT), NAME(EAGAIN), NAME(EALREADY), NAME(EBADF), NAME(EBADMSG),
	NAME(EBUSY), NAME(ECANCELED), NAME(ECHILD), NAME(ECONNABORTED),
	NAME(ECONNREFUSED), NAME(ECONNRESET), NAME(EDEADLK), NAME(EDESTADDRREQ),
	NAME(EDOM), NAME(EDQUOT), NAME(EEXIST), NAME(EFAULT), NAME(EFBIG),
	NAME(EHOSTUNREACH), NAME(EIDRM), NAME(EILSEQ), NAME(EINPROGRESS), NAME(EINTR),
	NAME(EINVAL), NAME(EIO), NAME(EISCONN), NAME(EISDIR), NAME(ELOOP), NAME(EMFILE),
	NAME(EMLINK), NAME(EMSGSIZE), NAME(ENAMETOOLONG), NAME(ENETDOWN),
	NAME(ENETRESET), NAME(ENETUNREACH), NAME(ENFILE), NAME(ENOBUFS), NAME(ENODEV),
	NAME(ENOENT), NAME(ENOEXEC), NAME(ENOLCK), NAME(ENOMEM), NAME(ENOMSG),
	NAME(ENOPROTOOPT), NAME(ENOSPC), NAME(ENOSYS), NAME(ENOTCONN), NAME(ENOTDIR),
	NAME(ENOTEMPTY), NAME(ENOTRECOVERABLE), NAME(ENOTSOCK), NAME(ENOTSUP),
	NAME(ENOTTY), NAME(ENXIO), NAME(EOPNOTSUPP), NAME(EOVERFLOW), NAME(EOWNERDEAD),
	NAME(EPERM), NAME(EPIPE), NAME(EPROTO), NAME(EPROTONOSUPPORT), NAME(EPROTOTYPE),
	NAME(ERANGE), NAME(EROFS), NAME(ESPIPE), NAME(ESRCH), NAME(ESTALE),
	NAME(ETIMEDOUT), NAME(ETXTBSY), NAME(EWOULDBLOCK), NAME(EXDEV),
#ifdef EHOSTDOWN
	NAME(EHOSTDOWN),
#endif
#ifdef ENOTBLK
	NAME(ENOTBLK),
#endif
#ifdef EPFNOSUPPORT
	NAME(EPFNOSUPPORT),
#endif
#ifdef ESHUTDOWN
	NAME(ESHUTDOWN),
#endif
#ifdef ESOCKTNOSUPPORT
	NAME(ESOCKTNOSUPPORT),
#endif
#ifdef ETIME
	NAME(ETIME),
#endif
#ifdef ETOOMANYREFS
	NAME(ETOOMANYREFS),
#endif
#ifdef EUSERS
	NAME(EUSERS),
#endif
	EAI(EAI_AGAIN), EAI(EAI_BADFLAGS), EAI(EAI_FAIL), EAI(EAI_FAMILY),
	EAI(EAI_MEMORY), EAI(EAI_NONAME), EAI(EAI_SERVICE), EAI(EAI_SOCKTYPE),
	EAI(EAI_SYSTEM),
#ifdef EAI_OVERFLOW
	EAI(EAI_OVERFLOW),
#endif
#ifdef EAI_ADDRFAMILY
	EAI(EAI_ADDRFAMILY),
#endif
#ifdef EAI_NODATA
	EAI(EAI_NODATA),
#endif
};

const char *
weft_errno_name(int error)
{
	size_t i;

	for (i = 0; i < sizeof names / sizeof *names; i++)
		if (names[i].error == error)
			return names[i].name;
	return NULL;
}

/* strerror_r comes in two kinds: one says whether it filled the buffer, the
 * other gives the text. */
static const char *
text_of_int(int failed, const char *buffer)
{
	return failed == 0 ? buffer : NULL;
}

static const char *
text_of_pointer(const char *text, const char *buffer)
{
	(void)buffer;
	return text;
}

#define TEXT(error, buffer) _Generic(strerror_r(error, buffer, sizeof buffer), \
	int: text_of_int, char *: text_of_pointer)( \
	strerror_r(error, buffer, sizeof buffer), buffer)

const char *
weft_strerror(int error)
{
	static _Thread_local char buffer[128];
	const char *text, *name = weft_errno_name(error);
	int saved = errno;

	if (error < 0 && name != NULL)
		return gai_strerror(EAI_NONAME < 0 ? error : -error);
	text = TEXT(error, buffer);
	errno = saved;
	if (text != NULL)
		return text;
	snprintf(buffer, sizeof buffer, "Unknown error %d", error);
	return buffer;
}

/* Of a name that did not resolve, the resolver's code says more. */
static int
why(struct weft_loop *loop, int error)
{
	int code = *weft__detail(loop);

	return error == EHOSTUNREACH && code != 0 ? code : error;
}

void *
weft__make_failed(const char *step, const char *what, int error)
{
	struct weft_loop *loop = weft__loop();
	struct weft__per_loop *own = loop != NULL ? weft__per_loop(loop) : NULL;

	if (own != NULL)
		snprintf(own->failure, sizeof own->failure, "%s %s: %s", step,
		    what != NULL ? what : "*", weft_strerror(why(loop, error)));
	errno = error;
	return NULL;
}

const char *
weft__make_failure(void)
{
	struct weft_loop *loop = weft__loop();
	struct weft__per_loop *own = loop != NULL ? weft__per_loop(loop) : NULL;

	return own != NULL ? own->failure : "";
}
