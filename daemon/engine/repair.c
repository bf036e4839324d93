#include "engine/repair.h"

void repair_init(Repair *r)
{
        *r = (Repair){.backoff = {.base = REPAIR_BASE, .max = REPAIR_MAX}};
}

void repair_note_running(Repair *r, usec_t now)
{
        if (r->running_since == 0)
                r->running_since = now;
}

void repair_note_ended(Repair *r, usec_t now)
{
        if (r->running_since != 0 && usec_sub(now, r->running_since) >= REPAIR_FORGET)
                backoff_reset(&r->backoff);
        r->running_since = 0;
}

usec_t repair_next(Repair *r)
{
        r->count++;
        return backoff_next(&r->backoff);
}

usec_t repair_at_once(Repair *r)
{
        bool first = r->backoff.attempt == 0;
        usec_t pause = repair_next(r);
        return first ? 0 : pause;
}

void repair_forget(Repair *r)
{
        backoff_reset(&r->backoff);
}
