#include "worker/membership-bus.h"

#include "base/alloc.h"
#include "base/log.h"
#include "base/str.h"
#include "sys/bus-object.h"
#include "sys/mac.h"

#define OBJECT           "/org/raycluster1/Worker"
#define INTERFACE        "org.raycluster1.Membership"
#define ERROR_MEMBERSHIP "org.raycluster1.Error.Membership"

struct MembershipBus {
        BusObject *object;
        Membership *membership;  /* weak */
        sd_bus_message *waiting; /* the call of Join or Leave */
};

static void on_done(const MembershipAnswer *a, void *userdata)
{
        MembershipBus *b = userdata;
        sd_bus_message *call = TAKE_PTR(b->waiting);
        bool join = call && sd_bus_message_is_method_call(call, INTERFACE, "Join") > 0;
        int r;

        if (!call)
                return;
        if (a->error < 0)
                r = sd_bus_reply_method_errorf(call, ERROR_MEMBERSHIP, "%s", a->text);
        else if (join)
                r = sd_bus_reply_method_return(call, "sss", strempty(a->text),
                                               strempty(a->words_head), strempty(a->words_own));
        else
                r = sd_bus_reply_method_return(call, "s", strempty(a->text));
        if (r < 0)
                log_debug_errno(r, "Answering a call: %m");
        sd_bus_message_unref(call);
}

/* 0: the caller was told. */
static int read_heads(sd_bus_message *m, Addr *ret, size_t *ret_n, sd_bus_error *error)
{
        const char *text;

        int r = sd_bus_message_enter_container(m, 'a', "s");
        while (r >= 0 && (r = sd_bus_message_read(m, "s", &text)) > 0) {
                if (*ret_n >= HEAD_TURNS_MAX)
                        continue;
                if (addr_parse_port(text, &ret[*ret_n]) < 0 || ret[*ret_n].port == 0)
                        return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS,
                                                 "%s is no address with a port", text);
                (*ret_n)++;
        }
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        return r < 0 ? r : 1;
}

static int on_join(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        MembershipBus *b = userdata;
        Addr heads[HEAD_TURNS_MAX];
        const char *token;
        size_t n = 0;

        if (b->waiting)
                return sd_bus_error_set(error, ERROR_MEMBERSHIP,
                                        "this machine is being joined already");
        int r = sd_bus_message_sensitive(m);
        if (r >= 0)
                r = sd_bus_message_read(m, "s", &token);
        if (r >= 0)
                r = read_heads(m, heads, &n, error);
        if (r <= 0)
                return r;
        b->waiting = sd_bus_message_ref(m);
        membership_join(b->membership, isempty(token) ? NULL : token, heads, n, on_done, b);
        return 1;
}

static int on_leave(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        MembershipBus *b = userdata;

        if (b->waiting)
                return sd_bus_error_set(error, ERROR_MEMBERSHIP, "another call is under way");
        b->waiting = sd_bus_message_ref(m);
        membership_leave(b->membership, on_done, b);
        return 1;
}

static int on_get_ray_token(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        MembershipBus *b = userdata;
        _cleanup_forget_text_ char *token = NULL;

        int r = membership_ray_token(b->membership, &token);
        if (r < 0)
                return sd_bus_error_set(error, ERROR_MEMBERSHIP,
                                        "the head gave this machine no token of Ray");
        return sd_bus_reply_method_return(m, "s", token);
}

/* UNPRIVILEGED: see units/dbus/org.raycluster1.conf. */
static const sd_bus_vtable vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD_WITH_ARGS("Join", SD_BUS_ARGS("s", token, "as", heads),
                                SD_BUS_RESULT("s", pending, "s", words_head, "s", words_own),
                                on_join, SD_BUS_VTABLE_UNPRIVILEGED | SD_BUS_VTABLE_SENSITIVE),
        SD_BUS_METHOD_WITH_ARGS("Leave", SD_BUS_NO_ARGS, SD_BUS_RESULT("s", untold), on_leave,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetRayToken", SD_BUS_NO_ARGS, SD_BUS_RESULT("s", token),
                                on_get_ray_token,
                                SD_BUS_VTABLE_UNPRIVILEGED | SD_BUS_VTABLE_SENSITIVE),
        SD_BUS_VTABLE_END,
};

static void on_disconnected(void *userdata)
{
        MembershipBus *b = userdata;

        b->waiting = sd_bus_message_unref(b->waiting);
}

int membership_bus_new(Bus *bus, Membership *membership, MembershipBus **ret)
{
        static const BusOps ops = {.on_disconnected = on_disconnected};
        _cleanup_(membership_bus_freep) MembershipBus *b = new0(MembershipBus, 1);
        if (!b)
                return -ENOMEM;
        b->membership = membership;
        int r = bus_object_new(bus, OBJECT, INTERFACE, vtable, &ops, b, &b->object);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(b);
        return 0;
}

MembershipBus *membership_bus_free(MembershipBus *b)
{
        if (!b)
                return NULL;
        on_disconnected(b);
        bus_object_free(b->object);
        free(b);
        return NULL;
}
