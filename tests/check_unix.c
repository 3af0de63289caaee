/* SPDX-License-Identifier: MIT */
/*
 * tests/check_unix.c - sockets with a name that is a file.
 */
#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/compat.h"
#include "tests/streams.h"
#include "weft/unix.h"

static struct weft_server *server;
static char directory[32], path[64];

static void
make_directory(void)
{
	strcpy(directory, "/tmp/weft-unix-XXXXXX");
	ck_assert(mkdtemp(directory) != NULL);
	snprintf(path, sizeof path, "%s/socket", directory);
}

static void
remove_directory(void)
{
	unlink(path);
	ck_assert_ok(rmdir(directory));
}

static void
listen_here(const struct weft_listen_options *options)
{
	server = weft_unix_listen(path, options);
	ck_assert_msg(server != NULL, "%s", weft_stream_error_text(NULL));
}

static bool
exists(void)
{
	struct stat file;

	return lstat(path, &file) == 0;
}

/* A listening socket that weft knows nothing of. */
static int
foreign_listener(int backlog)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(un.sun_path, path);
	ck_assert_ok(bind(fd, (struct sockaddr *)&un, sizeof un));
	ck_assert_ok(listen(fd, backlog));
	return fd;
}

START_TEST(a_connection_carries_bytes_and_names)
{
	struct weft_stream *ends[2];

	listen_here(NULL);
	ck_assert_str_eq(weft_server_sockname(server), path);
	ck_assert_fails(weft_server_port(server), ENOTSUP);
	errno = 12345;
	ends[0] = weft_unix_connect(path, soon_enough());
	ends[1] = weft_server_accept(server, soon_enough());
	ck_assert(ends[0] != NULL && ends[1] != NULL);
	ck_assert_int_eq(errno, 12345);
	write_all(ends[0], "x", 1);
	expect_text(ends[1], "x");
	ck_assert_str_eq(weft_stream_peername(ends[0]), path);
	ck_assert_str_eq(weft_stream_sockname(ends[1]), path);
	ck_assert_str_eq(weft_stream_peername(ends[1]), "");
	free_ends(ends);
	weft_server_free(server);
	ck_assert(!exists());
}
END_TEST

START_TEST(abstract_names_are_no_files)
{
	struct weft_stream *s;

	snprintf(path, sizeof path, "@weft-unix-%d", (int)getpid());
	listen_here(NULL);
	ck_assert_str_eq(weft_server_sockname(server), path);
	ck_assert_null(weft_unix_listen(path, NULL), EADDRINUSE);
	s = weft_unix_connect(path, soon_enough());
	ck_assert(s != NULL);
	ck_assert_str_eq(weft_stream_peername(s), path);
	weft_stream_free(s);
	weft_server_free(server);
	ck_assert_null(weft_unix_connect(path, soon_enough()), ECONNREFUSED);
}
END_TEST

START_TEST(a_dead_socket_is_taken_over)
{
	close(foreign_listener(5));
	ck_assert(exists());
	listen_here(NULL);
	weft_server_free(server);
	ck_assert(!exists());
}
END_TEST

START_TEST(a_live_socket_is_refused_and_left_alone)
{
	struct weft_stream *s;

	listen_here(NULL);
	ck_assert_null(weft_unix_listen(path, NULL), EADDRINUSE);
	ck_assert_ptr_ne(strstr(weft_stream_error_text(NULL), path), NULL);
	s = weft_unix_connect(path, soon_enough());
	ck_assert(s != NULL);
	weft_stream_free(s);
	weft_server_free(server);
}
END_TEST

START_TEST(a_file_that_is_no_socket_is_eexist_and_left_alone)
{
	int fd;

	if (_i == 0) {
		fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
		ck_assert_int_eq(write(fd, "mine", 4), 4);
		close(fd);
	} else {
		ck_assert_ok(symlink("/nowhere", path));
	}
	ck_assert_null(weft_unix_listen(path, NULL), EEXIST);
	ck_assert(exists());
}
END_TEST

START_TEST(bad_paths_are_told)
{
	char name[200];

	memset(name, 'x', 199);
	name[199] = '\0';
	memcpy(name, "/tmp/", 5);
	ck_assert_null(weft_unix_listen(name, NULL), ENAMETOOLONG);
	ck_assert_null(weft_unix_connect(name, soon_enough()), ENAMETOOLONG);
	name[sizeof ((struct sockaddr_un *)0)->sun_path] = '\0';
	ck_assert_null(weft_unix_connect(name, soon_enough()), ENAMETOOLONG);
	name[sizeof ((struct sockaddr_un *)0)->sun_path - 1] = '\0';
	ck_assert_null(weft_unix_connect(name, soon_enough()), ENOENT);
	ck_assert_null(weft_unix_listen("", NULL), EINVAL);
	ck_assert_null(weft_unix_connect(NULL, soon_enough()), EINVAL);
	ck_assert_null(weft_unix_connect(path, soon_enough()), ENOENT);
	ck_assert_null(weft_unix_listen("/tmp/no-such-directory/x", NULL), ENOENT);
	close(foreign_listener(5));
	ck_assert_null(weft_unix_connect(path, soon_enough()), ECONNREFUSED);
}
END_TEST

