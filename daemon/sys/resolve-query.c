/* A query's way:
 *
 *   literal ----------------------------------------------.
 *   host:  hosts file --not there--> A and AAAA ----------+--> done (defer) --> callback, gone
 *   SRV, TXT: ------------------------> one request ------'
 *                                          |  ^
 *             "no server" from c-ares      v  |   asked once more, raw: c-ares loses SERVFAIL and
 *                                        asked raw   REFUSED behind "could not contact a server"
 *
 * c-ares gives up by TCP after one try, when most of the time is left: then all is asked again.
 */
#include "sys/resolve-query.h"

#include "base/alloc.h"
#include "base/str.h"
#include "sys/deadline.h"
#include "sys/dns-channel.h"

/* Both address families are asked at once; when one has answered, the other gets this long more.
 * RFC 8305 waits 50 ms before it connects; a name server in the room needs less than that, one
 * across a campus not much more. */
#define OTHER_FAMILY_WAIT (250 * USEC_PER_MSEC)

/* For asking once more, raw. A closed port is not heard of each time: the kernel there sends six
 * ICMP errors at once, then one a second. */
#define RAW_WAIT (500 * USEC_PER_MSEC)

/* Asking again takes this long at least. */
#define AGAIN_MIN (100 * USEC_PER_MSEC)

/* sd-event would be up to 250 ms late. */
#define TIMER_ACCURACY (1 * USEC_PER_MSEC)

/* RFC 1035; <arpa/nameser.h> brings a MIN and MAX of its own. */
#define DNS_CLASS_IN 1
#define DNS_TYPE_TXT 16
#define DNS_TYPE_SRV 33

/* One request given to c-ares. */
typedef struct Part {
        ResolveQuery *query; /* weak */
        bool raw;            /* asked once more */
        bool pending;
        ResolveResult result;
} Part;

struct ResolveQuery {
        sd_event *event;
        QueryKind kind;
        char *name;
        char *servers; /* copy of the resolver's */
        usec_t timeout, until;
        resolve_cb cb;
        void *userdata;

        DnsChannel *channel;
        DnsChannel *spent; /* the one before, freed outside its callbacks */
        Part parts[2];     /* A, AAAA; else the first only */
        Part raw_part;     /* the same as the first, raw */
        bool raw;          /* asked once more for the rcode */
        bool from_hosts;
        Deadline *deadline;
        sd_event_source *again, *done;
        bool finished;
        ResolveResult result;

        Addr addrs[RESOLVE_ADDRS_MAX];
        size_t n_addrs;
        Srv srv[RESOLVE_SRV_MAX];
        size_t n_srv;
        char **txt;
};

static ResolveResult result_from_ares(int status)
{
        switch (status) {
        case ARES_SUCCESS:
                return RESOLVE_OK;
        case ARES_ENOTFOUND:
                return RESOLVE_NXDOMAIN;
        case ARES_ENODATA:
                return RESOLVE_NODATA;
        case ARES_ESERVFAIL:
        case ARES_ENOTIMP:
        case ARES_EFORMERR:
                return RESOLVE_SERVFAIL;
        case ARES_EREFUSED:
                return RESOLVE_REFUSED;
        case ARES_ETIMEOUT:
                return RESOLVE_TIMEOUT;
        case ARES_ECONNREFUSED:
                return RESOLVE_NO_SERVER;
        case ARES_EBADRESP:
                return RESOLVE_BAD_REPLY;
        case ARES_EBADNAME:
        case ARES_EBADQUERY:
                return RESOLVE_BAD_NAME;
        default:
                return RESOLVE_INTERNAL;
        }
}

/* --- the end of a query ------------------------------------------------------------------------
 */

static ResolveQuery *query_free(ResolveQuery *q)
{
        if (!q)
                return NULL;
        q->finished = true; /* callbacks of a dying channel change nothing any more */
        deadline_free(q->deadline);
        sd_event_source_disable_unref(q->again);
        sd_event_source_disable_unref(q->done);
        dns_channel_free(q->channel);
        dns_channel_free(q->spent);
        for (size_t i = 0; i < q->n_srv; i++)
                free(q->srv[i].target);
        strv_free(q->txt);
        free(q->name);
        free(q->servers);
        sd_event_unref(q->event);
        free(q);
        return NULL;
}
DEFINE_CLEANUP(ResolveQuery *, query_free);

ResolveQuery *resolve_query_cancel(ResolveQuery *q)
{
        return query_free(q);
}

