/* Who is at a gate, so that nobody is searched for among ten thousand: members by node id, in a
 * balanced tree; strangers, of whom a gate lets few in, in a list of their own. Owns none of them:
 * a Guest is a part of what it stands for, and removed before that ends. */
#pragma once

#include "base/addr.h"

typedef struct Guest Guest;
struct Guest {
        Guest *prev, *next; /* strangers, or members */
        const Addr *from;   /* weak */
        const char *node;   /* weak; NULL: a stranger */
};

typedef struct Guests {
        Guest *strangers, *members; /* the newest first */
        size_t n_strangers, n_members;
        void *by_node; /* of tsearch(3) */
} Guests;

/* A stranger. The guest must not move from now on; from: must last as long as it is one. */
void guests_add(Guests *g, Guest *x, const Addr *from);
/* A stranger is a member from now on. node: must last until it is removed. -EEXIST: another member
 * has this node id; -ENOMEM; then it is a stranger still. */
int guests_know(Guests *g, Guest *x, const char *node);
void guests_remove(Guests *g, Guest *x);
Guest *guests_find(const Guests *g, const char *node);
/* How many strangers come from there, whatever the port. */
size_t guests_from(const Guests *g, const Addr *from);
/* Or from another address of that source (addr_same_source()). */
size_t guests_of_source(const Guests *g, const Addr *from);
