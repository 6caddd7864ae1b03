"""Tells whether a process that another one has described has ended, if both run on this machine."""

import os
import socket
from functools import cache
from pathlib import Path


@cache
def this_process() -> str:
    """Describe this process: the machine, and which process it is there. Empty if that cannot be found out."""
    started = _started(os.getpid())
    return f"{machine} {os.getpid()} {started}" if started and (machine := _machine()) else ""


def has_ended(described: str) -> bool:
    """Return whether a process has ended. False also means that it is not known: it may run on another machine."""
    machine, _, process = described.rpartition(" ")[0].rpartition(" ")
    if not machine or machine != _machine() or not process.isdigit():
        return False
    return _started(int(process)) != described.rpartition(" ")[2]


@cache
def _machine() -> str:
    """Return what two processes have in common if each can see the other, or an empty string.

    A container has a namespace of process ids of its own, and another name than the other containers.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{socket.gethostname()} {boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _started(process: int) -> str:
    """Return when a process started, in ticks since the machine did. Empty if it does not run."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]  # proc(5): the state is field 3, the start is field 22