static char *query_text(const ResolveQuery *q)
{
        _cleanup_free_ char *servers = q->channel ? dns_channel_servers(q->channel) : strdup("");
        char took[DURATION_MAX];

        if (!servers)
                return NULL;
        const char *many = strchr(servers, ',') ? "s" : "";
        switch (q->result) {
        case RESOLVE_OK:
                return strdup("");
        case RESOLVE_NXDOMAIN:
        case RESOLVE_NODATA:
        case RESOLVE_BAD_REPLY:
                return str_printf("%s from DNS server%s %s", resolve_result_to_string(q->result),
                                  many, servers);
        case RESOLVE_SERVFAIL:
                return str_printf("DNS server%s %s answered SERVFAIL", many, servers);
        case RESOLVE_REFUSED:
                return str_printf("DNS server%s %s refused to answer", many, servers);
        case RESOLVE_TIMEOUT:
                return str_printf("DNS server%s %s gave no answer within %s", many, servers,
                                  format_duration(took, q->timeout));
        case RESOLVE_NO_SERVER:
                if (isempty(servers))
                        return strdup("no DNS server is configured");
                return str_printf("DNS server%s %s cannot be reached, or nothing listens on port "
                                  "53 there",
                                  many, servers);
        default:
                return strdup(strempty(resolve_result_to_string(q->result)));
        }
}

static int on_done(sd_event_source *s, void *userdata)
{
        _cleanup_(query_freep) ResolveQuery *q = userdata;
        _cleanup_free_ char *text = query_text(q);

        srv_order(q->srv, q->n_srv, NULL);
        const ResolveAnswer answer = {
                .result = q->result,
                .name = q->name,
                .text = text ? text : "out of memory",
                .from_hosts = q->from_hosts,
                .addrs = q->addrs,
                .n_addrs = q->n_addrs,
                .srv = q->srv,
                .n_srv = q->n_srv,
                .txt = q->txt,
        };
        q->cb(&answer, q->userdata);
        return 0;
}

/* From here nothing but the callback comes; it comes from the loop. */
static void query_finish(ResolveQuery *q, ResolveResult result)
{
        if (q->finished)
                return;
        q->finished = true;
        q->result = result;
        (void)sd_event_source_set_enabled(q->done, SD_EVENT_ONESHOT);
}

static void on_deadline(void *userdata)
{
        ResolveQuery *q = userdata;
        query_finish(q, q->n_addrs > 0 ? RESOLVE_OK : q->raw ? RESOLVE_NO_SERVER : RESOLVE_TIMEOUT);
}

/* --- answers of c-ares -------------------------------------------------------------------------
 */

static int query_ask(ResolveQuery *q);

/* What is nearest to the truth when A and AAAA differ: the trouble, not the absence. */
static ResolveResult query_worst(const ResolveQuery *q)
{
        static const uint8_t rank[_RESOLVE_RESULT_MAX] = {
                [RESOLVE_NXDOMAIN] = 1,  [RESOLVE_NODATA] = 2,   [RESOLVE_BAD_NAME] = 3,
                [RESOLVE_BAD_REPLY] = 4, [RESOLVE_REFUSED] = 5,  [RESOLVE_SERVFAIL] = 6,
                [RESOLVE_TIMEOUT] = 7,   [RESOLVE_INTERNAL] = 8,
        };
        ResolveResult a = q->parts[0].result, b = q->parts[1].result;

        if (!q->raw)
                return rank[a] >= rank[b] ? a : b;
        /* silence when asked once more: what c-ares said before stands */
        return q->raw_part.result == RESOLVE_TIMEOUT ? RESOLVE_NO_SERVER : q->raw_part.result;
}

static void ask_raw(ResolveQuery *q)
{
        q->raw = true;
        q->spent = TAKE_PTR(q->channel); /* we are inside its callback */
        (void)deadline_move(q->deadline, RAW_WAIT);
        if (query_ask(q) < 0)
                query_finish(q, RESOLVE_INTERNAL);
}

static int on_again(sd_event_source *s, void *userdata)
{
        ResolveQuery *q = userdata;

        if (q->finished)
                return 0;
        q->channel = dns_channel_free(q->channel);
        if (query_ask(q) < 0)
                query_finish(q, RESOLVE_INTERNAL);
        return 0;
}

/* From the loop: we are inside the callback of the channel that goes. */
static bool ask_again(ResolveQuery *q)
{
        return !q->raw && usec_sub(q->until, now_mono()) >= AGAIN_MIN &&
               sd_event_source_set_enabled(q->again, SD_EVENT_ONESHOT) >= 0;
}

