/* Over 500 lines, since whom a connection is with is decided in the callbacks of its handshake:
 * both halves would share every field of a TlsLink. */
#include "sys/tls-link.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/str.h"
#include "sys/pki-private.h"
#include "sys/tls-private.h"
#include "wire/tls-record.h"

/* The name that the bytes of tls_link_export() have; EXPORTER- is asked for by RFC 8446 7.5. */
static const char export_label[] = "EXPORTER-raycluster-enrol-1";
static const uint8_t alpn[] = "\x0c" TLS_LINK_ALPN;

struct TlsParty {
        unsigned n_refs;
        SSL_CTX *server, *client; /* made when the first connection needs it: most need one only */
        BIO_METHOD *bio;
        EVP_PKEY *key;
        PkiCert *cert;
        PkiCert *cas[PKI_BUNDLE_MAX];
        size_t n_cas;
};

struct TlsLink {
        TlsParty *party;
        SSL *ssl;
        TlsSocket socket;
        TlsLinkPolicy policy;
        TlsLinkFacts facts;
        PkiCert *peer, *authority;
        bool silent; /* a client that has not said anything yet */
        bool expired;
};

static const char *const tls_link_end_table[_TLS_LINK_END_MAX] = {
        [TLS_LINK_RUNS] = "runs",
        [TLS_LINK_NOT_TLS] = "not-tls",
        [TLS_LINK_NO_MEMBER] = "no-member",
        [TLS_LINK_WRONG_PIN] = "wrong-pin",
        [TLS_LINK_WRONG_ROLE] = "wrong-role",
        [TLS_LINK_NO_ALPN] = "no-alpn",
        [TLS_LINK_REFUSED] = "refused",
        [TLS_LINK_CLOSED] = "closed",
        [TLS_LINK_BROKEN] = "broken",
};
DEFINE_STRTAB(tls_link_end, TlsLinkEnd);

/* --- whom we trust ------------------------------------------------------------------------------
 */

static bool is_pinned(const TlsLink *l, const PkiCert *c)
{
        uint8_t pin[PKI_PIN_SIZE];

        pki_cert_pin(c, pin);
        for (size_t i = 0; i < l->policy.n_pins; i++)
                if (memcmp(pin, l->policy.pins[i], PKI_PIN_SIZE) == 0)
                        return true;
        return false;
}

/* Of what the head sent: the authority that the token names. */
static int find_pinned(const TlsLink *l, const STACK_OF(X509) * sent, PkiCert **ret)
{
        for (int i = 0; i < sk_X509_num(sent); i++) {
                _cleanup_(pki_cert_freep) PkiCert *c = NULL;
                int r = pki_cert_share(sk_X509_value(sent, i), &c);
                if (r < 0)
                        return r;
                if (is_pinned(l, c)) {
                        *ret = TAKE_PTR(c);
                        return 0;
                }
        }
        return -ENOENT;
}

static bool is_good_at(TlsLink *l, const PkiCert *leaf, PkiCert *const *cas, size_t n, usec_t when)
{
        return pki_cert_verify(leaf, cas, n, when, &l->facts.defect) >= 0 &&
               l->facts.defect == PKI_DEFECT_NONE;
}

/* One that is over may have been good at its last moment. */
static bool is_trusted(TlsLink *l, const PkiCert *leaf, PkiCert *const *cas, size_t n)
{
        TlsLinkFacts *f = &l->facts;
        usec_t now = now_real();

        if (is_good_at(l, leaf, cas, n, now))
                return true;
        if (f->defect != PKI_DEFECT_NOT_YET_VALID && f->defect != PKI_DEFECT_EXPIRED)
                return false;
        pki_cert_dates(leaf, &f->valid_from, &f->valid_until);
        if (f->defect == PKI_DEFECT_NOT_YET_VALID || f->valid_until > now ||
            usec_add(f->valid_until, l->policy.grace) <= now)
                return false;
        l->expired = is_good_at(l, leaf, cas, n, usec_sub(f->valid_until, USEC_PER_SEC));
        return l->expired;
}

