/* Fields against each other: what no single value shows. */
#include <stdio.h>

#include "conf/draft.h"

static size_t index_of(const char *path)
{
        const ConfKey *k = conf_key_find(path);
        assert(k);
        return (size_t)(k - conf_keys);
}

/* "/etc/raycluster.conf:12", "the default" or "the head" */
static const char *where(const Draft *d, size_t i, char *buf, size_t size)
{
        const Origin *o = &d->origin[i];

        if (!o->file)
                return "the default";
        if (o->line == 0)
                return "the head";
        snprintf(buf, size, "%s:%u", o->file, o->line);
        return buf;
}

static uint16_t port_of(const Draft *d, size_t i)
{
        return *(const uint16_t *)((const char *)d->settings + conf_keys[i].offset);
}

/* The mistake is said at the one that somebody wrote; of two written ones at the later key. */
static void say(Draft *d, size_t i, size_t j, const char *what)
{
        char buf[4352];
        size_t at = d->origin[j].file || !d->origin[i].file ? j : i, other = at == j ? i : j;

        draft_error_at(d, d->origin[at].file, d->origin[at].line, conf_keys[at].path,
                       "%s %s (%s); every port needs a number of its own", what,
                       conf_keys[other].path, where(d, other, buf, sizeof(buf)));
}

static void check_ports(Draft *d)
{
        size_t range = index_of("ports.workers");
        const PortPlan *p = &d->settings->ports;

        for (size_t i = 0; i < CONF_KEYS_N; i++) {
                if (conf_keys[i].type != CONF_PORT || d->wrong[i])
                        continue;
                uint16_t port = port_of(d, i);
                if (!d->wrong[range] && port >= p->worker_first && port <= p->worker_last) {
                        char what[64];
                        snprintf(what, sizeof(what), "%u: inside the range %u-%u, together with",
                                 port, p->worker_first, p->worker_last);
                        say(d, range, i, what);
                }
                for (size_t j = i + 1; j < CONF_KEYS_N; j++) {
                        if (conf_keys[j].type != CONF_PORT || d->wrong[j] || port_of(d, j) != port)
                                continue;
                        char what[64];
                        snprintf(what, sizeof(what), "%u: the same port as", port);
                        say(d, i, j, what);
                }
        }
}

/* Two ways to say the own address, and only one can be true. */
static void check_address(Draft *d)
{
        size_t a = index_of("node.address"), i = index_of("node.interface");

        if (*d->settings->node.address && *d->settings->node.interface)
                draft_error_at(d, d->origin[i].file, d->origin[i].line, conf_keys[i].path,
                               "stands beside %s; say only one of the two", conf_keys[a].path);
}

static void check_engine(Draft *d)
{
        size_t v = index_of("engine.version"), e = index_of("engine.venv");

        if (*d->settings->engine.venv && !streq(d->settings->engine.version, "auto"))
                draft_error_at(
                        d, d->origin[v].file, d->origin[v].line, conf_keys[v].path,
                        "stands beside %s, which has a Ray of its own; leave out one of the two",
                        conf_keys[e].path);
}

static void check_discovery(Draft *d)
{
        size_t o = index_of("discovery.order");
        const DiscoSettings *s = &d->settings->disco;

        if (*s->head)
                return;
        for (size_t i = 0; i < s->n_order; i++)
                if (s->order[i] != DISCO_STATIC)
                        return;
        draft_error_at(
                d, d->origin[o].file, d->origin[o].line, conf_keys[o].path,
                "names only \"static\" while cluster.head is empty: no worker would ever find "
                "its head");
}

void draft_check(Draft *d)
{
        check_ports(d);
        check_address(d);
        check_engine(d);
        check_discovery(d);
}
