/* SPDX-License-Identifier: MIT */
/*
 * Terminals that are raw, and how they are put back whatever ends the process.
 *
 *   raw -> before      the last stream that wants it raw says so, or closes
 *                      exit(3)
 *                      a signal that ends the process: then it does
 *   raw -> before      SIGTSTP, then the process stops
 *   before -> raw      SIGCONT, whatever had stopped it, if in the foreground
 *
 * Handlers stand only while a terminal is raw, and, of those that end or stop
 * the process, only where the program has left the default action. SIGCONT goes
 * on to the program's handler.
 *
 * A handler may run at any time, on any thread. It takes no lock, and what it
 * does is tcgetpgrp, tcsetattr and the like. Entries are never freed, and their
 * modes are written only while `fd` is -1. A handler counts itself while it
 * reads what we keep, and whoever has made `fd` -1 waits until none is running:
 * then nobody can know the descriptor or be reading the modes any more.
 *
 * Nothing is done in another process than the one that made it raw, nor from
 * the background, where the terminal is the shell's or another job's.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "fiber/signal.h"
#include "lib/compat.h"
#include "lib/shared.h"

struct weft__raw {
	struct weft__raw *next;
	atomic_int fd;                  /* ours; -1: nobody wants it raw */
	pid_t process;
	unsigned users;
	bool controller;                /* of a pseudo-terminal: these share a name */
	dev_t device;
	struct termios before, raw;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct weft__raw *_Atomic entries;
static atomic_int handlers;             /* that are running */
static unsigned raw_terminals;

/* --- modes; async-signal-safe */

static int
set_modes(int fd, const struct termios *modes)
{
	pid_t foreground = tcgetpgrp(fd);
	sigset_t mask;
	int result;

	/* Of a terminal that does not control us there is no foreground. */
	if (foreground >= 0 && foreground != getpgrp())
		return weft__fail(EIO);
	weft__sigttou_hold(&mask);
	do
		result = tcsetattr(fd, TCSANOW, modes);
	while (result < 0 && errno == EINTR);
	weft__sigttou_release(&mask);
	return result;
}

static void
set_all(bool raw)
{
	struct weft__raw *entry;
	int saved = errno, fd;

	atomic_fetch_add(&handlers, 1);
	for (entry = atomic_load(&entries); entry != NULL; entry = entry->next) {
		fd = atomic_load(&entry->fd);
		if (fd >= 0 && entry->process == getpid())
			(void)!set_modes(fd, raw ? &entry->raw : &entry->before);
	}
	atomic_fetch_sub(&handlers, 1);
	errno = saved;
}

void
weft__raw_restore(void)
{
	set_all(false);
}

/* --- signals */

static struct caught {
	int signal;
	bool ours;                      /* our handler stands, or did when we looked */
} caught[] = {
	{ .signal = SIGCONT }, { .signal = SIGTSTP },
	{ .signal = SIGHUP }, { .signal = SIGINT }, { .signal = SIGQUIT },
	{ .signal = SIGILL }, { .signal = SIGABRT }, { .signal = SIGFPE },
	{ .signal = SIGBUS }, { .signal = SIGSEGV }, { .signal = SIGPIPE },
	{ .signal = SIGALRM }, { .signal = SIGTERM }, { .signal = SIGUSR1 },
	{ .signal = SIGUSR2 }, { .signal = SIGXCPU }
};
enum { CAUGHT = sizeof caught / sizeof *caught };

static struct sigaction before_continue[2];     /* while ours stands: */
static atomic_uint which;                       /* that it is */

static void
await_handlers(void)
{
	while (atomic_load(&handlers) > 0)
		sched_yield();
}

static void
take_default(int signal, struct sigaction *old)
{
	struct sigaction standard = { .sa_handler = SIG_DFL };

	sigemptyset(&standard.sa_mask);
	sigaction(signal, &standard, old);
}

/* The signal is blocked here and strikes when we return. */
static void
end(int signal, siginfo_t *info, void *context)
{
	int saved = errno;

	(void)info, (void)context;
	set_all(false);
	take_default(signal, NULL);
	raise(signal);
	errno = saved;
}

static void
stop(int signal, siginfo_t *info, void *context)
{
	int saved = errno;
	struct sigaction ours;
	sigset_t set, mask;

	(void)info, (void)context;
	set_all(false);
	take_default(signal, &ours);
	sigemptyset(&set);
	sigaddset(&set, signal);
	raise(signal);
	pthread_sigmask(SIG_UNBLOCK, &set, &mask);      /* here it stops */
	pthread_sigmask(SIG_SETMASK, &mask, NULL);
	sigaction(signal, &ours, NULL);
	set_all(true);
	errno = saved;
}

static void
go_on(int signal, siginfo_t *info, void *context)
{
	struct sigaction old;

	atomic_fetch_add(&handlers, 1);
	old = before_continue[atomic_load(&which)];
	atomic_fetch_sub(&handlers, 1);
	set_all(true);
	if (old.sa_flags & SA_SIGINFO)
		old.sa_sigaction(signal, info, context);
	else if (old.sa_handler != SIG_DFL && old.sa_handler != SIG_IGN)
		old.sa_handler(signal);
}

static bool
is_default(const struct sigaction *action)
{
	return !(action->sa_flags & SA_SIGINFO) && action->sa_handler == SIG_DFL;
}

static bool
is_ours(const struct sigaction *action)
{
	return action->sa_flags & SA_SIGINFO && (action->sa_sigaction == end ||
	    action->sa_sigaction == stop || action->sa_sigaction == go_on);
}

/* A handler of before may be running yet: no copy that it could be reading is
 * written. */
