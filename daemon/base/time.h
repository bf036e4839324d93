/* Time is usec_t everywhere: microseconds, monotonic inside, realtime only at the rim (journal,
 * JSON). */
#pragma once

#include <stdint.h>

#include "base/macro.h"

typedef uint64_t usec_t;

#define USEC_INFINITY UINT64_MAX
#define USEC_PER_MSEC ((usec_t)1000)
#define USEC_PER_SEC  ((usec_t)1000000)
#define USEC_PER_MIN  (60 * USEC_PER_SEC)

usec_t now_mono(void);
usec_t now_real(void);

/* Saturating; USEC_INFINITY stays. */
usec_t usec_add(usec_t a, usec_t b);
usec_t usec_sub(usec_t a, usec_t b);

/* "250ms", "4s", "1min 30s", "2h", "1d"; a bare number is refused, because its unit would be a
 * guess. -EINVAL, -ERANGE. */
int parse_duration(const char *s, usec_t *ret);

/* The two greatest units: "1min 30s", "4s", "1.250s" under ten seconds with a fraction, "0". */
#define DURATION_MAX 64
char *format_duration(char buf[DURATION_MAX], usec_t t);
