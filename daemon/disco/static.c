/* The head that the configuration names.
 *
 *   literal ----------------------------------> FOUND
 *   name -----> ASKING (c-ares) --addresses---> FOUND
 *                      |--loopback only ------> FAILED, a mistake with its own text
 *                      |--NXDOMAIN, no data --> NOTHING
 *                      '--no answer ----------> FAILED; an earlier candidate stays
 *   *.local --> ASKING (Avahi), the same ends; again as soon as avahi-daemon comes
 */
#include <stdio.h>

#include "base/str.h"
#include "disco/source.h"
#include "sys/avahi.h"

typedef struct StaticSource {
        Source base;
        ResolveQuery *query;
        Avahi *avahi;
        AvahiLookup *lookup;
} StaticSource;

static bool is_local_name(const char *name)
{
        return endswith(name, ".local") || endswith(name, ".local.");
}

static void found(StaticSource *s, const char *how, const Addr *addrs, size_t n)
{
        const DiscoSettings *set = s->base.context->settings;
        _cleanup_(candidate_freep) Candidate *c = source_candidate(&s->base, set->head, how);
        char buf[ADDR_MAX];

        if (!c) {
                source_set(&s->base, SOURCE_FAILED, NULL, NULL, 0);
                return;
        }
        if (candidate_add_addrs(c, addrs, n, set->gcs_port) == 0) {
                addr_format(buf, &addrs[0]);
                source_set(&s->base, SOURCE_FAILED,
                           str_printf("%s is %s, which Ray cannot use; give cluster.head an "
                                      "address that all machines reach",
                                      set->head, buf),
                           NULL, 0);
                return;
        }
        char *text = str_printf("cluster.head %s is %s", set->head, addr_format(buf, &c->addrs[0]));
        source_set(&s->base, SOURCE_FOUND, text, (Candidate *[]){TAKE_PTR(c)}, 1);
}

/* The name leads back to this machine: Debian's own-name line 127.0.1.1, or a record copied from
 * it. */
static void loopback(StaticSource *s, const Addr *a, const char *by)
{
        char buf[ADDR_MAX];

        source_set(&s->base, SOURCE_FAILED,
                   str_printf("%s resolves to %s by %s, which is this machine and not the head; "
                              "give it the head's own address there, or put that address in "
                              "cluster.head",
                              s->base.context->settings->head, addr_format(buf, a), by),
                   NULL, 0);
}

static bool all_loopback(const Addr *addrs, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (!addr_is_loopback(&addrs[i]))
                        return false;
        return n > 0;
}

static void on_answer(const ResolveAnswer *a, void *userdata)
{
        StaticSource *s = userdata;

        s->query = NULL;
        if (a->result == RESOLVE_OK && all_loopback(a->addrs, a->n_addrs))
                loopback(s, &a->addrs[0], a->from_hosts ? "this machine's /etc/hosts" : "DNS");
        else if (a->result == RESOLVE_OK)
                found(s, a->from_hosts ? "cluster.head (/etc/hosts)" : "cluster.head (DNS)",
                      a->addrs, a->n_addrs);
        else if (a->result == RESOLVE_NXDOMAIN || a->result == RESOLVE_NODATA ||
                 a->result == RESOLVE_BAD_NAME)
                source_set(&s->base, SOURCE_NOTHING,
                           str_printf("no address for %s: %s", a->name, a->text), NULL, 0);
        else {
                char *text = str_printf("%s cannot be looked up: %s", a->name, a->text);
                if (s->base.n_found > 0)
                        source_keep(&s->base, text);
                else
                        source_set(&s->base, SOURCE_FAILED, text, NULL, 0);
        }
}

static void on_local_answer(const char *error, const Addr *addrs, size_t n, void *userdata)
{
        StaticSource *s = userdata;
        const char *head = s->base.context->settings->head;

        s->lookup = NULL;
        if (error)
                source_set(&s->base, SOURCE_NOTHING,
                           str_printf("nobody answers to %s by mDNS (%s)", head, error), NULL, 0);
        else if (all_loopback(addrs, n))
                loopback(s, &addrs[0], "mDNS");
        else
                found(s, "cluster.head (mDNS)", addrs, n);
}

