# SPDX-License-Identifier: Apache-2.0
"""tests/room/try: the main job of the README, told as it goes along."""
import argparse
import re
import signal
import sys
import time

import setup
import story
from room import Failed

NEXT = """\
What to try next:
  sudo tests/room/try --keep        hold the room, then  sudo tests/room/shell head
      raycluster status             the cluster as its daemon sees it
      journalctl -u ray-head -e     what it did and why
      systemctl restart ray-head    Ray's processes keep their pids
      poweroff (in w1)              and look at raycluster status on head
  sudo tests/run --quick            all tests that need no guests
  sudo tests/run                    all tests
"""


def show(prompt, cmd, text):
    print(f"{prompt} {cmd}")
    for line in re.sub(r"\x1b\[[0-9;]*m", "", text).strip().split("\n"):
        print(f"    {line}")
    sys.stdout.flush()


def tell(room, keep):
    head = room["head"]
    began = time.monotonic()
    print("three machines are up: " + ", ".join(
        f"{g.name} {g.address}" for g in room.guests.values()), flush=True)

    room.all(story.use_repository)
    install = "apt-get install raycluster raycluster-engine"
    room.all(lambda g: g.install("raycluster", "raycluster-engine"))
    for guest in room.guests.values():
        print(f"{guest.name}# {install}")
    for guest in room.guests.values():
        unit = "ray-head" if guest is head else "ray-worker"
        guest.enable(unit)
        print(f"{guest.name}# systemctl enable --now {unit}", flush=True)
    token = head.run("raycluster token create --uses 2").out.strip()
    show("head#", "raycluster token create --uses 2", token)
    for guest in (room["w1"], room["w2"]):
        show(f"{guest.name}#", "raycluster join -",
             guest.run("raycluster join -", stdin=token + "\n", timeout=100).out)
    started = time.monotonic()
    r = head.run("raycluster wait --workers 2 --timeout 180", timeout=200, check=False)
    if r.code:
        for guest in room.guests.values():
            show(f"{guest.name}$", "raycluster status",
                 guest.run("raycluster status", check=False).out)
        raise Failed(f"the workers did not join: {r.out}{r.err}")
    show("head$", "raycluster wait --workers 2",
         f"{r.out}two workers have joined, {time.monotonic() - started:.1f} s after the last "
         "of them became a member")
    show("head$", "raycluster status", head.run("raycluster status").out)

    story.wait_jobs_api(head)
    head.add_user("alice", "ray")
    out = story.submit(head, story.NAMES_JOB, user="alice", name="names.py")
    show("alice@head$", "raycluster ray job submit --working-dir . -- python names.py", out)
    for name in room.guests:
        story.expect_in(out, f"this task ran on {name}", "the job's output")
    print(f"\nA Ray job ran on all three machines, "
          f"{time.monotonic() - began:.0f} s after they had booted.", flush=True)
    if keep:
        print("\nThe room is held. In another terminal:  sudo tests/room/shell head  (or w1, w2)\n"
              "Ctrl-C here takes it down.", flush=True)
        signal.pause()


def main():
    parser = argparse.ArgumentParser(
        prog="tests/room/try",
        description="Boot three machines, install raycluster in them with apt, run a Ray job.")
    parser.add_argument("--keep", action="store_true", help="hold the room until Ctrl-C")
    parser.add_argument("-v", "--verbose", action="store_true", help="show every step")
    args = parser.parse_args()
    setup.catch_signals()
    try:
        with setup.Site("try") as site:
            site.say("booting three machines")
            with site.room(["head", "w1", "w2"], site.logs, echo=args.verbose,
                           public=True) as room:
                try:
                    tell(room, args.keep)
                except (Failed, OSError):
                    room.save_journals()
                    raise
        print(f"The room is gone. What happened when: {site.logs}/timeline.log\n\n{NEXT}", end="")
        return 0
    except setup.Interrupted as e:
        print(f"\n{e}: the room is gone.")
        return 0 if args.keep and str(e) == "SIGINT" else 130
    except (Failed, RuntimeError) as e:
        print(f"\nFAILED: {e}\nTimeline, consoles and journals: {setup.logs_top()}",
              file=sys.stderr)
        return 1


sys.exit(main())
