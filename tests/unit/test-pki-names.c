/* Whom a certificate of the cluster's PKI is for: what of it is taken, and what is not. */
#include "test.h"

#include "pki.h"

#define LONG63 "0123456789012345678901234567890123456789012345678901234567890ab"

static void test_alt_names(void **state)
{
        static const struct {
                const char *value;
                int r;
        } rows[] = {
                {"URI:spiffe://lab/worker/w1", 0},
                {"URI:spiffe://lab/head/w1,IP:10.0.0.1", 0},
                {"DNS:lab,URI:spiffe://lab/worker/w1,email:a@b,RID:1.2.3", 0},
                {"URI:spiffe://" LONG63 "/worker/" LONG63, 0},
                {NULL, -EBADMSG},
                {"DNS:lab,IP:10.0.0.1", -EBADMSG},
                {"URI:spiffe://lab/worker/w1,URI:spiffe://lab/worker/w1", -EBADMSG},
                {"URI:spiffe://lab/worker/w1,URI:https://lab/", -EBADMSG},
                {"URI:https://lab/", -EBADMSG},
                {"URI:spiffe:/lab/worker/w1", -EBADMSG},
                {"URI:SPIFFE://lab/worker/w1", -EBADMSG},
                {"URI:spiffe://", -EBADMSG},
                {"URI:spiffe://lab", -EBADMSG}, /* as of a CA, which this is not */
                {"URI:spiffe://lab/", -EBADMSG},
                {"URI:spiffe://lab/worker", -EBADMSG},
                {"URI:spiffe://lab/worker/", -EBADMSG},
                {"URI:spiffe://lab//w1", -EBADMSG},
                {"URI:spiffe:///worker/w1", -EBADMSG},
                {"URI:spiffe://lab/ca/w1", -EBADMSG},
                {"URI:spiffe://lab/driver/w1", -EBADMSG},
                {"URI:spiffe://lab/worker/w1/", -EBADMSG},
                {"URI:spiffe://lab/worker/w1/x", -EBADMSG},
                {"URI:spiffe://lab/worker/w1?x", -EBADMSG},
                {"URI:spiffe://lab/worker/w%31", -EBADMSG},
                {"URI:spiffe://lab/worker/W1", -EBADMSG},
                {"URI:spiffe://lab:1/worker/w1", -EBADMSG},
                {"URI:spiffe://x@lab/worker/w1", -EBADMSG},
                {"URI:spiffe://" LONG63 "c/worker/w1", -EBADMSG},
                {"URI:spiffe://lab/worker/" LONG63 "c", -EBADMSG},
                {"URI:spiffe://" LONG63 "/worker/" LONG63 "0123456789abcdef", -EBADMSG},
        };
        Authority a = authority_new("lab");
        _cleanup_(pki_cert_freep) PkiCert *node = node_new(&a, "w1", NULL);

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                _cleanup_(pki_cert_freep) PkiCert *c =
                        forge(node, a.key, change_alt_name, rows[i].value);
                PkiNames n = {.role = _PKI_ROLE_MAX};
                int r = pki_cert_names(c, &n);
                if (r != rows[i].r || ERR_peek_error() || (r < 0 && n.role != _PKI_ROLE_MAX))
                        fail_msg("%s: %d", rows[i].value, r);
        }
        authority_done(&a);
}

/* What says that it is a CA, and is one, is not a CA of ours for all that. */
static void test_alt_names_of_ca(void **state)
{
        static const struct {
                const char *value;
                int r;
        } rows[] = {
                {"URI:spiffe://lab", 0},
                {"URI:spiffe://lab/head/h1", -EBADMSG}, /* calls itself a node */
                {"URI:spiffe://lab/ca/c1", -EBADMSG},
                {"URI:spiffe://lab/", -EBADMSG},
                {"URI:spiffe://Lab", -EBADMSG},
                {"DNS:lab", -EBADMSG},
                {NULL, -EBADMSG},
        };
        Authority a = authority_new("lab");

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                _cleanup_(pki_cert_freep) PkiCert *c =
                        forge(a.cert, a.key, change_alt_name, rows[i].value);
                PkiNames n;
                int r = pki_cert_names(c, &n);
                if (r != rows[i].r || ERR_peek_error())
                        fail_msg("%s: %d", rows[i].value, r);
        }
        authority_done(&a);
}

