/* Which certificates the cluster's PKI takes for those of nodes; and whether openssl(1) agrees. */
#include "test.h"

#include "pki.h"

static PkiDefect verify_at(const PkiCert *leaf, usec_t now, PkiCert *a, PkiCert *b)
{
        PkiCert *cas[] = {a, b};
        PkiDefect d = _PKI_DEFECT_MAX;

        ASSERT_R(pki_cert_verify(leaf, cas, b ? 2 : a ? 1 : 0, now, &d), 0);
        return d;
}

static PkiDefect verify(const PkiCert *leaf, PkiCert *ca)
{
        return verify_at(leaf, NOW, ca, NULL);
}

static void test_good(void **state)
{
        Authority a = authority_new("lab"), next = authority_new("lab");
        _cleanup_(pki_cert_freep) PkiCert *old_node = node_new(&a, "w1", NULL);
        _cleanup_(pki_cert_freep) PkiCert *new_node = node_new(&next, "w1", NULL);

        assert_int_equal(verify(old_node, a.cert), PKI_DEFECT_NONE);
        /* both CAs have one name, as when one takes over from the other */
        assert_int_equal(verify_at(old_node, NOW, a.cert, next.cert), PKI_DEFECT_NONE);
        assert_int_equal(verify_at(new_node, NOW, a.cert, next.cert), PKI_DEFECT_NONE);
        assert_int_equal(verify_at(new_node, NOW, next.cert, a.cert), PKI_DEFECT_NONE);
        assert_int_equal(verify_at(new_node, NOW, next.cert, next.cert), PKI_DEFECT_NONE);
        authority_done(&a);
        authority_done(&next);
}

/* --- untrusted -----------------------------------------------------------------------------------
 */

static void test_foreign_ca(void **state)
{
        Authority a = authority_new("lab"), foreign = authority_new("lab");
        _cleanup_(pki_cert_freep) PkiCert *node = node_new(&a, "w1", NULL);
        _cleanup_(pki_cert_freep) PkiCert *stranger = node_new(&foreign, "w1", NULL);
        /* it says that ours issued it, to the last octet of the key identifier */
        _cleanup_(pki_cert_freep) PkiCert *liar =
                forge(stranger, foreign.key, change_issuer, a.cert);

        assert_int_equal(verify(node, NULL), PKI_DEFECT_UNTRUSTED);
        assert_int_equal(verify(stranger, a.cert), PKI_DEFECT_UNTRUSTED);
        assert_int_equal(verify(liar, a.cert), PKI_DEFECT_UNTRUSTED);
        assert_int_equal(verify_at(liar, NOW, a.cert, foreign.cert), PKI_DEFECT_UNTRUSTED);
        assert_int_equal(verify(foreign.cert, a.cert), PKI_DEFECT_UNTRUSTED);
        assert_false(pki_cert_is_signed_by(stranger, a.cert));
        assert_false(pki_cert_is_signed_by(liar, a.cert));
        /* whatever else is wrong with a stranger's, it is a stranger's */
        assert_int_equal(verify_at(stranger, NOW + 50 * DAY, a.cert, NULL), PKI_DEFECT_UNTRUSTED);
        assert_int_equal(verify_at(liar, NOW - 5 * DAY, a.cert, NULL), PKI_DEFECT_UNTRUSTED);
        authority_done(&a);
        authority_done(&foreign);
}

static void test_leaf_signs_leaf(void **state)
{
        Authority a = authority_new("lab");
        _cleanup_(pki_key_freep) PkiKey *key = NULL;
        _cleanup_(pki_cert_freep) PkiCert *node = node_new(&a, "w1", &key);
        _cleanup_(pki_cert_freep) PkiCert *other = node_new(&a, "w2", NULL);
        _cleanup_(pki_cert_freep) PkiCert *child = forge(other, key, change_issuer, node);

        assert_true(pki_cert_is_signed_by(child, node));
        assert_int_equal(verify(child, a.cert), PKI_DEFECT_UNTRUSTED);
        assert_int_equal(verify_at(child, NOW, a.cert, node), PKI_DEFECT_UNTRUSTED);
        assert_int_equal(verify_at(child, NOW, node, NULL), PKI_DEFECT_UNTRUSTED);
        /* nor is a node's certificate its own authority when somebody trusts it by mistake */
        assert_int_equal(verify(node, node), PKI_DEFECT_UNTRUSTED);
        authority_done(&a);
}

