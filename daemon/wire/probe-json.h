/* A report of `ray-probe --json`, read back: a file that may come from another machine, another
 * release or another program. Every member that is used is checked, and the first one that is wrong
 * is named. Its hint is not read: a stranger's word is never part of a line to paste. No fd, no
 * clock. */
#pragma once

#include "base/addr.h"
#include "model/verdict.h"

/* A report has some kilobytes. */
#define PROBE_JSON_MAX ((size_t)256 << 10)
/* Of the sentence. */
#define PROBE_JSON_TEXT_MAX 4096

typedef struct ProbeJson {
        Verdict verdict;
        ProbeConfidence confidence;
        ProbeDirection direction; /* not of an inconclusive one */
        ProbePlace place;
        Addr where;   /* unset = not said */
        Addr address; /* the address that was tried; unset when no name resolved */
        uint16_t port;
        Addr source; /* the address of the machine that tried, by its route there; unset = not said
                      */
        char at[32]; /* RFC 3339, UTC */
        char *sentence; /* one printable line */
} ProbeJson;

void probe_json_done(ProbeJson *p);
#define _cleanup_probe_json_ _cleanup_(probe_json_done)

/* 0 and *ret, or -ENOMEM, or -EBADMSG and *reterr: "code: is 40, which is not that of PORT_CLOSED".
 * Caller frees *reterr. */
int probe_json_parse(const char *data, size_t size, ProbeJson *ret, char **reterr);
