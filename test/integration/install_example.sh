#!/bin/sh
# Installs libtocsin into an empty directory, builds examples/once.c and the README's program against what
# is there, through pkg-config alone, and runs them: once.c twice, as the second run finds the job done.
# usage: install_example.sh BUILD_DIRECTORY EXAMPLE.C README.md [COMPILER_FLAG...]     (needs DATABASE_URL)
set -eu

build=$1 example=$2 readme=$3
shift 3
directory=$(mktemp -d /tmp/tocsin-install-XXXXXX)
trap 'rm -rf "$directory"' EXIT

meson install -C "$build" --no-rebuild --destdir "$directory/root" >"$directory/install.log" 2>&1 ||
	{ cat "$directory/install.log" >&2; exit 1; }
installed=$(find "$directory/root" -name tocsin.pc)
[ -n "$installed" ] || { echo "no tocsin.pc was installed" >&2; exit 1; }

# The file names the prefix it was configured for; here that lies below the directory.
prefix=$(sed -n 's/^prefix=//p' "$installed")
sed "s|^prefix=.*|prefix=$directory/root$prefix|" "$installed" >"$directory/tocsin.pc"
export PKG_CONFIG_PATH="$directory${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}"
libraries=$(pkg-config --variable=libdir tocsin)

# Copies, so that no header of the source tree is in reach; the README's with our database for its own.
cp "$example" "$directory/once.c"
sed -n '/^```c$/,/^```$/{/^```/d;p}' "$readme" | sed "s|dbname=bank|$DATABASE_URL|" >"$directory/readme.c"
compile() { # PROGRAM FLAG...; flags are words: unquoted on purpose
	program=$1
	shift
	# shellcheck disable=SC2046
	cc -Wall -Wextra -Werror "$@" -o "$directory/$program" "$directory/$program.c" $(pkg-config --cflags --libs tocsin)
}
compile once "$@"
compile readme -Wno-unused-parameter "$@"
LD_LIBRARY_PATH="$libraries" "$directory/readme"
for expected in "done" "already done today"; do
	said=$(LD_LIBRARY_PATH="$libraries" "$directory/once")
	[ "$said" = "$expected" ] || { echo "said '$said', not '$expected'" >&2; exit 1; }
done

# What is installed is the library, its headers and what pkg-config reads: private headers are not.
headers=$(cd "$directory/root$prefix/include" && find . -name '*.h' | sort | tr '\n' ' ')
[ "$headers" = "./tocsin/error.h ./tocsin/lock.h ./tocsin/pool.h ./tocsin/tocsin.h " ] ||
	{ echo "installed headers: $headers" >&2; exit 1; }
[ -e "$libraries/libtocsin.so" ] || { echo "no shared library in $libraries" >&2; exit 1; }
