/* The head's part in Ray's TLS: the authority that members have their certificates of, and the
 * head's own, which is renewed while it runs. What cannot be had now is tried again by itself; Ray
 * is not started without it. */
#pragma once

#include <systemd/sd-event.h>

#include "member/ray-authority.h"

typedef struct RayTls RayTls;

typedef struct RayTlsPolicy {
        bool on; /* auth.tls */
        const char *state_dir, *node_id;
        const char *name; /* own host name */
        Addr address;     /* that Ray is told; not set: not known yet */
} RayTlsPolicy;

typedef struct RayTlsOps {
        /* The authority, the certificate or the sentence is another than before. From the loop. */
        void (*on_change)(RayTls *t, void *userdata);
} RayTlsOps;

int ray_tls_new(sd_event *event, const RayTlsOps *ops, void *userdata, RayTls **ret);
RayTls *ray_tls_free(RayTls *t);
DEFINE_CLEANUP(RayTls *, ray_tls_free);

/* Everything is copied. Has both when it returns, or says why not. -ENOMEM. */
int ray_tls_configure(RayTls *t, const RayTlsPolicy *p);

/* NULL: off, or it cannot be had. Valid until the next ray_tls_configure(). */
const RayAuthority *ray_tls_authority(const RayTls *t);
/* Why Ray cannot be started with TLS, with what to do; NULL: it can, or needs none. */
const char *ray_tls_missing(const RayTls *t);
