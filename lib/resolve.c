/* SPDX-License-Identifier: MIT */
/*
 * Names to addresses. What is written in numbers is done here and now; names
 * go to a thread, because getaddrinfo(3) can only block, and nothing else
 * knows all that a system consults.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fiber/offload.h"
#include "lib/addr.h"
#include "lib/stream.h"
#include "weft/error.h"

struct lookup {
	struct weft__job job;           /* first */
	struct addrinfo hints;
	struct addrinfo *list;
	int code, error;                /* of getaddrinfo; errno if EAI_SYSTEM */
	char *host, *port;              /* or NULL; in the same memory */
	char text[];
};

static void
look_up(struct weft__job *job)
{
	struct lookup *l = (struct lookup *)job;

	l->code = getaddrinfo(l->host, l->port, &l->hints, &l->list);
	l->error = errno;
}

static void
free_lookup(struct weft__job *job)
{
	struct lookup *l = (struct lookup *)job;

	if (l->list != NULL)
		freeaddrinfo(l->list);
	free(l);
}

static struct lookup *
new_lookup(const char *host, const char *port, const struct addrinfo *hints)
{
	size_t host_size = host != NULL ? strlen(host) + 1 : 0;
	size_t port_size = strlen(port) + 1;
	struct lookup *l = calloc(1, sizeof *l + host_size + port_size);

	if (l == NULL)
		return NULL;
	l->job.work = look_up;
	l->job.free = free_lookup;
	l->job.kind = WEFT__JOB_NAME;
	l->hints = *hints;
	if (host != NULL)
		l->host = memcpy(l->text, host, host_size);
	l->port = memcpy(l->text + host_size, port, port_size);
	return l;
}

/* A port in digits must be one; getaddrinfo takes any number. */
static bool
bad_port(const char *port)
{
	unsigned long value;
	char *end;

	if (port == NULL || *port == '\0')
		return true;
	if (strspn(port, "0123456789") != strlen(port))
		return false;
	errno = 0;
	value = strtoul(port, &end, 10);
	return errno != 0 || value > 65535;
}

static bool
numeric(const char *port)
{
	return strspn(port, "0123456789") == strlen(port);
}

static int
translate(struct weft_loop *loop, int code, int error)
{
	if (code != 0 && code != EAI_SYSTEM)
		*weft__detail(loop) = WEFT_EAI(code);
	switch (code) {
	case 0:
		return 0;
	case EAI_SERVICE:
		return EINVAL;
	case EAI_MEMORY:
		return ENOMEM;
	case EAI_SYSTEM:
		return error != 0 ? error : EHOSTUNREACH;
	default:
		return EHOSTUNREACH;
	}
}

static int
look_up_on_thread(struct weft_loop *loop, const char *host, const char *port,
    const struct addrinfo *hints, int64_t deadline, struct addrinfo **list)
{
	struct lookup *l = new_lookup(host, port, hints);
	int error;

	if (l == NULL)
		return ENOMEM;
	error = weft__offload(loop, &l->job, deadline);
	if (error != 0)
		return error;
	error = translate(loop, l->code, l->error);
	*list = l->list;
	l->list = NULL;
	free_lookup(&l->job);
	return error;
}

int
weft__resolve_for(struct weft_loop *loop, int type, const char *host, const char *port,
    bool passive, int64_t deadline, struct addrinfo **list)
{
	struct addrinfo hints = { .ai_socktype = type };
	int code;

	*weft__detail(loop) = 0;
	*list = NULL;
	if (bad_port(port))
		return EINVAL;
	if (passive)
		hints.ai_flags |= AI_PASSIVE;
	if (numeric(port)) {
		struct addrinfo here = hints;

		here.ai_flags |= AI_NUMERICHOST | AI_NUMERICSERV;
		code = getaddrinfo(host, port, &here, list);
		if (code != EAI_NONAME)
			return translate(loop, code, errno);
	}
	return look_up_on_thread(loop, host, port, &hints, deadline, list);
}

int
weft__resolve(struct weft_loop *loop, const char *host, const char *port, bool passive,
    int64_t deadline, struct addrinfo **list)
{
	return weft__resolve_for(loop, SOCK_STREAM, host, port, passive, deadline, list);
}

void
weft__resolve_free(struct addrinfo *list)
{
	if (list != NULL)
		freeaddrinfo(list);
}

int
weft_resolve_errno(void)
{
	struct weft_loop *loop = weft__loop();

	return loop != NULL ? *weft__detail(loop) : 0;
}
