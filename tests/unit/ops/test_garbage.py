"""Garbage collection in a process of its own, because thresholds are of the whole process."""

import subprocess
import sys

from veche.ops.garbage import MIDDLE, YOUNG

BEGIN = """
import asyncio, gc, weakref
from veche.ops import garbage

class Circle:
    def __init__(self):
        self.me = self

def full_collections():
    return gc.get_stats()[2]["collections"]

garbage.spare_old_objects()
before = full_collections()
"""


def said_by(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", BEGIN + program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_no_collection_visits_all_objects_by_itself() -> None:
    program = """
largest = 0
def watch(phase, about):
    global largest
    if phase == "start":
        largest = max(largest, sum(len(gc.get_objects(generation=at)) for at in range(about["generation"] + 1)))
gc.callbacks.append(watch)
kept = [[number] for number in range(400_000)]
print(full_collections() - before, largest)
"""
    full, largest = map(int, said_by(program).split())
    assert full == 0
    assert 0 < largest <= 2 * YOUNG * MIDDLE


def test_circles_that_have_become_old_are_freed_when_the_server_is_calm() -> None:
    program = """
circles = [Circle() for _ in range(200_000)]
ended = weakref.ref(circles[0])
del circles
assert ended() is not None

async def wait():
    collecting = asyncio.create_task(garbage.collect_when_calm(every=0.05))
    kept = []
    while ended() is not None:
        await asyncio.sleep(0.01)
        kept += [[number] for number in range(3_000)]  # a server makes new objects all the time
    collecting.cancel()

asyncio.run(asyncio.wait_for(wait(), 30))
print("freed")
"""
    assert said_by(program) == "freed"


def test_a_busy_server_does_not_wait_for_it() -> None:
    program = """
async def work():
    collecting = asyncio.create_task(garbage.collect_when_calm(every=0.001, calm=0.0))
    kept = []
    while len(kept) < 300_000:
        kept += [[number] for number in range(3_000)]
        await asyncio.sleep(0)
    collecting.cancel()
    return full_collections() - before

print(asyncio.run(work()))
"""
    assert said_by(program) == "0"
