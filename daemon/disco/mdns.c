/* mDNS by avahi-daemon: a standing browse of _raycluster._tcp, and for each instance on each
 * interface a standing resolver a family (an "IPv4" entry may resolve to an IPv6 address, so both
 * are asked; probe.md 4.2).
 *
 *   no avahi-daemon ----> FAILED <--- Failure, no answer
 *        ^  | comes
 *        |  v
 *      ASKING --first round over, nothing--> NOTHING --a head is heard--> FOUND
 *        '--first round over, or 300 ms after a head is heard ------------^  | all are gone
 *                                            NOTHING <-----------------------'
 *
 * An instance whose two resolvers both failed has no address and is no candidate: a head that lost
 * power stays in caches for up to 75 minutes, its addresses for two. */
#include <stdio.h>

#include "base/log.h"
#include "base/str.h"
#include "disco/source.h"
#include "sys/avahi.h"
#include "wire/txt.h"

#define SERVICE "_raycluster._tcp"

/* Instances followed at a time, each on one interface; a room has one head, a campus some dozens.
 * Each costs two objects in avahi-daemon, which gives one client 1024. When the table is full,
 * heads of other clusters make way; what still does not fit is counted. */
#define ENTRIES_MAX 64

/* From the first head heard to the first answer: the second one, which makes the name ambiguous,
 * was heard within 240 ms (probe.md 4.2). */
#define SETTLE (300 * USEC_PER_MSEC)

#define BROWSER  "org.freedesktop.Avahi.ServiceBrowser"
#define RESOLVER "org.freedesktop.Avahi.ServiceResolver"

typedef struct MdnsSource MdnsSource;
typedef struct Entry Entry;

/* One of Avahi's objects: prepared, matched, started. */
typedef struct Object {
        sd_bus_slot *prepare, *match;
        char *path;
} Object;

typedef struct Lookup {
        Entry *entry; /* weak */
        int protocol; /* AVAHI_PROTO_* */
        Object object;
        Addr addr; /* unset = none */
} Lookup;

struct Entry {
        MdnsSource *source; /* weak */
        Entry *next;
        int ifindex;
        char *name, *domain; /* the instance */
        unsigned seen;       /* bit a protocol the browser heard it by */
        bool dead;           /* gone; waits for a Prepare under way, to free what it made */
        Lookup lookups[2];
        char *host;
        uint16_t port; /* control port */
        HeadTxt txt;
};

struct MdnsSource {
        Source base;
        Avahi *avahi;
        Object browser;
        sd_event_source *timer; /* end of the first round */
        bool settled, heard;
        char *trouble; /* why there is no browse, NULL */
        Entry *entries;
        size_t n_entries;
        size_t n_ignored; /* did not fit */
};

static void evaluate(MdnsSource *s);

/* --- objects -----------------------------------------------------------------------------------
 */

static void object_release(MdnsSource *s, Object *o, const char *interface)
{
        if (o->path)
                (void)avahi_call(s->avahi, o->path, interface, "Free", NULL, NULL, NULL, NULL);
        sd_bus_slot_unref(o->prepare);
        sd_bus_slot_unref(o->match);
        free(o->path);
        *o = (Object){0};
}

/* The answer to Prepare: signals are matched first, then Start lets them come. */
static int object_start(MdnsSource *s, Object *o, sd_bus_message *m, const char *interface,
                        sd_bus_message_handler_t on_signal, void *userdata)
{
        const char *path;

        o->prepare = sd_bus_slot_unref(o->prepare);
        const sd_bus_error *e = sd_bus_message_get_error(m);
        if (e) {
                log_debug("avahi-daemon refuses: %s", strna(e->message));
                return -sd_bus_error_get_errno(e);
        }
        int r = sd_bus_message_read(m, "o", &path);
        if (r < 0)
                return r;
        if (free_and_strdup(&o->path, path) < 0)
                return -ENOMEM;
        r = avahi_match(s->avahi, path, interface, on_signal, userdata, &o->match);
        if (r >= 0)
                r = avahi_call(s->avahi, path, interface, "Start", NULL, NULL, NULL, NULL);
        return r;
}

