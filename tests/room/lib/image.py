# SPDX-License-Identifier: Apache-2.0
"""What guests are made of: the base image and the signed package repository.

Whatever takes time lies in the cache under a name with a hash of everything it is made from, is
built under another name, and is renamed when it is whole: a broken-off build is never taken up.
"""
import contextlib
import fcntl
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

HERE = pathlib.Path(__file__).resolve().parent.parent
CACHE = pathlib.Path(os.environ.get("RAYCLUSTER_CACHE", "/var/cache/raycluster-tests"))
OURS = re.compile(r"^(raycluster|ray-probe)")


def os_release(key):
    text = pathlib.Path("/etc/os-release").read_text()
    found = re.search(rf'^{key}="?([^"\n]*)"?$', text, re.M)
    return found.group(1) if found else ""


@contextlib.contextmanager
def locked(name):
    """One builder of a thing at a time, also across processes."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / f".{name}.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def deb_field(deb, field):
    return subprocess.run(["dpkg-deb", "-f", str(deb), field], capture_output=True, text=True,
                          check=True).stdout.strip()


def dependencies(debs):
    """Names of the packages that ours need and that are not ours."""
    names = set()
    for deb in debs:
        for field in ("Pre-Depends", "Depends"):
            for item in deb_field(deb, field).split(","):
                name = re.split(r"[ |(:]", item.strip())[0]
                if name and not OURS.match(name):
                    names.add(name)
    return names


def apt_sources(codename):
    """The host's own package sources for this release: the project names no mirror."""
    top = pathlib.Path("/etc/apt")
    files = [top / "sources.list", *sorted(top.glob("sources.list.d/*.list")),
             *sorted(top.glob("sources.list.d/*.sources"))]
    return [f for f in files if f.exists() and
            re.search(rf"^(deb |Suites:).*\b{codename}\b", f.read_text(), re.M)]


CUSTOMIZE = r"""
set -eu
cd "$1"
rm -rf etc/apt/sources.list etc/apt/sources.list.d/* etc/resolv.conf
: >etc/machine-id
rm -f etc/hostname var/lib/dbus/machine-id
mkdir -p var/log/journal srv/repo
for unit in apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer \
            systemd-networkd-wait-online.service getty@tty1.service console-getty.service; do
        ln -sf /dev/null "etc/systemd/system/$unit"
done
chroot . systemctl -q enable systemd-networkd.service
"""


def base_image(debs, say):
    """Folder with a bootable Debian of the host's release that lacks only our own packages."""
    codename = os_release("VERSION_CODENAME")
    listed = [line for line in (HERE / "base-packages").read_text().split("\n")
              if line and not line.startswith("#")]
    packages = sorted(set(listed) | dependencies(debs))
    sources = apt_sources(codename)
    if not sources:
        raise RuntimeError(f"no apt source for {codename} in /etc/apt: is this Debian?")
    key = hashlib.sha256("\n".join([codename, *packages, CUSTOMIZE, *(
        f.read_text() for f in sources)]).encode()).hexdigest()[:16]
    image = CACHE / f"base-{codename}-{key}"
    with locked("base"):
        if image.is_dir():
            return image
        say(f"building the base image of the guests ({len(packages)} packages and what they need)")
        work = CACHE / f".base-{os.getpid()}"
        hook = CACHE / f".base-{os.getpid()}.hook"
        hook.write_text("#!/bin/sh\n" + CUSTOMIZE)
        hook.chmod(0o755)
        try:
            subprocess.run(
                ["mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", "--format=directory",
                 f"--include={','.join(packages)}", f"--customize-hook={hook} \"$1\"",
                 codename, str(work), *map(str, sources)],
                check=True, stdin=subprocess.DEVNULL, timeout=900)
            os.rename(work, image)
        finally:
            hook.unlink()
            shutil.rmtree(work, ignore_errors=True)
        images = sorted(CACHE.glob(f"base-{codename}-*"), key=lambda p: p.stat().st_ctime)
        for old in images[:-5]:
            if old != image and not in_use(old):
                shutil.rmtree(old, ignore_errors=True)
    return image


def in_use(folder):
    """Whether a process that we can see has the folder below an overlay."""
    for info in pathlib.Path("/proc").glob("[0-9]*/mountinfo"):
        with contextlib.suppress(OSError):
            if str(folder) in info.read_text():
                return True
    return False


class Repo:
    """A signed apt repository in a folder, which guests see as /srv/repo."""

    def __init__(self, path, debs):
        self.path = pathlib.Path(path)
        self.path.mkdir(parents=True)
        self.path.chmod(0o755)
        # Short: gpg's agent has a socket in there, whose path may be 107 bytes long.
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="room-gpg-"))
        self.gpg("--batch", "--passphrase", "", "--quick-generate-key", "room", "default", "default",
                 "never")
        self.gpg("--output", str(self.path / "room.gpg"), "--export", "room")
        self.add(*debs)

    def gpg(self, *args):
        subprocess.run(["gpg", "--homedir", str(self.home), "--yes", *args], check=True,
                       stdin=subprocess.DEVNULL, capture_output=True)

    def add(self, *debs):
        """Add packages and sign the repository anew."""
        for deb in map(pathlib.Path, debs):
            target = self.path / deb.name
            target.unlink(missing_ok=True)
            try:
                os.link(deb, target)
            except OSError:
                shutil.copy(deb, target)
        self.publish()

    def remove(self, pattern):
        for deb in self.path.glob(pattern):
            deb.unlink()
        self.publish()

    def publish(self):
        def ftparchive(*args):
            return subprocess.run(["apt-ftparchive", *args], cwd=self.path, check=True,
                                  capture_output=True).stdout
        for name in ("Release", "InRelease"):
            (self.path / name).unlink(missing_ok=True)
        (self.path / "Packages").write_bytes(ftparchive("packages", "."))
        (self.path / "Release").write_bytes(ftparchive(
            "-o", "APT::FTPArchive::Release::Origin=room", "release", "."))
        self.gpg("--output", str(self.path / "InRelease"), "--clearsign",
                 str(self.path / "Release"))

    def close(self):
        subprocess.run(["gpgconf", "--homedir", str(self.home), "--kill", "all"], check=False,
                       stdin=subprocess.DEVNULL, capture_output=True)
        shutil.rmtree(self.path, ignore_errors=True)
        shutil.rmtree(self.home, ignore_errors=True)


SOURCE = """Types: deb
URIs: file:/srv/repo
Suites: ./
Signed-By: /srv/repo/room.gpg
"""
