#include "sys/pki-request.h"

#include "base/alloc.h"
#include "sys/pki-private.h"

DEFINE_CLEANUP(X509_REQ *, X509_REQ_free);

int pki_request_new(const PkiKey *key, const char *name, Buf *ret_der)
{
        _cleanup_errors_;
        _cleanup_(X509_REQ_freep) X509_REQ *q = NULL;
        unsigned char *der = NULL;

        if (!pki_host_name_is_valid(name))
                return -EINVAL;
        q = X509_REQ_new();
        if (!q)
                return -ENOMEM;
        int r = pki_set_common_name(X509_REQ_get_subject_name(q), name);
        if (r < 0)
                return r;
        if (X509_REQ_set_version(q, X509_REQ_VERSION_1) != 1 ||
            X509_REQ_set_pubkey(q, key->key) != 1 || X509_REQ_sign(q, key->key, EVP_sha256()) <= 0)
                return pki_error(-EIO);
        int n = i2d_X509_REQ(q, &der);
        return pki_append_der(ret_der, der, n);
}

/* ecdsa-with-SHA256 has no parameters, not even NULL (RFC 5758 3.2). */
static bool is_signed_our_way(const X509_REQ *q)
{
        const X509_ALGOR *algorithm;
        const ASN1_OBJECT *type;
        int value_type;

        X509_REQ_get0_signature(q, NULL, &algorithm);
        X509_ALGOR_get0(&type, &value_type, NULL, algorithm);
        return OBJ_obj2nid(type) == NID_ecdsa_with_SHA256 && value_type == V_ASN1_UNDEF;
}

static int read_request(X509_REQ *q, PkiRequest *ret)
{
        ret->key = X509_REQ_get_pubkey(q);
        if (!ret->key)
                return pki_error(-EKEYREJECTED);
        int r = pki_key_read_pin(ret->key, ret->pin);
        if (r < 0)
                return r;
        if (!is_signed_our_way(q))
                return -EKEYREJECTED;
        return X509_REQ_verify(q, ret->key) == 1 ? 0 : pki_error(-EKEYREJECTED);
}

int pki_request_read(const void *der, size_t n, PkiRequest **ret)
{
        _cleanup_errors_;
        _cleanup_(pki_request_freep) PkiRequest *new = NULL;
        _cleanup_(X509_REQ_freep) X509_REQ *q = NULL;
        const unsigned char *p = der;

        if (n > PKI_REQUEST_MAX)
                return -EMSGSIZE;
        q = d2i_X509_REQ(NULL, &p, (long)n);
        if (!q)
                return pki_error(-EBADMSG);
        if (p != (const unsigned char *)der + n)
                return -EBADMSG;
        new = new0(PkiRequest, 1);
        if (!new)
                return -ENOMEM;
        int r = read_request(q, new);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(new);
        return 0;
}

PkiRequest *pki_request_free(PkiRequest *q)
{
        if (!q)
                return NULL;
        EVP_PKEY_free(q->key);
        free(q);
        return NULL;
}

void pki_request_pin(const PkiRequest *q, uint8_t ret[static PKI_PIN_SIZE])
{
        memcpy(ret, q->pin, PKI_PIN_SIZE);
}
