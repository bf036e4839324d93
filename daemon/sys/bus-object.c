#include "sys/bus-object.h"

#include "base/alloc.h"
#include "base/log.h"

struct BusObject {
        const char *path;
        const char *interface;
        const sd_bus_vtable *vtable;
        const BusOps *ops;
        void *userdata;
        BusUser *user;
        sd_bus_slot *slot;
};

static void on_connected(sd_bus *bus, void *userdata)
{
        BusObject *o = userdata;

        o->slot = sd_bus_slot_unref(o->slot);
        int r = sd_bus_add_object_vtable(bus, &o->slot, o->path, o->interface, o->vtable,
                                         o->userdata);
        if (r < 0)
                log_debug_errno(r, "Putting %s on the bus: %m", o->interface);
        else if (o->ops && o->ops->on_connected)
                o->ops->on_connected(bus, o->userdata);
}

static void on_disconnected(void *userdata)
{
        BusObject *o = userdata;

        o->slot = sd_bus_slot_unref(o->slot);
        if (o->ops && o->ops->on_disconnected)
                o->ops->on_disconnected(o->userdata);
}

int bus_object_new(Bus *bus, const char *path, const char *interface, const sd_bus_vtable *vtable,
                   const BusOps *ops, void *userdata, BusObject **ret)
{
        static const BusOps own = {.on_connected = on_connected,
                                   .on_disconnected = on_disconnected};
        _cleanup_(bus_object_freep) BusObject *o = new0(BusObject, 1);
        if (!o)
                return -ENOMEM;
        *o = (BusObject){
                .path = path,
                .interface = interface,
                .vtable = vtable,
                .ops = ops,
                .userdata = userdata,
        };
        int r = bus_subscribe(bus, &own, o, &o->user);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(o);
        return 0;
}

BusObject *bus_object_free(BusObject *o)
{
        if (!o)
                return NULL;
        sd_bus_slot_unref(o->slot);
        bus_unsubscribe(o->user);
        free(o);
        return NULL;
}

sd_bus *bus_object_bus(const BusObject *o)
{
        return o && o->slot ? sd_bus_slot_get_bus(o->slot) : NULL;
}

int bus_answer_list(sd_bus_message *call, const char *element, size_t n,
                    int (*append)(sd_bus_message *m, size_t i, void *userdata), void *userdata)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;

        int r = sd_bus_message_new_method_return(call, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', element);
        for (size_t i = 0; i < n && r >= 0; i++)
                r = append(reply, i, userdata);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        if (r >= 0)
                r = sd_bus_message_send(reply);
        return r < 0 ? r : 1;
}
