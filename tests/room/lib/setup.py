# SPDX-License-Identifier: Apache-2.0
"""From a checkout to everything a room needs: packages, image, repository, log folder."""
import datetime
import os
import pathlib
import shutil
import signal
import sys
import time

import image
import packages
import story
from image import CACHE, Repo
from room import Room


class Interrupted(BaseException):
    """TERM, HUP or Ctrl-C: unwinds through every context manager, so that the room is torn down."""


def catch_signals():
    def on_signal(number, _frame):
        for s in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(s, signal.SIG_IGN)      # once is enough: let the teardown finish
        raise Interrupted(signal.Signals(number).name)

    for s in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(s, on_signal)


def logs_top():
    """Where the log folders of all runs are, the newest with the highest name."""
    return CACHE / "logs"


def new_logs(name):
    """A log folder of its own, outside the checkout; the oldest ones go."""
    top = logs_top()
    top.mkdir(parents=True, exist_ok=True)
    for old in sorted(top.iterdir())[:-20]:
        shutil.rmtree(old, ignore_errors=True)
    stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    logs = top / f"{stamp}-{name}-{os.getpid()}"
    logs.mkdir()
    return logs


class Site:
    """Everything that rooms of one run share. A context manager."""

    def __init__(self, name, say=None, other_engine=False):
        self.began = time.monotonic()
        self.say = say or self.print
        self.logs = new_logs(name)
        self.debs_dir = CACHE / f".site-{os.getpid()}"
        self.other_engine = other_engine
        self.prepared = {}

    def print(self, text):
        print(f"  {time.monotonic() - self.began:5.0f} s  {text}", file=sys.stderr, flush=True)

    def __enter__(self):
        try:
            for old in CACHE.glob(".site-*"):
                if not pathlib.Path(f"/proc/{old.name.split('-')[1]}").exists():
                    shutil.rmtree(old, ignore_errors=True)
            self.debs_dir.mkdir(parents=True)
            self.ours = packages.build(self.say, self.logs / "dpkg-buildpackage.log")
            self.engine = packages.engine(self.debs_dir / "engine", self.say)
            self.other = []
            if self.other_engine:
                self.other = packages.engine(self.debs_dir / "other", self.say, other=True)
            self.image = image.base_image([*self.ours, *self.engine], self.say)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *exc):
        self.close()

    def close(self):
        shutil.rmtree(self.debs_dir, ignore_errors=True)

    def room(self, names, logs, installed=False, echo=False, **kwargs):
        """A room with its own repository. `installed`: our packages are there from the start."""
        logs.mkdir(parents=True, exist_ok=True)
        layer = self.installed_layer() if installed else None
        return SiteRoom(self, names, logs, layer, echo, **kwargs)

    def installed_layer(self):
        """What apt-get install of our packages changes in a guest, done once for all rooms."""
        if "layer" not in self.prepared:
            target = self.debs_dir / "layer"
            with SiteRoom(self, ["head"], self.logs / "layer", None, False) as room:
                story.install(room["head"])
                room["head"].run("rm -rf /var/log/journal/* /etc/machine-id; touch /etc/machine-id")
                room["head"].power_off()
                room.inside(f"cp -a {room['head'].dir}/up {target}", timeout=300)
            self.prepared["layer"] = target
        return self.prepared["layer"]


class SiteRoom(Room):
    """A room together with its repository."""

    def __init__(self, site, names, logs, layer, echo, **kwargs):
        self.site = site
        logs.mkdir(parents=True, exist_ok=True)
        self.work = site.debs_dir / f"room-{logs.name}-{time.monotonic_ns()}"
        self.work.mkdir()
        repo = Repo(self.work / "repo", [*site.ours, *site.engine])
        lower = f"{layer}:{site.image}" if layer else str(site.image)
        super().__init__(names, lower, repo, logs, echo, **kwargs)

    def close(self):
        super().close()
        self.repo.close()
