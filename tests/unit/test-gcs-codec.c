/* GCS messages: frames recorded from Ray 2.60.0 (tests/golden/gcs), what the encoder refuses, every
 * bound of the decoder. */
#include "test.h"

#include <math.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/fd.h"
#include "base/hex.h"
#include "base/str.h"
#include "wire/gcs-codec.h"
#include "wire/gcs.pb-c.h"
#include "wire/grpc.h"
#include "wire/text.h"

static size_t golden(const char *name, char **ret)
{
        _cleanup_free_ char *path = str_printf("%s/golden/gcs/2.60.0/%s.bin", TEST_DATA, name);
        size_t size;

        assert_int_equal(read_file(path, 1 << 20, ret, &size), 0);
        return size;
}

static void test_golden_simple(void **state)
{
        _cleanup_free_ char *alive = NULL, *id = NULL, *meta = NULL, *absent = NULL, *health = NULL,
                            *pids = NULL, *drain = NULL;
        _cleanup_free_ void *value = NULL;
        char ray[32], text[RAY_ID_STR_MAX];
        GcsReplyStatus status;
        Versions versions;
        bool accepted;
        RayId ray_id;
        size_t n, size;
        int a, b;

        n = golden("check-alive", &alive);
        assert_int_equal(gcs_decode_check_alive(alive, n, &status, ray), 0);
        assert_string_equal(ray, "2.60.0");
        n = golden("get-cluster-id", &id);
        assert_int_equal(gcs_decode_cluster_id(id, n, &status, &ray_id), 0);
        assert_string_equal(ray_id_format(text, &ray_id),
                            "b2c4141c52b5e1d16ab30c242bbbec478e3457ea1f090f7773da07bd");
        n = golden("kv-get-metadata", &meta);
        assert_int_equal(gcs_decode_kv_get(meta, n, &status, &value, &size), 0);
        assert_int_equal(status.code, 0);
        assert_int_equal(gcs_decode_cluster_metadata(value, size, &versions), 0);
        assert_string_equal(versions.ray, "2.60.0");
        assert_string_equal(versions.python, "3.11.2");
        n = golden("kv-get-absent", &absent);
        assert_int_equal(gcs_decode_kv_get(absent, n, &status, &value, &size), 0);
        assert_int_equal(status.code, GCS_STATUS_NOT_FOUND);
        assert_string_equal(status.text, "Failed to find the key");
        n = golden("health-raylet", &health);
        assert_int_equal(gcs_decode_health(health, n, &a), 0);
        assert_int_equal(a, 1);
        n = golden("get-agent-pids", &pids);
        assert_int_equal(gcs_decode_agent_pids(pids, n, &a, &b), 0);
        assert_true(a > 1 && b > 1);
        n = golden("drain-refused", &drain);
        assert_int_equal(gcs_decode_drain(drain, n, &status, &accepted), 0);
        assert_false(accepted);
        assert_string_equal(status.text, "The node to be idle terminated is no longer idle.");
}

