/* A machine's way into a cluster: asks one head after the other, with a token or for an admin's
 * word, and waits as long as that takes.
 *
 *     searching ── discovery found heads ──> asking ── let in ──> done
 *         │                                   │  ^  └─ refused, or no head answers, unless patient
 *         │ SEARCH_MAX, unless patient        v  │ after a while                    ──> failed
 *         └──> failed                        pending
 */
#pragma once

#include "member/join.h"

typedef struct Admission Admission;

/* More heads of one name are not asked. */
#define ADMISSION_HEADS_MAX 16

typedef struct AdmissionPolicy {
        const char *path; /* of the identity to be made */
        const char *node_id, *name;
        const char *token; /* its text; NULL: an admin of the head is asked */
        const Addr *heads; /* with the control port; none: where discovery finds heads */
        size_t n_heads;
        /* Nobody waits for the outcome: a head that is not there yet, or not any more, or that
         * cannot do it now, is waited for, however long. */
        bool patient;
} AdmissionPolicy;

/* From the loop; the admission may be freed inside. */
typedef struct AdmissionOps {
        void (*on_done)(Admission *a, const Addr *head, void *userdata);
        /* The head's admin has to say a word; comes each time that it was asked again. */
        void (*on_pending)(Admission *a, const Addr *head, const JoinResult *r, void *userdata);
        /* Of a patient one: it came to nothing, and is tried again; text: one sentence. */
        void (*on_trouble)(Admission *a, const char *text, void *userdata);
        /* The last word of it; text as above. */
        void (*on_failed)(Admission *a, const char *text, void *userdata);
} AdmissionOps;

/* Everything is copied. -EINVAL: the token is none, and *reterr (caller frees) says why; others
 * leave it NULL. */
int admission_new(sd_event *event, const AdmissionPolicy *p, const AdmissionOps *ops,
                  void *userdata, Admission **ret, char **reterr);
Admission *admission_free(Admission *a);
DEFINE_CLEANUP(Admission *, admission_free);

/* Heads that discovery found: asked when the caller named none. A machine that waits asks there,
 * too, as its head may have moved; it knows it by its authority (member/first-sight.h). */
void admission_found(Admission *a, const Addr *heads, size_t n);
