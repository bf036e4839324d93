/* A whole range of an asker's ports, connected to as fast as descriptors allow: for a person who
 * runs both sides and asked for it, never for a stranger (BackPolicy.range). */
#pragma once

#include <systemd/sd-event.h>

#include "reflect/back-rules.h"

typedef struct BackRangeTest BackRangeTest;

/* Once, from the loop: ranges of one result. May be freed inside. */
typedef void (*back_range_cb)(BackRangeTest *t, const BackTry *tries, size_t n_tries,
                              void *userdata);

/* The ports of first to last that the policy allows, at one address. -EINVAL: none is. */
int back_range_new(sd_event *event, const BackPolicy *policy, const Addr *addr, uint16_t first,
                   uint16_t last, usec_t rtt, back_range_cb cb, void *userdata,
                   BackRangeTest **ret);
BackRangeTest *back_range_free(BackRangeTest *t);
DEFINE_CLEANUP(BackRangeTest *, back_range_free);

/* Results of single ports as ranges, at most BACK_TRIES_MAX of them. Where there are more, ports
 * that are open and ports that refuse are taken together, since the way is open to both; what is
 * still too much ends in one range that was not tried. Returns how many; -ENOMEM. */
int back_range_fold(const Addr *addr, PortResult *results, size_t n,
                    BackTry ret[static BACK_TRIES_MAX]);
