#!/bin/sh
# Checks locks.pml with spin: the model holds, and each variant without one mechanism fails as it must.
# usage: run.sh LOCKS.PML
# Without spin or a C compiler it fails: script/install-packages test installs both.
set -u

model=$(realpath "$1")
for program in spin cc; do
	if ! command -v "$program" >/dev/null; then
		echo "the model of pools and locks cannot be checked: no $program here; script/install-packages test installs it" >&2
		exit 1
	fi
done
directory=$(mktemp -d /tmp/tocsin-model-XXXXXX) || exit 1
trap 'rm -rf "$directory"' EXIT
cd "$directory" || exit 1
failures=0

# check VARIANT PATTERN FLAGS...: pan's output with these flags must have a line like PATTERN.
check() {
	variant=$1 pattern=$2
	shift 2
	rm -f pan pan.* ./*.trail
	if spin -a "$@" "$model" >spin.log 2>&1 && cc -O2 -w -DSAFETY -DVECTORSZ=512 -o pan pan.c 2>cc.log &&
		./pan -m1000000 >pan.log 2>&1 && grep -q "$pattern" pan.log && ! grep -q 'max search depth too small' pan.log; then
		echo "ok: $variant: $(grep -m1 "$pattern" pan.log)$(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/ (\1 states)/p' pan.log)"
	else
		echo "NOT ok: $variant: no line like '$pattern'"
		cat spin.log cc.log pan.log 2>/dev/null | tail -40
		failures=$((failures + 1))
	fi
}

check 'as built' 'errors: 0$'
check 'as built, two sessions lost' 'errors: 0$' -DREAPS=2
check 'without the fence' 'assertion violated' -DNO_FENCE
check 'without the check' 'assertion violated' -DNO_CHECK
check 'without ranks' 'invalid end state' -DNO_RANK
check 'without a deadlock detector' 'invalid end state' -DNO_DETECT
check 'with one pool for both' 'invalid end state' -DONE_POOL
exit "$failures"
