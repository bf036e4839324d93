# SPDX-License-Identifier: Apache-2.0
"""(a) The main story: no configuration at all, the workers find the head by mDNS."""
import story
from story import expect, expect_in

ROOM = {"installed": False}


def scenario_fresh_install_listens_to_nothing(room):
    """After apt-get install no unit of ours is enabled or runs and nothing of ours listens."""
    before = room["head"].out("ss -Hltunp | sort")
    story.install_all(room)
    head = room["head"]
    for unit in ("ray-head.service", "ray-worker.service"):
        expect(head.run(f"systemctl is-enabled {unit}", check=False).out.strip() == "disabled",
               f"{unit} is enabled after install")
        expect(head.state(unit) == "inactive", f"{unit} runs after install")
    after = head.out("ss -Hltunp | sort")
    expect(after == before, f"new listeners after install:\n{after}\nbefore:\n{before}")


def scenario_preset_enables_no_role(room):
    """A golden image runs preset-all at its first boot: both roles stay off."""
    w2 = room["w2"]
    w2.run("systemctl preset-all", check=False)
    for unit in ("ray-head.service", "ray-worker.service", "raycluster-wait-online.service"):
        state = w2.run(f"systemctl is-enabled {unit}", check=False).out.strip()
        expect(state in ("disabled", "static"), f"{unit} is {state} after preset-all")


def scenario_cluster_by_mdns(room):
    """systemctl enable --now on all three, and Ray is up."""
    story.start_cluster(room)
    for guest in room.guests.values():
        unit = "head" if guest.name == "head" else "worker"
        expect(guest.state(f"ray-engine@{unit}.service") == "active", f"{guest.name}: no engine")
    out = room["head"].out("raycluster status")
    for guest in room.guests.values():
        expect_in(out, guest.name, "raycluster status")


def scenario_job_names_all_machines(room):
    """raycluster ray job submit runs a job whose tasks ran on all three machines."""
    head = room["head"]
    story.wait_jobs_api(head)
    head.add_user("alice", "ray")
    out = story.submit(head, story.NAMES_JOB, user="alice")
    for name in room.guests:
        expect_in(out, f"this task ran on {name}", "the job's output")


def scenario_nothing_of_ours_is_root(room):
    """No process of raycluster or Ray runs as root."""
    for guest in room.guests.values():
        ps = guest.out("ps -eo user:20,comm,args --no-headers")
        ours = [line for line in ps.split("\n")
                if any(w in line for w in ("ray-headd", "ray-workerd", "ray-engine", "raylet",
                                           "gcs_server", "raycluster-engine"))]
        expect(ours, f"{guest.name}: no process of ours")
        roots = [line for line in ours if line.startswith("root")
                 and "pgrep" not in line and " ps " not in line]
        expect(not roots, f"{guest.name}: as root: {roots}")
