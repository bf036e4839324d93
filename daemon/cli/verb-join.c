/* A machine becomes a member of a cluster, or leaves it. */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/parse.h"
#include "base/strv.h"
#include "cli/client.h"
#include "cli/way-back.h"
#include "conf/conf.h"

/* Four addresses, each with the daemon's own time to answer (JOIN_TIMEOUT); it tries on. */
#define JOIN_PATIENCE (90 * USEC_PER_SEC)
/* The daemon gives the head 5 s to say good-bye. */
#define LEAVE_PATIENCE (20 * USEC_PER_SEC)
/* A line of a token is shorter by far. */
#define LINE_MAX_BYTES 1024

static int control_port(uint16_t *ret)
{
        _cleanup_conf_errors_ ConfErrors errors = {0};
        _cleanup_(conf_freep) Conf *c = NULL;

        int r = conf_load(NULL, NULL, &c, &errors);
        if (r < 0)
                return cli_fail(EXIT_CONF,
                                "the configuration is wrong; raycluster check says where");
        *ret = c->settings->ports.control;
        return EXIT_OK;
}

/* NAME or NAME:PORT; an IPv6 address has more colons than one. */
static int split_port(const char *head, char **ret_name, uint16_t *ret_port)
{
        const char *colon = strchr(head, ':');
        unsigned n = 0;

        if (!colon || strchr(colon + 1, ':')) {
                *ret_name = strdup(head);
                return *ret_name ? EXIT_OK : EXIT_INTERNAL;
        }
        if (parse_unsigned(colon + 1, &n) < 0 || n == 0 || n > UINT16_MAX)
                return cli_fail(EXIT_USAGE, "--head=%s: %s is no port", head, colon + 1);
        *ret_port = (uint16_t)n;
        *ret_name = strndup(head, (size_t)(colon - head));
        return *ret_name ? EXIT_OK : EXIT_INTERNAL;
}

/* A name, an address, or one of them with a port. The daemon may not wait for a name server. */
static int resolve(const char *head, char ***ret)
{
        const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
        struct addrinfo *list = NULL;
        _cleanup_free_ char *name = NULL;
        char text[ADDR_PORT_MAX];
        uint16_t port = 0;
        Addr a;

        if (addr_parse_port(head, &a) >= 0 && a.port != 0)
                return strv_extend(ret, addr_format_port(text, &a)) < 0 ? EXIT_INTERNAL : EXIT_OK;
        int r = split_port(head, &name, &port);
        if (r == EXIT_OK && port == 0)
                r = control_port(&port);
        if (r != EXIT_OK)
                return r;
        r = getaddrinfo(name, NULL, &hints, &list);
        if (r != 0)
                return cli_fail(EXIT_INTERNAL, "%s: %s", name, gai_strerror(r));
        for (const struct addrinfo *i = list; i; i = i->ai_next) {
                if (addr_from_sockaddr(i->ai_addr, i->ai_addrlen, &a) < 0)
                        continue;
                a.port = port;
                if (strv_extend(ret, addr_format_port(text, &a)) < 0)
                        break;
        }
        freeaddrinfo(list);
        return EXIT_OK;
}

/* From standard input, so that it stays out of the shell's history and the process list. */
static int read_line(char buf[LINE_MAX_BYTES], const char **ret)
{
        if (!fgets(buf, LINE_MAX_BYTES, stdin))
                return cli_fail(EXIT_USAGE, "no token on standard input");
        *ret = str_strip(buf);
        return EXIT_OK;
}

static int print_outcome(const Cli *cli, sd_bus_message *reply)
{
        const char *pending, *head, *own;

        if (sd_bus_message_read(reply, "sss", &pending, &head, &own) < 0)
                return cli_fail(EXIT_INTERNAL, "the daemon's answer is not to be understood");
        if (isempty(pending)) {
                printf("This machine is a member.\n");
                (void)fflush(stdout);
                if (!way_back_tell(cli))
                        printf("Ray starts by itself: raycluster wait waits for it.\n");
                return EXIT_OK;
        }
        printf("%s\n\n  the head's key:     %s\n  this machine's key: %s\n\n"
               "Compare both with what raycluster node list --pending shows on the head. This "
               "machine asks again\nby itself; raycluster status says how it stands.\n",
               pending, head, own);
        return EXIT_OK;
}

