# SPDX-License-Identifier: Apache-2.0
"""What is wrong is one sentence with its remedy, and mended it goes on without a restart by hand."""
import re
import subprocess

import story
from image import CACHE, HERE
from room import wait_until
from story import expect, expect_in

TOP = HERE.parent.parent
VENV = "/home/site/venv"
SITE = f'engine: {{ venv = "{VENV}"; }};\n'
UNIT = "ray-worker.service"


def setup(room):
    story.enrol(room)
    room["head"].enable("ray-head")
    story.wait_cluster(room, 0)


def start_worker(guest, conf=""):
    """Start the worker's daemon anew with this configuration; returns a cursor from before."""
    guest.run("systemctl stop ray-worker", timeout=120)
    guest.conf(conf)
    cursor = guest.cursor()
    guest.run("systemctl start ray-worker")
    return cursor


def expect_said(guest, cursor, pattern, message="BLOCKED", timeout=45):
    """A line of the journal like this, and status says it in the same words. Returns it."""
    if message in ("BLOCKED", "VERSION_MISMATCH"):    # the daemon's line, not the supervisor's
        pattern = f"^blocked: .*{pattern}"
    text = guest.wait_message(message, cursor, timeout, pattern)["MESSAGE"]
    wait_until(f"status to say: {text}",
               lambda: text in guest.run("raycluster status", check=False, quiet=True).out,
               20, 0.5)
    return text


def expect_joins(guest, cursor, pid, timeout=90):
    """It joins, and the daemon is the same process."""
    guest.wait_message("WORKER_JOINED", cursor, timeout)
    expect(guest.main_pid(UNIT) == pid, "the daemon was restarted on the way")


# The engine ---------------------------------------------------------------------------------

def make_venv(guest):
    """A site's environment: own programs and pyvenv.cfg, the packages of our engine beside them."""
    engine = guest.out("ls -d /usr/lib/raycluster-engine/2.60.*")
    guest.run(f"mkdir -p {VENV} && cp -a {engine}/bin {engine}/pyvenv.cfg {VENV}/ && "
              f"ln -s {engine}/lib {VENV}/lib && "
              f"sed -i '1s|^#!{engine}/|#!{VENV}/|' $(grep -Il '^#!' {VENV}/bin/*) && "
              f"chmod -R a+rX /home/site")


def scenario_venv_without_ray(room):
    """engine.venv below /home has no Ray: said with the remedy; the same path with Ray is enough."""
    w1 = room["w1"]
    w1.run(f"mkdir -p {VENV}/bin && ln -s /usr/bin/python3 {VENV}/bin/python && "
           f"echo 'home = /usr/bin' >{VENV}/pyvenv.cfg && chmod -R a+rX /home/site")
    cursor = start_worker(w1, SITE)
    pid = w1.main_pid(UNIT)
    text = expect_said(w1, cursor, VENV)
    expect_in(text, "bin/ray", "the sentence")
    expect_in(text, "engine.venv", "its remedy")
    w1.run(f"rm -r {VENV}")
    make_venv(w1)
    expect_joins(w1, cursor, pid)
    expect(w1.pids(f"{VENV}/.*/raylet/raylet "), f"Ray does not run from {VENV}")
    expect_in(w1.out("raycluster status"), VENV, "raycluster status")


