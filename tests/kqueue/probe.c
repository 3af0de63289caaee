/* SPDX-License-Identifier: MIT */
/*
 * Tries out a kqueue: sockets, pipes, timers, signals, processes, errors, fork.
 * probe.freebsd and probe.openbsd are what two kernels, 13.2 and 7.3, made it
 * print; tests/kqueue.sh compares with them what the double makes it print.
 */
#define _GNU_SOURCE
#include "probe.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/wait.h>

static const char *
name(int filter)
{
	switch (filter) {
	case EVFILT_READ:
		return "READ";
	case EVFILT_WRITE:
		return "WRITE";
	case EVFILT_TIMER:
		return "TIMER";
	case EVFILT_SIGNAL:
		return "SIGNAL";
	case EVFILT_PROC:
		return "PROC";
#ifdef EVFILT_USER
	case EVFILT_USER:
		return "USER";
#endif
	default:
		return "?";
	}
}

static void
print(const struct kevent *event)
{
	long id = (long)event->ident;

	printf(" [%s id=%ld fl=%s%s%s%s(%x) ff=%x data=%ld]", name(event->filter),
	    id > 64 ? -1L : id, event->flags & EV_EOF ? "EOF " : "",
	    event->flags & EV_ERROR ? "ERR " : "",
	    event->flags & EV_CLEAR ? "CLR " : "",
	    event->flags & EV_ONESHOT ? "ONE " : "",
	    (unsigned)event->flags, (unsigned)event->fflags, (long)event->data);
}

/* Waits for events. */
static void
look(const char *tag, int milliseconds)
{
	struct timespec time = { milliseconds / 1000, milliseconds % 1000 * 1000000L };
	struct kevent events[16];
	int i, n = kevent(kq, NULL, 0, events, 16, &time);

	printf("%-34s n=%d", tag, n);
	if (n < 0)
		printf(" errno=%d(%s)", errno, strerror(errno));
	for (i = 0; i < n; i++)
		print(&events[i]);
	printf("\n");
}

static void
change(long id, int filter, int flags, unsigned notes, long data)
{
	struct kevent event;

	EV_SET(&event, (uintptr_t)id, filter, flags, notes, data, 0);
	if (kevent(kq, &event, 1, NULL, 0, NULL) < 0)
		printf("   kevent(%s id=%ld fl=%x ff=%x) -> errno=%d(%s)\n", name(filter),
		    id, (unsigned)flags, notes, errno, strerror(errno));
}

/* --- streams */

static struct sockaddr_in
loopback(int port)
{
	struct sockaddr_in address;

	memset(&address, 0, sizeof address);
	address.sin_family = AF_INET;
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	address.sin_port = htons((uint16_t)port);
	return address;
}

/* A socket on a port of its own, which goes to *address. */
static int
bound(int type, struct sockaddr_in *address)
{
	socklen_t size = sizeof *address;
	int fd = socket(AF_INET, type, 0);

	*address = loopback(0);
	if (bind(fd, (struct sockaddr *)address, size) < 0 ||
	    getsockname(fd, (struct sockaddr *)address, &size) < 0)
		perror("bind");
	return fd;
}

static int
connected(const struct sockaddr_in *address)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (connect(fd, (const struct sockaddr *)address, sizeof *address) < 0)
		perror("connect");
	return fd;
}

static void
tcp_pair(int ends[2])
{
	struct sockaddr_in address;
	int listener = bound(SOCK_STREAM, &address);

	listen(listener, 1);
	ends[0] = connected(&address);
	ends[1] = accept(listener, NULL, NULL);
	close(listener);
}

static void
edges(int fd, int peer)
{
	change(fd, EVFILT_READ, EV_ADD | EV_CLEAR, 0, 0);
	look("add READ CLEAR, no data", 20);
	put(peer, "abc");
	look("3 bytes", 100);
	look("again (must be silent: CLEAR)", 20);
	put(peer, "de");
	look("2 more bytes (edge re-arms)", 100);
	drain(fd, 1, 1);
	look("after partial read of 1", 20);
	change(fd, EVFILT_READ, EV_DISABLE, 0, 0);
	put(peer, "f");
	look("disabled + data", 20);
	change(fd, EVFILT_READ, EV_ENABLE, 0, 0);
	look("EV_ENABLE with pending data", 100);
	change(fd, EVFILT_READ, EV_ADD | EV_CLEAR, 0, 0);
	look("re-EV_ADD with pending data", 100);
	change(fd, EVFILT_READ, EV_DELETE, 0, 0);
	put(peer, "g");
	look("deleted + data", 20);
	printf("   delete twice:\n");
	change(fd, EVFILT_READ, EV_DELETE, 0, 0);
	drain(fd, sizeof buffer, INT32_MAX);
}

