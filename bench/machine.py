"""What the machine says: its cores, the counters of a process and of a socket, the disk's fsync."""

import os
import platform
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE = CORES[0]
CLIENT_CORE = CORES[1] if len(CORES) > 1 else CORES[0]
ESTABLISHED = "01"
SCHEDULER_CLOCK = 2  # of a process's clocks, the one that the scheduler keeps in nanoseconds


@contextmanager
def pinned(core: int) -> Iterator[None]:
    """What is started inside runs on this core alone."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def raise_file_limit() -> None:
    """Let this process, and what it starts, open as many files as the system permits."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def cpu_seconds(pid: int) -> float:
    """User and system time of a process, all threads, in seconds: its CPU clock, as of clock_getcpuclockid(3)."""
    return time.clock_gettime((~pid << 3) | SCHEDULER_CLOCK)


def busy_seconds() -> float:
    """CPU time of the whole machine that was not idle, with what its host took away."""
    user, nice, system, _idle, _wait, irq, softirq, steal, *_ = (
        Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    )
    return sum(map(int, (user, nice, system, irq, softirq, steal))) / TICKS_PER_SECOND


def resident_bytes(pid: int) -> int:
    """Resident memory of a process, exact."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Rss:"):
            return int(line.split()[1]) * 1024
    raise ProcessLookupError(pid)


def send_queue(local_port: int, remote_port: int) -> int | None:
    """Bytes that the kernel holds in `local_port` for a loopback connection; None when it is not open any more."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, state, queues, *_ = line.split()
        ports = (int(local.rpartition(":")[2], 16), int(remote.rpartition(":")[2], 16))
        if ports == (local_port, remote_port) and state == ESTABLISHED:
            return int(queues.partition(":")[0], 16)
    return None


def fsync_ms(folder: Path, times: int = 200) -> float:
    """Median time to write 4 KiB and bring them to the disk that holds `folder`."""
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
    """Which machine this is, for the results file."""
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "cpu": models[0].partition(":")[2].strip() if models else platform.machine(),
        "cores": len(CORES),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load": os.getloadavg()[0],
    }
