/* A certificate that is not valid today is more often a clock that is wrong: said as that. Pure. */
#pragma once

#include "sys/tls-link.h"

#define CLOCK_WORDS_MAX 200

/* What a head says whose clock has the certificate of a member end at valid_until, before now, when
 * the member's has not; returns buf. */
char *clock_words_behind(char *buf, size_t size, usec_t valid_until, usec_t now);
/* now: of this machine. false: the dates are not what is wrong with the head's certificate. */
bool clock_words(char *buf, size_t size, const TlsLinkFacts *f, usec_t now);
