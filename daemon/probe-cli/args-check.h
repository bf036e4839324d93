/* What cannot be on a command line of ray-probe, whatever the network looks like. Each mistake is
 * told on stderr in one line that names it. */
#pragma once

#include "base/macro.h"
#include "model/node.h"

/* Always -EINVAL. */
int mistake(const char *fmt, ...) _printf_(1, 2);

/* An address that a machine can have, or a name that DNS can have. 0 or -EINVAL. */
int check_host(const char *s);
/* Whether HOST and --from, as far as they are addresses, are of the family asked for (AF_UNSPEC:
 * either). */
int check_family(int family, const char *host, const char *from);
/* An own address or the name of an interface; whether it is there is a question of its own. */
int check_from(const char *s);
/* Ray's cluster id as it is written: 56 hex digits. */
int check_cluster_id(const char *s, RayId *ret);
