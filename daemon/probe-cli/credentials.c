#include "probe-cli/credentials.h"

#include <errno.h>
#include <stdlib.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/fd.h"
#include "base/str.h"
#include "probe-cli/args-check.h"

/* Ray's tokens have some hundred bytes. */
#define TOKEN_MAX ((size_t)4096)

void credentials_done(Credentials *c)
{
        if (c->token)
                explicit_bzero(c->token, strlen(c->token));
        free(c->token);
        free(c->token_from);
        tls_context_free(c->tls);
        *c = (Credentials){0};
}

/* Set and not empty. */
static const char *environment(const char *name)
{
        const char *s = getenv(name);
        return isempty(s) ? NULL : s;
}

/* how: what named the file, "--token-file " or "RAY_AUTH_TOKEN_PATH=". */
static int read_token(Credentials *c, const char *how, const char *path)
{
        _cleanup_free_ char *text = NULL;
        size_t size;
        int r = read_file(path, TOKEN_MAX, &text, &size);
        if (r < 0)
                return mistake("%s%s: %s", how, path, strerror(-r));
        const char *token = str_strip(text);
        if (!*token)
                return mistake("%s%s: is empty", how, path);
        c->token_from = str_printf("%s%s", how, path);
        c->token = strdup(token);
        explicit_bzero(text, size);
        return c->token && c->token_from ? 0 : -ENOMEM;
}

/* The three places of Ray, in its order (token authentication of Ray 2.52). A client sends its
 * token only when the mode is set. */
static int find_token(Credentials *c)
{
        const char *mode = environment("RAY_AUTH_MODE"), *token = environment("RAY_AUTH_TOKEN");
        const char *path = environment("RAY_AUTH_TOKEN_PATH"), *home = environment("HOME");

        if (!mode || strcasecmp(mode, "token") != 0)
                return 0;
        if (token) {
                c->token = strdup(token);
                c->token_from = strdup("RAY_AUTH_TOKEN");
                return c->token && c->token_from ? 0 : -ENOMEM;
        }
        if (path)
                return read_token(c, "RAY_AUTH_TOKEN_PATH=", path);
        if (!home)
                return 0;
        _cleanup_free_ char *file = path_join(home, ".ray/auth_token");
        if (!file)
                return -ENOMEM;
        _cleanup_free_ char *text = NULL;
        /* none there: then Ray has none either */
        return read_file(file, TOKEN_MAX, &text, NULL) < 0 ? 0 : read_token(c, "", file);
}

static const struct {
        const char *option, *variable;
} tls_names[_TLS_FILE_MAX] = {
        [TLS_FILE_CA] = {"--tls-ca", "RAY_TLS_CA_CERT"},
        [TLS_FILE_CERT] = {"--tls-cert", "RAY_TLS_SERVER_CERT"},
        [TLS_FILE_KEY] = {"--tls-key", "RAY_TLS_SERVER_KEY"},
};

static bool wants_tls(const Args *a)
{
        const char *use = environment("RAY_USE_TLS");

        return a->tls || a->tls_ca || a->tls_cert || a->tls_key ||
               (use && (streq(use, "1") || strcasecmp(use, "true") == 0));
}

/* Own certificate and key come from one place: one of the command line never goes with the other of
 * the environment. */
static int load_tls(const Args *a, TlsContext **ret)
{
        bool own = a->tls_cert || a->tls_key;
        const char *given[_TLS_FILE_MAX] = {a->tls_ca, a->tls_cert, a->tls_key};
        const char *paths[_TLS_FILE_MAX];
        TlsMistake m = {.file = _TLS_FILE_MAX};

        for (TlsFile f = 0; f < _TLS_FILE_MAX; f++)
                paths[f] = given[f]                  ? given[f]
                           : own && f != TLS_FILE_CA ? NULL
                                                     : environment(tls_names[f].variable);
        TlsFiles files = {
                .ca = paths[TLS_FILE_CA], .cert = paths[TLS_FILE_CERT], .key = paths[TLS_FILE_KEY]};
        int r = tls_context_new(&files, &m, ret);
        if (r >= 0 || m.file == _TLS_FILE_MAX)
                return r;
        return given[m.file]
                       ? mistake("%s %s: %s", tls_names[m.file].option, paths[m.file], m.text)
                       : mistake("%s=%s: %s", tls_names[m.file].variable, paths[m.file], m.text);
}

int credentials_load(const Args *args, Credentials *ret)
{
        Credentials c = {0};

        int r = args->token_file ? read_token(&c, "--token-file ", args->token_file)
                                 : find_token(&c);
        if (r >= 0 && wants_tls(args))
                r = load_tls(args, &c.tls);
        if (r < 0) {
                credentials_done(&c);
                return r;
        }
        *ret = c;
        return 0;
}
