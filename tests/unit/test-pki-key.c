/* Keys and requests of the cluster's PKI. */
#include "test.h"

#include <openssl/core_names.h>
#include <openssl/param_build.h>

#include "pki.h"

/* --- keys ----------------------------------------------------------------------------------------
 */

static void test_key_round_trip(void **state)
{
        _cleanup_(pki_key_freep) PkiKey *a = NULL, *b = NULL, *other = NULL;
        uint8_t pin_a[PKI_PIN_SIZE], pin_b[PKI_PIN_SIZE];
        _cleanup_buf_ Buf pem = {0}, again = {0};

        ASSERT_R(pki_key_new(&a), 0);
        ASSERT_R(pki_key_to_pem(a, &pem), 0);
        assert_memory_equal(buf_data(&pem), "-----BEGIN PRIVATE KEY-----\n", 28);
        ASSERT_R(pki_key_from_pem(buf_data(&pem), buf_size(&pem), &b), 0);
        ASSERT_R(pki_key_to_pem(b, &again), 0);
        assert_int_equal(buf_size(&pem), buf_size(&again));
        assert_memory_equal(buf_data(&pem), buf_data(&again), buf_size(&pem));
        pki_key_pin(a, pin_a);
        pki_key_pin(b, pin_b);
        assert_memory_equal(pin_a, pin_b, PKI_PIN_SIZE);

        ASSERT_R(pki_key_new(&other), 0);
        pki_key_pin(other, pin_b);
        assert_memory_not_equal(pin_a, pin_b, PKI_PIN_SIZE);
        mac_forget(pem.data, pem.cap);
        assert_null(pki_key_free(NULL));

        Buf small = {.limit = 100};
        ASSERT_R(pki_key_to_pem(a, &small), -EMSGSIZE);
        assert_int_equal(buf_size(&small), 0);
        buf_done(&small);
}

/* How a key is written to PEM. */
typedef int (*write_cb)(BIO *b, EVP_PKEY *key);

static int write_pkcs8(BIO *b, EVP_PKEY *key)
{
        return PEM_write_bio_PKCS8PrivateKey(b, key, NULL, NULL, 0, NULL, NULL);
}

static int write_sec1(BIO *b, EVP_PKEY *key)
{
        return PEM_write_bio_PrivateKey_traditional(b, key, NULL, NULL, 0, NULL, NULL);
}

static int write_locked(BIO *b, EVP_PKEY *key)
{
        return PEM_write_bio_PKCS8PrivateKey(b, key, EVP_aes_128_cbc(), "pass", 4, NULL, NULL);
}

static int write_locked_sec1(BIO *b, EVP_PKEY *key)
{
        return PEM_write_bio_PrivateKey_traditional(b, key, EVP_aes_128_cbc(),
                                                    (const unsigned char *)"pass", 4, NULL, NULL);
}

static int write_public(BIO *b, EVP_PKEY *key)
{
        return PEM_write_bio_PUBKEY(b, key);
}

static int write_noise(BIO *b, EVP_PKEY *key)
{
        return BIO_puts(b, "Bag Attributes\n    friendlyName: node\n") > 0 && write_pkcs8(b, key);
}

static int read_written(EVP_PKEY *key, write_cb write)
{
        _cleanup_(pki_key_freep) PkiKey *k = NULL;
        BIO *b = BIO_new(BIO_s_mem());
        char *text;

        assert_non_null(key);
        assert_int_equal(write(b, key), 1);
        long n = BIO_get_mem_data(b, &text);
        ERR_clear_error();
        int r = pki_key_from_pem(text, (size_t)n, &k);
        assert_int_equal(ERR_peek_error(), 0);
        assert_int_equal(k != NULL, r == 0);
        BIO_free(b);
        return r;
}

static void test_key_forms(void **state)
{
        _cleanup_(EVP_PKEY_freep) EVP_PKEY *key = EVP_EC_gen("P-256");

        assert_int_equal(read_written(key, write_pkcs8), 0);
        assert_int_equal(read_written(key, write_sec1), 0);
        assert_int_equal(read_written(key, write_noise), 0);
        forbid_questions();
        assert_int_equal(read_written(key, write_locked), -EBADMSG);
        assert_int_equal(read_written(key, write_locked_sec1), -EBADMSG);
        assert_int_equal(n_questions, 0);
        assert_int_equal(read_written(key, write_public), -EBADMSG);
}

static EVP_PKEY *odd_p256(const char *param, const char *value)
{
        EVP_PKEY *key = EVP_EC_gen("P-256");

        assert_int_equal(EVP_PKEY_set_utf8_string_param(key, param, value), 1);
        return key;
}

