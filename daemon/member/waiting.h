/* Machines that wait for an admin's approval. Each asks again by itself, so the list lives in
 * memory and fills again after a restart; what the admin said is in member/approvals.h.
 *
 * Anybody may ask: the list is bounded, and so is what one source may have in it. A /64 of IPv6 is
 * one, as one machine can have all its addresses, and yet may be a room. A machine that is not
 * heard for WAITING_FORGOTTEN makes room. Times are Unix time. Plain value. */
#pragma once

#include <errno.h>

#include "base/addr.h"
#include "member/store.h"

/* A room that is installed in one go comes in two of them; more is nobody's to read. */
#define WAITING_MAX         256
#define WAITING_PER_SOURCE  8
#define WAITING_PER_NETWORK 64 /* a /64 */
/* A machine asks again after so long. */
#define WAITING_RETRY     (15 * USEC_PER_SEC)
#define WAITING_FORGOTTEN (5 * USEC_PER_MIN)

typedef struct WaitingMachine {
        uint8_t pin[STORE_PIN_SIZE]; /* of its key */
        char node[STORE_ID_MAX];
        char name[STORE_NAME_MAX];
        char takes[STORE_NAME_MAX]; /* the member whose name or node id it would take; "" = none */
        char takes_node[STORE_ID_MAX];
        char group[STORE_NAME_MAX]; /* of the token that it has shown; "" = of none */
        Addr from;
        usec_t first, last; /* asked */
        bool approved;      /* it does not know yet */
        bool unseen;        /* no admin was shown what it asks for now */
} WaitingMachine;

typedef struct WaitingList {
        WaitingMachine machines[WAITING_MAX];
        size_t n;
} WaitingList;

/* 1: a new one, or one that is called something else now; 0: it asks again, and keeps its group
 * when it has none to show now. -EXFULL: no room; -EDQUOT: none for its source. */
int waiting_add(WaitingList *l, const WaitingMachine *m, usec_t now);
/* The group that it has shown under that node id and name, or "". The list's. */
const char *waiting_group(WaitingList *l, const uint8_t pin[static STORE_PIN_SIZE],
                          const char *node, const char *name);
void waiting_remove(WaitingList *l, const uint8_t pin[static STORE_PIN_SIZE]);
/* Forgets who was not heard. */
void waiting_expire(WaitingList *l, usec_t now);
/* By host name, node id, pin as 64 hex digits or as words (model/key-words.h). 1; 0: there is none;
 * -ENOTUNIQ: more than one. */
int waiting_find(WaitingList *l, const char *who, WaitingMachine **ret);
