#include "sys/avahi.h"

#include <errno.h>
#include <stdarg.h>

#include "base/str.h"

#define AVAHI_NAME "org.freedesktop.Avahi"

struct Avahi {
        BusUser *user;
        const AvahiOps *ops;
        void *userdata;
        sd_bus *bus; /* weak; NULL while the bus is away */
        char *owner; /* ":1.7" */
        bool known;  /* asked and answered */
        sd_bus_slot *owner_match, *owner_call;
};

bool avahi_is_up(const Avahi *a)
{
        return a->owner;
}

bool avahi_is_down(const Avahi *a)
{
        return !a->owner && a->known;
}

const char *avahi_text(const Avahi *a)
{
        if (a->owner)
                return "";
        if (!a->bus)
                return "the system bus cannot be reached";
        return a->known ? "avahi-daemon is not running" : "asking for avahi-daemon";
}

static void avahi_set_owner(Avahi *a, const char *owner)
{
        if (a->known && streq_ptr(a->owner, owner))
                return;
        if (a->owner && owner) /* another daemon already: the old one's objects went with it */
                avahi_set_owner(a, NULL);
        a->known = true;
        if (free_and_strdup(&a->owner, owner) < 0)
                return;
        if (a->owner)
                a->ops->on_up(a->bus, a->owner, a->userdata);
        else
                a->ops->on_down(a->userdata);
}

static int on_owner_changed(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Avahi *a = userdata;
        const char *name, *old_owner, *new_owner;

        if (sd_bus_message_read(m, "sss", &name, &old_owner, &new_owner) < 0 ||
            !streq(name, AVAHI_NAME))
                return 0;
        a->owner_call = sd_bus_slot_unref(a->owner_call); /* this is newer */
        avahi_set_owner(a, isempty(new_owner) ? NULL : new_owner);
        return 0;
}

static int on_owner_reply(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Avahi *a = userdata;
        const char *owner = NULL;

        if (sd_bus_message_is_method_error(m, NULL) || sd_bus_message_read(m, "s", &owner) < 0)
                owner = NULL;
        avahi_set_owner(a, owner);
        return 0;
}

static void on_bus_disconnected(void *userdata)
{
        Avahi *a = userdata;

        a->owner_match = sd_bus_slot_unref(a->owner_match);
        a->owner_call = sd_bus_slot_unref(a->owner_call);
        a->bus = NULL;
        avahi_set_owner(a, NULL);
}

static void on_bus_connected(sd_bus *bus, void *userdata)
{
        Avahi *a = userdata;

        a->bus = bus;
        a->known = false;
        int r = sd_bus_add_match_async(bus, &a->owner_match,
                                       "type='signal',sender='org.freedesktop.DBus',"
                                       "interface='org.freedesktop.DBus',"
                                       "member='NameOwnerChanged',arg0='" AVAHI_NAME "'",
                                       on_owner_changed, NULL, a);
        if (r >= 0)
                r = sd_bus_call_method_async(bus, &a->owner_call, "org.freedesktop.DBus",
                                             "/org/freedesktop/DBus", "org.freedesktop.DBus",
                                             "GetNameOwner", on_owner_reply, a, "s", AVAHI_NAME);
        if (r < 0)
                on_bus_disconnected(a);
}

int avahi_new(Bus *bus, const AvahiOps *ops, void *userdata, Avahi **ret)
{
        static const BusOps bus_ops = {.on_connected = on_bus_connected,
                                       .on_disconnected = on_bus_disconnected};
        _cleanup_(avahi_freep) Avahi *a = new0(Avahi, 1);
        if (!a)
                return -ENOMEM;
        *a = (Avahi){.ops = ops, .userdata = userdata, .known = !bus};
        if (bus) {
                int r = bus_subscribe(bus, &bus_ops, a, &a->user);
                if (r < 0)
                        return r;
        }
        *ret = TAKE_PTR(a);
        return 0;
}

Avahi *avahi_free(Avahi *a)
{
        if (!a)
                return NULL;
        sd_bus_slot_unref(a->owner_match);
        sd_bus_slot_unref(a->owner_call);
        bus_unsubscribe(a->user);
        free(a->owner);
        free(a);
        return NULL;
}

/* --- calls and matches -------------------------------------------------------------------------
 */

int avahi_message_new(Avahi *a, const char *path, const char *interface, const char *member,
                      sd_bus_message **ret)
{
        if (!a->owner)
                return -ENOTCONN;
        int r = sd_bus_message_new_method_call(a->bus, ret, a->owner, path, interface, member);
        return r < 0 ? r : sd_bus_message_set_auto_start(*ret, false);
}

