/* Foreign text made fit for a terminal, the journal, D-Bus and JSON, which all want UTF-8 without
 * control characters. */
#pragma once

#include "base/macro.h"

/* A copy of at most `max` bytes (cut between characters) in which line ends and tabs are spaces and
 * every other control character and broken byte is '?'. NULL when out of memory. */
char *text_clean(const char *s, size_t size, size_t max) _warn_unused_result_;
