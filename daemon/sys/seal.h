/* A byte string under a passphrase: scrypt (RFC 7914) makes a key of it, AES-256-GCM hides and
 * seals. Whoever changes any byte, or does not know the passphrase, gets nothing.
 *
 *   "rcseal1\n"   log2(N)  r  p  0   salt[16]   nonce[12]   ciphertext …   tag[16]
 *   └──────────────── header, authenticated with the rest ─────────┘
 *
 * No fd, no clock. Passphrases and what is unsealed are the caller's to forget (mac_forget). */
#pragma once

#include "base/buf.h"

#define SEAL_SALT_SIZE   16
#define SEAL_NONCE_SIZE  12
#define SEAL_TAG_SIZE    16
#define SEAL_HEADER_SIZE (8 + 4 + SEAL_SALT_SIZE + SEAL_NONCE_SIZE)
#define SEAL_OVERHEAD    (SEAL_HEADER_SIZE + SEAL_TAG_SIZE)
/* Of what is sealed. */
#define SEAL_MAX ((size_t)64 << 20)

/* 128 MiB and some tenths of a second for each guess: a passphrase that a person can remember is
 * worth that. */
#define SEAL_COST 17
/* What a file may ask for: N * r * 128 bytes are taken, at most 256 MiB. */
#define SEAL_COST_MIN   10
#define SEAL_COST_MAX   18
#define SEAL_BLOCK      8
#define SEAL_PASSES_MAX 4

typedef struct SealHeader {
        unsigned cost;   /* log2(N) */
        unsigned passes; /* p; r is SEAL_BLOCK */
        uint8_t salt[SEAL_SALT_SIZE], nonce[SEAL_NONCE_SIZE];
} SealHeader;

/* -EBADMSG: nothing that was sealed here, or cut. -EPROTONOSUPPORT: of another version. -ERANGE: a
 * cost that is not paid. */
int seal_read_header(const void *data, size_t n, SealHeader *ret);

/* Appends. cost: SEAL_COST; tests take less. -EINVAL: a cost or length out of bounds; -EMSGSIZE,
 * -ENOMEM; -EIO: OpenSSL has no scrypt or AES-GCM here (a FIPS policy has no scrypt), or no random
 * numbers. */
int seal_close(const void *pass, size_t n_pass, unsigned cost, const void *data, size_t n,
               Buf *ret);
/* Appends; *ret is as before when it fails. -EKEYREJECTED: another passphrase, or a byte was
 * changed: nobody can tell which. As seal_read_header(), -ENOMEM, -EIO. */
int seal_open(const void *pass, size_t n_pass, const void *data, size_t n, Buf *ret);
