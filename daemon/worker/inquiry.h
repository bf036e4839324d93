/* The inquiry into a head that does not answer: what the last round at it said, and what an
 * examination of it (probe/probe.h) finds out, one examination after the other with pauses between.
 * It does not choose the head: the scout does, each time one is due. */
#pragma once

#include "engine/tls.h"
#include "model/port-plan.h"
#include "model/verdict.h"
#include "reflect/line.h"
#include "role/watch.h"

typedef struct Inquiry Inquiry;

/* Both from the loop. */
typedef struct InquiryOps {
        /* An examination is due: inquiry_examine() the head in question, if there is one. */
        void (*on_due)(Inquiry *i, void *userdata);
        /* One ended: what it found is the reason now. */
        void (*on_change)(Inquiry *i, void *userdata);
} InquiryOps;

int inquiry_new(sd_event *event, const InquiryOps *ops, void *userdata, Inquiry **ret);
Inquiry *inquiry_free(Inquiry *i);
DEFINE_CLEANUP(Inquiry *, inquiry_free);

/* Drops, and examines with this from now on. token is copied; NULL when there is none, or when it
 * is not to be used: auth_off, by the configuration of this machine. tls: as for GcsClientPolicy,
 * kept by pointer. -ENOMEM.
 */
int inquiry_configure(Inquiry *i, const char *token, bool auth_off, const EngineTls *tls);

/* The other side of the way, where there is a reflector to ask for it, and whose ports it tries.
 * Both kept by pointer; NULL = none. */
void inquiry_set_reflector(Inquiry *i, const Transport *reflector, const PortPlan *plan);

/* A round at the head ended without an answer: why, and in which words (copied). alone: it has no
 * other address, so that other words for the same are news and not its next address. */
void inquiry_refused(Inquiry *i, GcsStatus status, const char *text, bool alone);
/* An examination is wanted: due at once, unless one runs or is due already. */
void inquiry_begin(Inquiry *i);
/* Of a head at this address with its port, known by this name or by none (""). Does nothing while
 * one runs; if it cannot begin, the words of the refusal are the reason. */
void inquiry_examine(Inquiry *i, const char *name, const Addr *addr);
/* It answers, or another one is in question: nothing is known and nothing due. */
void inquiry_drop(Inquiry *i);
/* Something changed on this machine: the pauses are short again, from the next one on. */
void inquiry_kick(Inquiry *i);

/* What the last unanswered round said; "" = there was none. Valid until the next call of the above,
 * as everything below. */
const char *inquiry_refusal(const Inquiry *i);
/* The reason, "" while there is none; its verdict, or invalid when it is none of an examination;
 * and what to do, which may be "" with a verdict. */
const char *inquiry_why(const Inquiry *i);
Verdict inquiry_verdict(const Inquiry *i);
const char *inquiry_remedy(const Inquiry *i);
/* There is no reason yet, and an examination runs or is due. */
bool inquiry_is_busy(const Inquiry *i);
