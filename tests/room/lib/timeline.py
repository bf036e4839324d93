# SPDX-License-Identifier: Apache-2.0
"""What happened when: one readable line an event, with seconds since the room began."""
import sys
import time


class Timeline:
    """Lines go to a file always, and to stderr when `echo` is set."""

    def __init__(self, path, echo=False):
        self.start = time.monotonic()
        self.file = open(path, "a", encoding="utf-8", buffering=1)
        self.echo = echo
        self.path = path

    def elapsed(self):
        return time.monotonic() - self.start

    def say(self, who, text):
        line = f"{self.elapsed():8.2f}  {who:6} {text.rstrip()}\n"
        self.file.write(line)
        if self.echo:
            sys.stderr.write(line)
            sys.stderr.flush()

    def close(self):
        self.file.close()
