#include "cli/node-orders.h"

#include <stdio.h>

#include "base/strv.h"
#include "cli/client.h"

/* A member has a minute, and the head tells when that is over. */
#define ORDER_TIMEOUT (70 * USEC_PER_SEC)

bool node_orders_has(const char *order)
{
        static const char *const orders[] = {"start", "stop", "drain", "restart-engine", "probe"};

        for (size_t i = 0; i < ELEMENTSOF(orders); i++)
                if (streq(orders[i], order))
                        return true;
        return false;
}

/* An error of the member is a line about it; any other would be the same for the next. */
static int tell(const Cli *cli, sd_bus *bus, const char *order, const char *name, bool *failed)
{
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_message_ sd_bus_message *m = NULL;
        const char *text;

        int r = sd_bus_call_method(bus, CLIENT_NAME(ROLE_HEAD), CLIENT_PATH(ROLE_HEAD),
                                   CLIENT_MEMBERS, "CommandMember", &error, &m, "sss", name, order,
                                   "");
        if (r >= 0)
                r = sd_bus_message_read(m, "s", &text);
        if (r >= 0)
                printf("%s: %s\n", name, text);
        else if (!sd_bus_error_has_name(&error, "org.raycluster1.Error.Members"))
                return client_explain(cli, ROLE_HEAD, &error, r);
        else {
                *failed = true;
                (void)cli_fail(0, "%s: %s", name, error.message);
        }
        (void)fflush(stdout);
        return EXIT_OK;
}

static int read_names(sd_bus_message *m, char ***ret)
{
        const char *name, *node, *state;

        int r = sd_bus_message_enter_container(m, 'a', NODE_MEMBER_TYPE);
        while (r >= 0 && (r = sd_bus_message_enter_container(m, 'r', "ssssstttuutsss")) > 0) {
                r = sd_bus_message_read(m, "sss", &name, &node, &state);
                if (r >= 0 && !streq(state, "revoked"))
                        r = strv_extend(ret, name);
                if (r >= 0)
                        r = sd_bus_message_skip(m, "sstttuutsss");
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
        }
        return r;
}

static int all_names(const Cli *cli, sd_bus *bus, char ***ret)
{
        _cleanup_message_ sd_bus_message *m = NULL;

        int r = client_call(cli, bus, ROLE_HEAD, CLIENT_MEMBERS, "GetMembers", &m, NULL);
        if (r != EXIT_OK)
                return r;
        r = read_names(m, ret);
        return r < 0 ? cli_fail(EXIT_INTERNAL, "cannot list: %s", strerror(-r)) : EXIT_OK;
}

int node_orders_run(const Cli *cli, sd_bus *bus, const char *order, char *const *names, bool all)
{
        _cleanup_strv_free_ char **found = NULL;
        bool failed = false;
        int r = EXIT_OK;

        if (all == (names[0] != NULL))
                return cli_fail(EXIT_USAGE, "usage: raycluster node %s NAME… | --all", order);
        (void)sd_bus_set_method_call_timeout(bus, ORDER_TIMEOUT);
        if (all)
                r = all_names(cli, bus, &found);
        STRV_FOREACH (name, all ? found : names)
                if (r == EXIT_OK)
                        r = tell(cli, bus, order, *name, &failed);
        return r == EXIT_OK && failed ? EXIT_INTERNAL : r;
}
