/* SPDX-License-Identifier: MIT */
/*
 * tests/check_cat.c - examples/cat between descriptors of every kind, as a
 * program of its own. We are the sibling that shares them.
 */
#include "config.h"

#include "tests/stdio_kinds.h"
#include "tests/streams.h"

enum { LENGTH = 3 << 20 };

static const struct kind {
	const char *name;
	void (*open_in)(int ends[2]), (*open_out)(int ends[2]);
} kinds[] = {
	{ "pipe", pipe_in, pipe_out },
	{ "socket", unix_socket, unix_socket },
	{ "terminal", raw_pty, raw_pty }
};
enum { KINDS = sizeof kinds / sizeof *kinds };

static int
run_cat(int told)
{
	char path[1024];
	const char *top = getenv("top_builddir");

	(void)told;
	snprintf(path, sizeof path, "%s/examples/cat", top != NULL ? top : ".");
	execl(path, "cat", (char *)NULL);
	return 127;
}

static int in[2], out[2], shared[2];

static pid_t
start_cat(void)
{
	int told;
	pid_t child;

	shared[0] = dup(in[0]);
	shared[1] = dup(out[0]);
	child = start_with((const int[3]){ in[0], out[0], 2 }, -1, run_cat, &told);
	close(told);
	return child;
}

/* A terminal has no end but to hang up. */
static void
end_cat(pid_t child)
{
	close_all((const int[3]){ in[0], in[1], shared[0] });
	ck_assert_exits(child, 0);
	ck_assert(is_blocking(shared[1]));
	close_all((const int[3]){ out[0], out[1], shared[1] });
}

START_TEST(what_comes_in_goes_out)
{
	char *bytes = patterned(LENGTH, 9), *back = malloc(LENGTH);
	int from = _i / KINDS, to = _i % KINDS;
	pid_t child;
	size_t got;

	kinds[from].open_in(in);
	kinds[to].open_out(out);
	child = start_cat();
	got = exchange(in[1], out[1], bytes, back, LENGTH, shared);
	ck_assert_msg(got == LENGTH, "%s to %s: %d bytes", kinds[from].name, kinds[to].name,
	    (int)got);
	ck_assert_int_eq(memcmp(bytes, back, LENGTH), 0);
	end_cat(child);
	free(bytes);
	free(back);
}
END_TEST

START_TEST(a_file_goes_out)
{
	char *bytes = patterned(LENGTH, 9), *back = malloc(LENGTH);
	size_t have = 0;
	pid_t child;
	ssize_t n;

	in[0] = open_file();
	in[1] = dup(in[0]);
	ck_assert_int_eq(write(in[0], bytes, LENGTH), LENGTH);
	ck_assert_int_eq(lseek(in[0], 0, SEEK_SET), 0);
	kinds[_i].open_out(out);
	child = start_cat();
	while (have < LENGTH && (n = read(out[1], back + have, LENGTH - have)) > 0)
		have += (size_t)n;
	ck_assert_uint_eq(have, LENGTH);
	ck_assert_int_eq(memcmp(bytes, back, LENGTH), 0);
	end_cat(child);
	free(bytes);
	free(back);
}
END_TEST

START_TEST(what_comes_in_is_filed)
{
	char *bytes = patterned(LENGTH, 9), *back = malloc(LENGTH);
	int result;
	pid_t child;

	kinds[_i].open_in(in);
	out[0] = open_file();
	out[1] = dup(out[0]);
	child = start_cat();
	for (size_t fed = 0; fed < LENGTH; fed += (size_t)result)
		ck_assert_int_gt(result = (int)write(in[1], bytes + fed, LENGTH - fed), 0);
	/* What a terminal holds when it hangs up is lost. */
	while (lseek(out[1], 0, SEEK_CUR) < LENGTH && waitpid(child, &result, WNOHANG) == 0)
		ck_assert_ok(weft_sleep(weft_after(1)));
	ck_assert_int_eq(pread(out[1], back, LENGTH, 0), LENGTH);
	ck_assert_int_eq(memcmp(bytes, back, LENGTH), 0);
	end_cat(child);
	free(bytes);
	free(back);
}
END_TEST

static Suite *
make_suite(const char *backend)
{
	Suite *suite = suite_create("cat");
	TCase *tc = test_case_unclean(suite, "cat");

	(void)backend;
	tcase_add_loop_test(tc, what_comes_in_goes_out, 0, KINDS * KINDS);
	tcase_add_loop_test(tc, a_file_goes_out, 0, KINDS);
	tcase_add_loop_test(tc, what_comes_in_is_filed, 0, KINDS);
	return suite;
}

int
main(void)
{
	return weft_test_main(make_suite);
}