/* --- entries -----------------------------------------------------------------------------------
 */

static void entry_free(Entry *e)
{
        MdnsSource *s = e->source;

        for (Entry **p = &s->entries; *p; p = &(*p)->next)
                if (*p == e) {
                        *p = e->next;
                        s->n_entries--;
                        break;
                }
        for (size_t i = 0; i < ELEMENTSOF(e->lookups); i++)
                object_release(s, &e->lookups[i].object, RESOLVER);
        free(e->name);
        free(e->domain);
        free(e->host);
        free(e);
}

static void entry_drop(Entry *e)
{
        e->dead = true;
        if (!e->lookups[0].object.prepare && !e->lookups[1].object.prepare)
                entry_free(e);
}

static void entries_clear(MdnsSource *s)
{
        while (s->entries)
                entry_free(s->entries);
        s->n_ignored = 0;
}

static bool entry_is_ours(const Entry *e)
{
        return !e->dead && streq(e->txt.cluster, e->source->base.context->settings->cluster) &&
               (isempty(e->txt.role) || streq(e->txt.role, "head"));
}

static bool entry_has_address(const Entry *e)
{
        return addr_is_set(&e->lookups[0].addr) || addr_is_set(&e->lookups[1].addr);
}

static Entry *entry_find(MdnsSource *s, int ifindex, const char *name, const char *domain)
{
        for (Entry *e = s->entries; e; e = e->next)
                if (!e->dead && e->ifindex == ifindex && streq(e->name, name) &&
                    streq(e->domain, domain))
                        return e;
        return NULL;
}

/* Room for one more: a head of another cluster, or one that never answered, makes way for it. */
static bool make_room(MdnsSource *s)
{
        if (s->n_entries < ENTRIES_MAX)
                return true;
        for (Entry *e = s->entries; e; e = e->next)
                if (e->host && !entry_is_ours(e) && !e->dead) {
                        entry_drop(e);
                        break;
                }
        return s->n_entries < ENTRIES_MAX;
}

/* --- resolving ---------------------------------------------------------------------------------
 */

static int read_txt(sd_bus_message *m, HeadTxt *ret)
{
        _cleanup_strv_free_ char **txt = NULL;

        int r = sd_bus_message_enter_container(m, 'a', "ay");
        if (r < 0)
                return r;
        for (;;) {
                const void *p;
                size_t n;
                r = sd_bus_message_read_array(m, 'y', &p, &n);
                if (r <= 0)
                        break;
                r = txt_accept(&txt, p, n);
                if (r < 0)
                        break;
        }
        if (r < 0)
                return r;
        head_txt_parse(txt, ret);
        return sd_bus_message_exit_container(m);
}

static void take_found(Lookup *l, sd_bus_message *m)
{
        Entry *e = l->entry;
        const char *host, *address;
        uint16_t port;
        HeadTxt txt;
        Addr a;

        if (sd_bus_message_read(m, "iissssisq", NULL, NULL, NULL, NULL, NULL, &host, NULL, &address,
                                &port) < 0 ||
            read_txt(m, &txt) < 0 || addr_parse(address, &a) < 0)
                return;
        _cleanup_free_ char *printable = str_escape(host, strlen(host), 255);
        if (!printable || free_and_strdup(&e->host, printable) < 0)
                return;
        e->port = port;
        e->txt = txt;
        /* fe80 needs a zone that Ray's address strings do not have (probe.md 4.3) */
        l->addr = addr_is_usable(&a) ? a : (Addr){0};
}

static int on_resolver_signal(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Lookup *l = userdata;
        MdnsSource *s = l->entry->source;

        if (l->entry->dead)
                return 0;
        if (sd_bus_message_is_signal(m, RESOLVER, "Found"))
                take_found(l, m);
        else if (sd_bus_message_is_signal(m, RESOLVER, "Failure"))
                l->addr = (Addr){0};
        else
                return 0;
        evaluate(s);
        return 0;
}