static void test_golden_nodes(void **state)
{
        _cleanup_free_ char *draining = NULL, *dead = NULL, *limit = NULL, *cluster = NULL;
        _cleanup_(node_set_freep) NodeSet *s1 = NULL, *s2 = NULL, *s3 = NULL, *s4 = NULL;
        GcsReplyStatus status;
        uint64_t requests;
        size_t n, shapes;

        n = golden("get-all-node-info-draining", &draining);
        assert_int_equal(gcs_decode_nodes(draining, n, true, &status, &s1), 0);
        assert_int_equal(s1->n, 2);
        assert_int_equal(s1->n_dropped, 0);
        assert_true(s1->nodes[0].is_head);
        assert_string_equal(s1->nodes[0].instance_id, "head-id");
        assert_string_equal(s1->nodes[0].group, "headgroup");
        assert_string_equal(s1->nodes[0].address, "10.77.0.1");
        assert_int_equal(s1->nodes[0].node_manager_port, 6380);
        assert_int_equal(s1->nodes[0].object_manager_port, 6381);
        assert_int_equal(s1->nodes[0].runtime_env_agent_port, 6382);
        assert_int_equal(s1->nodes[0].dashboard_agent_grpc_port, 6383);
        assert_int_equal(s1->nodes[0].metrics_export_port, 6384);
        assert_int_equal(s1->nodes[0].dashboard_agent_port, 6385);
        assert_int_equal(s1->nodes[0].state, NODE_ALIVE);
        assert_int_equal(s1->nodes[1].state, NODE_DRAINING);
        assert_int_equal(s1->nodes[1].idle_ms, -1);
        assert_true(s1->nodes[1].start_time_ms > 1700000000000);
        /* CPU memory object_store_memory spice; node:… is left out */
        assert_int_equal(s1->nodes[1].n_resources, 4);
        assert_string_equal(s1->nodes[1].resources[3].name, "spice");
        assert_true(s1->nodes[1].resources[3].total == 2);

        n = golden("get-cluster-status", &cluster);
        assert_int_equal(gcs_decode_cluster_status(cluster, n, s1, &shapes, &requests), 0);
        assert_int_equal(shapes, 1);
        assert_int_equal(requests, 5);
        assert_true(s1->nodes[1].resources[3].available == 1.999);
        assert_true(s1->nodes[1].resources[0].available == 1);
        assert_true(s1->nodes[0].idle_ms > 100000);

        n = golden("get-all-node-info-dead", &dead);
        assert_int_equal(gcs_decode_nodes(dead, n, true, &status, &s2), 0);
        assert_int_equal(node_set_count_alive(s2, false), 1);
        assert_int_equal(s2->nodes[1].state, NODE_DEAD);
        assert_string_equal(s2->nodes[1].death_reason, "golden");
        assert_true(s2->nodes[1].end_time_ms > s2->nodes[1].start_time_ms);

        /* asked with limit 1: Ray counts the other one as filtered */
        n = golden("get-all-node-info-limit1", &limit);
        assert_int_equal(gcs_decode_nodes(limit, n, true, &status, &s3), 0);
        assert_int_equal(s3->n, 1);
        assert_int_equal(s3->n_dropped, 1);
        assert_int_equal(gcs_decode_nodes(limit, n, false, &status, &s4), 0);
        assert_int_equal(s4->n_dropped, 0);
}

/* No golden frame, cut anywhere, is read past its end or taken for whole without its parts. */
static void test_cut(void **state)
{
        static const char *const names[] = {"get-all-node-info-dead", "get-cluster-status"};

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                _cleanup_free_ char *data = NULL;
                size_t n = golden(names[i], &data);
                for (size_t cut = 0; cut < n; cut++) {
                        _cleanup_free_ char *part = malloc(cut ? cut : 1); /* exact, for ASan */
                        _cleanup_(node_set_freep) NodeSet *set = NULL;
                        GcsReplyStatus status;
                        NodeSet empty = {0};
                        uint64_t requests;
                        size_t shapes;
                        assert_non_null(part);
                        memcpy(part, data, cut);
                        int r = i == 0 ? gcs_decode_nodes(part, cut, true, &status, &set)
                                       : gcs_decode_cluster_status(part, cut, &empty, &shapes,
                                                                   &requests);
                        assert_true(r == 0 || r == -EBADMSG);
                }
        }
}

static void expect_bytes(const Buf *b, const char *hex)
{
        _cleanup_free_ char *got = hex_encode(buf_data(b), buf_size(b));

        assert_string_equal(got, hex);
}

static void test_encode(void **state)
{
        RayId id, nil, zero = {0};
        _cleanup_buf_ Buf b1 = {0}, b2 = {0}, b3 = {0}, b4 = {0};
        char text[GCS_DRAIN_TEXT_MAX + 2];

        memset(id.b, 7, sizeof(id.b));
        memset(nil.b, 0xff, sizeof(nil.b));
        assert_int_equal(gcs_encode_drain(&b1, &id, 2, "x", 1), 0);
        expect_bytes(&b1, "0a1c07070707070707070707070707070707070707070707070707070707"
                          "10021a01782001");
        assert_int_equal(gcs_encode_kv_get(&b2, "cluster", "k"), 0);
        expect_bytes(&b2, "0a016b1207636c7573746572");
        assert_int_equal(gcs_encode_node_query(&b3, &(GcsNodeQuery){.id = &id, .limit = 5}), 0);
        expect_bytes(&b3, "0805121e0a1c07070707070707070707070707070707070707070707070707070707");

        /* what aborts Ray, or is senseless, cannot be encoded */
        memset(text, 'x', sizeof(text));
        text[sizeof(text) - 1] = 0;
        const struct {
                const RayId *id;
                int reason;
                const char *text;
                uint64_t deadline;
        } bad[] = {
                {&nil, 2, "", 1}, {&zero, 2, "", 1},
                {&id, 0, "", 1},  {&id, 3, "", 1},
                {&id, -1, "", 1}, {&id, 2, text, 1},
                {&id, 2, "", 0},  {&id, 2, "", (uint64_t)INT64_MAX + 1},
        };
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                assert_int_equal(gcs_encode_drain(&b4, bad[i].id, bad[i].reason, bad[i].text,
                                                  bad[i].deadline),
                                 -EINVAL);
        assert_int_equal(gcs_encode_node_query(&b4, &(GcsNodeQuery){.id = &nil}), -EINVAL);
        assert_int_equal(gcs_encode_node_query(&b4, &(GcsNodeQuery){.address = ""}), -EINVAL);
        assert_int_equal(gcs_encode_node_query(&b4, &(GcsNodeQuery){.address = "a", .head = true}),
                         -EINVAL);
        assert_int_equal(gcs_encode_node_query(&b4, &(GcsNodeQuery){.limit = NODE_SET_MAX + 1}),
                         -EINVAL);
        assert_int_equal(gcs_encode_kv_get(&b4, "x", ""), -EINVAL);
        assert_int_equal(buf_size(&b4), 0);
}

