/* The head's name on its way to an address: what the resolver's answer means for the examination.
 * No fd, no clock. */
#pragma once

#include "probe/evidence.h"
#include "sys/resolve.h"

/* Takes e->host as an address. A zone that is not here is an interface that is not there: e->from.
 * -EINVAL for a name. */
int name_literal(Evidence *e);

/* Fills e->name, e->name_text, e->n_addrs and, of a name that has one of the family (AF_UNSPEC:
 * any), e->addr; the further addresses that could be another machine go to others[max], their
 * number is returned. e->addr.port is kept. */
size_t name_answer(Evidence *e, const ResolveAnswer *a, int family, Addr *others, size_t max);
