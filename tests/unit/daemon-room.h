/* A head and a worker, each on a bus of its own with a fake systemd, and what admins say to them.
 */
#pragma once

#include "test.h"

#include "daemon-world.h"

#include "model/key-words.h"

typedef struct Room {
        World *head, *worker;
        char control[32]; /* the head's control port */
} Room;

#define MEMBERS    "org.raycluster1.Members"
#define MEMBERSHIP "org.raycluster1.Membership"

/* The environment is of the world that starts something next. */
_unused_ static void enter(const World *w)
{
        _cleanup_free_ char *address = str_printf("unix:path=%s/bus", w->dir);

        assert_int_equal(setenv("DBUS_SYSTEM_BUS_ADDRESS", address, 1), 0);
        assert_int_equal(setenv("RAYCLUSTER_RUN_DIR", w->dir, 1), 0);
        assert_int_equal(setenv("STATE_DIRECTORY", w->dir, 1), 0);
}

_unused_ static void start_head(Room *room)
{
        enter(room->head);
        start_daemon(room->head);
        wait_for(room->head, "State", "serving");
}

_unused_ static void start_worker(Room *room)
{
        enter(room->worker);
        start_daemon(room->worker);
        wait_for(room->worker, "State", "");
}

/* What Ray reads is what is kept: /run and /var are one folder here. */
_unused_ static Room room_new(void)
{
        Room room = {.head = world_new("Head")};

        write_conf(room.head, "auth: { mode = \"auto\"; };");
        (void)snprintf(room.control, sizeof(room.control), "127.0.0.1:%d", room.head->port + 9);
        start_head(&room);
        room.worker = world_new("Worker");
        write_conf(room.worker, "auth: { mode = \"auto\"; };");
        start_worker(&room);
        return room;
}

_unused_ static void room_free(Room *room)
{
        world_free(room->worker);
        world_free(room->head);
}

/* --- calls --------------------------------------------------------------------------------------
 */

_unused_ static char *create_token(Room *room, unsigned uses, const char *subnet)
{
        sd_bus_message *m = NULL;
        const char *id, *text;
        uint64_t expires;

        int r = sd_bus_call_method(room->head->bus, "org.raycluster1.Head", "/org/raycluster1/Head",
                                   MEMBERS, "CreateToken", NULL, &m, "utsss", uses, (uint64_t)0, "",
                                   "gpu", subnet);
        assert_true(r >= 0);
        assert_true(sd_bus_message_read(m, "sst", &id, &text, &expires) > 0);
        char *copy = strdup(text);
        sd_bus_message_unref(m);
        return copy;
}

/* The words that the worker shows after it asked for an admin's word, or "" when it is a member. */
_unused_ static void ask(Room *room, char head[KEY_WORDS_MAX], char own[KEY_WORDS_MAX])
{
        sd_bus_message *m = NULL, *reply = NULL;
        const char *pending, *a, *b;

        int r = sd_bus_message_new_method_call(room->worker->bus, &m, "org.raycluster1.Worker",
                                               "/org/raycluster1/Worker", MEMBERSHIP, "Join");
        assert_true(r >= 0);
        assert_true(sd_bus_message_append(m, "s", "") >= 0);
        assert_true(sd_bus_message_append_strv(m, (char *[]){room->control, NULL}) >= 0);
        assert_true(sd_bus_call(room->worker->bus, m, DEADLINE, NULL, &reply) >= 0);
        assert_true(sd_bus_message_read(reply, "sss", &pending, &a, &b) > 0);
        str_copy(head, KEY_WORDS_MAX, a);
        str_copy(own, KEY_WORDS_MAX, b);
        assert_int_equal(isempty(pending), isempty(a));
        sd_bus_message_unref(m);
        sd_bus_message_unref(reply);
}

/* How many wait at the head; the words of its key, and of the first of them. */
_unused_ static unsigned pending(Room *room, char head[KEY_WORDS_MAX], char first[KEY_WORDS_MAX])
{
        const char *words, *name, *node, *at, *takes, *key;
        sd_bus_message *m = NULL;
        uint64_t t1, t2;
        unsigned n = 0;

        int r = sd_bus_call_method(room->head->bus, "org.raycluster1.Head", "/org/raycluster1/Head",
                                   MEMBERS, "GetPending", NULL, &m, "");
        assert_true(r >= 0);
        assert_true(sd_bus_message_read(m, "s", &words) > 0);
        str_copy(head, KEY_WORDS_MAX, words);
        assert_true(sd_bus_message_enter_container(m, 'a', "(ssssstt)") > 0);
        while (sd_bus_message_read(m, "(ssssstt)", &name, &node, &at, &takes, &key, &t1, &t2) > 0)
                if (n++ == 0)
                        str_copy(first, KEY_WORDS_MAX, key);
        sd_bus_message_unref(m);
        return n;
}

/* "" when it worked, else the sentence. */
_unused_ static char *join(Room *room, const char *token)
{
        sd_bus_error error = SD_BUS_ERROR_NULL;
        sd_bus_message *m = NULL;

        int r = sd_bus_message_new_method_call(room->worker->bus, &m, "org.raycluster1.Worker",
                                               "/org/raycluster1/Worker", MEMBERSHIP, "Join");
        assert_true(r >= 0);
        assert_true(sd_bus_message_append(m, "s", token) >= 0);
        assert_true(sd_bus_message_append_strv(m, (char *[]){room->control, NULL}) >= 0);
        r = sd_bus_call(room->worker->bus, m, DEADLINE, &error, NULL);
        char *text = strdup(r < 0 ? strempty(error.message) : "");
        sd_bus_error_free(&error);
        sd_bus_message_unref(m);
        return text;
}

