#include "model/way-back.h"

#include <stdio.h>
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

size_t back_ranges(const Reflection *o, const Addr *addr, uint16_t sample_first,
                   uint16_t sample_last, BackRange ret[static BACK_TRIES_MAX])
{
        const BackTry *tries[BACK_TRIES_MAX];
        size_t n = 0, n_tries = sort(o, addr, tries);

        for (size_t i = 0; i < n_tries; i++) {
                const BackTry *t = tries[i];
                uint16_t port = t->addr.port;
                BackRange *r = n > 0 ? &ret[n - 1] : NULL;
                bool sampled = r && sample_first > 0 && r->last >= sample_first &&
                               r->last <= sample_last && port >= sample_first &&
                               port <= sample_last;
                if (!r || !alike(r->try, t) || (!sampled && port > r->last + 1)) {
                        ret[n++] = (BackRange){.first = port, .last = last_of(t), .try = t};
                        continue;
                }
                r->last = MAX(r->last, last_of(t));
                if (t->result == BACK_REJECTED)
                        r->try = t;
        }
        return n;
}

char *back_blocked_ports(const Reflection *o, const Addr *addr, uint16_t sample_first,
                         uint16_t sample_last, char buf[static BACK_PORTS_TEXT_MAX])
{
        BackRange ranges[BACK_TRIES_MAX];
        size_t n = back_ranges(o, addr, sample_first, sample_last, ranges), len = 0;

        buf[0] = '\0';
        for (size_t i = 0; i < n; i++) {
                const BackRange *r = &ranges[i];
                if (back_is_good(r->try) || r->try->result == BACK_OPEN)
                        continue;
                int k = snprintf(buf + len, BACK_PORTS_TEXT_MAX - len,
                                 r->first == r->last ? "%s%u" : "%s%u-%u", len > 0 ? "," : "",
                                 r->first, r->last);
                if (k < 0 || (size_t)k >= BACK_PORTS_TEXT_MAX - len) {
                        buf[len] = '\0'; /* what does not fit is left out whole */
                        break;
                }
                len += (size_t)k;
        }
        return buf;
}
