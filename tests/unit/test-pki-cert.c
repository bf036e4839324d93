/* Certificates of the cluster's PKI: issued, written and read. */
#include "test.h"

#include "pki.h"

static void assert_same_names(const PkiNames *a, const PkiNames *b)
{
        assert_int_equal(a->role, b->role);
        assert_string_equal(a->cluster, b->cluster);
        assert_string_equal(a->node, b->node);
        assert_string_equal(a->name, b->name);
        assert_int_equal(a->n_addrs, b->n_addrs);
        for (size_t i = 0; i < a->n_addrs; i++)
                assert_true(addr_equal(&a->addrs[i], &b->addrs[i]));
}

/* --- issued --------------------------------------------------------------------------------------
 */

static void test_ca(void **state)
{
        Authority a = authority_new("lab");
        uint8_t of_key[PKI_PIN_SIZE], of_cert[PKI_PIN_SIZE];
        usec_t from, until;
        PkiNames n;

        pki_key_pin(a.key, of_key);
        pki_cert_pin(a.cert, of_cert);
        assert_memory_equal(of_key, of_cert, PKI_PIN_SIZE);
        pki_cert_dates(a.cert, &from, &until);
        assert_true(from == NOW - 10 * DAY && until == NOW + 100 * DAY);
        ASSERT_R(pki_cert_names(a.cert, &n), 0);
        const PkiNames want = {.role = PKI_CA, .cluster = "lab", .name = "raycluster CA lab"};
        assert_same_names(&n, &want);
        assert_true(pki_cert_is_signed_by(a.cert, a.cert));
        authority_done(&a);
        assert_null(pki_cert_free(NULL));
}

static void test_ca_refused(void **state)
{
        static const char *const bad[] = {
                "",      "Lab",
                "lab.1", "a/b",
                "a b",   "b\xc3\xa4",
                "lab\n", "0123456789012345678901234567890123456789012345678901234567890123"};
        Authority a = authority_new("lab");
        PkiCert *c = NULL;

        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                ASSERT_R(pki_ca_new(a.key, bad[i], NOW, NOW + DAY, &c), -EINVAL);
        ASSERT_R(pki_ca_new(a.key, "lab", NOW, NOW, &c), -EINVAL);
        ASSERT_R(pki_ca_new(a.key, "lab", NOW + DAY, NOW, &c), -EINVAL);
        /* no whole second */
        ASSERT_R(pki_ca_new(a.key, "lab", NOW + 1, NOW + 999999, &c), -EINVAL);
        assert_null(c);
        authority_done(&a);
}

/* 63 letters are a cluster's name, and too many for a common name. */
static void test_long_names(void **state)
{
        static const char lab[] = "012345678901234567890123456789012345678901234567890123456789abc";
        static const char node[] =
                "abcdefghijklmnopqrstuvwxyz0123456789-abcdefghijklmnopqrstuvwxyz";
        Authority a = authority_new(lab);
        _cleanup_(pki_cert_freep) PkiCert *c = NULL;
        PkiNames n = {.role = PKI_WORKER}, again;

        ASSERT_R(pki_cert_names(a.cert, &again), 0);
        assert_string_equal(again.cluster, lab);
        assert_int_equal(strlen(again.name), 64);
        str_copy(n.cluster, sizeof(n.cluster), lab);
        str_copy(n.node, sizeof(n.node), node);
        memset(n.name, 'H', 64);
        ASSERT_R(pki_issue_key(a.key, a.cert, a.key, &n, NOW, NOW + DAY, &c), 0);
        ASSERT_R(pki_cert_names(c, &again), 0);
        assert_same_names(&n, &again);
        authority_done(&a);
}

