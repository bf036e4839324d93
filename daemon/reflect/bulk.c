/*
 *   FIRST --arrived--> DONE
 *     └──stalled──> AGAIN (full-sized and small segments at once) --both have an end--> DONE
 */
#include "reflect/bulk.h"

#include "base/alloc.h"

#define SMALL_MSS 536
#define TICK      (25 * USEC_PER_MSEC)
/* The kernel repeats a lost SYN after a second: a new line has another one sooner. */
#define LINES_MAX 3

typedef enum BulkState {
        BULK_FIRST,
        BULK_AGAIN,
        BULK_DONE, /* the owner was told */
        _BULK_STATE_MAX,
        _BULK_STATE_INVALID = -EINVAL,
} BulkState;

typedef enum TransferEnd {
        TRANSFER_RUNS,
        TRANSFER_ARRIVED,
        TRANSFER_STALLED,
        TRANSFER_FAILED, /* there was no line, or no sense in the answer */
} TransferEnd;

typedef struct Transfer {
        Bulk *bulk; /* weak */
        TransferEnd end;
        Line *line;
        int mss;
        size_t n_lines; /* opened, one after the other, until one is up */
        bool up;
        LineProgress progress;
        usec_t moved; /* when it last did */
} Transfer;

struct Bulk {
        sd_event *event;            /* weak */
        const Transport *transport; /* weak */
        LinePolicy policy;
        char interface[IF_NAMESIZE];
        ReflectKind kind;
        bulk_cb cb;
        void *userdata;

        BulkState state;
        Transfer normal, small;
        sd_event_source *tick_timer;
};

static const uint32_t next_states[_BULK_STATE_MAX] = {
        [BULK_FIRST] = 1U << BULK_AGAIN | 1U << BULK_DONE,
        [BULK_AGAIN] = 1U << BULK_DONE,
};

static int bulk_set_state(Bulk *b, BulkState state)
{
        if (!(next_states[b->state] & 1U << state))
                return -EPROTO;
        b->state = state;
        return 0;
}

Bulk *bulk_free(Bulk *b)
{
        if (!b)
                return NULL;
        sd_event_source_disable_unref(b->tick_timer);
        line_free(b->normal.line);
        line_free(b->small.line);
        free(b);
        return NULL;
}

static int transfer_start(Bulk *b, Transfer *t, int mss);

static void finish(Bulk *b)
{
        BulkResult r = {
                .known = b->normal.end == TRANSFER_ARRIVED ||
                         (b->state == BULK_AGAIN && b->normal.end == TRANSFER_STALLED &&
                          b->small.end != TRANSFER_FAILED),
                .stalled = b->normal.end == TRANSFER_STALLED,
                .small = b->small.end == TRANSFER_ARRIVED,
        };
        if (bulk_set_state(b, BULK_DONE) < 0)
                return;
        b->tick_timer = sd_event_source_disable_unref(b->tick_timer);
        b->cb(b, &r, b->userdata);
}

/* Where all transfers have an end, the next step. The last thing in an event. */
static void go_on(Bulk *b)
{
        if (b->normal.end == TRANSFER_RUNS || b->small.end == TRANSFER_RUNS)
                return;
        if (b->state != BULK_FIRST || b->normal.end != TRANSFER_STALLED ||
            bulk_set_state(b, BULK_AGAIN) < 0 || transfer_start(b, &b->normal, 0) < 0 ||
            transfer_start(b, &b->small, SMALL_MSS) < 0)
                finish(b);
}

/* The line is freed here, from its own callback or from the timer. */
static void transfer_end(Transfer *t, TransferEnd end)
{
        t->end = end;
        t->line = line_free(t->line);
        go_on(t->bulk);
}

