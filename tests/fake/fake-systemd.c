/* A systemd for tests of the daemons: the part of org.freedesktop.systemd1 that they use, on the
 * bus of DBUS_SYSTEM_BUS_ADDRESS.
 *
 *     fake-systemd ENGINE-UNIT OWN-UNIT [PROGRAM ARG…]
 *
 * Starting ENGINE-UNIT runs PROGRAM (activating, then active at once); stopping it ends PROGRAM;
 * when PROGRAM ends by itself the unit is failed. Prints "ready" when the name is ours. Tests steer
 * it by org.raycluster1.Fake at /: Fail(text), Job(type) of OWN-UNIT, Count() of starts,
 * Say(status) of every run from the next one, SayOnce(status) of the next one only, Refuse(text).
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "base/exit.h"
#include "base/str.h"

#define SYSTEMD "org.freedesktop.systemd1"
#define JOB     "/org/freedesktop/systemd1/job/7"

typedef struct Fake {
        sd_bus *bus;
        sd_event *event;
        const char *engine, *own;
        char *engine_path, *own_path;
        char **program;
        sd_event_source *child;
        pid_t pid;
        const char *active, *result;
        char *status;
        char *job;     /* of our own unit, "" = none */
        char *said;    /* status text of the running unit */
        char *once;    /* the same, of the next run only */
        char *refusal; /* the next start ends with this */
        uint32_t starts;
        int32_t code, exit_status;
} Fake;

static void changed(Fake *f)
{
        (void)sd_bus_emit_properties_changed(f->bus, f->engine_path, SYSTEMD ".Unit", "ActiveState",
                                             NULL);
        (void)sd_bus_emit_properties_changed(f->bus, f->engine_path, SYSTEMD ".Service",
                                             "StatusText", "Result", "MainPID", NULL);
}

static void set(Fake *f, const char *active, const char *result, const char *status)
{
        f->active = active;
        f->result = result;
        (void)free_and_strdup(&f->status, status);
        changed(f);
}

static int on_child(sd_event_source *s, const siginfo_t *si, void *userdata)
{
        Fake *f = userdata;

        f->child = sd_event_source_unref(f->child);
        f->pid = 0;
        f->code = si->si_code;
        f->exit_status = si->si_status;
        if (streq(f->active, "deactivating"))
                set(f, "inactive", "success", "");
        else
                set(f, "failed", "exit-code", f->status);
        return 0;
}

static void start(Fake *f)
{
        f->starts++;
        if (streq(f->active, "active"))
                return;
        set(f, "activating", "success", "starting");
        if (f->refusal) {
                f->code = CLD_EXITED;
                f->exit_status = EXIT_ENGINE_BLOCKED;
                set(f, "failed", "exit-code", f->refusal);
                free(f->refusal);
                f->refusal = NULL;
                return;
        }
        if (f->program) {
                f->pid = fork();
                if (f->pid == 0) {
                        sigset_t none;
                        sigemptyset(&none);
                        (void)sigprocmask(SIG_SETMASK, &none, NULL);
                        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
                        if (!freopen("/dev/null", "w", stdout))
                                _exit(126); /* nobody reads our own */
                        execv(f->program[0], f->program);
                        _exit(127);
                }
                (void)sd_event_add_child(f->event, &f->child, f->pid, WEXITED, on_child, f);
        } else
                f->pid = 4242;
        set(f, "active", "success", f->once ? f->once : f->said ? f->said : "Ray serves");
        free(f->once);
        f->once = NULL;
}

static void stop(Fake *f)
{
        if (streq(f->active, "inactive") || streq(f->active, "failed"))
                return;
        set(f, "deactivating", "success", "draining");
        if (f->program && f->pid > 0)
                (void)kill(f->pid, SIGTERM);
        else
                set(f, "inactive", "success", "");
}

static int reply_job(sd_bus_message *m)
{
        return sd_bus_reply_method_return(m, "o", JOB);
}

static int on_start(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        start(userdata);
        return reply_job(m);
}

static int on_stop(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        stop(userdata);
        return reply_job(m);
}