/* A CA below ours, even one we are told to trust: ours may have none (pathlen 0). */
static void test_sub_ca(void **state)
{
        Authority a = authority_new("lab"), sub = authority_new("sub");
        _cleanup_(pki_cert_freep) PkiCert *node = node_new(&sub, "w1", NULL);
        _cleanup_(pki_cert_freep) PkiCert *below = forge(sub.cert, a.key, change_issuer, a.cert);

        assert_int_equal(verify(node, sub.cert), PKI_DEFECT_NONE);
        assert_true(pki_cert_is_signed_by(below, a.cert));
        assert_int_equal(verify_at(node, NOW, a.cert, below), PKI_DEFECT_UNTRUSTED);
        assert_int_equal(verify_at(node, NOW, below, NULL), PKI_DEFECT_UNTRUSTED);
        authority_done(&a);
        authority_done(&sub);
}

/* --- dates ---------------------------------------------------------------------------------------
 */

static void change_end(X509 *x, const void *at)
{
        assert_non_null(
                ASN1_TIME_set(X509_getm_notAfter(x), (time_t)(*(const usec_t *)at / USEC_PER_SEC)));
}

static void test_dates(void **state)
{
        Authority a = authority_new("lab");
        _cleanup_(pki_cert_freep) PkiCert *node = node_new(&a, "w1", NULL);
        const usec_t end = NOW + 1000 * DAY;
        _cleanup_(pki_cert_freep) PkiCert *outlives = forge(node, a.key, change_end, &end);
        const struct {
                const PkiCert *leaf;
                usec_t now;
                PkiDefect defect;
        } rows[] = {
                {node, 0, PKI_DEFECT_NOT_YET_VALID},
                {node, NOW - DAY - 1, PKI_DEFECT_NOT_YET_VALID},
                {node, NOW - DAY, PKI_DEFECT_NONE},
                {node, NOW + 9 * DAY - 1, PKI_DEFECT_NONE},
                {node, NOW + 9 * DAY, PKI_DEFECT_EXPIRED},
                {node, USEC_INFINITY, PKI_DEFECT_EXPIRED},
                {outlives, NOW + 99 * DAY, PKI_DEFECT_NONE},
                {outlives, NOW + 101 * DAY, PKI_DEFECT_EXPIRED}, /* of its CA */
                {outlives, NOW - 11 * DAY, PKI_DEFECT_NOT_YET_VALID},
        };
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                PkiDefect d = verify_at(rows[i].leaf, rows[i].now, a.cert, NULL);
                if (d != rows[i].defect)
                        fail_msg("row %zu: %s", i, pki_defect_to_string(d));
        }
        authority_done(&a);
}

static void test_no_end(void **state)
{
        _cleanup_(pki_key_freep) PkiKey *key = NULL;
        _cleanup_(pki_cert_freep) PkiCert *ca = NULL, *c = NULL;
        PkiNames names = names_new(PKI_HEAD, "h1");

        ASSERT_R(pki_key_new(&key), 0);
        ASSERT_R(pki_ca_new(key, "lab", 0, USEC_INFINITY, &ca), 0);
        ASSERT_R(pki_issue_key(key, ca, key, &names, 0, USEC_INFINITY, &c), 0);
        assert_int_equal(verify_at(c, 0, ca, NULL), PKI_DEFECT_NONE);
        assert_int_equal(verify_at(c, NOW + 100000 * DAY, ca, NULL), PKI_DEFECT_NONE);
}

/* --- other defects -------------------------------------------------------------------------------
 */

static void change_purpose(X509 *x, const void *value)
{
        replace_extension(x, NID_ext_key_usage, value);
}

