/* SPDX-License-Identifier: MIT */
/*
 * tests/check_kernels.c - what kernels do each in its own way, and no program
 * sees: every test runs with the answers of this kernel and with those of others.
 *
 * The linker puts kernels.h between the library and the kernel (files.am).
 */
#include "config.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/kernels.h"
#include "tests/pty_streams.h"
#include "tests/servers.h"
#include "weft/buffer.h"
#include "weft/unix.h"

static struct weft_stream *both[2];

/* --- connect */

static char port[16];

static void
forget_a_port(void)
{
	listen_with(NULL);
	snprintf(port, sizeof port, "%d", weft_server_port(server));
	weft_server_free(server);
}

START_TEST(who_is_refused_at_once_or_later_is_refused)
{
	way = _i;
	forget_a_port();
	ck_assert_null(weft_tcp_connect("127.0.0.1", port, NULL, soon_enough()), ECONNREFUSED);
	ck_assert_str_eq(weft_stream_error_text(NULL), "connect to 127.0.0.1: Connection refused");
	late_fd = -1;
}
END_TEST

START_TEST(who_is_connected_at_once_or_later_is_connected)
{
	way = _i;
	start(echo);
	serves();
	ck_assert_ok(weft_server_close(server, soon_enough()));
	weft_server_free(server);
}
END_TEST

static char path[64];

static void
make_file(void)
{
	int fd;

	strcpy(path, "/tmp/weft-check-XXXXXX");
	fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	close(fd);
}

START_TEST(a_unix_socket_without_a_listener_refuses_at_once_or_later)
{
	struct weft_server *gone;
	char other[72];

	way = _i;
	make_file();
	snprintf(other, sizeof other, "%s.s", path);
	gone = weft_unix_listen(other, NULL);
	ck_assert_ptr_nonnull(gone);
	ck_assert_ok(rename(other, path));      /* so that it stays */
	weft_server_free(gone);
	ck_assert_null(weft_unix_connect(path, soon_enough()), ECONNREFUSED);
	ck_assert_ok(unlink(path));
}
END_TEST

static const int no_sockets[] = { 0, ENOTSOCK };        /* FreeBSD */

START_TEST(a_file_that_is_no_socket_refuses)
{
	no_socket_says = no_sockets[_i];
	make_file();
	ck_assert_null(weft_unix_connect(path, soon_enough()), ECONNREFUSED);
	ck_assert_ok(unlink(path));
}
END_TEST

/* --- accept, and sockets that come from elsewhere */

START_TEST(who_has_gone_before_he_is_accepted_is_no_connection)
{
	struct weft_stream *s;

	start(echo);
	no_address = true;              /* macOS */
	s = client();
	while (no_address)
		ck_assert_ok(weft_yield());
	serves();
	ck_assert_int_eq(handled, 1);
	weft_stream_free(s);
	ck_assert_ok(weft_server_close(server, soon_enough()));
	weft_server_free(server);
}
END_TEST

static const int refused_options[] = { 0, EINVAL };     /* macOS, of one that was reset */

START_TEST(options_that_cannot_be_set_any_more_do_not_matter)
{
	struct weft_stream *s;

	listen_with(NULL);
	ck_assert_ok(weft_server_start(server, echo, NULL));
	option_says = refused_options[_i];
	serves();
	s = client();
	weft_stream_abort(s);
	weft_stream_free(s);
	serves();
	ck_assert_ok(weft_server_close(server, soon_enough()));
	weft_server_free(server);
}
END_TEST

static const int no_peers[] = { 0, EINVAL };            /* macOS */

START_TEST(a_socket_that_was_reset_has_no_peer)
{
	int fd;

	open_tcp(both);
	fd = weft_stream_detach(both[0]);
	ck_assert_int_ge(fd, 0);
	reset_connection(both[1]);
	ck_assert_int_eq(weft_fd_wait(fd, WEFT_READABLE, soon_enough()), WEFT_READABLE);
	no_peer_says = no_peers[_i];
	ck_assert_null(weft_stream_from_socket(fd), ENOTCONN);
	close(fd);
	free_ends(both);
}
END_TEST

