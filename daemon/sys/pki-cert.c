#include "sys/pki-cert.h"

#include <openssl/pem.h>
#include <stdio.h>

#include "base/alloc.h"
#include "sys/pki-private.h"

#define SERIAL_OCTETS_MAX 20

DEFINE_CLEANUP(BIGNUM *, BN_free);

/* --- reading -------------------------------------------------------------------------------------
 */

static int read_time(const ASN1_TIME *t, usec_t *ret)
{
        struct tm tm;

        if (!t || ASN1_TIME_to_tm(t, &tm) != 1)
                return -EBADMSG;
        time_t s = timegm(&tm);
        *ret = s < 0 ? 0 : s >= PKI_SECOND_MAX ? USEC_INFINITY : (usec_t)s * USEC_PER_SEC;
        return 0;
}

static int read_serial(const ASN1_INTEGER *i, char ret[static PKI_SERIAL_MAX])
{
        _cleanup_(BN_freep) BIGNUM *bn = ASN1_INTEGER_to_BN(i, NULL);
        uint8_t octets[SERIAL_OCTETS_MAX];

        if (!bn)
                return pki_error(-EBADMSG);
        int n = BN_num_bytes(bn);
        if (n == 0 || n > SERIAL_OCTETS_MAX || BN_is_negative(bn))
                return -EBADMSG;
        (void)BN_bn2bin(bn, octets);
        for (int k = 0; k < n; k++)
                (void)snprintf(ret + (size_t)k * 2, 3, "%02x", octets[k]);
        return 0;
}

/* OpenSSL reads the extensions when it first needs them, and holds what memory was too short for
 * against the certificate for ever: better now. Damaged ones are pki_cert_verify()'s to judge. */
static int read_extensions(X509 *x)
{
        return X509_check_purpose(x, -1, 0) == 1 ? 0 : pki_error(0);
}

/* All that may fail is read here, once; x is taken. */
static int wrap(X509 **x, PkiCert **ret)
{
        _cleanup_(pki_cert_freep) PkiCert *c = new0(PkiCert, 1);
        if (!c)
                return -ENOMEM;
        int r = pki_pubkey_pin(X509_get_X509_PUBKEY(*x), c->pin);
        if (r >= 0)
                r = read_time(X509_get0_notBefore(*x), &c->not_before);
        if (r >= 0)
                r = read_time(X509_get0_notAfter(*x), &c->not_after);
        if (r >= 0)
                r = read_serial(X509_get0_serialNumber(*x), c->serial);
        if (r >= 0)
                r = read_extensions(*x);
        if (r < 0)
                return r;
        c->x = TAKE_PTR(*x);
        *ret = TAKE_PTR(c);
        return 0;
}

int pki_cert_from_der(const void *der, size_t n, PkiCert **ret)
{
        _cleanup_errors_;
        _cleanup_(X509_freep) X509 *x = NULL;
        const unsigned char *p = der;

        if (n > PKI_CERT_MAX)
                return -EMSGSIZE;
        x = d2i_X509(NULL, &p, (long)n);
        if (!x)
                return pki_error(-EBADMSG);
        if (p != (const unsigned char *)der + n)
                return -EBADMSG;
        return wrap(&x, ret);
}

int pki_cert_share(X509 *x, PkiCert **ret)
{
        _cleanup_errors_;
        int n = i2d_X509(x, NULL);

        if (n <= 0)
                return pki_error(-EIO);
        if ((size_t)n > PKI_CERT_MAX)
                return -EMSGSIZE;
        if (X509_up_ref(x) != 1)
                return -EIO;
        _cleanup_(X509_freep) X509 *shared = x;
        return wrap(&shared, ret);
}

/* The next certificate of the text, by way of its DER: one set of rules. -ENODATA: none is left. */
static int read_next(BIO *b, PkiCert **ret)
{
        unsigned char *der = NULL;
        long n = 0;

        if (PEM_bytes_read_bio(&der, &n, NULL, PEM_STRING_X509, b, pki_no_passphrase, NULL) != 1)
                return ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE
                               ? -ENODATA
                               : pki_error(-EBADMSG);
        int r = pki_cert_from_der(der, (size_t)n, ret);
        OPENSSL_free(der);
        return r;
}

