/* The code that `ray-probe --serve` prints and a person types on another machine: eighty random
 * bits as sixteen letters and digits of Crockford's base 32 (no I, L, O, U), and two more that tell
 * a slip: "K3TW-9QXR-7BFG-2MHN-4V". In front of it stands the port of the server where it is not
 * the usual one: "7000-K3TW-9QXR-7BFG-2MHN-4V". Pure: no fd, no clock, no randomness. */
#pragma once

#include <errno.h>

#include "base/macro.h"

#define REFLECT_CODE_BYTES 10
/* raycluster's own port on a head (conf/schema.c, ports.control) */
#define REFLECT_PORT_DEFAULT 6388

typedef struct ReflectCode {
        uint8_t secret[REFLECT_CODE_BYTES];
        uint16_t port; /* of the server; 1 to 65535 */
} ReflectCode;

#define REFLECT_CODE_MAX 32
char *reflect_code_format(char buf[static REFLECT_CODE_MAX], const ReflectCode *code);

typedef enum CodeMistake {
        CODE_FINE,
        CODE_EMPTY,
        CODE_CHARACTER, /* one that is in no code; `at` */
        CODE_SHORT,     /* `n` characters */
        CODE_LONG,
        CODE_PORT,     /* in front of the code is no port */
        CODE_CHECKSUM, /* a slip; `at` when it can be told where */
        _CODE_MISTAKE_MAX,
        _CODE_MISTAKE_INVALID = -EINVAL,
} CodeMistake;

/* What is wrong, for a sentence. */
typedef struct CodeError {
        CodeMistake mistake;
        unsigned at; /* which character of the text, from 1; 0 = not known */
        unsigned n;  /* characters of code that are there */
} CodeError;

/* Case, hyphens and spaces do not matter; O is read as 0, I and L as 1. -EINVAL with *reterr. */
int reflect_code_parse(const char *s, ReflectCode *ret, CodeError *reterr);

/* "has 17 characters, a code has 18": what is said of s, behind "--code …: ". */
#define CODE_ERROR_MAX 128
char *reflect_code_error(char buf[static CODE_ERROR_MAX], const char *s, const CodeError *e);
