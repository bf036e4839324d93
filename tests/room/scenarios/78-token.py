# SPDX-License-Identifier: Apache-2.0
"""Ray's token: on without a word of configuration, used, never shown; who has none is refused."""
import secrets

import story
from room import wait_until
from story import expect, expect_in

ROOM = {"guests": ["head", "w1"]}
FILE = story.RAY_TOKEN
KEPT = "/var/lib/raycluster/ray-token"
ADMINS = "/etc/raycluster/ray-token"

ONE_TASK = '''
import ray
ray.init()

@ray.remote
def one():
    return 41 + 1

print("answer", ray.get(one.remote(), timeout=60))
'''


def jobs_api(guest, options=""):
    """The Jobs API's HTTP status, as text; 000 while nobody answers."""
    return guest.run(f"curl -sS -m 5 {options} -o /dev/null -w '%{{http_code}}' "
                     "http://10.77.0.10:8265/api/version", check=False, quiet=True).out.strip()


def setup(room):
    story.start_cluster(room)
    room["head"].add_user("alice", "ray")
    room["head"].add_user("bob")
    for guest in room.guests.values():
        guest.add_user("carol")
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
        "/run/raycluster": "cat /run/raycluster/*.args",
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
        readable = guest.run(f"cat {FILE}", user="carol", check=False)
        expect(readable.code, f"{guest.name}: everybody can read the token")


def scenario_nothing_of_ray_without_token(room):
    """ray status, Ray Client, the Jobs API and a raw gRPC call of a stranger are all refused."""
    w1, ray = room["w1"], f"{story.engine(room['w1'])}/bin"
    bare = "env -i PATH=/usr/bin:/bin HOME=/tmp RAY_AUTH_MODE=disabled "
    r = w1.run(f"{bare} {ray}/ray status --address 10.77.0.10:6379", user="carol", check=False, timeout=120)
    expect(r.code and "Active" not in r.out, f"ray status without a token: {r.out}")
    w1.write("/tmp/client.py", 'import ray\nray.init("ray://10.77.0.10:10001")\nprint("inside")\n')
    r = w1.run(f"{bare} {ray}/python /tmp/client.py", user="carol", check=False, timeout=120)
    expect(r.code and "inside" not in r.out, f"Ray Client without a token: {r.out}")
    code = jobs_api(w1)
    expect(code in ("401", "403"), f"the Jobs API says {code} without a token")
    w1.write("/tmp/raw.py", '''
import grpc
call = grpc.insecure_channel("10.77.0.10:6379").unary_unary(
    "/ray.rpc.NodeInfoGcsService/GetAllNodeInfo", request_serializer=bytes, response_deserializer=bytes)
try:
    print("answered", len(call(b"", timeout=10)))
except grpc.RpcError as e:
    print("refused", e.code().name)
''')
    out = w1.run(f"{bare} {ray}/python /tmp/raw.py", user="carol", timeout=60).out
    expect_in(out, "refused UNAUTHENTICATED", "a raw gRPC call without a token")
    r = w1.run("ray-probe 10.77.0.10", user="carol", check=False)
    expect_in(r.out, "TOKEN_REQUIRED", "ray-probe of a stranger")
    expect_in(r.out, "raycluster join", "what it says to do")


def scenario_no_member(room):
    """A worker that left, and has no token: refused before Ray starts, with the remedy; joined, it runs."""
    w1 = room["w1"]
    w1.run("raycluster leave")
    expect(w1.run(f"ls {KEPT} {FILE} /var/lib/raycluster/identity.pem", check=False).out == "", "left something behind")
    w1.run("systemctl stop ray-worker", timeout=120)
    cursor = w1.cursor()
    w1.run("systemctl start ray-worker")
    pid = w1.main_pid("ray-worker.service")
    text = w1.wait_message("WAIT_ACCESS", cursor, 45, "raycluster join")["MESSAGE"]
    reason, remedy = text.split(". Try: ")
    status = lambda: w1.run("raycluster status", check=False, quiet=True).out
    wait_until(f"status to say: {text}", lambda: reason in status() and f": {remedy}\n" in status(), 20, 0.5)
    explained = w1.run(f"journalctl -x -q --no-pager -n 1 RAYCLUSTER_REMEDY=\"$(cat)\"", stdin=remedy)
    expect_in(explained.out, f"Try: {remedy}", "the catalog's text")
    expect(not w1.pids("/raylet/raylet "), "Ray was started without a token")
    expect(w1.state("ray-engine@worker.service") == "inactive", "the engine's unit was started")
    story.join(room, [w1])
    w1.wait_message("WORKER_JOINED", cursor, 60)
    expect(w1.main_pid("ray-worker.service") == pid, "the daemon was restarted")


def scenario_damaged_token(room):
    """What a member has kept is wrong: the head gives it the right one, and Ray starts."""
    w1 = room["w1"]
    w1.run("systemctl stop ray-worker", timeout=120)
    w1.run(f"echo {secrets.token_hex(32)} | tee {KEPT} >{FILE}")
    cursor = w1.cursor()
    w1.run("systemctl start ray-worker")
    w1.wait_message("WORKER_JOINED", cursor, 60)
    expect(w1.out(f"cat {KEPT}") == room["head"].out(f"cat {FILE}"), "the head's token did not come")


def scenario_an_admins_token(room):
    """A token that the admin wrote on the head: all have it, and it is the one that Ray asks for."""
    head, w1 = room["head"], room["w1"]
    mine = secrets.token_hex(32)
    w1.run("systemctl stop ray-worker", timeout=120)
    head.run("systemctl stop ray-head", timeout=120)
    head.write(ADMINS, mine + "\n", mode="0640", owner="root:ray")
    cursor = w1.cursor()
    head.run("systemctl start ray-head")
    w1.run("systemctl start ray-worker")
    w1.wait_message("WORKER_JOINED", cursor, 120)
    for guest in room.guests.values():
        expect(guest.out(f"cat {FILE}").strip() == mine, f"{guest.name} has another token")
    bearer = f'-H "Authorization: Bearer {mine}"'
    wait_until("the Jobs API to take the admin's token", lambda: jobs_api(head, bearer) == "200", 60)


def scenario_token_unreadable(room):
    """The admin's file may be read by root only: said on the head; mended, it goes on by itself."""
    head = room["head"]
    head.run("systemctl stop ray-head", timeout=120)
    head.run(f"rm {FILE}; chown root:root {ADMINS}; chmod 600 {ADMINS}")
    cursor = head.cursor()
    head.run("systemctl start ray-head")
    head.wait_journal(f"{ADMINS}: Permission denied", cursor, 30)
    expect(head.state("ray-engine@head.service") != "active", "Ray runs without the token it was given")
    head.run(f"chown root:ray {ADMINS}; chmod 640 {ADMINS}")
    head.wait_message("HEAD_SERVING", cursor, 60)