int pki_cert_from_pem(const void *pem, size_t n, PkiCert **ret)
{
        _cleanup_errors_;
        _cleanup_(BIO_freep) BIO *b = NULL;

        int r = pki_open_pem(pem, n, &b);
        if (r >= 0)
                r = read_next(b, ret);
        return r == -ENODATA ? -EBADMSG : r;
}

int pki_bundle_from_pem(const void *pem, size_t n, PkiBundle *ret)
{
        _cleanup_errors_;
        _cleanup_(pki_bundle_done) PkiBundle all = {0};
        _cleanup_(BIO_freep) BIO *b = NULL;

        int r = pki_open_pem(pem, n, &b);
        if (r < 0)
                return r;
        for (;;) {
                _cleanup_(pki_cert_freep) PkiCert *c = NULL;
                r = read_next(b, &c);
                if (r < 0)
                        break;
                if (all.n == PKI_BUNDLE_MAX)
                        return -E2BIG;
                all.certs[all.n++] = TAKE_PTR(c);
        }
        if (r != -ENODATA)
                return r;
        if (all.n == 0)
                return -EBADMSG;
        *ret = all;
        all = (PkiBundle){0};
        return 0;
}

PkiCert *pki_cert_free(PkiCert *c)
{
        if (!c)
                return NULL;
        X509_free(c->x);
        free(c);
        return NULL;
}

void pki_bundle_done(PkiBundle *b)
{
        for (size_t i = 0; i < b->n; i++)
                pki_cert_free(b->certs[i]);
        *b = (PkiBundle){0};
}

/* --- showing -------------------------------------------------------------------------------------
 */

int pki_cert_to_der(const PkiCert *c, Buf *ret)
{
        _cleanup_errors_;
        unsigned char *der = NULL;

        int n = i2d_X509(c->x, &der);
        return pki_append_der(ret, der, n);
}

int pki_cert_to_pem(const PkiCert *c, Buf *ret)
{
        _cleanup_errors_;
        _cleanup_(BIO_freep) BIO *b = BIO_new(BIO_s_mem());
        char *text = NULL;

        if (!b)
                return -ENOMEM;
        if (PEM_write_bio_X509(b, c->x) != 1)
                return pki_error(-EIO);
        long n = BIO_get_mem_data(b, &text);
        return buf_append(ret, text, (size_t)n);
}

void pki_cert_pin(const PkiCert *c, uint8_t ret[static PKI_PIN_SIZE])
{
        memcpy(ret, c->pin, PKI_PIN_SIZE);
}

void pki_cert_dates(const PkiCert *c, usec_t *ret_not_before, usec_t *ret_not_after)
{
        *ret_not_before = c->not_before;
        *ret_not_after = c->not_after;
}

const char *pki_cert_serial(const PkiCert *c)
{
        return c->serial;
}

int pki_cert_names(const PkiCert *c, PkiNames *ret)
{
        _cleanup_errors_;

        return pki_names_decode(c->x, ret);
}

/* --- verifying -----------------------------------------------------------------------------------
 */

DEFINE_CLEANUP(X509_STORE *, X509_STORE_free);
DEFINE_CLEANUP(X509_STORE_CTX *, X509_STORE_CTX_free);

static const char *const pki_defect_table[_PKI_DEFECT_MAX] = {
        [PKI_DEFECT_NONE] = "none",
        [PKI_DEFECT_UNTRUSTED] = "untrusted",
        [PKI_DEFECT_NOT_YET_VALID] = "not-yet-valid",
        [PKI_DEFECT_EXPIRED] = "expired",
        [PKI_DEFECT_NOT_A_NODE] = "not-a-node",
        [PKI_DEFECT_BROKEN] = "broken",
};
DEFINE_STRTAB(pki_defect, PkiDefect);

