/* What a head and its members say: there and back, every bound of it, the frames around, and the
 * frames of version 1 as they were on the wire (tests/golden/member/1). */
#include "test.h"

#include <endian.h>
#include <errno.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/fd.h"
#include "wire/member-codec.h"
#include "wire/member-frame.h"
#include "wire/member.pb-c.h"
#include "wire/pb.h"

static const uint8_t csr[] = {0x30, 0x03, 0x02, 0x01, 0x05}, cert[] = {0x30, 0x01, 0x00};
static const uint8_t ca1[] = {0x30, 0x02, 0x05, 0x00}, ca2[] = {0x30, 0x02, 0x05, 0x01};
static const char reflect[] = "any bytes of the reflector";
static const char settings[] = "cluster:\n{\n\tname = \"lab1\";\n};\n";

static Addr addr(const char *s)
{
        Addr a;
        assert_int_equal(addr_parse(s, &a), 0);
        return a;
}

static void later_sample(MemberMessage *m)
{
        if (m->kind == MEMBER_PENDING)
                m->pending = (MemberPending){.words = "acorn tulip", .retry = 10 * USEC_PER_SEC};
        else if (m->kind == MEMBER_SETTINGS)
                m->settings = settings;
        else if (m->kind == MEMBER_COMMAND)
                m->command = (MemberCommand){
                        .number = 7, .order = MEMBER_ORDER_DRAIN, .argument = "10min"};
        else if (m->kind == MEMBER_COMMAND_DONE)
                m->done = (MemberCommandDone){.number = 7, .ok = true, .text = "drained in 4s"};
        else if (m->kind == MEMBER_EVENT)
                m->event = (MemberEvent){.message_id = "00112233445566778899aabbccddeeff",
                                         .text = "the engine failed",
                                         .time = 1700000000000000};
        else if (m->kind == MEMBER_RAY_ISSUE)
                m->csr = (MemberBytes){csr, sizeof(csr)};
        else if (m->kind == MEMBER_RAY_ISSUED)
                m->issued = (MemberIssued){.cert = {cert, sizeof(cert)},
                                           .cas = {{ca1, sizeof(ca1)}, {ca2, sizeof(ca2)}},
                                           .n_cas = 2};
        else
                assert_int_equal(m->kind, MEMBER_LEAVE);
}

static MemberMessage sample(MemberKind kind)
{
        MemberMessage m = {.kind = kind};

        switch (kind) {
        case MEMBER_HELLO:
                m.hello = (MemberHello){
                        .version = 3, .oldest = 1, .capabilities = 5, .software = "raycluster 0.1"};
                break;
        case MEMBER_ENROL:
                m.enrol = (MemberEnrol){.token = "abcdefgh",
                                        .node = "0123456789abcdef",
                                        .name = "compute04",
                                        .csr = {csr, sizeof(csr)},
                                        .proof = {1, 2, 3},
                                        .addrs = {addr("10.77.0.11"), addr("fd77::11")},
                                        .n_addrs = 2};
                break;
        case MEMBER_RENEW:
                m.csr = (MemberBytes){csr, sizeof(csr)};
                break;
        case MEMBER_ISSUED:
                m.issued = (MemberIssued){.cert = {cert, sizeof(cert)},
                                          .cas = {{ca1, sizeof(ca1)}, {ca2, sizeof(ca2)}},
                                          .n_cas = 2};
                break;
        case MEMBER_REFUSED:
                m.refused = (MemberRefused){.reason = MEMBER_REFUSAL_LOCKED,
                                            .text = "too many wrong tries; wait",
                                            .retry = 60 * USEC_PER_SEC};
                break;
        case MEMBER_FACTS:
                m.facts = (MemberFacts){.name = "compute04",
                                        .boot_id = "00112233445566778899aabbccddeeff",
                                        .versions = {"2.60.0", "3.11.2"},
                                        .cpus = 64,
                                        .gpus = 8,
                                        .memory = (uint64_t)512 << 30,
                                        .addrs = {addr("10.77.0.11")},
                                        .n_addrs = 1};
                break;
        case MEMBER_WELCOME:
                m.welcome = (MemberWelcome){.cluster = "lab1",
                                            .beat = 3 * USEC_PER_SEC,
                                            .ray_token = "0123456789abcdef0123456789abcdef"};
                break;
        case MEMBER_BEAT:
                m.beat = (MemberBeat){
                        .number = 7, .t1_usec = -1, .t2_usec = 1700000000000000, .t3_usec = 5};
                break;
        case MEMBER_REFLECT_REQUEST:
        case MEMBER_REFLECT_REPLY:
                m.reflect = (MemberBytes){(const uint8_t *)reflect, sizeof(reflect)};
                break;
        default:
                later_sample(&m);
                break;
        }
        return m;
}

