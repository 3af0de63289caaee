/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef HAVE_EVENTFD
#include <sys/eventfd.h>
#endif

#include "reactor/compat.h"

#ifdef HAVE_PIPE2
static int
make_pipe(int fds[2])
{
	return pipe2(fds, O_NONBLOCK | O_CLOEXEC);
}
#else
static int
set_flags(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -1;
	return fcntl(fd, F_SETFD, FD_CLOEXEC);
}

static int
make_pipe(int fds[2])
{
	if (pipe(fds) < 0)
		return -1;
	if (set_flags(fds[0]) < 0 || set_flags(fds[1]) < 0) {
		int error = errno;

		close(fds[0]);
		close(fds[1]);
		errno = error;
		return -1;
	}
	return 0;
}
#endif

int
weft__compat_above_standard(int fd)
{
	int above, error;

	if (fd < 0 || fd > STDERR_FILENO)
		return fd;
	above = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	error = errno;
	close(fd);
	errno = error;
	return above;
}

static int
wake_pipe(int fds[2])
{
	int error;

	if (make_pipe(fds) < 0)
		return -1;
	fds[0] = weft__compat_above_standard(fds[0]);
	fds[1] = weft__compat_above_standard(fds[1]);
	if (fds[0] >= 0 && fds[1] >= 0)
		return 0;
	error = errno;
	close(fds[0] >= 0 ? fds[0] : fds[1]);
	errno = error;
	return -1;
}

int
weft__compat_wake_pair(int fds[2])
{
#ifdef HAVE_EVENTFD
	fds[0] = fds[1] = weft__compat_above_standard(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
	if (fds[0] >= 0)
		return 0;
	if (errno != ENOSYS)
		return -1;
#endif
	return wake_pipe(fds);
}

void
weft__compat_know(int fd, struct weft__file *file)
{
	struct stat status = { 0 };

	(void)!fstat(fd, &status);
	file->device = status.st_dev;
	file->number = status.st_ino;
}

bool
weft__compat_is(int fd, const struct weft__file *file)
{
	struct stat status;
	int error = errno;
	bool same = fstat(fd, &status) == 0 && status.st_dev == file->device &&
	    status.st_ino == file->number;

	errno = error;
	return same;
}

const char *
weft__compat_getenv(const char *name)
{
#if defined(HAVE_SECURE_GETENV)
	return secure_getenv(name);
#elif defined(HAVE_ISSETUGID)
	return issetugid() ? NULL : getenv(name);
#else
	return getuid() != geteuid() || getgid() != getegid() ? NULL : getenv(name);
#endif
}
