/* The authority that a machine without a token saw first, in PATH.pending: an admin compares its
 * words, so no other may take its place while the machine waits. */
#pragma once

#include <errno.h>

#include "sys/pki-key.h"

/* -ENOENT: none was seen; -EBADMSG: damaged; those of reading. */
int first_sight_load(const char *path, uint8_t ret[static PKI_PIN_SIZE]);
int first_sight_save(const char *path, const uint8_t pin[static PKI_PIN_SIZE]);
void first_sight_forget(const char *path);
