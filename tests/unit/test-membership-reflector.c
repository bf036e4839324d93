/* A member's machine and its head's reflector: asked by the daemon before Ray starts, by whoever
 * works on the machine, by ray-probe; both daemons are real. */
#include "test.h"

#include "daemon-room.h"

#include "wire/reflect-codec.h"

#define REFLECTOR "org.raycluster1.Reflector"

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

/* What came of the test before Ray starts; ret: its sentence, the caller's. */
static bool wait_test(Room *room, char **ret)
{
        sd_bus_error error = SD_BUS_ERROR_NULL;
        sd_bus_message *m = NULL;
        const char *verdict, *sentence, *remedy;
        int starts;

        int r = sd_bus_call_method(room->worker->bus, "org.raycluster1.Worker",
                                   "/org/raycluster1/Worker", REFLECTOR, "WaitTest", &error, &m,
                                   "");
        if (r < 0)
                fail_msg("%s", strempty(error.message));
        assert_true(sd_bus_message_read(m, "bsss", &starts, &verdict, &sentence, &remedy) > 0);
        *ret = strdup(sentence);
        sd_bus_message_unref(m);
        return starts;
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
        /* the daemon itself asked first; what the head does not do keeps Ray from nothing */
        _cleanup_free_ char *tested = NULL;
        assert_true(wait_test(&room, &tested));
        assert_non_null(strstr(tested, "not found out: the reflector refuses: 127.0.0.1 is a "
                                       "loopback address"));
        wait_for(room.worker, "State", "joined");
        _cleanup_free_ char *runs = NULL;
        assert_true(wait_test(&room, &runs));

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

/* Its whole output; the environment is the worker's. */
static char *run_probe(const char *options, int port)
{
        _cleanup_free_ char *command =
                str_printf(TEST_BUILD "/bin/ray-probe %s 127.0.0.1 %d", options, port);
        char *text = new0(char, 65536);

        assert_non_null(text);
        FILE *f = popen(command, "r");
        assert_non_null(f);
        (void)fread(text, 1, 65535, f);
        (void)pclose(f);
        return text;
}

/* On a member it asks the head by itself; where there is no daemon it is as ever. */
static void test_probe(void **state)
{
        Room room = room_new();
        _cleanup_free_ char *token = create_token(&room, 1, "");
        _cleanup_free_ char *why = join(&room, token);

        assert_string_equal(why, "");
        wait_for(room.worker, "Membership", "member, connected");
        _cleanup_free_ char *tested = NULL;
        assert_true(wait_test(&room, &tested));
        enter(room.worker);
        _cleanup_free_ char *member = run_probe("--json", room.head->port);
        if (!strstr(member, "\"reflector=yes\"") || !strstr(member, "\"verdict\": \"OK\"") ||
            !strstr(member, "whether it can connect to this machine was not found out: the "
                            "reflector refuses: 127.0.0.1 is a loopback address"))
                fail_msg("%s", member);
        enter(room.head); /* where there is no worker's daemon */
        _cleanup_free_ char *head = run_probe("--json", room.head->port);
        assert_non_null(strstr(head, "\"verdict\": \"OK\""));
        assert_non_null(strstr(head, "\"other_side\": null"));
        assert_null(strstr(head, "reflector"));
        room_free(&room);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_reflector),
                cmocka_unit_test(test_probe),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
