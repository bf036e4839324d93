#include "reflect/heard.h"

#include <stdio.h>

#include "base/str.h"

/* Some ten thousand years; what is later would overflow. */
#define TIME_MAX (INT64_MAX / 32)

/* The offset of the clocks, where this answer tells it better than those before: the reply may have
 * taken any part of the time that is not accounted for. */
void heard_clock(Reflection *r, const ReflectReply *p, int64_t t1, int64_t t4)
{
        if (p->t2_usec <= 0 || p->t3_usec < p->t2_usec || p->t3_usec > TIME_MAX)
                return;
        int64_t there = p->t3_usec - p->t2_usec, all = t4 - t1;
        if (all < there)
                return;
        usec_t error = (usec_t)(all - there) / 2;
        if (r->clock_known && error >= r->clock_error)
                return;
        r->clock_known = true;
        r->clock_error = error;
        r->clock_offset_usec = ((p->t2_usec - t1) + (p->t3_usec - t4)) / 2;
}

static void take_route(Reflection *r, const ReflectReply *p)
{
        if (!p->route_known)
                return;
        r->route_known = true;
        r->route_error = p->route_error;
        str_copy(r->route_dev, sizeof(r->route_dev), p->route_dev);
        r->route_source = p->route_source;
        r->route_mtu = p->route_mtu;
}

void heard_begin(Reflection *r, const ReflectReply *p)
{
        r->answered = true;
        r->text[0] = '\0';
        r->observed = p->observed;
        r->local = p->local;
        r->head_node = p->head_node;
        str_copy(r->hostname, sizeof(r->hostname), p->hostname);
        r->head = p->head;
        r->firewall = p->firewall;
        r->clock_sync = p->clock_sync;
        r->before = p->port;
        take_route(r, p);
}

void heard_look(Reflection *r, const ReflectReply *p)
{
        r->port = p->port;
        r->rise = p->rise;
        take_route(r, p);
}

void heard_back(Reflection *r, const ReflectReply *p, const Doors *doors)
{
        for (size_t i = 0; i < p->n_back; i++) {
                BackTry *t = &r->back[MIN(r->n_back, (size_t)BACK_TRIES_MAX - 1)];
                if (r->n_back == BACK_TRIES_MAX) {
                        t->last_port = MAX(p->back[i].last_port, p->back[i].addr.port);
                        t->result = BACK_NOT_TRIED;
                        continue;
                }
                r->n_back++;
                *t = p->back[i];
                t->ours = t->last_port == 0 && doors_have(doors, t->addr.port);
        }
}

/* Why it was not done, for people. */
void heard_refusal(Reflection *r, const ReflectReply *p)
{
        char wait[DURATION_MAX];

        if (p->refusal == REFLECT_RATE && p->retry > 0)
                (void)snprintf(r->text, sizeof(r->text),
                               "the reflector was asked too soon; again in %s",
                               format_duration(wait, p->retry));
        else
                (void)snprintf(r->text, sizeof(r->text), "the reflector refuses: %.120s",
                               isempty(p->text) ? strna(reflect_refusal_to_string(p->refusal))
                                                : p->text);
}
