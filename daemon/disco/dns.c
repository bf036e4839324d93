/* SRV _raycluster._tcp in DNS, then TXT of the same name and the addresses of the targets.
 *
 *   start, refresh --> SRV (every domain at once)
 *      nowhere ----------------------------------------> NOTHING, or FAILED when a server failed
 *      found (the first domain in order) --> TXT, targets --> FOUND
 *                                                |-- cluster= of another cluster --> NOTHING
 *                                                '-- no target has an address -----> FAILED
 *
 * The records name one head and its stand-bys, in the order to be tried. The candidate is one of
 * them; when it did not serve by the next refresh, it is the next one's turn. */
#include <stdio.h>

#include "base/str.h"
#include "disco/source.h"
#include "wire/txt.h"

#define SERVICE "_raycluster._tcp"

/* The classic limit of resolv.conf's search list. */
#define DOMAINS_MAX 6
/* Stand-by heads: nobody runs more, and each costs a look-up. */
#define TARGETS_MAX 8
/* What the second round gets at least, when the first took nearly all of the time-out. */
#define SECOND_ROUND_MIN (500 * USEC_PER_MSEC)

typedef struct DnsSource DnsSource;

typedef struct Domain {
        DnsSource *source; /* weak */
        char *name;        /* "_raycluster._tcp.lab.example" */
        ResolveQuery *query;
        ResolveResult result;
        char *text;
        Srv srv[TARGETS_MAX];
        size_t n_srv;
} Domain;

typedef struct Target {
        DnsSource *source; /* weak */
        char *name;
        uint16_t port;
        ResolveQuery *query;
        ResolveResult result;
        char *text;
        Addr addrs[CANDIDATE_ADDRS_MAX];
        size_t n_addrs;
        bool from_hosts;
} Target;

struct DnsSource {
        Source base;
        bool asking;
        usec_t begun;
        Domain domains[DOMAINS_MAX];
        size_t n_domains;
        const Domain *domain; /* the one that has records */
        Target targets[TARGETS_MAX];
        size_t n_targets;
        ResolveQuery *txt_query;
        HeadTxt txt;
        char *current; /* target of the candidate offered */
        bool served;   /* since the last refresh */
        bool next;     /* the one after current is wanted */
};

/* --- the end of a round ------------------------------------------------------------------------
 */

static void dns_clear(DnsSource *s)
{
        for (size_t i = 0; i < s->n_domains; i++) {
                Domain *d = &s->domains[i];
                resolve_query_cancel(d->query);
                for (size_t k = 0; k < d->n_srv; k++)
                        free(d->srv[k].target);
                free(d->name);
                free(d->text);
                *d = (Domain){0};
        }
        for (size_t i = 0; i < s->n_targets; i++) {
                resolve_query_cancel(s->targets[i].query);
                free(s->targets[i].name);
                free(s->targets[i].text);
                s->targets[i] = (Target){0};
        }
        s->txt_query = resolve_query_cancel(s->txt_query);
        s->n_domains = s->n_targets = 0;
        s->domain = NULL;
        s->asking = false;
}

static void dns_end(DnsSource *s, SourceState state, char *text, Candidate *c)
{
        dns_clear(s);
        if (state == SOURCE_FAILED && s->base.n_found > 0) {
                /* a name server's bad day takes no head away */
                source_keep(&s->base, text);
                return;
        }
        source_set(&s->base, state, text, &c, c ? 1 : 0);
}

static char *names_of(const DnsSource *s)
{
        char *out = NULL;

        for (size_t i = 0; i < s->n_domains; i++) {
                char *more =
                        str_printf("%s%s%s", strempty(out), i > 0 ? ", " : "", s->domains[i].name);
                free(out);
                out = more;
                if (!out)
                        return NULL;
        }
        return out;
}

static void end_without_srv(DnsSource *s)
{
        _cleanup_free_ char *names = names_of(s);

        for (size_t i = 0; i < s->n_domains; i++) {
                const Domain *d = &s->domains[i];
                if (d->result == RESOLVE_NXDOMAIN || d->result == RESOLVE_NODATA ||
                    d->result == RESOLVE_OK)
                        continue;
                char *text =
                        str_printf("SRV %s cannot be looked up: %s", d->name, strempty(d->text));
                dns_end(s, SOURCE_FAILED, text, NULL);
                return;
        }
        char *text = str_printf("no SRV record %s (%s)", strempty(names),
                                resolve_result_to_string(s->domains[0].result == RESOLVE_OK
                                                                 ? RESOLVE_NODATA
                                                                 : s->domains[0].result));
        dns_end(s, SOURCE_NOTHING, text, NULL);
}