static const int forgotten_peers[] = { 0, ENOTCONN };   /* FreeBSD */

START_TEST(what_a_unix_peer_said_before_it_went_can_be_read)
{
	struct weft_stream *s;
	int fds[2];

	ck_assert_ok(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	ck_assert_int_eq(write(fds[1], "abc", 3), 3);
	close(fds[1]);
	no_peer_says = forgotten_peers[_i];
	s = weft_stream_from_socket(fds[0]);
	ck_assert_ptr_nonnull(s);
	expect_bytes(s, "abc", 3);
	ck_assert_gives(weft_stream_read(s, fds, 1, soon_enough()), 0);
	weft_stream_free(s);
}
END_TEST

START_TEST(what_was_never_connected_has_no_peer)
{
	int fd = socket(_i ? AF_UNIX : AF_INET, SOCK_STREAM, 0);

	ck_assert_null(weft_stream_from_socket(fd), ENOTCONN);
	close(fd);
}
END_TEST

static const int listeners[] = { 0, ENOPROTOOPT };

START_TEST(a_listener_is_one_where_that_cannot_be_asked)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	ck_assert_ok(listen(fd, 5));
	listens_says = listeners[_i];
	server = weft_server_from_fd(fd);
	ck_assert_ptr_nonnull(server);
	ck_assert_ok(weft_server_start(server, echo, NULL));
	serves();
	ck_assert_ok(weft_server_close(server, soon_enough()));
	weft_server_free(server);
}
END_TEST

/* --- transfers and ends */

static const int shutdowns[] = { 0, ENOTCONN };         /* FreeBSD */

START_TEST(our_side_can_end_after_the_peer_has_gone)
{
	char byte;

	open_kind(_i / 2, both);
	ck_assert_ok(weft_stream_close(both[1], soon_enough()));
	ck_assert_gives(weft_stream_read(both[0], &byte, 1, soon_enough()), 0);
	shutdown_says = shutdowns[_i % 2];
	ck_assert_ok(weft_stream_shutdown(both[0], soon_enough()));
	ck_assert_ok(weft_stream_shutdown(both[0], soon_enough()));
	ck_assert_gives(weft_stream_read(both[0], &byte, 1, soon_enough()), 0);
	ck_assert_ok(weft_stream_close(both[0], soon_enough()));
	free_ends(both);
}
END_TEST

static const int torn[] = { ECONNRESET, EPROTOTYPE };   /* macOS */

START_TEST(who_is_being_torn_down_is_reset)
{
	struct weft_buffer *b = weft_buffer_new(8);

	open_kind(_i / 2, both);
	weft_buffer_put_bytes(b, "abc", 3);
	weft_buffer_flip(b);
	sends_say = torn[_i % 2];
	ck_assert_fails(weft_buffer_send(b, weft_stream_fd(both[0])), ECONNRESET);
	if (weft_stream_write(both[0], "abc", 3, soon_enough()) == 3)
		ck_assert_fails(weft_stream_flush(both[0], soon_enough()), ECONNRESET);
	ck_assert_int_eq(weft_stream_error(both[0]), ECONNRESET);
	sends_say = 0;
	weft_buffer_free(b);
	free_ends(both);
}
END_TEST

START_TEST(descriptors_that_are_not_in_a_message_are_left_alone)
{
	int fds[8];

	ck_assert_ok(weft_unix_pair(both));
	ck_assert_ok(weft_stream_send_fd(both[0], STDERR_FILENO, soon_enough()));
	beyond = dup(STDERR_FILENO);
	lengths_lie = true;             /* macOS */
	ck_assert_fails(weft_stream_recv_fds(both[1], fds, 8, soon_enough()), EMFILE);
	lengths_lie = false;
	ck_assert_int_ge(fcntl(beyond, F_GETFD), 0);
	close(beyond);
	free_ends(both);
}
END_TEST

/* --- terminals: _i / 3 is how the stream was made */

