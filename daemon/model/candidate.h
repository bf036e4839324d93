/* A head that might be ours, as one source of discovery sees it. Nothing is decided from it but
 * where to knock. */
#pragma once

#include "base/addr.h"
#include "model/settings.h"

/* More addresses of one head than this are not tried (a multi-homed head has a handful). */
#define CANDIDATE_ADDRS_MAX 16

typedef struct Candidate {
        DiscoSource source;
        char *name;                      /* host name as found, or the literal address */
        char *cluster;                   /* from TXT; "" when the source does not say */
        char *id;                        /* from TXT: short cluster uuid; "" when not said */
        Addr addrs[CANDIDATE_ADDRS_MAX]; /* usable addresses, IPv4 first; port = the GCS port */
        size_t n_addrs;
        uint16_t control_port;
        char *how; /* for people: "DNS SRV _raycluster._tcp.lab.example", "mDNS on host0" */
} Candidate;

Candidate *candidate_free(Candidate *c);
DEFINE_CLEANUP(Candidate *, candidate_free);
Candidate *candidate_copy(const Candidate *c);
bool candidate_equal(const Candidate *a, const Candidate *b);
/* Whether one of its addresses is this one, whatever the ports. c may be NULL. */
bool candidate_has(const Candidate *c, const Addr *a);

/* The control ports of n candidates, at most max: the first address of each, then the second of
 * each, so that one with many does not hide the others. `port` is tried, too, where a candidate
 * names another: what it says may be wrong. Returns how many. */
size_t candidates_control(const Candidate *const *list, size_t n, uint16_t port, Addr *ret,
                          size_t max);

/* What one source had to say in its last round. */
typedef enum SourceState {
        SOURCE_IDLE,    /* not asked (an earlier source answered, or not in the order) */
        SOURCE_ASKING,  /* a round is under way */
        SOURCE_FOUND,   /* has a candidate */
        SOURCE_NOTHING, /* asked and found nothing; text says what was asked */
        SOURCE_FAILED,  /* could not be asked; text says why */
        _SOURCE_STATE_MAX,
        _SOURCE_STATE_INVALID = -EINVAL,
} SourceState;

DECLARE_STRTAB(source_state, SourceState);
