/* The authority whose admin a machine waits for, seen first, in PATH.pending: he compares its
 * words, so no other may take its place while the machine waits. And where it was last. */
#pragma once

#include <errno.h>

#include "base/addr.h"
#include "sys/pki-key.h"

/* -ENOENT: none was seen; -EBADMSG: damaged; those of reading. *ret_head (may be NULL) is not set
 * when it is not known. */
int first_sight_load(const char *path, uint8_t ret[static PKI_PIN_SIZE], Addr *ret_head);
int first_sight_save(const char *path, const uint8_t pin[static PKI_PIN_SIZE], const Addr *head);
void first_sight_forget(const char *path);
