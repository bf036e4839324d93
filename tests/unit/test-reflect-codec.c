/* What a probe and a reflector say: there and back, every bound of it, and the frames around. */
#include "test.h"

#include <endian.h>
#include <stdio.h>

#include "base/alloc.h"
#include "wire/pb.h"
#include "wire/reflect-codec.h"
#include "wire/reflect-frame.h"
#include "wire/reflect.pb-c.h"

static Addr addr(const char *s, uint16_t port)
{
        Addr a;
        assert_int_equal(addr_parse(s, &a), 0);
        a.port = port;
        return a;
}

static int round_request(const ReflectRequest *q, ReflectRequest *ret)
{
        _cleanup_buf_ Buf out = {0};

        int r = reflect_encode_request(&out, q);
        return r < 0 ? r : reflect_decode_request(buf_data(&out), buf_size(&out), ret);
}

static int round_reply(const ReflectReply *p, ReflectReply *ret)
{
        _cleanup_buf_ Buf out = {0};

        int r = reflect_encode_reply(&out, p);
        return r < 0 ? r : reflect_decode_reply(buf_data(&out), buf_size(&out), ret);
}

static void test_request(void **state)
{
        ReflectRequest q = {
                .kind = REFLECT_BACK,
                .t1_usec = -5,
                .dialled = addr("10.0.0.1", 6388),
                .claimed = {addr("10.0.0.2", 0), addr("fd00::2", 0)},
                .n_claimed = 2,
                .port = 6379,
                .here = {.ray = "2.60.0", .python = "3.11.2"},
                .has_nonce = true,
                .back = {{6380, true}, {10002, false}},
                .n_back = 2,
        };
        ReflectRequest got;

        for (unsigned i = 0; i < sizeof(q.nonce); i++)
                q.nonce[i] = (uint8_t)(i * 7);
        assert_int_equal(round_request(&q, &got), 0);
        assert_int_equal(got.kind, REFLECT_BACK);
        assert_int_equal(got.version, REFLECT_VERSION);
        assert_true(got.t1_usec == -5);
        assert_true(addr_equal(&got.dialled, &q.dialled));
        assert_int_equal(got.dialled.port, 6388);
        assert_int_equal(got.n_claimed, 2);
        assert_true(addr_equal(&got.claimed[1], &q.claimed[1]));
        assert_int_equal(got.port, 6379);
        assert_string_equal(got.here.ray, "2.60.0");
        assert_string_equal(got.here.python, "3.11.2");
        assert_true(got.has_nonce);
        assert_memory_equal(got.nonce, q.nonce, sizeof(q.nonce));
        assert_int_equal(got.n_back, 2);
        assert_int_equal(got.back[0].port, 6380);
        assert_true(got.back[0].nonce);
        assert_false(got.back[1].nonce);

        q = (ReflectRequest){.kind = REFLECT_UP, .filler = REFLECT_BULK_MAX, .version = 9};
        assert_int_equal(round_request(&q, &got), 0);
        assert_int_equal(got.filler, REFLECT_BULK_MAX);
        assert_int_equal(got.version, 9);
        assert_false(addr_is_set(&got.dialled));
        assert_false(got.has_nonce);

        q = (ReflectRequest){.kind = REFLECT_BACK, .back_first = 10002, .back_last = 19999};
        assert_int_equal(round_request(&q, &got), 0);
        assert_int_equal(got.back_first, 10002);
        assert_int_equal(got.back_last, 19999);
}