static void test_issue(void **state)
{
        Authority a = authority_new("lab");
        _cleanup_(pki_key_freep) PkiKey *key = NULL;
        _cleanup_(pki_request_freep) PkiRequest *q = NULL;
        _cleanup_(pki_cert_freep) PkiCert *by_request = NULL, *by_key = NULL;
        uint8_t of_key[PKI_PIN_SIZE], of_cert[PKI_PIN_SIZE];
        PkiNames names = names_new(PKI_HEAD, "0a1b2c"), n;
        _cleanup_buf_ Buf der = {0};

        while (names.n_addrs < PKI_ADDRS_MAX) {
                names.addrs[names.n_addrs] = A("fd77::1");
                names.addrs[names.n_addrs].in6.s6_addr[14] = (uint8_t)names.n_addrs;
                names.n_addrs++;
        }
        ASSERT_R(pki_key_new(&key), 0);
        ASSERT_R(pki_request_new(key, "another-name", &der), 0);
        ASSERT_R(pki_request_read(buf_data(&der), buf_size(&der), &q), 0);
        ASSERT_R(pki_issue(a.key, a.cert, q, &names, NOW, NOW + DAY, &by_request), 0);
        ASSERT_R(pki_issue_key(a.key, a.cert, key, &names, NOW, NOW + DAY, &by_key), 0);
        PkiCert *certs[] = {by_request, by_key};
        pki_key_pin(key, of_key);
        for (size_t i = 0; i < ELEMENTSOF(certs); i++) {
                pki_cert_pin(certs[i], of_cert);
                assert_memory_equal(of_key, of_cert, PKI_PIN_SIZE);
                ASSERT_R(pki_cert_names(certs[i], &n), 0);
                assert_same_names(&names, &n);
                assert_true(pki_cert_is_signed_by(certs[i], a.cert));
                assert_false(pki_cert_is_signed_by(a.cert, certs[i]));
        }
        buf_consume(&der, buf_size(&der));
        ASSERT_R(pki_cert_to_der(by_key, &der), 0);
        assert_true(buf_size(&der) < 1024);
        authority_done(&a);
}

/* What a request asks for is nobody's business but the head's. */
static void test_issue_wishes(void **state)
{
        Authority a = authority_new("lab");
        _cleanup_(pki_key_freep) PkiKey *key = NULL;
        _cleanup_(pki_request_freep) PkiRequest *q = NULL;
        _cleanup_(pki_cert_freep) PkiCert *c = NULL;
        STACK_OF(X509_EXTENSION) *wishes = sk_X509_EXTENSION_new_null();
        PkiNames names = names_new(PKI_WORKER, "w1"), n;
        unsigned char *der = NULL;
        X509_REQ *r = X509_REQ_new();

        ASSERT_R(pki_key_new(&key), 0);
        sk_X509_EXTENSION_push(
                wishes, X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, "critical,CA:TRUE"));
        sk_X509_EXTENSION_push(wishes, X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name,
                                                           "URI:spiffe://lab/head/h1"));
        assert_int_equal(X509_REQ_add_extensions(r, wishes), 1);
        assert_int_equal(X509_REQ_set_pubkey(r, key->key), 1);
        assert_true(X509_REQ_sign(r, key->key, EVP_sha256()) > 0);
        int size = i2d_X509_REQ(r, &der);
        ASSERT_R(pki_request_read(der, (size_t)size, &q), 0);
        ASSERT_R(pki_issue(a.key, a.cert, q, &names, NOW, NOW + DAY, &c), 0);
        ASSERT_R(pki_cert_names(c, &n), 0);
        assert_same_names(&names, &n);
        assert_int_equal(X509_check_ca(c->x), 0);
        sk_X509_EXTENSION_pop_free(wishes, X509_EXTENSION_free);
        OPENSSL_free(der);
        X509_REQ_free(r);
        authority_done(&a);
}

