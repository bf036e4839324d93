/* What a head knows of its tokens and members, on disk. One file, one owner; every change is whole
 * or not there. Times are Unix time. Errors are those of sys/db.h. */
#pragma once

#include "base/time.h"
#include "sys/db.h"

#define STORE_ID_MAX      40 /* a token's or node's id and its end */
#define STORE_NAME_MAX    64 /* a host name, a pattern, a group, and the end */
#define STORE_PIN_SIZE    32 /* SHA-256 of a public key */
#define STORE_KEY_SIZE    32
#define STORE_TOKENS_MAX  256 /* that are good for something: a list that a person reads */
#define STORE_MEMBERS_MAX 10000
/* Keys that were approved or denied in a day: more than a room has machines, twice. */
#define STORE_VERDICTS_MAX 20000
#define STORE_AUTO_MAX     16 /* subnets that approve themselves: as tokens, for a person */

/* ":memory:" for tests. */
int store_open(const char *path, Db **ret);
/* Would store_open() take these bytes of a file? -EUCLEAN: written by a later version. */
int store_check(const void *data, size_t n);
