/* avahi-daemon on the bus: whether it is there, and host names of .local by it.
 *
 * Nothing here starts avahi-daemon: a machine without it is a machine without mDNS, said so. Its
 * objects are addressed by the unique name of its connection, so that signals of any other process
 * are not mistaken for its own, and a restarted daemon is never sent an old object's path. */
#pragma once

#include "base/addr.h"
#include "base/time.h"
#include "sys/bus.h"

#define AVAHI_SERVER "org.freedesktop.Avahi.Server"
#define AVAHI_SERVER2                                                                              \
        "org.freedesktop.Avahi.Server2" /* since 0.8: Prepare + Start, no lost signal */

#define AVAHI_IF_UNSPEC    (-1)
#define AVAHI_PROTO_UNSPEC (-1)
#define AVAHI_PROTO_INET   0
#define AVAHI_PROTO_INET6  1

typedef struct Avahi Avahi;

typedef struct AvahiOps {
        /* avahi-daemon is there under this name; all objects of an earlier one are gone. */
        void (*on_up)(sd_bus *bus, const char *owner, void *userdata);
        /* It is not there; avahi_text() says why. Also the first answer when there is none. */
        void (*on_down)(void *userdata);
} AvahiOps;

/* Callbacks come from the loop; they may not free the Avahi. bus may be NULL: down for ever. */
int avahi_new(Bus *bus, const AvahiOps *ops, void *userdata, Avahi **ret);
Avahi *avahi_free(Avahi *a);
DEFINE_CLEANUP(Avahi *, avahi_free);

bool avahi_is_up(const Avahi *a);
/* Asked and not up. */
bool avahi_is_down(const Avahi *a);
/* "avahi-daemon is not running", "the system bus cannot be reached"; "" when up. */
const char *avahi_text(const Avahi *a);

/* A call to avahi-daemon without starting it; ret as in sd_bus_call_async(). -ENOTCONN when down.
 */
int avahi_call(Avahi *a, const char *path, const char *interface, const char *member,
               sd_bus_message_handler_t cb, void *userdata, sd_bus_slot **ret_slot,
               const char *types, ...);
/* The same in two steps, for arguments that no format string can say. */
int avahi_message_new(Avahi *a, const char *path, const char *interface, const char *member,
                      sd_bus_message **ret);
int avahi_send(Avahi *a, sd_bus_message *m, sd_bus_message_handler_t cb, void *userdata,
               sd_bus_slot **ret_slot);
/* A match of the signals of one object, or with path NULL of every one that has the interface. */
int avahi_match(Avahi *a, const char *path, const char *interface, sd_bus_message_handler_t cb,
                void *userdata, sd_bus_slot **ret_slot);

typedef struct AvahiLookup AvahiLookup;
/* error: NULL, or one clause. addrs: at most one of each family, IPv4 first. The lookup is gone
 * after it. */
typedef void (*avahi_lookup_cb)(const char *error, const Addr *addrs, size_t n, void *userdata);

/* The address of a name ending in .local. */
int avahi_lookup_new(Avahi *a, const char *name, usec_t timeout, avahi_lookup_cb cb, void *userdata,
                     AvahiLookup **ret);
AvahiLookup *avahi_lookup_free(AvahiLookup *l);
