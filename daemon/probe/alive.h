/* The question to a GCS: are you there, which Ray and Python are you, and which cluster? One
 * CheckAlive, its table of versions, and its cluster id where one is expected, over a connection of
 * their own. */
#pragma once

#include <systemd/sd-event.h>

#include "probe/evidence.h"

typedef struct Alive Alive;

/* From the loop, once. head: "" where it did not say. May be freed inside. */
typedef void (*alive_cb)(Alive *a, const AliveFacts *facts, const Versions *head, void *userdata);

typedef struct AliveRequest {
        const char *token;     /* Ray's, or NULL; copied */
        const char *cluster;   /* 56 hex digits that CheckAlive carries as ray_cluster_id, and that
                                  the   head's own id is compared with; NULL: neither; copied */
        const TlsContext *tls; /* NULL = in the clear. Else a certificate with any defect gets no
                                  question, and no token; must live as long */
        const char *host;      /* name for TLS, or NULL; copied */
        usec_t timeout; /* for all of it; of a GCS that answers CheckAlive and then nothing more the
                           outcome is still OK */
} AliveRequest;

int alive_new(sd_event *event, const ConnectPolicy *policy, const AliveRequest *request,
              alive_cb cb, void *userdata, Alive **ret);
Alive *alive_free(Alive *a);
DEFINE_CLEANUP(Alive *, alive_free);
