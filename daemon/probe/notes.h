/* What happened inside a step of an examination, and when: for its timeline. A plain value,
 * bounded; what does not fit is not kept. */
#pragma once

#include "base/time.h"

/* Three control ports, a ladder, neighbours that change, a datagram, a second attempt, for two
 * addresses. */
#define NOTES_MAX 24

typedef struct Note {
        const char *name; /* a literal, as a step's name */
        char text[96];
        usec_t at; /* monotonic: when it began */
        usec_t took;
} Note;

typedef struct Notes {
        Note notes[NOTES_MAX];
        unsigned n;
} Notes;

void notes_add(Notes *n, const char *name, usec_t at, usec_t took, const char *fmt, ...)
        _printf_(5, 6);
