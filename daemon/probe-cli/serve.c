#include "probe-cli/serve.h"

#include <stdio.h>
#include <time.h>

#include "base/exit.h"
#include "base/fd.h"
#include "model/port-plan.h"
#include "probe-cli/args.h"
#include "probe-cli/site.h"
#include "reflect/serve.h"
#include "sys/listen.h"
#include "sys/listeners.h"
#include "sys/mac.h"
#include "sys/netlink.h"
#include "sys/signals.h"

/* Connections that the kernel keeps while we are busy. */
#define BACKLOG SERVE_CONNECTIONS_MAX
/* Addresses of this machine that are offered to be typed. */
#define NAMES_MAX 4

static void tell(const char *who, const char *text)
{
        char clock[16] = "";
        time_t now = (time_t)(now_real() / USEC_PER_SEC);
        struct tm tm;

        if (localtime_r(&now, &tm))
                (void)strftime(clock, sizeof(clock), "%H:%M:%S ", &tm);
        fprintf(stderr, "%s%s%s%s\n", clock, strempty(who), who ? ": " : "", text);
}

/* --- who has the port ---------------------------------------------------------------------------
 */

static char *owner_of(uint16_t port)
{
        _cleanup_free_ Listener *l = NULL;
        size_t n;

        if (listeners_read(NULL, &l, &n) < 0)
                return NULL;
        for (size_t i = 0; i < n; i++)
                if (l[i].addr.port == port)
                        return listener_owner(&l[i]);
        return NULL;
}

static int cannot_listen(uint16_t port, int error)
{
        if (error == -EADDRINUSE) {
                _cleanup_free_ char *owner = owner_of(port);
                fprintf(stderr,
                        "ray-probe: port %u is taken by %s; try another one: ray-probe --serve "
                        "%u\n",
                        port, owner ? owner : "another program", port < 65535 ? port + 1 : 1024);
        } else if (error == -EACCES)
                fprintf(stderr, "ray-probe: port %u is not for everybody; try one above 1023\n",
                        port);
        else
                fprintf(stderr, "ray-probe: cannot listen on port %u: %s\n", port,
                        strerror(-error));
        return EXIT_INTERNAL;
}

/* --- what is to be typed there ------------------------------------------------------------------
 */

/* The addresses that others may know this machine by; the one of the default route first. */
static size_t own_names(Addr ret[static NAMES_MAX])
{
        _cleanup_free_ NetAddr *addrs = NULL;
        /* RFC 5737 TEST-NET-2: nothing is sent there, only the route is looked at */
        Addr far = {.family = AF_INET, .in.s_addr = htonl(0xc6336401)};
        NetRoute route;
        size_t n_addrs, n = 0;

        if (netlink_route(&far, NULL, 0, &route) >= 0 && addr_is_usable(&route.source))
                ret[n++] = route.source;
        if (netlink_addrs(AF_UNSPEC, &addrs, &n_addrs) < 0)
                return n;
        for (size_t i = 0; i < n_addrs && n < NAMES_MAX; i++) {
                const NetAddr *a = &addrs[i];
                if (!a->global || !a->usable || a->temporary || !addr_is_usable(&a->addr))
                        continue;
                if (n == 0 || !addr_equal(&ret[0], &a->addr))
                        ret[n++] = a->addr;
        }
        return n;
}

static void print_command(const ReflectCode *code, const PortPlan *ports)
{
        char text[REFLECT_CODE_MAX], addr[ADDR_MAX], port[16] = "";
        Addr names[NAMES_MAX];
        size_t n = own_names(names);

        if (ports->gcs != PROBE_PORT_DEFAULT)
                (void)snprintf(port, sizeof(port), " %u", ports->gcs);
        printf("On the other machine, type:\n\n    ray-probe --code %s %s%s\n\n",
               reflect_code_format(text, code), n > 0 ? addr_format(addr, &names[0]) : "HOST",
               port);
        if (n > 1) {
                printf("or one of the other addresses of this machine:");
                for (size_t i = 1; i < n; i++)
                        printf("%s %s", i > 1 ? "," : "", addr_format(addr, &names[i]));
                printf("\n\n");
        }
}

