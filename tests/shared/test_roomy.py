"""The room for frames: what calls functions deep down gets no memory from the system for each call."""

import subprocess
import sys

DEEP = """
import resource
from embedmill.shared.roomy import with_room

def down(depth):
    if depth:
        return down(depth - 1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(300):
        further(20)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def further(depth):
    return depth and further(depth - 1)

def most():
    return max(down(depth) for depth in range(1, 400, 4))

print(with_room(most), most())
"""


def test_calls_at_any_depth_ask_the_system_for_no_pages() -> None:
    done = subprocess.run([sys.executable, "-c", DEEP], stdout=subprocess.PIPE, text=True, check=True)
    roomy, usual = map(int, done.stdout.split())
    assert roomy < 100
    assert usual > roomy or sys.version_info[:2] > (3, 11), "it is not needed any more"
