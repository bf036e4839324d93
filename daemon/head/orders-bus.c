#include "head/orders-bus.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/str.h"
#include "head/members-bus.h"

#define ERROR_MEMBERS "org.raycluster1.Error.Members"

/* One call; as many as there are members at most, as each takes one at a time. */
typedef struct Order {
        sd_bus_message *call;
        char *who;
} Order;

static Order *order_free(Order *o)
{
        if (!o)
                return NULL;
        sd_bus_message_unref(o->call);
        free(o->who);
        free(o);
        return NULL;
}
DEFINE_CLEANUP(Order *, order_free);

static void on_end(Gate *g, const char *node, const GateCommandResult *result, void *userdata)
{
        _cleanup_(order_freep) Order *o = userdata;
        int r;

        if (result->end == GATE_COMMAND_DONE && result->ok)
                r = sd_bus_reply_method_return(o->call, "s", result->text);
        else if (result->end == GATE_COMMAND_DONE)
                r = sd_bus_reply_method_errorf(o->call, ERROR_MEMBERS, "%s", result->text);
        else if (result->end == GATE_COMMAND_LATE)
                r = sd_bus_reply_method_errorf(o->call, ERROR_MEMBERS,
                                               "%s has not answered in a minute; it may do it all "
                                               "the same: raycluster status, there, says",
                                               o->who);
        else
                r = sd_bus_reply_method_errorf(o->call, ERROR_MEMBERS,
                                               "%s went away before it had answered; what has "
                                               "come of it, raycluster status, there, says",
                                               o->who);
        if (r < 0)
                log_debug_errno(r, "Answering a call: %m");
}

static int refuse(sd_bus_error *error, int r, const char *who, const char *why)
{
        if (r == -ENOMEM || why)
                return members_bus_refuse(error, r, why);
        if (r == -ENOENT)
                return sd_bus_error_setf(error, ERROR_MEMBERS,
                                         "%s is not here; raycluster node list has who is", who);
        if (r == -EOPNOTSUPP)
                return sd_bus_error_setf(error, ERROR_MEMBERS,
                                         "the raycluster of %s is older and takes no orders: "
                                         "install the head's version there",
                                         who);
        if (r == -EBUSY)
                return sd_bus_error_setf(error, ERROR_MEMBERS,
                                         "%s is still busy with the order before this one", who);
        return sd_bus_error_setf(error, ERROR_MEMBERS, "%s cannot be told: %s", who, strerror(-r));
}

static int order_new(sd_bus_message *call, const char *who, Order **ret)
{
        _cleanup_(order_freep) Order *o = new0(Order, 1);
        if (!o)
                return -ENOMEM;
        o->call = sd_bus_message_ref(call);
        o->who = strdup(who);
        if (!o->who)
                return -ENOMEM;
        *ret = TAKE_PTR(o);
        return 0;
}

int orders_on_command_member(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        Members *members = members_bus_members(userdata);
        _cleanup_(order_freep) Order *o = NULL;
        _cleanup_free_ char *why = NULL;
        const char *who, *name, *argument;

        int r = sd_bus_message_read(call, "sss", &who, &name, &argument);
        if (r < 0)
                return r;
        MemberOrder order = member_order_from_string(name);
        if (order <= MEMBER_ORDER_OTHER)
                return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS,
                                         "%s is no order: start, stop, drain, restart-engine and "
                                         "probe are",
                                         name);
        if (strlen(argument) >= MEMBER_TEXT_MAX)
                return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS,
                                         "an argument has at most %d bytes", MEMBER_TEXT_MAX - 1);
        r = order_new(call, who, &o);
        if (r < 0)
                return r;
        r = members_command(members, who, order, argument, on_end, o, &why);
        if (r < 0)
                return refuse(error, r, who, why);
        (void)TAKE_PTR(o);
        return 1;
}
