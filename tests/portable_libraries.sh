# SPDX-License-Identifier: MIT
#
# For portable.sh: Check and pcre2 for another C library or processor, from
# Debian's sources, which need no more than a configure and a make. They stay
# in $cache, each under the versions that it was made from.

# debian_source NAME - say where Debian's source of it is, unpacked. apt is told
# about it in files of our own.
debian_source() (
	release=$(. /etc/os-release 2>/dev/null && echo "$VERSION_CODENAME")
	here=$cache/source/${release:-none}
	set -- "$1" "$here/$1"-[0-9]*/configure
	test ! -f "$2" || { echo "${2%/configure}"; return; }
	has apt-get && has dpkg-source || return
	apt=$here/apt.$$
	mkdir -p "$apt/lists/partial" "$apt/archives/partial" "$apt/parts" && cd "$apt" || return
	echo "deb-src http://deb.debian.org/debian $release main" >list
	cat >conf <<-END
		Dir::Etc::SourceList "$apt/list";
		Dir::Etc::SourceParts "$apt/parts";
		Dir::State::Lists "$apt/lists";
		Dir::Cache "$apt";
	END
	APT_CONFIG=$apt/conf
	export APT_CONFIG
	{ apt-get -q update && apt-get -q source "$1"; } >"$here/$1.log" 2>&1 || return
	set -- "$1" "$1"-[0-9]*/configure
	test -f "$2" && { mv "${2%/configure}" "$here" 2>/dev/null || test -f "$here/$2"; } &&
		echo "$here/${2%/configure}"
	status=$?
	cd "$here" && rm -rf "$apt"
	return $status
)

# library NAME TARGET CONFIGURE_WORD... - make it for that target, unless that
# has been done, and say where its include/ and lib/ are. The words are what
# configure wants to know of the target: CC=, --host=, perhaps AR=. What fails
# is in $cache/TARGET/NAME.log.
library() (
	name=$1 target=$2
	shift 2
	from=$(debian_source "$name") || return
	to=$cache/$target/${from##*/}-$(printf '%s\n' "$@" "$(compiler_version "$@")" | cksum | tr ' ' -)
	test -d "$to" && { echo "$to"; return; }
	mkdir -p "$to.$$/build" && cd "$to.$$/build" || return
	case $name in
	check) set -- "$@" --disable-subunit ;;
	pcre2) set -- "$@" --enable-jit=auto ;;
	esac
	{ "$from/configure" -q --disable-shared --prefix="$to.$$" "$@" && "make_$name"; } \
		>"$cache/$target/$name.log" 2>&1 || return
	cd "$cache" && rm -rf "$to.$$/build" "$to.$$"/lib/*.la &&
		{ mv -T "$to.$$" "$to" 2>/dev/null || rm -rf "$to.$$"; } && echo "$to"
)

make_check() {
	make -s $jobs -C lib && make -s $jobs -C src install &&
		cp "$({ test -f check_stdint.h && echo .; } || echo "$from")/check_stdint.h" ../include
}

make_pcre2() {
	make -s $jobs install-libLTLIBRARIES install-includeHEADERS install-nodist_includeHEADERS
}

# compiler_version CONFIGURE_WORD... - the first line that CC= says of itself.
compiler_version() {
	for word; do
		case $word in CC=*) ${word#CC=} --version 2>&1 | sed q ;; esac
	done
}