static void change_to_ca(X509 *x, const void *arg)
{
        replace_extension(x, NID_basic_constraints, "critical,CA:TRUE");
        replace_extension(x, NID_key_usage, "critical,keyCertSign");
}

static void change_no_authority_id(X509 *x, const void *arg)
{
        replace_extension(x, NID_authority_key_identifier, NULL);
}

static void change_unknown(X509 *x, const void *arg)
{
        replace_extension(x, NID_inhibit_any_policy, "critical,DER:02:01:00");
        replace_extension(x, NID_netscape_comment, "critical,DER:16:01:61");
}

static void change_version(X509 *x, const void *arg)
{
        assert_int_equal(X509_set_version(x, X509_VERSION_1), 1);
}

static void change_damaged(X509 *x, const void *arg)
{
        replace_extension(x, NID_basic_constraints, "critical,DER:04:03:01:01:ff");
}

static void change_twice(X509 *x, const void *arg)
{
        X509_EXTENSION *e = X509_get_ext(x, X509_get_ext_by_NID(x, NID_subject_alt_name, -1));
        assert_int_equal(X509_add_ext(x, e, -1), 1);
}

static void test_forged(void **state)
{
        static const struct {
                void (*change)(X509 *x, const void *arg);
                const char *arg;
                PkiDefect defect;
        } rows[] = {
                {NULL, NULL, PKI_DEFECT_NONE},
                {change_purpose, "serverAuth,clientAuth,codeSigning", PKI_DEFECT_NONE},
                {change_purpose, NULL, PKI_DEFECT_NOT_A_NODE},
                {change_purpose, "clientAuth", PKI_DEFECT_NOT_A_NODE},
                {change_purpose, "serverAuth", PKI_DEFECT_NOT_A_NODE},
                {change_purpose, "anyExtendedKeyUsage", PKI_DEFECT_NOT_A_NODE},
                {change_to_ca, NULL, PKI_DEFECT_NOT_A_NODE},
                {change_no_authority_id, NULL, PKI_DEFECT_BROKEN},
                {change_unknown, NULL, PKI_DEFECT_BROKEN},
                {change_version, NULL, PKI_DEFECT_BROKEN},
                {change_damaged, NULL, PKI_DEFECT_BROKEN},
                {change_twice, NULL, PKI_DEFECT_BROKEN},
        };
        Authority a = authority_new("lab");
        _cleanup_(pki_cert_freep) PkiCert *node = node_new(&a, "w1", NULL);

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                _cleanup_(pki_cert_freep) PkiCert *c =
                        forge(node, a.key, rows[i].change, rows[i].arg);
                assert_true(pki_cert_is_signed_by(c, a.cert));
                PkiDefect d = verify(c, a.cert);
                if (d != rows[i].defect)
                        fail_msg("row %zu: %s", i, pki_defect_to_string(d));
        }
        assert_int_equal(verify(a.cert, a.cert), PKI_DEFECT_NOT_A_NODE);
        authority_done(&a);
}

/* Every bit of a good one: what is still taken is the same certificate, to the byte. */
static void test_flipped(void **state)
{
        Authority a = authority_new("lab");
        _cleanup_(pki_cert_freep) PkiCert *node = node_new(&a, "w1", NULL);
        _cleanup_buf_ Buf der = {0}, good = {0};

        ASSERT_R(pki_cert_to_der(node, &der), 0);
        assert_int_equal(buf_append(&good, buf_data(&der), buf_size(&der)), 0);
        for (size_t i = 0; i < buf_size(&der); i++)
                for (unsigned bit = 0; bit < 8; bit++) {
                        _cleanup_(pki_cert_freep) PkiCert *c = NULL;
                        _cleanup_buf_ Buf again = {0};
                        der.data[i] ^= (uint8_t)(1U << bit);
                        int r = pki_cert_from_der(buf_data(&der), buf_size(&der), &c);
                        der.data[i] ^= (uint8_t)(1U << bit);
                        assert_int_equal(ERR_peek_error(), 0);
                        if (r == -EBADMSG || verify(c, a.cert) != PKI_DEFECT_NONE)
                                continue;
                        ASSERT_R(pki_cert_to_der(c, &again), 0);
                        assert_int_equal(buf_size(&again), buf_size(&good));
                        assert_memory_equal(buf_data(&again), buf_data(&good), buf_size(&good));
                }
        authority_done(&a);
}

