/* The machines that a head gave certificates to. Errors: member/store.h. */
#pragma once

#include <errno.h>

#include "member/store.h"

typedef struct MemberRow {
        char node[STORE_ID_MAX];
        char name[STORE_NAME_MAX];
        char group[STORE_NAME_MAX];
        char token[STORE_ID_MAX]; /* with which it came */
        uint8_t pin[STORE_PIN_SIZE];
        usec_t enrolled, not_after; /* of its certificate */
        usec_t seen;                /* connected last; 0 = never */
        bool revoked;
} MemberRow;

/* A new one, or the same key again. -EEXIST: another key has this node id or, not revoked, this
 * name. -EXFULL: STORE_MEMBERS_MAX. */
int roster_put(Db *db, const MemberRow *m);
/* 1; 0 = there is none. By name: not revoked ones only. */
int roster_find_pin(Db *db, const uint8_t pin[static STORE_PIN_SIZE], MemberRow *ret);
int roster_find_node(Db *db, const char *node, MemberRow *ret);
int roster_find_name(Db *db, const char *name, MemberRow *ret);
/* The latest of the revoked ones that had this name. */
int roster_find_revoked(Db *db, const char *name, MemberRow *ret);
/* By name, revoked ones last; *ret is the caller's to free. */
int roster_list(Db *db, MemberRow **ret, size_t *ret_n);
/* Of those that are not revoked. */
int roster_count(Db *db, size_t *ret);
/* 1; 0 = no such member. A revoked key stays known until it is forgotten. */
int roster_revoke(Db *db, const char *node);
/* And an approval of its key: for a transaction of the caller's. */
int roster_forget(Db *db, const char *node);
/* A room that comes back does not wait for the disk: a power cut may lose it. */
int roster_seen(Db *db, const char *node, usec_t now);
