/* One stream of Ray's log lines on its way to the journal: levels and ids found, dumps folded into
 * the line that begins them, floods held back and counted. No descriptor; the clock is given. */
#pragma once

#include "base/ratelimit.h"
#include "wire/raylog.h"

/* At most this many entries of one file in this time; Ray's files keep all of them. Far above what
 * a person reads, far below what journald would then drop without saying whose it was. */
#define CARRY_BURST    500
#define CARRY_INTERVAL (10 * USEC_PER_SEC)
/* What is kept of a warning's or error's further lines (a traceback); of other dumps only their
 * number is. */
#define FOLD_LINES 20
#define FOLD_BYTES ((size_t)4 << 10)
/* From this many further lines on, an informational dump is a matter for debugging. */
#define DUMP_LINES 4
/* One entry in all: a line (LINES_MAX) and its fold. */
#define LINES_TEXT_MAX ((size_t)16 << 10)

/* Where entries go. level: less urgent ones are dropped without a trace, prints of tasks never. */
typedef struct CarryOut {
        void (*entry)(int priority, const char *identifier, char *const *fields, const char *text,
                      void *userdata);
        void (*held_back)(const char *file, uint64_t lines, void *userdata);
        void *userdata;
        int level;
} CarryOut;

/* The name of what `ray start` prints, which is a pipe and no file. */
#define CARRY_PIPE "ray-start.out"

typedef struct Carrier Carrier;

/* name: of the log file; NULL when out of memory or when it is none of Ray's. out: weak. */
Carrier *carrier_new(const CarryOut *out, const char *name);
Carrier *carrier_free(Carrier *c);
DEFINE_CLEANUP(Carrier *, carrier_free);

void carrier_line(Carrier *c, const char *line, usec_t now);
/* The stream is quiet: what waited for more lines goes out, what was held back is told. */
void carrier_flush(Carrier *c, usec_t now);
/* So many bytes of the file were not read, because they came faster than anybody could. */
void carrier_skipped(Carrier *c, uint64_t bytes, usec_t now);
