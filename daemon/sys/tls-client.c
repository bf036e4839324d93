#include "sys/tls-client.h"

#include <stdio.h>
#include <sys/epoll.h>

#include "base/alloc.h"
#include "base/str.h"
#include "sys/tls-private.h"
#include "wire/tls-record.h"

struct TlsClient {
        const TlsContext *context; /* weak */
        SSL *ssl;
        TlsSocket socket;
        Addr addr;
        char *host;
        bool strict;
        TlsFacts facts;
        TlsFacts *report; /* weak */
};

/* --- what OpenSSL tells -------------------------------------------------------------------------
 */

static void on_info(const SSL *ssl, int where, int value)
{
        TlsClient *t = SSL_get_app_data(ssl);
        int alert = value & 0xff;

        /* TLS 1.3 has no level: all but the two of an orderly end are fatal (RFC 8446 6) */
        bool fatal = value >> 8 == SSL3_AL_FATAL ||
                     (SSL_version(ssl) == TLS1_3_VERSION && alert != SSL_AD_CLOSE_NOTIFY &&
                      alert != SSL_AD_USER_CANCELLED);
        if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT && fatal)
                t->facts.alert = alert;
}

static void note_dated(TlsFacts *f, X509_STORE_CTX *store)
{
        X509 *x = X509_STORE_CTX_get_current_cert(store);

        if (x && !f->dated.known)
                tls_cert_read(&f->dated, x);
}

/* Every defect is noted and none ends the handshake. */
static int on_verify(int good, X509_STORE_CTX *store)
{
        SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
        TlsFacts *f = &((TlsClient *)SSL_get_app_data(ssl))->facts;
        int error = good ? X509_V_OK : X509_STORE_CTX_get_error(store);

        switch (error) {
        case X509_V_OK:
                break;
        case X509_V_ERR_CERT_NOT_YET_VALID:
                f->early = true;
                note_dated(f, store);
                break;
        case X509_V_ERR_CERT_HAS_EXPIRED:
                f->late = true;
                note_dated(f, store);
                break;
        default:
                if (!f->untrusted) {
                        f->verify_error = error;
                        str_copy(f->verify_text, sizeof(f->verify_text),
                                 X509_verify_cert_error_string(error));
                }
                f->untrusted = true;
                break;
        }
        return 1;
}

static bool own_is_of(const TlsContext *c, const X509_NAME *name)
{
        for (int i = 0; i < sk_X509_num(c->chain); i++)
                if (X509_NAME_cmp(X509_get_issuer_name(sk_X509_value(c->chain, i)), name) == 0)
                        return true;
        return false;
}

/* The server asks who we are. */
static int on_cert_wanted(SSL *ssl, void *userdata)
{
        TlsClient *t = userdata;
        TlsFacts *f = &t->facts;
        const STACK_OF(X509_NAME) *names = SSL_get0_peer_CA_list(ssl);
        size_t len = 0;

        f->wants_cert = true;
        f->wants_known = sk_X509_NAME_num(names) > 0;
        for (int i = 0; i < sk_X509_NAME_num(names); i++) {
                char name[TLS_CERT_NAME_MAX];
                const X509_NAME *n = sk_X509_NAME_value(names, i);
                f->own_fits = f->own_fits || own_is_of(t->context, n);
                tls_name_format(name, n);
                if (len + strlen(name) + 2 < sizeof(f->wants))
                        len += (size_t)snprintf(f->wants + len, sizeof(f->wants) - len, "%s%s",
                                                len > 0 ? "; " : "", name);
        }
        return 1;
}

/* --- what came of it ----------------------------------------------------------------------------
 */

static void note_ca(TlsClient *t, X509 *peer)
{
        STACK_OF(X509) *cas = t->context->cas;
        X509 *ca = sk_X509_num(cas) > 0 ? sk_X509_value(cas, 0) : NULL;

        for (int i = 0; i < sk_X509_num(cas) && !t->facts.ca_same_name; i++)
                if (X509_NAME_cmp(X509_get_subject_name(sk_X509_value(cas, i)),
                                  X509_get_issuer_name(peer)) == 0) {
                        ca = sk_X509_value(cas, i);
                        t->facts.ca_same_name = true;
                }
        if (ca)
                tls_cert_read(&t->facts.ca, ca);
}

static void note_peer(TlsClient *t)
{
        TlsFacts *f = &t->facts;
        X509 *peer = SSL_get0_peer_certificate(t->ssl);
        const Addr *a = &t->addr;

        if (!peer || f->peer.known)
                return;
        tls_cert_read(&f->peer, peer);
        f->now = now_real();
        f->addr_fits = X509_check_ip(peer,
                                     a->family == AF_INET ? (const unsigned char *)&a->in
                                                          : (const unsigned char *)&a->in6,
                                     a->family == AF_INET ? 4 : 16, 0) == 1;
        f->name_fits = t->host && X509_check_host(peer, t->host, 0, 0, NULL) == 1;
        note_ca(t, peer);
        ERR_clear_error();
}

static void note_session(TlsClient *t)
{
        const unsigned char *alpn;
        unsigned n;

        str_copy(t->facts.protocol, sizeof(t->facts.protocol), SSL_get_version(t->ssl));
        SSL_get0_alpn_selected(t->ssl, &alpn, &n);
        (void)snprintf(t->facts.alpn, sizeof(t->facts.alpn), "%.*s", (int)n,
                       n > 0 ? (const char *)alpn : "");
}

bool tls_facts_defect(const TlsFacts *f)
{
        return f->untrusted || f->early || f->late || !f->addr_fits;
}