START_TEST(the_mode_is_set)
{
	struct weft_listen_options options = { .size = sizeof options, .mode = 0622 };
	struct stat file;

	listen_here(&options);
	ck_assert_ok(stat(path, &file));
	ck_assert_int_eq(file.st_mode & 07777, 0622);
	weft_server_free(server);
}
END_TEST

START_TEST(an_owner_that_cannot_be_set_leaves_nothing)
{
	struct weft_listen_options options = { .size = sizeof options, .set_owner = true,
		.owner = geteuid(), .group = getegid() };

	listen_here(&options);
	weft_server_free(server);
	if (geteuid() == 0)
		return;
	options.owner = 0;
	ck_assert_null(weft_unix_listen(path, &options), EPERM);
	ck_assert(!exists());
}
END_TEST

START_TEST(the_path_goes_at_stop_but_only_if_it_is_ours)
{
	int other;

	listen_here(NULL);
	ck_assert_ok(weft_server_stop(server));
	ck_assert(!exists());
	weft_server_free(server);
	listen_here(NULL);
	ck_assert_ok(unlink(path));
	other = foreign_listener(5);
	weft_server_free(server);
	ck_assert(exists());
	close(other);
}
END_TEST

/* --- a full backlog */

static int queued[16], fd;

static void
fill_backlog(void)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int i;

	fd = foreign_listener(0);
	strcpy(un.sun_path, path);
	for (i = 0; i < 16; i++) {
		queued[i] = weft__compat_socket(AF_UNIX, SOCK_STREAM, 0);
		connect(queued[i], (struct sockaddr *)&un, sizeof un);
	}
}

static void
empty_backlog(void)
{
	int i;

	for (i = 0; i < 16; i++)
		close(queued[i]);
	close(fd);
}

static int connect_error;

static int
connect_it(void *arg)
{
	struct weft_stream *s = weft_unix_connect(path, soon_enough());

	(void)arg;
	connect_error = s == NULL ? errno : 0;
	weft_stream_free(s);
	return 0;
}

START_TEST(a_full_backlog_keeps_deadlines)
{
	int64_t began;
	int i;

	fill_backlog();
	ck_assert_null(weft_unix_connect(path, WEFT_NOWAIT), EAGAIN);
	ck_assert_null(weft_unix_connect(path, weft_after(-1)), ETIMEDOUT);
	for (i = 0; i < 20; i++) {
		began = weft_now();
		ck_assert_null(weft_unix_connect(path, weft_after(100)), ETIMEDOUT);
		ck_assert_int_ge(weft_now() - began, 100);
		if (weft_now() - began < 110)
			break;
	}
	ck_assert_int_lt(i, 20);                /* punctual once at least */
	empty_backlog();
}
END_TEST

START_TEST(a_full_backlog_is_waited_for_and_can_be_cancelled)
{
	struct weft_fiber *fiber;
	int accepted;

	fill_backlog();
	fiber = begin(connect_it, NULL);
	turns(2);
	ck_assert_ok(weft_cancel(fiber));
	end(fiber);
	ck_assert_int_eq(connect_error, ECANCELED);
	fiber = begin(connect_it, NULL);
	turns(2);
	accepted = accept(fd, NULL, NULL);
	close(accepted);
	end(fiber);
	ck_assert_int_eq(connect_error, 0);
	empty_backlog();
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("unix");
	TCase *tc = test_case(suite, "names");

	(void)backend;
	tcase_add_checked_fixture(tc, make_directory, remove_directory);
	tcase_add_test(tc, a_connection_carries_bytes_and_names);
	tcase_add_test(tc, a_dead_socket_is_taken_over);
	tcase_add_test(tc, a_live_socket_is_refused_and_left_alone);
	tcase_add_loop_test(tc, a_file_that_is_no_socket_is_eexist_and_left_alone, 0, 2);
	tcase_add_test(tc, bad_paths_are_told);
	tcase_add_test(tc, the_mode_is_set);
	tcase_add_test(tc, an_owner_that_cannot_be_set_leaves_nothing);
	tcase_add_test(tc, the_path_goes_at_stop_but_only_if_it_is_ours);

	tc = test_case(suite, "abstract names");
	tcase_add_test(tc, abstract_names_are_no_files);

	tc = test_case(suite, "a full backlog");
	tcase_add_checked_fixture(tc, make_directory, remove_directory);
	tcase_add_test(tc, a_full_backlog_keeps_deadlines);
	tcase_add_test(tc, a_full_backlog_is_waited_for_and_can_be_cancelled);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
