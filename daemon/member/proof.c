#include "member/proof.h"

#include <string.h>

static const char key_label[] = "raycluster join token 1";
static const char proof_label[] = "raycluster enrol 1";

static struct iovec part(const void *data, size_t size)
{
        return (struct iovec){.iov_base = (void *)data, .iov_len = size};
}

int proof_key(const void *secret, size_t size, uint8_t ret[static PROOF_KEY_SIZE])
{
        const struct iovec parts[] = {part(key_label, sizeof(key_label))};
        return mac_hmac_sha256(secret, size, parts, ELEMENTSOF(parts), ret);
}

/* Labels and ids go with their NUL and the CSR is last, so that no two inputs run together to the
 * same bytes. */
int proof_make(const uint8_t key[static PROOF_KEY_SIZE],
               const uint8_t binding[static PROOF_BINDING_SIZE], const char *id, const void *csr,
               size_t size, uint8_t ret[static MAC_SIZE])
{
        const struct iovec parts[] = {
                part(proof_label, sizeof(proof_label)),
                part(binding, PROOF_BINDING_SIZE),
                part(id, strlen(id) + 1),
                part(csr, size),
        };
        return mac_hmac_sha256(key, PROOF_KEY_SIZE, parts, ELEMENTSOF(parts), ret);
}
