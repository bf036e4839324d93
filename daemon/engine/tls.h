/* Ray's TLS on this machine: a folder of three files, which its processes, our own calls to it and
 * drivers read. The daemon writes them (member/ray-certificate); who is in group ray may read them.
 */
#pragma once

#include "model/settings.h"
#include "sys/pki-cert.h"
#include "sys/tls-context.h"
#include "wire/engine-args.h"

/* In the folder that daemon and engine share. */
#define ENGINE_TLS_NAME "ray-tls"
#define ENGINE_TLS_CA   "ca.pem"
#define ENGINE_TLS_CERT "cert.pem"
#define ENGINE_TLS_KEY  "key.pem"

typedef struct EngineTls {
        char *dir; /* NULL = in clear */
        TlsFiles files;
        char *ca, *cert, *key; /* what files points to */
} EngineTls;

void engine_tls_done(EngineTls *t);
#define _cleanup_engine_tls_ _cleanup_(engine_tls_done)

/* As auth.tls has it. 1 on, 0 off, -ENOMEM. */
int engine_tls(const Settings *s, EngineTls *ret);
/* As EngineArgs.tls_dir has it; NULL and "" are off. */
int engine_tls_of(const char *dir, EngineTls *ret);

/* As it is, for who has no word from the daemon: 1 and the folder when one is there, else as the
 * configuration has it. */
int engine_tls_found(const Settings *s, EngineTls *ret);
/* Before Ray starts in clear: what is there goes. While Ray runs with TLS it stays, since each new
 * process of Ray reads it. */
void engine_tls_remove(void);

/* For GcsClientPolicy; NULL = in clear. Valid as long as t. */
const TlsFiles *engine_tls_files(const EngineTls *t);

typedef struct EngineCert {
        char serial[PKI_SERIAL_MAX];
        usec_t from, until; /* Unix time */
} EngineCert;

/* The certificate in it. Errors of reading, and of pki_cert_from_pem(). */
int engine_tls_cert(const EngineTls *t, EngineCert *ret);

/* When Ray has to be restarted, in Unix time: what it was started with ends, and another
 * certificate is there. USEC_INFINITY: not for that. It is in the last sixth of the certificate's
 * life, and a twelfth before the end; each machine has a moment of its own there, so that a room
 * restarts one after the other without a word to each other. */
usec_t engine_tls_restart_at(const EngineTls *t, const EngineArgs *running);

/* Whether the files do at this time (Unix): there, whole, of one another, valid. Returns 1; 0 and
 * *ret_why (caller frees), one sentence with what to do; -ENOMEM. */
int engine_tls_check(const EngineTls *t, usec_t now, char **ret_why);
