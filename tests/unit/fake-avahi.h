/* An avahi-daemon on a private bus that does what a test tells it, well or badly. It answers as
 * Avahi 0.8 does: signals go to the caller alone, a resolver's first Found follows the answer to
 * Prepare. */
#pragma once

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/str.h"
#include "sys/bus.h"

typedef struct Broker {
        pid_t pid;
        char address[200];
} Broker;

static inline bool broker_start(Broker *b)
{
        int out[2];
        assert_int_equal(pipe(out), 0);
        b->pid = fork();
        assert_true(b->pid >= 0);
        if (b->pid == 0) {
                (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
                (void)dup2(out[1], 1);
                execlp("dbus-daemon", "dbus-daemon", "--session", "--nofork", "--nopidfile",
                       "--print-address=1", NULL);
                _exit(127);
        }
        close(out[1]);
        ssize_t n = read(out[0], b->address, sizeof(b->address) - 1);
        close(out[0]);
        b->address[n > 0 ? n : 0] = 0;
        b->address[strcspn(b->address, "\n")] = 0;
        return n > 0;
}

static inline void broker_stop(Broker *b)
{
        (void)kill(b->pid, SIGTERM);
        (void)waitpid(b->pid, NULL, 0);
}

typedef struct FakeService {
        const char *name, *host, *address; /* IPv4 */
        const char *txt[4];
        int ifindex;
        uint16_t port; /* 0 = 6388 */
} FakeService;

typedef struct FakeAvahi {
        sd_bus *bus;
        const FakeService *services;
        size_t n_services;
        unsigned n_made;      /* as many of services[0], numbered, come behind the list */
        bool mute_browse;     /* Prepare of a browser is never answered */
        bool mute_resolve;    /* resolvers never find */
        bool garbage;         /* signals of wrong types and sizes */
        bool always_collides; /* every name is taken */
        const char *add_error;
        unsigned n_objects, n_freed, n_max; /* alive at once */
        unsigned n_groups, n_added;
        char last_name[128];
        char *paths[4096]; /* by number: what was asked for */
} FakeAvahi;

static inline void fake_signal(FakeAvahi *f, const char *to, const char *path,
                               const char *interface, const char *member, const char *types, ...)
{
        sd_bus_message *m = NULL;
        va_list ap;

        assert_true(sd_bus_message_new_signal(f->bus, &m, path, interface, member) >= 0);
        assert_true(sd_bus_message_set_destination(m, to) >= 0);
        va_start(ap, types);
        assert_true(sd_bus_message_appendv(m, types, ap) >= 0);
        va_end(ap);
        assert_true(sd_bus_send(f->bus, m, NULL) >= 0);
        sd_bus_message_unref(m);
}

#define FAKE_BROWSER  "org.freedesktop.Avahi.ServiceBrowser"
#define FAKE_RESOLVER "org.freedesktop.Avahi.ServiceResolver"
#define FAKE_RECORDS  "org.freedesktop.Avahi.RecordBrowser"
#define FAKE_GROUP    "org.freedesktop.Avahi.EntryGroup"

static inline const FakeService *fake_find(const FakeAvahi *f, const char *name)
{
        for (size_t i = 0; i < f->n_services; i++)
                if (streq(f->services[i].name, name))
                        return &f->services[i];
        return startswith(name, "made-") ? &f->services[0] : NULL;
}

static inline void fake_item(FakeAvahi *f, const char *to, const char *path, const char *member,
                             const FakeService *s, const char *name)
{
        for (int protocol = 0; protocol < 2; protocol++)
                fake_signal(f, to, path, FAKE_BROWSER, member, "iisssu", s->ifindex, protocol, name,
                            "_raycluster._tcp", "local", 4);
}

static inline void fake_browse(FakeAvahi *f, const char *to, const char *path)
{
        if (f->garbage) {
                fake_signal(f, to, path, FAKE_BROWSER, "ItemNew", "s", "what?");
                fake_signal(f, to, path, FAKE_BROWSER, "ItemRemove", "iisssu", 7, 9, "never", "x",
                            "y", 0);
        }
        for (size_t i = 0; i < f->n_services; i++)
                fake_item(f, to, path, "ItemNew", &f->services[i], f->services[i].name);
        for (unsigned i = 0; i < f->n_made; i++) {
                char name[32];
                (void)snprintf(name, sizeof(name), "made-%u", i);
                fake_item(f, to, path, "ItemNew", &f->services[0], name);
        }
        fake_signal(f, to, path, FAKE_BROWSER, "AllForNow", "");
}

static inline void fake_found(FakeAvahi *f, const char *to, const char *path, const char *name)
{
        const FakeService *s = fake_find(f, name);
        sd_bus_message *m = NULL;

        if (!s || f->mute_resolve)
                return;
        if (f->garbage)
                fake_signal(f, to, path, FAKE_RESOLVER, "Found", "ss", "no", "host");
        char host[64];
        (void)snprintf(host, sizeof(host), "%s.local", name);
        assert_true(sd_bus_message_new_signal(f->bus, &m, path, FAKE_RESOLVER, "Found") >= 0);
        assert_true(sd_bus_message_set_destination(m, to) >= 0);
        assert_true(sd_bus_message_append(m, "iissssisq", s->ifindex, 1, name, "_raycluster._tcp",
                                          "local", startswith(name, "made-") ? host : s->host, -1,
                                          "", s->port ? s->port : 6388) >= 0);
        assert_true(sd_bus_message_open_container(m, 'a', "ay") >= 0);
        for (size_t i = 0; i < ELEMENTSOF(s->txt) && s->txt[i]; i++)
                assert_true(sd_bus_message_append_array(m, 'y', s->txt[i], strlen(s->txt[i])) >= 0);
        assert_true(sd_bus_message_close_container(m) >= 0);
        assert_true(sd_bus_message_append(m, "u", 5) >= 0);
        assert_true(sd_bus_send(f->bus, m, NULL) >= 0);
        sd_bus_message_unref(m);
}

static inline void fake_record(FakeAvahi *f, const char *to, const char *path, const char *host)
{
        const FakeService *s = NULL;
        unsigned a[4] = {10, 9, 9, 9};
        sd_bus_message *m = NULL;

        for (size_t i = 0; i < f->n_services && !s; i++)
                if (streq(f->services[i].host, host))
                        s = &f->services[i];
        if (s)
                (void)sscanf(s->address, "%u.%u.%u.%u", &a[0], &a[1], &a[2], &a[3]);
        const uint8_t b[4] = {(uint8_t)a[0], (uint8_t)a[1], (uint8_t)a[2], (uint8_t)a[3]};
        for (int garbage = f->garbage; garbage >= 0; garbage--) {
                assert_true(sd_bus_message_new_signal(f->bus, &m, path, FAKE_RECORDS, "ItemNew") >=
                            0);
                assert_true(sd_bus_message_set_destination(m, to) >= 0);
                assert_true(sd_bus_message_append(m, "iisqq", 1, 0, host, 1, 1) >= 0);
                assert_true(sd_bus_message_append_array(m, 'y', b, garbage ? 3 : 4) >= 0);
                assert_true(sd_bus_message_append(m, "u", 0) >= 0);
                assert_true(sd_bus_send(f->bus, m, NULL) >= 0);
                m = sd_bus_message_unref(m);
        }
}

static inline const char *fake_object(FakeAvahi *f, const char *what, const char *name)
{
        static char path[64];
        unsigned n = f->n_objects++;

        assert_true(n < ELEMENTSOF(f->paths));
        f->paths[n] = strdup(name);
        f->n_max = MAX(f->n_max, f->n_objects - f->n_freed);
        (void)snprintf(path, sizeof(path), "/%s/%u", what, n);
        return path;
}

static inline int fake_prepare(FakeAvahi *f, sd_bus_message *m, const char *member)
{
        const char *to = sd_bus_message_get_sender(m), *name = NULL, *path;
        uint16_t type = 0;

        if (streq(member, "ServiceBrowserPrepare")) {
                if (f->mute_browse)
                        return 1;
                return sd_bus_reply_method_return(m, "o", fake_object(f, "browser", ""));
        }
        if (streq(member, "ServiceResolverPrepare")) {
                assert_true(sd_bus_message_read(m, "iis", NULL, NULL, &name) >= 0);
                path = fake_object(f, "resolver", name);
                assert_true(sd_bus_reply_method_return(m, "o", path) >= 0);
                fake_found(f, to, path, name);
                return 1;
        }
        assert_string_equal(member, "RecordBrowserPrepare");
        assert_true(sd_bus_message_read(m, "iisqq", NULL, NULL, &name, NULL, &type) >= 0);
        path = fake_object(f, "records", name);
        assert_true(sd_bus_reply_method_return(m, "o", path) >= 0);
        if (type == 1)
                fake_record(f, to, path, name);
        return 1;
}

static inline int fake_group(FakeAvahi *f, sd_bus_message *m, const char *member)
{
        const char *to = sd_bus_message_get_sender(m), *name = NULL;

        if (streq(member, "AddService")) {
                if (f->add_error)
                        return sd_bus_reply_method_errorf(m, f->add_error, "Not this one");
                assert_true(sd_bus_message_read(m, "iius", NULL, NULL, NULL, &name) >= 0);
                (void)snprintf(f->last_name, sizeof(f->last_name), "%s", name);
                f->n_added++;
        }
        assert_true(sd_bus_reply_method_return(m, NULL) >= 0);
        if (streq(member, "Commit"))
                fake_signal(f, to, sd_bus_message_get_path(m), FAKE_GROUP, "StateChanged", "is",
                            f->always_collides ? 3 : 2, "");
        return 1;
}

static inline int on_fake_call(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        FakeAvahi *f = userdata;
        const char *member = sd_bus_message_get_member(m), *name;
        uint8_t type;

        assert_true(sd_bus_message_get_type(m, &type) >= 0);
        if (type != SD_BUS_MESSAGE_METHOD_CALL)
                return 0;
        if (sd_bus_message_get_interface(m) && streq(sd_bus_message_get_interface(m), FAKE_GROUP) &&
            !streq(member, "Free"))
                return fake_group(f, m, member);
        if (streq(member, "Free")) {
                f->n_freed++;
                return 1;
        }
        if (streq(member, "Start")) {
                if (startswith(sd_bus_message_get_path(m), "/browser"))
                        fake_browse(f, sd_bus_message_get_sender(m), sd_bus_message_get_path(m));
                return 1;
        }
        if (streq(member, "GetState"))
                return sd_bus_reply_method_return(m, "i", 2);
        if (streq(member, "EntryGroupNew")) {
                f->n_groups++;
                return sd_bus_reply_method_return(m, "o", fake_object(f, "group", ""));
        }
        if (streq(member, "GetAlternativeServiceName")) {
                char next[140];
                assert_true(sd_bus_message_read(m, "s", &name) >= 0);
                (void)snprintf(next, sizeof(next), "%s'", name);
                return sd_bus_reply_method_return(m, "s", next);
        }
        if (endswith(member, "Prepare"))
                return fake_prepare(f, m, member);
        return 0;
}

/* Owns the name when it returns. */
static inline void fake_avahi_start(FakeAvahi *f, sd_event *event, const Broker *b)
{
        assert_true(sd_bus_new(&f->bus) >= 0);
        assert_true(sd_bus_set_address(f->bus, b->address) >= 0);
        assert_true(sd_bus_set_bus_client(f->bus, true) >= 0);
        assert_true(sd_bus_start(f->bus) >= 0);
        assert_true(sd_bus_add_filter(f->bus, NULL, on_fake_call, f) >= 0);
        assert_true(sd_bus_request_name(f->bus, "org.freedesktop.Avahi", 0) >= 0);
        assert_true(sd_bus_attach_event(f->bus, event, 0) >= 0);
}

static inline void fake_avahi_stop(FakeAvahi *f)
{
        if (f->bus)
                (void)sd_bus_flush(f->bus);
        f->bus = sd_bus_close_unref(f->bus);
        for (size_t i = 0; i < f->n_objects; i++) {
                free(f->paths[i]);
                f->paths[i] = NULL;
        }
        f->n_objects = f->n_freed = 0;
}
