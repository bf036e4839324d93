/* Two one-sided reports, one of the way from a worker to its head and one of the way back, taken
 * together. Pure, but for the words, which are new. */
#pragma once

#include "probe/probe.h"
#include "wire/probe-json.h"

typedef struct Joint {
        ProbeReport report; /* as if the worker had made it, with a reflector */
} Joint;

/* out: made on the worker, of its head; back: made on the head, of that worker. -ENOMEM. */
int joint_make(const ProbeJson *out, const ProbeJson *back, Joint *ret);
void joint_done(Joint *j);
#define _cleanup_joint_ _cleanup_(joint_done)

/* What speaks against the two being a pair, as a line to be told, or NULL: both of one way, or of
 * two IP versions. */
const char *joint_mistake(const ProbeJson *out, const ProbeJson *back);