static int on_resolver_prepared(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Lookup *l = userdata;
        MdnsSource *s = l->entry->source;

        (void)object_start(s, &l->object, m, RESOLVER, on_resolver_signal, l);
        if (l->entry->dead)
                entry_drop(l->entry);
        return 0;
}

static int entry_resolve(Entry *e)
{
        static const int protocols[] = {AVAHI_PROTO_INET, AVAHI_PROTO_INET6};
        /* The answer's transport. Left open, Avahi stays with the one that brought the SRV record
         * first, and IPv4 addresses are not published over IPv6 (publish-a-on-ipv6=no). */
        static const int over[] = {AVAHI_PROTO_INET, AVAHI_PROTO_UNSPEC};

        for (size_t i = 0; i < ELEMENTSOF(protocols); i++) {
                Lookup *l = &e->lookups[i];
                *l = (Lookup){.entry = e, .protocol = protocols[i]};
                int r = avahi_call(e->source->avahi, "/", AVAHI_SERVER2, "ServiceResolverPrepare",
                                   on_resolver_prepared, l, &l->object.prepare, "iisssiu",
                                   e->ifindex, over[i], e->name, SERVICE, e->domain, l->protocol,
                                   (uint32_t)0);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* --- browsing ----------------------------------------------------------------------------------
 */

static void item_new(MdnsSource *s, int ifindex, int protocol, const char *name, const char *domain)
{
        unsigned bit = protocol == AVAHI_PROTO_INET6 ? 2 : 1;

        Entry *e = entry_find(s, ifindex, name, domain);
        if (e) {
                e->seen |= bit;
                return;
        }
        if (!make_room(s)) {
                s->n_ignored++;
                return;
        }
        e = new0(Entry, 1);
        if (!e)
                return;
        *e = (Entry){.source = s,
                     .next = s->entries,
                     .ifindex = ifindex,
                     .seen = bit,
                     .name = strdup(name),
                     .domain = strdup(domain)};
        s->entries = e;
        s->n_entries++;
        if (!e->name || !e->domain || entry_resolve(e) < 0)
                entry_drop(e);
}

static void item_remove(MdnsSource *s, int ifindex, int protocol, const char *name,
                        const char *domain)
{
        Entry *e = entry_find(s, ifindex, name, domain);
        if (!e) {
                if (s->n_ignored > 0)
                        s->n_ignored--;
                return;
        }
        e->seen &= ~(protocol == AVAHI_PROTO_INET6 ? 2U : 1U);
        if (e->seen == 0)
                entry_drop(e);
}

static void set_timer(MdnsSource *s, usec_t in)
{
        (void)sd_event_source_set_time_relative(s->timer, in);
        (void)sd_event_source_set_enabled(s->timer, SD_EVENT_ONESHOT);
}

static void browser_failed(MdnsSource *s, const char *why)
{
        entries_clear(s);
        object_release(s, &s->browser, BROWSER);
        (void)free_and_strdup(&s->trouble, why);
        s->settled = true;
        evaluate(s);
}

static int on_browser_signal(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        MdnsSource *s = userdata;
        int32_t ifindex, protocol;
        const char *name, *type, *domain;

        if (sd_bus_message_is_signal(m, BROWSER, "Failure")) {
                browser_failed(s, "avahi-daemon gave up browsing");
                return 0;
        }
        if (sd_bus_message_is_signal(m, BROWSER, "AllForNow")) {
                if (!s->settled)
                        set_timer(s, SETTLE); /* for what is still being resolved */
                return 0;
        }
        bool is_new = sd_bus_message_is_signal(m, BROWSER, "ItemNew");
        if (!is_new && !sd_bus_message_is_signal(m, BROWSER, "ItemRemove"))
                return 0;
        if (sd_bus_message_read(m, "iisss", &ifindex, &protocol, &name, &type, &domain) < 0)
                return 0;
        if (is_new)
                item_new(s, ifindex, protocol, name, domain);
        else
                item_remove(s, ifindex, protocol, name, domain);
        evaluate(s);
        return 0;
}

static int on_browser_prepared(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        MdnsSource *s = userdata;

        if (object_start(s, &s->browser, m, BROWSER, on_browser_signal, s) < 0)
                browser_failed(s, "avahi-daemon refuses to browse");
        return 0;
}

static void browse(MdnsSource *s)
{
        entries_clear(s);
        object_release(s, &s->browser, BROWSER);
        (void)free_and_strdup(&s->trouble, NULL);
        s->settled = s->heard = false;
        set_timer(s, s->base.context->settings->timeout);
        int r = avahi_call(s->avahi, "/", AVAHI_SERVER2, "ServiceBrowserPrepare",
                           on_browser_prepared, s, &s->browser.prepare, "iissu", AVAHI_IF_UNSPEC,
                           AVAHI_PROTO_UNSPEC, SERVICE, "", (uint32_t)0);
        if (r < 0)
                browser_failed(s, "avahi-daemon cannot be asked");
        else
                evaluate(s);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
        MdnsSource *s = userdata;

        s->settled = true;
        evaluate(s);
        return 0;
}

static void on_avahi_up(sd_bus *bus, const char *owner, void *userdata)
{
        browse(userdata);
}

static void on_avahi_down(void *userdata)
{
        MdnsSource *s = userdata;

        browser_failed(s, avahi_text(s->avahi));
}

/* --- heads -------------------------------------------------------------------------------------
 */

/* One head heard on several interfaces is one head. */
static bool same_head(const Entry *a, const Entry *b)
{
        if (!isempty(a->txt.id) && streq(a->txt.id, b->txt.id))
                return true;
        return streq(a->name, b->name) && streq(a->host, b->host);
}

static int add_interface(char **how, int ifindex)
{
        char name[IF_NAMESIZE];

        if (!if_indextoname((unsigned)ifindex, name))
                (void)snprintf(name, sizeof(name), "interface %d", ifindex);
        char *more =
                isempty(*how) ? str_printf("mDNS on %s", name) : str_printf("%s, %s", *how, name);
        if (!more)
                return -ENOMEM;
        free(*how);
        *how = more;
        return 0;
}

/* first and every later entry of the same head, marked in done[]. */
static Candidate *head_of(MdnsSource *s, const Entry *first, Entry **done, size_t *n_done)
{
        const DiscoSettings *set = s->base.context->settings;
        _cleanup_(candidate_freep) Candidate *c = source_candidate(&s->base, first->host, "");

        if (!c || free_and_strdup(&c->cluster, first->txt.cluster) < 0 ||
            free_and_strdup(&c->id, first->txt.id) < 0)
                return NULL;
        c->control_port = first->port ? first->port : set->control_port;
        for (Entry *e = (Entry *)first; e; e = e->next) {
                if (!entry_is_ours(e) || !entry_has_address(e) || !same_head(first, e))
                        continue;
                done[(*n_done)++] = e;
                uint16_t gcs = e->txt.gcs ? e->txt.gcs : set->gcs_port;
                for (size_t i = 0; i < ELEMENTSOF(e->lookups); i++)
                        candidate_add_addrs(c, &e->lookups[i].addr, 1, gcs);
                if (add_interface(&c->how, e->ifindex) < 0)
                        return NULL;
        }
        return TAKE_PTR(c);
}

static size_t heads(MdnsSource *s, Candidate *ret[SOURCE_CANDIDATES_MAX])
{
        Entry *done[ENTRIES_MAX];
        size_t n = 0, n_done = 0;

        for (Entry *e = s->entries; e && n < SOURCE_CANDIDATES_MAX; e = e->next) {
                bool taken = !entry_is_ours(e) || !entry_has_address(e);
                for (size_t i = 0; i < n_done && !taken; i++)
                        taken = done[i] == e;
                if (taken)
                        continue;
                Candidate *c = head_of(s, e, done, &n_done);
                if (c)
                        ret[n++] = c;
        }
        return n;
}

static char *ignored_text(const MdnsSource *s)
{
        return s->n_ignored > 0 ? str_printf("; %zu instances more than the %d followed, ignored",
                                             s->n_ignored, ENTRIES_MAX)
                                : strdup("");
}

static char *nothing_text(const MdnsSource *s)
{
        _cleanup_free_ char *ignored = ignored_text(s);
        const char *cluster = s->base.context->settings->cluster;
        const Entry *other = NULL, *mute = NULL;
        size_t n_other = 0;

        for (const Entry *e = s->entries; e; e = e->next)
                if (e->dead)
                        continue;
                else if (e->host && !entry_is_ours(e)) {
                        n_other++;
                        other = e;
                } else
                        mute = e;
        if (mute) {
                _cleanup_free_ char *name = str_escape(mute->name, strlen(mute->name), 63);
                return str_printf("\"%s\" is announced by mDNS and has no address that Ray can "
                                  "use%s",
                                  strempty(name), strempty(ignored));
        }
        if (n_other > 0)
                return str_printf("heard %zu head%s of other clusters (\"%s\" on %s), none of "
                                  "\"%s\"%s",
                                  n_other, n_other > 1 ? "s" : "", other->txt.cluster, other->host,
                                  cluster, strempty(ignored));
        return str_printf("nothing heard by mDNS; no head announces itself here, or a firewall "
                          "blocks UDP port 5353%s",
                          strempty(ignored));
}

static void evaluate(MdnsSource *s)
{
        Candidate *found[SOURCE_CANDIDATES_MAX];

        if (s->trouble) {
                source_set(&s->base, SOURCE_FAILED, strdup(s->trouble), NULL, 0);
                return;
        }
        if (s->settled && !s->browser.path) {
                source_set(&s->base, SOURCE_FAILED,
                           strdup(avahi_is_up(s->avahi) ? "avahi-daemon does not answer"
                                                        : avahi_text(s->avahi)),
                           NULL, 0);
                return;
        }
        size_t n = heads(s, found);
        if (n > 0 && !s->settled && !s->heard) {
                s->heard = true;
                set_timer(s, SETTLE);
        }
        if (n > 0 && s->settled) {
                _cleanup_free_ char *ignored = ignored_text(s);
                char *text = str_printf("%s announces itself by %s%s", found[0]->name,
                                        found[0]->how, strempty(ignored));
                source_set(&s->base, SOURCE_FOUND, text, found, n);
                return;
        }
        for (size_t i = 0; i < n; i++)
                candidate_free(found[i]);
        if (s->settled)
                source_set(&s->base, SOURCE_NOTHING, nothing_text(s), NULL, 0);
        else
                source_set(&s->base, SOURCE_ASKING, strdup("listening for heads by mDNS"), NULL, 0);
}

/* --- the source --------------------------------------------------------------------------------
 */

static int mdns_start(Source *base)
{
        static const AvahiOps avahi_ops = {.on_up = on_avahi_up, .on_down = on_avahi_down};
        MdnsSource *s = (MdnsSource *)base;

        int r = sd_event_add_time_relative(base->context->event, &s->timer, CLOCK_MONOTONIC,
                                           base->context->settings->timeout, USEC_PER_MSEC,
                                           on_timer, s);
        if (r >= 0)
                r = avahi_new(base->context->bus, &avahi_ops, s, &s->avahi);
        if (r < 0)
                return r;
        if (avahi_is_down(s->avahi))
                on_avahi_down(s);
        else
                evaluate(s);
        return 0;
}

/* The browse stands: there is something to do only when it does not, or when it did not hold all.
 */
static void mdns_refresh(Source *base)
{
        MdnsSource *s = (MdnsSource *)base;

        bool lost = s->n_ignored > 0 && base->state != SOURCE_FOUND;
        if (avahi_is_up(s->avahi) && s->settled && (!s->browser.path || lost))
                browse(s);
}

static void mdns_done(Source *base)
{
        MdnsSource *s = (MdnsSource *)base;

        if (s->avahi) {
                entries_clear(s);
                object_release(s, &s->browser, BROWSER);
        }
        avahi_free(s->avahi);
        sd_event_source_disable_unref(s->timer);
        free(s->trouble);
}

const SourceVTable source_mdns = {
        .kind = DISCO_MDNS,
        .size = sizeof(MdnsSource),
        .start = mdns_start,
        .refresh = mdns_refresh,
        .done = mdns_done,
};
