/* Finding the head: the sources of discovery.order asked in turn, each a small state machine behind
 * one vtable.
 *
 * An explicit cluster.head asks `static` only and never falls back. Otherwise the first source in
 * the order that has a candidate of the configured cluster wins; mDNS is a standing browse and may
 * bring or take candidates at any time. Two different heads under one name: disco_best() is NULL
 * and disco_ambiguous() names both. Nothing blocks; DNS by c-ares, Avahi by its D-Bus API.
 *
 * Anybody can announce himself: where the asking side can tell who is there, it goes by
 * disco_candidates() and decides from that. */
#pragma once

#include <systemd/sd-event.h>

#include "model/candidate.h"
#include "model/settings.h"
#include "sys/bus.h"

typedef struct Disco Disco;

typedef struct DiscoOps {
        /* What disco_best() or a source's text returns has changed. From the loop; may call
         * disco_free(). */
        void (*on_change)(Disco *d, void *userdata);
} DiscoOps;

/* bus: the system bus (Avahi), or NULL: mDNS then reports SOURCE_FAILED. last_known_path: a file in
 * the state directory. Copies settings. Starts nothing. */
int disco_new(sd_event *event, Bus *bus, const DiscoSettings *settings, const char *last_known_path,
              const DiscoOps *ops, void *userdata, Disco **ret);
Disco *disco_free(Disco *d);
DEFINE_CLEANUP(Disco *, disco_free);

int disco_start(Disco *d);
/* Asks again now (the caller's back-off decides when), e.g. after the candidate turned out dead. */
void disco_refresh(Disco *d);
/* This candidate served: remembered for last-known. */
int disco_remember(Disco *d, const Candidate *c);

/* Valid until the next on_change. */
const Candidate *disco_best(const Disco *d);
/* Text naming the heads that answer to one name, or NULL. */
const char *disco_ambiguous(const Disco *d);
#define DISCO_AMBIGUOUS_REMEDY "say which one by cluster.head, or join with a token"

/* Eight of each source. */
#define DISCO_CANDIDATES_MAX ((size_t)_DISCO_SOURCE_MAX * 8)
/* All that may be the head, of every source: the first of each in order, then the second of each,
 * so that a source with many does not hide the others. Valid until the next on_change. */
size_t disco_candidates(const Disco *d, const Candidate *ret[DISCO_CANDIDATES_MAX]);

typedef struct DiscoReport {
        DiscoSource source;
        SourceState state;
        const char *text; /* one clause: "no SRV record _raycluster._tcp.lab.example (NXDOMAIN)";
                             valid until the next on_change */
} DiscoReport;
/* One entry a source of the order. */
size_t disco_reports(const Disco *d, DiscoReport ret[_DISCO_SOURCE_MAX]);
