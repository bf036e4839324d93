/* The head's side of a two-way test, whatever carries it: requests in, replies out, for several
 * askers at once. Who an asker is, is for the carrier to know: everybody who gets here may ask
 * (probe.md 3.4). */
#pragma once

#include "reflect/back-range.h"
#include "reflect/back.h"
#include "reflect/view.h"

/* Tests with connect-backs at the same time, and peers whose last test is remembered: of more, the
 * next ones have to wait. */
#define REFLECT_TESTS_MAX 4
#define REFLECT_PEERS_MAX 256

typedef struct ReflectPolicy {
        BackPolicy back;
        Addr head_node; /* the address that Ray announces of this head, or unset */
        Versions head;  /* or "" */
} ReflectPolicy;

typedef struct Reflector Reflector;
/* One that asks: a connection. */
typedef struct ReflectAsker ReflectAsker;

/* Lines for the log, of an asker at this address; each may be NULL. */
typedef struct ReflectorOps {
        /* What was tested for it, and what came of it. */
        void (*on_test)(const ReflectAsker *a, const Addr *peer, const char *text, void *userdata);
        /* It wants to be connected back to where nobody is for it: "192.0.2.7 is ...". Once a
         * request, of the first such address or port; the rest of the request may be answered. */
        void (*on_forbidden)(const ReflectAsker *a, const Addr *peer, const char *text,
                             void *userdata);
} ReflectorOps;

int reflector_new(sd_event *event, const ReflectPolicy *policy, const ReflectorOps *ops,
                  void *userdata, Reflector **ret);
/* After its askers. */
Reflector *reflector_free(Reflector *r);
DEFINE_CLEANUP(Reflector *, reflector_free);
/* From the next request on. What was tested just now still counts. */
void reflector_set_policy(Reflector *r, const ReflectPolicy *policy);

/* The answer to a request that took time. The asker may be freed inside. */
typedef void (*reflect_reply_cb)(ReflectAsker *a, const ReflectReply *p, void *userdata);

/* ends: as the socket has them; rtt: of the connection, 0 = not known. */
int reflect_asker_new(Reflector *r, const ViewEnds *ends, usec_t rtt, reflect_reply_cb cb,
                      void *userdata, ReflectAsker **ret);
/* Only these addresses are its own, whatever it claims and wherever it comes from. Those beyond
 * REFLECT_OWN_MAX are not. */
#define REFLECT_OWN_MAX 16
void reflect_asker_set_own(ReflectAsker *a, const Addr *addrs, size_t n);
/* A test that runs is given up. */
ReflectAsker *reflect_asker_free(ReflectAsker *a);
DEFINE_CLEANUP(ReflectAsker *, reflect_asker_free);

/* t2: realtime when the request came. 1: *ret is the answer, a refusal may be one; 0: it comes by
 * the callback, from the loop; negative errno: out of memory and the like. Whoever sends it puts
 * t3_usec into it. */
int reflect_asker_ask(ReflectAsker *a, const ReflectRequest *q, int64_t t2_usec, ReflectReply *ret);
bool reflect_asker_is_busy(const ReflectAsker *a);