static void on_line_up(Line *l, void *userdata)
{
        Transfer *t = userdata;
        ReflectRequest q = {.kind = t->bulk->kind};
        _cleanup_buf_ Buf out = {0};

        if (q.kind == REFLECT_DOWN)
                q.bulk = REFLECT_BULK_MAX;
        else
                q.filler = REFLECT_BULK_MAX;
        t->up = true;
        t->moved = now_mono();
        int r = reflect_encode_request(&out, &q);
        if (r >= 0)
                r = line_send(l, buf_data(&out), buf_size(&out));
        if (r < 0)
                transfer_end(t, TRANSFER_FAILED);
}

static void on_line_reply(Line *l, const void *body, size_t size, void *userdata)
{
        Transfer *t = userdata;
        ReflectReply p;
        int r = reflect_decode_reply(body, size, &p);
        bool whole = r >= 0 && p.refusal == REFLECT_NONE &&
                     (t->bulk->kind == REFLECT_DOWN ? p.filler : p.received) == REFLECT_BULK_MAX;
        transfer_end(t, whole ? TRANSFER_ARRIVED : TRANSFER_FAILED);
}

/* A line that breaks under a transfer tells nothing about the size of packets. */
static void on_line_down(Line *l, const char *why, void *userdata)
{
        transfer_end(userdata, TRANSFER_FAILED);
}

static const LineOps line_ops = {
        .on_up = on_line_up,
        .on_reply = on_line_reply,
        .on_down = on_line_down,
};

static int transfer_open(Transfer *t)
{
        Bulk *b = t->bulk;
        LinePolicy policy = b->policy;

        policy.mss = t->mss;
        t->n_lines++;
        t->moved = now_mono();
        int r = line_open(b->transport, b->event, &policy, &line_ops, t, &t->line);
        if (r < 0)
                t->end = TRANSFER_FAILED;
        return r;
}

static int transfer_start(Bulk *b, Transfer *t, int mss)
{
        *t = (Transfer){.bulk = b, .mss = mss};
        return transfer_open(t);
}

/* Ends what has stood still for too long. A line that did not even come up is another matter, and
 * tells nothing of large packets: there is a second one, and a third. */
static void look_at(Transfer *t)
{
        LineProgress now;

        if (t->end != TRANSFER_RUNS)
                return;
        line_progress(t->line, &now);
        if (now.received != t->progress.received || now.unsent != t->progress.unsent) {
                t->progress = now;
                t->moved = now_mono();
        }
        if (usec_sub(now_mono(), t->moved) < BULK_STALL)
                return;
        t->line = line_free(t->line);
        if (t->up)
                t->end = TRANSFER_STALLED;
        else if (t->n_lines >= LINES_MAX)
                t->end = TRANSFER_FAILED;
        else
                (void)transfer_open(t);
}

static int on_tick_timer(sd_event_source *s, uint64_t usec, void *userdata)
{
        Bulk *b = userdata;

        (void)sd_event_source_set_time_relative(s, TICK);
        (void)sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
        look_at(&b->small);
        look_at(&b->normal);
        go_on(b);
        return 0;
}

int bulk_new(sd_event *event, const Transport *transport, const LinePolicy *policy,
             ReflectKind kind, bulk_cb cb, void *userdata, Bulk **ret)
{
        _cleanup_(bulk_freep) Bulk *b = new0(Bulk, 1);
        if (!b)
                return -ENOMEM;
        *b = (Bulk){
                .event = event,
                .transport = transport,
                .policy = *policy,
                .kind = kind,
                .cb = cb,
                .userdata = userdata,
                .small = {.end = TRANSFER_FAILED}, /* not begun */
        };
        if (policy->interface) {
                str_copy(b->interface, sizeof(b->interface), policy->interface);
                b->policy.interface = b->interface;
        }
        int r = transfer_start(b, &b->normal, 0);
        if (r >= 0)
                r = sd_event_add_time_relative(event, &b->tick_timer, CLOCK_MONOTONIC, TICK,
                                               USEC_PER_MSEC, on_tick_timer, b);
        /* after we were held up ourselves, what came in meanwhile is looked at first */
        if (r >= 0)
                r = sd_event_source_set_priority(b->tick_timer, SD_EVENT_PRIORITY_NORMAL + 1);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(b);
        return 0;
}
