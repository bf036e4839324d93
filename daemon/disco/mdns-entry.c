#include "disco/mdns-entry.h"

#include "base/log.h"
#include "base/str.h"

#define RESOLVER "org.freedesktop.Avahi.ServiceResolver"
#define RECORDS  "org.freedesktop.Avahi.RecordBrowser"

/* avahi-common/defs.h, RFC 1035, RFC 3596 */
#define LOOKUP_NO_ADDRESS 8
#define DNS_CLASS_IN      1
static const uint16_t record_types[] = {1 /* A */, 28 /* AAAA */};

/* --- objects -----------------------------------------------------------------------------------
 */

void object_release(Avahi *avahi, Object *o, const char *interface)
{
        if (o->path)
                (void)avahi_call(avahi, o->path, interface, "Free", NULL, NULL, NULL, NULL);
        sd_bus_slot_unref(o->prepare);
        free(o->path);
        *o = (Object){0};
}

bool object_sent(const Object *o, sd_bus_message *m)
{
        return o->path && streq(o->path, strempty(sd_bus_message_get_path(m)));
}

int object_start(Avahi *avahi, Object *o, sd_bus_message *m, const char *interface)
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
        return avahi_call(avahi, path, interface, "Start", NULL, NULL, NULL, NULL);
}

/* --- life --------------------------------------------------------------------------------------
 */

static unsigned protocol_bit(int protocol)
{
        return protocol == AVAHI_PROTO_INET6 ? 2 : 1;
}

static bool entry_is_busy(const Entry *e)
{
        return e->resolver.prepare || e->records[0].prepare || e->records[1].prepare;
}

static void entry_free(Entry *e)
{
        EntryList *l = e->list;

        for (Entry **p = &l->entries; *p; p = &(*p)->next)
                if (*p == e) {
                        *p = e->next;
                        l->n--;
                        break;
                }
        object_release(l->avahi, &e->resolver, RESOLVER);
        for (size_t i = 0; i < ELEMENTSOF(e->records); i++)
                object_release(l->avahi, &e->records[i], RECORDS);
        free(e->name);
        free(e->domain);
        free(e->host);
        free(e);
}

void entry_drop(Entry *e)
{
        e->dead = true;
        if (!entry_is_busy(e))
                entry_free(e);
}

void entry_list_clear(EntryList *l)
{
        while (l->entries)
                entry_free(l->entries);
}

Entry *entry_find(EntryList *l, int ifindex, const char *name, const char *domain)
{
        for (Entry *e = l->entries; e; e = e->next)
                if (!e->dead && e->ifindex == ifindex && streq(e->name, name) &&
                    streq(e->domain, domain))
                        return e;
        return NULL;
}

static Entry *find_sender(EntryList *l, sd_bus_message *m)
{
        for (Entry *e = l->entries; e; e = e->next)
                if (!e->dead && (object_sent(&e->resolver, m) || object_sent(&e->records[0], m) ||
                                 object_sent(&e->records[1], m)))
                        return e;
        return NULL;
}

void entry_heard(Entry *e, int protocol)
{
        e->seen |= protocol_bit(protocol);
}

void entry_lost(Entry *e, int protocol)
{
        e->seen &= ~protocol_bit(protocol);
        if (e->seen == 0)
                entry_drop(e);
}

static void entry_changed(const Entry *e)
{
        e->list->on_change(e->list->userdata);
}

/* --- addresses ---------------------------------------------------------------------------------
 */

static void address_new(Entry *e, const Addr *a, unsigned bit)
{
        for (size_t i = 0; i < e->n_addrs; i++)
                if (addr_equal(&e->addrs[i].addr, a)) {
                        e->addrs[i].seen |= bit;
                        return;
                }
        /* fe80 needs a zone that Ray's address strings do not have (probe.md 4.3) */
        if (addr_is_usable(a) && e->n_addrs < ELEMENTSOF(e->addrs))
                e->addrs[e->n_addrs++] = (EntryAddr){.addr = *a, .seen = bit};
}

static void address_remove(Entry *e, const Addr *a, unsigned bit)
{
        for (size_t i = 0; i < e->n_addrs; i++) {
                if (!addr_equal(&e->addrs[i].addr, a))
                        continue;
                e->addrs[i].seen &= ~bit;
                if (e->addrs[i].seen == 0)
                        e->addrs[i] = e->addrs[--e->n_addrs];
                return;
        }
}

static int on_record_signal(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Entry *e = find_sender(userdata, m);
        int32_t protocol;
        uint16_t type;
        const void *data;
        size_t n;

        bool is_new = sd_bus_message_is_signal(m, RECORDS, "ItemNew");
        if (!e || (!is_new && !sd_bus_message_is_signal(m, RECORDS, "ItemRemove")))
                return 0;
        if (sd_bus_message_read(m, "iisqq", NULL, &protocol, NULL, NULL, &type) < 0 ||
            sd_bus_message_read_array(m, 'y', &data, &n) < 0)
                return 0;
        Addr a = {.family = type == record_types[0] ? AF_INET : AF_INET6};
        if (n != (a.family == AF_INET ? 4 : 16))
                return 0;
        memcpy(&a.in, data, n);
        if (is_new)
                address_new(e, &a, protocol_bit(protocol));
        else
                address_remove(e, &a, protocol_bit(protocol));
        entry_changed(e);
        return 0;
}

