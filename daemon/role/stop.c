/* GetUnit -> its Job -> the job's JobType
 *
 *     asking unit ── no such unit ────────────┐
 *         │                                   │
 *     asking job ─── (0, "/"): no job ────────┼──> leave Ray alone
 *         │                                   │
 *     asking type ── anything but "stop" ─────┘
 *         └───────── "stop" ──> stop Ray too
 */
#include "role/stop.h"

#include "base/strtab.h"
#include "base/time.h"

#define SYSTEMD "org.freedesktop.systemd1"

struct StopAsk {
        sd_event_source *deadline, *later;
        sd_bus_slot *call;
        stop_cb cb;
        void *userdata;
};

StopAsk *stop_ask_free(StopAsk *a)
{
        if (!a)
                return NULL;
        sd_bus_slot_unref(a->call);
        sd_event_source_disable_unref(a->deadline);
        sd_event_source_disable_unref(a->later);
        free(a);
        return NULL;
}

/* The last thing an ask does: the callback may free it. */
static int answer(StopAsk *a, bool engine_too, const char *text)
{
        a->call = sd_bus_slot_unref(a->call);
        a->deadline = sd_event_source_disable_unref(a->deadline);
        a->later = sd_event_source_disable_unref(a->later);
        a->cb(engine_too, text, a->userdata);
        return 1;
}

static int on_type(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        StopAsk *a = userdata;
        const char *type = NULL;

        if (sd_bus_message_is_method_error(m, NULL) || sd_bus_message_read(m, "v", "s", &type) < 0)
                return answer(a, false, "systemd's job for us is over");
        if (!streq(type, "stop")) {
                _cleanup_free_ char *text = str_printf("systemd's job is \"%s\"", type);
                return answer(a, false, strempty(text));
        }
        return answer(a, true, "systemd's job is \"stop\"");
}

static int on_job(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        StopAsk *a = userdata;
        const char *path = NULL;
        uint32_t id = 0;

        if (sd_bus_message_is_method_error(m, NULL) ||
            sd_bus_message_read(m, "v", "(uo)", &id, &path) < 0 || id == 0)
                return answer(a, false, "systemd has no job for us");
        sd_bus *bus = sd_bus_message_get_bus(m);
        a->call = sd_bus_slot_unref(a->call);
        int r = sd_bus_call_method_async(bus, &a->call, SYSTEMD, path,
                                         "org.freedesktop.DBus.Properties", "Get", on_type, a, "ss",
                                         SYSTEMD ".Job", "JobType");
        return r < 0 ? answer(a, false, "systemd cannot be asked") : 1;
}

static int on_unit(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        StopAsk *a = userdata;
        const char *path = NULL;

        if (sd_bus_message_is_method_error(m, NULL) || sd_bus_message_read(m, "o", &path) < 0)
                return answer(a, false, "we do not run as a unit of systemd");
        sd_bus *bus = sd_bus_message_get_bus(m);
        a->call = sd_bus_slot_unref(a->call);
        int r = sd_bus_call_method_async(bus, &a->call, SYSTEMD, path,
                                         "org.freedesktop.DBus.Properties", "Get", on_job, a, "ss",
                                         SYSTEMD ".Unit", "Job");
        return r < 0 ? answer(a, false, "systemd cannot be asked") : 1;
}

static int on_deadline(sd_event_source *s, uint64_t usec, void *userdata)
{
        (void)answer(userdata, false, "systemd did not answer in time");
        return 0;
}

static int on_later(sd_event_source *s, void *userdata)
{
        (void)answer(userdata, false, "systemd cannot be asked: no connection to the bus");
        return 0;
}

int stop_ask_new(sd_event *event, Bus *bus, const char *unit, stop_cb cb, void *userdata,
                 StopAsk **ret)
{
        _cleanup_(stop_ask_freep) StopAsk *a = new0(StopAsk, 1);
        if (!a)
                return -ENOMEM;
        a->cb = cb;
        a->userdata = userdata;
        sd_bus *b = bus_get(bus);
        int r = b ? sd_bus_call_method_async(b, &a->call, SYSTEMD, "/org/freedesktop/systemd1",
                                             SYSTEMD ".Manager", "GetUnit", on_unit, a, "s", unit)
                  : -ENOTCONN;
        if (r < 0)
                r = sd_event_add_defer(event, &a->later, on_later, a);
        if (r >= 0)
                r = sd_event_add_time_relative(event, &a->deadline, CLOCK_MONOTONIC,
                                               STOP_ASK_TIMEOUT_USEC, 0, on_deadline, a);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(a);
        return 0;
}
