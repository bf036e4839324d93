/* A TLS handshake, and what comes behind it: the refusal of a certificate comes only with the first
 * read (sys/tls-client.h), and so does the greeting of what serves there. */
#pragma once

#include "probe/talk.h"
#include "sys/tls-client.h"

typedef struct TlsStage TlsStage;

/* After the handshake the server may speak first, as gRPC does; else it is greeted. */
#define TLS_GREET_AFTER (100 * USEC_PER_MSEC)
/* Behind a handshake with a certificate that Ray would not take. */
#define TLS_DEFECT_WAIT (150 * USEC_PER_MSEC)

typedef struct TlsStageRequest {
        const TlsContext *context; /* must live as long; NULL: nothing is shown, and it ends with
                                      the handshake: is TLS spoken there at all, and by whom? */
        const char *host;          /* for SNI and comparison, or NULL; copied */
        usec_t timeout;
} TlsStageRequest;

/* answer: what speaks inside the TLS, or in its place; `data` are the first bytes as they came
 * while the handshake is not through, of the inside afterwards. Once, from the loop; the stage may
 * be freed inside. */
typedef void (*tls_stage_cb)(TlsStage *t, const TlsFacts *facts, const TalkAnswer *answer,
                             void *userdata);

/* Takes over fd (connected to policy->addr) on success; fd < 0: connects first, by policy. */
int tls_stage_new(sd_event *event, int fd, const ConnectPolicy *policy,
                  const TlsStageRequest *request, tls_stage_cb cb, void *userdata, TlsStage **ret);
TlsStage *tls_stage_free(TlsStage *t);
DEFINE_CLEANUP(TlsStage *, tls_stage_free);
/* As far as it has come, for a deadline that cuts it short. */
void tls_stage_snapshot(const TlsStage *t, TlsFacts *ret_facts, TalkAnswer *ret_answer);
