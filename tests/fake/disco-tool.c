/* Discovery by hand and for tests/net: prints what changes, one line each, with milliseconds since
 * the start.
 *
 *   disco-tool find [cluster=NAME] [head=NAME] [order=static,dns,…] [domain=D] [timeout=4s]
 *                   [file=LAST-KNOWN]                 commands on stdin: refresh remember quit
 *   disco-tool publish INSTANCE PORT TXT...           commands on stdin: withdraw again quit, or a
 *                                                     new key=value
 *   disco-tool own head|worker [head=ADDR] [address=A] [interface=I]
 *   disco-tool watch                                  this machine's links, addresses, routes
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/str.h"
#include "base/strv.h"
#include "disco/disco.h"
#include "disco/ownaddr.h"
#include "disco/publish.h"
#include "sys/netlink.h"

typedef struct Tool {
        sd_event *event;
        Bus *bus;
        Disco *disco;
        Publisher *publisher;
        const char *instance;
        uint16_t port;
        char **txt;
        usec_t start;
} Tool;

static void say(const Tool *t, const char *what, const char *text)
{
        printf("%6llu %s %s\n", (unsigned long long)((now_mono() - t->start) / USEC_PER_MSEC), what,
               text);
        (void)fflush(stdout);
}

static const char *option(char **argv, const char *key, const char *otherwise)
{
        size_t n = strlen(key);
        for (; *argv; argv++)
                if (strncmp(*argv, key, n) == 0 && (*argv)[n] == '=')
                        return *argv + n + 1;
        return otherwise;
}

static void say_candidate(const Tool *t, const Candidate *c)
{
        _cleanup_strv_free_ char **addrs = NULL;
        char buf[ADDR_PORT_MAX];

        for (size_t i = 0; i < c->n_addrs; i++)
                (void)strv_extend(&addrs, addr_format_port(buf, &c->addrs[i]));
        _cleanup_free_ char *list = strv_join(addrs, ",");
        _cleanup_free_ char *text =
                str_printf("%s name=%s addrs=%s control=%u cluster=%s id=%s how=%s",
                           disco_source_to_string(c->source), c->name, list, c->control_port,
                           c->cluster, c->id, c->how);
        say(t, "best", text);
}

static void on_disco_change(Disco *d, void *userdata)
{
        const Tool *t = userdata;
        DiscoReport reports[_DISCO_SOURCE_MAX];

        size_t n = disco_reports(d, reports);
        for (size_t i = 0; i < n; i++) {
                _cleanup_free_ char *text =
                        str_printf("%s %s: %s", disco_source_to_string(reports[i].source),
                                   source_state_to_string(reports[i].state), reports[i].text);
                say(t, "report", text);
        }
        if (disco_ambiguous(d))
                say(t, "ambiguous", disco_ambiguous(d));
        if (disco_best(d))
                say_candidate(t, disco_best(d));
        else
                say(t, "none", "");
}

static void on_publisher_change(Publisher *p, void *userdata)
{
        say(userdata, publisher_is_published(p) ? "published" : "publisher", publisher_text(p));
}

static void on_net_change(NetMonitor *m, unsigned changed, void *userdata)
{
        say(userdata, "changed",
            changed & NETLINK_CHANGE_ADDR    ? "address"
            : changed & NETLINK_CHANGE_ROUTE ? "route"
                                             : "link");
}

static void command(Tool *t, const char *line)
{
        if (streq(line, "quit"))
                (void)sd_event_exit(t->event, 0);
        else if (streq(line, "refresh"))
                disco_refresh(t->disco);
        else if (streq(line, "remember") && disco_best(t->disco)) {
                int r = disco_remember(t->disco, disco_best(t->disco));
                say(t, "remembered", r < 0 ? strerror(-r) : "ok");
        } else if (streq(line, "withdraw")) {
                publisher_withdraw(t->publisher);
                say(t, "publisher", publisher_text(t->publisher));
        } else if (t->publisher) {
                if (strchr(line, '='))
                        (void)strv_extend(&t->txt, line);
                int r = publisher_set(t->publisher, t->instance, t->port, t->txt);
                say(t, "set", r < 0 ? strerror(-r) : publisher_text(t->publisher));
        }
}

static int on_stdin(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
        char buf[1024];

        ssize_t n = read(fd, buf, sizeof(buf) - 1);
        if (n <= 0)
                return sd_event_exit(sd_event_source_get_event(s), 0);
        buf[n] = 0;
        for (char *save = NULL, *line = strtok_r(buf, "\n", &save); line;
             line = strtok_r(NULL, "\n", &save))
                command(userdata, line);
        return 0;
}

static int find(Tool *t, char **argv)
{
        static const DiscoOps ops = {.on_change = on_disco_change};
        _cleanup_strv_free_ char **order = NULL;
        DiscoSettings s = {
                .cluster = (char *)option(argv, "cluster", "default"),
                .head = (char *)option(argv, "head", ""),
                .domain = (char *)option(argv, "domain", ""),
                .control_port = 6388,
                .gcs_port = 6379,
        };
        int r = parse_duration(option(argv, "timeout", "4s"), &s.timeout);
        if (r >= 0)
                r = strv_split(option(argv, "order", "static,dns,mdns,last-known"), ",", &order);
        STRV_FOREACH (o, order) {
                DiscoSource source = disco_source_from_string(*o);
                if (source < 0 || s.n_order >= ELEMENTSOF(s.order))
                        return -EINVAL;
                s.order[s.n_order++] = source;
        }
        if (r >= 0)
                r = bus_new(t->event, NULL, &t->bus);
        if (r >= 0)
                r = disco_new(t->event, t->bus, &s, option(argv, "file", "/nonexistent/last"), &ops,
                              t, &t->disco);
        return r < 0 ? r : disco_start(t->disco);
}

static int publish(Tool *t, char **argv)
{
        static const PublisherOps ops = {.on_change = on_publisher_change};

        if (!argv[0] || !argv[1])
                return -EINVAL;
        t->instance = argv[0];
        t->port = (uint16_t)atoi(argv[1]);
        int r = 0;
        for (char **a = argv + 2; *a && r >= 0; a++)
                r = strv_extend(&t->txt, *a);
        if (r >= 0)
                r = bus_new(t->event, NULL, &t->bus);
        if (r >= 0)
                r = publisher_new(t->bus, &ops, t, &t->publisher);
        return r < 0 ? r : publisher_set(t->publisher, t->instance, t->port, t->txt);
}

static int own(char **argv)
{
        const NodeSettings node = {.address = (char *)option(argv, "address", ""),
                                   .interface = (char *)option(argv, "interface", "")};
        const char *head = option(argv, "head", NULL);
        _cleanup_free_ char *why = NULL;
        char buf[ADDR_MAX];
        Addr h, a;

        if (!argv[0] || (head && addr_parse(head, &h) < 0))
                return -EINVAL;
        int r = own_address(&node, role_from_string(argv[0]), head ? &h : NULL, &a, &why);
        if (r < 0)
                return r;
        printf("%s %s\n", r > 0 ? "address" : "why", r > 0 ? addr_format(buf, &a) : why);
        return 0;
}

static int watch(Tool *t, NetMonitor **ret)
{
        int r = net_monitor_new(t->event, on_net_change, t, ret);
        say(t, "watching", "");
        return r;
}

int main(int argc, char **argv)
{
        Tool t = {.start = now_mono()};
        NetMonitor *monitor = NULL;
        const char *verb = argc > 1 ? argv[1] : "";

        int r = sd_event_default(&t.event);
        if (streq(verb, "own") && r >= 0) {
                r = own(argv + 2);
                sd_event_unref(t.event);
                return r < 0;
        }
        if (r >= 0)
                r = streq(verb, "find")      ? find(&t, argv + 2)
                    : streq(verb, "publish") ? publish(&t, argv + 2)
                    : streq(verb, "watch")   ? watch(&t, &monitor)
                                             : -EINVAL;
        sd_event_source *in = NULL;
        if (r >= 0)
                r = sd_event_add_io(t.event, &in, STDIN_FILENO, EPOLLIN, on_stdin, &t);
        if (r >= 0)
                r = sd_event_loop(t.event);
        if (r < 0)
                fprintf(stderr, "disco-tool: %s\n", strerror(-r));
        sd_event_source_disable_unref(in);
        net_monitor_free(monitor);
        disco_free(t.disco);
        publisher_free(t.publisher);
        bus_free(t.bus);
        strv_free(t.txt);
        sd_event_unref(t.event);
        return r < 0;
}
