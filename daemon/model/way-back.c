#include "model/way-back.h"

#include <stdlib.h>

bool back_is_good(const BackTry *t)
{
        switch (t->result) {
        case BACK_NONCE_OK:
                return true;
        case BACK_OPEN:
        case BACK_REFUSED:
                return !t->ours;
        default:
                return false;
        }
}

static uint16_t last_of(const BackTry *t)
{
        return MAX(t->last_port, t->addr.port);
}

static unsigned *counter_of(WayBack *w, const BackTry *t)
{
        switch (t->result) {
        case BACK_NONCE_OK:
                return &w->nonce;
        case BACK_OPEN:
                return t->ours ? &w->mute : &w->open;
        case BACK_REFUSED:
                return t->ours ? &w->refused : &w->open;
        case BACK_WRONG_NONCE:
                return &w->wrong;
        case BACK_REJECTED:
                return &w->rejected;
        case BACK_NO_WAY:
                return &w->no_way;
        case BACK_SILENT:
                return &w->silent;
        default:
                return NULL;
        }
}

static void count(WayBack *w, const BackTry *t)
{
        unsigned n = last_of(t) - t->addr.port + 1U;
        unsigned *counter = counter_of(w, t);

        if (!counter)
                return;
        *counter += n;
        w->tried += n;
        if (t->result == BACK_REJECTED && !w->rejection)
                w->rejection = t;
        else if (t->result == BACK_NO_WAY && !w->impossible)
                w->impossible = t;
}

void way_back(const Reflection *o, const Addr *addr, WayBack *ret)
{
        *ret = (WayBack){0};
        for (size_t i = 0; i < o->n_back; i++)
                if (addr_equal(&o->back[i].addr, addr))
                        count(ret, &o->back[i]);
}

static int by_port(const void *a, const void *b)
{
        const BackTry *x = *(const BackTry *const *)a, *y = *(const BackTry *const *)b;
        return (x->addr.port > y->addr.port) - (x->addr.port < y->addr.port);
}

static bool blocks(const BackTry *t)
{
        return t->result == BACK_REJECTED || t->result == BACK_SILENT;
}

static bool alike(const BackTry *a, const BackTry *b)
{
        if (a->result == b->result)
                return back_is_good(a) == back_is_good(b);
        return blocks(a) && blocks(b);
}

/* The tries to one address, in the order of ports. */
static size_t sort(const Reflection *o, const Addr *addr, const BackTry *ret[BACK_TRIES_MAX])
{
        size_t n = 0;
        for (size_t i = 0; i < o->n_back; i++)
                if (o->back[i].result != BACK_NOT_TRIED && addr_equal(&o->back[i].addr, addr))
                        ret[n++] = &o->back[i];
        if (n > 1)
                qsort(ret, n, sizeof(ret[0]), by_port);
        return n;
}

static bool within(const PortSpan *s, uint16_t port)
{
        return s && port >= s->first && port <= s->last;
}

size_t back_ranges(const Reflection *o, const Addr *addr, const PortSpan *sampled,
                   BackRange ret[static BACK_TRIES_MAX])
{
        const BackTry *tries[BACK_TRIES_MAX];
        size_t n = 0, n_tries = sort(o, addr, tries);

        for (size_t i = 0; i < n_tries; i++) {
                const BackTry *t = tries[i];
                uint16_t port = t->addr.port;
                BackRange *r = n > 0 ? &ret[n - 1] : NULL;
                bool near = r && (port <= r->last + 1 ||
                                  (within(sampled, r->last) && within(sampled, port)));
                if (!near || !alike(r->try, t)) {
                        ret[n++] = (BackRange){.first = port, .last = last_of(t), .try = t};
                        continue;
                }
                r->last = MAX(r->last, last_of(t));
                if (t->result == BACK_REJECTED)
                        r->try = t;
        }
        return n;
}

static size_t blocked(const Reflection *o, const Addr *addr, const PortSpan *sampled,
                      PortRange ret[static BACK_TRIES_MAX])
{
        BackRange ranges[BACK_TRIES_MAX];
        size_t n = back_ranges(o, addr, sampled, ranges), k = 0;

        for (size_t i = 0; i < n; i++)
                if (!back_is_good(ranges[i].try) && ranges[i].try->result != BACK_OPEN)
                        ret[k++] = (PortRange){.first = ranges[i].first,
                                               .last = ranges[i].last,
                                               .state = PORT_SILENT};
        return k;
}

char *back_blocked_words(const Reflection *o, const Addr *addr, const PortSpan *sampled)
{
        PortRange ranges[BACK_TRIES_MAX];
        return port_ranges_format(ranges, blocked(o, addr, sampled, ranges),
                                  PORT_MASK(PORT_SILENT));
}

char *back_blocked_list(const Reflection *o, const Addr *addr, const PortSpan *sampled)
{
        PortRange ranges[BACK_TRIES_MAX];
        return port_ranges_list(ranges, blocked(o, addr, sampled, ranges), PORT_MASK(PORT_SILENT));
}
