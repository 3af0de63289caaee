# SPDX-License-Identifier: MIT
#
# For portable.sh: systems whose headers and symbol lists come with zig, which
# compiles and links for them. What is built cannot be run here; the programs of
# freebsd-static can be carried to a machine, and ./run there runs them.
#
# Shared libraries are linked too, by libtool, with what it would find out on the
# system itself. On macOS zig exports all from them, whatever it is asked.

zig_version=0.16.0

# find_zig - ZIG: in PATH, or where install-deps has put it.
find_zig() {
	set -- "$cache/zig-$zig_version/node_modules/@zigc"/*/bin/zig
	for ZIG in "$(command -v zig)" "$@"; do
		case $ZIG in */cli/bin/zig) continue ;; esac    # starts the others
		test ! -x "$ZIG" || break
	done
	test -x "$ZIG" || return
	# It keeps all that it has ever compiled.
	test "$(du -sm "$cache/zig-cache" 2>/dev/null | cut -f 1)" -lt 2000 2>/dev/null ||
		rm -rf "$cache/zig-cache"
	ZIG_GLOBAL_CACHE_DIR=$cache/zig-cache
	ZIG_LOCAL_CACHE_DIR=$ZIG_GLOBAL_CACHE_DIR
	OBJCOPY=$(command -v llvm-objcopy || ls /usr/bin/llvm-objcopy-* 2>/dev/null | sed q)
	NM=$(command -v llvm-nm || ls /usr/bin/llvm-nm-* 2>/dev/null | sed q)
	export ZIG ZIG_GLOBAL_CACHE_DIR ZIG_LOCAL_CACHE_DIR OBJCOPY
}

# zig_stage NAME TARGET [CONFIGURE FLAG...] - library, examples and test programs.
zig_stage() {
	name=$1 target=$2
	shift 2
	case $target in
	*-macos) host=${target%-macos}-apple-darwin ;;
	*) host=${target%-*}-unknown-${target#*-} ;;
	esac
	case $target in
	*-macos)
		# Its objects are not for nm, and its linker is not the ld that is here.
		set -- NM="${NM:-nm}" lt_cv_prog_gnu_ld=no "$@"
		test -n "$NM" || {
			echo "portable: $name: no llvm-nm, so no shared library"
			set -- --disable-shared "$@"
		} ;;
	*)
		# zig links programs without reading a version script, wrong or not.
		set -- ax_cv_check_vscript_flag=--version-script \
			ax_cv_check_vscript_complex_wildcards=yes \
			lt_cv_deplibs_check_method=pass_all "$@" ;;
	esac
	# zig finds it without the library that those systems have it in.
	case $target in *bsd) set -- weft_cv_HAVE_BACKTRACE=no "$@" ;; esac
	check=$(zig_library check) && regexes=$(zig_library pcre2) ||
		{ echo "portable: $name: no Check or no pcre2 for it (see $cache)"; return 1; }
	rm -rf "${builds:?}/$name"
	mkdir -p "$builds/$name" && cd "$builds/$name" && ln -s "$source" source || return
	set -- CC="sh source/tests/zigcc.sh $target" CFLAGS=-O2 AR="$ZIG ar" RANLIB=: \
		--host="$host" PKG_CONFIG=false \
		CHECK_CFLAGS="-I$check/include" CHECK_LIBS="-L$check/lib -lcheck -lm" \
		PCRE2_CFLAGS="-I$regexes/include" PCRE2_LIBS="-L$regexes/lib -lpcre2-8" \
		--enable-debug --enable-werror "$@"
	known=$cache/$target/configure-$(printf '%s\n' "$@" "$("$ZIG" version)" |
		cat - source/configure | cksum | tr ' ' -)
	# libtool asks for a file of OpenBSD's own.
	sed 's:test -f /usr/libexec/ld.so:true:' source/configure >configure
	quietly configure.log sh ./configure --srcdir=source --cache-file="$known" "$@" &&
		quietly make.log make $jobs all &&
		quietly check.log make $jobs check TESTS= || return
	test -n "$OBJCOPY" || echo "portable: $name: no llvm-objcopy, so no tests of calls that fail"
	libraries=$(cd .libs && find . ! -name . -prune -type f ! -name '*-core*' \
		\( -name '*.a' -o -name '*.so.*' -o -name '*.dylib' \) | sed 's/..//')
	case " $* $libraries" in
	*" --disable-shared "* | *.so.* | *.dylib*) ;;
	*) echo "portable: $name: no shared library"; return 1 ;;
	esac
	echo "portable: $name: compiled and linked, not run:" $libraries \
		"$(programs examples | wc -l) examples, $(programs tests | wc -l) test programs, $(($(date +%s) - began)) s"
}

# ranlib is of no use: libtool calls it in ways that zig does not know. On FreeBSD
# Check does without librt and, of a processor that rounds by itself, libm.
zig_library() {
	library=$1
	set --
	case $library-$target in
	check-x86_64-freebsd) set -- --enable-timer-replacement CFLAGS="-O2 -msse4.1" ;;
	check-*-freebsd) set -- --enable-timer-replacement ;;
	esac
	library "$library" "$target" CC="$ZIG cc -target $target" AR="$ZIG ar" RANLIB=: \
		--host="$host" --with-pic "$@"
}

# programs DIRECTORY - those that were linked.
programs() {
	for program in "$1"/*; do
		case ${program##*/} in *.*) continue ;; esac
		test ! -f "$program" || test ! -x "$program" || echo "$program"
	done
}

# freebsd_static - test programs in $cache/freebsd-static/carry that want nothing
# but libc and libthr of FreeBSD 14 or later, and no directory to find them in:
# weft, Check and pcre2 are in them. libc cannot be, for zig has it only as a list
# of symbols.
freebsd_static() {
	zig_stage freebsd-static x86_64-freebsd --disable-shared || return
	carry=$cache/freebsd-static/carry
	rm -rf "$carry" && mkdir -p "$carry/examples" || return
	for program in $(programs tests && programs examples); do
		${OBJCOPY:-true} --strip-debug "$program" || return
	done
	cp $(programs tests) "$carry" && cp $(programs examples) "$carry/examples" || return
	wanted=$(for program in $(programs "$carry" && programs "$carry/examples"); do
		readelf -d "$program"
	done | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p; s/.*(\(R.*PATH\)).*/\1/p' | sort -u)
	echo "portable: freebsd-static: $carry wants" $wanted
	test "$(echo $wanted)" = "libc.so.7 libthr.so.3" || return
	cp "$scripts/carried.sh" "$carry/run" && chmod +x "$carry/run"
}
