/* Standard output: colour, pager, and lines with a heading. */
#pragma once

#include "base/macro.h"
#include "base/time.h"
#include "cli/cli.h"

/* A terminal, and NO_COLOR not set. */
bool out_colour(void);
/* Pipes what comes from now on into a pager, when there is a terminal to page for; out_done() waits
 * for it. */
void out_page(const Cli *cli);
void out_done(void);

/* "   Address: text"; nothing when text is empty. */
void out_line(const char *heading, const char *fmt, ...) _printf_(2, 3);

/* "Mon 2026-11-23 10:00:00 UTC; 3min ago" */
#define OUT_SINCE_MAX 128
char *out_since(char buf[OUT_SINCE_MAX], usec_t realtime);