static void local_failed(StaticSource *s, const char *why)
{
        source_set(&s->base, SOURCE_FAILED,
                   str_printf("%s cannot be looked up: %s, and names in .local need it",
                              s->base.context->settings->head, why),
                   NULL, 0);
}

static void ask_local(StaticSource *s)
{
        const DiscoSettings *set = s->base.context->settings;

        if (s->lookup)
                return;
        if (avahi_is_down(s->avahi)) {
                local_failed(s, avahi_text(s->avahi));
                return;
        }
        if (avahi_is_up(s->avahi) &&
            avahi_lookup_new(s->avahi, set->head, set->timeout, on_local_answer, s, &s->lookup) < 0)
                local_failed(s, "the question could not be sent");
}

static void on_avahi_up(sd_bus *bus, const char *owner, void *userdata)
{
        ask_local(userdata);
}

static void on_avahi_down(void *userdata)
{
        StaticSource *s = userdata;

        s->lookup = avahi_lookup_free(s->lookup);
        ask_local(s);
}

/* A literal loopback is somebody's wish, not a mistake of a name. */
static void take_literal(StaticSource *s, const Addr *literal)
{
        const DiscoSettings *set = s->base.context->settings;

        if (!addr_is_usable(literal) && !addr_is_loopback(literal)) {
                found(s, "", literal, 1);
                return;
        }
        _cleanup_(candidate_freep) Candidate *c =
                source_candidate(&s->base, set->head, "cluster.head");
        if (!c) {
                source_set(&s->base, SOURCE_FAILED, NULL, NULL, 0);
                return;
        }
        c->addrs[0] = *literal;
        c->addrs[0].port = set->gcs_port;
        c->n_addrs = 1;
        source_set(&s->base, SOURCE_FOUND, str_printf("cluster.head is %s", set->head),
                   (Candidate *[]){TAKE_PTR(c)}, 1);
}

static void static_refresh(Source *base)
{
        StaticSource *s = (StaticSource *)base;
        const DiscoSettings *set = base->context->settings;
        Addr literal;

        if (isempty(set->head)) {
                source_set(base, SOURCE_NOTHING, strdup("cluster.head is not set"), NULL, 0);
                return;
        }
        if (addr_parse(set->head, &literal) >= 0) {
                take_literal(s, &literal);
                return;
        }
        if (s->avahi) {
                ask_local(s);
                return;
        }
        if (s->query)
                return;
        int r = resolver_host(base->context->resolver, set->head, set->timeout, on_answer, s,
                              &s->query);
        if (r < 0)
                source_set(base, SOURCE_FAILED,
                           str_printf("%s cannot be looked up: %s", set->head, strerror(-r)), NULL,
                           0);
}

static int static_start(Source *base)
{
        static const AvahiOps avahi_ops = {.on_up = on_avahi_up, .on_down = on_avahi_down};
        StaticSource *s = (StaticSource *)base;
        const char *head = base->context->settings->head;

        source_set(base, SOURCE_ASKING, str_printf("asking for %s", head), NULL, 0);
        if (is_local_name(head)) {
                int r = avahi_new(base->context->bus, &avahi_ops, s, &s->avahi);
                if (r < 0)
                        return r;
        }
        static_refresh(base);
        return 0;
}

static void static_done(Source *base)
{
        StaticSource *s = (StaticSource *)base;

        resolve_query_cancel(s->query);
        avahi_lookup_free(s->lookup);
        avahi_free(s->avahi);
}

const SourceVTable source_static = {
        .kind = DISCO_STATIC,
        .size = sizeof(StaticSource),
        .start = static_start,
        .refresh = static_refresh,
        .done = static_done,
};
