/*
 *   down ──timer──> connecting ──Connected──> up ──Disconnected──> down
 *                       └──────────refused──────────────────────────^
 */
#include "sys/bus.h"

#include <errno.h>

#include "base/backoff.h"
#include "base/str.h"

#define SYSTEM_BUS_ADDRESS "unix:path=/run/dbus/system_bus_socket"

struct BusUser {
        Bus *bus; /* weak */
        BusUser *next;
        const BusOps *ops;
        void *userdata;
        bool told; /* knows that the bus is connected */
};

struct Bus {
        sd_event *event;
        char *address;
        sd_bus *bus;
        bool connected;
        sd_event_source *retry_timer;
        sd_event_source *kick; /* tells users from the loop, never from inside their call */
        Backoff backoff;
        BusUser *users;
};

static BusUser *next_untold(Bus *b, bool told)
{
        for (BusUser *u = b->users; u; u = u->next)
                if (u->told == told)
                        return u;
        return NULL;
}

/* Users may come and go inside a callback: each round starts at the list's head again. */
static int on_kick(sd_event_source *s, void *userdata)
{
        Bus *b = userdata;
        BusUser *u;

        if (b->connected) {
                while ((u = next_untold(b, false))) {
                        u->told = true;
                        if (u->ops->on_connected)
                                u->ops->on_connected(b->bus, u->userdata);
                }
                return 0;
        }
        while ((u = next_untold(b, true))) {
                u->told = false;
                if (u->ops->on_disconnected)
                        u->ops->on_disconnected(u->userdata);
        }
        if (b->bus) {
                sd_bus_detach_event(b->bus);
                b->bus = sd_bus_unref(b->bus);
        }
        (void)sd_event_source_set_time_relative(b->retry_timer, backoff_next(&b->backoff));
        (void)sd_event_source_set_enabled(b->retry_timer, SD_EVENT_ONESHOT);
        return 0;
}

static void kick(Bus *b)
{
        (void)sd_event_source_set_enabled(b->kick, SD_EVENT_ONESHOT);
}

static int on_connected(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Bus *b = userdata;

        b->connected = true;
        backoff_reset(&b->backoff);
        kick(b);
        return 0;
}

static int on_disconnected(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Bus *b = userdata;

        b->connected = false;
        kick(b);
        return 0;
}

static int bus_connect(Bus *b)
{
        _cleanup_(sd_bus_unrefp) sd_bus *bus = NULL;

        int r = sd_bus_new(&bus);
        if (r >= 0)
                r = sd_bus_set_address(bus, b->address);
        if (r >= 0)
                r = sd_bus_set_bus_client(bus, true);
        if (r >= 0)
                r = sd_bus_set_connected_signal(bus, true);
        if (r >= 0)
                r = sd_bus_set_exit_on_disconnect(bus, false);
        if (r >= 0)
                r = sd_bus_start(bus);
        if (r >= 0)
                r = sd_bus_attach_event(bus, b->event, SD_EVENT_PRIORITY_NORMAL);
        if (r >= 0)
                r = sd_bus_match_signal_async(bus, NULL, "org.freedesktop.DBus.Local", NULL,
                                              "org.freedesktop.DBus.Local", "Connected",
                                              on_connected, NULL, b);
        if (r >= 0)
                r = sd_bus_match_signal_async(bus, NULL, "org.freedesktop.DBus.Local", NULL,
                                              "org.freedesktop.DBus.Local", "Disconnected",
                                              on_disconnected, NULL, b);
        if (r < 0) {
                sd_bus_detach_event(bus);
                return r;
        }
        b->bus = TAKE_PTR(bus);
        return 0;
}

static int on_retry(sd_event_source *s, uint64_t usec, void *userdata)
{
        Bus *b = userdata;

        if (bus_connect(b) < 0)
                kick(b);
        return 0;
}

int bus_new(sd_event *event, const char *address, Bus **ret)
{
        _cleanup_(bus_freep) Bus *b = new0(Bus, 1);
        if (!b)
                return -ENOMEM;

        const char *from_env = secure_getenv("DBUS_SYSTEM_BUS_ADDRESS");
        *b = (Bus){
                .event = sd_event_ref(event),
                .address = strdup(address    ? address
                                  : from_env ? from_env
                                             : SYSTEM_BUS_ADDRESS),
                .backoff = {.base = 100 * USEC_PER_MSEC, .max = 5 * USEC_PER_SEC},
        };
        if (!b->address)
                return -ENOMEM;
        int r = sd_event_add_defer(event, &b->kick, on_kick, b);
        if (r >= 0)
                r = sd_event_source_set_enabled(b->kick, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_time_relative(event, &b->retry_timer, CLOCK_MONOTONIC, 0, 0,
                                               on_retry, b);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(b);
        return 0;
}

Bus *bus_free(Bus *b)
{
        if (!b)
                return NULL;
        assert(!b->users); /* users go before the bus */
        sd_event_source_disable_unref(b->kick);
        sd_event_source_disable_unref(b->retry_timer);
        if (b->bus) {
                /* what was sent last (a stop of the engine) must leave before the connection closes
                 */
                (void)sd_bus_flush(b->bus);
                sd_bus_detach_event(b->bus);
                sd_bus_close(b->bus);
                sd_bus_unref(b->bus);
        }
        sd_event_unref(b->event);
        free(b->address);
        free(b);
        return NULL;
}

int bus_subscribe(Bus *b, const BusOps *ops, void *userdata, BusUser **ret)
{
        BusUser *u = new0(BusUser, 1);
        if (!u)
                return -ENOMEM;
        *u = (BusUser){.bus = b, .ops = ops, .userdata = userdata, .next = b->users};
        b->users = u;
        if (b->connected)
                kick(b);
        *ret = u;
        return 0;
}

BusUser *bus_unsubscribe(BusUser *u)
{
        if (!u)
                return NULL;
        for (BusUser **p = &u->bus->users; *p; p = &(*p)->next)
                if (*p == u) {
                        *p = u->next;
                        break;
                }
        free(u);
        return NULL;
}

sd_bus *bus_get(const Bus *b)
{
        return b->connected ? b->bus : NULL;
}
