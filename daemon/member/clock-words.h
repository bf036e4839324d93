/* A certificate that is not valid today is more often a clock that is wrong: said as that. Pure. */
#pragma once

#include "sys/tls-link.h"

#define CLOCK_WORDS_MAX 200

/* now: of this machine. false: the dates are not what is wrong with the head's certificate. */
bool clock_words(char *buf, size_t size, const TlsLinkFacts *f, usec_t now);
