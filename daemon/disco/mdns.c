/* mDNS by avahi-daemon: a standing browse of _raycluster._tcp; what it hears is followed by
 * mdns-entry.
 *
 *   no avahi-daemon ----> FAILED <--- Failure, no answer
 *        ^  | comes
 *        |  v
 *      ASKING --first round over, nothing--> NOTHING --a head is heard--> FOUND
 *        '--first round over, or 300 ms after a head is heard ------------^  | all are gone
 *                                            NOTHING <-----------------------'
 *
 * A head whose addresses have run out is no candidate: one that lost power stays in caches for up
 * to 75 minutes, its addresses for two. */
#include <stdio.h>

#include "base/str.h"
#include "disco/mdns-entry.h"
#include "disco/source.h"
#include "sys/avahi.h"

#define SERVICE "_raycluster._tcp"

/* Instances followed at a time, each on one interface; a room has one head, a campus some dozens.
 * Each costs three objects in avahi-daemon, which gives one client 1024. When the table is full,
 * heads of other clusters make way; what still does not fit is counted. */
#define ENTRIES_MAX 64

/* From the first head heard to the first answer: the second one, which makes the name ambiguous,
 * was heard within 240 ms (probe.md 4.2). */
#define SETTLE (300 * USEC_PER_MSEC)

/* Later: its addresses come one by one within milliseconds, and IPv4 is to be the first one tried.
 */
#define MORE_ADDRESSES (40 * USEC_PER_MSEC)

#define BROWSER "org.freedesktop.Avahi.ServiceBrowser"

typedef struct MdnsSource {
        Source base;
        Avahi *avahi;
        Object browser;
        sd_bus_slot *browser_match;
        sd_event_source *timer; /* end of the first round; end of a wait for more addresses */
        bool settled;           /* the first round is over */
        bool heard, waited;     /* a head of ours; long enough ago */
        char *trouble;          /* why there is no browse, NULL */
        EntryList list;
        size_t n_ignored; /* did not fit */
} MdnsSource;

static void evaluate(void *userdata);

static bool entry_is_ours(const Entry *e, const DiscoSettings *set)
{
        return !e->dead && e->host && streq(e->txt.cluster, set->cluster) &&
               (isempty(e->txt.role) || streq(e->txt.role, "head"));
}

static bool entry_is_candidate(const Entry *e, const DiscoSettings *set)
{
        return entry_is_ours(e, set) && e->n_addrs > 0;
}

/* --- browsing ----------------------------------------------------------------------------------
 */

/* Room for one more: a head of another cluster makes way for it. */
static bool make_room(MdnsSource *s)
{
        if (s->list.n < ENTRIES_MAX)
                return true;
        for (Entry *e = s->list.entries; e; e = e->next)
                if (!e->dead && e->host && !entry_is_ours(e, s->base.context->settings)) {
                        entry_drop(e);
                        break;
                }
        return s->list.n < ENTRIES_MAX;
}

static void item_new(MdnsSource *s, int ifindex, int protocol, const char *name, const char *domain)
{
        Entry *e = entry_find(&s->list, ifindex, name, domain);
        if (e)
                entry_heard(e, protocol);
        else if (make_room(s))
                (void)entry_new(&s->list, ifindex, protocol, name, domain);
        else
                s->n_ignored++;
}

static void item_remove(MdnsSource *s, int ifindex, int protocol, const char *name,
                        const char *domain)
{
        Entry *e = entry_find(&s->list, ifindex, name, domain);
        if (e)
                entry_lost(e, protocol);
        else if (s->n_ignored > 0)
                s->n_ignored--;
}

static void set_timer(MdnsSource *s, usec_t in)
{
        (void)sd_event_source_set_time_relative(s->timer, in);
        (void)sd_event_source_set_enabled(s->timer, SD_EVENT_ONESHOT);
}

static void browser_failed(MdnsSource *s, const char *why)
{
        entry_list_clear(&s->list);
        s->n_ignored = 0;
        object_release(s->avahi, &s->browser, BROWSER);
        (void)free_and_strdup(&s->trouble, why);
        s->settled = true;
        evaluate(s);
}

static int on_browser_signal(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        MdnsSource *s = userdata;
        int32_t ifindex, protocol;
        const char *name, *type, *domain;

        if (!object_sent(&s->browser, m))
                return 0;
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

        if (object_start(s->avahi, &s->browser, m, BROWSER) < 0)
                browser_failed(s, "avahi-daemon refuses to browse");
        return 0;
}