static int decode_frame(const Buf *b, MemberMessage *ret)
{
        MemberFrame f;

        assert_int_equal(member_frame_parse(buf_data(b), buf_size(b), MEMBER_FRAME_MAX, &f), 1);
        assert_int_equal(f.size, buf_size(b));
        return member_decode(f.body, f.body_size, ret);
}

static void check_bytes(MemberBytes b, const void *data, size_t size)
{
        assert_int_equal(b.size, size);
        assert_memory_equal(b.data, data, size);
}

static void check_enrol(const MemberEnrol *e)
{
        MemberMessage m = sample(MEMBER_ENROL);

        assert_string_equal(e->token, "abcdefgh");
        assert_string_equal(e->node, "0123456789abcdef");
        assert_string_equal(e->name, "compute04");
        check_bytes(e->csr, csr, sizeof(csr));
        assert_memory_equal(e->proof, m.enrol.proof, MEMBER_PROOF_SIZE);
        assert_int_equal(e->n_addrs, 2);
        assert_true(addr_equal(&e->addrs[1], &m.enrol.addrs[1]));
}

static void check_later(const MemberMessage *m)
{
        MemberMessage want = sample(m->kind);

        if (m->kind == MEMBER_SETTINGS)
                assert_string_equal(m->settings, settings);
        else if (m->kind == MEMBER_PENDING)
                assert_memory_equal(&m->pending, &want.pending, sizeof(want.pending));
        else if (m->kind == MEMBER_COMMAND)
                assert_memory_equal(&m->command, &want.command, sizeof(want.command));
        else if (m->kind == MEMBER_COMMAND_DONE)
                assert_memory_equal(&m->done, &want.done, sizeof(want.done));
        else if (m->kind == MEMBER_EVENT)
                assert_memory_equal(&m->event, &want.event, sizeof(want.event));
}

static void check_rest(const MemberMessage *m)
{
        MemberMessage want = sample(m->kind);

        if (m->kind == MEMBER_HELLO) {
                assert_memory_equal(&m->hello, &want.hello, sizeof(want.hello));
        } else if (m->kind == MEMBER_REFUSED) {
                assert_int_equal(m->refused.reason, MEMBER_REFUSAL_LOCKED);
                assert_string_equal(m->refused.text, want.refused.text);
                assert_true(m->refused.retry == want.refused.retry);
        } else if (m->kind == MEMBER_FACTS) {
                assert_string_equal(m->facts.boot_id, want.facts.boot_id);
                assert_string_equal(m->facts.versions.ray, "2.60.0");
                assert_true(m->facts.memory == want.facts.memory && m->facts.gpus == 8);
                assert_true(addr_equal(&m->facts.addrs[0], &want.facts.addrs[0]));
        } else if (m->kind == MEMBER_WELCOME) {
                assert_string_equal(m->welcome.cluster, "lab1");
                assert_string_equal(m->welcome.ray_token, want.welcome.ray_token);
                assert_true(m->welcome.beat == want.welcome.beat);
        } else if (m->kind == MEMBER_BEAT)
                assert_memory_equal(&m->beat, &want.beat, sizeof(want.beat));
        else if (m->kind == MEMBER_REFLECT_REQUEST || m->kind == MEMBER_REFLECT_REPLY)
                check_bytes(m->reflect, reflect, sizeof(reflect));
        else
                check_later(m);
}

