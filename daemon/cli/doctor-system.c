/* What systemd and the bus know. */
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/doctor.h"

#define SYSTEMD "org.freedesktop.systemd1"

static bool enabled(sd_bus *bus, Role role)
{
        _cleanup_message_ sd_bus_message *m = NULL;
        _cleanup_free_ char *unit = str_printf("ray-%s.service", role_to_string(role));
        const char *state;

        return unit &&
               sd_bus_call_method(bus, SYSTEMD, "/org/freedesktop/systemd1", SYSTEMD ".Manager",
                                  "GetUnitFileState", NULL, &m, "s", unit) >= 0 &&
               sd_bus_message_read(m, "s", &state) >= 0 && startswith(state, "enabled");
}

void doctor_check_roles(Doctor *d)
{
        if (!d->bus) {
                doctor_say(
                        d, FINDING_FAIL, "bus",
                        "the system bus cannot be reached: apt install dbus, systemctl start dbus");
                return;
        }
        bool head = enabled(d->bus, ROLE_HEAD), worker = enabled(d->bus, ROLE_WORKER);
        if (!d->up && head != worker) {
                d->role = head ? ROLE_HEAD : ROLE_WORKER;
                d->has_role = true;
        }
        if (head && worker)
                doctor_say(d, FINDING_FAIL, "role",
                           "ray-head and ray-worker are both enabled, and a machine has one role: "
                           "systemctl disable --now one of them");
        else if (head || worker)
                doctor_say(d, FINDING_OK, "role", "ray-%s.service is enabled",
                           head ? "head" : "worker");
        else
                doctor_say(d, FINDING_WARN, "role",
                           "no role is enabled: systemctl enable --now ray-head on one machine, "
                           "ray-worker on the others");
}

void doctor_check_daemon(Doctor *d)
{
        int r;

        if (!d->bus)
                return;
        r = client_view(d->bus, &d->view, &d->role);
        d->up = r > 0;
        d->has_role = d->up;
        if (r == -ETIMEDOUT)
                doctor_say(d, FINDING_FAIL, "daemon", "ray-%sd does not answer",
                           role_to_string(d->role));
        else if (!d->up)
                doctor_say(d, FINDING_WARN, "daemon", "none runs; raycluster status says why");
        else if (streq(d->view.state, "blocked"))
                doctor_say(d, FINDING_FAIL, "daemon", "%s: %s", d->view.state, d->view.reason);
        else
                doctor_say(d, FINDING_OK, "daemon", "%s: %s", d->view.state, d->view.reason);
}

/* Each worker process and each connection between two of them takes descriptors. */
#define NOFILE_WANTED 65536

void doctor_check_limits(Doctor *d)
{
        _cleanup_message_ sd_bus_message *m = NULL;
        _cleanup_free_ char *unit = NULL;
        const char *path;
        uint64_t soft;

        if (!d->bus || !d->has_role)
                return;
        unit = str_printf("ray-engine@%s.service", role_to_string(d->role));
        if (!unit ||
            sd_bus_call_method(d->bus, SYSTEMD, "/org/freedesktop/systemd1", SYSTEMD ".Manager",
                               "LoadUnit", NULL, &m, "s", unit) < 0 ||
            sd_bus_message_read(m, "o", &path) < 0 ||
            sd_bus_get_property_trivial(d->bus, SYSTEMD, path, SYSTEMD ".Service",
                                        "LimitNOFILESoft", NULL, 't', &soft) < 0) {
                doctor_say(d, FINDING_FAIL, "limits",
                           "systemd does not know %s: apt install --reinstall raycluster",
                           strna(unit));
                return;
        }
        if (soft < NOFILE_WANTED)
                doctor_say(d, FINDING_WARN, "limits",
                           "%s may open %llu files, and a busy node needs %d: a drop-in lowers "
                           "LimitNOFILE=; systemctl cat %s shows it",
                           unit, (unsigned long long)soft, NOFILE_WANTED, unit);
        else
                doctor_say(d, FINDING_OK, "limits", "%s may open %llu files", unit,
                           (unsigned long long)soft);
}

static bool name_known(sd_bus *bus, const char *method, const char *name)
{
        _cleanup_message_ sd_bus_message *m = NULL;
        const char *s;
        bool found = false;

        if (sd_bus_call_method(bus, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                               "org.freedesktop.DBus", method, NULL, &m, NULL) < 0 ||
            sd_bus_message_enter_container(m, 'a', "s") < 0)
                return false;
        while (sd_bus_message_read(m, "s", &s) > 0)
                found = found || streq(s, name);
        return found;
}

void doctor_check_polkit(Doctor *d)
{
        static const char rules[] = "/usr/share/polkit-1/rules.d/50-raycluster.rules";
        static const char polkit[] = "org.freedesktop.PolicyKit1";

        if (!d->bus)
                return;
        /* its folder is closed to others, so "not there" and "not allowed to look" are told apart
         */
        if (access(rules, F_OK) < 0 && errno == ENOENT)
                doctor_say(
                        d, FINDING_FAIL, "polkit",
                        "%s is missing, so the daemon may not start Ray: apt install --reinstall "
                        "raycluster",
                        rules);
        else if (!name_known(d->bus, "ListActivatableNames", polkit) &&
                 !name_known(d->bus, "ListNames", polkit))
                doctor_say(d, FINDING_FAIL, "polkit",
                           "polkit is not installed, so the daemon may not start Ray: apt install "
                           "polkitd");
        else
                doctor_say(d, FINDING_OK, "polkit", "installed, with raycluster's rule");
}

void doctor_check_avahi(Doctor *d)
{
        const DiscoSettings *s = &d->conf->settings->disco;
        bool used = d->has_role && d->role == ROLE_HEAD;

        for (size_t i = 0; i < s->n_order && !*s->head; i++)
                used = used || s->order[i] == DISCO_MDNS;
        if (!d->bus || !used)
                return;
        if (name_known(d->bus, "ListNames", "org.freedesktop.Avahi"))
                doctor_say(d, FINDING_OK, "avahi", "runs");
        else
                doctor_say(d, FINDING_WARN, "avahi",
                           "does not run, so heads are neither found nor published by mDNS: apt "
                           "install avahi-daemon, or set cluster.head");
}
