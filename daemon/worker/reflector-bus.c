#include "worker/reflector-bus.h"

#include "base/alloc.h"
#include "base/log.h"
#include "base/ratelimit.h"
#include "base/strv.h"
#include "sys/bus-object.h"
#include "sys/deadline.h"
#include "wire/reflect-codec.h"

#define OBJECT          "/org/raycluster1/Worker"
#define INTERFACE       "org.raycluster1.Reflector"
#define ERROR_REFLECTOR "org.raycluster1.Error.Reflector"
/* A request without a transfer has some hundred bytes. */
#define REQUEST_MAX ((size_t)4 << 10)

struct ReflectorBus {
        BusObject *object;
        Mirror *mirror;        /* weak */
        sd_bus_message *asked; /* the call of Ask that is not answered yet */
        sd_bus_slot *leaving;  /* of the one that asks: */
        char *asker;           /* his unique name, or NULL */
        RateLimit questions;
        const Trial *trial;                             /* weak */
        sd_bus_message *waiters[REFLECTOR_BUS_WAITERS]; /* calls of WaitTest */
        size_t n_waiters;
        Deadline *patience; /* of all of them, from the first on */
};

static const char *error_words(int error)
{
        switch (error) {
        case -ENOTCONN:
                return "this machine is not connected to a head that has a reflector";
        case -EBUSY:
                return "the head is asked by another just now; try again in some seconds";
        case -ETIMEDOUT:
                return "the head did not answer";
        default:
                return strerror(-error);
        }
}

static int get_head(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        ReflectorBus *b = userdata;
        _cleanup_strv_free_ char **addrs = NULL;
        char here[ADDR_PORT_MAX], there[ADDR_PORT_MAX], text[ADDR_MAX];
        sd_bus_message *reply = NULL;
        MemberLinkHead head;

        if (!mirror_head(b->mirror, &head))
                return sd_bus_error_set(error, ERROR_REFLECTOR, error_words(-ENOTCONN));
        for (size_t i = 0; i < head.n_addrs; i++)
                if (strv_extend(&addrs, addr_format(text, &head.addrs[i])) < 0)
                        return -ENOMEM;
        int r = sd_bus_message_new_method_return(m, &reply);
        if (r >= 0)
                r = sd_bus_message_append(reply, "ss", addr_format_port(here, &head.here),
                                          addr_format_port(there, &head.there));
        if (r >= 0)
                r = sd_bus_message_append_strv(reply, addrs);
        if (r >= 0)
                r = sd_bus_send(NULL, reply, NULL);
        sd_bus_message_unref(reply);
        return r;
}

/* --- questions ----------------------------------------------------------------------------------
 */

static int reply_bytes(sd_bus_message *call, MemberBytes reply)
{
        sd_bus_message *m = NULL;

        int r = sd_bus_message_new_method_return(call, &m);
        if (r >= 0)
                r = sd_bus_message_append_array(m, 'y', reply.data, reply.size);
        if (r >= 0)
                r = sd_bus_send(NULL, m, NULL);
        sd_bus_message_unref(m);
        return r;
}

static void on_answer(int error, MemberBytes reply, void *userdata)
{
        ReflectorBus *b = userdata;
        sd_bus_message *call = TAKE_PTR(b->asked);

        if (!call)
                return;
        int r = error < 0 ? sd_bus_reply_method_errorf(call, ERROR_REFLECTOR, "%s",
                                                       error_words(error))
                          : reply_bytes(call, reply);
        if (r < 0)
                log_debug_errno(r, "Answering a call: %m");
        sd_bus_message_unref(call);
}

/* Whole ranges the head refuses; transfers would hold up what the connection is for. */
static bool may_be_asked(const void *data, size_t size)
{
        ReflectRequest q;

        return size > 0 && size <= REQUEST_MAX && reflect_decode_request(data, size, &q) >= 0 &&
               (q.kind == REFLECT_BEGIN || q.kind == REFLECT_LOOK || q.kind == REFLECT_BACK);
}

static int on_leaving(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        ReflectorBus *b = userdata;
        _cleanup_free_ char *asker = TAKE_PTR(b->asker);

        b->leaving = sd_bus_slot_unref(b->leaving);
        if (asker)
                mirror_leave(b->mirror, asker);
        return 0;
}

/* Trouble here only leaves the others waiting for longer. */
static void watch_asker(ReflectorBus *b, sd_bus_message *m)
{
        const char *who = sd_bus_message_get_sender(m);

        if (streq_ptr(b->asker, who))
                return;
        b->leaving = sd_bus_slot_unref(b->leaving);
        if (free_and_strdup(&b->asker, who) < 0)
                return;
        _cleanup_free_ char *match = str_printf("type='signal',sender='org.freedesktop.DBus',"
                                                "member='NameOwnerChanged',arg0='%s'",
                                                who);
        if (match)
                (void)sd_bus_add_match_async(sd_bus_message_get_bus(m), &b->leaving, match,
                                             on_leaving, NULL, b);
}