/* Keys that are not ours to use; the caller frees them. */
static size_t other_keys(EVP_PKEY *ret[static 8])
{
        size_t n = 0;

        ret[n++] = EVP_RSA_gen(2048);
        ret[n++] = EVP_EC_gen("P-384");
        ret[n++] = EVP_EC_gen("P-224");
        ret[n++] = EVP_EC_gen("secp256k1");
        ret[n++] = EVP_EC_gen("brainpoolP256r1");
        ret[n++] = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
        ret[n++] = odd_p256(OSSL_PKEY_PARAM_EC_ENCODING, OSSL_PKEY_EC_ENCODING_EXPLICIT);
        ret[n++] = odd_p256(OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
                            OSSL_PKEY_EC_POINT_CONVERSION_FORMAT_COMPRESSED);
        return n;
}

static void test_key_other_kinds(void **state)
{
        EVP_PKEY *keys[8];

        for (size_t i = 0, n = other_keys(keys); i < n; i++) {
                int r = read_written(keys[i], write_pkcs8);
                if (r != -EKEYREJECTED)
                        fail_msg("key %zu: %d", i, r);
                EVP_PKEY_free(keys[i]);
        }
}

/* The private half of one, the public half of another. */
static void test_key_halves(void **state)
{
        _cleanup_(EVP_PKEY_freep) EVP_PKEY *a = EVP_EC_gen("P-256"), *b = EVP_EC_gen("P-256");
        _cleanup_(EVP_PKEY_freep) EVP_PKEY *mixed = NULL;
        OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
        BIGNUM *secret = NULL;
        uint8_t point[65];
        size_t n;

        assert_int_equal(EVP_PKEY_get_bn_param(a, OSSL_PKEY_PARAM_PRIV_KEY, &secret), 1);
        assert_int_equal(EVP_PKEY_get_octet_string_param(b, OSSL_PKEY_PARAM_PUB_KEY, point,
                                                         sizeof(point), &n),
                         1);
        OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0);
        OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, n);
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_PRIV_KEY, secret);
        OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
        EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
        assert_int_equal(EVP_PKEY_fromdata_init(ctx), 1);
        assert_int_equal(EVP_PKEY_fromdata(ctx, &mixed, EVP_PKEY_KEYPAIR, params), 1);
        assert_int_equal(read_written(mixed, write_pkcs8), -EBADMSG);
        EVP_PKEY_CTX_free(ctx);
        OSSL_PARAM_free(params);
        OSSL_PARAM_BLD_free(build);
        BN_clear_free(secret);
}

static void test_key_no_key(void **state)
{
        _cleanup_free_ char *long_text = malloc(PKI_PEM_MAX + 1);
        PkiKey *k = NULL;

        assert_non_null(long_text);
        memset(long_text, '\n', PKI_PEM_MAX + 1);
        ASSERT_R(pki_key_from_pem(long_text, PKI_PEM_MAX + 1, &k), -EMSGSIZE);
        ASSERT_R(pki_key_from_pem(long_text, PKI_PEM_MAX, &k), -EBADMSG);
        ASSERT_R(pki_key_from_pem(NULL, 0, &k), -EBADMSG);
        ASSERT_R(pki_key_from_pem("no key\n", 7, &k), -EBADMSG);
        static const char damaged[] =
                "-----BEGIN PRIVATE KEY-----\nMIGHAgEA\n-----END PRIVATE KEY-----\n";
        ASSERT_R(pki_key_from_pem(damaged, sizeof(damaged) - 1, &k), -EBADMSG);
        assert_null(k);
}

/* --- requests ------------------------------------------------------------------------------------
 */

static void test_request_round_trip(void **state)
{
        _cleanup_(pki_key_freep) PkiKey *key = NULL;
        _cleanup_(pki_request_freep) PkiRequest *q = NULL;
        uint8_t of_key[PKI_PIN_SIZE], of_request[PKI_PIN_SIZE];
        _cleanup_buf_ Buf der = {0};

        ASSERT_R(pki_key_new(&key), 0);
        ASSERT_R(pki_request_new(key, "compute04", &der), 0);
        ASSERT_R(pki_request_read(buf_data(&der), buf_size(&der), &q), 0);
        pki_key_pin(key, of_key);
        pki_request_pin(q, of_request);
        assert_memory_equal(of_key, of_request, PKI_PIN_SIZE);
        assert_null(pki_request_free(NULL));
}

static void test_request_names(void **state)
{
        static const char *const bad[] = {"",    "a b",    "a\n", "compute\xc3\xa9",
                                          "a/b", "a,CN=b", "*"};
        _cleanup_(pki_key_freep) PkiKey *key = NULL;
        _cleanup_buf_ Buf der = {0};
        char name[300];

        ASSERT_R(pki_key_new(&key), 0);
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                ASSERT_R(pki_request_new(key, bad[i], &der), -EINVAL);
        assert_int_equal(buf_size(&der), 0);
        memset(name, 'n', sizeof(name));
        name[sizeof(name) - 1] = 0;
        ASSERT_R(pki_request_new(key, name, &der), 0);
        assert_true(buf_size(&der) < 300);
}

