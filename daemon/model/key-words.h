/* A fingerprint as words for two people to compare over the telephone: "acorn tulip …" on either
 * machine. Pure. */
#pragma once

#include "base/macro.h"

/* Of a SHA-256. */
#define KEY_WORDS_FP_SIZE 32

/* Eight words, of a byte each: 64 bits. Who wants a key with the words of another has to make some
 * 2^64 keys before the call ends. Where a machine compares, it compares the whole fingerprint. */
#define KEY_WORDS_N 8

/* Eight words of three to six lower-case letters with a blank between them, and the NUL. */
#define KEY_WORDS_MAX 56

/* The words of the first KEY_WORDS_N bytes, first byte first. Returns buf. */
char *key_words(const uint8_t fp[static KEY_WORDS_FP_SIZE], char buf[static KEY_WORDS_MAX]);
