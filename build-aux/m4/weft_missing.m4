# SPDX-License-Identifier: MIT
#
# What weft uses where a system has it, and does without elsewhere: the words of
# --with-missing. A call is one that WEFT_CHECK_LINK looks for; a flag is one
# that the sources ask for as WEFT_WITHOUT_it.
m4_define([weft_missing_calls], [accept4 dup3 epoll eventfd mincore pipe2 recvmmsg
  secure_getenv sendmmsg sigqueue sigtimedwait])
m4_define([weft_missing_flags], [MADV_GUARD_INSTALL MAP_STACK MSG_CMSG_CLOEXEC
  MSG_NOSIGNAL POLLRDHUP SO_PEERCRED SOCK_CLOEXEC ip_mreqn pidfd_open proc_self_fd])

# WEFT_MISSING
# ------------
# The option itself. Before the probes: those of the calls that are listed find
# their answer given.
AC_DEFUN([WEFT_MISSING],
[AC_ARG_WITH([missing],
  [AS_HELP_STRING([--with-missing="CALL..."],
    [build as if this system lacked these, or all, of:]
    m4_normalize(weft_missing_calls weft_missing_flags))],
  [], [with_missing=])
AS_CASE([$with_missing], [yes|no], [with_missing=])
for weft_word in $with_missing; do
  AS_CASE([" all m4_normalize(weft_missing_calls weft_missing_flags) "],
    [*" $weft_word "*], [],
    [AC_MSG_ERROR([--with-missing=$weft_word: weft does not know how to do without; see --help])])
done
m4_foreach_w([weft_call], weft_missing_calls,
  [AS_CASE([" $with_missing "], [*" weft_call "*|*" all "*],
    [weft_cv_HAVE_[]m4_toupper(weft_call)=no])
])
m4_foreach_w([weft_flag], weft_missing_flags,
  [AS_CASE([" $with_missing "], [*" weft_flag "*|*" all "*],
    [AC_DEFINE([WEFT_WITHOUT_]m4_toupper(weft_flag), [1],
      [Define to 1 to do without ]weft_flag[.])])
])
])