static void part_done(Part *p, int status)
{
        ResolveQuery *q = p->query;

        p->pending = false;
        p->result = result_from_ares(status);
        if (q->finished || status == ARES_EDESTRUCTION || p->raw != q->raw)
                return;
        if (q->n_addrs == 0 && p->result == RESOLVE_NO_SERVER && !q->raw) {
                ask_raw(q); /* the other family asked the same servers */
                return;
        }
        if (!q->raw && (q->parts[0].pending || q->parts[1].pending)) {
                if (q->n_addrs > 0)
                        (void)deadline_move(q->deadline, OTHER_FAMILY_WAIT);
                return;
        }
        ResolveResult result = query_worst(q);
        if (q->n_addrs > 0 || q->n_srv > 0 || q->txt)
                query_finish(q, RESOLVE_OK);
        else if (result != RESOLVE_TIMEOUT || !ask_again(q))
                query_finish(q, result == RESOLVE_OK ? RESOLVE_NODATA : result);
}

/* IPv4 before IPv6, else in the order they came. */
static void query_add_addr(ResolveQuery *q, const Addr *a)
{
        size_t at = 0;

        for (size_t i = 0; i < q->n_addrs; i++)
                if (addr_equal(&q->addrs[i], a))
                        return;
        if (q->n_addrs >= RESOLVE_ADDRS_MAX)
                return;
        while (at < q->n_addrs && !(a->family == AF_INET && q->addrs[at].family == AF_INET6))
                at++;
        memmove(&q->addrs[at + 1], &q->addrs[at], (q->n_addrs - at) * sizeof(Addr));
        q->addrs[at] = *a;
        q->n_addrs++;
}

static void query_add_addrinfo(ResolveQuery *q, const struct ares_addrinfo *ai)
{
        Addr a;

        for (const struct ares_addrinfo_node *n = ai ? ai->nodes : NULL; n; n = n->ai_next)
                if (addr_from_sockaddr(n->ai_addr, n->ai_addrlen, &a) >= 0) {
                        a.port = 0;
                        query_add_addr(q, &a);
                }
}

static void on_addrinfo(void *arg, int status, int timeouts, struct ares_addrinfo *ai)
{
        Part *p = arg;

        if (status == ARES_SUCCESS && !p->query->finished && p->raw == p->query->raw)
                query_add_addrinfo(p->query, ai);
        if (ai)
                ares_freeaddrinfo(ai);
        part_done(p, status);
}

static int query_add_srv(ResolveQuery *q, const unsigned char *abuf, int alen)
{
        struct ares_srv_reply *list = NULL;

        int status = ares_parse_srv_reply(abuf, alen, &list);
        for (struct ares_srv_reply *s = list; s && q->n_srv < RESOLVE_SRV_MAX; s = s->next) {
                /* target ".": "decidedly not available here" (RFC 2782) */
                if (isempty(s->host) || streq(s->host, "."))
                        continue;
                Srv srv = {.priority = s->priority,
                           .weight = s->weight,
                           .port = s->port,
                           .target = strdup(s->host)};
                if (!srv.target)
                        status = ARES_ENOMEM;
                else
                        q->srv[q->n_srv++] = srv;
        }
        if (list)
                ares_free_data(list);
        return status;
}

static int query_add_txt(ResolveQuery *q, const unsigned char *abuf, int alen)
{
        struct ares_txt_ext *list = NULL;
        size_t n = 0;

        int status = ares_parse_txt_reply_ext(abuf, alen, &list);
        for (struct ares_txt_ext *t = list; t && n < RESOLVE_TXT_MAX; t = t->next, n++) {
                if (memchr(t->txt, 0, t->length))
                        continue;
                if (strv_consume(&q->txt, strndup((const char *)t->txt, t->length)) < 0)
                        status = ARES_ENOMEM;
        }
        if (list)
                ares_free_data(list);
        return status;
}

static void on_record(void *arg, int status, int timeouts, unsigned char *abuf, int alen)
{
        Part *p = arg;
        ResolveQuery *q = p->query;

        if (status == ARES_SUCCESS && !q->finished && p->raw == q->raw)
                status = q->kind == QUERY_SRV ? query_add_srv(q, abuf, alen)
                                              : query_add_txt(q, abuf, alen);
        part_done(p, status);
}

/* --- the start of a query ----------------------------------------------------------------------
 */