static int call_join(const Cli *cli, const char *token, char *const *heads)
{
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_message_ sd_bus_message *m = NULL, *reply = NULL;
        _cleanup_bus_ sd_bus *bus = NULL;

        int r = client_open(cli, &bus);
        if (r < 0)
                return EXIT_INTERNAL;
        r = sd_bus_message_new_method_call(bus, &m, CLIENT_NAME(ROLE_WORKER),
                                           CLIENT_PATH(ROLE_WORKER), CLIENT_MEMBERSHIP, "Join");
        if (r >= 0)
                r = sd_bus_message_sensitive(m);
        if (r >= 0)
                r = sd_bus_message_append(m, "s", token);
        if (r >= 0)
                r = sd_bus_message_append_strv(m, (char **)heads);
        if (r < 0)
                return cli_fail(EXIT_INTERNAL, "cannot ask the daemon: %s", strerror(-r));
        r = sd_bus_call(bus, m, JOIN_PATIENCE, &error, &reply);
        if (r == -ETIMEDOUT)
                return cli_fail(EXIT_TIMEOUT, "no head has answered so far; the daemon tries on, "
                                              "and raycluster status says how it stands");
        return r < 0 ? client_explain(cli, ROLE_WORKER, &error, r) : print_outcome(cli, reply);
}

static int run_join(const Cli *cli, const CliArgs *args)
{
        const char *head = cli_get(&verb_join, args, "head");
        _cleanup_strv_free_ char **heads = NULL;
        char line[LINE_MAX_BYTES] = "";
        bool ask = cli_get(&verb_join, args, "ask");
        const char *token = args->n_rest > 0 ? args->rest[0] : "";

        if (ask == (args->n_rest > 0))
                return cli_fail(EXIT_USAGE, "usage: raycluster join %s", verb_join.usage);
        int r = head ? resolve(head, &heads) : EXIT_OK;
        if (r == EXIT_OK && streq(token, "-")) {
                r = read_line(line, &token);
        }
        /* without one, any head would do: that is for --ask alone */
        if (r == EXIT_OK && !ask && isempty(token))
                r = cli_fail(EXIT_USAGE, "the token is empty; on the head: raycluster token "
                                         "create");
        if (r == EXIT_OK)
                r = call_join(cli, token, heads);
        explicit_bzero(line, sizeof(line));
        return r;
}

const Verb verb_join = {
        .name = "join",
        .usage = "TOKEN | - | --ask",
        .summary = "On a worker: become a member of a cluster (root, raycluster-admin)",
        .help = "The token is from the head: raycluster token create. With - it is read from "
                "standard input,\n"
                "which keeps it out of the shell's history. It is needed once. Without a token, an "
                "admin of\n"
                "the head can be asked.",
        .options = {{"head", 0, "HOST",
                     "The head, when discovery does not find it; also HOST:PORT"},
                    {"ask", 0, NULL, "Without a token: wait for raycluster node approve"}},
        .n_min = 0,
        .n_max = 1,
        .run = run_join,
};

static int run_leave(const Cli *cli, const CliArgs *args)
{
        _cleanup_message_ sd_bus_message *reply = NULL;
        _cleanup_bus_ sd_bus *bus = NULL;
        const char *untold = NULL;

        if (client_open(cli, &bus) < 0)
                return EXIT_INTERNAL;
        (void)sd_bus_set_method_call_timeout(bus, LEAVE_PATIENCE);
        int r = client_call(cli, bus, ROLE_WORKER, CLIENT_MEMBERSHIP, "Leave", &reply, NULL);
        if (r != EXIT_OK)
                return r;
        printf("This machine is no member any more.\n");
        /* a daemon that was not restarted since the upgrade says nothing */
        if (sd_bus_message_read(reply, "s", &untold) > 0 && !isempty(untold))
                printf("But %s\n", untold);
        return EXIT_OK;
}

const Verb verb_leave = {
        .name = "leave",
        .usage = "",
        .summary = "On a worker: be no member any more (root, raycluster-admin)",
        .help = "Key, certificate and Ray's token are removed, and Ray is drained and stopped.",
        .remote = true,
        .run = run_leave,
};