/* The paths are all that is ever called; what kills or unregisters is not among them. */
static void test_methods(void **state)
{
        for (int m = 0; m < _GCS_METHOD_MAX; m++) {
                assert_non_null(gcs_method_path(m));
                assert_true(gcs_method_reply_max(m) > 0);
                assert_null(strstr(gcs_method_path(m), "Unregister"));
                assert_null(strstr(gcs_method_path(m), "GetClusterResourceState"));
                assert_null(strstr(gcs_method_path(m), "Shutdown"));
        }
        assert_null(gcs_method_path(_GCS_METHOD_MAX));
}

/* --- bounds -------------------------------------------------------------------------------------
 */

static void put(Buf *b, const void *data, size_t n)
{
        assert_int_equal(buf_append(b, data, n), 0);
}

static void put_varint(Buf *b, uint64_t v)
{
        do {
                uint8_t c = (uint8_t)((v & 0x7f) | (v > 0x7f ? 0x80 : 0));
                put(b, &c, 1);
                v >>= 7;
        } while (v > 0);
}

static void put_bytes(Buf *b, unsigned field, const void *data, size_t n)
{
        put_varint(b, field << 3 | 2);
        put_varint(b, n);
        put(b, data, n);
}

static int decode(const Buf *b, NodeSet **ret)
{
        GcsReplyStatus status;

        return gcs_decode_nodes(buf_data(b), buf_size(b), true, &status, ret);
}

static void test_node_limits(void **state)
{
        _cleanup_buf_ Buf entry = {0}, node = {0}, reply = {0};
        _cleanup_(node_set_freep) NodeSet *set = NULL;
        static const uint8_t id[RAY_ID_SIZE] = {1};
        char name[1000];
        double value = 3;

        put_bytes(&node, 1, id, sizeof(id));
        memset(name, 'h', sizeof(name));
        name[10] = '\n';
        name[11] = '\x1b';
        put_bytes(&node, 8, name, sizeof(name));
        for (int i = 0; i < 1000; i++) {
                char key[16];
                int n = snprintf(key, sizeof(key), "r%d", i);
                buf_consume(&entry, buf_size(&entry));
                put_bytes(&entry, 1, key, (size_t)n);
                put_varint(&entry, 2 << 3 | 1);
                put(&entry, &value, 8);
                put_bytes(&node, 11, buf_data(&entry), buf_size(&entry));
        }
        put_bytes(&reply, 2, buf_data(&node), buf_size(&node));
        assert_int_equal(decode(&reply, &set), 0);
        assert_int_equal(set->nodes[0].n_resources, GCS_RESOURCES_MAX);
        assert_int_equal(strlen(set->nodes[0].hostname), 255);
        assert_int_equal(set->nodes[0].hostname[10], ' ');
        assert_int_equal(set->nodes[0].hostname[11], '?');
}

/* Of more nodes than are kept the rest is counted, whatever Ray says of its own. */
static void test_node_set_max(void **state)
{
        static const uint8_t id[RAY_ID_SIZE] = {1};
        _cleanup_buf_ Buf node = {0}, reply = {0};
        _cleanup_(node_set_freep) NodeSet *set = NULL;

        put_bytes(&node, 1, id, sizeof(id));
        for (int i = 0; i < NODE_SET_MAX + 5; i++)
                put_bytes(&reply, 2, buf_data(&node), buf_size(&node));
        assert_int_equal(decode(&reply, &set), 0);
        assert_int_equal(set->n, NODE_SET_MAX);
        assert_int_equal(set->n_dropped, 5);
}

/* A field that says it is longer than what there is; a varint without an end; what has no such
 * type.
 */
