# SPDX-License-Identifier: Apache-2.0
"""debian/tests as autopkgtest runs them: in a booted machine with the packages installed, one after the other."""
import re

from image import HERE
from room import Failed
from scenarios import Skip

ROOM = {"guests": ["head"]}
TESTS = HERE.parent.parent / "debian" / "tests"


def run(room, name):
    head = room["head"]
    for path in (TESTS / "lib.sh", TESTS / name):
        head.write(f"/tmp/autopkgtest/tests/{path.name}", path.read_text(), mode="0755")
    r = head.run(f"mkdir -p /tmp/autopkgtest/tmp; cd /tmp/autopkgtest && AUTOPKGTEST_TMP=/tmp/autopkgtest/tmp tests/{name}",
                 check=False, timeout=400)
    if r.code == 77:
        raise Skip(r.out.strip().split("\n")[-1])
    if r.code:
        raise Failed(f"debian/tests/{name}: exit {r.code}\n{r.out[-2500:]}{r.err[-1500:]}")


def test(name):
    def scenario(room):
        run(room, name)
    text = [line[2:] for line in (TESTS / name).read_text().split("\n")[1:3] if line.startswith("# ")]
    scenario.__doc__ = " ".join(text)
    return scenario


for listed in re.findall(r"^Tests: *(\S+)$", (TESTS / "control").read_text(), re.M):
    globals()[f"scenario_{listed.replace('-', '_')}"] = test(listed)
