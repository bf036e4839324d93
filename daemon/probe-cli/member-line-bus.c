/*   OPENING ──the daemon says where the head is──> UP ──an error──> DOWN
 *      └── it is connected no more ────────────────────────────────> DOWN
 */
#include "probe-cli/member-line-bus.h"

#include <errno.h>
#include <systemd/sd-bus.h>

#include "base/alloc.h"
#include "base/str.h"
#include "base/time.h"

#define NAME      "org.raycluster1.Worker"
#define OBJECT    "/org/raycluster1/Worker"
#define INTERFACE "org.raycluster1.Reflector"
/* The daemon answers this from memory. */
#define GREETING_MAX (500 * USEC_PER_MSEC)
/* A certificate has no more. */
#define ADDRS_MAX 16

typedef struct MemberTransport {
        Transport base;
        MemberLines *lines; /* weak */
} MemberTransport;

struct MemberLines {
        MemberTransport transport;
        sd_bus *bus;
        char *settings;
        Addr here, there; /* with port */
        Addr addrs[ADDRS_MAX];
        size_t n_addrs;
};

typedef struct MemberLine {
        Line base;
        MemberLines *lines; /* weak */
        LineOps ops;
        void *userdata;
        bool up;
        size_t received;
        sd_bus_slot *call; /* one is under way */
} MemberLine;

/* --- what the daemon says -----------------------------------------------------------------------
 */

static int read_addrs(MemberLines *m, sd_bus_message *reply)
{
        const char *text;

        m->n_addrs = 0;
        int r = sd_bus_message_enter_container(reply, 'a', "s");
        while (r >= 0 && (r = sd_bus_message_read(reply, "s", &text)) > 0)
                if (m->n_addrs < ADDRS_MAX && addr_parse(text, &m->addrs[m->n_addrs]) >= 0)
                        m->n_addrs++;
        return r;
}

static int read_head(MemberLines *m, sd_bus_message *reply)
{
        const char *here, *there;

        int r = sd_bus_message_read(reply, "ss", &here, &there);
        if (r < 0)
                return r;
        if (addr_parse_port(here, &m->here) < 0 || addr_parse_port(there, &m->there) < 0)
                return -EBADMSG;
        return read_addrs(m, reply);
}

static int new_call(MemberLines *m, const char *method, sd_bus_message **ret)
{
        int r = sd_bus_message_new_method_call(m->bus, ret, NAME, OBJECT, INTERFACE, method);

        /* who has no daemon gets none by looking */
        return r < 0 ? r : sd_bus_message_set_auto_start(*ret, 0);
}

/* 0: there is none. */
static int meet(MemberLines *m)
{
        sd_bus_message *call = NULL, *reply = NULL;

        int r = new_call(m, "GetHead", &call);
        if (r >= 0 && sd_bus_call(m->bus, call, GREETING_MAX, NULL, &reply) >= 0)
                r = read_head(m, reply) >= 0;
        else if (r >= 0)
                r = 0;
        sd_bus_message_unref(reply);
        sd_bus_message_unref(call);
        return r;
}

static void read_settings(MemberLines *m)
{
        (void)sd_bus_get_property_string(m->bus, NAME, OBJECT, NAME, "HeadSettings", NULL,
                                         &m->settings);
}

/* --- a line -------------------------------------------------------------------------------------
 */

static Line *line_release(Line *line)
{
        MemberLine *l = CONTAINER_OF(line, MemberLine, base);

        sd_bus_slot_unref(l->call);
        free(l);
        return NULL;
}

/* The last thing in an event. */
static void line_end(MemberLine *l, const char *why)
{
        l->up = false;
        l->call = sd_bus_slot_unref(l->call);
        l->ops.on_down(&l->base, why, l->userdata);
}

/* An error's words, which live as long as the message. */
static const char *words_of(sd_bus_message *m)
{
        const sd_bus_error *e = sd_bus_message_get_error(m);

        return e && e->message ? e->message : "ray-workerd does not answer";
}

static int on_answer(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        MemberLine *l = userdata;
        const void *data;
        size_t size;

        if (sd_bus_message_is_method_error(m, NULL)) {
                line_end(l, words_of(m));
                return 0;
        }
        if (sd_bus_message_read_array(m, 'y', &data, &size) < 0) {
                line_end(l, "what ray-workerd answers makes no sense");
                return 0;
        }
        l->call = sd_bus_slot_unref(l->call);
        l->received += size;
        l->ops.on_reply(&l->base, data, size, l->userdata);
        return 0;
}