static bool verify_pinned(TlsLink *l, const PkiCert *leaf, const STACK_OF(X509) * sent)
{
        if (find_pinned(l, sent, &l->authority) < 0) {
                l->facts.end = TLS_LINK_WRONG_PIN;
                return false;
        }
        return is_trusted(l, leaf, &l->authority, 1);
}

/* The authority that signed what the head shows, among what it sent. */
static bool verify_first_sight(TlsLink *l, const PkiCert *leaf, const STACK_OF(X509) * sent)
{
        for (int i = 0; i < sk_X509_num(sent); i++) {
                _cleanup_(pki_cert_freep) PkiCert *c = NULL;
                if (pki_cert_share(sk_X509_value(sent, i), &c) >= 0 &&
                    pki_cert_is_signed_by(leaf, c) && is_trusted(l, leaf, &c, 1)) {
                        l->authority = TAKE_PTR(c);
                        return true;
                }
        }
        return false;
}

static bool verify(TlsLink *l, const PkiCert *leaf, const STACK_OF(X509) * sent)
{
        if (l->policy.n_pins > 0)
                return verify_pinned(l, leaf, sent);
        if (l->policy.first_sight)
                return verify_first_sight(l, leaf, sent);
        return is_trusted(l, leaf, l->party->cas, l->party->n_cas);
}

/* A worker's certificate is good for being a worker only. */
static bool has_role(TlsLink *l, const PkiCert *leaf)
{
        PkiNames names;

        if (pki_cert_names(leaf, &names) < 0)
                return false;
        if (names.role == (l->policy.server ? PKI_WORKER : PKI_HEAD))
                return true;
        l->facts.end = TLS_LINK_WRONG_ROLE;
        return false;
}

/* In place of OpenSSL's own look at a chain, which would begin with names and stores. */
static int on_verify(X509_STORE_CTX *store, void *userdata)
{
        SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
        TlsLink *l = SSL_get_app_data(ssl);
        _cleanup_(pki_cert_freep) PkiCert *leaf = NULL;

        bool good = pki_cert_share(X509_STORE_CTX_get0_cert(store), &leaf) >= 0 &&
                    verify(l, leaf, X509_STORE_CTX_get0_untrusted(store)) && has_role(l, leaf);
        if (good)
                l->peer = TAKE_PTR(leaf);
        ERR_clear_error();
        if (good)
                return 1;
        if (l->facts.end == TLS_LINK_RUNS)
                l->facts.end = TLS_LINK_NO_MEMBER;
        /* what the other side is told, in TLS's few words */
        X509_STORE_CTX_set_error(store, l->facts.defect == PKI_DEFECT_EXPIRED
                                                ? X509_V_ERR_CERT_HAS_EXPIRED
                                        : l->facts.defect == PKI_DEFECT_NOT_YET_VALID
                                                ? X509_V_ERR_CERT_NOT_YET_VALID
                                                : X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
        return 0;
}

/* --- the party ----------------------------------------------------------------------------------
 */

/* The server's choice: ours or none at all. */
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_size,
                   const unsigned char *in, unsigned in_size, void *userdata)
{
        TlsLink *l = SSL_get_app_data(ssl);
        unsigned char *chosen;

        if (SSL_select_next_proto(&chosen, out_size, alpn, sizeof(alpn) - 1, in, in_size) !=
            OPENSSL_NPN_NEGOTIATED) {
                l->facts.end = TLS_LINK_NO_ALPN;
                return SSL_TLSEXT_ERR_ALERT_FATAL;
        }
        *out = chosen;
        return SSL_TLSEXT_ERR_OK;
}

