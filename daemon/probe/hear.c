/*
 *   no avahi-daemon ──────────────────> deaf
 *   browse ──a head with the address──> heard
 *     └────────2 s of listening───────> not heard, others perhaps
 */
#include "probe/hear.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/str.h"
#include "disco/mdns-entry.h"

#define SERVICE "_raycluster._tcp"
#define BROWSER "org.freedesktop.Avahi.ServiceBrowser"

/* Instances followed; one of them is the head asked for, or the room has other troubles. */
#define HEARD_MAX 32

struct Hear {
        hear_cb cb;
        void *userdata;
        Addr addr;

        Avahi *avahi;
        Object browser;
        sd_bus_slot *browser_match;
        EntryList list;
        sd_event_source *deadline_timer;
        sd_event_source *end_defer;
        HearFacts facts;
};

static bool is_head(const Hear *h, const Entry *e)
{
        if (e->dead || !e->host)
                return false;
        /* Entries keep no link-local addresses: the interface must do. */
        if (addr_is_link_local(&h->addr) && h->addr.scope == (uint32_t)e->ifindex)
                return true;
        for (size_t i = 0; i < e->n_addrs; i++)
                if (addr_equal(&e->addrs[i].addr, &h->addr))
                        return true;
        return false;
}

/* Told from the loop: whatever finds it may be inside avahi's callbacks. */
static void end(Hear *h)
{
        if (h->facts.ended)
                return;
        h->facts.ended = true;
        (void)sd_event_source_set_enabled(h->end_defer, SD_EVENT_ONESHOT);
}

static int on_end(sd_event_source *s, void *userdata)
{
        Hear *h = userdata;
        h->cb(h, &h->facts, h->userdata);
        return 0;
}

static void evaluate(void *userdata)
{
        Hear *h = userdata;
        for (const Entry *e = h->list.entries; e && !h->facts.heard; e = e->next)
                h->facts.heard = is_head(h, e);
        if (h->facts.heard)
                end(h);
}

static void deaf(Hear *h, const char *why)
{
        if (h->facts.ended)
                return;
        h->facts.deaf = true;
        (void)snprintf(h->facts.text, sizeof(h->facts.text), "%s", why);
        end(h);
}

static int on_browser_signal(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Hear *h = userdata;
        int32_t ifindex, protocol;
        const char *name, *type, *domain;

        if (!object_sent(&h->browser, m))
                return 0;
        if (sd_bus_message_is_signal(m, BROWSER, "Failure"))
                deaf(h, "avahi-daemon gave up browsing");
        if (!sd_bus_message_is_signal(m, BROWSER, "ItemNew") ||
            sd_bus_message_read(m, "iisss", &ifindex, &protocol, &name, &type, &domain) < 0)
                return 0;
        Entry *e = entry_find(&h->list, ifindex, name, domain);
        if (e)
                entry_heard(e, protocol);
        else if (h->list.n < HEARD_MAX)
                (void)entry_new(&h->list, ifindex, protocol, name, domain);
        return 0;
}

static int on_browser_prepared(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Hear *h = userdata;
        if (object_start(h->avahi, &h->browser, m, BROWSER) < 0)
                deaf(h, "avahi-daemon refuses to browse");
        return 0;
}

static void on_avahi_up(sd_bus *bus, const char *owner, void *userdata)
{
        Hear *h = userdata;

        h->browser_match = sd_bus_slot_unref(h->browser_match);
        int r = avahi_match(h->avahi, NULL, BROWSER, on_browser_signal, h, &h->browser_match);
        if (r >= 0)
                r = entry_list_match(&h->list);
        if (r >= 0)
                r = avahi_call(h->avahi, "/", AVAHI_SERVER2, "ServiceBrowserPrepare",
                               on_browser_prepared, h, &h->browser.prepare, "iissu",
                               AVAHI_IF_UNSPEC, AVAHI_PROTO_UNSPEC, SERVICE, "", (uint32_t)0);
        if (r < 0)
                deaf(h, "avahi-daemon cannot be asked");
}

static void on_avahi_down(void *userdata)
{
        Hear *h = userdata;
        deaf(h, avahi_text(h->avahi));
}

static int on_deadline_timer(sd_event_source *s, uint64_t usec, void *userdata)
{
        Hear *h = userdata;

        if (avahi_is_up(h->avahi) && !h->browser.path)
                deaf(h, "avahi-daemon does not answer");
        else if (!avahi_is_up(h->avahi))
                deaf(h, "the system bus does not answer");
        for (const Entry *e = h->list.entries; e; e = e->next) {
                if (e->dead || is_head(h, e))
                        continue;
                _cleanup_free_ char *name = str_escape(e->name, strlen(e->name), 63);
                if (h->facts.others++ == 0)
                        (void)snprintf(h->facts.text, sizeof(h->facts.text), "%s", strempty(name));
        }
        end(h);
        return 0;
}

Hear *hear_free(Hear *h)
{
        if (!h)
                return NULL;
        if (h->avahi) {
                entry_list_clear(&h->list);
                object_release(h->avahi, &h->browser, BROWSER);
                sd_bus_slot_unref(h->browser_match);
                entry_list_unmatch(&h->list);
        }
        avahi_free(h->avahi);
        sd_event_source_disable_unref(h->deadline_timer);
        sd_event_source_disable_unref(h->end_defer);
        free(h);
        return NULL;
}

int hear_new(sd_event *event, Bus *bus, const Addr *addr, usec_t timeout, hear_cb cb,
             void *userdata, Hear **ret)
{
        static const AvahiOps avahi_ops = {.on_up = on_avahi_up, .on_down = on_avahi_down};
        _cleanup_(hear_freep) Hear *h = new0(Hear, 1);
        if (!h)
                return -ENOMEM;
        *h = (Hear){.cb = cb, .userdata = userdata, .addr = *addr, .facts = {.asked = true}};
        int r = sd_event_add_defer(event, &h->end_defer, on_end, h);
        if (r >= 0)
                r = sd_event_source_set_enabled(h->end_defer, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_time_relative(event, &h->deadline_timer, CLOCK_MONOTONIC, timeout,
                                               USEC_PER_MSEC, on_deadline_timer, h);
        if (r >= 0)
                r = avahi_new(bus, &avahi_ops, h, &h->avahi);
        if (r < 0)
                return r;
        h->list = (EntryList){
                .avahi = h->avahi, .service = SERVICE, .on_change = evaluate, .userdata = h};
        if (avahi_is_down(h->avahi))
                on_avahi_down(h);
        *ret = TAKE_PTR(h);
        return 0;
}