static bool target_usable(const Target *t)
{
        for (size_t i = 0; i < t->n_addrs; i++)
                if (addr_is_usable(&t->addrs[i]))
                        return true;
        return false;
}

/* The target whose turn it is: the current one, the one after it if that did not serve, else the
 * first by priority and weight. */
static const Target *choose(const DnsSource *s)
{
        size_t first = 0;

        for (size_t i = 0; s->current && i < s->n_targets; i++)
                if (streq(s->targets[i].name, s->current))
                        first = i + (s->next ? 1 : 0);
        for (size_t k = 0; k < s->n_targets; k++) {
                const Target *t = &s->targets[(first + k) % s->n_targets];
                if (target_usable(t))
                        return t;
        }
        return NULL;
}

static void end_without_address(DnsSource *s)
{
        const Target *t = &s->targets[0];
        char buf[ADDR_MAX], *text;

        if (t->n_addrs > 0)
                text = str_printf("SRV %s names %s, which resolves to %s by %s; give it the head's "
                                  "own address there",
                                  s->domain->name, t->name, addr_format(buf, &t->addrs[0]),
                                  t->from_hosts ? "this machine's /etc/hosts" : "DNS");
        else
                text = str_printf("SRV %s names %s, which has no address: %s", s->domain->name,
                                  t->name, strempty(t->text));
        dns_end(s, SOURCE_FAILED, text, NULL);
}

static void end_round(DnsSource *s)
{
        const DiscoSettings *set = s->base.context->settings;
        char buf[ADDR_MAX];

        if (!isempty(s->txt.cluster) && !streq(s->txt.cluster, set->cluster)) {
                char *text = str_printf("SRV %s belongs to cluster \"%s\", not to \"%s\"",
                                        s->domain->name, s->txt.cluster, set->cluster);
                dns_end(s, SOURCE_NOTHING, text, NULL);
                return;
        }
        const Target *t = choose(s);
        if (!t) {
                end_without_address(s);
                return;
        }
        _cleanup_free_ char *how = str_printf("DNS SRV %s", s->domain->name);
        _cleanup_(candidate_freep) Candidate *c =
                how ? source_candidate(&s->base, t->name, how) : NULL;
        if (!c || free_and_strdup(&c->cluster, s->txt.cluster) < 0 ||
            free_and_strdup(&c->id, s->txt.id) < 0 || free_and_strdup(&s->current, t->name) < 0) {
                dns_end(s, SOURCE_FAILED, NULL, NULL);
                return;
        }
        c->control_port = t->port;
        candidate_add_addrs(c, t->addrs, t->n_addrs, s->txt.gcs ? s->txt.gcs : set->gcs_port);
        s->next = false;
        char *text = str_printf("SRV %s names %s, %s", s->domain->name, t->name,
                                addr_format(buf, &c->addrs[0]));
        dns_end(s, SOURCE_FOUND, text, TAKE_PTR(c));
}

/* --- TXT and targets ---------------------------------------------------------------------------
 */

static void check_second_round(DnsSource *s)
{
        if (s->txt_query)
                return;
        for (size_t i = 0; i < s->n_targets; i++)
                if (s->targets[i].query)
                        return;
        end_round(s);
}

static void on_target(const ResolveAnswer *a, void *userdata)
{
        Target *t = userdata;

        t->query = NULL;
        t->result = a->result;
        t->from_hosts = a->from_hosts;
        (void)free_and_strdup(&t->text, a->text);
        t->n_addrs = MIN(a->n_addrs, ELEMENTSOF(t->addrs));
        memcpy(t->addrs, a->addrs, t->n_addrs * sizeof(Addr));
        check_second_round(t->source);
}

static void on_txt(const ResolveAnswer *a, void *userdata)
{
        DnsSource *s = userdata;
        _cleanup_strv_free_ char **txt = NULL;

        s->txt_query = NULL;
        STRV_FOREACH (t, a->txt)
                (void)txt_accept(&txt, *t, strlen(*t));
        head_txt_parse(txt, &s->txt);
        check_second_round(s);
}

static int ask_target(DnsSource *s, const Srv *srv, usec_t timeout)
{
        Target *t = &s->targets[s->n_targets];

        *t = (Target){.source = s, .port = srv->port, .name = strdup(srv->target)};
        if (!t->name)
                return -ENOMEM;
        s->n_targets++;
        return resolver_host(s->base.context->resolver, t->name, timeout, on_target, t, &t->query);
}