static void test_request_bounds(void **state)
{
        ReflectRequest q = {.kind = REFLECT_BACK}, got;

        for (size_t i = 0; i < BACK_TRIES_MAX; i++)
                q.back[q.n_back++] = (ReflectBackPort){.port = (uint16_t)(i + 1)};
        for (size_t i = 0; i < CLAIMED_MAX; i++)
                q.claimed[q.n_claimed++] = addr("10.0.0.2", 0);
        assert_int_equal(round_request(&q, &got), 0);
        assert_int_equal(got.n_back, BACK_TRIES_MAX);
        assert_int_equal(got.n_claimed, CLAIMED_MAX);

        q.n_back = BACK_TRIES_MAX + 1;
        assert_int_equal(round_request(&q, &got), -EINVAL);
        q.n_back = 1;
        q.n_claimed = CLAIMED_MAX + 1;
        assert_int_equal(round_request(&q, &got), -EINVAL);
        q.n_claimed = 1;
        q.claimed[0] = (Addr){0};
        assert_int_equal(round_request(&q, &got), -EINVAL);

        q = (ReflectRequest){.kind = REFLECT_DOWN, .bulk = REFLECT_BULK_MAX + 1};
        assert_int_equal(round_request(&q, &got), -EINVAL);
        q = (ReflectRequest){.kind = REFLECT_UP, .filler = REFLECT_BULK_MAX + 1};
        assert_int_equal(round_request(&q, &got), -EINVAL);
        q = (ReflectRequest){0};
        assert_int_equal(round_request(&q, &got), -EINVAL);
        q = (ReflectRequest){.kind = REFLECT_BACK, .back_first = 5, .back_last = 4};
        assert_int_equal(round_request(&q, &got), -EINVAL);
        q = (ReflectRequest){.kind = REFLECT_BACK, .back_last = 4};
        assert_int_equal(round_request(&q, &got), -EINVAL);
        q = (ReflectRequest){.kind = REFLECT_BACK, .back_first = 4, .back_last = 4, .n_back = 1};
        assert_int_equal(round_request(&q, &got), -EINVAL);
}

/* What our encoder cannot say, a stranger's can. */
static int foreign_request(Reflectpb__Request *m)
{
        _cleanup_buf_ Buf out = {0};
        ReflectRequest got = {0};
        uint8_t *p;

        assert_int_equal(buf_reserve(&out, reflectpb__request__get_packed_size(m), &p), 0);
        buf_commit(&out, reflectpb__request__pack(m, p));
        int r = reflect_decode_request(buf_data(&out), buf_size(&out), &got);
        return r < 0 ? r : (int)got.kind;
}

static void test_foreign_request(void **state)
{
        Reflectpb__BackPort port = REFLECTPB__BACK_PORT__INIT, *ports[BACK_TRIES_MAX + 1];
        Reflectpb__Address address = REFLECTPB__ADDRESS__INIT, *addresses[CLAIMED_MAX + 1];
        Reflectpb__Request m = REFLECTPB__REQUEST__INIT;
        uint8_t bytes[16] = {10, 0, 0, 1};
        _cleanup_free_ uint8_t *much = new0(uint8_t, REFLECT_BULK_MAX + 1);

        for (size_t i = 0; i < ELEMENTSOF(ports); i++)
                ports[i] = &port;
        for (size_t i = 0; i < ELEMENTSOF(addresses); i++)
                addresses[i] = &address;
        port.port = 6380;
        address.ip = (ProtobufCBinaryData){.len = 4, .data = bytes};
        m.kind = REFLECTPB__REQUEST__KIND__BACK;
        m.back = ports;
        m.claimed = addresses;

        m.n_back = BACK_TRIES_MAX;
        m.n_claimed = CLAIMED_MAX;
        assert_int_equal(foreign_request(&m), REFLECT_BACK);
        m.n_back = BACK_TRIES_MAX + 1;
        assert_int_equal(foreign_request(&m), -EMSGSIZE);
        m.n_back = 1;
        m.n_claimed = CLAIMED_MAX + 1;
        assert_int_equal(foreign_request(&m), -EMSGSIZE);
        m.n_claimed = 1;
        address.ip.len = 5;
        assert_int_equal(foreign_request(&m), -EBADMSG);
        address.ip.len = 16;
        assert_int_equal(foreign_request(&m), REFLECT_BACK);
        address.port = 65536;
        assert_int_equal(foreign_request(&m), -EBADMSG);
        address.port = 0;
        port.port = 0;
        assert_int_equal(foreign_request(&m), -EBADMSG);
        port.port = 65536;
        assert_int_equal(foreign_request(&m), -EBADMSG);
        m.n_back = 0;
        m.nonce = (ProtobufCBinaryData){.len = 31, .data = much};
        assert_int_equal(foreign_request(&m), -EBADMSG);
        m.nonce.len = 0;
        m.port = 65536;
        assert_int_equal(foreign_request(&m), -EBADMSG);
        m.port = 0;
        m.back_first = 9;
        assert_int_equal(foreign_request(&m), -EBADMSG);
        m.back_first = 0;
        m.filler = (ProtobufCBinaryData){.len = REFLECT_BULK_MAX + 1, .data = much};
        assert_int_equal(foreign_request(&m), -EMSGSIZE);
        m.filler.len = 0;
        m.bulk = REFLECT_BULK_MAX + 1;
        assert_int_equal(foreign_request(&m), -EMSGSIZE);
        m.bulk = 0;
        m.ray_version = "2.60.0\n";
        assert_int_equal(foreign_request(&m), -EBADMSG);
        m.ray_version = "2.60.0";
        /* of a later version: known to be unknown */
        m.kind = (Reflectpb__Request__Kind)77;
        assert_int_equal(foreign_request(&m), 0);
        m.kind = (Reflectpb__Request__Kind)-2;
        assert_int_equal(foreign_request(&m), 0);

        ReflectRequest got;
        assert_int_equal(reflect_decode_request("\xff\xff\xff", 3, &got), -EBADMSG);
}