static const int last_reads[] = { 0, END, EIO };        /* of BSD, of Linux */
static const int last_writes[] = { 0, ENXIO, EIO };     /* FreeBSD, others */
enum { ENDINGS = 3, MAKERS = 2 };

static struct weft_stream *
make(int maker, int fd)
{
	return maker == 0 ? weft_pipe_open(fd, fd) : weft_tty_open(fd, true);
}

START_TEST(the_controlling_side_ends_when_the_terminal_is_closed)
{
	struct weft_stream *s;
	char text[8];

	open_pty(ends);
	s = make(_i / ENDINGS, ends[CONTROLLER]);
	ck_assert_ptr_nonnull(s);
	ck_assert_int_eq(write(ends[TERMINAL], "abc", 3), 3);
	expect_bytes(s, "abc", 3);
	end_says = last_reads[_i % ENDINGS];
	close(ends[TERMINAL]);
	for (int i = 0; i < 3; i++)
		ck_assert_gives(weft_stream_read(s, text, sizeof text, soon_enough()), 0);
	weft_stream_free(s);
}
END_TEST

START_TEST(a_terminal_that_has_hung_up_ends_and_takes_nothing)
{
	struct weft_stream *s;
	char text[8];
	int written = 0;

	open_pty(ends);
	s = make(_i / ENDINGS, ends[TERMINAL]);
	ck_assert_ptr_nonnull(s);
	end_says = last_reads[_i % ENDINGS];
	hang_up_says = last_writes[_i % ENDINGS];
	close(ends[CONTROLLER]);
	for (int i = 0; i < 3; i++)
		ck_assert_gives(weft_stream_read(s, text, sizeof text, soon_enough()), 0);
	if (weft_stream_write(s, "x", 1, soon_enough()) == 1)
		written = weft_stream_flush(s, soon_enough());
	else
		written = -1;
	ck_assert_int_eq(written, -1);
	ck_assert_int_eq(errno, EIO);
	ck_assert_int_eq(weft_stream_error(s), EIO);
	weft_stream_free(s);
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("kernels");
	TCase *tc = test_case(suite, "sockets");

	(void)backend;
	tcase_add_checked_fixture(tc, be_this_kernel, be_this_kernel);
	tcase_add_loop_test(tc, who_is_refused_at_once_or_later_is_refused, 0, WAYS);
	tcase_add_loop_test(tc, who_is_connected_at_once_or_later_is_connected, 0, WAYS);
	tcase_add_loop_test(tc, a_unix_socket_without_a_listener_refuses_at_once_or_later, 0,
	    WAYS);
	tcase_add_loop_test(tc, a_file_that_is_no_socket_refuses, 0, 2);
	tcase_add_test(tc, who_has_gone_before_he_is_accepted_is_no_connection);
	tcase_add_loop_test(tc, options_that_cannot_be_set_any_more_do_not_matter, 0, 2);
	tcase_add_loop_test(tc, a_socket_that_was_reset_has_no_peer, 0, 2);
	tcase_add_loop_test(tc, what_a_unix_peer_said_before_it_went_can_be_read, 0, 2);
	tcase_add_loop_test(tc, what_was_never_connected_has_no_peer, 0, 2);
	tcase_add_loop_test(tc, a_listener_is_one_where_that_cannot_be_asked, 0, 2);
	tcase_add_loop_test(tc, our_side_can_end_after_the_peer_has_gone, 0,
	    2 * socket_kind_count);
	tcase_add_loop_test(tc, who_is_being_torn_down_is_reset, 0, 2 * socket_kind_count);
	tcase_add_test(tc, descriptors_that_are_not_in_a_message_are_left_alone);

	tc = test_case(suite, "terminals");
	tcase_add_checked_fixture(tc, be_this_kernel, be_this_kernel);
	tcase_add_loop_test(tc, the_controlling_side_ends_when_the_terminal_is_closed, 0,
	    ENDINGS * MAKERS);
	tcase_add_loop_test(tc, a_terminal_that_has_hung_up_ends_and_takes_nothing, 0,
	    ENDINGS * MAKERS);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
