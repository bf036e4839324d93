# SPDX-License-Identifier: Apache-2.0
"""However a room ends, nothing of it stays: no process, mount, network namespace, cgroup, file."""
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

import image
import room as room_module
import setup
from room import Room, cgroup_mounts, remove_stale, wait_until


class NoRepo:
    def __init__(self, path):
        self.path = path


def hold():
    """The child: boot a room, say so, and wait to be ended."""
    setup.catch_signals()
    base = image.base_image([], print)
    try:
        with tempfile.TemporaryDirectory() as tmp:
            os.mkdir(f"{tmp}/repo")
            with Room(["a", "b"], base, NoRepo(f"{tmp}/repo"), f"{tmp}/logs") as room:
                room["a"].spawn("sleep 1000")
                print(f"up {room.id} {os.readlink(f'/proc/{room.leader}/ns/net')}", flush=True)
                if sys.argv[1] == "return":
                    return
                if sys.argv[1] == "raise":
                    raise room_module.Failed("on purpose")
                time.sleep(600)
    except (setup.Interrupted, room_module.Failed):
        sys.exit(3)


def left_of(room_id, netns):
    """What is still there of a room, as text."""
    left = []
    for p in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if room_id in (p / "cgroup").read_text() or os.readlink(p / "ns/net") == netns:
                left.append(f"process {p.name} {(p / 'comm').read_text().strip()}")
            if room_id in (p / "mountinfo").read_text():
                left.append(f"mount seen by {p.name}")
        except OSError:
            pass
    return left


def folders_of(room_id):
    return [str(m / room_id) for m in cgroup_mounts() if (m / room_id).exists()] + (
        [f"/run/{room_id}"] if os.path.exists(f"/run/{room_id}") else [])


def check(how):
    child = subprocess.Popen([sys.executable, "-B", __file__, how], stdout=subprocess.PIPE,
                             text=True, start_new_session=True)
    line = ""
    while not line.startswith("up "):
        line = child.stdout.readline()
        assert line, f"{how}: the room did not come up"
    _, room_id, netns = line.split()
    if how.startswith("SIG"):
        os.kill(child.pid, signal.Signals[how])
    child.wait(30)
    child.stdout.close()
    wait_until(f"{how}: {left_of(room_id, netns)}", lambda: not left_of(room_id, netns), 10, 0.05)
    if how == "SIGKILL":
        # Only empty folders may stay, and the next room removes them.
        remove_stale()
    assert not folders_of(room_id), f"{how}: {folders_of(room_id)}"


def main():
    failed = 0
    hows = ["return", "raise", "SIGTERM", "SIGINT", "SIGHUP", "SIGKILL"]
    for how in hows:
        began = time.monotonic()
        try:
            check(how)
            print(f"ok    teardown/{how}  {time.monotonic() - began:.1f} s", flush=True)
        except Exception as e:
            failed += 1
            print(f"FAIL  teardown/{how}: {e}", flush=True)
    print(f"{len(hows) - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    if len(sys.argv) > 1:
        hold()
    else:
        sys.exit(main())
