#!/bin/sh
# Installs libtocsin into an empty directory, builds examples/once.c against what is there, through
# pkg-config alone, and runs it twice: the first run does the job, the second finds it done.
# usage: install_example.sh BUILD_DIRECTORY EXAMPLE.C [COMPILER_FLAG...]     (needs DATABASE_URL)
set -eu

build=$1 example=$2
shift 2
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

# A copy, so that no header of the source tree is in reach. Flags are words: unquoted on purpose.
cp "$example" "$directory/once.c"
# shellcheck disable=SC2046
cc -Wall -Wextra -Werror "$@" -o "$directory/once" "$directory/once.c" $(pkg-config --cflags --libs tocsin)
for expected in "done" "already done today"; do
	said=$(LD_LIBRARY_PATH="$libraries" "$directory/once")
	[ "$said" = "$expected" ] || { echo "said '$said', not '$expected'" >&2; exit 1; }
done

# What is installed is the library, its headers and what pkg-config reads: private headers are not.
headers=$(cd "$directory/root$prefix/include" && find . -name '*.h' | sort | tr '\n' ' ')
[ "$headers" = "./tocsin/error.h ./tocsin/lock.h ./tocsin/pool.h ./tocsin/tocsin.h " ] ||
	{ echo "installed headers: $headers" >&2; exit 1; }
[ -e "$libraries/libtocsin.so" ] || { echo "no shared library in $libraries" >&2; exit 1; }
