#include "probe/request.h"

#include <errno.h>
#include <stdio.h>

#include "base/str.h"

static void take_addr(const ProbeRequest *q, Evidence *e)
{
        Addr literal;

        e->name = isempty(e->host) || addr_parse(e->host, &literal) >= 0 ? NAME_LITERAL
                                                                         : NAME_RESOLVED;
        e->addr = *q->addr;
        str_copy(e->name_text, sizeof(e->name_text), strempty(q->note));
}

int request_evidence(const ProbeRequest *q, Evidence *e)
{
        if (q->port == 0 || (isempty(q->host) && !q->addr))
                return -EINVAL;
        if (strlen(strempty(q->host)) >= sizeof(e->host) ||
            strlen(strempty(q->from)) >= sizeof(e->from))
                return -ENAMETOOLONG;
        str_copy(e->host, sizeof(e->host), strempty(q->host));
        str_copy(e->from, sizeof(e->from), strempty(q->from));
        e->name = NAME_UNKNOWN;
        e->here = q->here;
        e->has_token = !isempty(q->token);
        str_copy(e->token_from, sizeof(e->token_from), strempty(q->token_from));
        if (q->cluster)
                ray_id_format(e->cluster, q->cluster);
        if (q->addr)
                take_addr(q, e);
        e->addr.port = q->port;
        e->all = q->all && q->plan;
        if (q->node)
                e->back.node = *q->node;
        return 0;
}