def scenario_venv_with_a_wrong_python(room):
    """No python, then another patch level than the head's: both said; mended, Ray starts."""
    w1 = room["w1"]
    if w1.run(f"test -d {VENV}/lib", check=False).code:
        make_venv(w1)
    python = f"{VENV}/bin/python"
    w1.run("systemctl stop ray-worker", timeout=120)
    w1.run(f"mv {python} {python}.real")
    cursor = start_worker(w1, SITE)
    pid = w1.main_pid(UNIT)
    text = expect_said(w1, cursor, f"{VENV}/bin/python")
    expect_in(text, "engine.venv", "its remedy")

    second = w1.cursor()
    w1.write(python, f"""#!/bin/sh
case "$*" in
*version_info*) {python}.real "$@" | sed 's/^python 3\\..*/python 3.11.99/' ;;
*) exec {python}.real "$@" ;;
esac
""", mode="0755")
    text = expect_said(w1, second, r"3\.11\.99", message="VERSION_MISMATCH")
    expect_in(text, room["head"].prop("PythonVersion"), "the sentence")
    expect(not w1.pids("/raylet/raylet "), "Ray was started with another Python than the head's")
    w1.run(f"mv {python}.real {python}")
    expect_joins(w1, cursor, pid)
    expect(w1.pids(f"{VENV}/.*/raylet/raylet "), f"Ray does not run from {VENV}")


def scenario_damaged_arguments(room):
    """Garbage in the engine's arguments: refused by line; the daemon writes them anew."""
    w1 = room["w1"]
    args = "/run/raycluster/engine-worker.args"
    drop_in = "/run/systemd/system/ray-engine@worker.service.d/damage.conf"
    w1.run("systemctl stop ray-worker", timeout=120)
    # between the daemon that has written them and the supervisor that reads them, four times
    w1.write("/run/damage", f"""#!/bin/sh
n=$(cat /run/damaged 2>/dev/null || echo 0)
[ "$n" -ge 4 ] && exit 0
echo $((n + 1)) >/run/damaged
sed -i '3s/.*/PORT_GCS=garbage/' {args}
""", mode="0755")
    w1.write(drop_in, "[Service]\nExecStartPre=+/run/damage\n")
    w1.run("systemctl daemon-reload")
    cursor = start_worker(w1)
    pid = w1.main_pid(UNIT)
    sentence = f"{args}: line 3: PORT_GCS=garbage: a port is 1 to 65535; {UNIT} writes it anew"
    wait_until(f"status to say: {sentence}",
               lambda: sentence in w1.run("raycluster status", check=False, quiet=True).out,
               30, 0.2)
    w1.wait_message("ENGINE_FAILED", cursor, 10, re.escape(sentence))
    expect_joins(w1, cursor, pid)
    expect(w1.read("/run/damaged").strip() == "4", "the arguments were not damaged four times")
    w1.run(f"rm {drop_in}; systemctl daemon-reload")


def scenario_restart_due(room):
    """A reload changes what Ray was started with: shown as due, applied by restart-engine."""
    w1 = room["w1"]
    cursor = start_worker(w1)
    pid = w1.main_pid(UNIT)
    w1.wait_message("WORKER_JOINED", cursor, 60)
    pids = story.Pids(w1)
    w1.conf('resources: { cpus = 3; custom = { scanner = 2; }; };\n'
            'ports: { dashboard_agent = 6395; };\n')
    w1.run("systemctl reload ray-worker")
    text = w1.wait_message("RESTART_DUE", cursor, 15)["MESSAGE"]
    keys = "ports.dashboard_agent, resources.cpus, resources.custom"
    expect_in(text, f"restart due: {keys} changed", "the journal")
    status = w1.out("raycluster status")
    expect_in(status, f"Restart due: {keys} changed", "raycluster status")
    expect_in(status, "raycluster restart-engine", "its remedy")
    pids.expect_same("a reload")
    cursor = w1.cursor()
    w1.run("raycluster restart-engine", timeout=120)
    expect_joins(w1, cursor, pid)
    w1.wait_prop("RestartDue", lambda v: v == [], 15)
    expect(w1.pids("--dashboard-agent-listen-port=6395|listen-port=6395"), "the old port")

    def has_new():
        mine = [n for n in room["head"].nodes() if n["hostname"] == "w1" and n["state"] == "alive"]
        have = {r[0]: r[1] for n in mine for r in n["resources"]}
        return have.get("CPU") == 3 and have.get("scanner") == 2
    wait_until("the new resources", has_new, 20, 0.5)


# Names and addresses ------------------------------------------------------------------------