static void check(const MemberMessage *m)
{
        switch (m->kind) {
        case MEMBER_ENROL:
                check_enrol(&m->enrol);
                break;
        case MEMBER_RENEW:
        case MEMBER_RAY_ISSUE:
                check_bytes(m->csr, csr, sizeof(csr));
                break;
        case MEMBER_ISSUED:
        case MEMBER_RAY_ISSUED:
                check_bytes(m->issued.cert, cert, sizeof(cert));
                assert_int_equal(m->issued.n_cas, 2);
                check_bytes(m->issued.cas[0], ca1, sizeof(ca1));
                check_bytes(m->issued.cas[1], ca2, sizeof(ca2));
                break;
        default:
                check_rest(m);
                break;
        }
}

static void test_round(void **state)
{
        for (MemberKind k = MEMBER_HELLO; k < _MEMBER_KIND_MAX; k++) {
                MemberMessage m = sample(k);
                _cleanup_member_message_ MemberMessage got = {0};
                _cleanup_buf_ Buf out = {0};
                assert_int_equal(member_encode(&out, &m), 0);
                assert_int_equal(decode_frame(&out, &got), 0);
                assert_int_equal(got.kind, k);
                check(&got);
        }
}

/* As version 1 put them on the wire: decoded for ever, and encoded the same way as long as nothing
 * was added. */
static void test_golden(void **state)
{
        for (MemberKind k = MEMBER_HELLO; k < _MEMBER_KIND_MAX; k++) {
                MemberMessage m = sample(k);
                _cleanup_member_message_ MemberMessage got = {0};
                _cleanup_free_ char *path = str_printf("%s/golden/member/1/%s.bin", TEST_DATA,
                                                       member_kind_to_string(k));
                _cleanup_free_ char *data = NULL;
                _cleanup_buf_ Buf out = {0}, in = {0};
                size_t n;

                assert_int_equal(member_encode(&out, &m), 0);
                assert_int_equal(read_file(path, 1 << 16, &data, &n), 0);
                assert_int_equal(buf_append(&in, data, n), 0);
                assert_int_equal(decode_frame(&in, &got), 0);
                assert_int_equal(got.kind, k);
                check(&got);
                assert_int_equal(buf_size(&out), n);
                assert_memory_equal(buf_data(&out), data, n);
        }
}

static int encode(const MemberMessage *m)
{
        _cleanup_buf_ Buf out = {0};
        return member_encode(&out, m);
}

static void test_not_to_be_sent(void **state)
{
        MemberMessage m = {0};
        static uint8_t large[MEMBER_FRAME_MAX];

        assert_int_equal(encode(&m), -EINVAL);
        m = sample(MEMBER_HELLO);
        m.hello.oldest = 4; /* newer than the newest */
        assert_int_equal(encode(&m), -EINVAL);
        m = sample(MEMBER_ENROL);
        m.enrol.csr = (MemberBytes){large, MEMBER_CERT_MAX + 1};
        assert_int_equal(encode(&m), -EINVAL);
        m.enrol.csr.size = 0;
        assert_int_equal(encode(&m), -EINVAL);
        m = sample(MEMBER_ENROL);
        m.enrol.n_addrs = MEMBER_ADDRS_MAX + 1;
        assert_int_equal(encode(&m), -EINVAL);
        m.enrol.n_addrs = 3; /* the third is not set */
        assert_int_equal(encode(&m), -EINVAL);
        m = sample(MEMBER_ISSUED);
        m.issued.n_cas = 0;
        assert_int_equal(encode(&m), -EINVAL);
        m.issued.n_cas = MEMBER_CAS_MAX + 1;
        assert_int_equal(encode(&m), -EINVAL);
        m = sample(MEMBER_REFUSED);
        m.refused.reason = MEMBER_REFUSAL_OTHER;
        assert_int_equal(encode(&m), -EINVAL);
        m = sample(MEMBER_WELCOME);
        m.welcome.beat = 0;
        assert_int_equal(encode(&m), -EINVAL);
        m = sample(MEMBER_REFLECT_REPLY);
        m.reflect = (MemberBytes){large, sizeof(large)};
        assert_int_equal(encode(&m), -EINVAL);
        m = sample(MEMBER_COMMAND);
        m.command.order = MEMBER_ORDER_OTHER;
        assert_int_equal(encode(&m), -EINVAL);
        m = sample(MEMBER_COMMAND);
        m.command.number = 0;
        assert_int_equal(encode(&m), -EINVAL);
        m = sample(MEMBER_SETTINGS);
        memset(large, 'x', MEMBER_SETTINGS_MAX);
        m.settings = (const char *)large;
        assert_int_equal(encode(&m), -EINVAL);
        large[MEMBER_SETTINGS_MAX - 1] = 0;
        assert_int_equal(encode(&m), 0);
        m.settings = "a\x1b[31m";
        assert_int_equal(encode(&m), -EINVAL);
}

