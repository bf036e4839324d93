/* A reflector that a person has started: whoever knows the code may ask, over TCP, for a while.
 *
 * Strangers get nothing and hold up nobody: a connection that does not show the code within seconds
 * is closed, and is the first to go when there are too many; the code dies of a few wrong tries. */
#pragma once

#include "reflect/reflector.h"
#include "reflect/session.h"

/* A code is for one evening's test, not a service. */
#define SERVE_LIFETIME (10 * USEC_PER_MIN)
/* Wrong codes, from anybody, until it ends: eighty bits are not guessed so. */
#define SERVE_TRIES_MAX 5
/* At the same time; a test uses three. */
#define SERVE_CONNECTIONS_MAX 16
/* From the accept to the proof that the code is known: one round trip and somebody's clock. */
#define SERVE_PROOF_DEADLINE (5 * USEC_PER_SEC)
/* From one answer to the whole next request, however many bytes come in between. */
#define SERVE_REQUEST_DEADLINE (30 * USEC_PER_SEC)

typedef struct ServePolicy {
        ReflectCode code;
        usec_t lifetime;                         /* 0 = SERVE_LIFETIME */
        usec_t proof_deadline, request_deadline; /* 0 = as above */
        ReflectPolicy reflect;
} ServePolicy;

typedef enum ServeEnd {
        SERVE_END_TIME,  /* the lifetime is over */
        SERVE_END_TRIES, /* too many wrong codes */
        _SERVE_END_MAX,
        _SERVE_END_INVALID = -EINVAL,
} ServeEnd;

typedef struct Serve Serve;

typedef struct ServeOps {
        /* A line for people: who did what. */
        void (*on_line)(const Addr *peer, const char *text, void *userdata);
        /* Once: nobody is listened to any more. The object may be freed inside. */
        void (*on_end)(Serve *s, ServeEnd why, void *userdata);
} ServeOps;

/* fd: of tcp_listen(), taken over on success. */
int serve_new(sd_event *event, int fd, const ServePolicy *policy, const ServeOps *ops,
              void *userdata, Serve **ret);
Serve *serve_free(Serve *s);
DEFINE_CLEANUP(Serve *, serve_free);

/* Connections that are open: for tests. */
unsigned serve_n_connections(const Serve *s);