/* Between here and the names we allow stands one change, which makes -EINVAL of it. */
static void test_issue_refused(void **state)
{
        Authority a = authority_new("lab"), other = authority_new("lab");
        _cleanup_(pki_key_freep) PkiKey *key = NULL;
        _cleanup_(pki_cert_freep) PkiCert *node = node_new(&a, "w1", &key);
        PkiCert *c = NULL;
        PkiNames bad[17];

        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                bad[i] = names_new(PKI_WORKER, "w2");
        str_copy(bad[0].cluster, PKI_CLUSTER_MAX, "lab2");
        str_copy(bad[1].cluster, PKI_CLUSTER_MAX, "LAB");
        bad[2].cluster[0] = 0;
        memset(bad[3].cluster, 'a', PKI_CLUSTER_MAX); /* without an end */
        str_copy(bad[4].node, PKI_NODE_MAX, "w2/../../head/h1");
        str_copy(bad[5].node, PKI_NODE_MAX, "W2");
        bad[6].node[0] = 0;
        memset(bad[7].node, 'a', PKI_NODE_MAX);
        bad[8].name[0] = 0;
        str_copy(bad[9].name, PKI_NAME_MAX, "compute 04");
        str_copy(bad[10].name, PKI_NAME_MAX, "compute\xc3\xa9");
        memset(bad[11].name, 'a', PKI_NAME_MAX);
        bad[12].n_addrs = PKI_ADDRS_MAX + 1;
        bad[13].n_addrs = 3; /* the third is not set */
        bad[14].role = PKI_CA;
        bad[15].role = _PKI_ROLE_MAX;
        bad[16].role = _PKI_ROLE_INVALID;
        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                int r = pki_issue_key(a.key, a.cert, key, &bad[i], NOW, NOW + DAY, &c);
                if (r != -EINVAL || ERR_peek_error())
                        fail_msg("row %zu: %d", i, r);
        }
        PkiNames good = names_new(PKI_WORKER, "w2"), ca = {.role = PKI_CA, .cluster = "lab"};
        str_copy(ca.name, sizeof(ca.name), "lab");
        ASSERT_R(pki_issue_key(a.key, a.cert, key, &ca, NOW, NOW + DAY, &c), -EINVAL);
        ASSERT_R(pki_issue_key(a.key, a.cert, key, &good, NOW + DAY, NOW, &c), -EINVAL);
        /* the key of another CA, the certificate of another CA, a node as CA */
        ASSERT_R(pki_issue_key(other.key, a.cert, key, &good, NOW, NOW + DAY, &c), -EINVAL);
        ASSERT_R(pki_issue_key(a.key, other.cert, key, &good, NOW, NOW + DAY, &c), -EINVAL);
        ASSERT_R(pki_issue_key(key, node, a.key, &good, NOW, NOW + DAY, &c), -EINVAL);
        assert_null(c);
        authority_done(&a);
        authority_done(&other);
}

static void test_dates(void **state)
{
        _cleanup_(pki_key_freep) PkiKey *key = NULL;
        _cleanup_(pki_cert_freep) PkiCert *ca = NULL, *cut = NULL, *for_ever = NULL, *late = NULL;
        PkiNames names = names_new(PKI_WORKER, "w1");
        const usec_t year2060 = 2840140800 * USEC_PER_SEC;
        usec_t from, until;
        PkiCert *c = NULL;

        ASSERT_R(pki_key_new(&key), 0);
        ASSERT_R(pki_ca_new(key, "lab", 0, NOW + 5 * DAY, &ca), 0);
        pki_cert_dates(ca, &from, &until);
        assert_true(from == 0 && until == NOW + 5 * DAY);
        ASSERT_R(pki_issue_key(key, ca, key, &names, NOW + 999999, USEC_INFINITY, &cut), 0);
        pki_cert_dates(cut, &from, &until);
        assert_true(from == NOW && until == NOW + 5 * DAY);
        ASSERT_R(pki_issue_key(key, ca, key, &names, NOW + 5 * DAY, USEC_INFINITY, &c),
                 -EKEYEXPIRED);
        assert_null(c);

        ASSERT_R(pki_ca_new(key, "lab", NOW, USEC_INFINITY, &for_ever), 0);
        pki_cert_dates(for_ever, &from, &until);
        assert_true(from == NOW && until == USEC_INFINITY);
        ASSERT_R(pki_issue_key(key, for_ever, key, &names, NOW, year2060, &late), 0);
        pki_cert_dates(late, &from, &until);
        assert_true(until == year2060);
}