static int on_reset(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Fake *f = userdata;
        if (streq(f->active, "failed"))
                set(f, "inactive", "success", "");
        return sd_bus_reply_method_return(m, "");
}

static int on_subscribe(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        return sd_bus_reply_method_return(m, "");
}

static int on_get_unit(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Fake *f = userdata;
        const char *name;

        int r = sd_bus_message_read(m, "s", &name);
        if (r < 0)
                return r;
        if (streq(name, f->own))
                return sd_bus_reply_method_return(m, "o", f->own_path);
        if (streq(name, f->engine))
                return sd_bus_reply_method_return(m, "o", f->engine_path);
        return sd_bus_error_setf(error, SYSTEMD ".NoSuchUnit", "Unit %s not loaded.", name);
}

static int get_string(sd_bus *bus, const char *path, const char *interface, const char *property,
                      sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
        Fake *f = userdata;
        const char *s = streq(property, "ActiveState")  ? f->active
                        : streq(property, "LoadState")  ? "loaded"
                        : streq(property, "StatusText") ? strempty(f->status)
                        : streq(property, "JobType")    ? f->job
                                                        : f->result;
        return sd_bus_message_append(reply, "s", s);
}

static int get_pid(sd_bus *bus, const char *path, const char *interface, const char *property,
                   sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
        Fake *f = userdata;
        return sd_bus_message_append(reply, "u", (uint32_t)f->pid);
}

static int get_end(sd_bus *bus, const char *path, const char *interface, const char *property,
                   sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
        Fake *f = userdata;
        return sd_bus_message_append(reply, "i",
                                     streq(property, "ExecMainCode") ? f->code : f->exit_status);
}

static int get_job(sd_bus *bus, const char *path, const char *interface, const char *property,
                   sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
        Fake *f = userdata;
        bool there = streq(path, f->own_path) && !isempty(f->job);
        return sd_bus_message_append(reply, "(uo)", there ? 7U : 0U, there ? JOB : "/");
}

static int on_fail(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Fake *f = userdata;
        const char *text;

        int r = sd_bus_message_read(m, "s", &text);
        if (r < 0)
                return r;
        f->code = CLD_EXITED;
        f->exit_status = 1;
        if (f->program && f->pid > 0) { /* its end is the unit's */
                (void)free_and_strdup(&f->status, text);
                (void)kill(f->pid, SIGKILL);
        } else {
                f->pid = 0;
                set(f, "failed", "exit-code", text);
        }
        return sd_bus_reply_method_return(m, "");
}

static int on_refuse(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Fake *f = userdata;
        const char *text;

        int r = sd_bus_message_read(m, "s", &text);
        if (r < 0)
                return r;
        f->refusal = strdup(text);
        return sd_bus_reply_method_return(m, "");
}

static int on_say(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Fake *f = userdata;
        const char *text;

        int r = sd_bus_message_read(m, "s", &text);
        if (r >= 0)
                r = free_and_strdup(&f->said, text);
        return r < 0 ? r : sd_bus_reply_method_return(m, "");
}

static int on_say_once(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Fake *f = userdata;
        const char *text;

        int r = sd_bus_message_read(m, "s", &text);
        if (r >= 0)
                r = free_and_strdup(&f->once, text);
        return r < 0 ? r : sd_bus_reply_method_return(m, "");
}

static int on_set_job(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Fake *f = userdata;
        const char *type;

        int r = sd_bus_message_read(m, "s", &type);
        if (r >= 0)
                r = free_and_strdup(&f->job, type);
        return r < 0 ? r : sd_bus_reply_method_return(m, "");
}

static int on_count(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Fake *f = userdata;
        return sd_bus_reply_method_return(m, "u", f->starts);
}

#define FREE SD_BUS_VTABLE_UNPRIVILEGED

static const sd_bus_vtable manager[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("StartUnit", "ss", "o", on_start, FREE),
        SD_BUS_METHOD("StopUnit", "ss", "o", on_stop, FREE),
        SD_BUS_METHOD("ResetFailedUnit", "s", "", on_reset, FREE),
        SD_BUS_METHOD("Subscribe", "", "", on_subscribe, FREE),
        SD_BUS_METHOD("GetUnit", "s", "o", on_get_unit, FREE),
        SD_BUS_VTABLE_END,
};