static void test_reply(void **state)
{
        ReflectReply p = {
                .observed = addr("fd00::2", 40000),
                .local = addr("fd00::1", 6388),
                .t2_usec = 1700000000000000,
                .t3_usec = 1700000000000100,
                .clock_sync = CLOCK_SYNC_NO,
                .head_node = addr("10.0.0.1", 0),
                .hostname = "head",
                .head = {.ray = "2.60.0"},
                .firewall = FIREWALL_UFW,
                .port = {.known = true,
                         .listening = true,
                         .loopback_only = true,
                         .bound = addr("127.0.0.1", 0),
                         .queue = 3,
                         .room = 4096,
                         .syn_recv = 2},
                .rise = {.known = true,
                         .listen_overflows = 1,
                         .listen_drops = 2,
                         .rp_filter = 3,
                         .no_routes = 4,
                         .resets = 5,
                         .undelivered_known = true,
                         .undelivered = 6,
                         .undelivered_most = 8},
                .route_known = true,
                .route_error = ENETUNREACH,
                .route_dev = "eth0",
                .route_source = addr("fd00::1", 0),
                .route_mtu = 1400,
                .back = {{.addr = addr("10.0.0.2", 6380), .result = BACK_NONCE_OK, .took = 1500},
                         {.addr = addr("10.0.0.2", 10002),
                          .last_port = 19999,
                          .result = BACK_REJECTED,
                          .icmp = {.seen = true,
                                   .type = 3,
                                   .code = 13,
                                   .from = addr("10.0.0.9", 0)}},
                         {.addr = addr("10.0.0.3", 7), .result = BACK_NO_WAY, .error = EPERM}},
                .n_back = 3,
                .filler = 1000,
                .received = 77,
        };
        ReflectReply got;

        assert_int_equal(round_reply(&p, &got), 0);
        assert_int_equal(got.refusal, REFLECT_NONE);
        assert_true(addr_equal(&got.observed, &p.observed));
        assert_int_equal(got.observed.port, 40000);
        assert_int_equal(got.local.port, 6388);
        assert_true(got.t2_usec == p.t2_usec && got.t3_usec == p.t3_usec);
        assert_int_equal(got.clock_sync, CLOCK_SYNC_NO);
        assert_true(addr_equal(&got.head_node, &p.head_node));
        assert_string_equal(got.hostname, "head");
        assert_string_equal(got.head.ray, "2.60.0");
        assert_int_equal(got.firewall, FIREWALL_UFW);
        assert_true(got.port.known && got.port.listening && got.port.loopback_only);
        assert_true(addr_equal(&got.port.bound, &p.port.bound));
        assert_int_equal(got.port.room, 4096);
        assert_int_equal(got.port.syn_recv, 2);
        assert_true(got.rise.known && got.rise.undelivered_known);
        assert_int_equal(got.rise.rp_filter, 3);
        assert_int_equal(got.rise.undelivered, 6);
        assert_int_equal(got.rise.undelivered_most, 8);
        assert_true(got.route_known);
        assert_int_equal(got.route_error, ENETUNREACH);
        assert_string_equal(got.route_dev, "eth0");
        assert_int_equal(got.route_mtu, 1400);
        assert_int_equal(got.n_back, 3);
        assert_int_equal(got.back[0].result, BACK_NONCE_OK);
        assert_int_equal(got.back[0].took, 1500);
        assert_int_equal(got.back[1].last_port, 19999);
        assert_true(got.back[1].icmp.seen);
        assert_int_equal(got.back[1].icmp.code, 13);
        assert_true(addr_equal(&got.back[1].icmp.from, &p.back[1].icmp.from));
        assert_int_equal(got.back[2].error, EPERM);
        assert_int_equal(got.filler, 1000);
        assert_int_equal(got.received, 77);

        /* nothing said, nothing known */
        p = (ReflectReply){.refusal = REFLECT_RATE, .retry = 5, .text = "too soon"};
        assert_int_equal(round_reply(&p, &got), 0);
        assert_int_equal(got.refusal, REFLECT_RATE);
        assert_string_equal(got.text, "too soon");
        assert_false(got.port.known || got.rise.known || got.route_known);
        assert_false(addr_is_set(&got.observed));
        assert_int_equal(got.clock_sync, CLOCK_SYNC_UNKNOWN);

        /* not even that: no bytes at all */
        _cleanup_buf_ Buf none = {0};
        p = (ReflectReply){0};
        assert_int_equal(reflect_encode_reply(&none, &p), 0);
        assert_int_equal(buf_size(&none), 0);

        p.n_back = BACK_TRIES_MAX + 1;
        assert_int_equal(round_reply(&p, &got), -EINVAL);
        p.n_back = 0;
        p.filler = REFLECT_BULK_MAX + 1;
        assert_int_equal(round_reply(&p, &got), -EINVAL);
}

