#include "member/clock-words.h"

#include <stdio.h>

#define WRONG "one of the two clocks is wrong: compare them (timedatectl)"

bool clock_words(char *buf, size_t size, const TlsLinkFacts *f, usec_t now)
{
        char span[DURATION_MAX];

        if (f->defect != PKI_DEFECT_NOT_YET_VALID && f->defect != PKI_DEFECT_EXPIRED)
                return false;
        if (f->valid_from > now)
                (void)snprintf(
                        buf, size,
                        "by this machine's clock the head's certificate begins in %s; " WRONG,
                        format_duration(span, f->valid_from - now));
        else if (f->valid_until <= now)
                (void)snprintf(
                        buf, size,
                        "by this machine's clock the head's certificate ended %s ago; " WRONG,
                        format_duration(span, now - f->valid_until));
        else
                (void)snprintf(
                        buf, size,
                        "the authority of the head is not valid at this machine's time; " WRONG);
        return true;
}

char *clock_words_behind(char *buf, size_t size, usec_t valid_until, usec_t now)
{
        char span[DURATION_MAX];

        (void)snprintf(buf, size,
                       "by the head's clock this machine's certificate ended %s ago, by its own it "
                       "did not; " WRONG "; then it gets the next",
                       format_duration(span, usec_sub(now, valid_until)));
        return buf;
}
