/* One query of a resolver, from the name to the callback. Only sys/resolve uses it; cancelling is
 * resolve_query_cancel() there. */
#pragma once

#include "sys/resolve.h"

typedef enum QueryKind {
        QUERY_HOST,
        QUERY_SRV,
        QUERY_TXT,
} QueryKind;

/* servers: csv, NULL = resolv.conf's; copied, as the name is. Queries end as sys/resolve.h says. */
int resolve_query_new(sd_event *event, const char *servers, QueryKind kind, const char *name,
                      usec_t timeout, resolve_cb cb, void *userdata, ResolveQuery **ret);