/* A request made by hand: of key, signed with another when there is one, with an attribute of n
 * bytes when n > 0. */
static void make_request(EVP_PKEY *key, EVP_PKEY *signer, const EVP_MD *md, size_t n, Buf *ret)
{
        X509_REQ *q = X509_REQ_new();
        unsigned char *der = NULL;

        assert_non_null(key);
        assert_int_equal(X509_REQ_set_pubkey(q, key), 1);
        if (n > 0) {
                _cleanup_free_ unsigned char *text = malloc(n);
                assert_non_null(text);
                memset(text, 'a', n);
                assert_int_equal(X509_REQ_add1_attr_by_NID(q, NID_pkcs9_challengePassword,
                                                           V_ASN1_UTF8STRING, text, (int)n),
                                 1);
        }
        assert_true(X509_REQ_sign(q, signer ? signer : key, md) > 0);
        int size = i2d_X509_REQ(q, &der);
        buf_consume(ret, buf_size(ret));
        assert_int_equal(buf_append(ret, der, (size_t)size), 0);
        OPENSSL_free(der);
        X509_REQ_free(q);
        ERR_clear_error();
}

static int read_made(const Buf *der)
{
        _cleanup_(pki_request_freep) PkiRequest *q = NULL;

        ERR_clear_error();
        int r = pki_request_read(buf_data(der), buf_size(der), &q);
        assert_int_equal(ERR_peek_error(), 0);
        assert_int_equal(q != NULL, r == 0);
        return r;
}

static void test_request_other_kinds(void **state)
{
        _cleanup_(EVP_PKEY_freep) EVP_PKEY *a = EVP_EC_gen("P-256"), *b = EVP_EC_gen("P-256");
        _cleanup_buf_ Buf der = {0};
        EVP_PKEY *keys[8];

        make_request(a, NULL, EVP_sha256(), 0, &der);
        assert_int_equal(read_made(&der), 0);
        make_request(a, NULL, EVP_sha384(), 0, &der);
        assert_int_equal(read_made(&der), -EKEYREJECTED);
        make_request(a, NULL, EVP_sha1(), 0, &der);
        assert_int_equal(read_made(&der), -EKEYREJECTED);
        make_request(a, b, EVP_sha256(), 0, &der);
        assert_int_equal(read_made(&der), -EKEYREJECTED);
        for (size_t i = 0, n = other_keys(keys); i < n; i++) {
                bool plain = EVP_PKEY_get_base_id(keys[i]) == EVP_PKEY_ED25519;
                make_request(keys[i], NULL, plain ? NULL : EVP_sha256(), 0, &der);
                int r = read_made(&der);
                if (r != -EKEYREJECTED)
                        fail_msg("key %zu: %d", i, r);
                EVP_PKEY_free(keys[i]);
        }
}

/* To the byte. A signature has 70 to 72, so that some patience is needed. */
static void test_request_size(void **state)
{
        _cleanup_(EVP_PKEY_freep) EVP_PKEY *key = EVP_EC_gen("P-256");
        _cleanup_buf_ Buf der = {0};
        bool most = false, over = false;

        for (size_t n = PKI_REQUEST_MAX - 300; n < PKI_REQUEST_MAX && !(most && over); n++) {
                make_request(key, NULL, EVP_sha256(), n, &der);
                size_t size = buf_size(&der);
                assert_int_equal(read_made(&der), size > PKI_REQUEST_MAX ? -EMSGSIZE : 0);
                most = most || size == PKI_REQUEST_MAX;
                over = over || size == PKI_REQUEST_MAX + 1;
                if (size > PKI_REQUEST_MAX + 3)
                        n = PKI_REQUEST_MAX - 300;
        }
        assert_true(most && over);
}

static void test_request_cut(void **state)
{
        _cleanup_(pki_key_freep) PkiKey *key = NULL;
        _cleanup_buf_ Buf der = {0};
        PkiRequest *q = NULL;

        ASSERT_R(pki_key_new(&key), 0);
        ASSERT_R(pki_request_new(key, "compute04", &der), 0);
        for (size_t n = 0; n < buf_size(&der); n++) {
                /* a copy of its own, so that a read past the end is seen */
                uint8_t *part = malloc(n + 1);
                assert_non_null(part);
                memcpy(part + 1, buf_data(&der), n);
                ASSERT_R(pki_request_read(part + 1, n, &q), -EBADMSG);
                free(part);
        }
        ASSERT_R(pki_request_read(NULL, 0, &q), -EBADMSG);
        assert_int_equal(buf_append(&der, "", 1), 0);
        ASSERT_R(pki_request_read(buf_data(&der), buf_size(&der), &q), -EBADMSG);
        assert_null(q);
}

