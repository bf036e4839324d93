#include "probe/addresses.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "probe/facts.h"
#include "probe/verdict.h"

void addresses_done(Addresses *a)
{
        free(TAKE_PTR(a->first));
}

bool addresses_may_help(const Addresses *a, const Evidence *e)
{
        Judgement j;

        if (a->next >= a->n_others)
                return false;
        judge(e, &j);
        return j.verdict >= VERDICT_LINK_DOWN && j.verdict <= VERDICT_PORT_CLOSED &&
               j.verdict != VERDICT_LOCAL_RESOURCES && j.verdict != VERDICT_WRONG_INTERFACE;
}

int addresses_next(Addresses *a, Evidence *e)
{
        uint16_t port = e->addr.port;

        if (!a->first) {
                a->first = new0(Evidence, 1);
                if (!a->first)
                        return -ENOMEM;
                *a->first = *e;
        }
        facts_forget(e);
        e->life = (LifeFacts){0};
        e->addr = a->others[a->next++];
        e->addr.port = port;
        return 0;
}

bool addresses_failed(const Addresses *a, const Evidence *e)
{
        return a->first && e->tcp.outcome != CONNECT_ESTABLISHED;
}

void addresses_choose(const Addresses *a, Evidence *e)
{
        Judgement j;
        char addr[ADDR_MAX];

        if (!a->first)
                return;
        if (addresses_failed(a, e)) {
                *e = *a->first;
                e->cut = false;
                return;
        }
        judge(a->first, &j);
        (void)snprintf(e->name_text, sizeof(e->name_text), "%s has %u addresses, and %s is %s",
                       e->host, e->n_addrs, addr_format(addr, &a->first->addr),
                       verdict_to_string(j.verdict));
}