static int decode(Memberpb__Message *p, MemberMessage *ret)
{
        _cleanup_buf_ Buf b = {0};
        assert_int_equal(pb_pack(&b, &p->base), 0);
        return member_decode(buf_data(&b), buf_size(&b), ret);
}

static int decode_enrol(Memberpb__Enrol *e)
{
        Memberpb__Message p = MEMBERPB__MESSAGE__INIT;
        _cleanup_member_message_ MemberMessage m = {0};

        p.what_case = MEMBERPB__MESSAGE__WHAT_ENROL;
        p.enrol = e;
        return decode(&p, &m);
}

static void test_bad_enrol(void **state)
{
        static uint8_t large[MEMBER_CERT_MAX + 1];
        uint8_t ip[16] = {10};
        Memberpb__Address a = MEMBERPB__ADDRESS__INIT, *as[MEMBER_ADDRS_MAX + 1];
        Memberpb__Enrol e = MEMBERPB__ENROL__INIT;
        char long_name[MEMBER_NAME_MAX + 1];

        e.csr = (ProtobufCBinaryData){.data = large, .len = 10};
        e.proof = (ProtobufCBinaryData){.data = large, .len = MEMBER_PROOF_SIZE};
        e.token = (char *)"abc";
        e.node = (char *)"n1";
        assert_int_equal(decode_enrol(&e), 0);
        e.proof.len--;
        assert_int_equal(decode_enrol(&e), -EBADMSG);
        e.proof.len++;
        e.csr.len = sizeof(large);
        assert_int_equal(decode_enrol(&e), -EMSGSIZE);
        e.csr.len = 0;
        assert_int_equal(decode_enrol(&e), -EBADMSG);
        e.csr.len = 10;
        e.token = (char *)""; /* without a token there is nothing to be proved, and the reverse */
        assert_int_equal(decode_enrol(&e), -EBADMSG);
        e.proof.len = 0;
        assert_int_equal(decode_enrol(&e), 0);
        e.token = (char *)"abc";
        assert_int_equal(decode_enrol(&e), -EBADMSG);
        e.proof.len = MEMBER_PROOF_SIZE;
        e.token = (char *)"../tokens"; /* it will be looked up */
        assert_int_equal(decode_enrol(&e), -EBADMSG);
        e.token = (char *)"abc";
        e.node = (char *)"N1";
        assert_int_equal(decode_enrol(&e), -EBADMSG);
        e.node = (char *)"n1";
        memset(long_name, 'x', sizeof(long_name));
        long_name[sizeof(long_name) - 1] = 0;
        e.name = long_name;
        assert_int_equal(decode_enrol(&e), -EMSGSIZE);
        e.name = (char *)"";
        for (size_t i = 0; i < ELEMENTSOF(as); i++)
                as[i] = &a;
        e.addrs = as;
        e.n_addrs = 1;
        a.ip = (ProtobufCBinaryData){.data = ip, .len = 5};
        assert_int_equal(decode_enrol(&e), -EBADMSG);
        a.ip.len = 4;
        e.n_addrs = MEMBER_ADDRS_MAX;
        assert_int_equal(decode_enrol(&e), 0);
        e.n_addrs = ELEMENTSOF(as);
        assert_int_equal(decode_enrol(&e), -EMSGSIZE);
}

