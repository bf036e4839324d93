/*   a line:  OPENING ──from the loop──> UP ──the connection ends, or it is freed──> gone
 *               └── taken, or not to the head ──> DOWN
 */
#include "worker/mirror.h"

#include <errno.h>

#include "base/alloc.h"
#include "base/str.h"
#include "sys/deadline.h"

#define WHO_MAX 64

typedef struct MirrorLine {
        Line base;
        Mirror *mirror; /* weak; NULL: the line is down */
        LineOps ops;
        void *userdata;
        bool up;
        size_t received;
        const char *why; /* it cannot be opened */
        sd_event_source *first;
} MirrorLine;

typedef struct MirrorTransport {
        Transport base;
        Mirror *mirror; /* weak */
} MirrorTransport;

struct Mirror {
        sd_event *event;              /* weak */
        const Membership *membership; /* weak */
        MirrorTransport transport;
        MirrorLine *line; /* weak: of whoever opened it */
        bool line_awaits;
        char who[WHO_MAX]; /* has the last word, if it is not a line's */
        usec_t said;       /* when; monotonic */
        mirror_cb cb;      /* NULL: he awaits nothing */
        void *cb_userdata;
        Deadline *answer;
        /* Answers that nobody waits for any more, which come before those that are waited for. */
        unsigned n_stale;
        usec_t stale_until;
};

/* --- the connection -----------------------------------------------------------------------------
 */

bool mirror_head(const Mirror *m, MemberLinkHead *ret)
{
        const MemberLink *l = membership_link(m->membership);
        return l && member_link_head(l, ret) && ret->reflects;
}

bool mirror_is_there(const Mirror *m)
{
        MemberLinkHead head;
        return mirror_head(m, &head);
}

static int put(Mirror *m, const void *data, size_t size)
{
        MemberLink *l = membership_link(m->membership);
        return l ? member_link_reflect(l, data, size) : -ENOTCONN;
}

/* A question was asked whose answer is of no use. */
static void expect_stale(Mirror *m)
{
        m->n_stale++;
        m->stale_until = usec_add(now_mono(), MIRROR_ANSWER_MAX);
}

static bool is_stale(Mirror *m)
{
        if (now_mono() >= m->stale_until)
                m->n_stale = 0;
        if (m->n_stale == 0)
                return false;
        m->n_stale--;
        return true;
}

/* The last thing in an event. */
static void answer(Mirror *m, int error, MemberBytes reply)
{
        mirror_cb cb = m->cb;

        m->cb = NULL;
        (void)deadline_move(m->answer, USEC_INFINITY);
        if (cb)
                cb(error, reply, m->cb_userdata);
}

/* He is not waited for: the daemon has a question of its own. */
static void send_away(Mirror *m)
{
        if (m->cb)
                expect_stale(m);
        m->who[0] = '\0';
        answer(m, -EBUSY, (MemberBytes){0});
}

static void on_late(void *userdata)
{
        Mirror *m = userdata;

        expect_stale(m);
        answer(m, -ETIMEDOUT, (MemberBytes){0});
}

/* --- a line -------------------------------------------------------------------------------------
 */

static Line *line_release(Line *line)
{
        MirrorLine *l = CONTAINER_OF(line, MirrorLine, base);
        Mirror *m = l->mirror;

        if (m && m->line == l) {
                m->line = NULL;
                if (m->line_awaits)
                        expect_stale(m);
                m->line_awaits = false;
        }
        sd_event_source_disable_unref(l->first);
        free(l);
        return NULL;
}

static void line_end(MirrorLine *l, const char *why)
{
        Mirror *m = l->mirror;

        if (m && m->line == l) {
                m->line = NULL;
                m->line_awaits = false;
        }
        l->mirror = NULL;
        l->up = false;
        l->ops.on_down(&l->base, why, l->userdata);
}

static int line_put(Line *line, const void *body, size_t size)
{
        MirrorLine *l = CONTAINER_OF(line, MirrorLine, base);

        if (!l->up)
                return -ENOTCONN;
        int r = put(l->mirror, body, size);
        if (r >= 0)
                l->mirror->line_awaits = true;
        return r;
}

static void line_both_ends(const Line *line, Addr *ret_here, Addr *ret_there)
{
        const MirrorLine *l = CONTAINER_OF(line, const MirrorLine, base);
        MemberLinkHead head;

        *ret_here = *ret_there = (Addr){0};
        if (!l->up || !mirror_head(l->mirror, &head))
                return;
        *ret_here = head.here;
        *ret_there = head.there;
}

