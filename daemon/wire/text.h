/* Foreign text made fit for a terminal, the journal, D-Bus and JSON, which all want UTF-8 without
 * control characters. */
#pragma once

#include "base/macro.h"

/* A copy of at most `max` bytes (cut between characters) in which line ends and tabs are spaces and
 * every other control character and broken byte is '?'. NULL when out of memory. */
char *text_clean(const char *s, size_t size, size_t max) _warn_unused_result_;

/* A version of Ray or Python into dest: a few characters that go into sentences and comparisons. ""
 * stays "". -EMSGSIZE when too long, -EBADMSG for characters that no version has. */
int text_version(char dest[static 32], const char *s);