static void test_serials(void **state)
{
        Authority a = authority_new("lab");
        char all[32][PKI_SERIAL_MAX];

        for (size_t i = 0; i < ELEMENTSOF(all); i++) {
                _cleanup_(pki_cert_freep) PkiCert *c = node_new(&a, "w1", NULL);
                str_copy(all[i], sizeof(all[i]), pki_cert_serial(c));
                assert_int_equal(strspn(all[i], "0123456789abcdef"), 32);
                assert_int_equal(strlen(all[i]), 32);
                assert_non_null(strchr("89abcdef", all[i][0]));
                for (size_t k = 0; k < i; k++)
                        assert_string_not_equal(all[i], all[k]);
        }
        authority_done(&a);
}

/* --- written and read ----------------------------------------------------------------------------
 */

static void assert_same_cert(const PkiCert *a, const PkiCert *b)
{
        _cleanup_buf_ Buf x = {0}, y = {0};

        ASSERT_R(pki_cert_to_der(a, &x), 0);
        ASSERT_R(pki_cert_to_der(b, &y), 0);
        assert_int_equal(buf_size(&x), buf_size(&y));
        assert_memory_equal(buf_data(&x), buf_data(&y), buf_size(&x));
        assert_string_equal(pki_cert_serial(a), pki_cert_serial(b));
}

static void test_der(void **state)
{
        Authority a = authority_new("lab");
        _cleanup_(pki_cert_freep) PkiCert *again = NULL;
        _cleanup_buf_ Buf der = {0};
        PkiCert *c = NULL;

        ASSERT_R(pki_cert_to_der(a.cert, &der), 0);
        ASSERT_R(pki_cert_from_der(buf_data(&der), buf_size(&der), &again), 0);
        assert_same_cert(a.cert, again);
        for (size_t n = 0; n < buf_size(&der); n++) {
                uint8_t *part = malloc(n + 1);
                assert_non_null(part);
                memcpy(part + 1, buf_data(&der), n);
                ASSERT_R(pki_cert_from_der(part + 1, n, &c), -EBADMSG);
                free(part);
        }
        ASSERT_R(pki_cert_from_der(NULL, 0, &c), -EBADMSG);
        assert_int_equal(buf_append(&der, "", 1), 0);
        ASSERT_R(pki_cert_from_der(buf_data(&der), buf_size(&der), &c), -EBADMSG);
        assert_null(c);
        authority_done(&a);
}

static void test_pem(void **state)
{
        Authority a = authority_new("lab");
        _cleanup_(pki_cert_freep) PkiCert *again = NULL;
        _cleanup_buf_ Buf pem = {0}, mixed = {0};
        PkiCert *c = NULL;

        ASSERT_R(pki_cert_to_pem(a.cert, &pem), 0);
        /* a key and words in front, rubbish behind */
        ASSERT_R(pki_key_to_pem(a.key, &mixed), 0);
        assert_int_equal(buf_append(&mixed, "and now:\n", 9), 0);
        assert_int_equal(buf_append(&mixed, buf_data(&pem), buf_size(&pem)), 0);
        assert_int_equal(buf_append(&mixed, "-----BEGIN CERTIFICATE-----\n!", 29), 0);
        ASSERT_R(pki_cert_from_pem(buf_data(&mixed), buf_size(&mixed), &again), 0);
        assert_same_cert(a.cert, again);

        ASSERT_R(pki_cert_from_pem(NULL, 0, &c), -EBADMSG);
        ASSERT_R(pki_cert_from_pem("words\n", 6, &c), -EBADMSG);
        ASSERT_R(pki_cert_from_pem(buf_data(&pem), buf_size(&pem) / 2, &c), -EBADMSG);
        _cleanup_free_ char *long_text = calloc(1, PKI_PEM_MAX + 1);
        ASSERT_R(pki_cert_from_pem(long_text, PKI_PEM_MAX + 1, &c), -EMSGSIZE);
        static const char locked[] = "-----BEGIN CERTIFICATE-----\nProc-Type: 4,ENCRYPTED\n"
                                     "DEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF\n\n"
                                     "AAAAAAAAAAAAAAAAAAAAAA==\n-----END CERTIFICATE-----\n";
        forbid_questions();
        ASSERT_R(pki_cert_from_pem(locked, sizeof(locked) - 1, &c), -EBADMSG);
        assert_int_equal(n_questions, 0);
        assert_null(c);
        authority_done(&a);
}

