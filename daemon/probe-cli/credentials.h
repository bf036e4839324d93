/* Who we are to a cluster: Ray's token and the files of TLS, of the command line or, without it,
 * where Ray itself would look. */
#pragma once

#include "probe-cli/args.h"
#include "sys/tls-context.h"

typedef struct Credentials {
        char *token;      /* NULL = none */
        char *token_from; /* in words: "--token-file FILE", "RAY_AUTH_TOKEN"; NULL without a token
                           */
        TlsContext *tls;  /* NULL = TLS is not spoken */
} Credentials;

/* -EINVAL: a file cannot be used, told on stderr in one line. */
int credentials_load(const Args *args, Credentials *ret);
void credentials_done(Credentials *c);