/* The end, and why; the errno for the stream. */
static int conclude(TlsClient *t)
{
        TlsFacts *f = &t->facts;
        TlsSniff sniff = tls_sniff(t->socket.first, t->socket.n_first, NULL);

        note_peer(t);
        if (f->alert >= 0) {
                f->outcome = TLS_OUTCOME_REFUSED;
                ERR_clear_error();
                return -ECONNREFUSED;
        }
        if (sniff == TLS_SNIFF_OTHER) {
                f->outcome = TLS_OUTCOME_NOT_SPOKEN;
                ERR_clear_error();
                return -EPROTONOSUPPORT;
        }
        if (t->socket.eof || t->socket.io_error > 0) {
                f->outcome = TLS_OUTCOME_CLOSED;
                f->error = t->socket.io_error;
                ERR_clear_error();
                return t->socket.io_error > 0 ? -t->socket.io_error : -ECONNRESET;
        }
        f->outcome = TLS_OUTCOME_BROKEN;
        tls_error_text(f->text, sizeof(f->text));
        if (!t->socket.over)
                return -EPROTO;
        str_copy(f->text, sizeof(f->text), "records without end");
        return -EMSGSIZE;
}

/* What a call that brought nothing waits for; or the end. */
static int wait_or_conclude(TlsClient *t, int r, uint32_t *ret_events)
{
        switch (SSL_get_error(t->ssl, r)) {
        case SSL_ERROR_WANT_READ:
                *ret_events = EPOLLIN;
                return -EAGAIN;
        case SSL_ERROR_WANT_WRITE:
                *ret_events = EPOLLOUT;
                return -EAGAIN;
        case SSL_ERROR_ZERO_RETURN:
                t->socket.eof = true;
                return conclude(t);
        default:
                return conclude(t);
        }
}

/* --- the layer ----------------------------------------------------------------------------------
 */

static int layer_handshake(void *layer, int fd, uint32_t *ret_events)
{
        TlsClient *t = layer;

        t->socket.fd = fd;
        t->facts.outcome = TLS_OUTCOME_UNDER_WAY;
        ERR_clear_error();
        int r = SSL_do_handshake(t->ssl);
        if (r != 1)
                return wait_or_conclude(t, r, ret_events);
        t->facts.negotiated = true;
        t->facts.outcome = TLS_OUTCOME_OPEN;
        t->socket.idle = 0;
        t->socket.idle_max = TLS_IDLE_MAX;
        note_session(t);
        note_peer(t);
        return t->strict && tls_facts_defect(&t->facts) ? -EKEYREJECTED : 0;
}

static ssize_t layer_read(void *layer, int fd, void *data, size_t size, uint32_t *ret_events)
{
        TlsClient *t = layer;

        t->socket.fd = fd;
        ERR_clear_error();
        int r = SSL_read(t->ssl, data, (int)MIN(size, (size_t)INT_MAX));
        if (r > 0) {
                t->socket.idle = 0;
                return r;
        }
        r = wait_or_conclude(t, r, ret_events);
        if (r == -EAGAIN)
                return r;
        return t->facts.outcome == TLS_OUTCOME_CLOSED && t->socket.io_error == 0 ? 0 : r;
}

static ssize_t layer_write(void *layer, int fd, const void *data, size_t size, uint32_t *ret_events)
{
        TlsClient *t = layer;

        t->socket.fd = fd;
        return tls_socket_write(&t->socket, t->ssl, data, size, ret_events);
}

static void layer_free(void *layer)
{
        tls_client_free(layer);
}

const StreamLayer tls_client_layer = {
        .handshake = layer_handshake,
        .read = layer_read,
        .write = layer_write,
        .free = layer_free,
};

/* --- the object ---------------------------------------------------------------------------------
 */

TlsClient *tls_client_free(TlsClient *t)
{
        if (!t)
                return NULL;
        if (t->report)
                tls_client_facts(t, t->report);
        SSL_free(t->ssl); /* and the BIO */
        free(t->host);
        free(t);
        return NULL;
}

int tls_client_new(const TlsContext *c, const char *host, const Addr *addr, bool strict,
                   TlsClient **ret)
{
        _cleanup_(tls_client_freep) TlsClient *t = new0(TlsClient, 1);
        if (!t)
                return -ENOMEM;
        *t = (TlsClient){.context = c, .addr = *addr, .strict = strict};
        tls_socket_init(&t->socket, TLS_HANDSHAKE_MAX);
        t->facts.alert = -1;
        t->facts.own = c->own;
        t->facts.own_trusted = c->own_trusted;
        if (host && free_and_strdup(&t->host, host) < 0)
                return -ENOMEM;
        t->ssl = SSL_new(c->ssl);
        if (!t->ssl || tls_socket_attach(&t->socket, c->bio, t->ssl) < 0)
                return -ENOMEM;
        SSL_set_connect_state(t->ssl);
        (void)SSL_set_app_data(t->ssl, t);
        SSL_set_info_callback(t->ssl, on_info);
        SSL_set_verify(t->ssl, SSL_VERIFY_PEER, on_verify);
        SSL_set_cert_cb(t->ssl, on_cert_wanted, t);
        /* a name too long for SNI is sent without */
        if (host && SSL_set_tlsext_host_name(t->ssl, host) != 1)
                ERR_clear_error();
        *ret = TAKE_PTR(t);
        return 0;
}

void tls_client_facts(const TlsClient *t, TlsFacts *ret)
{
        TlsSniff sniff = tls_sniff(t->socket.first, t->socket.n_first, NULL);

        *ret = t->facts;
        ret->spoken = sniff == TLS_SNIFF_HANDSHAKE || sniff == TLS_SNIFF_ALERT;
}

void tls_client_set_report(TlsClient *t, TlsFacts *ret)
{
        t->report = ret;
}

size_t tls_client_first_bytes(const TlsClient *t, const uint8_t **ret)
{
        *ret = t->socket.first;
        return t->socket.n_first;
}