static void test_table(void **state)
{
        for (PkiDefect i = 0; i < _PKI_DEFECT_MAX; i++) {
                assert_non_null(pki_defect_to_string(i));
                assert_int_equal(pki_defect_from_string(pki_defect_to_string(i)), i);
        }
        assert_null(pki_defect_to_string(_PKI_DEFECT_MAX));
        assert_int_equal(pki_defect_from_string("rusty"), _PKI_DEFECT_INVALID);
}

/* --- a second opinion ----------------------------------------------------------------------------
 */

#define VERIFY "openssl verify -x509_strict -CAfile ca -attime 1800000000 "

static void test_openssl(void **state)
{
        static const char *const words[] = {
                "Version: 3 (0x2)",
                "ecdsa-with-SHA256",
                "CN=raycluster CA lab",
                "CN=compute04.lab.example",
                "Not Before: Jan 14 08:00:00 2027 GMT",
                "Not After : Jan 24 08:00:00 2027 GMT",
                "CA:FALSE",
                "TLS Web Client Authentication, TLS Web Server Authentication",
                "URI:spiffe://lab/worker/0a1b2c, IP Address:10.77.1.4,",
                " IP Address:FD77:2:0:0:0:0:0:4\n",
        };
        Authority a = authority_new("lab");
        _cleanup_(pki_cert_freep) PkiCert *node = node_new(&a, "0a1b2c", NULL);
        uint8_t pin[PKI_PIN_SIZE];
        char serial[64] = "serial=";

        need_openssl();
        put_cert("ca", a.cert);
        put_cert("cert", node);
        assert_said(VERIFY "-purpose sslclient cert", "cert: OK");
        assert_said(VERIFY "-purpose sslserver -verify_ip 10.77.1.4 cert", "cert: OK");
        assert_said(VERIFY "-check_ss_sig ca", "ca: OK");
        assert_said("! openssl verify -x509_strict -CAfile ca -attime 1900000000 cert", "expired");
        for (size_t i = 0; i < ELEMENTSOF(words); i++)
                assert_said("openssl x509 -in cert -noout -text -nameopt RFC2253", words[i]);
        pki_cert_pin(node, pin);
        assert_pin_said("openssl x509 -in cert -noout -pubkey |"
                        " openssl pkey -pubin -outform DER | sha256sum",
                        pin);
        (void)snprintf(serial + 7, sizeof(serial) - 7, "%s", pki_cert_serial(node));
        assert_said("openssl x509 -in cert -noout -serial | tr A-F a-f", serial);
        authority_done(&a);
}

static void test_openssl_ca(void **state)
{
        static const char *const words[] = {
                "Subject: CN=raycluster CA lab",
                "CA:TRUE, pathlen:0",
                "X509v3 Basic Constraints: critical",
                "X509v3 Key Usage: critical\n                Certificate Sign, CRL Sign\n",
                "X509v3 Subject Key Identifier:",
                "URI:spiffe://lab\n",
        };
        Authority a = authority_new("lab");

        need_openssl();
        put_cert("ca", a.cert);
        for (size_t i = 0; i < ELEMENTSOF(words); i++)
                assert_said("openssl x509 -in ca -noout -text -nameopt RFC2253", words[i]);
        authority_done(&a);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_good),
                cmocka_unit_test(test_foreign_ca),
                cmocka_unit_test(test_leaf_signs_leaf),
                cmocka_unit_test(test_sub_ca),
                cmocka_unit_test(test_dates),
                cmocka_unit_test(test_no_end),
                cmocka_unit_test(test_forged),
                cmocka_unit_test(test_flipped),
                cmocka_unit_test(test_table),
                cmocka_unit_test(test_openssl),
                cmocka_unit_test(test_openssl_ca),
        };
        return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
