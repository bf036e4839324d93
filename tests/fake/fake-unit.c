/* A systemd that has something to say about one unit, for clients that only look.
 *
 *     fake-unit [KEY=VALUE]…
 *
 * Keys are the properties of org.freedesktop.systemd1.Unit and .Service that raycluster(1) reads;
 * "file:UNIT=enabled" is what GetUnitFileState says of UNIT, "own=NAME" one bus name more. Prints
 * "ready" and ends with its standard input. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "base/str.h"

#define SYSTEMD "org.freedesktop.systemd1"
#define UNIT    "/org/freedesktop/systemd1/unit/it"

typedef struct Fake {
        char **said; /* KEY=VALUE */
} Fake;

static const char *said(const Fake *f, const char *key)
{
        for (char **s = f->said; *s; s++) {
                const char *rest = startswith(*s, key);
                if (rest && *rest == '=')
                        return rest + 1;
        }
        return "";
}

static int on_load(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        return sd_bus_reply_method_return(m, "o", UNIT);
}

static int on_file_state(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        const char *unit;
        int r = sd_bus_message_read(m, "s", &unit);

        if (r < 0)
                return r;
        _cleanup_free_ char *key = str_printf("file:%s", unit);
        const char *state = key ? said(userdata, key) : "";
        return *state ? sd_bus_reply_method_return(m, "s", state) : -ENOENT;
}

static int get_string(sd_bus *bus, const char *path, const char *interface, const char *property,
                      sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
        return sd_bus_message_append(reply, "s", said(userdata, property));
}

static int get_int(sd_bus *bus, const char *path, const char *interface, const char *property,
                   sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
        return sd_bus_message_append(reply, "i", atoi(said(userdata, property)));
}

static int get_bool(sd_bus *bus, const char *path, const char *interface, const char *property,
                    sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
        return sd_bus_message_append(reply, "b", atoi(said(userdata, property)));
}

static int get_u64(sd_bus *bus, const char *path, const char *interface, const char *property,
                   sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
        return sd_bus_message_append(reply, "t", strtoull(said(userdata, property), NULL, 10));
}

static const sd_bus_vtable manager[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("LoadUnit", "s", "o", on_load, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("GetUnitFileState", "s", "s", on_file_state, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END};

static const sd_bus_vtable unit[] = {SD_BUS_VTABLE_START(0),
                                     SD_BUS_PROPERTY("LoadState", "s", get_string, 0, 0),
                                     SD_BUS_PROPERTY("ActiveState", "s", get_string, 0, 0),
                                     SD_BUS_PROPERTY("SubState", "s", get_string, 0, 0),
                                     SD_BUS_PROPERTY("UnitFileState", "s", get_string, 0, 0),
                                     SD_BUS_PROPERTY("AssertResult", "b", get_bool, 0, 0),
                                     SD_BUS_PROPERTY("AssertTimestamp", "t", get_u64, 0, 0),
                                     SD_BUS_VTABLE_END};

static const sd_bus_vtable service[] = {SD_BUS_VTABLE_START(0),
                                        SD_BUS_PROPERTY("Result", "s", get_string, 0, 0),
                                        SD_BUS_PROPERTY("ExecMainStatus", "i", get_int, 0, 0),
                                        SD_BUS_PROPERTY("ExecMainCode", "i", get_int, 0, 0),
                                        SD_BUS_PROPERTY("LimitNOFILESoft", "t", get_u64, 0, 0),
                                        SD_BUS_VTABLE_END};

static int on_input(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
        char c;

        return read(fd, &c, 1) > 0 ? 0 : sd_event_exit(sd_event_source_get_event(s), 0);
}

int main(int argc, char **argv)
{
        Fake f = {.said = argv + 1};
        sd_bus *bus = NULL;
        sd_event *event = NULL;

        if (sd_event_default(&event) < 0 || sd_bus_open_system(&bus) < 0 ||
            sd_bus_attach_event(bus, event, 0) < 0 ||
            sd_bus_add_object_vtable(bus, NULL, "/org/freedesktop/systemd1", SYSTEMD ".Manager",
                                     manager, &f) < 0 ||
            sd_bus_add_object_vtable(bus, NULL, UNIT, SYSTEMD ".Unit", unit, &f) < 0 ||
            sd_bus_add_object_vtable(bus, NULL, UNIT, SYSTEMD ".Service", service, &f) < 0 ||
            sd_bus_request_name(bus, SYSTEMD, 0) < 0 ||
            sd_event_add_io(event, NULL, STDIN_FILENO, EPOLLIN, on_input, NULL) < 0)
                return 1;
        for (char **s = f.said; *s; s++)
                if (startswith(*s, "own=") && sd_bus_request_name(bus, *s + strlen("own="), 0) < 0)
                        return 1;
        printf("ready\n");
        fflush(stdout);
        int r = sd_event_loop(event);
        sd_bus_flush_close_unref(bus);
        sd_event_unref(event);
        return r < 0;
}
