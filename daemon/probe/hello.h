/* Who answers on a fresh connection: greetings until one of them is understood. The facts go into
 * the evidence, hello and tls. */
#pragma once

#include <systemd/sd-event.h>

#include "probe/evidence.h"

typedef struct HelloStage HelloStage;

typedef struct HelloOps {
        /* A step has ended: "service", "tls" or "http", what it brought, and when it began. */
        void (*on_step)(HelloStage *h, const char *name, const char *result, usec_t since,
                        void *userdata);
        /* The connection of a gRPC server that greeted us in the clear, to be taken over, and what
         * was read from it already; comes before on_end. */
        void (*on_connection)(HelloStage *h, int fd, const uint8_t *seen, size_t n, void *userdata);
        /* Once, the last of all; the stage may be freed inside. serves: something speaks gRPC
         * there, and nothing is in the way of a question to it. */
        void (*on_end)(HelloStage *h, bool serves, void *userdata);
} HelloOps;

/* Takes over fd (connected to e->addr) on success. tls: what we speak TLS with, NULL = we greet in
 * the clear, and look for TLS only where that is hung up on; must live as long, as e must. */
int hello_stage_new(sd_event *event, Evidence *e, int fd, const TlsContext *tls,
                    const HelloOps *ops, void *userdata, HelloStage **ret);
HelloStage *hello_stage_free(HelloStage *h);
DEFINE_CLEANUP(HelloStage *, hello_stage_free);

/* The evidence as far as it is there now, for a deadline that cuts the stage short. */
void hello_stage_snapshot(HelloStage *h);
/* What it is at, for people who wait, and since when (monotonic). */
const char *hello_stage_doing(const HelloStage *h, usec_t *ret_since);
/* The name to ask for by TLS; NULL where an address was given. */
const char *hello_host(const Evidence *e);