static void test_bundle(void **state)
{
        _cleanup_(pki_bundle_done) PkiBundle none = {0};
        Authority all[PKI_BUNDLE_MAX + 1];
        _cleanup_buf_ Buf pem = {0};
        size_t size = 0;

        ASSERT_R(pki_bundle_from_pem("words\n", 6, &none), -EBADMSG);
        ASSERT_R(pki_bundle_from_pem(NULL, 0, &none), -EBADMSG);
        for (size_t i = 0; i < ELEMENTSOF(all); i++) {
                _cleanup_(pki_bundle_done) PkiBundle b = {0};
                all[i] = authority_new("lab");
                size = buf_size(&pem);
                assert_int_equal(buf_append(&pem, "# one more\n", 11), 0);
                ASSERT_R(pki_cert_to_pem(all[i].cert, &pem), 0);
                int r = pki_bundle_from_pem(buf_data(&pem), buf_size(&pem), &b);
                assert_int_equal(r, i < PKI_BUNDLE_MAX ? 0 : -E2BIG);
                assert_int_equal(ERR_peek_error(), 0);
                assert_int_equal(b.n, r < 0 ? 0 : i + 1);
                for (size_t k = 0; k < b.n; k++)
                        assert_same_cert(b.certs[k], all[k].cert);
        }
        /* the fourth is damaged, or cut off */
        for (size_t cut = 1; cut < 400; cut += 7) {
                int r = pki_bundle_from_pem(buf_data(&pem), size - cut, &none);
                if (r != (cut == 1 ? 0 : -EBADMSG) || ERR_peek_error())
                        fail_msg("without %zu bytes: %d", cut, r);
                pki_bundle_done(&none);
        }
        pem.data[size - 200] = '!';
        ASSERT_R(pki_bundle_from_pem(buf_data(&pem), size, &none), -EBADMSG);
        assert_int_equal(none.n, 0);
        for (size_t i = 0; i < ELEMENTSOF(all); i++)
                authority_done(&all[i]);
}

/* --- odd ones ------------------------------------------------------------------------------------
 */

static void change_serial(X509 *x, const void *hex)
{
        BIGNUM *bn = NULL;

        assert_true(BN_hex2bn(&bn, hex) > 0);
        ASN1_INTEGER *i = BN_to_ASN1_INTEGER(bn, NULL);
        assert_int_equal(X509_set_serialNumber(x, i), 1);
        ASN1_INTEGER_free(i);
        BN_free(bn);
}

static void change_start(X509 *x, const void *text)
{
        assert_int_equal(ASN1_STRING_set(X509_getm_notBefore(x), text, -1), 1);
}

static void change_size(X509 *x, const void *size)
{
        _cleanup_free_ char *value = calloc(1, *(const size_t *)size + 5);

        assert_non_null(value);
        memcpy(value, "DNS:", 4);
        memset(value + 4, 'a', *(const size_t *)size);
        replace_extension(x, NID_subject_alt_name, value);
}

