# SPDX-License-Identifier: Apache-2.0
"""(d) What is wrong is said in one sentence, and goes on by itself when it is mended."""
import story
from story import Pids, expect, expect_in

ROOM = {"guests": ["head", "w1"], "other_engine": True}


def setup(room):
    story.enrol(room)
    room["head"].enable("ray-head")
    room.repo.add(*room.site.other)
    story.wait_cluster(room, 0)


def stopped(room):
    """w1 with its daemon stopped, so that a scenario begins the same way alone or after others."""
    w1 = room["w1"]
    w1.run("systemctl stop ray-worker; systemctl reset-failed ray-worker; "
           "rm -f /etc/raycluster.conf.d/50-room.conf", check=False, timeout=120)
    return w1


def joined(room):
    """w1 as a node of the cluster."""
    w1 = room["w1"]
    if w1.prop("State") != "joined":
        cursor = stopped(room).cursor()
        w1.run("systemctl start ray-worker")
        w1.wait_message("WORKER_JOINED", cursor, 60)
    return w1


def without_engine(room):
    w1 = stopped(room)
    w1.run("apt-get -q update; apt-get -q -y purge raycluster-engine 'raycluster-engine-2*'",
           timeout=120)
    return w1


def scenario_engine_not_installed(room):
    """Without an engine the worker is blocked, with the remedy; apt-get install is enough."""
    w1 = without_engine(room)
    cursor = w1.cursor()
    w1.run("systemctl start ray-worker")
    w1.wait_journal("^blocked: .*apt install raycluster-engine", cursor, 30)
    expect_in(w1.run("raycluster status", check=False).out, "apt install raycluster-engine",
              "raycluster status")
    w1.install("raycluster-engine")
    w1.wait_message("WORKER_JOINED", cursor, 90)


def scenario_version_mismatch(room):
    """Only another Ray is installed: refused before it starts, both versions named."""
    w1 = without_engine(room)
    w1.install("raycluster-engine-2.59")
    cursor = w1.cursor()
    w1.run("systemctl start ray-worker")
    w1.wait_message("VERSION_MISMATCH", cursor, 60, r"2\.60\.0")
    reason = w1.wait_prop("Reason", lambda v: "2.60.0" in v and "2.59" in v, 10)
    room.timeline.say("w1", f"reason: {reason}")
    expect(not w1.pids(story.RAYLET), "Ray was started although versions differ")
    cursor = w1.cursor()
    w1.install("raycluster-engine")
    w1.wait_message("WORKER_JOINED", cursor, 90)


def scenario_bad_config_on_reload(room):
    """A reload with mistakes keeps the old configuration, names file and line, touches nothing."""
    w1 = joined(room)
    pids = Pids(w1)
    w1.conf('nodee: { name = "x"; };\nports: { gcs = 0; };\n')
    r = w1.run("systemctl reload ray-worker", check=False)
    expect(r.code, "a reload with mistakes succeeded")
    check = w1.run("raycluster check", check=False)
    expect(check.code, "raycluster check found nothing")
    text = check.out + check.err
    for part in ("50-room.conf:1:", "50-room.conf:2:", "node"):
        expect_in(text, part, "raycluster check")
    pids.expect_same("a bad reload")
    expect(w1.state("ray-worker.service") == "active", "the daemon ended")


def scenario_bad_config_at_start(room):
    """Started with mistakes in the file: exit 78, not restarted; mended, it starts."""
    w1 = stopped(room)
    w1.conf('nodee: { name = "x"; };\nports: { gcs = 0; };\n')
    cursor = w1.cursor()
    r = w1.run("systemctl start ray-worker", check=False)
    expect(r.code, "ray-worker started with mistakes in its file")
    expect(w1.show("ray-worker.service", "ExecMainStatus") == "78", "exit status is not 78")
    expect(w1.state("ray-worker.service") == "failed", "it is tried again")
    w1.wait_message("CONFIG_INVALID", cursor, 10)
    expect_in(w1.out("raycluster status", check=False), "50-room.conf", "raycluster status")
    joined(room)


def scenario_busy_port(room):
    """A port of the plan is taken: port, key and owner are named; freed, it goes on by itself.

    Which program of another user it is, a daemon without rights cannot see.
    """
    w1 = stopped(room)
    holder = w1.spawn("exec python3 -m http.server 6380")
    cursor = w1.cursor()
    w1.run("systemctl start ray-worker")
    w1.wait_message("BLOCKED", cursor, 30, "6380")
    reason = w1.prop("Reason")
    expect_in(reason, "ports.node_manager", "the sentence")
    expect_in(reason, "user root", "the sentence")
    expect_in(reason, "ss -Hltnp sport = :6380", "the sentence")
    for pid in w1.pids("http.server 6380"):
        w1.kill(pid)
    holder.wait(10)
    w1.wait_message("WORKER_JOINED", cursor, 60)


def scenario_disk_full(room):
    """No room for Ray's files: blocked, said; with room again it goes on by itself."""
    w1 = stopped(room)
    w1.run("mkdir -p /var/lib/ray && mount -t tmpfs -o size=1m,mode=0750 full /var/lib/ray && "
           "chown ray:ray /var/lib/ray && head -c 900k /dev/zero >/var/lib/ray/fill")
    cursor = w1.cursor()
    w1.run("systemctl start ray-worker")
    w1.wait_journal("^blocked: the disk of .* has .* left", cursor, 30)
    w1.run("rm /var/lib/ray/fill; mount -o remount,size=4g /var/lib/ray")
    w1.wait_message("WORKER_JOINED", cursor, 90)
    stopped(room).run("umount /var/lib/ray")


def scenario_temp_dir_too_long(room):
    """A temp dir whose sockets would not fit: refused with the limit named."""
    w1 = stopped(room)
    long = "/var/lib/ray/" + "x" * 90
    w1.conf(f'engine: {{ temp_dir = "{long}"; }};\n')
    r = w1.run("raycluster check", check=False)
    text = r.out + r.err
    if not r.code:
        cursor = w1.cursor()
        w1.run("systemctl start ray-worker")
        w1.wait_message("BLOCKED", cursor, 30, "temp_dir|long")
        text = w1.prop("Reason")
    expect_in(text, "temp_dir", "the sentence")
    joined(room)
