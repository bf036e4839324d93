/* What the features know at one moment, put together for worker_decide() (worker-state.h). It asks,
 * and changes nothing. */
#pragma once

#include "role/keeper.h"
#include "worker/presence.h"
#include "worker/scout.h"
#include "worker/trial.h"
#include "worker/worker-state.h"

typedef struct PictureSources {
        const Keeper *keeper;
        const Scout *scout;
        const Presence *presence;
        const Trial *trial;     /* NULL: there is none to take */
        bool proven;            /* the head that is found has proved it by its certificate */
        bool stopping;          /* the daemon was told to */
        bool held;              /* by the head's admin */
        const char *no_address; /* why the own address is not known, or NULL */
        const char *no_cert;    /* what is missing to Ray's TLS, or NULL */
} PictureSources;

typedef struct Picture {
        WorkerFacts facts; /* strings of the sources' and of the picture's */
        bool head_due;     /* the configuration names another head than the one that Ray runs for */
        char *head, *moved; /* what facts names */
} Picture;

/* Valid until the sources change. Out of memory leaves names empty. */
Picture picture_take(const PictureSources *s);
void picture_done(Picture *p);