static int query_channel(ResolveQuery *q, const char *lookups)
{
        usec_t try_timeout = q->timeout / 4;
        const DnsChannelOptions o = {
                .servers = q->servers,
                .lookups = lookups,
                .raw_rcode = q->raw,
                .try_timeout = MAX(MIN(try_timeout, USEC_PER_SEC), 100 * USEC_PER_MSEC),
        };
        return dns_channel_new(q->event, &o, &q->channel);
}

static void ask_part(ResolveQuery *q, Part *p, int family)
{
        const struct ares_addrinfo_hints hints = {.ai_family = family, .ai_flags = ARES_AI_NOSORT};
        ares_channel ares = dns_channel_ares(q->channel);

        if (q->kind == QUERY_HOST)
                ares_getaddrinfo(ares, q->name, NULL, &hints, on_addrinfo, p);
        else
                ares_query(ares, q->name, DNS_CLASS_IN,
                           q->kind == QUERY_SRV ? DNS_TYPE_SRV : DNS_TYPE_TXT, on_record, p);
}

static int query_ask(ResolveQuery *q)
{
        int r = query_channel(q, "b");
        if (r < 0)
                return r;

        if (q->raw) {
                q->raw_part = (Part){.query = q, .raw = true, .pending = true};
                ask_part(q, &q->raw_part, AF_INET);
        } else {
                bool both = q->kind == QUERY_HOST;
                q->parts[0] = (Part){.query = q, .pending = true};
                q->parts[1] = (Part){.query = q, .pending = both};
                ask_part(q, &q->parts[0], AF_INET);
                /* the first may have ended at once, and all with it */
                if (both && !q->raw && !q->finished)
                        ask_part(q, &q->parts[1], AF_INET6);
        }
        return q->channel ? dns_channel_arm(q->channel) : 0;
}

static void on_hosts(void *arg, int status, int timeouts, struct ares_addrinfo *ai)
{
        ResolveQuery *q = arg;

        if (status == ARES_SUCCESS)
                query_add_addrinfo(q, ai);
        if (ai)
                ares_freeaddrinfo(ai);
}

/* > 0 when the name stands in /etc/hosts. Reading that file is all the blocking there is. */
static int query_hosts(ResolveQuery *q)
{
        const struct ares_addrinfo_hints hints = {.ai_family = AF_UNSPEC,
                                                  .ai_flags = ARES_AI_NOSORT};

        int r = query_channel(q, "f");
        if (r < 0)
                return r;
        ares_getaddrinfo(dns_channel_ares(q->channel), q->name, NULL, &hints, on_hosts, q);
        q->channel = dns_channel_free(q->channel);
        q->from_hosts = q->n_addrs > 0;
        return q->from_hosts;
}

static int query_start(ResolveQuery *q)
{
        Addr literal;

        if (isempty(q->name)) {
                query_finish(q, RESOLVE_BAD_NAME);
                return 0;
        }
        if (q->kind == QUERY_HOST) {
                if (addr_parse(q->name, &literal) >= 0) {
                        query_add_addr(q, &literal);
                        query_finish(q, RESOLVE_OK);
                        return 0;
                }
                int r = query_hosts(q);
                if (r < 0)
                        return r;
                if (r > 0) {
                        query_finish(q, RESOLVE_OK);
                        return 0;
                }
        }
        return query_ask(q);
}

int resolve_query_new(sd_event *event, const char *servers, QueryKind kind, const char *name,
                      usec_t timeout, resolve_cb cb, void *userdata, ResolveQuery **ret)
{
        _cleanup_(query_freep) ResolveQuery *q = new0(ResolveQuery, 1);
        if (!q)
                return -ENOMEM;
        *q = (ResolveQuery){
                .event = sd_event_ref(event),
                .kind = kind,
                .name = strdup(name),
                .servers = servers ? strdup(servers) : NULL,
                .timeout = timeout,
                .until = usec_add(now_mono(), timeout),
                .cb = cb,
                .userdata = userdata,
        };
        if (!q->name || (servers && !q->servers))
                return -ENOMEM;
        int r = sd_event_add_defer(event, &q->done, on_done, q);
        if (r >= 0)
                r = sd_event_source_set_enabled(q->done, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_defer(event, &q->again, on_again, q);
        if (r >= 0)
                r = sd_event_source_set_enabled(q->again, SD_EVENT_OFF);
        if (r >= 0)
                r = deadline_new(event, timeout, TIMER_ACCURACY, on_deadline, q, &q->deadline);
        if (r >= 0)
                r = query_start(q);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(q);
        return 0;
}