static void test_addresses(void **state)
{
        Authority a = authority_new("lab");
        _cleanup_(pki_cert_freep) PkiCert *node = node_new(&a, "w1", NULL);
        char value[1024] = "URI:spiffe://lab/worker/w1";
        PkiNames n;

        for (size_t i = 1; i <= PKI_ADDRS_MAX + 1; i++) {
                size_t len = strlen(value);
                (void)snprintf(value + len, sizeof(value) - len, ",IP:10.0.0.%zu", i);
                _cleanup_(pki_cert_freep) PkiCert *c = forge(node, a.key, change_alt_name, value);
                ASSERT_R(pki_cert_names(c, &n), i <= PKI_ADDRS_MAX ? 0 : -EBADMSG);
                assert_int_equal(n.n_addrs, MIN(i, (size_t)PKI_ADDRS_MAX));
        }
        authority_done(&a);
}

typedef struct Raw {
        int type, string_type;
        const char *data;
        int size;
} Raw;

/* A second name behind the URI, made by hand. */
static void change_raw(X509 *x, const void *arg)
{
        const Raw *raw = arg;
        GENERAL_NAMES *all = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
        GENERAL_NAME *g = GENERAL_NAME_new();
        ASN1_STRING *s = ASN1_STRING_type_new(raw->string_type);

        assert_int_equal(ASN1_STRING_set(s, raw->data, raw->size), 1);
        GENERAL_NAME_set0_value(g, raw->type, s);
        if (raw->type == GEN_URI) /* in its place */
                GENERAL_NAME_free(sk_GENERAL_NAME_shift(all));
        sk_GENERAL_NAME_push(all, g);
        assert_int_equal(X509_add1_ext_i2d(x, NID_subject_alt_name, all, 0, X509V3_ADD_REPLACE), 1);
        GENERAL_NAMES_free(all);
}

static void test_raw_names(void **state)
{
        static const struct {
                Raw raw;
                int r;
        } rows[] = {
                {{GEN_URI, V_ASN1_IA5STRING, "spiffe://lab/worker/w1", 22}, 0},
                {{GEN_URI, V_ASN1_IA5STRING, "", 0}, -EBADMSG},
                {{GEN_URI, V_ASN1_IA5STRING, "spiffe://lab/worker/w1\0", 23}, -EBADMSG},
                {{GEN_URI, V_ASN1_IA5STRING, "spiffe://lab/worker/w1\0.evil", 28}, -EBADMSG},
                {{GEN_URI, V_ASN1_IA5STRING, "spiffe://lab\0/worker/w1", 23}, -EBADMSG},
                {{GEN_IPADD, V_ASN1_OCTET_STRING, "\x0a\0\0\1", 4}, 0},
                {{GEN_IPADD, V_ASN1_OCTET_STRING, "\x0a\0\0", 3}, -EBADMSG},
                {{GEN_IPADD, V_ASN1_OCTET_STRING, "", 0}, -EBADMSG},
                {{GEN_IPADD, V_ASN1_OCTET_STRING, "\x0a\0\0\0\xff\0\0\0", 8}, -EBADMSG},
                {{GEN_IPADD, V_ASN1_OCTET_STRING, "0123456789abcdef0", 17}, -EBADMSG},
        };
        Authority a = authority_new("lab");
        _cleanup_(pki_cert_freep) PkiCert *node = node_new(&a, "w1", NULL);

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                _cleanup_(pki_cert_freep) PkiCert *c = forge(node, a.key, change_raw, &rows[i].raw);
                PkiNames n;
                int r = pki_cert_names(c, &n);
                if (r != rows[i].r || ERR_peek_error())
                        fail_msg("row %zu: %d", i, r);
        }
        authority_done(&a);
}