static void test_broken_fields(void **state)
{
        static const struct {
                const char *bytes;
                size_t n;
        } cases[] = {
                {"\x12\x05"
                 "ab",
                 4},
                {"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11},
                {"\x9a\x06\x05"
                 "ab",
                 5}, /* a field we skip */
                {"\x18", 1},
                {"\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12},
                {"\x21"
                 "1234567",
                 8},
                {"\x25"
                 "123",
                 4},
                {"\x13\x14", 2}, /* a group */
                {"\x02\x00", 2}, /* field 0 */
                {"\x10\x01", 2}, /* a node that is a number */
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ void *exact = malloc(cases[i].n);
                NodeSet *set = NULL;
                GcsReplyStatus status;
                assert_non_null(exact);
                memcpy(exact, cases[i].bytes, cases[i].n);
                assert_int_equal(gcs_decode_nodes(exact, cases[i].n, true, &status, &set),
                                 -EBADMSG);
        }
}

static void test_bad_numbers(void **state)
{
        static const double values[] = {NAN, INFINITY, -INFINITY, -1, 1};
        static const uint8_t id[RAY_ID_SIZE] = {1};
        _cleanup_buf_ Buf node = {0}, reply = {0};
        _cleanup_(node_set_freep) NodeSet *set = NULL;

        put_bytes(&node, 1, id, sizeof(id));
        for (size_t i = 0; i < ELEMENTSOF(values); i++) {
                _cleanup_buf_ Buf entry = {0};
                put_bytes(&entry, 1, "CPU", 3);
                put_varint(&entry, 2 << 3 | 1);
                put(&entry, &values[i], 8);
                put_bytes(&node, 11, buf_data(&entry), buf_size(&entry));
        }
        put_varint(&node, 5 << 3); /* a port over 65535 */
        put_varint(&node, 70000);
        put_bytes(&reply, 2, buf_data(&node), buf_size(&node));
        assert_int_equal(decode(&reply, &set), 0);
        assert_int_equal(set->nodes[0].n_resources, 1);
        assert_true(set->nodes[0].resources[0].total == 1);
        assert_int_equal(set->nodes[0].node_manager_port, 0);
}

/* Two bytes on the wire that become a struct each: the memory of one node is bounded. */
static void test_budget(void **state)
{
        _cleanup_buf_ Buf node = {0}, reply = {0};
        _cleanup_(node_set_freep) NodeSet *set = NULL;
        static const uint8_t id[RAY_ID_SIZE] = {1};

        put_bytes(&node, 1, id, sizeof(id));
        for (int i = 0; i < 1000000; i++)
                put_bytes(&node, 11, "", 0);
        put_bytes(&reply, 2, buf_data(&node), buf_size(&node));
        assert_int_equal(decode(&reply, &set), -EMSGSIZE);
        assert_null(set);
}

static void test_ids(void **state)
{
        static const size_t sizes[] = {0, 5, 27, 29, 56};
        static const uint8_t bytes[64];

        for (size_t i = 0; i < ELEMENTSOF(sizes); i++) {
                _cleanup_buf_ Buf node = {0}, reply = {0}, id = {0};
                NodeSet *set = NULL;
                GcsReplyStatus status;
                RayId got;
                put_bytes(&node, 1, bytes, sizes[i]);
                put_bytes(&reply, 2, buf_data(&node), buf_size(&node));
                assert_int_equal(decode(&reply, &set), -EBADMSG);
                put_bytes(&id, 2, bytes, sizes[i]);
                assert_int_equal(gcs_decode_cluster_id(buf_data(&id), buf_size(&id), &status, &got),
                                 -EBADMSG);
        }
}

static void test_metadata(void **state)
{
        static const struct {
                const char *json;
                int r;
                const char *ray, *python;
        } cases[] = {
                {"{\"ray_version\": \"2.60.0\", \"python_version\": \"3.11.2\"}", 0, "2.60.0",
                 "3.11.2"},
                {"{\"ray_version\": \"2.60.0\"}", 0, "2.60.0", ""},
                {"{\"ray_version\": 7, \"python_version\": []}", 0, "", ""},
                {"[]", 0, "", ""},
                {"{", -EBADMSG, "", ""},
                {"", -EBADMSG, "", ""},
                {"{\"ray_version\": \"2.60.0 && x\"}", -EBADMSG, "", ""},
                {"{\"ray_version\": \"0123456789012345678901234567890\"}", 0,
                 "0123456789012345678901234567890", ""},
                {"{\"ray_version\": \"01234567890123456789012345678901\"}", -EMSGSIZE, "", ""},
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                Versions v = {0};
                assert_int_equal(
                        gcs_decode_cluster_metadata(cases[i].json, strlen(cases[i].json), &v),
                        cases[i].r);
                assert_string_equal(v.ray, cases[i].ray);
                assert_string_equal(v.python, cases[i].python);
        }
}

static void test_pids(void **state)
{
        static const uint8_t negative[] = {0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                           0xff, 0xff, 0xff, 0x01, 0x10, 0x01};
        int a = 9, b = 9;

        assert_int_equal(gcs_decode_agent_pids(negative, sizeof(negative), &a, &b), 0);
        assert_int_equal(a, 0); /* -1 would be everybody */
        assert_int_equal(b, 0); /* 1 is init */
}

/* --- gRPC and text ------------------------------------------------------------------------------
 */

static void test_frames(void **state)
{
        _cleanup_buf_ Buf b = {0};
        const uint8_t *m;
        size_t n, used;

        assert_int_equal(grpc_frame(&b, "hello", 5), 0);
        expect_bytes(&b, "000000000568656c6c6f");
        for (size_t cut = 0; cut < 10; cut++)
                assert_int_equal(grpc_unframe(buf_data(&b), cut, 5, &m, &n, &used), 0);
        assert_int_equal(grpc_unframe(buf_data(&b), 10, 5, &m, &n, &used), 1);
        assert_int_equal(n, 5);
        assert_int_equal(used, 10);
        assert_int_equal(grpc_unframe(buf_data(&b), 5, 4, &m, &n, &used), -EMSGSIZE);
        assert_int_equal(grpc_unframe((const uint8_t *)"\x01", 1, 5, &m, &n, &used), -EBADMSG);
        assert_int_equal(grpc_unframe_only(buf_data(&b), 9, 5, &m, &n), -EBADMSG);
        assert_int_equal(grpc_frame(&b, "", 0), 0);
        assert_int_equal(grpc_unframe_only(buf_data(&b), 15, 5, &m, &n), -EBADMSG);
}

static void test_status_line(void **state)
{
        static const struct {
                const char *value;
                int status;
        } cases[] = {{"0", 0},      {" 16", 16},    {"17", -EINVAL}, {"-1", -EINVAL},
                     {"", -EINVAL}, {"x", -EINVAL}, {"12 ", -EINVAL}};
        static const struct {
                const char *in, *out;
        } messages[] = {{"plain", "plain"},
                        {"a%20b%2", "a b%2"},
                        {"%zz", "%zz"},
                        {"%0Anext%1b", " next?"},
                        {"%C3%A9%ff", "\xc3\xa9?"},
                        {" x", "x"},
                        {"%00", "?"}};

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                assert_int_equal(grpc_parse_status(cases[i].value), cases[i].status);
        for (size_t i = 0; i < ELEMENTSOF(messages); i++) {
                _cleanup_free_ char *s = grpc_decode_message(messages[i].in);
                assert_string_equal(s, messages[i].out);
        }
        for (int i = 0; i <= GRPC_STATUS_MAX; i++)
                assert_true(strlen(grpc_status_name(i)) > 1);
        assert_string_equal(grpc_status_name(17), "unknown status");
        assert_true(grpc_is_content_type("application/grpc"));
        assert_true(grpc_is_content_type("application/grpc+proto"));
        assert_false(grpc_is_content_type("application/grpc-web"));
        assert_false(grpc_is_content_type("text/html"));
        assert_false(grpc_is_content_type(NULL));
}

static void test_text(void **state)
{
        static const struct {
                const char *in;
                size_t max;
                const char *out;
        } cases[] = {
                {"abc", 10, "abc"},
                {"abc", 2, "ab"},
                {"a\xc3\xa9", 2, "a"}, /* cut between characters */
                {"\xc2\x9b\x7f", 10, "??"},
                {"\xed\xa0\x80", 10, "???"},
                {"\xf0\x9f\x98\x80", 10, "\xf0\x9f\x98\x80"},
                {"\xc0\x80", 10, "??"},
                {"\xf5\x80\x80\x80", 10, "????"},
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ char *s = text_clean(cases[i].in, strlen(cases[i].in), cases[i].max);
                assert_string_equal(s, cases[i].out);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_golden_simple), cmocka_unit_test(test_golden_nodes),
                cmocka_unit_test(test_cut),           cmocka_unit_test(test_encode),
                cmocka_unit_test(test_methods),       cmocka_unit_test(test_node_limits),
                cmocka_unit_test(test_bad_numbers),   cmocka_unit_test(test_node_set_max),
                cmocka_unit_test(test_broken_fields), cmocka_unit_test(test_budget),
                cmocka_unit_test(test_ids),           cmocka_unit_test(test_metadata),
                cmocka_unit_test(test_pids),          cmocka_unit_test(test_frames),
                cmocka_unit_test(test_status_line),   cmocka_unit_test(test_text),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
