#include "sys/resolve.h"

#include <netdb.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/str.h"
#include "sys/dns-channel.h"
#include "sys/resolve-query.h"

static const char *const resolve_result_table[_RESOLVE_RESULT_MAX] = {
        [RESOLVE_OK] = "ok",
        [RESOLVE_NXDOMAIN] = "NXDOMAIN",
        [RESOLVE_NODATA] = "no such record",
        [RESOLVE_SERVFAIL] = "SERVFAIL",
        [RESOLVE_REFUSED] = "refused",
        [RESOLVE_TIMEOUT] = "no answer",
        [RESOLVE_NO_SERVER] = "no DNS server",
        [RESOLVE_BAD_REPLY] = "bad reply",
        [RESOLVE_BAD_NAME] = "not a host name",
        [RESOLVE_INTERNAL] = "internal trouble",
};
DEFINE_STRTAB(resolve_result, ResolveResult);

struct Resolver {
        sd_event *event;
        char *servers; /* NULL = resolv.conf's */
};

int resolver_new(sd_event *event, Resolver **ret)
{
        Resolver *r = new0(Resolver, 1);
        if (!r)
                return -ENOMEM;
        if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS) {
                free(r);
                return -ENOMEM;
        }
        r->event = sd_event_ref(event);
        *ret = r;
        return 0;
}

Resolver *resolver_free(Resolver *r)
{
        if (!r)
                return NULL;
        ares_library_cleanup();
        sd_event_unref(r->event);
        free(r->servers);
        free(r);
        return NULL;
}

int resolver_set_servers(Resolver *r, const char *csv)
{
        int k = free_and_strdup(&r->servers, csv);
        return k < 0 ? k : 0;
}

static int resolver_channel(Resolver *r, const char *lookups, DnsChannel **ret)
{
        const DnsChannelOptions o = {
                .servers = r->servers, .lookups = lookups, .try_timeout = USEC_PER_SEC};
        return dns_channel_new(r->event, &o, ret);
}

int resolver_servers(Resolver *r, char **ret)
{
        _cleanup_(dns_channel_freep) DnsChannel *c = NULL;

        int k = resolver_channel(r, "b", &c);
        if (k < 0)
                return k;
        *ret = dns_channel_servers(c);
        return *ret ? 0 : -ENOMEM;
}

static int add_domain(char ***l, const char *d)
{
        return isempty(d) || strv_contains(*l, d) ? 0 : strv_extend(l, d);
}

/* The host's own name as /etc/hosts completes it: "127.0.1.1 compute04.lab.example compute04". */
static int add_own_domain(DnsChannel *c, char ***l)
{
        char host[256] = "";

        if (gethostname(host, sizeof(host) - 1) < 0)
                return 0;
        const char *dot = strchr(host, '.');
        if (dot)
                return add_domain(l, dot + 1);

        static const int families[] = {AF_INET, AF_INET6};
        int r = 0;
        for (size_t i = 0; i < ELEMENTSOF(families) && r >= 0; i++) {
                struct hostent *h = NULL;
                if (ares_gethostbyname_file(dns_channel_ares(c), host, families[i], &h) !=
                    ARES_SUCCESS)
                        continue;
                dot = h->h_name ? strchr(h->h_name, '.') : NULL;
                if (dot && strlen(host) == (size_t)(dot - h->h_name) &&
                    strncasecmp(host, h->h_name, strlen(host)) == 0)
                        r = add_domain(l, dot + 1);
                ares_free_hostent(h);
        }
        return r;
}

int resolver_domains(Resolver *r, char ***ret)
{
        _cleanup_(dns_channel_freep) DnsChannel *c = NULL;
        _cleanup_strv_free_ char **l = NULL;
        struct ares_options o;
        int mask = 0;

        int k = resolver_channel(r, "f", &c);
        if (k >= 0)
                k = add_own_domain(c, &l);
        if (k < 0)
                return k;
        if (ares_save_options(dns_channel_ares(c), &o, &mask) != ARES_SUCCESS)
                return -ENOMEM;
        for (int i = 0; i < o.ndomains && k >= 0; i++)
                k = add_domain(&l, o.domains[i]);
        ares_destroy_options(&o);
        if (k < 0)
                return k;
        *ret = TAKE_PTR(l);
        return 0;
}

int resolver_host(Resolver *r, const char *name, usec_t timeout, resolve_cb cb, void *userdata,
                  ResolveQuery **ret)
{
        return resolve_query_new(r->event, r->servers, QUERY_HOST, name, timeout, cb, userdata,
                                 ret);
}

int resolver_srv(Resolver *r, const char *name, usec_t timeout, resolve_cb cb, void *userdata,
                 ResolveQuery **ret)
{
        return resolve_query_new(r->event, r->servers, QUERY_SRV, name, timeout, cb, userdata, ret);
}

int resolver_txt(Resolver *r, const char *name, usec_t timeout, resolve_cb cb, void *userdata,
                 ResolveQuery **ret)
{
        return resolve_query_new(r->event, r->servers, QUERY_TXT, name, timeout, cb, userdata, ret);
}
