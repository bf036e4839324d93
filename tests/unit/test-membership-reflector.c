/* What a member's machine may ask of its head's reflector, by its daemon; both daemons are real. */
#include "test.h"

#include "daemon-room.h"

#include "wire/reflect-codec.h"

#define REFLECTOR "org.raycluster1.Reflector"

/* Until the journal of the daemon has this in it. */
static void wait_for_log(World *w, const char *part)
{
        _cleanup_free_ char *path = in_dir(w, "log");
        usec_t deadline = usec_add(now_mono(), DEADLINE);

        for (;;) {
                _cleanup_free_ char *text = NULL;
                (void)read_file(path, (size_t)1 << 20, &text, NULL);
                if (text && strstr(text, part))
                        return;
                if (now_mono() >= deadline) {
                        show_log(w);
                        fail_msg("no line with \"%s\"", part);
                }
                (void)sd_bus_process(w->bus, NULL);
                (void)sd_bus_wait(w->bus, 50 * USEC_PER_MSEC);
        }
}

/* "" and the answer when it worked, else the sentence. */
static char *ask_reflector(Room *room, const ReflectRequest *q, ReflectReply *ret)
{
        sd_bus_error error = SD_BUS_ERROR_NULL;
        sd_bus_message *m = NULL, *answer = NULL;
        _cleanup_buf_ Buf out = {0};
        const void *data;
        size_t size;

        assert_int_equal(reflect_encode_request(&out, q), 0);
        int r = sd_bus_message_new_method_call(room->worker->bus, &m, "org.raycluster1.Worker",
                                               "/org/raycluster1/Worker", REFLECTOR, "Ask");
        assert_true(r >= 0);
        assert_true(sd_bus_message_append_array(m, 'y', buf_data(&out), buf_size(&out)) >= 0);
        r = sd_bus_call(room->worker->bus, m, DEADLINE, &error, &answer);
        if (r >= 0) {
                assert_true(sd_bus_message_read_array(answer, 'y', &data, &size) > 0);
                assert_int_equal(reflect_decode_reply(data, size, ret), 0);
        }
        char *text = strdup(r < 0 ? strempty(error.message) : "");
        sd_bus_error_free(&error);
        sd_bus_message_unref(answer);
        sd_bus_message_unref(m);
        return text;
}

/* Whoever works on a member asks its head by the daemon; for loopback addresses, which all of this
 * is at, and for others the head does nothing, and says so in its journal. */
static void test_reflector(void **state)
{
        Room room = room_new();
        ReflectRequest q = {.kind = REFLECT_BEGIN, .port = (uint16_t)room.head->port};
        ReflectReply p = {0};
        sd_bus_message *m = NULL;
        const char *here, *there;

        _cleanup_free_ char *alone = ask_reflector(&room, &q, &p);
        assert_non_null(strstr(alone, "not connected to a head"));
        _cleanup_free_ char *token = create_token(&room, 1, "");
        _cleanup_free_ char *why = join(&room, token);
        assert_string_equal(why, "");
        wait_for(room.worker, "Membership", "member, connected");

        int r = sd_bus_call_method(room.worker->bus, "org.raycluster1.Worker",
                                   "/org/raycluster1/Worker", REFLECTOR, "GetHead", NULL, &m, "");
        assert_true(r >= 0);
        assert_true(sd_bus_message_read(m, "ss", &here, &there) > 0);
        assert_string_equal(there, room.control);

        _cleanup_free_ char *begun = ask_reflector(&room, &q, &p);
        assert_string_equal(begun, "");
        assert_int_equal(p.refusal, REFLECT_NONE);
        char observed[ADDR_PORT_MAX];
        assert_string_equal(addr_format_port(observed, &p.observed), here);
        assert_true(p.port.listening);

        q = (ReflectRequest){.kind = REFLECT_BACK, .back = {{.port = 22}}, .n_back = 1};
        _cleanup_free_ char *port = ask_reflector(&room, &q, &p);
        assert_string_equal(port, "");
        assert_int_equal(p.refusal, REFLECT_FORBIDDEN);
        wait_for_log(room.head, "port 22 is no port of the plan; that was not done");
        q.back[0].port = 10002;
        q.claimed[q.n_claimed++] = (Addr){.family = AF_INET, .in.s_addr = htonl(0xc0000207)};
        _cleanup_free_ char *foreign = ask_reflector(&room, &q, &p);
        assert_string_equal(foreign, "");
        assert_int_equal(p.refusal, REFLECT_FORBIDDEN);
        wait_for_log(room.head, "192.0.2.7 is not in the certificate");

        /* transfers are not for this connection */
        q = (ReflectRequest){.kind = REFLECT_DOWN, .bulk = 65536};
        _cleanup_free_ char *down = ask_reflector(&room, &q, &p);
        assert_non_null(strstr(down, "no request"));
        sd_bus_message_unref(m);
        room_free(&room);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_reflector),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