static void
levels(int fd, int peer)
{
	change(fd, EVFILT_READ, EV_ADD, 0, 0);
	put(peer, "hi");
	look("level READ 1st", 100);
	look("level READ 2nd (must repeat)", 100);
	drain(fd, sizeof buffer, INT32_MAX);
	look("level READ drained", 20);
	change(fd, EVFILT_READ, EV_DELETE, 0, 0);
}

static void
writing(int fd, int peer)
{
	long written, got;

	change(fd, EVFILT_WRITE, EV_ADD | EV_CLEAR, 0, 0);
	look("WRITE CLEAR initial", 100);
	look("WRITE again silent", 20);
	written = fill(fd, sizeof buffer);
	look("buffer full", 20);
	got = drain(peer, sizeof buffer, written);
	usleep(50000);
	got += drain(peer, sizeof buffer, written - got);
	printf("   wrote %ld read %ld\n", written, got);
	look("peer drained -> WRITE edge", 200);
}

static void
ends(int fd, int peer)
{
	ssize_t n;

	change(fd, EVFILT_READ, EV_ADD | EV_CLEAR, 0, 0);
	put(peer, "last");
	shutdown(peer, SHUT_WR);
	usleep(20000);
	look("4 bytes+peer SHUT_WR: READ EOF", 200);
	n = read(fd, buffer, sizeof buffer);
	printf("   read=%zd then %zd\n", n, read(fd, buffer, 1));
	look("after reading EOF", 20);
	close(peer);
	usleep(20000);
	look("peer close: READ/WRITE EOF", 200);
	n = write(fd, "x", 1);
	printf("   write after close=%zd errno=%s\n", n, n < 0 ? strerror(errno) : "-");
	usleep(20000);
	look("after write to closed", 100);
	close(fd);
	look("own close removes knotes", 20);
}

static void
stream(const char *kind, const int pair[2])
{
	printf("--- %s stream\n", kind);
	fcntl(pair[0], F_SETFL, O_NONBLOCK);
	fcntl(pair[1], F_SETFL, O_NONBLOCK);
	edges(pair[0], pair[1]);
	levels(pair[0], pair[1]);
	writing(pair[0], pair[1]);
	ends(pair[0], pair[1]);
}

static void
streams(void)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0)
		stream("unix", pair);
	tcp_pair(pair);
	stream("tcp", pair);
}

/* --- other descriptors */

static void
pipes(void)
{
	int pair[2];

	printf("--- pipe\n");
	if (pipe(pair) < 0)
		return;
	change(pair[0], EVFILT_READ, EV_ADD | EV_CLEAR, 0, 0);
	put(pair[1], "zz");
	look("pipe 2 bytes", 100);
	close(pair[1]);
	look("pipe writer closed", 100);
	close(pair[0]);
	if (pipe(pair) < 0)
		return;
	change(pair[1], EVFILT_WRITE, EV_ADD | EV_CLEAR, 0, 0);
	look("pipe WRITE", 100);
	close(pair[0]);
	look("pipe reader closed: WRITE EOF", 100);
	close(pair[1]);
}

static void
backlog(void)
{
	struct sockaddr_in address;
	int listener = bound(SOCK_STREAM, &address), clients[2];

	printf("--- listen backlog\n");
	listen(listener, 8);
	change(listener, EVFILT_READ, EV_ADD | EV_CLEAR, 0, 0);
	clients[0] = connected(&address);
	clients[1] = connected(&address);
	usleep(20000);
	look("2 pending accepts (data=2?)", 100);
	close(listener);
	close(clients[0]);
	close(clients[1]);
}

static void
refused(void)
{
	struct sockaddr_in address = loopback(1);
	int fd = socket(AF_INET, SOCK_STREAM, 0), result;

	printf("--- refused connect\n");
	fcntl(fd, F_SETFL, O_NONBLOCK);
	result = connect(fd, (struct sockaddr *)&address, sizeof address);
	printf("   connect=%d %s\n", result, strerror(errno));
	change(fd, EVFILT_WRITE, EV_ADD | EV_ONESHOT, 0, 0);
	look("refused connect WRITE", 200);
	close(fd);
}

static void
datagrams(void)
{
	struct sockaddr_in address;
	int fd = bound(SOCK_DGRAM, &address);

	printf("--- udp\n");
	change(fd, EVFILT_READ, EV_ADD | EV_CLEAR, 0, 0);
	sendto(fd, "12345", 5, 0, (struct sockaddr *)&address, sizeof address);
	sendto(fd, "678", 3, 0, (struct sockaddr *)&address, sizeof address);
	look("udp 5+3 bytes (data=?)", 100);
	close(fd);
}

/* --- what is no descriptor */

