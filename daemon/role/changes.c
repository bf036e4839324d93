#include "role/changes.h"

#include <errno.h>
#include <sys/inotify.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/time.h"
#include "engine/select.h"
#include "sys/netlink.h"

#define SETTLE (300 * USEC_PER_MSEC)

/* A folder that is not there yet is looked for again after this. */
#define MISSING_AGAIN (10 * USEC_PER_SEC)

/* Folders whose entries matter. */
static const char *const dirs[] = {ENGINE_DIR, "/etc/raycluster"};

struct Changes {
        NetMonitor *monitor;
        sd_event_source *watches[ELEMENTSOF(dirs)];
        sd_event_source *settle, *again;
        sd_event *event; /* weak */
        changes_cb cb;
        void *userdata;
};

/* Not put off by more of the same: a machine where something changes all the time is told too. */
static void stir(Changes *c)
{
        if (sd_event_source_get_enabled(c->settle, NULL) > 0)
                return;
        (void)sd_event_source_set_time_relative(c->settle, SETTLE);
        (void)sd_event_source_set_enabled(c->settle, SD_EVENT_ONESHOT);
}

static void on_net(NetMonitor *m, unsigned changed, void *userdata)
{
        stir(userdata);
}

static int on_inotify(sd_event_source *s, const struct inotify_event *e, void *userdata)
{
        Changes *c = userdata;

        if (e->mask & IN_IGNORED) { /* the folder itself went: looked for again */
                for (size_t i = 0; i < ELEMENTSOF(dirs); i++)
                        if (c->watches[i] == s)
                                c->watches[i] = sd_event_source_disable_unref(c->watches[i]);
                (void)sd_event_source_set_time_relative(c->again, MISSING_AGAIN);
                (void)sd_event_source_set_enabled(c->again, SD_EVENT_ONESHOT);
        }
        stir(c);
        return 0;
}

static int on_settled(sd_event_source *s, uint64_t usec, void *userdata)
{
        Changes *c = userdata;
        c->cb(c->userdata);
        return 0;
}

/* How many folders are watched now that were not. */
static int watch_dirs(Changes *c)
{
        bool missing = false;
        int n = 0;

        for (size_t i = 0; i < ELEMENTSOF(dirs); i++) {
                if (c->watches[i])
                        continue;
                int r = sd_event_add_inotify(c->event, &c->watches[i], dirs[i],
                                             IN_CREATE | IN_DELETE | IN_MOVED_TO | IN_MOVED_FROM |
                                                     IN_CLOSE_WRITE | IN_ATTRIB | IN_ONLYDIR,
                                             on_inotify, c);
                if (r >= 0)
                        n++;
                else
                        missing = true;
        }
        if (missing) {
                (void)sd_event_source_set_time_relative(c->again, MISSING_AGAIN);
                (void)sd_event_source_set_enabled(c->again, SD_EVENT_ONESHOT);
        }
        return n;
}

static int on_again(sd_event_source *s, uint64_t usec, void *userdata)
{
        Changes *c = userdata;

        if (watch_dirs(c) > 0)
                stir(c);
        return 0;
}

int changes_new(sd_event *event, changes_cb cb, void *userdata, Changes **ret)
{
        _cleanup_(changes_freep) Changes *c = new0(Changes, 1);
        if (!c)
                return -ENOMEM;
        *c = (Changes){.event = event, .cb = cb, .userdata = userdata};
        int r = sd_event_add_time(event, &c->settle, CLOCK_MONOTONIC, USEC_INFINITY, 0, on_settled,
                                  c);
        if (r < 0)
                return r;
        (void)sd_event_source_set_enabled(c->settle, SD_EVENT_OFF);
        r = net_monitor_new(event, on_net, c, &c->monitor);
        if (r < 0)
                log_debug_errno(r, "No monitor of the network: %m");
        r = sd_event_add_time(event, &c->again, CLOCK_MONOTONIC, USEC_INFINITY, USEC_PER_SEC,
                              on_again, c);
        if (r < 0)
                return r;
        (void)sd_event_source_set_enabled(c->again, SD_EVENT_OFF);
        (void)watch_dirs(c);
        *ret = TAKE_PTR(c);
        return 0;
}

Changes *changes_free(Changes *c)
{
        if (!c)
                return NULL;
        net_monitor_free(c->monitor);
        for (size_t i = 0; i < ELEMENTSOF(c->watches); i++)
                sd_event_source_disable_unref(c->watches[i]);
        sd_event_source_disable_unref(c->settle);
        sd_event_source_disable_unref(c->again);
        free(c);
        return NULL;
}