static void ask_second_round(DnsSource *s, const Domain *d)
{
        usec_t left = usec_sub(usec_add(s->begun, s->base.context->settings->timeout), now_mono());
        usec_t timeout = MAX(left, SECOND_ROUND_MIN);

        s->domain = d;
        s->txt = (HeadTxt){0};
        int r = resolver_txt(s->base.context->resolver, d->name, timeout, on_txt, s, &s->txt_query);
        for (size_t i = 0; i < d->n_srv && r >= 0; i++)
                r = ask_target(s, &d->srv[i], timeout);
        if (r < 0)
                dns_end(s, SOURCE_FAILED, str_printf("DNS cannot be asked: %s", strerror(-r)),
                        NULL);
}

/* --- SRV ---------------------------------------------------------------------------------------
 */

/* The first domain in order that has records, once those before it have answered. */
static void check_first_round(DnsSource *s)
{
        if (s->domain)
                return;
        for (size_t i = 0; i < s->n_domains; i++) {
                const Domain *d = &s->domains[i];
                if (d->query)
                        return;
                if (d->n_srv > 0) {
                        ask_second_round(s, d);
                        return;
                }
        }
        end_without_srv(s);
}

static void on_srv(const ResolveAnswer *a, void *userdata)
{
        Domain *d = userdata;

        d->query = NULL;
        d->result = a->result;
        (void)free_and_strdup(&d->text, a->text);
        for (size_t i = 0; i < a->n_srv && d->n_srv < ELEMENTSOF(d->srv); i++) {
                Srv srv = a->srv[i];
                srv.target = strdup(a->srv[i].target);
                if (srv.target)
                        d->srv[d->n_srv++] = srv;
        }
        check_first_round(d->source);
}

static int ask_domain(DnsSource *s, const char *domain)
{
        /* .local is mDNS's own, a name server knows nothing of it (RFC 6762) */
        if (streq(domain, "local") || endswith(domain, ".local") || s->n_domains >= DOMAINS_MAX)
                return 0;
        Domain *d = &s->domains[s->n_domains];
        *d = (Domain){.source = s, .name = str_printf(SERVICE ".%s", domain)};
        if (!d->name)
                return -ENOMEM;
        s->n_domains++;
        return resolver_srv(s->base.context->resolver, d->name, s->base.context->settings->timeout,
                            on_srv, d, &d->query);
}

static int ask_domains(DnsSource *s)
{
        const DiscoSettings *set = s->base.context->settings;
        _cleanup_strv_free_ char **domains = NULL;

        if (!isempty(set->domain))
                return ask_domain(s, set->domain);
        int r = resolver_domains(s->base.context->resolver, &domains);
        for (char **d = domains; d && *d && r >= 0; d++)
                r = ask_domain(s, *d);
        return r;
}

/* --- the source --------------------------------------------------------------------------------
 */

static void dns_refresh(Source *base)
{
        DnsSource *s = (DnsSource *)base;

        if (s->asking)
                return;
        if (base->state == SOURCE_FOUND && !s->served)
                s->next = true;
        s->served = false;
        s->asking = true;
        s->begun = now_mono();
        int r = ask_domains(s);
        if (r < 0)
                dns_end(s, SOURCE_FAILED, str_printf("DNS cannot be asked: %s", strerror(-r)),
                        NULL);
        else if (s->n_domains == 0)
                dns_end(s, SOURCE_NOTHING,
                        strdup("this machine has no DNS domain to look for SRV " SERVICE
                               " in (set discovery.domain)"),
                        NULL);
}

static int dns_start(Source *base)
{
        source_set(base, SOURCE_ASKING, strdup("asking DNS for SRV " SERVICE), NULL, 0);
        dns_refresh(base);
        return 0;
}

static void dns_served(Source *base, const Candidate *c)
{
        DnsSource *s = (DnsSource *)base;

        if (s->current && streq(c->name, s->current))
                s->served = true;
}

static void dns_done(Source *base)
{
        DnsSource *s = (DnsSource *)base;

        dns_clear(s);
        free(s->current);
}

const SourceVTable source_dns = {
        .kind = DISCO_DNS,
        .size = sizeof(DnsSource),
        .start = dns_start,
        .refresh = dns_refresh,
        .served = dns_served,
        .done = dns_done,
};
