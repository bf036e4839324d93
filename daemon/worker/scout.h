/* The way to a head: discovery, then knocking at what it found until a GCS answers, and why it does
 * not. Facts and sentences; the worker decides what follows. */
#pragma once

#include "disco/disco.h"
#include "engine/tls.h"
#include "model/port-plan.h"
#include "model/verdict.h"
#include "reflect/line.h"
#include "role/status.h"
#include "role/watch.h"

typedef struct Scout Scout;

typedef struct ScoutOps {
        void (*on_change)(Scout *s, void *userdata);
} ScoutOps;

/* How often a head that is known by name, and does not serve yet, is knocked at: Ray is to start
 * within a second of its serving (design 8). After a minute in vain, half as often. */
#define SCOUT_ROUND      (400 * USEC_PER_MSEC)
#define SCOUT_ROUND_SLOW (800 * USEC_PER_MSEC)

/* last_known_path is copied. */
int scout_new(sd_event *event, Bus *bus, const char *last_known_path, const ScoutOps *ops,
              void *userdata, Scout **ret);
Scout *scout_free(Scout *s);
DEFINE_CLEANUP(Scout *, scout_free);

/* Begins, or begins anew with other settings. settings and token are copied; token may be NULL, and
 * is when it is not to be used: auth_off. tls is kept by pointer. */
int scout_configure(Scout *s, const DiscoSettings *settings, const char *token, bool auth_off,
                    const EngineTls *tls);
/* The head of a member is the one that has proved it, whatever discovery takes for it. */
typedef struct ScoutHead {
        bool member;     /* else discovery decides */
        Addr addr;       /* of its GCS; not set: none has, and nobody is knocked at */
        const char *why; /* then: the sentence; copied */
} ScoutHead;
void scout_set_head(Scout *s, const ScoutHead *h);
/* The control ports of all heads that were found, at most max: `port` where none is said. */
size_t scout_control(const Scout *s, uint16_t port, Addr *ret, size_t max);
/* For examinations of a head: as inquiry_set_reflector(). */
void scout_set_reflector(Scout *s, const Transport *reflector, const PortPlan *plan);
/* Knock at candidates, or only listen for them. avoid: an address that is watched by other means;
 * a candidate that has it is not knocked at. May be NULL. */
void scout_seek(Scout *s, bool seek, const Addr *avoid);
/* Something changed on this machine: ask all sources again now. */
void scout_kick(Scout *s);
/* This head was joined: kept for last-known. */
void scout_remember(Scout *s);

/* NULL: none. Valid until the next on_change, as everything below. */
const Candidate *scout_candidate(const Scout *s);
bool scout_is_ambiguous(const Scout *s);
/* Why there is nothing to join, "waiting: …"; NULL: scout_facts() are of a GCS that serves. */
const char *scout_ladder(const Scout *s);
/* What the last examination of the head in question said: of the one that is knocked at, or of the
 * one to avoid, for which Ray runs and which is silent. "" and invalid while there is nothing to
 * say; the remedy may be "" with a verdict. */
const char *scout_why(const Scout *s);
Verdict scout_verdict(const Scout *s);
const char *scout_remedy(const Scout *s);
/* A source is being asked, or a probe looks for the reason: what the ladder says is for the moment.
 */
bool scout_is_busy(const Scout *s);
/* There is a head to knock at, and no answer or refusal yet. */
bool scout_is_asking(const Scout *s);
/* Of the address knocked at; NULL: none. */
const WatchFacts *scout_facts(const Scout *s);
const Addr *scout_addr(const Scout *s);
/* Head, HeadSource, Sources. */
void scout_show(const Scout *s, Status *status);
