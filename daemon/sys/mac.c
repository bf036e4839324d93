#include "sys/mac.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/alloc.h"

DEFINE_CLEANUP(EVP_MAC *, EVP_MAC_free);
DEFINE_CLEANUP(EVP_MAC_CTX *, EVP_MAC_CTX_free);

int mac_hmac_sha256(const void *key, size_t key_size, const struct iovec *parts, size_t n_parts,
                    uint8_t ret[static MAC_SIZE])
{
        _cleanup_(EVP_MAC_freep) EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
        if (!mac)
                return -EIO;
        _cleanup_(EVP_MAC_CTX_freep) EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(mac);
        if (!ctx)
                return -ENOMEM;
        char digest[] = "SHA256";
        const OSSL_PARAM params[] = {OSSL_PARAM_utf8_string("digest", digest, 0), OSSL_PARAM_END};
        size_t size;

        if (!EVP_MAC_init(ctx, key, key_size, params))
                return -EIO;
        for (size_t i = 0; i < n_parts; i++)
                if (!EVP_MAC_update(ctx, parts[i].iov_base, parts[i].iov_len))
                        return -EIO;
        if (!EVP_MAC_final(ctx, ret, &size, MAC_SIZE) || size != MAC_SIZE)
                return -EIO;
        return 0;
}

bool mac_equal(const void *a, const void *b, size_t n)
{
        return CRYPTO_memcmp(a, b, n) == 0;
}

void mac_forget(void *p, size_t n)
{
        OPENSSL_cleanse(p, n);
}

void mac_forget_text(char **text)
{
        if (*text)
                mac_forget(*text, strlen(*text));
        free(TAKE_PTR(*text));
}

void mac_forget_buf(Buf *b)
{
        if (b->data)
                mac_forget(b->data, b->cap);
        buf_done(b);
}

int random_bytes(void *ret, size_t n)
{
        uint8_t *p = ret;

        while (n > 0) {
                ssize_t k = getrandom(p, n, 0);
                if (k < 0 && errno == EINTR)
                        continue;
                if (k < 0)
                        return -errno;
                p += k;
                n -= (size_t)k;
        }
        return 0;
}
