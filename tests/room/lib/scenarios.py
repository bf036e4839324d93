# SPDX-License-Identifier: Apache-2.0
"""Runs tests/room/scenarios/*.py: one room a file, its scenarios one after the other in it.

A file says in ROOM what it wants, may have setup(room), and has functions scenario_NAME(room) in
the order in which they run. After a failure the rest of the file gets a fresh room, so that one
fault does not colour the others. Skip("why") is for what this machine cannot show.
"""
import argparse
import importlib.util
import pathlib
import re
import sys
import time
import traceback

import setup
from image import HERE
from room import Failed

DEFAULTS = {"guests": ["head", "w1", "w2"], "installed": True, "other_engine": False,
            "nspawn_args": ()}


class Skip(Exception):
    """This machine cannot show it; the text says why."""


class File:
    def __init__(self, path):
        self.name = path.stem
        spec = importlib.util.spec_from_file_location(f"scenarios_{path.stem}", path)
        self.module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self.module)
        self.room = {**DEFAULTS, **getattr(self.module, "ROOM", {})}
        self.tests = [(n.removeprefix("scenario_"), f) for n, f in vars(self.module).items()
                      if n.startswith("scenario_")]
        self.setup = getattr(self.module, "setup", lambda room: None)


def load(wanted):
    files = [File(p) for p in sorted((HERE / "scenarios").glob("*.py"))]
    if wanted:
        for f in files:
            f.tests = [(n, t) for n, t in f.tests if any(w in f"{f.name}/{n}" for w in wanted)]
    return [f for f in files if f.tests]


class Runner:
    def __init__(self, site, args):
        self.site, self.args = site, args
        self.passed, self.failed, self.skipped = [], [], []

    def report(self, word, name, took, text=""):
        print(f"{word:5} {name:54} {took:6.1f} s{'  ' + text if text else ''}", flush=True)

    def run_file(self, f):
        left = list(f.tests)
        attempt = 0
        while left:
            attempt += 1
            logs = self.site.logs / (f.name if attempt == 1 else f"{f.name}-{attempt}")
            left = self.run_room(f, left, logs)

    def run_room(self, f, tests, logs):
        """Run tests in one room until one fails; returns those that have not run."""
        began = time.monotonic()
        name = f"{f.name}/setup"
        try:
            with self.site.room(f.room["guests"], logs, installed=f.room["installed"],
                                echo=self.args.verbose,
                                nspawn_args=f.room["nspawn_args"]) as room:
                try:
                    f.setup(room)
                    self.report("setup", f.name, time.monotonic() - began)
                    for i, (test, call) in enumerate(tests):
                        name = f"{f.name}/{test}"
                        began = time.monotonic()
                        room.timeline.say("====", test)
                        try:
                            call(room)
                        except Skip as e:
                            self.skipped.append(name)
                            self.report("SKIP", name, time.monotonic() - began, str(e))
                            continue
                        self.passed.append(name)
                        self.report("ok", name, time.monotonic() - began)
                    return []
                except Exception:
                    room.timeline.say("====", f"FAILED {name}\n{traceback.format_exc()}")
                    room.save_journals()
                    raise
        except Exception as e:
            self.failed.append(name)
            self.report("FAIL", name, time.monotonic() - began)
            self.explain(e, logs)
        if name.endswith("/setup"):               # without its room none of them can run
            self.failed[-1:] = [f"{f.name}/{test}" for test, _ in tests]
            return []
        return tests[[t for t, _ in tests].index(name.split("/")[1]) + 1:]

    def explain(self, error, logs):
        text = str(error) if isinstance(error, Failed) else traceback.format_exc()
        print("      " + text.strip().replace("\n", "\n      "))
        for log in sorted(logs.glob("journal-*.log")):
            ours = [line for line in log.read_text(errors="replace").split("\n")
                    if re.search(r" (ray-headd|ray-workerd|ray-engine)\[| systemd.*(Fail|fail)", line)]
            print(f"      --- last lines of {log}")
            for line in ours[-8:]:
                print(f"      {line[:220]}")
        print(f"      --- what happened when: {logs}/timeline.log", flush=True)


def main():
    parser = argparse.ArgumentParser(prog="tests/room/run", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wanted", nargs="*", help="only scenarios whose file/name has this in it")
    parser.add_argument("--list", action="store_true", help="name the scenarios and stop")
    parser.add_argument("-v", "--verbose", action="store_true", help="show every step")
    args = parser.parse_args()

    files = load(args.wanted)
    if args.list:
        for f in files:
            for name, test in f.tests:
                print(f"{f.name}/{name:44} {(test.__doc__ or '').strip()}")
        return 0
    setup.catch_signals()
    runner = None
    code = 0
    try:
        with setup.Site("room", other_engine=any(f.room["other_engine"] for f in files)) as site:
            runner = Runner(site, args)
            for f in files:
                runner.run_file(f)
            site.say(f"logs: {site.logs}")
    except setup.Interrupted as e:
        print(f"\n{e}: the room is gone.", file=sys.stderr)
        code = 130
    if runner:
        print(f"{len(runner.passed)} passed, {len(runner.failed)} failed, "
              f"{len(runner.skipped)} skipped")
        code = code or (1 if runner.failed or not runner.passed else 0)
    return code


sys.modules["scenarios"] = sys.modules["__main__"]
if __name__ == "__main__":
    sys.path.insert(0, str(pathlib.Path(__file__).parent))
    sys.exit(main())