static void print_plan(const BackPolicy *back, uint16_t port)
{
        char life[DURATION_MAX];

        printf("It is told how this machine sees it, and its ports ");
        for (size_t i = 0; i < back->n_ports; i++) {
                const PortSpan *s = &back->ports[i];
                printf("%s%u", i > 0 ? ", " : "", s->first);
                if (s->last > s->first)
                        printf("-%u", s->last);
        }
        printf(" are connected to from here.\n"
               "Port %u of this machine must be reachable for that. Waiting for %s; Ctrl-C ends "
               "it.\n",
               port, format_duration(life, SERVE_LIFETIME));
}

/* --- running ------------------------------------------------------------------------------------
 */

static void on_line(const Addr *peer, const char *text, void *userdata)
{
        char addr[ADDR_MAX];

        tell(addr_format(addr, peer), text);
}

static void on_end(Serve *s, ServeEnd why, void *userdata)
{
        bool guessed = why == SERVE_END_TRIES;

        tell(NULL, guessed ? "too many wrong codes; the code is no longer good"
                           : "the time is over; the code is no longer good");
        (void)sd_event_exit(userdata, guessed ? EXIT_INTERNAL : EXIT_OK);
}

static void on_signal_stop(int signo, void *userdata)
{
        (void)sd_event_exit(userdata, EXIT_OK);
}

/* The terminal is gone. */
static void on_signal_hangup(void *userdata)
{
        (void)sd_event_exit(userdata, EXIT_OK);
}

static int make_policy(const Settings *settings, uint16_t port, ServePolicy *ret)
{
        ServePolicy p = {.code.port = port, .reflect.back = {.claimed = true, .range = true}};

        p.reflect.back.n_ports =
                port_plan_spans(&settings->ports, ROLE_WORKER, p.reflect.back.ports);
        if (!isempty(settings->node.address))
                (void)addr_parse(settings->node.address, &p.reflect.head_node);
        int r = random_bytes(p.code.secret, sizeof(p.code.secret));
        if (r >= 0)
                *ret = p;
        return r;
}

/* Without a port of the caller's the last one of the worker processes will do, which firewalls let
 * through to a head as well: where a head daemon runs, it has the usual one. */
static int open_port(const PortPlan *plan, uint16_t *port, int *ret_fd)
{
        bool free_choice = *port == 0;

        if (free_choice)
                *port = REFLECT_PORT_DEFAULT;
        int r = tcp_listen(*port, BACKLOG, ret_fd);
        if (r != -EADDRINUSE || !free_choice)
                return r;
        uint16_t other = port_plan_workers(plan).last;
        r = tcp_listen(other, BACKLOG, ret_fd);
        if (r < 0)
                return -EADDRINUSE;
        *port = other;
        return r;
}

int serve_command(uint16_t port)
{
        static const ServeOps ops = {.on_line = on_line, .on_end = on_end};
        static const SignalOps signal_ops = {.on_signal_stop = on_signal_stop,
                                             .on_signal_reload = on_signal_hangup};
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        _cleanup_(signals_freep) Signals *signals = NULL;
        _cleanup_(serve_freep) Serve *serve = NULL;
        _cleanup_(conf_freep) Conf *conf = NULL;
        _cleanup_free_ char *note = NULL;
        _cleanup_close_ int fd = -EBADF;
        ServePolicy policy;

        int r = site_load(NULL, &conf, &note);
        if (r < 0)
                return r;
        if (note)
                fprintf(stderr, "ray-probe: %s\n", note);
        r = open_port(&conf->settings->ports, &port, &fd);
        if (r < 0)
                return cannot_listen(port, r);
        r = make_policy(conf->settings, port, &policy);
        if (r < 0)
                return r;
        r = sd_event_new(&event);
        if (r >= 0)
                r = signals_new(event, &signal_ops, event, &signals);
        if (r >= 0)
                r = serve_new(event, fd, &policy, &ops, event, &serve);
        if (r < 0)
                return r;
        TAKE_FD(fd); /* the server's now */
        print_command(&policy.code, &conf->settings->ports);
        print_plan(&policy.reflect.back, port);
        if (fflush(stdout) == EOF)
                return -EIO;
        return sd_event_loop(event);
}
