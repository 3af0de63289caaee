/* SPDX-License-Identifier: MIT */
/*
 * Tries out a kqueue with what is not a socket or a pipe: a pseudo-terminal,
 * /dev/null, a regular file. See probe.c; here it is tty.freebsd, tty.openbsd.
 */
#define _GNU_SOURCE
#include "probe.h"

#include <termios.h>

static void
look(const char *tag, int milliseconds)
{
	struct timespec time = { 0, milliseconds * 1000000L };
	struct kevent events[8];
	int i, n = kevent(kq, NULL, 0, events, 8, &time);

	printf("%-40s n=%d", tag, n);
	for (i = 0; i < n; i++)
		printf(" [%s%s fl=%x ff=%x data=%ld]",
		    events[i].filter == EVFILT_READ ? "R" : "W",
		    events[i].flags & EV_EOF ? " EOF" : "", (unsigned)events[i].flags,
		    (unsigned)events[i].fflags, (long)events[i].data);
	printf("\n");
}

static int
add(int fd, int filter, int flags)
{
	struct kevent event;

	EV_SET(&event, (uintptr_t)fd, filter, flags, 0, 0, 0);
	if (kevent(kq, &event, 1, NULL, 0, NULL) == 0)
		return 0;
	printf("   EV_ADD %s -> %s\n", filter == EVFILT_READ ? "R" : "W", strerror(errno));
	return -1;
}

static int
open_terminal(int *slave)
{
	struct termios mode;
	int master = posix_openpt(O_RDWR | O_NOCTTY);

	grantpt(master);
	unlockpt(master);
	printf("pts %s\n", ptsname(master));
	*slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	tcgetattr(*slave, &mode);
	cfmakeraw(&mode);
	tcsetattr(*slave, TCSANOW, &mode);
	fcntl(master, F_SETFL, O_NONBLOCK);
	fcntl(*slave, F_SETFL, O_NONBLOCK);
	return master;
}

static void
reading(int master, int slave)
{
	struct termios mode;

	add(master, EVFILT_READ, EV_ADD | EV_CLEAR);
	add(slave, EVFILT_READ, EV_ADD | EV_CLEAR);
	look("idle", 30);
	put(master, "abc");
	look("3 bytes to slave (raw)", 200);
	drain(slave, sizeof buffer, 3);
	put(slave, "hello");
	look("5 bytes to master", 200);
	drain(master, sizeof buffer, 5);
	tcgetattr(slave, &mode);
	mode.c_lflag |= ICANON;
	mode.c_lflag &= ~(tcflag_t)ECHO;
	tcsetattr(slave, TCSANOW, &mode);
	look("after switch to ICANON", 30);
	put(master, "ab");
	look("ICANON: 2 bytes, no newline", 50);
	put(master, "\n");
	look("ICANON: newline", 200);
	printf("   read=%zd\n", read(slave, buffer, sizeof buffer));
	put(master, "\004");
	look("ICANON: ^D", 200);
	printf("   read=%zd\n", read(slave, buffer, sizeof buffer));
}

static void
writing(int master, int slave)
{
	long n;

	add(slave, EVFILT_WRITE, EV_ADD | EV_CLEAR);
	look("slave WRITE", 100);
	n = fill(slave, 4096);
	printf("   slave wrote %ld then %s\n", n, strerror(errno));
	look("slave full", 50);
	n = drain(master, 4096, INT32_MAX);
	printf("   master read %ld then %s\n", n, strerror(errno));
	look("slave drained", 200);
}

static void
result(const char *call, ssize_t n)
{
	printf("   %s=%zd %s\n", call, n, n < 0 ? strerror(errno) : "");
}

static void
ends(int master, int slave)
{
	close(slave);
	look("slave closed: master", 200);
	result("master read", read(master, buffer, sizeof buffer));
	slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_NONBLOCK);
	add(slave, EVFILT_READ, EV_ADD | EV_CLEAR);
	close(master);
	look("master closed: slave", 200);
	result("slave read", read(slave, buffer, sizeof buffer));
	result("slave write", write(slave, "x", 1));
	close(slave);
}

static void
files(const char *regular)
{
	int fd = open("/dev/null", O_RDWR);

	printf("/dev/null:\n");
	if (add(fd, EVFILT_READ, EV_ADD) == 0)
		look("  read", 50);
	if (add(fd, EVFILT_WRITE, EV_ADD) == 0)
		look("  write", 50);
	close(fd);
	fd = open(regular, O_RDONLY);
	printf("regular file:\n");
	if (add(fd, EVFILT_READ, EV_ADD | EV_CLEAR) == 0)
		look("  read at 0", 50);
	lseek(fd, 0, SEEK_END);
	look("  read at end", 50);
	if (add(fd, EVFILT_WRITE, EV_ADD) == 0)
		look("  write", 50);
	close(fd);
}

int
main(int argc, char **argv)
{
	int master, slave;

	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	kq = kqueue();
	master = open_terminal(&slave);
	reading(master, slave);
	writing(master, slave);
	ends(master, slave);
	files(argv[argc - 1]);
	puts("DONE");
	return 0;
}
