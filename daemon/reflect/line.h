/* A line to a reflector: requests out, one reply to each back, in order, however they travel.
 * `ray-probe --code` has one of its own (code-line.h), members have one inside their connection to
 * the head (worker/mirror.h): whoever asks (ask.h) does not know. */
#pragma once

#include <systemd/sd-event.h>

#include "base/addr.h"

typedef struct Line Line;

/* From the loop only. The line may be freed inside. */
typedef struct LineOps {
        void (*on_up)(Line *l, void *userdata); /* once: now may be asked */
        void (*on_reply)(Line *l, const void *body, size_t size, void *userdata);
        /* It is over, or never came about; `why` is for people. Nothing comes after this. */
        void (*on_down)(Line *l, const char *why, void *userdata);
} LineOps;

typedef struct LinePolicy {
        Addr to;               /* the machine; the port only where the transport has none */
        Addr from;             /* own address to bind, or unset */
        const char *interface; /* to bind, or NULL; copied */
        int mss;               /* TCP_MAXSEG to offer; 0 = the kernel's */
} LinePolicy;

/* How far a request or reply under way has come. */
typedef struct LineProgress {
        size_t received; /* bytes, since the line is there */
        size_t unsent;   /* bytes that the other side has not acknowledged */
} LineProgress;

typedef struct LineVtable {
        int (*send)(Line *l, const void *body, size_t size);
        void (*ends)(const Line *l, Addr *ret_here, Addr *ret_there);
        void (*progress)(const Line *l, LineProgress *ret);
        Line *(*free)(Line *l);
} LineVtable;

/* First member of every kind of line. */
struct Line {
        const LineVtable *vtable;
};

typedef struct Transport Transport;
struct Transport {
        /* Begins to connect; never calls back from inside. ops: copied. */
        int (*open)(const Transport *t, sd_event *event, const LinePolicy *policy,
                    const LineOps *ops, void *userdata, Line **ret);
        /* Whether a line to this address leads there: of a transport to one head, and to no other.
         * NULL: to any. */
        bool (*reaches)(const Transport *t, const Addr *to);
        /* There is one line at a time, of which others need something, too: no transfers. */
        bool single;
};

static inline bool transport_reaches(const Transport *t, const Addr *to)
{
        return !t->reaches || t->reaches(t, to);
}

static inline int line_open(const Transport *t, sd_event *event, const LinePolicy *policy,
                            const LineOps *ops, void *userdata, Line **ret)
{
        return t->open(t, event, policy, ops, userdata, ret);
}

/* -ENOTCONN before on_up and after on_down; -EMSGSIZE, -ENOMEM. */
static inline int line_send(Line *l, const void *body, size_t size)
{
        return l->vtable->send(l, body, size);
}

/* Both ends as they are here, with ports; unset when the line is not up. */
static inline void line_ends(const Line *l, Addr *ret_here, Addr *ret_there)
{
        l->vtable->ends(l, ret_here, ret_there);
}

static inline void line_progress(const Line *l, LineProgress *ret)
{
        l->vtable->progress(l, ret);
}

static inline Line *line_free(Line *l)
{
        return l ? l->vtable->free(l) : NULL;
}

static inline void line_freep(Line **l)
{
        line_free(*l);
}