/* The same extension twice: neither is the right one. */
static void change_twice(X509 *x, const void *arg)
{
        X509_EXTENSION *e = X509_get_ext(x, X509_get_ext_by_NID(x, NID_subject_alt_name, -1));
        assert_int_equal(X509_add_ext(x, e, -1), 1);
}

typedef struct CommonNames {
        const char *first, *second; /* NULL = none */
        int type;
} CommonNames;

static void change_common_name(X509 *x, const void *arg)
{
        const CommonNames *c = arg;
        X509_NAME *n = X509_get_subject_name(x);

        X509_NAME_ENTRY_free(X509_NAME_delete_entry(n, 0));
        const char *both[] = {c->first, c->second};
        for (size_t i = 0; i < 2; i++)
                if (both[i])
                        assert_int_equal(X509_NAME_add_entry_by_NID(n, NID_commonName, c->type,
                                                                    (const unsigned char *)both[i],
                                                                    (int)strlen(both[i]), -1, 0),
                                         1);
}

static void test_common_names(void **state)
{
        static const struct {
                CommonNames names;
                int r;
        } rows[] = {
                {{"one", NULL, V_ASN1_UTF8STRING}, 0},
                {{"a name with spaces", NULL, V_ASN1_PRINTABLESTRING}, 0},
                {{LONG63 "c", NULL, V_ASN1_UTF8STRING}, 0},
                {{LONG63 "cd", NULL, V_ASN1_UTF8STRING}, -EBADMSG},
                {{NULL, NULL, V_ASN1_UTF8STRING}, -EBADMSG},
                {{"one", "two", V_ASN1_UTF8STRING}, -EBADMSG},
                {{"new\nline", NULL, V_ASN1_UTF8STRING}, -EBADMSG},
                {{"caf\xc3\xa9", NULL, V_ASN1_UTF8STRING}, -EBADMSG},
                {{"\x7f", NULL, V_ASN1_UTF8STRING}, -EBADMSG},
        };
        Authority a = authority_new("lab");
        _cleanup_(pki_cert_freep) PkiCert *node = node_new(&a, "w1", NULL);
        PkiNames n;

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                _cleanup_(pki_cert_freep) PkiCert *c =
                        forge(node, a.key, change_common_name, &rows[i].names);
                int r = pki_cert_names(c, &n);
                if (r != rows[i].r || ERR_peek_error())
                        fail_msg("row %zu: %d", i, r);
                if (r == 0)
                        assert_string_equal(n.name, rows[i].names.first);
        }
        _cleanup_(pki_cert_freep) PkiCert *twice = forge(node, a.key, change_twice, NULL);
        ASSERT_R(pki_cert_names(twice, &n), -EBADMSG);
        authority_done(&a);
}

static void test_tables(void **state)
{
        for (PkiRole i = 0; i < _PKI_ROLE_MAX; i++) {
                assert_non_null(pki_role_to_string(i));
                assert_int_equal(pki_role_from_string(pki_role_to_string(i)), i);
        }
        assert_null(pki_role_to_string(_PKI_ROLE_MAX));
        assert_int_equal(pki_role_from_string("driver"), _PKI_ROLE_INVALID);
        assert_true(pki_label_is_valid("a-1"));
        assert_false(pki_label_is_valid("a_1"));
        assert_true(pki_host_name_is_valid("Compute_04.lab"));
        assert_false(pki_host_name_is_valid(""));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_alt_names),    cmocka_unit_test(test_alt_names_of_ca),
                cmocka_unit_test(test_addresses),    cmocka_unit_test(test_raw_names),
                cmocka_unit_test(test_common_names), cmocka_unit_test(test_tables),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