static int foreign_reply(Reflectpb__Reply *m, ReflectReply *ret)
{
        _cleanup_buf_ Buf out = {0};
        uint8_t *p;

        assert_int_equal(buf_reserve(&out, reflectpb__reply__get_packed_size(m), &p), 0);
        buf_commit(&out, reflectpb__reply__pack(m, p));
        return reflect_decode_reply(buf_data(&out), buf_size(&out), ret);
}

static void test_foreign_reply(void **state)
{
        Reflectpb__Reply m = REFLECTPB__REPLY__INIT;
        Reflectpb__Back back = REFLECTPB__BACK__INIT, *backs[BACK_TRIES_MAX + 1];
        Reflectpb__Address address = REFLECTPB__ADDRESS__INIT;
        uint8_t bytes[4] = {10, 0, 0, 1};
        char text[300];
        ReflectReply got;

        memset(text, 'x', sizeof(text) - 1);
        text[sizeof(text) - 1] = 0;
        m.text = text;
        m.hostname = "evil\033[31m";
        m.firewall = 99;
        m.clock_sync = 99;
        m.refusal = (Reflectpb__Reply__Refusal)99;
        assert_int_equal(foreign_reply(&m, &got), 0);
        assert_int_equal(strlen(got.text), sizeof(got.text) - 1);
        assert_string_equal(got.hostname, "evil?[31m");
        assert_int_equal(got.firewall, FIREWALL_UNKNOWN);
        assert_int_equal(got.clock_sync, CLOCK_SYNC_UNKNOWN);
        assert_int_equal(got.refusal, REFLECT_BAD);

        for (size_t i = 0; i < ELEMENTSOF(backs); i++)
                backs[i] = &back;
        m.back = backs;
        m.n_back = 1;
        assert_int_equal(foreign_reply(&m, &got), -EBADMSG); /* without an address */
        address.ip = (ProtobufCBinaryData){.len = sizeof(bytes), .data = bytes};
        back.addr = &address;
        back.result = 99;
        assert_int_equal(foreign_reply(&m, &got), 0);
        assert_int_equal(got.back[0].result, BACK_NOT_TRIED);
        address.port = 10;
        back.last_port = 9;
        assert_int_equal(foreign_reply(&m, &got), -EBADMSG);
        back.last_port = 70000;
        assert_int_equal(foreign_reply(&m, &got), -EBADMSG);
        back.last_port = 0;
        m.n_back = BACK_TRIES_MAX + 1;
        assert_int_equal(foreign_reply(&m, &got), -EMSGSIZE);
}

