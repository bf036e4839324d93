/* Waits for Ray, woken by D-Bus: names that come, properties that change. */
#include <stdio.h>

#include "base/log.h"
#include "base/parse.h"
#include "cli/client.h"

/* A worker has no count of its own that could change under us: its daemon is asked for nodes this
 * often (it asks the GCS at most every two seconds). */
#define WAIT_ASK_EVERY (2 * USEC_PER_SEC)

typedef struct Wait {
        const Cli *cli;
        sd_bus *bus;
        bool counted;     /* --workers was given */
        uint64_t workers; /* how many */
        usec_t deadline;  /* monotonic; USEC_INFINITY = none */
        char *last;       /* why not yet, for the message at the end */
        bool woken;
} Wait;

static int on_signal(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Wait *w = userdata;

        w->woken = true;
        return 0;
}

static int watch(Wait *w)
{
        for (Role role = 0; role < _ROLE_MAX; role++) {
                _cleanup_free_ char *owner = str_printf(
                        "type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged',"
                        "arg0='%s'",
                        CLIENT_NAME(role));
                _cleanup_free_ char *change = str_printf(
                        "type='signal',sender='%s',path='%s',"
                        "interface='org.freedesktop.DBus.Properties',member='PropertiesChanged'",
                        CLIENT_NAME(role), CLIENT_PATH(role));
                if (!owner || !change)
                        return -ENOMEM;
                int r = sd_bus_add_match(w->bus, NULL, owner, on_signal, w);
                if (r >= 0)
                        r = sd_bus_add_match(w->bus, NULL, change, on_signal, w);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* 1: as many as wanted; 0: fewer, *ret says how many. */
static int count_workers(const Wait *w, const View *v, size_t *ret)
{
        if (v->role == ROLE_HEAD)
                *ret = v->workers_alive;
        else {
                NodeSet *s _cleanup_(node_set_freep) = NULL;
                usec_t age;
                int r = client_nodes(w->bus, v->role, &s, &age, NULL);
                if (r < 0 && r != -ENOMEM) {
                        *ret = 0;
                        return 0;
                }
                if (r < 0)
                        return r;
                *ret = age == USEC_INFINITY ? 0 : node_set_count_alive(s, true);
        }
        return *ret >= w->workers;
}

/* 1: it is there; 0: not yet, and w->last says why; a negative errno. */
static int there(Wait *w, bool *ret_ask_again)
{
        _cleanup_view_ View v = {};
        Role role = ROLE_HEAD;
        size_t n = 0;
        int r = client_view(w->bus, &v, &role);

        *ret_ask_again = false;
        free(w->last);
        w->last = NULL;
        if (r == -ETIMEDOUT) {
                *ret_ask_again = true;
                w->last = strdup("the daemon does not answer");
        } else if (r < 0)
                return r;
        else if (r == 0)
                w->last = strdup("no daemon of raycluster runs");
        else if (!streq(v.state, role == ROLE_HEAD ? "serving" : "joined"))
                w->last = str_printf("%s: %s", v.state, v.reason);
        else if (!w->counted)
                return 1;
        else {
                r = count_workers(w, &v, &n);
                if (r != 0)
                        return r;
                *ret_ask_again = role == ROLE_WORKER;
                w->last = str_printf("%zu of %llu workers are alive", n,
                                     (unsigned long long)w->workers);
        }
        return w->last ? 0 : -ENOMEM;
}

/* Until a signal, or `until` (monotonic). */
static int sleep_until(Wait *w, usec_t until)
{
        w->woken = false;
        for (;;) {
                int r = sd_bus_process(w->bus, NULL);
                if (r < 0)
                        return r;
                if (r > 0)
                        continue;
                usec_t now = now_mono();
                if (w->woken || now >= until)
                        return 0;
                r = sd_bus_wait(w->bus, until == USEC_INFINITY ? UINT64_MAX : until - now);
                if (r < 0 && r != -EINTR)
                        return r;
        }
}

static int wait_for(Wait *w)
{
        for (;;) {
                bool again;
                int r = there(w, &again);
                if (r != 0)
                        return r;
                if (now_mono() >= w->deadline)
                        return 0;
                usec_t next = again ? usec_add(now_mono(), WAIT_ASK_EVERY) : USEC_INFINITY;
                r = sleep_until(w, MIN(next, w->deadline));
                if (r < 0)
                        return r;
        }
}

/* "90" seconds, as of every other tool, or "1min 30s"; "0" waits for ever. */
static int parse_timeout(const char *s, usec_t *ret)
{
        uint64_t n;

        if (parse_u64(s, &n) < 0)
                return parse_duration(s, ret);
        if (n > USEC_INFINITY / USEC_PER_SEC - 1)
                return -ERANGE;
        *ret = n * USEC_PER_SEC;
        return 0;
}

static int run(const Cli *cli, const CliArgs *args)
{
        _cleanup_bus_ sd_bus *bus = NULL;
        const char *workers = cli_get(&verb_wait, args, "workers");
        const char *timeout = cli_get(&verb_wait, args, "timeout");
        usec_t t = 0;
        Wait w = {.cli = cli, .counted = workers, .deadline = USEC_INFINITY};

        if (workers && parse_u64(workers, &w.workers) < 0)
                return cli_fail(EXIT_USAGE, "--workers=%s is not a number", workers);
        if (timeout && parse_timeout(timeout, &t) < 0)
                return cli_fail(EXIT_USAGE, "--timeout=%s is not a time such as 90 or \"2min\"",
                                timeout);
        if (t > 0)
                w.deadline = usec_add(now_mono(), t);
        if (client_open(cli, &bus) < 0)
                return EXIT_INTERNAL;
        w.bus = bus;
        int r = watch(&w);
        if (r >= 0)
                r = wait_for(&w);
        _cleanup_free_ char *last = w.last;
        if (r < 0) {
                errno = -r;
                return cli_fail(EXIT_INTERNAL, "cannot wait: %m");
        }
        char buf[DURATION_MAX];
        return r > 0 ? EXIT_OK
                     : cli_fail(EXIT_TIMEOUT, "gave up after %s: %s", format_duration(buf, t),
                                last);
}

const Verb verb_wait = {
        .name = "wait",
        .usage = "[--workers=N] [--timeout=T]",
        .summary = "Wait until Ray serves here",
        .help = "On the head: until the GCS serves; on a worker: until its node is alive in the "
                "cluster; with\n"
                "--workers: until at least N workers are alive, too. The exit status is 4 when the "
                "time is\n"
                "over.",
        .options = {{"workers", 'w', "N", "Wait for N workers (the head not counted)"},
                    {"timeout", 't', "T", "Give up after T: seconds, or \"2min\"; default: never"}},
        .remote = true,
        .run = run,
};
