#include "sys/pki-key.h"

#include <openssl/pem.h>

#include "base/alloc.h"
#include "sys/pki-private.h"

DEFINE_CLEANUP(X509_PUBKEY *, X509_PUBKEY_free);
DEFINE_CLEANUP(EVP_PKEY_CTX *, EVP_PKEY_CTX_free);

int pki_error(int otherwise)
{
        unsigned long e;
        int r = otherwise;

        while ((e = ERR_get_error()) != 0)
                if (ERR_GET_REASON(e) == ERR_R_MALLOC_FAILURE)
                        r = -ENOMEM;
        return r;
}

/* The named curve and the point whole (RFC 5480 2.1.1, 2.2): explicit parameters and compressed
 * points would give one key several pins. */
static bool is_p256(const X509_PUBKEY *pub)
{
        const ASN1_OBJECT *type, *curve;
        const unsigned char *point;
        X509_ALGOR *algorithm;
        const void *value;
        int n, value_type;

        if (X509_PUBKEY_get0_param(NULL, &point, &n, &algorithm, pub) != 1)
                return false;
        X509_ALGOR_get0(&type, &value_type, &value, algorithm);
        if (OBJ_obj2nid(type) != NID_X9_62_id_ecPublicKey || value_type != V_ASN1_OBJECT)
                return false;
        curve = value;
        return OBJ_obj2nid(curve) == NID_X9_62_prime256v1 && n == 65 &&
               point[0] == POINT_CONVERSION_UNCOMPRESSED;
}

int pki_append_der(Buf *ret, unsigned char *der, int n)
{
        int r = n > 0 ? buf_append(ret, der, (size_t)n) : pki_error(-EIO);

        OPENSSL_free(der);
        return r;
}

int pki_pubkey_pin(const X509_PUBKEY *pub, uint8_t ret[static PKI_PIN_SIZE])
{
        unsigned char *der = NULL;

        int n = i2d_X509_PUBKEY(pub, &der);
        bool good = n > 0 && EVP_Digest(der, (size_t)n, ret, NULL, EVP_sha256(), NULL) == 1;
        OPENSSL_free(der);
        return good ? 0 : pki_error(-EIO);
}

int pki_key_read_pin(EVP_PKEY *key, uint8_t ret[static PKI_PIN_SIZE])
{
        _cleanup_(X509_PUBKEY_freep) X509_PUBKEY *pub = NULL;

        if (X509_PUBKEY_set(&pub, key) != 1)
                return pki_error(-EKEYREJECTED); /* a kind that goes into no certificate */
        if (!is_p256(pub))
                return -EKEYREJECTED;
        return pki_pubkey_pin(pub, ret);
}

/* key is taken. */
static int wrap(EVP_PKEY **key, PkiKey **ret)
{
        _cleanup_(pki_key_freep) PkiKey *k = new0(PkiKey, 1);
        if (!k)
                return -ENOMEM;
        int r = pki_key_read_pin(*key, k->pin);
        if (r < 0)
                return r;
        k->key = TAKE_PTR(*key);
        *ret = TAKE_PTR(k);
        return 0;
}

int pki_key_new(PkiKey **ret)
{
        _cleanup_errors_;
        _cleanup_(EVP_PKEY_freep) EVP_PKEY *key = EVP_EC_gen("P-256");

        return key ? wrap(&key, ret) : pki_error(-EIO);
}

int pki_no_passphrase(char *buf, int size, int rwflag, void *userdata)
{
        return -1;
}

int pki_open_pem(const void *pem, size_t n, BIO **ret)
{
        if (n > PKI_PEM_MAX)
                return -EMSGSIZE;
        if (n == 0)
                return -EBADMSG;
        BIO *b = BIO_new_mem_buf(pem, (int)n);
        if (!b)
                return -ENOMEM;
        *ret = b;
        return 0;
}

/* Decoding does not look whether the two halves belong together, and a key that signs what nobody
 * can verify is found out far too late. */
static int check_halves(EVP_PKEY *key)
{
        _cleanup_(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *ctx =
                EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);

        if (!ctx)
                return pki_error(-EIO);
        return EVP_PKEY_pairwise_check(ctx) == 1 ? 0 : pki_error(-EBADMSG);
}

int pki_key_from_pem(const void *pem, size_t n, PkiKey **ret)
{
        _cleanup_errors_;
        _cleanup_(pki_key_freep) PkiKey *k = NULL;
        _cleanup_(EVP_PKEY_freep) EVP_PKEY *key = NULL;
        _cleanup_(BIO_freep) BIO *b = NULL;

        int r = pki_open_pem(pem, n, &b);
        if (r < 0)
                return r;
        key = PEM_read_bio_PrivateKey(b, NULL, pki_no_passphrase, NULL);
        if (!key)
                return pki_error(-EBADMSG);
        r = wrap(&key, &k);
        if (r >= 0)
                r = check_halves(k->key);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(k);
        return 0;
}

PkiKey *pki_key_free(PkiKey *k)
{
        if (!k)
                return NULL;
        EVP_PKEY_free(k->key); /* overwrites the private half */
        free(k);
        return NULL;
}

/* A memory BIO overwrites what it lets go of. */
int pki_key_to_pem(const PkiKey *k, Buf *ret)
{
        _cleanup_errors_;
        _cleanup_(BIO_freep) BIO *b = BIO_new(BIO_s_mem());
        char *text = NULL;

        if (!b)
                return -ENOMEM;
        if (PEM_write_bio_PKCS8PrivateKey(b, k->key, NULL, NULL, 0, NULL, NULL) != 1)
                return pki_error(-EIO);
        long n = BIO_get_mem_data(b, &text);
        return buf_append(ret, text, (size_t)n);
}

void pki_key_pin(const PkiKey *k, uint8_t ret[static PKI_PIN_SIZE])
{
        memcpy(ret, k->pin, PKI_PIN_SIZE);
}
