/* SPDX-License-Identifier: MIT */
/*
 * tests/check_stream_names.c - what streams say of themselves, and streams
 * on sockets that come from elsewhere.
 */
#include "config.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/streams.h"

static struct weft_stream *ends[2];
static char got[8];

/* --- what a stream says of itself */

START_TEST(names_addresses_and_data_outlive_close)
{
	struct sockaddr_storage before, after;
	socklen_t n = sizeof before, m = sizeof after;
	char sockname[128], peername[128];
	int data;

	open_kind(_i, ends);
	weft_stream_set_data(ends[0], &data);
	strcpy(peername, weft_stream_peername(ends[0]));
	strcpy(sockname, weft_stream_sockname(ends[1]));
	ck_assert_str_eq(peername, sockname);
	if (_i == 0)
		ck_assert_msg(strncmp(peername, "127.0.0.1:", 10) == 0, "%s", peername);
	ck_assert_ok(weft_stream_getpeername(ends[0], (struct sockaddr *)&before, &n));
	weft_stream_abort(ends[0]);
	ck_assert_ok(weft_stream_getpeername(ends[0], (struct sockaddr *)&after, &m));
	ck_assert_uint_eq(n, m);
	ck_assert_mem_eq(&before, &after, n);
	ck_assert_ok(weft_stream_getsockname(ends[0], (struct sockaddr *)&after, &m));
	ck_assert_str_eq(weft_stream_peername(ends[0]), peername);
	ck_assert_ptr_eq(weft_stream_data(ends[0]), &data);
	ck_assert_int_eq(weft_stream_error(ends[0]), 0);
	ck_assert_str_eq(weft_stream_error_text(ends[0]), "");
	free_ends(ends);
}
END_TEST

START_TEST(an_error_outlives_close)
{
	open_tcp(ends);
	reset_connection(ends[1]);
	ck_assert_fails(weft_stream_read(ends[0], got, 1, soon_enough()), ECONNRESET);
	weft_stream_abort(ends[0]);
	ck_assert_int_eq(weft_stream_error(ends[0]), ECONNRESET);
	ck_assert_str_ne(weft_stream_error_text(ends[0]), "");
	free_ends(ends);
}
END_TEST

START_TEST(a_short_address_is_cut_and_its_length_told)
{
	struct sockaddr_in in;
	socklen_t n = 4;

	memset(&in, 0x55, sizeof in);
	open_tcp(ends);
	ck_assert_ok(weft_stream_getsockname(ends[1], (struct sockaddr *)&in, &n));
	ck_assert_uint_eq(n, sizeof in);
	ck_assert_uint_eq(in.sin_addr.s_addr, 0x55555555);
	n = 4;
	ck_assert_ok(weft_stream_getpeername(ends[1], (struct sockaddr *)&in, &n));
	ck_assert_uint_eq(n, sizeof in);
	ck_assert_uint_eq(in.sin_addr.s_addr, 0x55555555);
	free_ends(ends);
}
END_TEST

/* --- sockets that come from elsewhere */

START_TEST(from_socket_takes_a_connected_socket)
{
	int pair[2];

	ck_assert_ok(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	ends[0] = weft_stream_from_socket(pair[0]);
	ends[1] = weft_stream_from_socket(pair[1]);
	ck_assert(ends[0] != NULL && ends[1] != NULL);
	ck_assert_int_eq(weft_stream_fd(ends[0]), pair[0]);
	ck_assert(fcntl(pair[0], F_GETFL) & O_NONBLOCK);
	ck_assert(fcntl(pair[0], F_GETFD) & FD_CLOEXEC);
	write_all(ends[0], "hello", 5);
	expect_text(ends[1], "hello");
	free_ends(ends);
	ck_assert_int_lt(fcntl(pair[0], F_GETFD), 0);
}
END_TEST

static void
refuses(int fd, int error)
{
	ck_assert_int_ge(fd, 0);
	ck_assert_null(weft_stream_from_socket(fd), error);
	ck_assert_str_ne(weft_stream_error_text(NULL), "");
	ck_assert_int_ge(fcntl(fd, F_GETFD), 0);
	ck_assert(!(fcntl(fd, F_GETFL) & O_NONBLOCK));
	close(fd);
}

START_TEST(from_socket_leaves_what_it_refuses_to_the_caller)
{
	int pair[2];

	ck_assert_null(weft_stream_from_socket(-1), EBADF);
	ck_assert_null(weft_stream_from_socket(4000), EBADF);
	refuses(open("/dev/null", O_RDWR), ENOTSOCK);
	refuses(socket(AF_INET, SOCK_STREAM, 0), ENOTCONN);
	refuses(socket(AF_INET, SOCK_DGRAM, 0), EINVAL);
	ck_assert_ok(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
	refuses(pair[0], EINVAL);
	refuses(pair[1], EINVAL);
}
END_TEST

START_TEST(a_thousand_streams_come_and_go)
{
	int i;

	for (i = 0; i < 1000; i++) {
		open_kind(_i, ends);
		if (i % 3 == 0)
			write_all(ends[0], "x", 1);
		if (i % 5 == 0)
			ck_assert_ok(weft_stream_close(ends[0], soon_enough()));
		free_ends(ends);
	}
	weft_stream_free(NULL);
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("stream_names");
	TCase *tc = test_case(suite, "what a stream says of itself");

	(void)backend;
	EVERY_SOCKET(tc, names_addresses_and_data_outlive_close);
	tcase_add_test(tc, an_error_outlives_close);
	tcase_add_test(tc, a_short_address_is_cut_and_its_length_told);

	tc = test_case(suite, "sockets from elsewhere");
	tcase_add_test(tc, from_socket_takes_a_connected_socket);
	tcase_add_test(tc, from_socket_leaves_what_it_refuses_to_the_caller);
	EVERY_KIND(tc, a_thousand_streams_come_and_go);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
