#include "sys/seal.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <string.h>

#include "sys/mac.h"
#include "sys/openssl-private.h"

#define KEY_SIZE 32

static const char magic[8] = "rcseal1\n";

DEFINE_CLEANUP(EVP_KDF *, EVP_KDF_free);
DEFINE_CLEANUP(EVP_KDF_CTX *, EVP_KDF_CTX_free);
DEFINE_CLEANUP(EVP_CIPHER *, EVP_CIPHER_free);
DEFINE_CLEANUP(EVP_CIPHER_CTX *, EVP_CIPHER_CTX_free);

typedef struct SealKey {
        uint8_t bytes[KEY_SIZE];
} SealKey;

static void seal_key_done(SealKey *k)
{
        mac_forget(k, sizeof(*k));
}

int seal_read_header(const void *data, size_t n, SealHeader *ret)
{
        const uint8_t *p = data;
        SealHeader h;

        if (n < sizeof(magic) || memcmp(p, magic, 6) != 0)
                return -EBADMSG;
        if (memcmp(p, magic, sizeof(magic)) != 0)
                return -EPROTONOSUPPORT;
        if (n < SEAL_OVERHEAD || n > SEAL_MAX + SEAL_OVERHEAD)
                return -EBADMSG;
        p += sizeof(magic);
        h.cost = p[0];
        h.passes = p[2];
        /* a forged header must not take all memory, or all day */
        if (h.cost < SEAL_COST_MIN || h.cost > SEAL_COST_MAX || p[1] != SEAL_BLOCK ||
            h.passes < 1 || h.passes > SEAL_PASSES_MAX)
                return -ERANGE;
        if (p[3] != 0)
                return -EBADMSG;
        p += 4;
        memcpy(h.salt, p, sizeof(h.salt));
        memcpy(h.nonce, p + sizeof(h.salt), sizeof(h.nonce));
        *ret = h;
        return 0;
}

static void write_header(const SealHeader *h, uint8_t *p)
{
        const uint8_t params[4] = {(uint8_t)h->cost, SEAL_BLOCK, (uint8_t)h->passes, 0};

        memcpy(p, magic, sizeof(magic));
        p += sizeof(magic);
        memcpy(p, params, sizeof(params));
        p += sizeof(params);
        memcpy(p, h->salt, sizeof(h->salt));
        memcpy(p + sizeof(h->salt), h->nonce, sizeof(h->nonce));
}

static int derive(const void *pass, size_t n_pass, const SealHeader *h, SealKey *ret)
{
        _cleanup_errors_;
        _cleanup_(EVP_KDF_freep) EVP_KDF *kdf = EVP_KDF_fetch(NULL, "SCRYPT", NULL);
        if (!kdf)
                return -EIO;
        _cleanup_(EVP_KDF_CTX_freep) EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
        if (!ctx)
                return -ENOMEM;
        uint64_t n = (uint64_t)1 << h->cost, room = (n + h->passes + 2) * SEAL_BLOCK * 128;
        uint32_t r = SEAL_BLOCK, p = h->passes;
        const OSSL_PARAM params[] = {
                OSSL_PARAM_octet_string(OSSL_KDF_PARAM_PASSWORD, (void *)pass, n_pass),
                OSSL_PARAM_octet_string(OSSL_KDF_PARAM_SALT, (void *)h->salt, sizeof(h->salt)),
                OSSL_PARAM_uint64(OSSL_KDF_PARAM_SCRYPT_N, &n),
                OSSL_PARAM_uint32(OSSL_KDF_PARAM_SCRYPT_R, &r),
                OSSL_PARAM_uint32(OSSL_KDF_PARAM_SCRYPT_P, &p),
                OSSL_PARAM_uint64(OSSL_KDF_PARAM_SCRYPT_MAXMEM, &room),
                OSSL_PARAM_END,
        };
        if (EVP_KDF_derive(ctx, ret->bytes, sizeof(ret->bytes), params) > 0)
                return 0;
        /* the memory is the only thing of it that a sane machine may not have */
        for (unsigned long e; (e = ERR_get_error());)
                if (ERR_GET_REASON(e) == ERR_R_MALLOC_FAILURE)
                        return -ENOMEM;
        return -EIO;
}

