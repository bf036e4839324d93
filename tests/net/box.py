"""The box that every network test runs in: mount, network and process namespaces of its own."""
import os

INNER = 'mkdir -p /run/netns && mount -t tmpfs tmpfs /run/netns && ip link set lo up && exec "$0" "$@"'


def argv(*program):
    """unshare's child is init of its process namespace: all that it started dies with it."""
    return ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child=KILL", "--mount-proc", "--propagation", "private",
            "sh", "-c", INNER, *map(str, program)]


def environment(scratch, build):
    """scratch is readable for nobody, and removed by the caller."""
    scratch.mkdir(mode=0o755)
    return dict(os.environ, TMPDIR=str(scratch), BUILD=str(build), PYTHONDONTWRITEBYTECODE="1", LC_ALL="C.UTF-8")
