/* The one line with which a machine is enrolled, "rc1-PIN-ID-SECRET": by the pin it knows the head
 * that it sends the secret to, and by the secret the head knows that the machine was invited. Pure:
 * no fd, no clock, no randomness, no hash but a checksum.
 *
 *   rc1     this form of the text
 *   PIN     SHA-256 of the SubjectPublicKeyInfo of the cluster's CA, all of it, since a shortened
 *           pin is a shortened key; two, joined by a dot, while the CA is replaced
 *   ID      what the token is called in lists and logs; not secret
 *   SECRET  the secret, and a CRC-32 of everything in front of it, which tells a line that was
 *           mistyped or cut from one that is refused
 *
 * in base 32 (base/base32.h): no character of it needs quotes in a shell, and a double click marks
 * one part. There is one text, but for case, for each token. */
#pragma once

#include <errno.h>

#include "base/macro.h"

#define JOIN_PINS_MAX    2
#define JOIN_PIN_SIZE    32
#define JOIN_ID_LEN      8
#define JOIN_SECRET_SIZE 20

typedef struct JoinToken {
        uint8_t pins[JOIN_PINS_MAX][JOIN_PIN_SIZE];
        size_t n_pins;            /* 1 to JOIN_PINS_MAX */
        char id[JOIN_ID_LEN + 1]; /* of BASE32_ALPHABET */
        uint8_t secret[JOIN_SECRET_SIZE];
} JoinToken;

/* Overwrites a token with zeros; for _cleanup_(), too. */
void join_token_forget(JoinToken *t);

/* The longest text with its NUL: two pins. */
#define JOIN_TOKEN_MAX 159

/* *ret is a new string of at most JOIN_TOKEN_MAX bytes, lower case. It holds the secret: the caller
 * overwrites it before it frees it. -EINVAL: n_pins or id is not as above; -ENOMEM. */
int join_token_format(const JoinToken *t, char **ret);

/* Text of any length, as a person pasted it: white space around it and upper case do not matter;
 * *ret has the id in lower case. No copy of the secret is left but in *ret.
 * -EINVAL and *reterr (caller frees), a sentence without a full stop that says what is wrong and
 * what to do: "the token is cut off after 70 of 105 characters: copy all of it again". It is
 * printable ASCII on one line. Of the secret it tells nothing but whether the checksum agrees: not
 * its letters, nor the checksum's. Places are counted from 1, from where the token begins. -ENOMEM
 * says nothing. */
int join_token_parse(const char *text, JoinToken *ret, char **reterr);