def scenario_head_is_loopback(room):
    """The head's name is 127.0.1.1 in /etc/hosts, as Debian writes it: said; mended, it joins."""
    w1 = room["w1"]
    # a member goes on to the address that its head has proved
    story.leave(w1)
    room.dns("host-record=head.room.example,10.77.0.10")
    w1.run("echo '127.0.1.1 head.room.example head' >>/etc/hosts")
    cursor = start_worker(w1, 'cluster: { head = "head.room.example"; };\n')
    pid = w1.main_pid(UNIT)
    text = expect_said(w1, cursor, r"127\.0\.1\.1", message="WORKER_WAITING")
    expect_in(text, "/etc/hosts", "the sentence")
    expect_in(text, "cluster.head", "its remedy")
    w1.run("sed -i '/head.room.example/d' /etc/hosts")
    story.join(room, [w1])
    expect_joins(w1, cursor, pid)


def scenario_head_knows_its_own_loopback(room):
    """On the head itself the same line does no harm: it is reached at its real address."""
    head = room["head"]
    expect_in(head.read("/etc/hosts"), "127.0.1.1\thead.room.example", "/etc/hosts of the head")
    head.run("systemctl stop ray-head", timeout=120)
    head.conf('cluster: { head = "head.room.example"; };\n')
    cursor = head.cursor()
    head.run("systemctl start ray-head")
    head.wait_message("HEAD_SERVING", cursor, 60)
    expect(head.prop("Address") == "10.77.0.10", f"the head's address is {head.prop('Address')}")


def scenario_interface_without_address(room):
    """node.interface is not there, then has no address, then has one: said, said, joined."""
    w1 = room["w1"]
    cursor = start_worker(w1, 'node: { interface = "bond7"; };\n')
    pid = w1.main_pid(UNIT)
    text = expect_said(w1, cursor, "bond7")
    expect_in(text, "no interface bond7", "the sentence")
    expect_in(text, "host0", "what there is")
    second = w1.cursor()
    w1.run("ip link add bond7 type veth peer name bond7p && ip link set bond7p up && "
           "ip link set bond7 up")
    text = expect_said(w1, second, "bond7 has no address")
    expect_in(text, "give it one", "its remedy")
    w1.run("ip addr add 10.77.0.61/32 dev bond7")
    expect_joins(w1, cursor, pid)
    expect(w1.prop("Address") == "10.77.0.61", f"Ray has the address {w1.prop('Address')}")
    w1.run("systemctl stop ray-worker", timeout=120)
    w1.run("ip link del bond7")


# What else answers on the head's port -------------------------------------------------------

def install_fake(guest):
    """A GCS that misbehaves on command, see tests/fake/fake-gcs.c."""
    build = CACHE / "fake"
    subprocess.run(["make", "-s", "-C", str(TOP), f"BUILD={build}", f"{build}/tests/fake/fake-gcs"],
                   check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=900)
    with open(build / "tests/fake/fake-gcs", "rb") as program:
        guest.spawn("cat >/srv/fake-gcs && chmod 755 /srv/fake-gcs", stdin=program).wait(30)


# What the fake does, and what is said of it in the end.
MODES = [("garbage", "unknown service"), ("ssh", "SSH"), ("huge", "over its limit"),
         ("silent", "says nothing"), ("flood", "over its limit"), ("status-12", "not know|no GCS"),
         ("status-16:InvalidAuthToken: missing or incorrect", "token")]