static int on_records_prepared(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Entry *e = userdata;
        sd_bus_slot *slot = sd_bus_get_current_slot(sd_bus_message_get_bus(m));

        Object *o = &e->records[slot == e->records[1].prepare];
        (void)object_start(e->list->avahi, o, m, RECORDS);
        if (e->dead)
                entry_drop(e);
        return 0;
}

static void ask_addresses(Entry *e)
{
        e->n_addrs = 0;
        for (size_t i = 0; i < ELEMENTSOF(e->records); i++) {
                object_release(e->list->avahi, &e->records[i], RECORDS);
                (void)avahi_call(e->list->avahi, "/", AVAHI_SERVER2, "RecordBrowserPrepare",
                                 on_records_prepared, e, &e->records[i].prepare, "iisqqu",
                                 e->ifindex, AVAHI_PROTO_UNSPEC, e->host, DNS_CLASS_IN,
                                 record_types[i], (uint32_t)0);
        }
}

/* --- SRV and TXT -------------------------------------------------------------------------------
 */

static int read_txt(sd_bus_message *m, HeadTxt *ret)
{
        _cleanup_strv_free_ char **txt = NULL;

        int r = sd_bus_message_enter_container(m, 'a', "ay");
        while (r >= 0) {
                const void *p;
                size_t n;
                r = sd_bus_message_read_array(m, 'y', &p, &n);
                if (r <= 0)
                        break;
                r = txt_accept(&txt, p, n);
        }
        if (r < 0)
                return r;
        head_txt_parse(txt, ret);
        return sd_bus_message_exit_container(m);
}

static void take_found(Entry *e, sd_bus_message *m)
{
        const char *host;
        uint16_t port;
        HeadTxt txt;

        if (sd_bus_message_read(m, "iissssisq", NULL, NULL, NULL, NULL, NULL, &host, NULL, NULL,
                                &port) < 0 ||
            read_txt(m, &txt) < 0)
                return;
        /* shown to people and asked for: nothing but what a host name is made of */
        _cleanup_free_ char *printable = str_escape(host, strlen(host), 255);
        if (!printable || !streq(printable, host))
                return;
        int r = free_and_strdup(&e->host, host);
        if (r < 0)
                return;
        e->port = port;
        e->txt = txt;
        if (r > 0)
                ask_addresses(e);
}

static int on_resolver_signal(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Entry *e = find_sender(userdata, m);

        /* Failure changes nothing: it is Avahi's patience that ended, what comes later is told */
        if (!e || !sd_bus_message_is_signal(m, RESOLVER, "Found"))
                return 0;
        take_found(e, m);
        entry_changed(e);
        return 0;
}

static int on_resolver_prepared(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Entry *e = userdata;

        (void)object_start(e->list->avahi, &e->resolver, m, RESOLVER);
        if (e->dead)
                entry_drop(e);
        return 0;
}

int entry_new(EntryList *l, int ifindex, int protocol, const char *name, const char *domain)
{
        Entry *e = new0(Entry, 1), **last = &l->entries;
        if (!e)
                return -ENOMEM;
        *e = (Entry){.list = l,
                     .ifindex = ifindex,
                     .seen = protocol_bit(protocol),
                     .name = strdup(name),
                     .domain = strdup(domain)};
        while (*last)
                last = &(*last)->next;
        *last = e;
        l->n++;
        int r = e->name && e->domain ? 0 : -ENOMEM;
        if (r >= 0)
                r = avahi_call(l->avahi, "/", AVAHI_SERVER2, "ServiceResolverPrepare",
                               on_resolver_prepared, e, &e->resolver.prepare, "iisssiu", ifindex,
                               AVAHI_PROTO_UNSPEC, name, l->service, domain, AVAHI_PROTO_UNSPEC,
                               (uint32_t)LOOKUP_NO_ADDRESS);
        if (r < 0)
                entry_drop(e);
        return r;
}

/* --- signals -----------------------------------------------------------------------------------
 */

int entry_list_match(EntryList *l)
{
        entry_list_unmatch(l);
        int r = avahi_match(l->avahi, NULL, RESOLVER, on_resolver_signal, l, &l->resolver_match);
        if (r >= 0)
                r = avahi_match(l->avahi, NULL, RECORDS, on_record_signal, l, &l->records_match);
        return r;
}

void entry_list_unmatch(EntryList *l)
{
        l->resolver_match = sd_bus_slot_unref(l->resolver_match);
        l->records_match = sd_bus_slot_unref(l->records_match);
}
