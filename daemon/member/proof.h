/* How a machine shows that it has a token, without showing it: an HMAC with a key made of the
 * token's secret, over what only this connection has (sys/tls-link's export), the token's id and
 * the CSR. On another connection, and for another key, it is worth nothing.
 *
 * The head keeps the key, not the secret: what lies on its disk cannot be typed as a token. The
 * secret has 160 random bits, so that the key needs no stretching. */
#pragma once

#include "sys/mac.h"

#define PROOF_KEY_SIZE     MAC_SIZE
#define PROOF_BINDING_SIZE 32

/* The key of a secret. -ENOMEM, -EIO. */
int proof_key(const void *secret, size_t size, uint8_t ret[static PROOF_KEY_SIZE]);
/* binding: of the connection. -ENOMEM, -EIO. */
int proof_make(const uint8_t key[static PROOF_KEY_SIZE],
               const uint8_t binding[static PROOF_BINDING_SIZE], const char *id, const void *csr,
               size_t size, uint8_t ret[static MAC_SIZE]);
