#include "gcs/tls.h"

#include <stdio.h>

#include "base/str.h"
#include "wire/tls-record.h"

/* Stands where TLS would, when there are no files to make it of. */
static int refuse(void *layer, int fd, uint32_t *ret_events)
{
        ((GcsTls *)layer)->refused = true;
        return -ENOKEY;
}

static const StreamLayer no_layer = {.handshake = refuse};

static const char *file_of(const TlsFiles *files, TlsFile f)
{
        return f == TLS_FILE_CA ? files->ca : f == TLS_FILE_CERT ? files->cert : files->key;
}

int gcs_tls_begin(GcsTls *t, const TlsFiles *files, const Addr *addr, H2 *h)
{
        TlsClient *client = NULL;
        TlsMistake m = {.text = ""};

        t->used = true;
        int r = tls_context_new(files, &m, &t->context);
        if (r < 0 && m.text[0]) {
                (void)snprintf(t->mistake, sizeof(t->mistake), "%s: %s", file_of(files, m.file),
                               m.text);
                h2_set_layer(h, &no_layer, t);
                return 0;
        }
        if (r >= 0)
                r = tls_client_new(t->context, NULL, addr, true, &client);
        if (r < 0)
                return r;
        tls_client_set_report(client, &t->facts);
        h2_set_layer(h, &tls_client_layer, client);
        return 0;
}

void gcs_tls_done(GcsTls *t)
{
        t->context = tls_context_free(t->context);
}

/* What is wrong with its certificate, the first thing first; NULL: nothing. */
static const char *defect(const TlsFacts *f)
{
        return f->untrusted    ? "is not of the authority that we have for Ray"
               : f->late       ? "is not valid any more"
               : f->early      ? "is not valid yet (compare the clocks)"
               : !f->addr_fits ? "does not name this address"
                               : NULL;
}

static bool explain_end(const TlsFacts *f, const char *name, bool received, char *ret, size_t size)
{
        const char *alert = tls_alert_name(f->alert);

        switch (f->outcome) {
        case TLS_OUTCOME_NOT_SPOKEN:
                (void)snprintf(ret, size, "%s does not speak TLS, and we want it", name);
                return true;
        case TLS_OUTCOME_REFUSED:
                (void)snprintf(ret, size, "%s refused us in TLS: %s (alert %d)", name,
                               strempty(alert), f->alert);
                return true;
        case TLS_OUTCOME_BROKEN:
                (void)snprintf(ret, size, "TLS with %s failed: %s", name, f->text);
                return true;
        case TLS_OUTCOME_CLOSED:
                /* as gRPC refuses a certificate: without a word (sys/tls-client.h) */
                if (!f->wants_cert || received)
                        return false;
                (void)snprintf(ret, size, "%s hung up when it saw our certificate: %s", name,
                               f->own.known ? "it has another authority, or ours is too old"
                                            : "there is none");
                return true;
        default:
                return false;
        }
}

bool gcs_tls_is_reason(const GcsTls *t, const char *name, bool received, char *ret, size_t size)
{
        const TlsFacts *f = &t->facts;

        if (!t->used)
                return false;
        if (t->refused) {
                (void)snprintf(ret, size, "TLS with %s is not possible: %s", name, t->mistake);
                return true;
        }
        const char *what = f->negotiated ? defect(f) : NULL;
        if (what) {
                (void)snprintf(ret, size, "The certificate of %s %s: it is \"%s\" for %s", name,
                               what, f->peer.subject,
                               f->peer.names[0] ? f->peer.names : "no address");
                return true;
        }
        return explain_end(f, name, received, ret, size);
}