bool pki_cert_is_signed_by(const PkiCert *c, const PkiCert *ca)
{
        _cleanup_errors_;
        EVP_PKEY *key = X509_get0_pubkey(ca->x);

        return key && X509_verify(c->x, key) == 1;
}

static bool is_node(X509 *x)
{
        const uint32_t both = XKU_SSL_CLIENT | XKU_SSL_SERVER;
        uint32_t flags = X509_get_extension_flags(x);

        return !(flags & EXFLAG_CA) && (flags & EXFLAG_XKUSAGE) &&
               (X509_get_extended_key_usage(x) & both) == both;
}

static PkiDefect defect_of(int error)
{
        switch (error) {
        case X509_V_OK:
                return PKI_DEFECT_NONE;
        case X509_V_ERR_CERT_NOT_YET_VALID:
                return PKI_DEFECT_NOT_YET_VALID;
        case X509_V_ERR_CERT_HAS_EXPIRED:
                return PKI_DEFECT_EXPIRED;
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
        case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        case X509_V_ERR_CERT_SIGNATURE_FAILURE:
        case X509_V_ERR_CERT_CHAIN_TOO_LONG:
        case X509_V_ERR_PATH_LENGTH_EXCEEDED:
        case X509_V_ERR_CERT_UNTRUSTED:
        case X509_V_ERR_CERT_REJECTED:
        case X509_V_ERR_INVALID_CA:
        case X509_V_ERR_INVALID_NON_CA:
        case X509_V_ERR_KEYUSAGE_NO_CERTSIGN:
                return PKI_DEFECT_UNTRUSTED;
        default:
                return PKI_DEFECT_BROKEN;
        }
}

static int new_store(PkiCert *const *cas, size_t n, usec_t now, X509_STORE **ret)
{
        _cleanup_(X509_STORE_freep) X509_STORE *store = X509_STORE_new();
        if (!store)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++)
                if (X509_STORE_add_cert(store, cas[i]->x) != 1)
                        return pki_error(-EIO);
        X509_VERIFY_PARAM *param = X509_STORE_get0_param(store);
        if (X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_X509_STRICT) != 1)
                return pki_error(-EIO);
        X509_VERIFY_PARAM_set_time(param, pki_second(now));
        *ret = TAKE_PTR(store);
        return 0;
}

static int judge(X509_STORE_CTX *v, X509 *leaf, PkiDefect *ret)
{
        bool good = X509_verify_cert(v) == 1;
        int error = X509_STORE_CTX_get_error(v);

        if (!good && (error == X509_V_ERR_OUT_OF_MEM || pki_error(0) < 0))
                return -ENOMEM;
        if (good != (error == X509_V_OK)) /* never the better one of two answers */
                *ret = PKI_DEFECT_BROKEN;
        else if (good && !is_node(leaf))
                *ret = PKI_DEFECT_NOT_A_NODE;
        else
                *ret = defect_of(error);
        return 0;
}

int pki_cert_verify(const PkiCert *leaf, PkiCert *const *cas, size_t n, usec_t now,
                    PkiDefect *ret_defect)
{
        _cleanup_errors_;
        _cleanup_(X509_STORE_freep) X509_STORE *store = NULL;
        _cleanup_(X509_STORE_CTX_freep) X509_STORE_CTX *v = NULL;

        /* OpenSSL finds no issuer for such a one, and would make a stranger's of it */
        if (X509_get_extension_flags(leaf->x) & EXFLAG_INVALID) {
                *ret_defect = PKI_DEFECT_BROKEN;
                return 0;
        }
        int r = new_store(cas, n, now, &store);
        if (r < 0)
                return r;
        v = X509_STORE_CTX_new();
        if (!v)
                return -ENOMEM;
        if (X509_STORE_CTX_init(v, store, leaf->x, NULL) != 1)
                return pki_error(-EIO);
        return judge(v, leaf->x, ret_defect);
}
