/* What the tests of the cluster's PKI share: an authority, nodes, forgeries, and openssl(1) as a
 * second opinion. */
#pragma once

#include <openssl/pem.h>
#include <openssl/ui.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "addr.h"

#include "base/fd.h"
#include "sys/mac.h"
#include "sys/pki-ca.h"
#include "sys/pki-private.h"

#define DAY (24 * 60 * USEC_PER_MIN)
/* 2027-01-15 08:00:00 UTC; nobody looks at a clock. */
#define NOW (1800000000 * USEC_PER_SEC)

/* A result, and that nothing stays behind for the next one who asks OpenSSL what went wrong. */
#define ASSERT_R(call, r)                                                                          \
        do {                                                                                       \
                assert_int_equal((call), (r));                                                     \
                assert_int_equal(ERR_peek_error(), 0);                                             \
        } while (false)

/* Counts what OpenSSL would ask somebody at the terminal, where nobody sits. */
static int n_questions;

_unused_ static int on_question(UI *ui)
{
        n_questions++;
        return 0;
}

_unused_ static void forbid_questions(void)
{
        static UI_METHOD *method;

        if (!method)
                method = UI_create_method("nobody");
        assert_non_null(method);
        assert_int_equal(UI_method_set_opener(method, on_question), 0);
        UI_set_default_method(method);
        n_questions = 0;
}

typedef struct Authority {
        PkiKey *key;
        PkiCert *cert;
} Authority;

_unused_ static Authority authority_new(const char *cluster)
{
        Authority a = {0};

        ASSERT_R(pki_key_new(&a.key), 0);
        ASSERT_R(pki_ca_new(a.key, cluster, NOW - 10 * DAY, NOW + 100 * DAY, &a.cert), 0);
        return a;
}

_unused_ static void authority_done(Authority *a)
{
        a->key = pki_key_free(a->key);
        a->cert = pki_cert_free(a->cert);
}

_unused_ static PkiNames names_new(PkiRole role, const char *node)
{
        PkiNames n = {.role = role, .name = "compute04.lab.example", .cluster = "lab"};

        str_copy(n.node, sizeof(n.node), node);
        n.addrs[n.n_addrs++] = A("10.77.1.4");
        n.addrs[n.n_addrs++] = A("fd77:2::4");
        return n;
}

/* A worker's certificate for ten days; its key, when ret_key is not NULL, is the caller's. */
_unused_ static PkiCert *node_new(const Authority *a, const char *node, PkiKey **ret_key)
{
        _cleanup_(pki_key_freep) PkiKey *key = NULL;
        PkiNames names = names_new(PKI_WORKER, node), of_ca;
        PkiCert *c = NULL;

        ASSERT_R(pki_cert_names(a->cert, &of_ca), 0);
        str_copy(names.cluster, sizeof(names.cluster), of_ca.cluster);
        ASSERT_R(pki_key_new(&key), 0);
        ASSERT_R(pki_issue_key(a->key, a->cert, key, &names, NOW - DAY, NOW + 9 * DAY, &c), 0);
        if (ret_key)
                *ret_key = TAKE_PTR(key);
        return c;
}

/* --- forgeries -----------------------------------------------------------------------------------
 */

/* from, changed and signed again. */
_unused_ static PkiCert *forge(const PkiCert *from, const PkiKey *signer,
                               void (*change)(X509 *x, const void *arg), const void *arg)
{
        _cleanup_(X509_freep) X509 *x = X509_dup(from->x);
        unsigned char *der = NULL;
        PkiCert *c = NULL;

        assert_non_null(x);
        if (change)
                change(x, arg);
        assert_true(X509_sign(x, signer->key, EVP_sha256()) > 0);
        int n = i2d_X509(x, &der);
        assert_true(n > 0);
        ASSERT_R(pki_cert_from_der(der, (size_t)n, &c), 0);
        OPENSSL_free(der);
        return c;
}

/* Instead of the extension of this kind, if there is one; value NULL: none. */
_unused_ static void replace_extension(X509 *x, int nid, const char *value)
{
        int i = X509_get_ext_by_NID(x, nid, -1);

        if (i >= 0)
                X509_EXTENSION_free(X509_delete_ext(x, i));
        if (!value)
                return;
        X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
        assert_non_null(e);
        assert_int_equal(X509_add_ext(x, e, -1), 1);
        X509_EXTENSION_free(e);
}

_unused_ static void change_alt_name(X509 *x, const void *value)
{
        replace_extension(x, NID_subject_alt_name, value);
}

/* As if `issuer` had issued it, by name and by key identifier. */
_unused_ static void change_issuer(X509 *x, const void *issuer)
{
        const PkiCert *c = issuer;
        AUTHORITY_KEYID *id = AUTHORITY_KEYID_new();

        assert_int_equal(X509_set_issuer_name(x, X509_get_subject_name(c->x)), 1);
        assert_non_null(id);
        id->keyid = ASN1_OCTET_STRING_dup(X509_get0_subject_key_id(c->x));
        assert_int_equal(
                X509_add1_ext_i2d(x, NID_authority_key_identifier, id, 0, X509V3_ADD_REPLACE), 1);
        AUTHORITY_KEYID_free(id);
}

/* --- openssl(1) ----------------------------------------------------------------------------------
 */

static char dir[] = "/tmp/test-pki-XXXXXX";

_unused_ static int make_dir(void **state)
{
        assert_non_null(mkdtemp(dir));
        return 0;
}

_unused_ static int remove_dir(void **state)
{
        static const char *const names[] = {"key", "request", "ca", "cert"};

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                _cleanup_free_ char *path = path_join(dir, names[i]);
                (void)unlink(path);
        }
        return rmdir(dir);
}

_unused_ static void need_openssl(void)
{
        if (system("openssl version >/dev/null 2>&1") != 0) {
                print_message("skipped: there is no openssl command\n");
                skip();
        }
}

_unused_ static void put(const char *name, const Buf *b)
{
        _cleanup_free_ char *path = path_join(dir, name);

        assert_int_equal(write_file_atomic(path, buf_data(b), buf_size(b), 0600, (gid_t)-1), 0);
}

_unused_ static void put_cert(const char *name, const PkiCert *c)
{
        _cleanup_buf_ Buf b = {0};

        ASSERT_R(pki_cert_to_pem(c, &b), 0);
        put(name, &b);
}

/* What a shell command in our folder says, which must succeed; the caller frees. */
_unused_ static char *said(const char *command)
{
        _cleanup_free_ char *whole = str_printf("cd %s && { %s; } 2>&1", dir, command);
        char *text = calloc(1, 16384);

        assert_non_null(text);
        FILE *f = popen(whole, "r");
        assert_non_null(f);
        size_t n = fread(text, 1, 16383, f);
        int status = pclose(f);
        if (status != 0)
                fail_msg("%s: %d, %.*s", command, status, (int)n, text);
        return text;
}

_unused_ static void assert_said(const char *command, const char *words)
{
        _cleanup_free_ char *text = said(command);

        if (!strstr(text, words))
                fail_msg("%s: no \"%s\" in: %s", command, words, text);
}

_unused_ static void assert_pin_said(const char *command, const uint8_t pin[static PKI_PIN_SIZE])
{
        char hex[2 * PKI_PIN_SIZE + 1];

        for (size_t i = 0; i < PKI_PIN_SIZE; i++)
                (void)snprintf(hex + 2 * i, 3, "%02x", pin[i]);
        assert_said(command, hex);
}
