/* HMAC-SHA256, comparison in constant time, and random bytes: OpenSSL and the kernel. */
#pragma once

#include <sys/uio.h>

#include "base/buf.h"

#define MAC_SIZE 32

/* Over the parts one after another. -ENOMEM; -EIO: OpenSSL has no SHA256 here (a FIPS policy has).
 */
int mac_hmac_sha256(const void *key, size_t key_size, const struct iovec *parts, size_t n_parts,
                    uint8_t ret[static MAC_SIZE]);
/* Takes as long for equal as for different bytes. */
bool mac_equal(const void *a, const void *b, size_t n);
/* Overwrites what must not stay in memory; the compiler does not leave it out. */
void mac_forget(void *p, size_t n);
/* The same of a text, and free(); NULL stays NULL. */
void mac_forget_text(char **text);
#define _cleanup_forget_text_ _cleanup_(mac_forget_text)
/* The same, and buf_done(). */
void mac_forget_buf(Buf *b);
#define _cleanup_forget_buf_ _cleanup_(mac_forget_buf)

/* From the kernel; waits for nothing once the machine has booted. Negative errno. */
int random_bytes(void *ret, size_t n);
