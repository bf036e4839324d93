#include "engine/tls.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "engine/args.h"
#include "sys/pki-cert.h"

#define REMEDY "the daemon gets them from the head once this machine is a member (raycluster join)"

void engine_tls_done(EngineTls *t)
{
        free(t->dir);
        free(t->ca);
        free(t->cert);
        free(t->key);
        *t = (EngineTls){0};
}

int engine_tls_of(const char *dir, EngineTls *ret)
{
        _cleanup_engine_tls_ EngineTls t = {0};

        if (!isempty(dir)) {
                t.dir = strdup(dir);
                t.ca = path_join(dir, ENGINE_TLS_CA);
                t.cert = path_join(dir, ENGINE_TLS_CERT);
                t.key = path_join(dir, ENGINE_TLS_KEY);
                if (!t.dir || !t.ca || !t.cert || !t.key)
                        return -ENOMEM;
                t.files = (TlsFiles){.ca = t.ca, .cert = t.cert, .key = t.key};
        }
        *ret = t;
        t = (EngineTls){0};
        return ret->dir ? 1 : 0;
}

int engine_tls(const Settings *s, EngineTls *ret)
{
        if (!streq(s->auth_tls, "on"))
                return engine_tls_of(NULL, ret);
        _cleanup_free_ char *dir = path_join(engine_run_dir(), ENGINE_TLS_NAME);
        return dir ? engine_tls_of(dir, ret) : -ENOMEM;
}

int engine_tls_found(const Settings *s, EngineTls *ret)
{
        _cleanup_free_ char *dir = path_join(engine_run_dir(), ENGINE_TLS_NAME);
        if (!dir)
                return -ENOMEM;
        return access(dir, F_OK) == 0 ? engine_tls_of(dir, ret) : engine_tls(s, ret);
}

void engine_tls_remove(void)
{
        _cleanup_free_ char *dir = path_join(engine_run_dir(), ENGINE_TLS_NAME);
        _cleanup_engine_tls_ EngineTls t = {0};

        if (!dir || engine_tls_of(dir, &t) <= 0)
                return;
        (void)unlink(t.key);
        (void)unlink(t.cert);
        (void)unlink(t.ca);
        (void)rmdir(t.dir);
}

const TlsFiles *engine_tls_files(const EngineTls *t)
{
        return t->dir ? &t->files : NULL;
}

static int read_cert(const EngineTls *t, PkiCert **ret)
{
        _cleanup_free_ char *pem = NULL;
        size_t n;

        int r = read_file(t->cert, PKI_PEM_MAX, &pem, &n);
        return r < 0 ? r : pki_cert_from_pem(pem, n, ret);
}

int engine_tls_cert(const EngineTls *t, EngineCert *ret)
{
        _cleanup_(pki_cert_freep) PkiCert *c = NULL;

        int r = read_cert(t, &c);
        if (r < 0)
                return r;
        str_copy(ret->serial, sizeof(ret->serial), pki_cert_serial(c));
        pki_cert_dates(c, &ret->from, &ret->until);
        return 0;
}

/* 0 to 255, the same for a machine all its life: ids are random. */
static unsigned turn_of(const char *node_id)
{
        unsigned h = 0;

        for (; *node_id; node_id++)
                h = h * 31 + (unsigned char)*node_id;
        return h % 256;
}

usec_t engine_tls_restart_at(const EngineTls *t, const EngineArgs *running)
{
        EngineCert c;

        if (!t->dir || isempty(running->tls_serial) || engine_tls_cert(t, &c) < 0 ||
            streq(c.serial, running->tls_serial))
                return USEC_INFINITY;
        usec_t part = usec_sub(c.until, c.from) / 12;
        return usec_sub(running->tls_until, 2 * part) + part / 256 * turn_of(running->node_id);
}

static int no(char **ret_why, char *text)
{
        *ret_why = text;
        return text ? 0 : -ENOMEM;
}

static int check_dates(const EngineTls *t, usec_t now, char **ret_why)
{
        EngineCert c;

        int r = engine_tls_cert(t, &c);
        if (r < 0)
                return no(ret_why, str_printf("%s: %s", t->cert, strerror(-r)));
        if (now >= c.until)
                return no(ret_why, str_printf("the certificate in %s is not valid any more: Ray's "
                                              "nodes refuse each other; " REMEDY,
                                              t->cert));
        if (now < c.from)
                return no(ret_why, str_printf("the certificate in %s is not valid yet: set the "
                                              "clock of this machine",
                                              t->cert));
        return 1;
}

int engine_tls_check(const EngineTls *t, usec_t now, char **ret_why)
{
        TlsContext *c _cleanup_(tls_context_freep) = NULL;
        TlsMistake m = {.text = ""};

        int r = tls_context_new(&t->files, &m, &c);
        if (r == -ENOMEM)
                return r;
        if (r < 0)
                return no(ret_why, str_printf("auth.tls is \"on\", but %s: %s; " REMEDY,
                                              m.file == TLS_FILE_CA     ? t->ca
                                              : m.file == TLS_FILE_CERT ? t->cert
                                                                        : t->key,
                                              m.text[0] ? m.text : strerror(-r)));
        return check_dates(t, now, ret_why);
}
