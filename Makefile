# SPDX-License-Identifier: MIT
#
# The front door. In a fresh clone "make" (or "make check", "make demo", ...)
# installs what is missing to build, configures and goes on. It holds no
# build knowledge: configure writes GNUmakefile from build-aux/GNUmakefile.am,
# and GNU make prefers that file from then on.
#
#	make CONFIGURE_FLAGS="--enable-debug"	flags for the first configure
#	make INSTALL_DEPS=:			do not look for what is missing
#
# ./configure && make is the same without the help.
.POSIX:
INSTALL_DEPS = sh build-aux/install-deps

all check check-missing check-portable check-valgrind demo bench bench-micro bench-record coverage dist distcheck \
install install-strip installcheck uninstall: GNUmakefile
	@$(MAKE) -f GNUmakefile $@

clean distclean maintainer-clean:
	@test ! -f GNUmakefile || $(MAKE) -f GNUmakefile $@

# Only when it is missing, never by its age: that would run configure again
# without the flags that the user gave.
GNUmakefile:
	@unset MAKEFLAGS MFLAGS MAKELEVEL; $(INSTALL_DEPS) && \
	{ test -x configure || autoreconf -fi; } && ./configure $(CONFIGURE_FLAGS)

.NOTPARALLEL:
.PHONY: all check check-missing check-portable check-valgrind demo bench bench-micro bench-record coverage dist distcheck \
install install-strip installcheck uninstall clean distclean maintainer-clean
