/* The TXT record of a head as DNS-SD has it (RFC 6763 section 6): strings "key=value", keys without
 * case, the first of two equal keys counts. Foreign bytes: everything here is a hint for where to
 * knock and a text for people, nothing is decided from it. */
#pragma once

#include "base/buf.h"
#include "base/strv.h"

/* "the total size of a typical DNS-SD TXT record is intended to be small … 400 bytes"; ours is kept
 * below it so that an announcement fits one packet with everything else. */
#define TXT_SIZE_MAX    400
#define TXT_STRING_MAX  255 /* one length byte */
#define TXT_ENTRIES_MAX 32  /* what more a stranger sends is dropped; ours has eight */

/* Appends one received string when it is "key=value" of printable ASCII (or "key" alone) and there
 * is room; others are skipped, as the RFC asks. Returns 1 when taken, 0 when skipped, -ENOMEM. */
int txt_accept(char ***txt, const void *data, size_t n);
/* The bytes of a TXT record: length-prefixed strings. -EBADMSG when a length points outside. */
int txt_decode(const void *data, size_t n, char ***ret);
/* The reverse. -E2BIG over TXT_SIZE_MAX bytes in all, over TXT_STRING_MAX in one; -EINVAL for what
 * txt_accept() would skip. */
int txt_encode(char *const *txt, Buf *ret);
/* The value of key, "" for a key without value, NULL when it is not there. */
const char *txt_get(char *const *txt, const char *key);

/* What a head says of itself. Strings are cut to nothing when they do not fit: "" = not said. */
typedef struct HeadTxt {
        char cluster[64];
        char id[64]; /* start of the cluster id, hexadecimal */
        char role[16];
        uint16_t gcs; /* 0 = not said */
        char ray[32];
        char python[32];
        char auth[16]; /* "token" or "off" */
} HeadTxt;

void head_txt_parse(char *const *txt, HeadTxt *ret);
/* "txtvers=1" first; what is not said is left out. */
int head_txt_format(const HeadTxt *t, char ***ret);
