# SPDX-License-Identifier: Apache-2.0
"""Ray's own TLS: one word on the head, and no process of Ray listens to who has no certificate."""
import story
from room import wait_until
from story import expect, expect_in

ROOM = {"guests": ["head", "w1", "w2"]}
RAY_TLS = "/run/raycluster/ray-tls"

RAW = '''
import grpc
call = grpc.{channel}.unary_unary(
    "/ray.rpc.NodeInfoGcsService/GetAllNodeInfo", request_serializer=bytes,
    response_deserializer=bytes)
try:
    print("answered", len(call(b"", timeout=10)))
except grpc.RpcError as e:
    print("refused", e.code().name)
'''


def setup(room):
    story.start_cluster(room)


def scenario_turned_on(room):
    """Members get certificates by themselves; after a restart of Ray a job runs on all machines."""
    head = room["head"]
    workers = [room["w1"], room["w2"]]
    since = {guest: guest.cursor() for guest in (head, *workers)}
    head.conf('auth: { tls = "on"; };\n')
    head.run("systemctl reload ray-head")
    for guest, cursor in since.items():
        guest.wait_message("RESTART_DUE", cursor, 20)
        wait_until("a certificate", lambda g=guest: g.run(
            f"test -e {RAY_TLS}", check=False, quiet=True).code == 0, 20)
    since = {guest: guest.cursor() for guest in since}
    for guest in since:
        guest.run("raycluster restart-engine", timeout=120)
    head.wait_message("HEAD_SERVING", since[head], 90)
    for guest in workers:
        guest.wait_message("WORKER_JOINED", since[guest], 120)
    story.wait_alive(room, room.guests, 60)
    story.wait_jobs_api(head)
    out = story.submit(head, story.NAMES_JOB)
    for name in room.guests:
        expect_in(out, f"this task ran on {name}", "the job's output")


def scenario_strangers_are_hung_up_on(room):
    """In clear, and in TLS without a certificate, nobody gets an answer from the GCS."""
    w1 = room["w1"]
    for channel in ('insecure_channel("10.77.0.10:6379")',
                    'secure_channel("10.77.0.10:6379", grpc.ssl_channel_credentials())'):
        w1.write("/tmp/raw.py", RAW.replace("{channel}", channel))
        out = w1.run(f"{story.engine(w1)}/bin/python /tmp/raw.py", timeout=60).out
        expect_in(out, "refused UNAVAILABLE", "a raw gRPC call of a stranger")


def scenario_key_of_ray_is_for_group_ray(room):
    """A user of the machine who is not in the group cannot read Ray's key."""
    w1 = room["w1"]
    w1.add_user("carol")
    r = w1.run(f"find {RAY_TLS}/ -type f -exec cat {{}} +", user="carol", check=False)
    expect("PRIVATE KEY" not in r.out, "everybody can read Ray's key")
    r = w1.run(f"find {RAY_TLS}/ -type f -exec cat {{}} +")
    expect_in(r.out, "PRIVATE KEY", "what is there")
