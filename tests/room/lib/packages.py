# SPDX-License-Identifier: Apache-2.0
"""The packages under test, built from this tree as a distribution would build them."""
import hashlib
import os
import pathlib
import re
import shutil
import subprocess

from image import CACHE, HERE, deb_field, locked

TOP = HERE.parent.parent
OTHER_LOCK = HERE / "other-engine-cp311-x86_64.lock"
# The checkout may belong to somebody else than root: for git here and in what is called.
os.environ.update(GIT_CONFIG_COUNT="1", GIT_CONFIG_KEY_0="safe.directory", GIT_CONFIG_VALUE_0="*")
# Folders that cannot change what is in the packages.
NOT_BUILT = re.compile(r"^(tests/(room|bench|pkg|net)|engine|rpm|\.ci|\.git)(/|$)|^README|^RESULTS")


def source_files():
    """Files of the tree, relative, without what is built or ignored."""
    if (TOP / ".git").exists():
        out = subprocess.run(["git", "-C", str(TOP), "ls-files", "-z",
                              "--cached", "--others", "--exclude-standard"],
                             capture_output=True, check=True).stdout.decode()
        names = sorted(set(filter(None, out.split("\0"))))
    else:
        names = sorted(str(p.relative_to(TOP)) for p in TOP.rglob("*")
                       if not re.match(r"^(build|debian/(tmp|raycluster|ray-probe))", str(
                           p.relative_to(TOP))))
    return [n for n in names if (TOP / n).is_file() or (TOP / n).is_symlink()]


def tree_key(names):
    digest = hashlib.sha256()
    for name in names:
        path = TOP / name
        digest.update(f"{name}\0{path.lstat().st_mode & 0o111}\0".encode())
        digest.update(os.readlink(path).encode() if path.is_symlink() else path.read_bytes())
    return digest.hexdigest()[:16]


def build(say, log):
    """Build raycluster and ray-probe; the list of .deb files. The log of the build stays with them."""
    names = [n for n in source_files() if not NOT_BUILT.match(n)]
    kept = CACHE / "debs" / tree_key(names)
    with locked("debs"):
        if not kept.is_dir():
            say("building the packages from this tree")
            work = CACHE / f".debs-{os.getpid()}"
            try:
                with open(log, "wb") as out:
                    done = subprocess.run(
                        [str(TOP / "tests" / "pkg" / "build-deb"), str(work)],
                        stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                        timeout=1800, check=False, env={
                            **os.environ, "DEB_BUILD_OPTIONS": "nocheck"})
                if done.returncode:
                    tail = "\n".join(pathlib.Path(log).read_text(errors="replace").split("\n")[-40:])
                    raise RuntimeError(f"the packages do not build ({log}):\n{tail}")
                kept.parent.mkdir(exist_ok=True)
                os.rename(work, kept)
            finally:
                shutil.rmtree(work, ignore_errors=True)
        os.utime(kept)
        for old in sorted(kept.parent.iterdir(), key=lambda p: p.stat().st_mtime)[:-8]:
            shutil.rmtree(old, ignore_errors=True)
        return sorted(p for p in kept.glob("*.deb") if "-dbgsym_" not in p.name)


def engine(out, say, other=False):
    """The engine's packages; with `other` those of another Ray version, in the same way."""
    before = set(out.glob("*.deb")) if out.is_dir() else set()
    args = ["--lock", str(OTHER_LOCK)] if other else []
    with subprocess.Popen([str(TOP / "engine" / "build"), *args, str(out)], text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT) as p:
        lines = []
        for line in p.stdout:
            lines.append(line)
            if line.startswith("engine "):
                say(line.strip())
    if p.returncode:
        raise RuntimeError("engine/build failed:\n" + "".join(lines[-20:]))
    return sorted(set(out.glob("*.deb")) - before)


def newer(deb, out, suffix="+next1"):
    """The same package under a higher version, as an upgrade brings it."""
    work = out / "repack"
    subprocess.run(["dpkg-deb", "-R", str(deb), str(work)], check=True, capture_output=True)
    control = work / "DEBIAN" / "control"
    version = deb_field(deb, "Version")
    text = control.read_text().replace(f"Version: {version}", f"Version: {version}{suffix}")
    control.write_text(text.replace(f"(= {version})", f"(= {version}{suffix})"))
    name = deb.name.replace(version, version + suffix)
    subprocess.run(["dpkg-deb", "--root-owner-group", "-Zgzip", "-b", str(work), str(out / name)],
                   check=True, capture_output=True)
    shutil.rmtree(work)
    return out / name
