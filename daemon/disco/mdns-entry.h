/* One instance of a service that a browse heard on one interface: its SRV and TXT by a standing
 * resolver, every address of its host by two standing record browsers.
 *
 * Avahi's resolver alone would give one address, often the link-local one, and an "IPv4" answer may
 * be an IPv6 address (probe.md 4.2): so it is asked for none. */
#pragma once

#include "model/candidate.h"
#include "sys/avahi.h"
#include "wire/txt.h"

/* One of Avahi's objects: prepared, started; freed there when it is released here. Its signals are
 * matched for all objects of an interface together, before the first Prepare: Avahi 0.8 sends a
 * resolver's first Found right behind the answer to Prepare, before Start, and sd-bus delivers
 * nothing to a match whose AddMatch is not answered yet. */
typedef struct Object {
        sd_bus_slot *prepare;
        char *path;
} Object;

void object_release(Avahi *avahi, Object *o, const char *interface);
/* The answer m to Prepare. */
int object_start(Avahi *avahi, Object *o, sd_bus_message *m, const char *interface);
bool object_sent(const Object *o, sd_bus_message *m);

typedef struct EntryAddr {
        Addr addr;
        unsigned seen; /* bit a protocol that it was heard by */
} EntryAddr;

typedef struct Entry Entry;
typedef struct EntryList EntryList;

struct Entry {
        EntryList *list; /* weak */
        Entry *next;
        int ifindex;
        char *name, *domain; /* the instance */
        unsigned seen;       /* bit a protocol the browser heard it by */
        bool dead;           /* gone; waits for a Prepare under way, to free what it made */
        Object resolver;
        Object records[2];                    /* A, AAAA of host */
        char *host;                           /* NULL = not resolved yet */
        uint16_t port;                        /* control port */
        HeadTxt txt;                          /* of the last answer */
        EntryAddr addrs[CANDIDATE_ADDRS_MAX]; /* only what Ray can use */
        size_t n_addrs;
};

struct EntryList {
        Avahi *avahi; /* weak */
        const char *service;
        Entry *entries; /* the one that was heard first is the first: who comes later and makes
                           noise does not push it out */
        size_t n;
        void (*on_change)(void *userdata); /* may not drop entries */
        void *userdata;
        sd_bus_slot *resolver_match, *records_match;
};

/* After Avahi came, before the first entry. */
int entry_list_match(EntryList *l);
/* After it went. */
void entry_list_unmatch(EntryList *l);

Entry *entry_find(EntryList *l, int ifindex, const char *name, const char *domain);
int entry_new(EntryList *l, int ifindex, int protocol, const char *name, const char *domain);
/* Heard, or no longer heard, by a protocol; dropped when by none. */
void entry_heard(Entry *e, int protocol);
void entry_lost(Entry *e, int protocol);
/* Dead at once; gone as soon as nothing of it is under way. */
void entry_drop(Entry *e);
void entry_list_clear(EntryList *l);