/* "" when it worked, else the sentence. */
_unused_ static char *tell_head(Room *room, const char *method, const char *who)
{
        sd_bus_error error = SD_BUS_ERROR_NULL;

        int r = sd_bus_call_method(room->head->bus, "org.raycluster1.Head", "/org/raycluster1/Head",
                                   MEMBERS, method, &error, NULL, "s", who);
        char *text = strdup(r < 0 ? strempty(error.message) : "");
        sd_bus_error_free(&error);
        return text;
}

/* "" when it worked, else the sentence. */
_unused_ static char *tell_worker(Room *room, const char *method)
{
        sd_bus_error error = SD_BUS_ERROR_NULL;
        sd_bus_message *reply = NULL;
        const char *note = "";

        int r = sd_bus_call_method(room->worker->bus, "org.raycluster1.Worker",
                                   "/org/raycluster1/Worker", MEMBERSHIP, method, &error, &reply,
                                   "");
        if (r >= 0)
                (void)sd_bus_message_read(reply, "s", &note);
        char *text = strdup(r < 0 ? strempty(error.message) : note);
        sd_bus_message_unref(reply);
        sd_bus_error_free(&error);
        return text;
}

_unused_ static char *ray_token(World *w, const char *interface)
{
        _cleanup_free_ char *name = name_of(w), *path = path_of(w);
        sd_bus_message *m = NULL;
        const char *text;

        if (sd_bus_call_method(w->bus, name, path, interface, "GetRayToken", NULL, &m, "") < 0)
                return NULL;
        assert_true(sd_bus_message_read(m, "s", &text) > 0);
        char *copy = strdup(text);
        sd_bus_message_unref(m);
        return copy;
}

_unused_ static void check_member(Room *room, const char *state, const char *group)
{
        const char *name, *node, *st, *gr, *addr;
        sd_bus_message *m = NULL;

        int r = sd_bus_call_method(room->head->bus, "org.raycluster1.Head", "/org/raycluster1/Head",
                                   MEMBERS, "GetMembers", NULL, &m, "");
        assert_true(r >= 0);
        assert_true(sd_bus_message_enter_container(m, 'a', "(ssssstttuutsss)") > 0);
        assert_true(sd_bus_message_enter_container(m, 'r', "ssssstttuutsss") > 0);
        assert_true(sd_bus_message_read(m, "sssss", &name, &node, &st, &gr, &addr) > 0);
        assert_string_equal(st, state);
        assert_string_equal(gr, group);
        sd_bus_message_unref(m);
}

/* Until the property has this in it. */
_unused_ static void wait_for_part(World *w, const char *property, const char *part)
{
        usec_t deadline = usec_add(now_mono(), DEADLINE);

        for (;;) {
                _cleanup_free_ char *value = get(w, property);
                if (value && strstr(value, part))
                        return;
                if (now_mono() >= deadline) {
                        show_log(w);
                        fail_msg("%s is \"%s\", without \"%s\"", property, strna(value), part);
                }
                while (sd_bus_process(w->bus, NULL) > 0)
                        ;
                (void)sd_bus_wait(w->bus, 200 * USEC_PER_MSEC);
        }
}

/* It starts while its identity cannot be read, and is stopped again. */
_unused_ static void start_unreadable(Room *room)
{
        _cleanup_free_ char *path = in_dir(room->worker, "identity.pem");
        _cleanup_free_ char *away = in_dir(room->worker, "away");
        _cleanup_free_ char *want = str_printf("%s cannot be read", path);

        (void)end(&room->worker->daemon, SIGKILL);
        assert_int_equal(rename(path, away), 0);
        assert_int_equal(mkdir(path, 0700), 0);
        start_worker(room);
        wait_for(room->worker, "Membership", want);
        (void)end(&room->worker->daemon, SIGKILL);
        assert_int_equal(rmdir(path), 0);
        assert_int_equal(rename(away, path), 0);
}

/* A worker that is a member, and is in the head's Ray: its file has the head's ports. */
_unused_ static Room room_with_member(void)
{
        Room room = room_new();
        _cleanup_free_ char *token = create_token(&room, 1, "");
        int port = room.worker->port;

        (void)end(&room.worker->daemon, SIGKILL);
        steer(room.worker, "Say", "running: Ray 2.60.0, node 01");
        room.worker->port = room.head->port;
        write_conf(room.worker, "auth: { mode = \"auto\"; };");
        room.worker->port = port;
        start_worker(&room);

        _cleanup_free_ char *why = join(&room, token);
        assert_string_equal(why, "");
        wait_for(room.worker, "Membership", "member, connected");
        wait_for_part(room.head, "Membership", "1 of 1");
        wait_for(room.worker, "State", "joined");
        return room;
}

/* The answer, or the error's sentence behind "! ". */
_unused_ static char *order(Room *room, const char *who, const char *what)
{
        sd_bus_error error = SD_BUS_ERROR_NULL;
        sd_bus_message *m = NULL;
        const char *text = NULL;

        int r = sd_bus_call_method(room->head->bus, "org.raycluster1.Head", "/org/raycluster1/Head",
                                   MEMBERS, "CommandMember", &error, &m, "sss", who, what, "");
        if (r >= 0)
                assert_true(sd_bus_message_read(m, "s", &text) > 0);
        char *copy = r >= 0 ? strdup(text) : str_printf("! %s", strempty(error.message));
        sd_bus_message_unref(m);
        sd_bus_error_free(&error);
        return copy;
}

_unused_ static void check_order(Room *room, const char *what, const char *want)
{
        _cleanup_free_ char *host = get(room->worker, "NodeName");
        _cleanup_free_ char *text = order(room, host, what);

        if (startswith(text, want))
                return;
        show_log(room->worker);
        fail_msg("%s: %s", what, text);
}