static void
timers(void)
{
	printf("--- timer\n");
	change(1, EVFILT_TIMER, EV_ADD | EV_ONESHOT, 0, 50);
	look("oneshot 50ms", 500);
	change(2, EVFILT_TIMER, EV_ADD, 0, 10);
	usleep(55000);
	look("periodic 10ms after 55ms (data~5)", 100);
	change(2, EVFILT_TIMER, EV_DELETE, 0, 0);
#ifdef NOTE_USECONDS
	change(3, EVFILT_TIMER, EV_ADD | EV_ONESHOT, NOTE_USECONDS, 1500);
	look("oneshot 1500us", 100);
#endif
	change(4, EVFILT_TIMER, EV_ADD | EV_ONESHOT, 0, 0);
	look("timer 0ms", 100);
}

static void
handler(int signal)
{
	(void)signal;
}

static void
signals(void)
{
	int i;

	printf("--- signal\n");
	signal(SIGUSR1, SIG_IGN);
	change(SIGUSR1, EVFILT_SIGNAL, EV_ADD, 0, 0);
	for (i = 0; i < 3; i++)
		kill(getpid(), SIGUSR1);
	usleep(20000);
	look("3x SIGUSR1 ignored (data=3?)", 200);
	signal(SIGUSR2, handler);
	change(SIGUSR2, EVFILT_SIGNAL, EV_ADD, 0, 0);
	kill(getpid(), SIGUSR2);
	usleep(20000);
	look("SIGUSR2 with handler", 200);
}

static void
processes(void)
{
	int pair[2], status = 0;
	pid_t child, ended;

	printf("--- proc\n");
	if (pipe(pair) < 0)
		return;
	child = fork();
	if (child == 0) {
		close(pair[1]);
		drain(pair[0], 1, 1);
		_exit(7);
	}
	close(pair[0]);
	change(child, EVFILT_PROC, EV_ADD, NOTE_EXIT, 0);
	look("child alive", 20);
	close(pair[1]);
	look("NOTE_EXIT (data=0x700=1792?)", 1000);
	ended = waitpid(child, &status, WNOHANG);
	printf("   waitpid=%s st=%x\n", ended == child ? "child" : "other", (unsigned)status);
	printf("   add for dead pid:\n");
	change(child, EVFILT_PROC, EV_ADD, NOTE_EXIT, 0);
	change(getpid(), EVFILT_PROC, EV_ADD, NOTE_FORK, 0);
}

#ifdef EVFILT_USER
static void *
trigger(void *unused)
{
	(void)unused;
	usleep(100000);
	change(7, EVFILT_USER, 0, NOTE_TRIGGER, 0);
	return NULL;
}

static void
user(void)
{
	pthread_t thread;

	printf("--- user\n");
	change(7, EVFILT_USER, EV_ADD | EV_CLEAR, 0, 0);
	pthread_create(&thread, NULL, trigger, NULL);
	look("USER from thread", 2000);
	pthread_join(thread, NULL);
	look("USER silent", 20);
}
#else
static void
user(void)
{
	printf("--- no EVFILT_USER\n");
}
#endif

/* --- errors, and a child */

static void
errors(void)
{
	static const struct timespec time = { 0, 50000000 };
	struct kevent changes[2], events[4];
	int i, n, pair[2];

	printf("--- bad fd\n");
	change(999, EVFILT_READ, EV_ADD, 0, 0);
	EV_SET(&changes[0], 998, EVFILT_READ, EV_ADD, 0, 0, 0);
	EV_SET(&changes[1], 4, EVFILT_TIMER, EV_ADD | EV_ONESHOT, 0, 1, 0);
	n = kevent(kq, changes, 2, events, 4, &time);
	printf("changelist with bad fd + room: n=%d", n);
	for (i = 0; i < n; i++)
		printf(" [%s fl=%x data=%ld]", name(events[i].filter),
		    (unsigned)events[i].flags, (long)events[i].data);
	printf("\n");
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		return;
	EV_SET(&changes[0], (uintptr_t)pair[0], EVFILT_WRITE, EV_ADD | EV_RECEIPT, 0, 0, 0);
	n = kevent(kq, changes, 1, events, 1, NULL);
	printf("EV_RECEIPT n=%d fl=%x data=%ld\n", n, n > 0 ? (unsigned)events[0].flags : 0,
	    n > 0 ? (long)events[0].data : 0);
}

static void
children(void)
{
	static const struct timespec at_once = { 0, 0 };
	struct kevent event;
	pid_t child;
	int n;

	printf("--- fork inherits?\n");
	child = fork();
	if (child == 0) {
		n = kevent(kq, NULL, 0, &event, 1, &at_once);
		printf("   child kevent n=%d errno=%s\n", n, n < 0 ? strerror(errno) : "-");
		fflush(stdout);
		_exit(0);
	}
	waitpid(child, NULL, 0);
}

int
main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	kq = kqueue();
	streams();
	pipes();
	backlog();
	refused();
	datagrams();
	timers();
	signals();
	processes();
	user();
	errors();
	children();
	close(kq);
	printf("DONE\n");
	return 0;
}