/* An address that is compared with those of others has one form. */
static void test_mapped_address(void **state)
{
        uint8_t ip[16] = {[10] = 0xff, [11] = 0xff, [12] = 10, [15] = 1};
        Memberpb__Address a = MEMBERPB__ADDRESS__INIT, *as[] = {&a};
        _cleanup_member_message_ MemberMessage m = {0};
        Memberpb__Message p = MEMBERPB__MESSAGE__INIT;
        Memberpb__Facts f = MEMBERPB__FACTS__INIT;
        const Addr want = addr("10.0.0.1");

        a.ip = (ProtobufCBinaryData){.data = ip, .len = sizeof(ip)};
        f.addrs = as;
        f.n_addrs = 1;
        p.what_case = MEMBERPB__MESSAGE__WHAT_FACTS;
        p.facts = &f;
        assert_int_equal(decode(&p, &m), 0);
        assert_int_equal(m.facts.n_addrs, 1);
        assert_true(addr_equal(&m.facts.addrs[0], &want));
}

static void test_bad_later(void **state)
{
        static char large[MEMBER_SETTINGS_MAX + 1];
        _cleanup_member_message_ MemberMessage m = {0}, n = {0}, neg = {0}, e = {0};
        Memberpb__Message p = MEMBERPB__MESSAGE__INIT;
        Memberpb__Settings s = MEMBERPB__SETTINGS__INIT;
        Memberpb__Command c = MEMBERPB__COMMAND__INIT;
        Memberpb__CommandDone d = MEMBERPB__COMMAND_DONE__INIT;
        Memberpb__Event v = MEMBERPB__EVENT__INIT;

        memset(large, 'x', sizeof(large) - 1);
        p.what_case = MEMBERPB__MESSAGE__WHAT_SETTINGS;
        p.settings = &s;
        s.text = large;
        assert_int_equal(decode(&p, &m), -EMSGSIZE);
        s.text = (char *)"name = \"\xff\";";
        assert_int_equal(decode(&p, &m), -EBADMSG);
        p.what_case = MEMBERPB__MESSAGE__WHAT_COMMAND;
        p.command = &c;
        assert_int_equal(decode(&p, &m), -EBADMSG); /* no number: nothing to answer to */
        c.number = 1;
        c.kind = (Memberpb__Command__Kind)99;
        assert_int_equal(decode(&p, &n), 0);
        assert_int_equal(n.command.order, MEMBER_ORDER_OTHER);
        c.kind = (Memberpb__Command__Kind)-1;
        assert_int_equal(decode(&p, &neg), 0);
        assert_int_equal(neg.command.order, MEMBER_ORDER_OTHER);
        p.what_case = MEMBERPB__MESSAGE__WHAT_COMMAND_DONE;
        p.command_done = &d;
        large[MEMBER_ANSWER_MAX] = 0;
        d.text = large;
        assert_int_equal(decode(&p, &m), -EMSGSIZE);
        p.what_case = MEMBERPB__MESSAGE__WHAT_EVENT;
        p.event = &v;
        v.text = (char *)"\x1b]0;me\x07";
        assert_int_equal(decode(&p, &e), 0);
        assert_string_equal(e.event.text, "?]0;me?");
        v.message_id = (char *)"MESSAGE=forged\n";
        assert_int_equal(decode(&p, &m), -EBADMSG);
}