/* Every bit, and every byte whole. */
static void test_request_flipped(void **state)
{
        _cleanup_(pki_key_freep) PkiKey *key = NULL;
        uint8_t of_key[PKI_PIN_SIZE], of_request[PKI_PIN_SIZE];
        size_t n_good = 0, n = 0;
        _cleanup_buf_ Buf der = {0};

        ASSERT_R(pki_key_new(&key), 0);
        pki_key_pin(key, of_key);
        ASSERT_R(pki_request_new(key, "compute04", &der), 0);
        for (size_t i = 0; i < buf_size(&der); i++)
                for (unsigned bit = 0; bit <= 8; bit++, n++) {
                        _cleanup_(pki_request_freep) PkiRequest *q = NULL;
                        uint8_t mask = bit == 8 ? 0xff : (uint8_t)(1U << bit);
                        der.data[i] ^= mask;
                        int r = pki_request_read(buf_data(&der), buf_size(&der), &q);
                        assert_int_equal(ERR_peek_error(), 0);
                        assert_true(r == 0 || r == -EBADMSG || r == -EKEYREJECTED);
                        der.data[i] ^= mask;
                        if (r < 0)
                                continue;
                        pki_request_pin(q, of_request);
                        assert_memory_equal(of_key, of_request, PKI_PIN_SIZE);
                        n_good++;
                }
        assert_true(n_good * 100 < n);
}

/* --- a second opinion ----------------------------------------------------------------------------
 */

static void test_openssl(void **state)
{
        _cleanup_(pki_key_freep) PkiKey *key = NULL;
        _cleanup_buf_ Buf pem = {0}, der = {0};
        uint8_t pin[PKI_PIN_SIZE];

        need_openssl();
        ASSERT_R(pki_key_new(&key), 0);
        ASSERT_R(pki_key_to_pem(key, &pem), 0);
        ASSERT_R(pki_request_new(key, "compute04", &der), 0);
        put("key", &pem);
        put("request", &der);
        pki_key_pin(key, pin);
        assert_pin_said("openssl pkey -in key -pubout -outform DER | sha256sum", pin);
        assert_pin_said("openssl req -inform DER -in request -noout -pubkey |"
                        " openssl pkey -pubin -outform DER | sha256sum",
                        pin);
        assert_said("openssl req -inform DER -in request -noout -verify", "verify OK");
        assert_said("openssl req -inform DER -in request -noout -subject -nameopt RFC2253",
                    "CN=compute04");
        assert_said("openssl pkey -in key -noout -text", "prime256v1");
}

/* The reverse: what openssl makes is read here. */
static void test_openssl_made(void **state)
{
        _cleanup_(pki_request_freep) PkiRequest *q = NULL;
        _cleanup_(pki_key_freep) PkiKey *key = NULL;
        _cleanup_free_ char *path = path_join(dir, "key"), *path2 = path_join(dir, "request");
        _cleanup_free_ char *pem = NULL, *der = NULL;
        uint8_t of_key[PKI_PIN_SIZE], of_request[PKI_PIN_SIZE];
        size_t n, n2;

        need_openssl();
        free(said("openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out key"));
        free(said("openssl req -new -key key -sha256 -subj /O=somebody/CN=root -outform DER"
                  " -addext subjectAltName=URI:spiffe://lab/head/h1 -out request"));
        assert_int_equal(read_file(path, PKI_PEM_MAX, &pem, &n), 0);
        assert_int_equal(read_file(path2, PKI_REQUEST_MAX, &der, &n2), 0);
        ASSERT_R(pki_key_from_pem(pem, n, &key), 0);
        ASSERT_R(pki_request_read(der, n2, &q), 0);
        pki_key_pin(key, of_key);
        pki_request_pin(q, of_request);
        assert_memory_equal(of_key, of_request, PKI_PIN_SIZE);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_key_round_trip),  cmocka_unit_test(test_key_forms),
                cmocka_unit_test(test_key_other_kinds), cmocka_unit_test(test_key_halves),
                cmocka_unit_test(test_key_no_key),      cmocka_unit_test(test_request_round_trip),
                cmocka_unit_test(test_request_names),   cmocka_unit_test(test_request_other_kinds),
                cmocka_unit_test(test_request_size),    cmocka_unit_test(test_request_cut),
                cmocka_unit_test(test_request_flipped), cmocka_unit_test(test_openssl),
                cmocka_unit_test(test_openssl_made),
        };
        return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
