/* What every source of discovery has in common: a state, a text for people, and candidates. Each
 * kind is a const table of functions around a struct that begins with a Source. */
#pragma once

#include "base/alloc.h"
#include "model/candidate.h"
#include "sys/bus.h"
#include "sys/resolve.h"

/* More heads of one cluster than this are not told apart: two are one too many already. */
#define SOURCE_CANDIDATES_MAX 8

typedef struct Source Source;

/* What a source gets from the Disco; outlives it. */
typedef struct SourceContext {
        sd_event *event;
        Resolver *resolver;
        Bus *bus; /* may be NULL */
        const DiscoSettings *settings;
        const char *last_known_path;
        void (*on_change)(void *userdata); /* only notes it: frees nothing, asks nothing */
        void *userdata;
} SourceContext;

typedef struct SourceVTable {
        DiscoSource kind;
        size_t size;
        int (*start)(Source *s);
        /* Asks again now; the earlier answer stays until the new one is there. */
        void (*refresh)(Source *s);
        /* This candidate of the source served. May be NULL. */
        void (*served)(Source *s, const Candidate *c);
        void (*done)(Source *s); /* what start() made */
} SourceVTable;

struct Source {
        const SourceVTable *vtable;
        const SourceContext *context; /* weak */
        SourceState state;
        char *text;
        Candidate *found[SOURCE_CANDIDATES_MAX];
        size_t n_found;
};

extern const SourceVTable source_static, source_dns, source_mdns, source_last_known;

int source_new(const SourceVTable *vtable, const SourceContext *context, Source **ret);
Source *source_free(Source *s);
DEFINE_CLEANUP(Source *, source_free);

/* The only door to state, text and candidates. Takes text (NULL: "out of memory") and the n
 * candidates (beyond SOURCE_CANDIDATES_MAX are freed). */
void source_set(Source *s, SourceState state, char *text, Candidate **found, size_t n);
/* Like source_set() with what was found before. */
void source_keep(Source *s, char *text);

/* A candidate of this source with the settings' ports and without addresses. cluster "" */
Candidate *source_candidate(const Source *s, const char *name,
                            const char *how) _warn_unused_result_;
/* Adds what Ray can use, in the order given but IPv4 before IPv6, doubles and what is beyond
 * CANDIDATE_ADDRS_MAX left out. Returns how many are new. */
size_t candidate_add_addrs(Candidate *c, const Addr *addrs, size_t n, uint16_t port);
