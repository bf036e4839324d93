/* The head's connect-backs taken together: what they came to address by address, and as ranges of
 * ports instead of one line a port. Pure. */
#pragma once

#include "model/port-ranges.h"

/* What all tries to one address came to, in ports. */
typedef struct WayBack {
        unsigned tried;    /* connects that were made; the sum of all below */
        unsigned nonce;    /* our own listener answered */
        unsigned open;     /* the way is open, whoever is there: connected, or refused by a kernel
                              where nothing of ours listened */
        unsigned mute;     /* connected, and nobody said a word: whose port it was is not known */
        unsigned wrong;    /* somebody else answered instead of our listener */
        unsigned refused;  /* a reset, although our listener was there */
        unsigned rejected; /* ICMP */
        unsigned silent;
        unsigned no_way;           /* the head could not send */
        const BackTry *rejection;  /* the first one, or NULL; points into the reflection */
        const BackTry *impossible; /* the first one that could not be sent, or NULL */
} WayBack;

/* The port of addr does not matter. */
void way_back(const Reflection *o, const Addr *addr, WayBack *ret);
static inline unsigned way_back_good(const WayBack *w)
{
        return w->nonce + w->open;
}
static inline unsigned way_back_bad(const WayBack *w)
{
        return w->wrong + w->refused + w->rejected + w->silent + w->no_way;
}

/* The way to this port is open. */
bool back_is_good(const BackTry *t);

typedef struct BackRange {
        uint16_t first, last;
        const BackTry *try; /* one of it; points into the reflection */
} BackRange;

/* The tries to one address as ranges of one result, in the order of ports. Neighbouring numbers
 * make a range, and so do tries one after the other inside `sampled` (NULL: none), of which only
 * some ports were tried. A firewall that rejects answers some and, because ICMP is rationed, leaves
 * others silent: between rejected ports silence is part of the rejection. Returns how many. */
size_t back_ranges(const Reflection *o, const Addr *addr, const PortSpan *sampled,
                   BackRange ret[static BACK_TRIES_MAX]);

/* The ports that the head does not get to, for people ("6380-6386, 10002-19999") and for the
 * command line of a firewall; model/port-ranges.h has the bounds. "" when there are none; NULL when
 * out of memory. Caller frees. */
char *back_blocked_words(const Reflection *o, const Addr *addr, const PortSpan *sampled);
char *back_blocked_list(const Reflection *o, const Addr *addr, const PortSpan *sampled);
