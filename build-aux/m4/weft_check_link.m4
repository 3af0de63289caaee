# SPDX-License-Identifier: MIT
#
# WEFT_CHECK_LINK(DEFINE, NAME, PROLOGUE, BODY, [LIBRARY])
# --------------------------------------------------------
# Define DEFINE to 1 if the program links as it is, or else with -lLIBRARY,
# which then goes into LIBS. The answer is in weft_cv_DEFINE: yes, no or
# -lLIBRARY.
AC_DEFUN([WEFT_CHECK_LINK],
[AC_CACHE_CHECK([for $2], [weft_cv_$1],
  [weft_cv_$1=no
  AC_LINK_IFELSE([AC_LANG_PROGRAM([[$3]], [[$4]])], [weft_cv_$1=yes],
    [m4_ifval([$5], [weft_check_link_LIBS=$LIBS
    LIBS="-l$5 $LIBS"
    AC_LINK_IFELSE([AC_LANG_PROGRAM([[$3]], [[$4]])], [weft_cv_$1=-l$5])
    LIBS=$weft_check_link_LIBS])])])
AS_CASE([$weft_cv_$1], [-l*], [LIBS="$weft_cv_$1 $LIBS"])
AS_IF([test "$weft_cv_$1" != no],
  [AC_DEFINE([$1], [1], [Define to 1 if there is $2.])])
])
