# SPDX-License-Identifier: Apache-2.0
"""Authentication by /etc/raycluster/ray-token: on, used, never shown; a wrong one is refused."""
import secrets

import story
from room import wait_until
from story import expect, expect_in

ROOM = {"guests": ["head", "w1"]}
FILE = "/etc/raycluster/ray-token"
TOKEN = secrets.token_hex(32)

ONE_TASK = '''
import ray
ray.init()

@ray.remote
def one():
    return 41 + 1

print("answer", ray.get(one.remote(), timeout=60))
'''


def put_token(guest, token=TOKEN):
    guest.write(FILE, token + "\n", mode="0640", owner="root:ray")


def jobs_api(guest, options=""):
    """The Jobs API's HTTP status, as text; 000 while nobody answers."""
    return guest.run(f"curl -sS -m 5 {options} -o /dev/null -w '%{{http_code}}' "
                     "http://10.77.0.10:8265/api/version", check=False, quiet=True).out.strip()


def setup(room):
    for guest in room.guests.values():
        put_token(guest)
    story.start_cluster(room)
    room["head"].add_user("alice", "ray")
    room["head"].add_user("bob")
    wait_until("the Jobs API", lambda: jobs_api(room["head"]) != "000", 60, 0.5)


def scenario_status_says_token(room):
    """Both machines say that access is by token, and do not say that it is off."""
    for guest in room.guests.values():
        expect(guest.prop("Auth") == "token", f"{guest.name}: Auth is {guest.prop('Auth')}")
        out = guest.out("raycluster status")
        expect_in(out, "by token", "raycluster status")
        expect("AUTHENTICATION IS OFF" not in out, f"{guest.name}: {out}")


def scenario_job_by_user_of_group_ray(room):
    """alice, in group ray, submits a job and runs a driver with what raycluster gives her."""
    head = room["head"]
    out = story.submit(head, story.NAMES_JOB, user="alice")
    for name in room.guests:
        expect_in(out, f"this task ran on {name}", "the job's output")
    expect_in(story.driver(head, ONE_TASK, user="alice").out, "answer 42", "the driver's output")


def scenario_refused_without_token(room):
    """bob cannot read the token: his job, his driver and a bare request are refused."""
    head = room["head"]
    r = head.run("cd /tmp && raycluster ray job submit -- true", user="bob", check=False)
    expect(r.code, "bob submitted a job")
    expect_in(r.err, FILE, "what raycluster says to bob")
    for name, guest in room.guests.items():
        code = jobs_api(guest)
        expect(code in ("401", "403"), f"on {name} the Jobs API says {code} without a token")
        code = jobs_api(guest, f'-H "Authorization: Bearer $(cat {FILE})"')
        expect(code == "200", f"on {name} the Jobs API says {code} with the token")
    head.write("/tmp/bare.py", ONE_TASK)
    r = head.run(f"RAY_ADDRESS=10.77.0.10:6379 RAY_AUTH_MODE=disabled {story.engine(head)}/bin/python "
                 "/tmp/bare.py", user="bob", check=False, timeout=120)
    expect(r.code and "answer" not in r.out, f"a driver without a token ran: {r.out}")


def scenario_token_is_nowhere(room):
    """Not in unit properties, environments, command lines, arguments, D-Bus or the journal."""
    looks = {
        "systemctl show": "systemctl show '*'",
        "environments": "cat /proc/[0-9]*/environ",
        "command lines": "cat /proc/[0-9]*/cmdline",
        "/run/raycluster": "cat /run/raycluster/*",
        "D-Bus": "busctl --no-pager introspect org.raycluster1.{role} /org/raycluster1/{role}",
        "status": "raycluster status --json; raycluster env; raycluster config --effective",
        "journal": "journalctl --no-pager -q -a -o export",
        "Ray's files": "find /var/lib/ray -type f -exec cat {{}} +",
    }
    for guest in room.guests.values():
        for what, cmd in looks.items():
            cmd = cmd.format(role=guest.role())
            r = guest.run(f"({cmd}) 2>/dev/null | tee /tmp/seen | grep -acF -f {FILE}", check=False)
            expect(int(guest.out("stat -c %s /tmp/seen")) > 100, f"{guest.name}: {what} is empty")
            expect(r.out.strip() == "0", f"{guest.name}: the token is in {what}")
        guest.run("rm /tmp/seen")
        readable = guest.run(f"cat {FILE}", user="nobody", check=False)
        expect(readable.code, f"{guest.name}: everybody can read the token")


def refused(room, deed, pattern=FILE):
    """A worker started after this deed on its token is refused, says why; mended, it joins."""
    w1 = room["w1"]
    w1.run("systemctl stop ray-worker", timeout=120)
    deed(w1)
    cursor = w1.cursor()
    w1.run("systemctl start ray-worker")
    pid = w1.main_pid("ray-worker.service")
    text = w1.wait_message("WAIT_ACCESS", cursor, 45, pattern)["MESSAGE"]
    reason, remedy = text.split(". Try: ")
    status = lambda: w1.run("raycluster status", check=False, quiet=True).out
    wait_until(f"status to say: {text}", lambda: reason in status() and f": {remedy}\n" in status(), 20, 0.5)
    expect_in(remedy, FILE, "the remedy")
    explained = w1.run(f"journalctl -x -q --no-pager -n 1 RAYCLUSTER_REMEDY=\"$(cat)\"", stdin=remedy)
    expect_in(explained.out, f"Try: {remedy}", "the catalog's text")
    expect(not w1.pids("/raylet/raylet "), "Ray was started with a token that is refused")
    expect(w1.state("ray-engine@worker.service") == "inactive", "the engine's unit was started")
    return cursor, pid


def scenario_wrong_token(room):
    """A worker with another token: refused before Ray starts; the file edited in place: joined."""
    w1 = room["w1"]
    cursor, pid = refused(room, lambda g: put_token(g, secrets.token_hex(32)))
    w1.run(f"cat >{FILE}", stdin=TOKEN + "\n")
    w1.wait_message("WORKER_JOINED", cursor, 60)
    expect(w1.main_pid("ray-worker.service") == pid, "the daemon was restarted")


def scenario_token_missing(room):
    """A worker without the file: the same, and it goes on when the file is put there."""
    w1 = room["w1"]
    cursor, pid = refused(room, lambda g: g.run(f"rm {FILE}"))
    put_token(w1)
    w1.wait_message("WORKER_JOINED", cursor, 60)
    expect(w1.main_pid("ray-worker.service") == pid, "the daemon was restarted")


def scenario_token_unreadable(room):
    """A file that only root may read: said so; with the right owner and mode it goes on."""
    w1 = room["w1"]
    cursor, pid = refused(room, lambda g: g.run(f"chown root:root {FILE}; chmod 600 {FILE}"),
                          r"can read.*chown root:ray .*chmod 640")
    w1.run(f"chown root:ray {FILE}; chmod 640 {FILE}")
    w1.wait_message("WORKER_JOINED", cursor, 60)
    expect(w1.main_pid("ray-worker.service") == pid, "the daemon was restarted")