static SSL_CTX *new_context(const SSL_METHOD *method, bool server)
{
        SSL_CTX *s = SSL_CTX_new(method);
        if (!s)
                return NULL;
        SSL_CTX_set_cert_verify_callback(s, on_verify, NULL);
        SSL_CTX_set_verify(s, SSL_VERIFY_PEER, NULL);
        SSL_CTX_set_max_cert_list(s, (long)TLS_LINK_HANDSHAKE_MAX);
        SSL_CTX_set_session_cache_mode(s, SSL_SESS_CACHE_OFF);
        /* a thousand quiet connections need no buffers */
        (void)SSL_CTX_set_mode(s, SSL_MODE_ENABLE_PARTIAL_WRITE |
                                          SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                          SSL_MODE_RELEASE_BUFFERS);
        /* one record a call: a peer that floods with what is no data must not hold the loop */
        (void)SSL_CTX_clear_mode(s, SSL_MODE_AUTO_RETRY);
        if (server)
                SSL_CTX_set_alpn_select_cb(s, on_alpn, NULL);
        if (SSL_CTX_set_min_proto_version(s, TLS1_3_VERSION) != 1 ||
            SSL_CTX_set_num_tickets(s, 0) != 1 ||
            (!server && SSL_CTX_set_alpn_protos(s, alpn, sizeof(alpn) - 1) != 0)) {
                SSL_CTX_free(s);
                return NULL;
        }
        return s;
}

/* The authorities go along from a server: a machine that enrols knows them by their pin only. */
static int show_ourselves(const TlsParty *p, SSL_CTX *s, bool server)
{
        if (!p->cert)
                return 0;
        if (SSL_CTX_use_certificate(s, p->cert->x) != 1 || SSL_CTX_use_PrivateKey(s, p->key) != 1)
                return -EKEYREJECTED;
        for (size_t i = 0; i < p->n_cas && server; i++)
                if (SSL_CTX_add1_chain_cert(s, p->cas[i]->x) != 1)
                        return -ENOMEM;
        return 0;
}

static int get_context(TlsParty *p, bool server, SSL_CTX **ret)
{
        SSL_CTX **mine = server ? &p->server : &p->client;
        int r = 0;

        if (!*mine) {
                SSL_CTX *s =
                        new_context(server ? TLS_server_method() : TLS_client_method(), server);
                r = s ? show_ourselves(p, s, server) : -ENOMEM;
                ERR_clear_error();
                if (r >= 0)
                        *mine = s;
                else
                        SSL_CTX_free(s);
        }
        *ret = *mine;
        return r;
}

TlsParty *tls_party_ref(TlsParty *p)
{
        p->n_refs++;
        return p;
}

TlsParty *tls_party_unref(TlsParty *p)
{
        if (!p || --p->n_refs > 0)
                return NULL;
        for (size_t i = 0; i < p->n_cas; i++)
                pki_cert_free(p->cas[i]);
        SSL_CTX_free(p->server);
        SSL_CTX_free(p->client);
        pki_cert_free(p->cert);
        EVP_PKEY_free(p->key);
        BIO_meth_free(p->bio);
        free(p);
        return NULL;
}

static int keep_ourselves(TlsParty *p, const PkiKey *key, const PkiCert *cert)
{
        if (X509_check_private_key(cert->x, key->key) != 1)
                return -EKEYREJECTED;
        if (EVP_PKEY_up_ref(key->key) != 1)
                return -EIO;
        p->key = key->key;
        return pki_cert_share(cert->x, &p->cert);
}

int tls_party_new(const PkiKey *key, const PkiCert *cert, PkiCert *const *cas, size_t n_cas,
                  TlsParty **ret)
{
        _cleanup_(tls_party_unrefp) TlsParty *p = new0(TlsParty, 1);
        int r = 0;

        if (!p)
                return -ENOMEM;
        *p = (TlsParty){.n_refs = 1};
        if (!key != !cert || n_cas > PKI_BUNDLE_MAX)
                return -EINVAL;
        p->bio = tls_socket_method();
        if (!p->bio)
                r = -ENOMEM;
        if (r >= 0 && cert)
                r = keep_ourselves(p, key, cert);
        for (size_t i = 0; i < n_cas && r >= 0; i++) {
                r = pki_cert_share(cas[i]->x, &p->cas[i]);
                p->n_cas += r >= 0;
        }
        ERR_clear_error();
        if (r < 0)
                return r;
        *ret = TAKE_PTR(p);
        return 0;
}

