#include "cli/down.h"

#include <signal.h>
#include <systemd/sd-journal.h>

#include "base/alloc.h"
#include "cli/client.h"

#define SYSTEMD "org.freedesktop.systemd1"

void down_done(Down *d)
{
        free(d->unit);
        free(d->load);
        free(d->file);
        free(d->active);
        free(d->sub);
        free(d->result);
        free(d->last);
        *d = (Down){};
}

static int get_string(sd_bus *bus, const char *path, const char *interface, const char *name,
                      char **ret)
{
        free(*ret);
        *ret = NULL;
        return sd_bus_get_property_string(bus, SYSTEMD, path, interface, name, NULL, ret);
}

static int get_int(sd_bus *bus, const char *path, const char *name, int32_t *ret)
{
        return sd_bus_get_property_trivial(bus, SYSTEMD, path, SYSTEMD ".Service", name, NULL, 'i',
                                           ret);
}

static bool assert_failed(sd_bus *bus, const char *path)
{
        uint64_t when = 0;
        int good = 1;

        return sd_bus_get_property_trivial(bus, SYSTEMD, path, SYSTEMD ".Unit", "AssertTimestamp",
                                           NULL, 't', &when) >= 0 &&
               when > 0 &&
               sd_bus_get_property_trivial(bus, SYSTEMD, path, SYSTEMD ".Unit", "AssertResult",
                                           NULL, 'b', &good) >= 0 &&
               !good;
}

static void ask_systemd(sd_bus *bus, Down *d)
{
        _cleanup_message_ sd_bus_message *m = NULL;
        const char *path;

        if (sd_bus_call_method(bus, SYSTEMD, "/org/freedesktop/systemd1", SYSTEMD ".Manager",
                               "LoadUnit", NULL, &m, "s", d->unit) < 0 ||
            sd_bus_message_read(m, "o", &path) < 0)
                return;
        d->known = get_string(bus, path, SYSTEMD ".Unit", "LoadState", &d->load) >= 0 &&
                   get_string(bus, path, SYSTEMD ".Unit", "ActiveState", &d->active) >= 0 &&
                   get_string(bus, path, SYSTEMD ".Unit", "SubState", &d->sub) >= 0;
        (void)get_string(bus, path, SYSTEMD ".Unit", "UnitFileState", &d->file);
        (void)get_string(bus, path, SYSTEMD ".Service", "Result", &d->result);
        d->refused = assert_failed(bus, path);
        (void)get_int(bus, path, "ExecMainStatus", &d->status);
        (void)get_int(bus, path, "ExecMainCode", &d->code);
}

static void journal_closep(sd_journal **j)
{
        sd_journal_close(*j);
}

/* Read with the caller's rights: for an ordinary user there may be nothing to see. */
static char *last_line(const char *unit)
{
        _cleanup_(journal_closep) sd_journal *j = NULL;
        _cleanup_free_ char *match = str_printf("_SYSTEMD_UNIT=%s", unit);
        const void *data;
        size_t size;

        if (!match || sd_journal_open(&j, SD_JOURNAL_LOCAL_ONLY) < 0 ||
            sd_journal_add_match(j, match, 0) < 0 || sd_journal_seek_tail(j) < 0 ||
            sd_journal_previous(j) <= 0 || sd_journal_get_data(j, "MESSAGE", &data, &size) < 0 ||
            size < strlen("MESSAGE="))
                return NULL;
        return str_escape((const char *)data + strlen("MESSAGE="), size - strlen("MESSAGE="), 400);
}

int down_ask(sd_bus *bus, const Cli *cli, Role role, Down *ret)
{
        _cleanup_down_ Down d = {.unit = str_printf("ray-%s.service", role_to_string(role))};

        if (!d.unit)
                return -ENOMEM;
        ask_systemd(bus, &d);
        if (!cli->host && d.known && d.code != 0)
                d.last = last_line(d.unit);
        *ret = d;
        d = (Down){};
        return 0;
}

static char *ended(const Down *d)
{
        if (d->code == CLD_EXITED && d->status == EXIT_CONF)
                return strdup("its configuration is wrong (exit status 78): raycluster check says "
                              "where; then systemctl restart it");
        if (d->code == CLD_EXITED)
                return str_printf("it ended with exit status %d", d->status);
        if (d->code == CLD_KILLED || d->code == CLD_DUMPED)
                return str_printf("it was killed by signal %s%s", strna(sigabbrev_np(d->status)),
                                  d->code == CLD_DUMPED ? " and dumped core" : "");
        return str_printf("it never ran (%s)", strna(d->result));
}

char *down_sentence(const Down *d, Role role)
{
        const char *name = role_to_string(role);

        if (!d->known)
                return str_printf("systemd does not answer about ray-%s.service", name);
        if (streq(d->load, "not-found"))
                return str_printf("ray-%s.service is not installed: apt install raycluster", name);
        if (streq(d->load, "masked"))
                return str_printf("ray-%s.service is masked: systemctl unmask ray-%s", name, name);
        if (d->refused)
                return str_printf("ray-%s.service was refused, as the other role ran on this "
                                  "machine: systemctl status ray-%s",
                                  name, name);
        if (streq(d->active, "inactive") && !streq(strempty(d->file), "enabled"))
                return str_printf("ray-%s.service is not enabled: systemctl enable --now ray-%s",
                                  name, name);
        if (streq(d->active, "inactive"))
                return str_printf("ray-%s.service is stopped: systemctl start ray-%s", name, name);
        if (streq(d->active, "active"))
                return str_printf(
                        "ray-%s.service runs but is not on the bus: is dbus restarting, or "
                        "its bus policy missing?",
                        name);
        if (streq(d->active, "activating") && !streq(d->sub, "auto-restart"))
                return str_printf("ray-%s.service is starting", name);
        _cleanup_free_ char *how = ended(d);
        if (!how)
                return NULL;
        return str_printf("ray-%s.service %s: %s", name,
                          streq(d->active, "failed") ? "failed" : "is being restarted", how);
}
