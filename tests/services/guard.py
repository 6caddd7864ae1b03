"""The process between a service and its owner: `guard.py OWNER FOLDER UID GID LOG COMMAND...`.

It starts the command, prints its pid, and waits for it. It exits with the command's exit code, or with 128 + the
signal that ended it. No process of the service is left then.

If the owner ends first, even by SIGKILL, the guard kills the service and removes its folder. It sees that end by
the owner's pidfd (pidfd_open(2)). It is the subreaper of the service (prctl(2)), so it finds the processes that a
killed PostgreSQL leaves. If the guard itself is killed, the kernel kills the command (PR_SET_PDEATHSIG).
"""

import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36


def descendants(pid: int) -> list[int]:
    """Return the pids of the children of a process, of their children, and so on."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                # The name of the program, in brackets, may contain anything. The state and the parent follow it.
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, IndexError):  # it has just ended
                continue
            children.setdefault(parent, []).append(int(entry.name))
    found = list(children.get(pid, ()))
    for one in found:  # the list grows while it is read
        found.extend(children.get(one, ()))
    return found


def kill_all() -> None:
    """Kill every descendant of this process, and wait until there is none."""
    while left := descendants(os.getpid()):
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def main(owner: str, folder: str, uid: str, gid: str, log: str, *command: str) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        owner_end = os.pidfd_open(int(owner))
    except ProcessLookupError:
        shutil.rmtree(folder, ignore_errors=True)
        return 1
    other: dict[str, Any] = {}
    if int(uid) != os.geteuid():
        other = {"user": int(uid), "group": int(gid), "extra_groups": []}
    with Path(log).open("ab") as output:
        service = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            preexec_fn=lambda: libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0),
            **other,
        )
    print(service.pid, flush=True)
    poll = select.poll()
    poll.register(owner_end, select.POLLIN)
    poll.register(os.pidfd_open(service.pid), select.POLLIN)
    ended = {fd for fd, _ in poll.poll()}
    if owner_end in ended:
        kill_all()
        shutil.rmtree(folder, ignore_errors=True)
        return 1
    code: int = service.wait()
    kill_all()
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    # Ctrl-C is for the owner.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.exit(main(*sys.argv[1:]))
