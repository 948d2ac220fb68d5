"""Runs the server as a systemd unit says, without systemd: sandbox.py UNIT STATE-DIRECTORY, as root, in a mount
namespace of its own. Says on standard output what it saw; exit status 0 if all was well.

Done as the unit says: user without root, no new privileges, no capabilities, a read-only system but for the state
directory, the filter of system calls, MemoryDenyWriteExecute's rule for mprotect, readiness by datagram."""
import ctypes
import errno
import json
import os
import pathlib
import pwd
import re
import signal
import socket
import subprocess
import sys
import urllib.request

EXECUTABLE, WRITABLE = 4, 2
ALLOW, EPERM_ACTION = 0x7FFF0000, 0x00050000 | errno.EPERM
PR_SET_NO_NEW_PRIVS, PR_CAPBSET_DROP = 38, 24
MASKED_EQUAL = 7


class Comparison(ctypes.Structure):
    _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]


def expand(groups):
    """The system calls of groups, by systemd's own list."""
    names, queue = set(), list(groups)
    while queue:
        name = queue.pop()
        if not name.startswith("@"):
            names.add(name)
            continue
        listed = subprocess.run(["systemd-analyze", "syscall-filter", name], capture_output=True, text=True, check=True)
        queue += re.findall(r"^ +([@\w-]+)$", listed.stdout, re.MULTILINE)
    return names


def allowed_calls(unit):
    allowed = set()
    for value in re.findall(r"^SystemCallFilter=(.*)$", unit, re.MULTILINE):
        if value.startswith("~"):
            allowed -= expand(value[1:].split())
        else:
            allowed |= expand(value.split()) | expand(["@default"])
    assert allowed, "the unit has no filter"
    return allowed


def load_filter(library, allowed):
    context = ctypes.c_void_p(library.seccomp_init(EPERM_ACTION))
    for name in allowed:
        number = library.seccomp_syscall_resolve_name(name.encode())
        if number < 0:
            continue
        if name in ("mprotect", "pkey_mprotect"):  # never executable
            rule = Comparison(2, MASKED_EQUAL, EXECUTABLE, 0)
            assert library.seccomp_rule_add_array(context, ALLOW, number, 1, ctypes.byref(rule)) == 0
        elif name == "mmap":  # not writable and executable at once
            for bits in (0, WRITABLE, EXECUTABLE):
                rule = Comparison(2, MASKED_EQUAL, EXECUTABLE | WRITABLE, bits)
                assert library.seccomp_rule_add_array(context, ALLOW, number, 1, ctypes.byref(rule)) == 0
        else:
            assert library.seccomp_rule_add_array(context, ALLOW, number, 0, None) == 0
    assert library.seccomp_load(context) == 0


def become(unit, user):
    """What happens between fork and exec."""
    library = ctypes.CDLL("libseccomp.so.2", use_errno=True)
    library.seccomp_init.restype = ctypes.c_void_p
    process = ctypes.CDLL(None)
    allowed = allowed_calls(unit)

    def run():
        for capability in range(64):
            process.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
        os.setgroups([])
        os.setresgid(user.pw_gid, user.pw_gid, user.pw_gid)
        os.setresuid(user.pw_uid, user.pw_uid, user.pw_uid)
        process.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        os.umask(0o077)
        load_filter(library, allowed)
    return run


def protect(state):
    """ProtectSystem=strict, StateDirectory, PrivateTmp: all is read-only but these."""
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    subprocess.run(["mount", "--bind", state, state], check=True)
    for line in reversed(pathlib.Path("/proc/self/mounts").read_text().splitlines()):
        place, kind = line.split()[1:3]
        if kind not in ("proc", "sysfs", "devpts", "cgroup", "cgroup2", "mqueue") and place != str(state) and \
                not place.startswith("/dev"):
            subprocess.run(["mount", "-o", "remount,bind,ro", place], check=False, stderr=subprocess.DEVNULL)
    try:
        pathlib.Path("/usr/tocsin-test").touch()
        raise AssertionError("/usr can be written")
    except OSError as error:
        assert error.errno == errno.EROFS
        print("/ is read-only")


def serve(unit, state):
    user = pwd.getpwnam("nobody")
    state.mkdir(mode=0o700)
    os.chown(state, user.pw_uid, user.pw_gid)
    for folder in state.parents:  # test folders are private; systemd's state directory is not below one
        folder.chmod(folder.stat().st_mode | 0o011)
    command = re.search(r"^ExecStart=(.*)$", unit, re.MULTILINE)[1].split()
    for folder in pathlib.Path(command[0]).parents:
        folder.chmod(folder.stat().st_mode | 0o011)
    notified = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notified.bind(f"\0tocsin-sandbox-{os.getpid()}")
    notified.settimeout(60)
    protect(state)
    environment = {"PATH": "/usr/bin:/bin", "TOCSIN_DATA_DIR": str(state), "TOCSIN_LISTEN": "127.0.0.1:0",
                   "NOTIFY_SOCKET": f"@tocsin-sandbox-{os.getpid()}"}
    process = subprocess.Popen(command, env=environment, cwd="/", stdout=subprocess.PIPE, text=True,
                               preexec_fn=become(unit, user))
    try:
        told = notified.recv(4096).decode()
        print(told)
        lines = [process.stdout.readline() for _ in range(2)]
        key = re.search(r"tocsin_\S+", lines[0])[0]
        address = re.search(r"http://\S+", lines[1])[0]
        create(address, key)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        if process.poll() is None:
            process.kill()


def create(address, key):
    body = {"title": "x", "severity": "minor", "systemIds": ["a"], "dedupeOpenForSystem": True}
    request = urllib.request.Request(f"{address}/api/v1/incidents", json.dumps(body).encode(), method="POST",
                                     headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as reply:
        print(reply.status)


if __name__ == "__main__":
    serve(pathlib.Path(sys.argv[1]).read_text(), pathlib.Path(sys.argv[2]))