/* As forge(), of what is not read at all. */
static int read_forged(const Authority *a, void (*change)(X509 *x, const void *arg),
                       const void *arg, PkiCert **ret)
{
        X509 *x = X509_dup(a->cert->x);
        unsigned char *der = NULL;

        change(x, arg);
        assert_true(X509_sign(x, a->key->key, EVP_sha256()) > 0);
        int n = i2d_X509(x, &der);
        int r = pki_cert_from_der(der, (size_t)n, ret);
        assert_int_equal(ERR_peek_error(), 0);
        OPENSSL_free(der);
        X509_free(x);
        return r;
}

static void test_odd(void **state)
{
        Authority a = authority_new("lab");
        const size_t fits = PKI_CERT_MAX - 500, too_long = PKI_CERT_MAX - 300;
        const struct {
                void (*change)(X509 *x, const void *arg);
                const void *arg;
                int r;
                const char *serial;
        } rows[] = {
                {change_serial, "1", 0, "01"},
                {change_serial, "0", -EBADMSG, NULL},
                {change_serial, "-5", -EBADMSG, NULL},
                {change_serial, "ff0102030405060708090a0b0c0d0e0f10111213", 0,
                 "ff0102030405060708090a0b0c0d0e0f10111213"},
                {change_serial, "01ff0102030405060708090a0b0c0d0e0f10111213", -EBADMSG, NULL},
                {change_start, "500101000000Z", 0, NULL}, /* 1950 */
                {change_start, "yesterday", -EBADMSG, NULL},
                {change_start, "", -EBADMSG, NULL},
                {change_size, &fits, 0, NULL},
                {change_size, &too_long, -EMSGSIZE, NULL},
        };
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                _cleanup_(pki_cert_freep) PkiCert *c = NULL;
                usec_t from, until;
                int r = read_forged(&a, rows[i].change, rows[i].arg, &c);
                if (r != rows[i].r)
                        fail_msg("row %zu: %d", i, r);
                if (rows[i].serial)
                        assert_string_equal(pki_cert_serial(c), rows[i].serial);
                if (r < 0 || rows[i].change != change_start)
                        continue;
                pki_cert_dates(c, &from, &until);
                assert_true(from == 0 && until == NOW + 100 * DAY);
        }
        authority_done(&a);
}

/* Another one's certificate can be looked at; a signature check on it says no. */
static void test_rsa(void **state)
{
        Authority a = authority_new("lab");
        _cleanup_(pki_cert_freep) PkiCert *c = NULL;
        PkiKey rsa = {.key = EVP_RSA_gen(2048)};
        X509 *x = X509_dup(a.cert->x);
        unsigned char *der = NULL;

        assert_int_equal(X509_set_pubkey(x, rsa.key), 1);
        assert_true(X509_sign(x, rsa.key, EVP_sha256()) > 0);
        int n = i2d_X509(x, &der);
        ASSERT_R(pki_cert_from_der(der, (size_t)n, &c), 0);
        assert_true(pki_cert_is_signed_by(c, c));
        assert_false(pki_cert_is_signed_by(c, a.cert));
        assert_false(pki_cert_is_signed_by(a.cert, c));
        assert_int_equal(ERR_peek_error(), 0);
        OPENSSL_free(der);
        X509_free(x);
        EVP_PKEY_free(rsa.key);
        authority_done(&a);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_ca),           cmocka_unit_test(test_ca_refused),
                cmocka_unit_test(test_long_names),   cmocka_unit_test(test_issue),
                cmocka_unit_test(test_issue_wishes), cmocka_unit_test(test_issue_refused),
                cmocka_unit_test(test_dates),        cmocka_unit_test(test_serials),
                cmocka_unit_test(test_der),          cmocka_unit_test(test_pem),
                cmocka_unit_test(test_bundle),       cmocka_unit_test(test_odd),
                cmocka_unit_test(test_rsa),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