static void
keep_continue(const struct sigaction *old)
{
	unsigned other = !atomic_load(&which);

	await_handlers();
	before_continue[other] = *old;
	atomic_store(&which, other);
}

static void
put_up(struct caught *c)
{
	struct sigaction ours = { .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK }, old;

	sigfillset(&ours.sa_mask);
	ours.sa_sigaction = c->signal == SIGCONT ? go_on :
	    c->signal == SIGTSTP ? stop : end;
	if (weft__signal_below(c->signal, NULL, &old) < 0)
		return;
	c->ours = is_ours(&old);        /* the parent's, before a fork */
	if (c->ours || (c->signal != SIGCONT && !is_default(&old)))
		return;
	if (c->signal == SIGCONT)
		keep_continue(&old);
	c->ours = weft__signal_below(c->signal, &ours, &old) == 0;
}

/* If the program has put its own there meanwhile, that stays. */
static void
take_down(const struct caught *c)
{
	struct sigaction standard = { .sa_handler = SIG_DFL }, old;

	sigemptyset(&standard.sa_mask);
	if (c->ours && weft__signal_below(c->signal, NULL, &old) == 0 && is_ours(&old))
		weft__signal_below(c->signal,
		    c->signal == SIGCONT ? &before_continue[atomic_load(&which)] : &standard,
		    &old);
}

static void
count(int more)
{
	int i;

	if (raw_terminals == 0)
		for (i = 0; i < CAUGHT; i++)
			put_up(&caught[i]);
	raw_terminals += (unsigned)more;
	if (raw_terminals == 0)
		for (i = 0; i < CAUGHT; i++)
			take_down(&caught[i]);
}

/* --- fork: what is raw is the parent's */

static void
before_fork(void)
{
	pthread_mutex_lock(&lock);
}

static void
in_parent(void)
{
	pthread_mutex_unlock(&lock);
}

static void
in_child(void)
{
	raw_terminals = 0;
	atomic_store(&handlers, 0);
	pthread_mutex_unlock(&lock);
}

/* Signals come first: what is registered later is locked earlier, and we ask for
 * signals with our lock held. */
static void
prepare(void)
{
	struct sigaction unused;

	(void)weft__signal_below(SIGCONT, NULL, &unused);
	pthread_atfork(before_fork, in_parent, in_child);
}

/* --- entries, under the lock */

static struct weft__raw *
find(dev_t device)
{
	struct weft__raw *entry;

	for (entry = atomic_load(&entries); entry != NULL; entry = entry->next)
		if (atomic_load(&entry->fd) >= 0 && entry->device == device &&
		    !entry->controller && entry->process == getpid())
			return entry;
	return NULL;
}

static struct weft__raw *
take_entry(void)
{
	struct weft__raw *entry;

	for (entry = atomic_load(&entries); entry != NULL; entry = entry->next)
		if (atomic_load(&entry->fd) < 0)
			return entry;
	entry = calloc(1, sizeof *entry);
	if (entry == NULL)
		return NULL;
	atomic_init(&entry->fd, -1);
	entry->next = atomic_load(&entries);
	atomic_store(&entries, entry);
	return entry;
}

static void
make_raw(struct termios *modes)
{
	modes->c_iflag &= ~(tcflag_t)(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR |
	    ICRNL | IXON);
	modes->c_oflag &= ~(tcflag_t)OPOST;
	modes->c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | ISIG | IEXTEN);
	modes->c_cflag &= ~(tcflag_t)(CSIZE | PARENB);
	modes->c_cflag |= CS8;
	modes->c_cc[VMIN] = 1;
	modes->c_cc[VTIME] = 0;
}

/* The modes are as before already, for a signal may end the process now. Once
 * more, because a handler of SIGCONT may have made it raw again meanwhile. */
static void
withdraw(struct weft__raw *entry)
{
	int fd = atomic_exchange(&entry->fd, -1);

	await_handlers();
	(void)!set_modes(fd, &entry->before);
	count(-1);
	close(fd);
}

/* The entry counts before the terminal is raw: a signal may come between. */
static int
begin(struct weft__raw *entry, int fd)
{
	int own, error;

	if (tcgetattr(fd, &entry->before) < 0)
		return -1;
	entry->raw = entry->before;
	make_raw(&entry->raw);
	own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (own < 0)
		return -1;
	entry->process = getpid();
	entry->users = 1;
	count(1);
	atomic_store(&entry->fd, own);
	if (set_modes(own, &entry->raw) == 0)
		return 0;
	error = errno;
	withdraw(entry);
	return weft__fail(error);
}

static struct weft__raw *
find_or_begin(int fd)
{
	struct weft__raw *entry;
	struct stat file;

	if (fstat(fd, &file) < 0)
		return NULL;
	entry = find(file.st_rdev);
	if (entry != NULL) {
		entry->users++;
		return entry;
	}
	entry = take_entry();
	if (entry == NULL)
		return NULL;
	entry->device = file.st_rdev;
	entry->controller = weft__compat_is_controller(fd);
	return begin(entry, fd) == 0 ? entry : NULL;
}

struct weft__raw *
weft__raw_begin(int fd)
{
	struct weft__raw *entry;

	weft__stdio_at_exit();
	pthread_once(&once, prepare);
	pthread_mutex_lock(&lock);
	entry = find_or_begin(fd);
	pthread_mutex_unlock(&lock);
	return entry;
}

void
weft__raw_end(struct weft__raw *entry)
{
	int saved = errno;

	pthread_mutex_lock(&lock);
	if (entry->process == getpid() && --entry->users == 0) {
		(void)!set_modes(atomic_load(&entry->fd), &entry->before);
		withdraw(entry);
	}
	pthread_mutex_unlock(&lock);
	errno = saved;
}
