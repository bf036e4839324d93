#include "sys/deadline.h"

#include <errno.h>

#include "base/alloc.h"

struct Deadline {
        sd_event_source *timer;
        bool passed; /* the others have their turn now */
        deadline_cb cb;
        void *userdata;
};

static int on_timer(sd_event_source *s, uint64_t usec, void *userdata)
{
        Deadline *d = userdata;

        if (d->passed) {
                d->cb(d->userdata);
                return 0;
        }
        /* Sources of one priority come in the order in which they became ready: what is ready now
         * comes before a timer that expires in the next round. */
        d->passed = true;
        (void)sd_event_source_set_time(s, 0);
        (void)sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
        return 0;
}

int deadline_new(sd_event *event, usec_t in, usec_t accuracy, deadline_cb cb, void *userdata,
                 Deadline **ret)
{
        _cleanup_(deadline_freep) Deadline *d = new0(Deadline, 1);
        if (!d)
                return -ENOMEM;
        *d = (Deadline){.cb = cb, .userdata = userdata};
        int r = sd_event_add_time(event, &d->timer, CLOCK_MONOTONIC, USEC_INFINITY, accuracy,
                                  on_timer, d);
        if (r >= 0)
                r = deadline_move(d, in);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(d);
        return 0;
}

Deadline *deadline_free(Deadline *d)
{
        if (!d)
                return NULL;
        sd_event_source_disable_unref(d->timer);
        free(d);
        return NULL;
}

int deadline_move(Deadline *d, usec_t in)
{
        d->passed = false;
        int r = sd_event_source_set_time_relative(d->timer, in);
        return r < 0 ? r : sd_event_source_set_enabled(d->timer, SD_EVENT_ONESHOT);
}
