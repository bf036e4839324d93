#include "worker/reporter.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/ratelimit.h"
#include "base/str.h"

typedef struct Event {
        MessageId id;
        usec_t at; /* Unix time: the head may be away until later */
        char text[MEMBER_EVENT_MAX];
} Event;

struct Reporter {
        Membership *membership; /* weak */
        sd_event_source *work;
        RateLimit rate;
        Event kept[REPORTER_KEPT]; /* a ring */
        size_t first, n;
};

static const bool told[_MSG_MAX] = {
        [MSG_WORKER_WAITING] = true,  [MSG_WAIT_NAME] = true,        [MSG_WAIT_LOCAL] = true,
        [MSG_WAIT_PATH] = true,       [MSG_WAIT_FIREWALL] = true,    [MSG_WAIT_SERVICE] = true,
        [MSG_WAIT_TLS] = true,        [MSG_WAIT_ACCESS] = true,      [MSG_WAIT_BACK] = true,
        [MSG_WAIT_QUALITY] = true,    [MSG_WORKER_JOINED] = true,    [MSG_CLUSTER_CHANGED] = true,
        [MSG_BLOCKED] = true,         [MSG_UNBLOCKED] = true,        [MSG_CONFIG_INVALID] = true,
        [MSG_RESTART_DUE] = true,     [MSG_ENGINE_STARTED] = true,   [MSG_ENGINE_READOPTED] = true,
        [MSG_ENGINE_STOPPED] = true,  [MSG_ENGINE_FAILED] = true,    [MSG_ENGINE_REPAIR] = true,
        [MSG_NODE_DEAD] = true,       [MSG_VERSION_MISMATCH] = true, [MSG_AUTH_OFF] = true,
        [MSG_HEADS_AMBIGUOUS] = true, [MSG_ORDERED] = true,
};

bool reporter_tells(MessageId id)
{
        return id < _MSG_MAX && told[id];
}

/* The oldest makes room: this machine's own journal has it. */
static void keep(Reporter *r, MessageId id, const char *text)
{
        Event *e = &r->kept[(r->first + r->n) % REPORTER_KEPT];

        if (r->n == REPORTER_KEPT)
                r->first = (r->first + 1) % REPORTER_KEPT;
        else
                r->n++;
        e->id = id;
        e->at = now_real();
        if (r->rate.suppressed > 0)
                (void)snprintf(e->text, sizeof(e->text), "%.*s (%u before this were held back)",
                               MEMBER_EVENT_MAX - 48, text, r->rate.suppressed);
        else
                str_copy(e->text, sizeof(e->text), text);
        r->rate.suppressed = 0;
}

/* In the middle of whatever logs: told from the loop. */
static void on_event(MessageId id, const char *text, void *userdata)
{
        Reporter *r = userdata;

        if (!reporter_tells(id) || !ratelimit_below(&r->rate, now_mono()))
                return;
        keep(r, id, text);
        reporter_kick(r);
}

static int on_work(sd_event_source *source, void *userdata)
{
        Reporter *r = userdata;

        while (r->n > 0) {
                const Event *e = &r->kept[r->first];
                int k = membership_event(r->membership, message_id_string(e->id), e->text, e->at);
                if (k == -ENOTCONN)
                        return 0;
                if (k < 0)
                        log_debug_errno(k, "Telling the head of an event: %m");
                r->first = (r->first + 1) % REPORTER_KEPT;
                r->n--;
        }
        return 0;
}

void reporter_kick(Reporter *r)
{
        if (r->n > 0)
                (void)sd_event_source_set_enabled(r->work, SD_EVENT_ONESHOT);
}

int reporter_new(sd_event *event, Membership *membership, Reporter **ret)
{
        _cleanup_(reporter_freep) Reporter *r = new0(Reporter, 1);
        if (!r)
                return -ENOMEM;
        r->membership = membership;
        r->rate = (RateLimit){.interval = USEC_PER_MIN, .burst = REPORTER_BURST};
        int k = sd_event_add_defer(event, &r->work, on_work, r);
        if (k >= 0)
                k = sd_event_source_set_enabled(r->work, SD_EVENT_OFF);
        if (k < 0)
                return k;
        log_set_observer(on_event, r);
        *ret = TAKE_PTR(r);
        return 0;
}

Reporter *reporter_free(Reporter *r)
{
        if (!r)
                return NULL;
        log_set_observer(NULL, NULL);
        sd_event_source_disable_unref(r->work);
        free(r);
        return NULL;
}
