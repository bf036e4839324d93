# SPDX-License-Identifier: Apache-2.0
"""(d) Nothing that happens to the daemons or packages touches running work."""
import packages
import story
from room import stamp
from story import LongTask, Pids, expect

ROOM = {"other_engine": True}


def setup(room):
    story.start_cluster(room)


def install_other(room):
    if not (room.repo.path / room.site.other[0].name).exists():
        room.repo.add(*room.site.other)
        room.all(lambda g: g.install("raycluster-engine-2.59"))


def unit_of(guest):
    return "ray-head.service" if guest.name == "head" else "ray-worker.service"


def keeps_work(room, deed, bound=5):
    """Do something to both daemons while a long task runs; Ray must not notice."""
    task = LongTask(room, "w1")
    for name in ("w1", "head"):
        guest = room[name]
        pids, cursor = Pids(guest), guest.cursor()
        before = guest.main_pid(unit_of(guest))
        deed(guest)
        entry = guest.wait_message("ENGINE_READOPTED", cursor, 30)
        down = guest.wait_journal("^(Stopping|.*(Main process exited|Deactivated))", cursor, 5,
                                  unit=unit_of(guest))
        took = stamp(entry) - stamp(down)
        expect(took <= bound, f"{name}: the engine was taken up after {took:.1f} s")
        expect(guest.main_pid(unit_of(guest)) != before, f"{name}: the daemon is the same process")
        pids.expect_same("a restart of the daemon")
    task.finish()
    story.wait_alive(room, room.guests, 10)


def scenario_restart_of_daemons(room):
    """systemctl restart of both daemons: Ray's processes keep their pids, the task finishes."""
    keeps_work(room, lambda g: g.run(f"systemctl restart {unit_of(g)}"))


def scenario_kill_9_of_daemons(room):
    """kill -9 of both daemons: the same."""
    keeps_work(room, lambda g: g.kill(g.main_pid(unit_of(g))))


def scenario_package_upgrade(room):
    """apt-get upgrade to a newer raycluster with a task running."""
    room.repo.add(*[packages.newer(d, room.work) for d in room.site.ours])
    task = LongTask(room, "w1")
    pids = {g: Pids(g) for g in room.guests.values()}
    before = {g: g.main_pid(unit_of(g)) for g in room.guests.values()}
    for guest in room.guests.values():
        cursor = guest.cursor()
        guest.run("apt-get -q update && apt-get -q -y upgrade", timeout=120)
        guest.wait_message("ENGINE_READOPTED", cursor, 30)
        version = guest.out("dpkg-query -W -f '${Version}' raycluster")
        expect(version.endswith("+next1"), f"{guest.name} has {version}")
        expect(guest.main_pid(unit_of(guest)) != before[guest],
               f"{guest.name}: the old daemon still runs")
    for p in pids.values():
        p.expect_same("the upgrade")
    task.finish()


def scenario_second_role_refused(room):
    """Starting the worker's unit on the head fails, says so, and leaves the head alone."""
    head = room["head"]
    pids, before = Pids(head), head.main_pid("ray-head.service")
    r = head.run("systemctl start ray-worker", check=False)
    expect(r.code, "ray-worker started on the head")
    expect(head.state("ray-head.service") == "active", "the head daemon was stopped")
    expect(head.main_pid("ray-head.service") == before, "the head daemon was restarted")
    pids.expect_same("a start of the other role")
    head.run("systemctl reset-failed ray-worker", check=False)


def scenario_avahi_gone(room):
    """avahi-daemon stops and comes back: the cluster stays, the head publishes again."""
    head = room["head"]
    pids = [Pids(g) for g in room.guests.values()]
    for guest in room.guests.values():
        guest.run("systemctl stop avahi-daemon.socket avahi-daemon.service")
    cursor = head.cursor()
    for guest in room.guests.values():
        guest.run("systemctl start avahi-daemon.socket avahi-daemon.service")
    head.wait_message("HEAD_PUBLISHED", cursor, 15)
    for p in pids:
        p.expect_same("the loss of avahi")
    story.wait_alive(room, room.guests, 5)


def scenario_other_engine_installed_beside(room):
    """Installing another Ray version beside the running one changes nothing that runs."""
    pids = [Pids(g) for g in room.guests.values()]
    install_other(room)
    for guest in room.guests.values():
        have = guest.out("ls /usr/lib/raycluster-engine").split()
        expect(sorted(have) == ["2.59.0", "2.60.0"], f"{guest.name}: engines {have}")
        expect(guest.state(story.engine_unit(guest)) == "active", f"{guest.name}: engine stopped")
    for p in pids:
        p.expect_same("the installation of another engine")
    story.wait_alive(room, room.guests, 5)


def scenario_workers_follow_the_heads_version(room):
    """The head is told to run the other version; workers start the engine that it runs."""
    install_other(room)
    head = room["head"]
    cursors = {g: g.cursor() for g in room.guests.values()}
    head.conf('engine: { version = "2.59.0"; };\n')
    head.run("systemctl reload ray-head")
    head.wait_message("RESTART_DUE", cursors[head], 10)
    expect("engine.version" in (head.prop("RestartDue") or []), "engine.version is not due")
    head.run("raycluster restart-engine", timeout=120)
    for guest in (room["w1"], room["w2"]):
        guest.wait_message("WORKER_JOINED", cursors[guest], 120)
        path = guest.prop("EnginePath")
        expect(path.endswith("/2.59.0"), f"{guest.name} runs {path}")
    story.wait_alive(room, room.guests, 30)
