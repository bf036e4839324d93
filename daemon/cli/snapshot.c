#include "cli/snapshot.h"

#include "base/log.h"
#include "cli/ask-gcs.h"

void snapshot_done(Snapshot *s)
{
        view_done(&s->view);
        down_done(&s->down);
        free(s->sentence);
        node_set_free(s->nodes);
        free(s->nodes_text);
        free(s->gcs);
        free(s->gcs_ray);
        *s = (Snapshot){};
}

static int ask_nodes(sd_bus *bus, Snapshot *s)
{
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;

        int r = client_nodes(bus, s->role, &s->nodes, &s->age, &error);
        if (r == -ENOMEM)
                return r;
        if (r >= 0)
                return 0;
        errno = -r;
        s->nodes_text = error.message ? strdup(error.message) : str_printf("%m");
        return s->nodes_text ? 0 : -ENOMEM;
}

/* The unit whose being down a person would ask about: the one that is enabled, failed or running;
 * else the worker's, as most machines are workers. */
static int ask_units(sd_bus *bus, const Cli *cli, Snapshot *s)
{
        for (Role role = 0; role < _ROLE_MAX; role++) {
                down_done(&s->down);
                s->role = role;
                int r = down_ask(bus, cli, role, &s->down);
                if (r < 0)
                        return r;
                const Down *d = &s->down;
                if (d->known && (streq(strempty(d->file), "enabled") ||
                                 !streq(strempty(d->active), "inactive")))
                        break;
        }
        return 0;
}

static int explain(sd_bus *bus, const Cli *cli, Snapshot *s, int error)
{
        if (error == 0 || error == -ETIMEDOUT) {
                Role hanging = s->role;
                int r = ask_units(bus, cli, s);
                if (r < 0)
                        return r;
                if (error == -ETIMEDOUT)
                        s->role = hanging;
        }
        const Down *d = &s->down;
        if (error == -ETIMEDOUT) {
                s->hangs = true;
                s->sentence =
                        str_printf("ray-%s.service is on the bus but does not answer; systemd's "
                                   "watchdog restarts it within a minute",
                                   role_to_string(s->role));
        } else if (error < 0) {
                errno = -error;
                s->sentence = str_printf("the daemon's answer cannot be used: %m");
        } else if (d->known && !d->refused && streq(strempty(d->active), "inactive") &&
                   !streq(strempty(d->file), "enabled"))
                s->sentence = strdup("no role is enabled on this machine: systemctl enable --now "
                                     "ray-head on one machine, ray-worker on the others");
        else
                s->sentence = down_sentence(d, s->role);
        if (!s->sentence)
                return -ENOMEM;
        return cli->host ? 0 : ask_gcs(s);
}

/* dbus itself is gone: Ray runs on without it. */
static int without_bus(Snapshot *s, Snapshot *ret)
{
        s->sentence = strdup("the system bus cannot be reached, so the daemons cannot be asked: "
                             "systemctl status dbus");
        if (!s->sentence || ask_gcs(s) < 0)
                return log_oom();
        *ret = *s;
        *s = (Snapshot){};
        return 0;
}

int snapshot_take(const Cli *cli, Snapshot *ret)
{
        _cleanup_bus_ sd_bus *bus = NULL;
        _cleanup_snapshot_ Snapshot s = {.host = cli->host, .age = USEC_INFINITY};

        int r = client_open(cli, &bus);
        if (r < 0)
                return cli->host ? r : without_bus(&s, ret);
        r = client_view(bus, &s.view, &s.role);
        if (r == -ENOMEM)
                return log_oom();
        if (r < 0 && r != -ETIMEDOUT && cli->host) {
                errno = -r;
                cli_fail(0, "cannot ask %s by ssh: %m; does ssh %s systemd-stdio-bridge work?",
                         cli->host, cli->host);
                return r;
        }
        s.up = r > 0;
        r = s.up ? ask_nodes(bus, &s) : explain(bus, cli, &s, r);
        if (r < 0)
                return log_oom();
        *ret = s;
        s = (Snapshot){};
        return 0;
}