static void test_words(void **state)
{
        for (int i = 0; i < _REFLECT_KIND_MAX; i++)
                assert_int_equal(reflect_kind_from_string(reflect_kind_to_string(i)), i);
        for (int i = 0; i < _REFLECT_REFUSAL_MAX; i++)
                assert_int_equal(reflect_refusal_from_string(reflect_refusal_to_string(i)), i);
        for (int i = 0; i < _REFLECT_BYE_MAX; i++)
                assert_int_equal(reflect_bye_from_string(reflect_bye_to_string(i)), i);
        for (int i = 0; i < _CLOCK_SYNC_MAX; i++)
                assert_int_equal(clock_sync_from_string(clock_sync_to_string(i)), i);
}

/* --- frames -------------------------------------------------------------------------------------
 */

static void test_frames(void **state)
{
        _cleanup_buf_ Buf out = {0};
        uint8_t nonce[REFLECT_HELLO_NONCE], mac[REFLECT_MAC_SIZE];
        ReflectFrame f;

        memset(nonce, 7, sizeof(nonce));
        memset(mac, 9, sizeof(mac));
        assert_int_equal(reflect_frame_hello(&out, nonce), 0);
        assert_int_equal(reflect_frame_sealed(&out, 0x0102030405060708, mac, "body", 4), 0);
        assert_int_equal(reflect_frame_sealed(&out, 1, mac, NULL, 0), 0);
        assert_int_equal(reflect_frame_bye(&out, REFLECT_BYE_OVER), 0);

        /* every beginning of a frame is one that wants more */
        size_t whole = 4 + 1 + 8 + 2 + REFLECT_HELLO_NONCE;
        for (size_t i = 0; i < whole; i++)
                assert_int_equal(reflect_frame_parse(buf_data(&out), i, &f), 0);
        assert_int_equal(reflect_frame_parse(buf_data(&out), buf_size(&out), &f), 1);
        assert_int_equal(f.kind, REFLECT_FRAME_HELLO);
        assert_int_equal(f.size, whole);
        assert_int_equal(f.version, REFLECT_FRAME_VERSION);
        assert_memory_equal(f.nonce, nonce, sizeof(nonce));
        buf_consume(&out, f.size);

        assert_int_equal(reflect_frame_parse(buf_data(&out), buf_size(&out), &f), 1);
        assert_int_equal(f.kind, REFLECT_FRAME_SEALED);
        assert_true(f.seq == 0x0102030405060708);
        assert_memory_equal(f.mac, mac, sizeof(mac));
        assert_int_equal(f.body_size, 4);
        assert_memory_equal(f.body, "body", 4);
        buf_consume(&out, f.size);
        assert_int_equal(reflect_frame_parse(buf_data(&out), buf_size(&out), &f), 1);
        assert_int_equal(f.body_size, 0);
        buf_consume(&out, f.size);
        assert_int_equal(reflect_frame_parse(buf_data(&out), buf_size(&out), &f), 1);
        assert_int_equal(f.bye, REFLECT_BYE_OVER);
        buf_consume(&out, f.size);
        assert_int_equal(buf_size(&out), 0);
}