static int on_ask(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        ReflectorBus *b = userdata;
        const void *data;
        size_t size;

        int r = sd_bus_message_read_array(m, 'y', &data, &size);
        if (r < 0)
                return r;
        if (!may_be_asked(data, size))
                return sd_bus_error_set(error, SD_BUS_ERROR_INVALID_ARGS,
                                        "no request that a reflector is asked over D-Bus");
        if (!ratelimit_below(&b->questions, now_mono()))
                return sd_bus_error_set(error, ERROR_REFLECTOR,
                                        "the head was asked often just now; try again in ten "
                                        "seconds");
        if (b->asked)
                return sd_bus_error_set(error, ERROR_REFLECTOR, error_words(-EBUSY));
        b->asked = sd_bus_message_ref(m);
        r = mirror_ask(b->mirror, sd_bus_message_get_sender(m), (MemberBytes){data, size},
                       on_answer, b);
        if (r >= 0) {
                watch_asker(b, m);
                return 1;
        }
        b->asked = sd_bus_message_unref(b->asked);
        return sd_bus_error_set(error, ERROR_REFLECTOR, error_words(r));
}

/* --- the test before Ray starts -----------------------------------------------------------------
 */

static void answer_test(ReflectorBus *b, sd_bus_message *call)
{
        const Trial *t = b->trial;
        Verdict v = trial_verdict(t);
        int r = !trial_is_over(t)
                        ? sd_bus_reply_method_errorf(call, ERROR_REFLECTOR,
                                                     "the way back was not tested yet: raycluster "
                                                     "status says what this machine waits for")
                        : sd_bus_reply_method_return(call, "bsss", !trial_is_refused(t),
                                                     v >= 0 ? verdict_to_string(v) : "",
                                                     trial_text(t), trial_remedy(t));

        if (r < 0)
                log_debug_errno(r, "Answering a call: %m");
}

static void answer_waiters(ReflectorBus *b)
{
        (void)deadline_move(b->patience, USEC_INFINITY);
        while (b->n_waiters > 0) {
                sd_bus_message *call = b->waiters[--b->n_waiters];
                answer_test(b, call);
                sd_bus_message_unref(call);
        }
}

static void on_patience(void *userdata)
{
        answer_waiters(userdata);
}

void reflector_bus_check(ReflectorBus *b)
{
        if (trial_is_over(b->trial))
                answer_waiters(b);
}

static int on_wait_test(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        ReflectorBus *b = userdata;

        if (trial_is_over(b->trial)) {
                answer_test(b, m);
                return 1;
        }
        if (b->n_waiters >= REFLECTOR_BUS_WAITERS)
                return sd_bus_error_set(error, SD_BUS_ERROR_LIMITS_EXCEEDED,
                                        "too many wait for the test");
        if (b->n_waiters == 0) {
                int r = deadline_move(b->patience, REFLECTOR_BUS_WAIT_MAX);
                if (r < 0)
                        return r;
        }
        b->waiters[b->n_waiters++] = sd_bus_message_ref(m);
        return 1;
}

/* UNPRIVILEGED: see units/dbus/org.raycluster1.conf. */
static const sd_bus_vtable vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD_WITH_ARGS("GetHead", SD_BUS_NO_ARGS,
                                SD_BUS_RESULT("s", here, "s", there, "as", addresses), get_head,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Ask", SD_BUS_ARGS("ay", request), SD_BUS_RESULT("ay", reply),
                                on_ask, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS(
                "WaitTest", SD_BUS_NO_ARGS,
                SD_BUS_RESULT("b", starts, "s", verdict, "s", sentence, "s", remedy), on_wait_test,
                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

static void on_disconnected(void *userdata)
{
        ReflectorBus *b = userdata;

        b->leaving = sd_bus_slot_unref(b->leaving);
        free(TAKE_PTR(b->asker));
        b->asked = sd_bus_message_unref(b->asked);
        while (b->n_waiters > 0)
                sd_bus_message_unref(b->waiters[--b->n_waiters]);
}

int reflector_bus_new(sd_event *event, Bus *bus, Mirror *mirror, const Trial *trial,
                      ReflectorBus **ret)
{
        static const BusOps ops = {.on_disconnected = on_disconnected};
        _cleanup_(reflector_bus_freep) ReflectorBus *b = new0(ReflectorBus, 1);
        if (!b)
                return -ENOMEM;
        b->mirror = mirror;
        b->trial = trial;
        b->questions = (RateLimit){.interval = 10 * USEC_PER_SEC, .burst = REFLECTOR_BUS_QUESTIONS};
        int r = deadline_new(event, USEC_INFINITY, USEC_PER_SEC / 4, on_patience, b, &b->patience);
        if (r >= 0)
                r = bus_object_new(bus, OBJECT, INTERFACE, vtable, &ops, b, &b->object);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(b);
        return 0;
}

ReflectorBus *reflector_bus_free(ReflectorBus *b)
{
        if (!b)
                return NULL;
        on_disconnected(b);
        bus_object_free(b->object);
        deadline_free(b->patience);
        free(b);
        return NULL;
}