static void browse(MdnsSource *s)
{
        entry_list_clear(&s->list);
        s->n_ignored = 0;
        object_release(s->avahi, &s->browser, BROWSER);
        (void)free_and_strdup(&s->trouble, NULL);
        s->settled = s->heard = s->waited = false;
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

        s->settled = s->waited = true;
        evaluate(s);
        return 0;
}

static void on_avahi_up(sd_bus *bus, const char *owner, void *userdata)
{
        MdnsSource *s = userdata;

        s->browser_match = sd_bus_slot_unref(s->browser_match);
        int r = avahi_match(s->avahi, NULL, BROWSER, on_browser_signal, s, &s->browser_match);
        if (r >= 0)
                r = entry_list_match(&s->list);
        if (r < 0)
                browser_failed(s, "avahi-daemon cannot be asked");
        else
                browse(s);
}

static void on_avahi_down(void *userdata)
{
        MdnsSource *s = userdata;

        s->browser_match = sd_bus_slot_unref(s->browser_match);
        entry_list_unmatch(&s->list);
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
                if (!entry_is_candidate(e, set) || !same_head(first, e))
                        continue;
                done[(*n_done)++] = e;
                uint16_t gcs = e->txt.gcs ? e->txt.gcs : set->gcs_port;
                for (size_t i = 0; i < e->n_addrs; i++)
                        candidate_add_addrs(c, &e->addrs[i].addr, 1, gcs);
                if (add_interface(&c->how, e->ifindex) < 0)
                        return NULL;
        }
        return TAKE_PTR(c);
}

static size_t heads(MdnsSource *s, Candidate *ret[SOURCE_CANDIDATES_MAX])
{
        Entry *done[ENTRIES_MAX];
        size_t n = 0, n_done = 0;

        for (Entry *e = s->list.entries; e && n < SOURCE_CANDIDATES_MAX; e = e->next) {
                bool taken = !entry_is_candidate(e, s->base.context->settings);
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

        for (const Entry *e = s->list.entries; e; e = e->next)
                if (e->dead)
                        continue;
                else if (e->host && !entry_is_ours(e, s->base.context->settings)) {
                        n_other++;
                        other = e;
                } else
                        mute = e;
        if (mute) {
                _cleanup_free_ char *name = str_escape(mute->name, strlen(mute->name), 63);
                return str_printf("\"%s\" is announced by mDNS%s%s", strempty(name),
                                  mute->host ? " and has no address that Ray can use"
                                             : "; its address is being asked for",
                                  strempty(ignored));
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

static void evaluate(void *userdata)
{
        MdnsSource *s = userdata;
        Candidate *found[SOURCE_CANDIDATES_MAX];

        if (s->settled && !s->trouble && !s->browser.path)
                (void)free_and_strdup(&s->trouble, avahi_is_up(s->avahi)
                                                           ? "avahi-daemon does not answer"
                                                           : avahi_text(s->avahi));
        if (s->trouble) {
                source_set(&s->base, SOURCE_FAILED, strdup(s->trouble), NULL, 0);
                return;
        }
        size_t n = heads(s, found);
        if (n > 0 && !s->heard)
                set_timer(s, s->settled ? MORE_ADDRESSES : SETTLE);
        if ((n > 0) != s->heard)
                s->waited = false;
        s->heard = n > 0;
        if (n > 0 && s->waited) {
                _cleanup_free_ char *ignored = ignored_text(s);
                char *text = str_printf("%s announces itself by %s%s", found[0]->name,
                                        found[0]->how, strempty(ignored));
                source_set(&s->base, SOURCE_FOUND, text, found, n);
                return;
        }
        for (size_t i = 0; i < n; i++)
                candidate_free(found[i]);
        if (n > 0 || !s->settled) /* what is heard is said in a moment */
                source_set(&s->base, SOURCE_ASKING, strdup("listening for heads by mDNS"), NULL, 0);
        else
                source_set(&s->base, SOURCE_NOTHING, nothing_text(s), NULL, 0);
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
        s->list = (EntryList){
                .avahi = s->avahi, .service = SERVICE, .on_change = evaluate, .userdata = s};
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
                entry_list_clear(&s->list);
                s->n_ignored = 0;
                object_release(s->avahi, &s->browser, BROWSER);
                sd_bus_slot_unref(s->browser_match);
                entry_list_unmatch(&s->list);
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