static int parse(const void *bytes, size_t n)
{
        ReflectFrame f;
        return reflect_frame_parse(bytes, n, &f);
}

static void test_bad_frames(void **state)
{
        _cleanup_buf_ Buf out = {0};
        _cleanup_free_ uint8_t *much = new0(uint8_t, REFLECT_FRAME_MAX);
        uint8_t mac[REFLECT_MAC_SIZE] = {0}, head[5] = {0};
        uint8_t nonce[REFLECT_HELLO_NONCE] = {0};

        assert_int_equal(parse("", 0), 0);
        assert_int_equal(parse("\0\0\0\0", 4), -EBADMSG);
        /* too long is known before anything of it has come */
        uint32_t length = htobe32((uint32_t)REFLECT_FRAME_MAX);
        memcpy(head, &length, sizeof(length));
        assert_int_equal(parse(head, 4), 0);
        length = htobe32((uint32_t)REFLECT_FRAME_MAX + 1);
        memcpy(head, &length, sizeof(length));
        assert_int_equal(parse(head, 4), -EMSGSIZE);
        /* and so is what begins as nothing of ours: an HTTP request, a kind that is none */
        assert_int_equal(parse("GET / HTTP/1.1\r\n", 16), -EMSGSIZE);
        assert_int_equal(parse("\0\0\0\x20\0", 5), -EBADMSG);
        assert_int_equal(parse("\0\0\0\x20\x04", 5), -EBADMSG);
        /* short ones */
        assert_int_equal(parse("\0\0\0\x01\x01", 5), -EBADMSG);
        assert_int_equal(parse("\0\0\0\x01\x02", 5), -EBADMSG);
        assert_int_equal(parse("\0\0\0\x01\x03", 5), -EBADMSG);
        assert_int_equal(parse("\0\0\0\x03\x03\x01\x01", 7), -EBADMSG);
        assert_int_equal(parse("\0\0\0\x02\x03\xff", 6), 1);

        /* the longest body, and one byte more */
        assert_int_equal(reflect_frame_sealed(&out, 0, mac, much, REFLECT_SEALED_BODY_MAX), 0);
        assert_int_equal(parse(buf_data(&out), buf_size(&out)), 1);
        assert_int_equal(buf_size(&out), 4 + REFLECT_FRAME_MAX);
        assert_int_equal(reflect_frame_sealed(&out, 0, mac, much, REFLECT_SEALED_BODY_MAX + 1),
                         -EMSGSIZE);

        /* a later version of the greeting may be longer; version 0 is none */
        _cleanup_buf_ Buf hello = {0};
        assert_int_equal(reflect_frame_hello(&hello, nonce), 0);
        hello.data[4 + 1 + 8 + 1] = 2;
        assert_int_equal(parse(buf_data(&hello), buf_size(&hello)), 1);
        hello.data[4 + 1 + 8 + 1] = 0;
        assert_int_equal(parse(buf_data(&hello), buf_size(&hello)), -EBADMSG);
        hello.data[4 + 1 + 8 + 1] = 1;
        hello.data[4 + 1] = 'R';
        assert_int_equal(parse(buf_data(&hello), buf_size(&hello)), -EBADMSG);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_request),         cmocka_unit_test(test_request_bounds),
                cmocka_unit_test(test_foreign_request), cmocka_unit_test(test_reply),
                cmocka_unit_test(test_foreign_reply),   cmocka_unit_test(test_words),
                cmocka_unit_test(test_frames),          cmocka_unit_test(test_bad_frames),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