/* --- what came of it ----------------------------------------------------------------------------
 */

static void on_info(const SSL *ssl, int where, int value)
{
        TlsLink *l = SSL_get_app_data(ssl);
        int alert = value & 0xff;

        if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT && alert != SSL_AD_CLOSE_NOTIFY &&
            alert != SSL_AD_USER_CANCELLED)
                l->facts.alert = alert;
}

/* An alert is the other side's word, unless we had one before. */
static int conclude_known(TlsLink *l)
{
        TlsLinkFacts *f = &l->facts;

        if (f->end != TLS_LINK_RUNS)
                return f->end == TLS_LINK_NO_ALPN ? -EPROTONOSUPPORT : -EKEYREJECTED;
        if (f->alert >= 0) {
                f->end = f->alert == SSL_AD_NO_APPLICATION_PROTOCOL ? TLS_LINK_NO_ALPN
                                                                    : TLS_LINK_REFUSED;
                return -ECONNREFUSED;
        }
        if (tls_sniff(l->socket.first, l->socket.n_first, NULL) == TLS_SNIFF_OTHER) {
                f->end = TLS_LINK_NOT_TLS;
                return -EPROTONOSUPPORT;
        }
        return 0;
}

/* The end, and why; the errno for the stream. */
static int conclude(TlsLink *l)
{
        TlsLinkFacts *f = &l->facts;

        int r = conclude_known(l);
        if (r < 0) {
                ERR_clear_error();
                return r;
        }
        if (l->socket.eof || l->socket.io_error > 0) {
                f->end = TLS_LINK_CLOSED;
                f->error = l->socket.io_error;
                ERR_clear_error();
                return f->error > 0 ? -f->error : -ECONNRESET;
        }
        f->end = TLS_LINK_BROKEN;
        tls_error_text(f->text, sizeof(f->text));
        if (!l->socket.over)
                return -EPROTO;
        str_copy(f->text, sizeof(f->text), "records without end");
        return -EMSGSIZE;
}

static int wait_or_conclude(TlsLink *l, int r, uint32_t *ret_events)
{
        switch (SSL_get_error(l->ssl, r)) {
        case SSL_ERROR_WANT_READ:
                *ret_events = EPOLLIN;
                return -EAGAIN;
        case SSL_ERROR_WANT_WRITE:
                *ret_events = EPOLLOUT;
                return -EAGAIN;
        case SSL_ERROR_ZERO_RETURN:
                l->socket.eof = true;
                return conclude(l);
        default:
                return conclude(l);
        }
}

/* --- the layer ----------------------------------------------------------------------------------
 */

/* A server of another kind may speak TLS and have no opinion on ALPN. */
static int check_alpn(TlsLink *l)
{
        const unsigned char *name;
        unsigned n;

        SSL_get0_alpn_selected(l->ssl, &name, &n);
        if (n == sizeof(alpn) - 2 && memcmp(name, alpn + 1, n) == 0)
                return 0;
        l->facts.end = TLS_LINK_NO_ALPN;
        return -EPROTONOSUPPORT;
}

/* OpenSSL makes its buffers, some 50 KiB, before it looks whether anything is there: a server does
 * not begin for one that has said nothing. */
