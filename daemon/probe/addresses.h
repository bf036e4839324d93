/* The addresses of one name, tried in turn: whether another one may do better than the last, and
 * whose evidence counts in the end. No fd, no clock. */
#pragma once

#include "probe/evidence.h"

/* A multi-homed head has a few addresses; more could not be tried before the deadline anyway. */
#define ADDRESSES_MAX 4

typedef struct Addresses {
        /* beside the first, which begins in the evidence; without the port */
        Addr others[ADDRESSES_MAX - 1];
        size_t n_others, next;
        Evidence *first; /* of the first address, once another one is tried; NULL before */
} Addresses;

void addresses_done(Addresses *a);

/* The way to e->addr is the trouble, and there is another address, which may have a better one. */
bool addresses_may_help(const Addresses *a, const Evidence *e);
/* There is one: e->addr becomes the next, of the same port, and nothing is known of the way to it.
 * -ENOMEM: all is as it was. */
int addresses_next(Addresses *a, Evidence *e);
/* Several were tried, in vain. */
bool addresses_failed(const Addresses *a, const Evidence *e);
/* Several were tried: the one that was reached counts, else the first. */
void addresses_choose(const Addresses *a, Evidence *e);