def scenario_fake_gcs(room):
    """Garbage, huge frames, nothing, refusals on the head's port: said, survived; then Ray: joined."""
    head, w1 = room["head"], room["w1"]
    install_fake(head)
    w1.run("systemctl stop ray-worker", timeout=120)
    head.run("systemctl stop ray-head", timeout=120)
    head.write("/srv/fake.conf", f"mode {MODES[0][0]}\n")
    fake = head.spawn("exec /srv/fake-gcs --address 10.77.0.10 --port 6379 --control /srv/fake.conf",
                      stdout=subprocess.DEVNULL)
    cursor = start_worker(w1, 'cluster: { head = "10.77.0.10"; };\n')
    pid = w1.main_pid(UNIT)
    said = {}
    for mode, pattern in MODES:
        head.write("/srv/fake.conf", f"mode {mode}\n")
        head.say(f"the fake GCS is now: {mode}")
        said[mode] = w1.wait_prop("Reason", lambda v, p=pattern: v.startswith("waiting: ") and
                                  re.search(p, v), 45, f"a reason for {mode}")
        room.timeline.say("w1", f"{mode}: {said[mode]}")
        expect(not w1.pids("/raylet/raylet "), f"Ray was started for a fake GCS ({mode})")
        expect(w1.main_pid(UNIT) == pid, f"the daemon did not survive {mode}")
    # the last of them, in the same words in status and journal
    text = said[MODES[-1][0]]
    wait_until(f"status to say: {text}",
               lambda: text in w1.run("raycluster status", check=False, quiet=True).out, 20, 0.5)
    expect_in(w1.prop("Remedy"), "raycluster join", "the remedy")
    w1.wait_message("WAIT_ACCESS", cursor, 20, re.escape(text))
    texts = [v for e in w1.journal(cursor, unit=UNIT, output="cat").split("\n")
             for v in said.values() if e.startswith(v)]
    expect(len(set(texts)) >= 3, f"only these are in the journal: {texts}")
    rss = int(w1.out(f"awk '/^VmRSS/ {{ print $2 }}' /proc/{pid}/status"))
    room.timeline.say("w1", f"the daemon has {rss} KiB resident after all modes")
    expect(rss < 40 << 10, f"the daemon has grown to {rss} KiB")
    head.kill(head.pid("/srv/fake-gcs"), "TERM")
    fake.wait(10)
    head.run("systemctl start ray-head")
    expect_joins(w1, cursor, pid, 120)


def scenario_flood_of_mdns_answers(room):
    """300 instances of other clusters: 64 are followed, the rest counted; our head is still found."""
    head, w1, w2 = room["head"], room["w1"], room["w2"]
    # a member knows an address of its head, and would ask nobody else
    story.leave(w1)
    w1.run("systemctl stop ray-worker", timeout=120)
    head.run("systemctl stop ray-head", timeout=120)
    w2.run("""cd /etc/avahi/services && for i in $(seq 300); do cat >flood-$i.service <<END
<?xml version="1.0" standalone='no'?>
<!DOCTYPE service-group SYSTEM "avahi-service.dtd">
<service-group><name>flood $i</name><service><type>_raycluster._tcp</type><port>6388</port>
<txt-record>cluster=flood$i</txt-record><txt-record>gcs=6379</txt-record></service></service-group>
END
done""")
    w2.run("systemctl restart avahi-daemon")
    # without the head of last time, which would be asked meanwhile
    cursor = start_worker(w1, 'discovery: { order = [ "static", "dns", "mdns" ]; };\n')
    pid = w1.main_pid(UNIT)
    # in the same words but for the number, which grows as they come in
    words = r"waiting: no head .* mdns: .*; \d+ instances more than the 64 followed, ignored"
    w1.wait_message("WORKER_WAITING", cursor, 90, words)
    wait_until("status to say how many are ignored",
               lambda: re.search(words, w1.run("raycluster status", check=False, quiet=True).out),
               20, 0.5)
    room.timeline.say("w1", f"reason: {w1.prop('Reason')}")
    rss = int(w1.out(f"awk '/^VmRSS/ {{ print $2 }}' /proc/{pid}/status"))
    expect(rss < 40 << 10, f"the daemon has grown to {rss} KiB")
    head.run("systemctl start ray-head")
    story.join(room, [w1])
    expect_joins(w1, cursor, pid, 120)
    w2.run("rm /etc/avahi/services/flood-*.service; systemctl restart avahi-daemon")