int avahi_call(Avahi *a, const char *path, const char *interface, const char *member,
               sd_bus_message_handler_t cb, void *userdata, sd_bus_slot **ret_slot,
               const char *types, ...)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;

        int r = avahi_message_new(a, path, interface, member, &m);
        if (r >= 0 && !isempty(types)) {
                va_list ap;
                va_start(ap, types);
                r = sd_bus_message_appendv(m, types, ap);
                va_end(ap);
        }
        if (r < 0)
                return r;
        return avahi_send(a, m, cb, userdata, ret_slot);
}

int avahi_send(Avahi *a, sd_bus_message *m, sd_bus_message_handler_t cb, void *userdata,
               sd_bus_slot **ret_slot)
{
        if (!a->bus)
                return -ENOTCONN;
        /* without a callback the answer is not wanted */
        return cb ? sd_bus_call_async(a->bus, ret_slot, m, cb, userdata, 0)
                  : sd_bus_send(a->bus, m, NULL);
}

int avahi_match(Avahi *a, const char *path, const char *interface, sd_bus_message_handler_t cb,
                void *userdata, sd_bus_slot **ret_slot)
{
        if (!a->owner)
                return -ENOTCONN;
        return sd_bus_match_signal_async(a->bus, ret_slot, a->owner, path, interface, NULL, cb,
                                         NULL, userdata);
}

/* --- host names --------------------------------------------------------------------------------
 */

struct AvahiLookup {
        avahi_lookup_cb cb;
        void *userdata;
        sd_bus_slot *calls[2]; /* IPv4, IPv6; NULL = answered */
        Addr addrs[2];
        char *error;
};

static void lookup_take(AvahiLookup *l, sd_bus_message *m)
{
        const char *address;
        int32_t ifindex;
        Addr a;

        const sd_bus_error *e = sd_bus_message_get_error(m);
        if (e) {
                (void)free_and_strdup(&l->error, strempty(e->message));
                return;
        }
        if (sd_bus_message_read(m, "iisisu", &ifindex, NULL, NULL, NULL, &address, NULL) < 0 ||
            addr_parse(address, &a) < 0)
                return;
        if (addr_is_link_local(&a) && a.family == AF_INET6)
                a.scope = (uint32_t)ifindex;
        l->addrs[a.family == AF_INET6] = a;
}

static int on_lookup(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        AvahiLookup *l = userdata;

        lookup_take(l, m);
        size_t which = sd_bus_get_current_slot(sd_bus_message_get_bus(m)) == l->calls[1];
        l->calls[which] = sd_bus_slot_unref(l->calls[which]);
        if (l->calls[0] || l->calls[1])
                return 0;

        size_t n = 0;
        for (size_t i = 0; i < ELEMENTSOF(l->addrs); i++)
                if (addr_is_set(&l->addrs[i]))
                        l->addrs[n++] = l->addrs[i];
        l->cb(n > 0 ? NULL : strempty(l->error), l->addrs, n, l->userdata);
        avahi_lookup_free(l);
        return 0;
}

AvahiLookup *avahi_lookup_free(AvahiLookup *l)
{
        if (!l)
                return NULL;
        sd_bus_slot_unref(l->calls[0]);
        sd_bus_slot_unref(l->calls[1]);
        free(l->error);
        free(l);
        return NULL;
}
DEFINE_CLEANUP(AvahiLookup *, avahi_lookup_free);

int avahi_lookup_new(Avahi *a, const char *name, usec_t timeout, avahi_lookup_cb cb, void *userdata,
                     AvahiLookup **ret)
{
        static const int protocols[] = {AVAHI_PROTO_INET, AVAHI_PROTO_INET6};
        _cleanup_(avahi_lookup_freep) AvahiLookup *l = new0(AvahiLookup, 1);
        if (!l)
                return -ENOMEM;
        *l = (AvahiLookup){.cb = cb, .userdata = userdata};

        for (size_t i = 0; i < ELEMENTSOF(protocols); i++) {
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
                int r = avahi_message_new(a, "/", AVAHI_SERVER, "ResolveHostName", &m);
                if (r >= 0)
                        r = sd_bus_message_append(m, "iisiu", AVAHI_IF_UNSPEC, AVAHI_PROTO_UNSPEC,
                                                  name, protocols[i], 0);
                if (r >= 0)
                        r = sd_bus_call_async(a->bus, &l->calls[i], m, on_lookup, l, timeout);
                if (r < 0)
                        return r;
        }
        *ret = TAKE_PTR(l);
        return 0;
}