static int line_put(Line *line, const void *body, size_t size)
{
        MemberLine *l = CONTAINER_OF(line, MemberLine, base);
        sd_bus_message *call = NULL;

        if (!l->up)
                return -ENOTCONN;
        if (l->call) /* one question at a time */
                return -EBUSY;
        int r = new_call(l->lines, "Ask", &call);
        if (r >= 0)
                r = sd_bus_message_append_array(call, 'y', body, size);
        if (r >= 0)
                r = sd_bus_call_async(l->lines->bus, &l->call, call, on_answer, l, 0);
        sd_bus_message_unref(call);
        return r < 0 ? r : 0;
}

static void line_both_ends(const Line *line, Addr *ret_here, Addr *ret_there)
{
        const MemberLine *l = CONTAINER_OF(line, const MemberLine, base);

        *ret_here = l->up ? l->lines->here : (Addr){0};
        *ret_there = l->up ? l->lines->there : (Addr){0};
}

static void line_how_far(const Line *line, LineProgress *ret)
{
        const MemberLine *l = CONTAINER_OF(line, const MemberLine, base);
        *ret = (LineProgress){.received = l->received};
}

/* It may have another connection by now than when ray-probe began. */
static int on_head(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        MemberLine *l = userdata;

        if (sd_bus_message_is_method_error(m, NULL))
                line_end(l, words_of(m));
        else if (read_head(l->lines, m) < 0)
                line_end(l, "what ray-workerd answers makes no sense");
        else {
                l->call = sd_bus_slot_unref(l->call);
                l->up = true;
                l->ops.on_up(&l->base, l->userdata);
        }
        return 0;
}

static int line_begin(const Transport *t, sd_event *event, const LinePolicy *policy,
                      const LineOps *ops, void *userdata, Line **ret)
{
        static const LineVtable vtable = {.send = line_put,
                                          .ends = line_both_ends,
                                          .progress = line_how_far,
                                          .free = line_release};
        MemberLines *m = CONTAINER_OF(t, const MemberTransport, base)->lines;
        sd_bus_message *call = NULL;
        MemberLine *l = new0(MemberLine, 1);

        if (!l)
                return -ENOMEM;
        *l = (MemberLine){
                .base = {.vtable = &vtable}, .lines = m, .ops = *ops, .userdata = userdata};
        int r = new_call(m, "GetHead", &call);
        if (r >= 0)
                r = sd_bus_call_async(m->bus, &l->call, call, on_head, l, GREETING_MAX);
        sd_bus_message_unref(call);
        if (r < 0) {
                line_release(&l->base);
                return r;
        }
        *ret = &l->base;
        return 0;
}

static bool reaches(const Transport *t, const Addr *to)
{
        const MemberLines *m = CONTAINER_OF(t, const MemberTransport, base)->lines;

        for (size_t i = 0; i < m->n_addrs; i++)
                if (addr_equal(&m->addrs[i], to))
                        return true;
        return addr_equal(&m->there, to);
}

/* --- the object ---------------------------------------------------------------------------------
 */

int member_lines_new(sd_event *event, MemberLines **ret)
{
        _cleanup_(member_lines_freep) MemberLines *m = new0(MemberLines, 1);
        if (!m)
                return -ENOMEM;
        m->transport = (MemberTransport){
                .base = {.open = line_begin, .reaches = reaches, .single = true}, .lines = m};
        *ret = NULL;
        /* a container, a machine without a bus */
        if (sd_bus_open_system(&m->bus) < 0)
                return 0;
        int r = meet(m);
        if (r <= 0)
                return r;
        read_settings(m);
        r = sd_bus_attach_event(m->bus, event, SD_EVENT_PRIORITY_NORMAL);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(m);
        return 0;
}

MemberLines *member_lines_free(MemberLines *m)
{
        if (!m)
                return NULL;
        sd_bus_flush_close_unref(m->bus);
        free(m->settings);
        free(m);
        return NULL;
}

const Transport *member_lines_transport(const MemberLines *m)
{
        return &m->transport.base;
}

const char *member_lines_settings(const MemberLines *m)
{
        return strempty(m->settings);
}