#define EMITS SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE

static const sd_bus_vtable unit[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("ActiveState", "s", get_string, 0, EMITS),
        SD_BUS_PROPERTY("LoadState", "s", get_string, 0, 0),
        SD_BUS_PROPERTY("Job", "(uo)", get_job, 0, 0),
        SD_BUS_VTABLE_END,
};

static const sd_bus_vtable service[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("Result", "s", get_string, 0, EMITS),
        SD_BUS_PROPERTY("StatusText", "s", get_string, 0, EMITS),
        SD_BUS_PROPERTY("MainPID", "u", get_pid, 0, EMITS),
        SD_BUS_PROPERTY("ExecMainCode", "i", get_end, 0, 0),
        SD_BUS_PROPERTY("ExecMainStatus", "i", get_end, 0, 0),
        SD_BUS_VTABLE_END,
};

static const sd_bus_vtable job[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("JobType", "s", get_string, 0, 0),
        SD_BUS_VTABLE_END,
};

static const sd_bus_vtable control[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("Fail", "s", "", on_fail, FREE),
        SD_BUS_METHOD("Say", "s", "", on_say, FREE),
        SD_BUS_METHOD("SayOnce", "s", "", on_say_once, FREE),
        SD_BUS_METHOD("Refuse", "s", "", on_refuse, FREE),
        SD_BUS_METHOD("Job", "s", "", on_set_job, FREE),
        SD_BUS_METHOD("Count", "", "u", on_count, FREE),
        SD_BUS_VTABLE_END,
};

static int serve(Fake *f)
{
        const struct {
                const char *path, *interface;
                const sd_bus_vtable *vtable;
        } objects[] = {
                {"/org/freedesktop/systemd1", SYSTEMD ".Manager", manager},
                {f->engine_path, SYSTEMD ".Unit", unit},
                {f->engine_path, SYSTEMD ".Service", service},
                {f->own_path, SYSTEMD ".Unit", unit},
                {JOB, SYSTEMD ".Job", job},
                {"/", "org.raycluster1.Fake", control},
        };

        for (size_t i = 0; i < ELEMENTSOF(objects); i++) {
                int r = sd_bus_add_object_vtable(f->bus, NULL, objects[i].path,
                                                 objects[i].interface, objects[i].vtable, f);
                if (r < 0)
                        return r;
        }
        return sd_bus_request_name(f->bus, SYSTEMD, 0);
}

int main(int argc, char **argv)
{
        Fake f = {.active = "inactive", .result = "success"};
        sigset_t chld;

        if (argc < 3)
                return 2;
        sigemptyset(&chld);
        sigaddset(&chld, SIGCHLD);
        sigaddset(&chld, SIGTERM);
        (void)sigprocmask(SIG_BLOCK, &chld, NULL);
        f.engine = argv[1];
        f.own = argv[2];
        f.program = argc > 3 ? argv + 3 : NULL;
        f.job = strdup("");
        int r = sd_bus_path_encode("/org/freedesktop/systemd1/unit", f.engine, &f.engine_path);
        if (r >= 0)
                r = sd_bus_path_encode("/org/freedesktop/systemd1/unit", f.own, &f.own_path);
        if (r >= 0)
                r = sd_event_new(&f.event);
        if (r >= 0)
                r = sd_event_add_signal(f.event, NULL, SIGTERM, NULL, NULL);
        if (r >= 0)
                r = sd_bus_open_system(&f.bus);
        if (r >= 0)
                r = sd_bus_attach_event(f.bus, f.event, 0);
        if (r >= 0)
                r = serve(&f);
        if (r < 0)
                return 1;
        printf("ready\n");
        (void)fflush(stdout);
        (void)sd_event_loop(f.event);
        if (f.program && f.pid > 0)
                (void)kill(f.pid, SIGTERM);
        sd_bus_flush_close_unref(f.bus);
        sd_event_source_disable_unref(f.child);
        sd_event_unref(f.event);
        free(f.engine_path);
        free(f.own_path);
        free(f.status);
        free(f.job);
        free(f.refusal);
        free(f.said);
        free(f.once);
        return 0;
}
