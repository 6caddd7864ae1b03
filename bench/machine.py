"""Measures the machine: cores, CPU and memory of a process, the send queue of a socket, and fsync."""

import os
import platform
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE = CORES[0]
CLIENT_CORE = CORES[1] if len(CORES) > 1 else CORES[0]
ESTABLISHED = "01"
SCHEDULER_CLOCK = 2  # CPUCLOCK_SCHED of Linux: the CPU clock of a process in nanoseconds


@contextmanager
def pinned(core: int) -> Iterator[None]:
    """Pin processes that are started in the block to one core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def raise_file_limit() -> None:
    """Raise the limit of open files of this process and its children to the hard limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def family(pid: int) -> list[int]:
    """Return a process and its descendants."""
    found = [pid]
    for one in found:
        for children in Path(f"/proc/{one}/task").glob("*/children"):
            with suppress(OSError):
                found += map(int, children.read_text().split())
    return found


def cpu_seconds(pid: int) -> float:
    """Return user and system time of all threads of a process and its descendants, in seconds."""
    return sum(_own_cpu_seconds(one) for one in family(pid))


def _own_cpu_seconds(pid: int) -> float:
    """See clock_getcpuclockid(3)."""
    return time.clock_gettime((~pid << 3) | SCHEDULER_CLOCK)


def busy_seconds() -> float:
    """Return the CPU time of the whole machine that was not idle, including time stolen by its host."""
    user, nice, system, _idle, _wait, irq, softirq, steal, *_ = (
        Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    )
    return sum(map(int, (user, nice, system, irq, softirq, steal))) / TICKS_PER_SECOND


def resident_bytes(pid: int) -> int:
    """Return the resident memory of a process and its descendants."""
    return sum(map(_own_resident_bytes, family(pid)))


def _own_resident_bytes(pid: int) -> int:
    """Return the resident memory of a process. It is exact, unlike VmRSS in /proc/PID/status."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Rss:"):
            return int(line.split()[1]) * 1024
    raise ProcessLookupError(pid)


def send_queue(local_port: int, remote_port: int) -> int | None:
    """Return the bytes in the kernel's send queue of a loopback connection. None if the connection is closed."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, state, queues, *_ = line.split()
        ports = (int(local.rpartition(":")[2], 16), int(remote.rpartition(":")[2], 16))
        if ports == (local_port, remote_port) and state == ESTABLISHED:
            return int(queues.partition(":")[0], 16)
    return None


def fsync_ms(folder: Path, times: int = 200) -> float:
    """Return the median time to write 4 KiB and fsync them on the disk of `folder`, in milliseconds."""
    took: list[float] = []
    path = folder / "fsync"
    with path.open("wb", buffering=0) as file:
        for _ in range(times):
            start = time.perf_counter()
            file.write(bytes(4096))
            os.fsync(file.fileno())
            took.append(time.perf_counter() - start)
    path.unlink()
    return median(took) * 1000


def description() -> dict[str, str | int | float]:
    """Describe the machine, for the results file."""
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "cpu": models[0].partition(":")[2].strip() if models else platform.machine(),
        "cores": len(CORES),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load": os.getloadavg()[0],
    }
