/* SPDX-License-Identifier: MIT */
/*
 * What is special about pipes and other descriptors: two of them, perhaps, and
 * no flag against SIGPIPE.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/compat.h"
#include "lib/fdstream.h"
#include "weft/pipe.h"

static int
close_output(struct weft_stream *s)
{
	weft__fdstream_close_side((struct weft__fdstream *)s, WEFT__OUT);
	return 0;
}

#define PIPE_CLASS(shutdown_) { \
	.size = sizeof(struct weft_stream_class), \
	.name = "pipe", \
	.read = weft__fdstream_read, \
	.writev = weft__fdstream_write, \
	.want = weft__fdstream_want, \
	.shutdown = shutdown_, \
	.close = weft__fdstream_close, \
	.free = weft__fdstream_free, \
	.fd = weft__fdstream_fd \
}

/* Our side can end alone only if it has a descriptor of its own. */
static const struct weft_stream_class pipe_class = PIPE_CLASS(close_output);
static const struct weft_stream_class device_class = PIPE_CLASS(NULL);

/* Whether the descriptor is open for a direction. 0 or an errno. */
static int
check(int fd, int forbidden)
{
	int flags;

	if (fd < 0)
		return 0;
	flags = fcntl(fd, F_GETFL);
	if (flags < 0)
		return errno;
	return (flags & O_ACCMODE) == forbidden ? EINVAL : 0;
}

/* In a pipe a short transfer means that there is no more; a device may cut
 * transfers as it likes. */
static unsigned
nature_of(int fd)
{
	struct stat file;

	if (fd < 0)
		return WEFT__SHORT_IS_DRAINED;
	if (isatty(fd))
		return WEFT__TERMINAL;
	return fstat(fd, &file) == 0 && S_ISFIFO(file.st_mode) &&
	    !weft__compat_keeps_packets(fd) ? WEFT__SHORT_IS_DRAINED : 0;
}

static unsigned
nature_of_both(const int fd[2])
{
	unsigned in = nature_of(fd[WEFT__IN]), out = nature_of(fd[WEFT__OUT]);

	return (in & out & WEFT__SHORT_IS_DRAINED) | (in & WEFT__TERMINAL);
}

static int
set_flags(const int fd[2])
{
	int side;

	for (side = 0; side < 2; side++)
		if (fd[side] >= 0 && weft__compat_set_flags(fd[side]) < 0)
			return errno;
	return 0;
}

struct weft_stream *
weft_pipe_open(int read_fd, int write_fd)
{
	const int fd[2] = { read_fd, write_fd };
	struct weft_loop *loop = weft__loop();
	struct weft_stream *s;
	int error;

	if (loop == NULL)
		return NULL;
	error = read_fd < 0 && write_fd < 0 ? EBADF : check(read_fd, O_WRONLY);
	if (error == 0)
		error = check(write_fd, O_RDONLY);
	if (error == 0)
		error = set_flags(fd);
	if (error != 0)
		return weft__make_failed("open", "pipe", error);
	s = weft__fdstream_new(loop, write_fd >= 0 && read_fd != write_fd ?
	    &pipe_class : &device_class, fd, nature_of_both(fd));
	return s != NULL ? s : weft__make_failed("open", "pipe", ENOMEM);
}

int
weft_pipe_pair(struct weft_stream *ends[2])
{
	int fd[2], error;

	if (weft__compat_pipe(fd) < 0)
		return -1;
	ends[0] = weft_pipe_open(fd[0], -1);
	ends[1] = ends[0] != NULL ? weft_pipe_open(-1, fd[1]) : NULL;
	if (ends[1] != NULL)
		return 0;
	error = errno;
	if (ends[0] == NULL)
		close(fd[0]);
	close(fd[1]);
	weft_stream_free(ends[0]);
	return weft__fail(error);
}
