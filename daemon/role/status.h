/* What a daemon says about itself, once: the same words go to STATUS= (systemctl status), to D-Bus
 * and to the journal. Plain values with a mark for each property that changed; who shows them takes
 * the marks and tells only what is new. */
#pragma once

#include "base/strtab.h"
#include "base/strv.h"
#include "base/time.h"
#include "model/candidate.h"

/* The properties that change, named as on D-Bus (units/dbus). Texts first. */
typedef enum StatusProp {
        STATUS_STATE,
        STATUS_REASON, /* one sentence, also STATUS= */
        STATUS_CLUSTER,
        STATUS_CLUSTER_ID, /* 56 hex digits */
        STATUS_NODE_ID,
        STATUS_NODE_NAME,
        STATUS_ADDRESS,
        STATUS_HEAD_ADDRESS, /* address:port of the GCS */
        STATUS_DASHBOARD_URL,
        STATUS_RAY_VERSION,
        STATUS_PYTHON_VERSION,
        STATUS_ENGINE_PATH,
        STATUS_ENGINE_STATE,
        STATUS_ENGINE_STATUS,
        STATUS_AUTH,
        STATUS_MEMBERSHIP,  /* one sentence: of the control port */
        STATUS_PUBLISHED,   /* head only */
        STATUS_HEAD,        /* worker only: the head's name as found */
        STATUS_HEAD_SOURCE, /* worker only */
        STATUS_VERDICT,     /* worker only: of the examination that Reason tells of, or "" */
        STATUS_REMEDY,      /* worker only: what to do about it, or "" */
        _STATUS_TEXT_MAX,
        STATUS_STATE_SINCE = _STATUS_TEXT_MAX,
        STATUS_ENGINE_REPAIRS,
        STATUS_RESTART_DUE,
        STATUS_WORKERS_ALIVE, /* head only */
        STATUS_SOURCES,       /* worker only */
        STATUS_HEAD_SETTINGS, /* worker only */
        _STATUS_PROP_MAX,
        _STATUS_PROP_INVALID = -EINVAL,
} StatusProp;

DECLARE_STRTAB(status_prop, StatusProp);

/* One source of discovery, in words. */
typedef struct StatusSource {
        char *source, *state, *text;
} StatusSource;

typedef struct Status {
        char *text[_STATUS_TEXT_MAX]; /* never NULL between status_init() and status_done() */
        usec_t state_since;           /* CLOCK_REALTIME */
        unsigned engine_repairs;
        unsigned workers_alive;
        char **restart_due;
        StatusSource sources[_DISCO_SOURCE_MAX];
        size_t n_sources;
        char *head_settings; /* what the head has set for all machines, or NULL */
        uint32_t dirty;      /* bit = StatusProp */
} Status;

int status_init(Status *s);
void status_done(Status *s);

/* Longest text kept, in bytes of the original: a reason is a sentence. */
#define STATUS_TEXT_MAX 2048

/* Each returns 1 when the value changed, 0 when it was that already, -ENOMEM (the old one stays).
 * NULL is "". Texts may have foreign bytes in them (a GCS's words, a neighbour's name): what is no
 * printable UTF-8, or too long, is kept escaped. */
int status_set(Status *s, StatusProp prop, const char *value);
int status_set_count(Status *s, StatusProp prop, unsigned value);
/* Takes the list, also on failure. */
int status_set_restart_due(Status *s, char **keys);
int status_set_source(Status *s, size_t i, const char *source, const char *state, const char *text);
void status_set_n_sources(Status *s, size_t n);

/* Printable text of any length; NULL: none. */
int status_set_head_settings(Status *s, const char *text);

/* State and reason in one; `since` moves only with the state. */
int status_set_state(Status *s, const char *state, const char *reason);

/* The reason and, where there is one, the remedy, in one line: STATUS= and the journal. A new
 * string (caller frees), NULL when out of memory. */
char *status_line(const Status *s) _warn_unused_result_;

/* The marks since the last time, cleared by this. */
uint32_t status_take_dirty(Status *s);
