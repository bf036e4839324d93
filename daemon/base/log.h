/* The log: journal under systemd (JOURNAL_STREAM set), stderr by hand. Floors 0–4 log at debug
 * only; floor 5 logs, once. */
#pragma once

#include <errno.h>
#include <syslog.h>

#include "base/macro.h"
#include "base/messages.h"

typedef enum LogTarget {
        LOG_TARGET_AUTO,
        LOG_TARGET_JOURNAL,
        LOG_TARGET_STDERR,
        _LOG_TARGET_MAX,
} LogTarget;

/* identifier: a string literal. Level is a syslog priority (LOG_ERR … LOG_DEBUG); what is less
 * urgent is dropped. */
void log_init(const char *identifier, LogTarget target, int level);
void log_set(LogTarget target, int level);
int log_level(void);
/* "error" "warning" "notice" "info" "debug" -> priority, or -EINVAL. */
int log_level_from_string(const char *s);
const char *log_level_to_string(int level);

/* Adds RAYCLUSTER_ROLE= to every line; a string literal. */
void log_set_role(const char *role);

/* Returns -abs(error), so that `return log_full(...)` works; %m is the text of error. */
int log_full(int priority, int error, const char *file, int line, const char *func, const char *fmt,
             ...) _printf_(6, 7);

#define log_debug(...)          ((void)log_full(LOG_DEBUG, 0, __FILE__, __LINE__, __func__, __VA_ARGS__))
#define log_info(...)           ((void)log_full(LOG_INFO, 0, __FILE__, __LINE__, __func__, __VA_ARGS__))
#define log_notice(...)         ((void)log_full(LOG_NOTICE, 0, __FILE__, __LINE__, __func__, __VA_ARGS__))
#define log_warning(...)        ((void)log_full(LOG_WARNING, 0, __FILE__, __LINE__, __func__, __VA_ARGS__))
#define log_error(...)          ((void)log_full(LOG_ERR, 0, __FILE__, __LINE__, __func__, __VA_ARGS__))
#define log_debug_errno(e, ...) log_full(LOG_DEBUG, (e), __FILE__, __LINE__, __func__, __VA_ARGS__)
#define log_warning_errno(e, ...)                                                                  \
        log_full(LOG_WARNING, (e), __FILE__, __LINE__, __func__, __VA_ARGS__)
#define log_error_errno(e, ...) log_full(LOG_ERR, (e), __FILE__, __LINE__, __func__, __VA_ARGS__)
#define log_oom()               log_full(LOG_ERR, ENOMEM, __FILE__, __LINE__, __func__, "Out of memory.")

/* One event a person would ask about: MESSAGE_ID plus `fields`, a NULL-ended list of "KEY=value"
 * (may be NULL), plus the text. On stderr the fields are left out. */
void log_event(int priority, MessageId id, char *const *fields, const char *fmt, ...)
        _printf_(4, 5);

/* Hears every event, also one that is not urgent enough for the log; may log, but no event. NULL:
 * nobody does. */
typedef void (*log_observer)(MessageId id, const char *text, void *userdata);
void log_set_observer(log_observer observer, void *userdata);

/* Raw fields for the journal without our own role and code location (Ray's log lines). On stderr:
 * `text`. */
void log_forward(int priority, const char *identifier, char *const *fields, const char *text);