static void line_how_far(const Line *line, LineProgress *ret)
{
        const MirrorLine *l = CONTAINER_OF(line, const MirrorLine, base);
        *ret = (LineProgress){.received = l->received};
}

static int on_first(sd_event_source *s, void *userdata)
{
        MirrorLine *l = userdata;

        l->first = sd_event_source_disable_unref(l->first);
        if (!l->why && !mirror_is_there(l->mirror))
                l->why = "this machine is not connected to its head just now";
        if (l->why) {
                line_end(l, l->why);
                return 0;
        }
        l->up = true;
        l->ops.on_up(&l->base, l->userdata);
        return 0;
}

static int line_begin(const Transport *t, sd_event *event, const LinePolicy *policy,
                      const LineOps *ops, void *userdata, Line **ret)
{
        static const LineVtable vtable = {.send = line_put,
                                          .ends = line_both_ends,
                                          .progress = line_how_far,
                                          .free = line_release};
        Mirror *m = CONTAINER_OF(t, const MirrorTransport, base)->mirror;
        MirrorLine *l = new0(MirrorLine, 1);

        if (!l)
                return -ENOMEM;
        *l = (MirrorLine){
                .base = {.vtable = &vtable}, .mirror = m, .ops = *ops, .userdata = userdata};
        if (m->line)
                l->why = "the head has one line for this machine";
        else if (!transport_reaches(t, &policy->to))
                l->why = "that is not the head of this machine";
        int r = sd_event_add_defer(event, &l->first, on_first, l);
        if (r < 0) {
                line_release(&l->base);
                return r;
        }
        *ret = &l->base;
        if (l->why)
                return 0;
        m->line = l;
        send_away(m);
        return 0;
}

static bool reaches(const Transport *t, const Addr *to)
{
        const Mirror *m = CONTAINER_OF(t, const MirrorTransport, base)->mirror;
        MemberLinkHead head;

        if (!mirror_head(m, &head))
                return false;
        for (size_t i = 0; i < head.n_addrs; i++)
                if (addr_equal(&head.addrs[i], to))
                        return true;
        return addr_equal(&head.there, to);
}

/* --- what comes ---------------------------------------------------------------------------------
 */

void mirror_take(Mirror *m, MemberBytes reply)
{
        MirrorLine *l = m->line;

        if (is_stale(m))
                return;
        if (l && m->line_awaits) {
                m->line_awaits = false;
                l->received += reply.size;
                l->ops.on_reply(&l->base, reply.data, reply.size, l->userdata);
        } else if (m->cb)
                answer(m, 0, reply);
}

void mirror_check(Mirror *m)
{
        if (membership_link(m->membership))
                return;
        m->n_stale = 0;
        m->who[0] = '\0';
        answer(m, -ENOTCONN, (MemberBytes){0});
        if (m->line && m->line->up)
                line_end(m->line, "the connection to the head ended");
}

/* --- somebody else's questions ------------------------------------------------------------------
 */

int mirror_ask(Mirror *m, const char *who, MemberBytes request, mirror_cb cb, void *userdata)
{
        usec_t now = now_mono();
        bool another =
                !isempty(m->who) && !streq(m->who, who) && usec_sub(now, m->said) < MIRROR_HOLD;

        if (!mirror_is_there(m))
                return -ENOTCONN;
        if (m->line || m->cb || another)
                return -EBUSY;
        int r = put(m, request.data, request.size);
        if (r >= 0)
                r = deadline_move(m->answer, MIRROR_ANSWER_MAX);
        if (r < 0)
                return r;
        str_copy(m->who, sizeof(m->who), who);
        m->said = now;
        m->cb = cb;
        m->cb_userdata = userdata;
        return 0;
}

void mirror_leave(Mirror *m, const char *who)
{
        if (streq(m->who, who))
                send_away(m);
}

/* --- the object ---------------------------------------------------------------------------------
 */

int mirror_new(sd_event *event, const Membership *membership, Mirror **ret)
{
        _cleanup_(mirror_freep) Mirror *m = new0(Mirror, 1);
        if (!m)
                return -ENOMEM;
        m->event = event;
        m->membership = membership;
        m->transport = (MirrorTransport){
                .base = {.open = line_begin, .reaches = reaches, .single = true}, .mirror = m};
        int r = deadline_new(event, USEC_INFINITY, USEC_PER_SEC / 4, on_late, m, &m->answer);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(m);
        return 0;
}

Mirror *mirror_free(Mirror *m)
{
        if (!m)
                return NULL;
        deadline_free(m->answer);
        free(m);
        return NULL;
}

const Transport *mirror_transport(const Mirror *m)
{
        return &m->transport.base;
}