static int start(const SealKey *key, const SealHeader *h, const uint8_t *header, bool encrypt,
                 EVP_CIPHER_CTX **ret)
{
        _cleanup_(EVP_CIPHER_freep) EVP_CIPHER *cipher =
                EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
        if (!cipher)
                return -EIO;
        _cleanup_(EVP_CIPHER_CTX_freep) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
        if (!ctx)
                return -ENOMEM;
        static_assert(SEAL_NONCE_SIZE == 12, "GCM's own length, which needs not be set");
        int n;
        if (!EVP_CipherInit_ex2(ctx, cipher, key->bytes, h->nonce, encrypt, NULL) ||
            !EVP_CipherUpdate(ctx, NULL, &n, header, SEAL_HEADER_SIZE))
                return -EIO;
        *ret = TAKE_PTR(ctx);
        return 0;
}

int seal_close(const void *pass, size_t n_pass, unsigned cost, const void *data, size_t n, Buf *ret)
{
        _cleanup_errors_;
        _cleanup_(EVP_CIPHER_CTX_freep) EVP_CIPHER_CTX *ctx = NULL;
        _cleanup_(seal_key_done) SealKey key;
        SealHeader h = {.cost = cost, .passes = 1};
        uint8_t *p;
        int k, end;

        if (cost < SEAL_COST_MIN || cost > SEAL_COST_MAX || n > SEAL_MAX)
                return -EINVAL;
        int r = random_bytes(h.salt, sizeof(h.salt));
        if (r >= 0)
                r = random_bytes(h.nonce, sizeof(h.nonce));
        if (r >= 0)
                r = derive(pass, n_pass, &h, &key);
        if (r >= 0)
                r = buf_reserve(ret, n + SEAL_OVERHEAD, &p);
        if (r < 0)
                return r;
        write_header(&h, p);
        r = start(&key, &h, p, true, &ctx);
        if (r < 0)
                return r;
        if (!EVP_CipherUpdate(ctx, p + SEAL_HEADER_SIZE, &k, data, (int)n) ||
            !EVP_CipherFinal_ex(ctx, p + SEAL_HEADER_SIZE + k, &end) || k + end != (int)n ||
            !EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, SEAL_TAG_SIZE,
                                 p + SEAL_HEADER_SIZE + n))
                return -EIO;
        buf_commit(ret, n + SEAL_OVERHEAD);
        return 0;
}

int seal_open(const void *pass, size_t n_pass, const void *data, size_t n, Buf *ret)
{
        _cleanup_errors_;
        _cleanup_(EVP_CIPHER_CTX_freep) EVP_CIPHER_CTX *ctx = NULL;
        _cleanup_(seal_key_done) SealKey key;
        const uint8_t *in = data;
        SealHeader h;
        uint8_t *out;
        int k, end;

        int r = seal_read_header(data, n, &h);
        if (r < 0)
                return r;
        size_t size = n - SEAL_OVERHEAD;
        r = derive(pass, n_pass, &h, &key);
        if (r >= 0)
                r = buf_reserve(ret, size, &out);
        if (r >= 0)
                r = start(&key, &h, in, false, &ctx);
        if (r < 0)
                return r;
        if (!EVP_CipherUpdate(ctx, out, &k, in + SEAL_HEADER_SIZE, (int)size) ||
            !EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, SEAL_TAG_SIZE,
                                 (void *)(in + n - SEAL_TAG_SIZE)))
                r = -EIO;
        else if (EVP_CipherFinal_ex(ctx, out + k, &end) <= 0)
                r = -EKEYREJECTED;
        if (r < 0)
                mac_forget(out, size); /* it is there before it is known to be true */
        else
                buf_commit(ret, size);
        return r;
}