/* A later version may say more: what is not known is passed over, what can be shown is cleaned. */
static void test_later_version(void **state)
{
        static const uint8_t field_99[] = {0x9a, 0x06, 0x01, 'x'};
        _cleanup_member_message_ MemberMessage m = {0}, refused = {0}, negative = {0};
        Memberpb__Message p = MEMBERPB__MESSAGE__INIT;
        Memberpb__Refused f = MEMBERPB__REFUSED__INIT;

        assert_int_equal(member_decode(field_99, sizeof(field_99), &m), 0);
        assert_int_equal(m.kind, MEMBER_UNKNOWN);
        f.reason = (Memberpb__Refused__Reason)99;
        f.text = (char *)"go\x1b[31m away\n";
        p.what_case = MEMBERPB__MESSAGE__WHAT_REFUSED;
        p.refused = &f;
        assert_int_equal(decode(&p, &refused), 0);
        assert_int_equal(refused.refused.reason, MEMBER_REFUSAL_OTHER);
        assert_string_equal(refused.refused.text, "go?[31m away ");
        f.reason = (Memberpb__Refused__Reason)-1;
        assert_int_equal(decode(&p, &negative), 0);
        assert_int_equal(negative.refused.reason, MEMBER_REFUSAL_OTHER);
        assert_int_equal(member_decode("\xff", 1, &m), -EBADMSG);
}

static void test_frames(void **state)
{
        uint8_t data[12] = {0, 0, 0, 3, 'a', 'b', 'c', 0, 0, 0, 1, 'd'};
        uint32_t length = htobe32(MEMBER_FRAME_MAX_UNKNOWN + 1);
        _cleanup_buf_ Buf b = {0};
        MemberFrame f;

        for (size_t n = 0; n < 7; n++)
                assert_int_equal(member_frame_parse(data, n, MEMBER_FRAME_MAX, &f), 0);
        assert_int_equal(member_frame_parse(data, sizeof(data), MEMBER_FRAME_MAX, &f), 1);
        assert_int_equal(f.size, 7);
        assert_int_equal(f.body_size, 3);
        assert_memory_equal(f.body, "abc", 3);
        assert_int_equal(member_frame_parse(data + 7, 5, MEMBER_FRAME_MAX, &f), 1);
        assert_memory_equal(f.body, "d", 1);
        memcpy(data, &length, sizeof(length)); /* told by the first four bytes */
        assert_int_equal(member_frame_parse(data, 4, MEMBER_FRAME_MAX_UNKNOWN, &f), -EMSGSIZE);
        assert_int_equal(member_frame_parse(data, 4, MEMBER_FRAME_MAX, &f), 0);
        memset(data, 0, 4);
        assert_int_equal(member_frame_parse(data, 12, MEMBER_FRAME_MAX, &f), -EBADMSG);
        assert_int_equal(member_frame_put(&b, "", 0), -EINVAL);
        assert_int_equal(member_frame_put(&b, data, MEMBER_FRAME_MAX + 1), -EMSGSIZE);
        assert_int_equal(buf_size(&b), 0);
}

static void test_tables(void **state)
{
        for (MemberKind k = 0; k < _MEMBER_KIND_MAX; k++)
                assert_int_equal(member_kind_from_string(member_kind_to_string(k)), k);
        for (MemberRefusal f = 0; f < _MEMBER_REFUSAL_MAX; f++)
                assert_int_equal(member_refusal_from_string(member_refusal_to_string(f)), f);
        for (MemberOrder o = 0; o < _MEMBER_ORDER_MAX; o++)
                assert_int_equal(member_order_from_string(member_order_to_string(o)), o);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_round),          cmocka_unit_test(test_golden),
                cmocka_unit_test(test_not_to_be_sent), cmocka_unit_test(test_bad_enrol),
                cmocka_unit_test(test_later_version),  cmocka_unit_test(test_frames),
                cmocka_unit_test(test_mapped_address), cmocka_unit_test(test_bad_later),
                cmocka_unit_test(test_tables),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