static bool is_silent(TlsLink *l, int fd)
{
        char c;

        if (!l->silent)
                return false;
        l->silent = recv(fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
        return l->silent;
}

static int layer_handshake(void *layer, int fd, uint32_t *ret_events)
{
        TlsLink *l = layer;

        if (is_silent(l, fd)) {
                *ret_events = EPOLLIN;
                return -EAGAIN;
        }
        l->socket.fd = fd;
        ERR_clear_error();
        int r = SSL_do_handshake(l->ssl);
        if (r != 1)
                return wait_or_conclude(l, r, ret_events);
        l->facts.negotiated = true;
        l->socket.idle = 0;
        return check_alpn(l);
}

static ssize_t layer_read(void *layer, int fd, void *data, size_t size, uint32_t *ret_events)
{
        TlsLink *l = layer;

        l->socket.fd = fd;
        ERR_clear_error();
        int r = SSL_read(l->ssl, data, (int)MIN(size, (size_t)INT_MAX));
        if (r > 0) {
                l->socket.idle = 0;
                return r;
        }
        r = wait_or_conclude(l, r, ret_events);
        /* an orderly end is EOF */
        return l->facts.end == TLS_LINK_CLOSED && l->facts.error == 0 ? 0 : r;
}

static ssize_t layer_write(void *layer, int fd, const void *data, size_t size, uint32_t *ret_events)
{
        TlsLink *l = layer;

        l->socket.fd = fd;
        return tls_socket_write(&l->socket, l->ssl, data, size, ret_events);
}

static void layer_free(void *layer)
{
        tls_link_free(layer);
}

const StreamLayer tls_link_layer = {
        .handshake = layer_handshake,
        .read = layer_read,
        .write = layer_write,
        .free = layer_free,
};

/* --- the object ---------------------------------------------------------------------------------
 */

TlsLink *tls_link_free(TlsLink *l)
{
        if (!l)
                return NULL;
        SSL_free(l->ssl); /* and the BIO */
        pki_cert_free(l->peer);
        pki_cert_free(l->authority);
        tls_party_unref(l->party);
        free(l);
        return NULL;
}

int tls_link_new(TlsParty *party, const TlsLinkPolicy *policy, TlsLink **ret)
{
        bool trusts =
                party->n_cas > 0 || policy->n_pins > 0 || (policy->first_sight && !policy->server);
        SSL_CTX *context;

        if (policy->n_pins > TLS_LINK_PINS_MAX || !trusts || (policy->server && !party->cert))
                return -EINVAL;
        int r = get_context(party, policy->server, &context);
        if (r < 0)
                return r;
        _cleanup_(tls_link_freep) TlsLink *l = new0(TlsLink, 1);
        if (!l)
                return -ENOMEM;
        *l = (TlsLink){.party = tls_party_ref(party),
                       .policy = *policy,
                       .facts = {.alert = -1},
                       .silent = policy->server};
        tls_socket_init(&l->socket, TLS_LINK_HANDSHAKE_MAX);
        l->ssl = SSL_new(context);
        if (!l->ssl || tls_socket_attach(&l->socket, party->bio, l->ssl) < 0)
                return -ENOMEM;
        (void)SSL_set_app_data(l->ssl, l);
        SSL_set_info_callback(l->ssl, on_info);
        if (policy->server)
                SSL_set_accept_state(l->ssl);
        else
                SSL_set_connect_state(l->ssl);
        *ret = TAKE_PTR(l);
        return 0;
}

void tls_link_facts(const TlsLink *l, TlsLinkFacts *ret)
{
        *ret = l->facts;
}

const PkiCert *tls_link_peer(const TlsLink *l)
{
        return l->facts.negotiated ? l->peer : NULL;
}

bool tls_link_is_expired(const TlsLink *l)
{
        return l->facts.negotiated && l->expired;
}

const PkiCert *tls_link_authority(const TlsLink *l)
{
        return l->facts.negotiated ? l->authority : NULL;
}

int tls_link_export(const TlsLink *l, uint8_t ret[static TLS_LINK_EXPORT_SIZE])
{
        if (!l->facts.negotiated)
                return -ENOTCONN;
        if (SSL_export_keying_material(l->ssl, ret, TLS_LINK_EXPORT_SIZE, export_label,
                                       sizeof(export_label) - 1, NULL, 0, 0) == 1)
                return 0;
        ERR_clear_error();
        return -EIO;
}
