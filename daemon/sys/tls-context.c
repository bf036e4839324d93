#include "sys/tls-context.h"

#include <openssl/pem.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/fd.h"
#include "base/str.h"
#include "sys/tls-private.h"

/* A chain of certificates that a server sends has some KiB; OpenSSL's own bound is 100. */
#define CERT_LIST_MAX (64 << 10)

TlsContext *tls_context_free(TlsContext *c)
{
        if (!c)
                return NULL;
        sk_X509_pop_free(c->cas, X509_free);
        sk_X509_pop_free(c->chain, X509_free);
        SSL_CTX_free(c->ssl);
        BIO_meth_free(c->bio);
        free(c->ca_file);
        free(c->cert_file);
        free(c);
        return NULL;
}

const char *tls_context_ca_file(const TlsContext *c)
{
        return strempty(c->ca_file);
}

const char *tls_context_cert_file(const TlsContext *c)
{
        return strempty(c->cert_file);
}

static int mistake(TlsMistake *m, TlsFile file, int r, const char *text)
{
        *m = (TlsMistake){.file = file};
        str_copy(m->text, sizeof(m->text), text);
        ERR_clear_error();
        return r;
}

static int read_pem(const char *path, TlsFile file, TlsMistake *m, char **ret, size_t *ret_size)
{
        int r = read_file(path, TLS_FILE_MAX, ret, ret_size);
        if (r < 0)
                return mistake(m, file, r, strerror(-r));
        return 0;
}

/* Without one OpenSSL asks the terminal, for whatever calls itself encrypted. */
static int no_passphrase(char *buf, int size, int rwflag, void *userdata)
{
        *(bool *)userdata = true;
        return 0;
}

/* All certificates of a file. */
static int read_certs(const char *path, TlsFile file, TlsMistake *m, STACK_OF(X509) * *ret)
{
        _cleanup_free_ char *text = NULL;
        _cleanup_(BIO_freep) BIO *b = NULL;
        bool asked = false;
        size_t size;

        int r = read_pem(path, file, m, &text, &size);
        if (r < 0)
                return r;
        b = BIO_new_mem_buf(text, (int)size);
        STACK_OF(X509) *all = sk_X509_new_null();
        X509 *x;
        while (b && all && (x = PEM_read_bio_X509(b, NULL, no_passphrase, &asked)))
                if (!sk_X509_push(all, x)) {
                        X509_free(x);
                        break;
                }
        bool whole = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
        if (sk_X509_num(all) > 0 && whole) {
                ERR_clear_error();
                *ret = all;
                return 0;
        }
        r = sk_X509_num(all) > 0 || !whole
                    ? mistake(m, file, -EBADMSG, "is damaged: a certificate in it cannot be read")
                    : mistake(m, file, -EBADMSG, "is not PEM: there is no certificate in it");
        sk_X509_pop_free(all, X509_free);
        return r;
}

static int read_key(const char *path, TlsMistake *m, EVP_PKEY **ret)
{
        _cleanup_free_ char *text = NULL;
        _cleanup_(BIO_freep) BIO *b = NULL;
        size_t size;
        bool asked = false;

        int r = read_pem(path, TLS_FILE_KEY, m, &text, &size);
        if (r < 0)
                return r;
        b = BIO_new_mem_buf(text, (int)size);
        *ret = b ? PEM_read_bio_PrivateKey(b, NULL, no_passphrase, &asked) : NULL;
        explicit_bzero(text, size);
        if (*ret) {
                ERR_clear_error();
                return 0;
        }
        return mistake(m, TLS_FILE_KEY, -EBADMSG,
                       asked ? "wants a passphrase, which nobody could give to Ray"
                             : "is not PEM: there is no private key in it");
}

static int take_cas(TlsContext *c, const char *path, TlsMistake *m)
{
        X509_STORE *store = SSL_CTX_get_cert_store(c->ssl);

        if (!path)
                return SSL_CTX_set_default_verify_paths(c->ssl) == 1 ? 0 : -EIO;
        int r = read_certs(path, TLS_FILE_CA, m, &c->cas);
        if (r < 0)
                return r;
        for (int i = 0; i < sk_X509_num(c->cas); i++)
                if (X509_STORE_add_cert(store, sk_X509_value(c->cas, i)) != 1)
                        return -ENOMEM;
        return 0;
}

/* Ray has one CA file for both directions: what we would not accept from others, others will hardly
 * accept from us. */
static bool is_trusted(X509_STORE *store, X509 *own, STACK_OF(X509) * chain)
{
        X509_STORE_CTX *v = X509_STORE_CTX_new();
        bool good = v && X509_STORE_CTX_init(v, store, own, chain) == 1;

        if (good) {
                X509_STORE_CTX_set_flags(v, X509_V_FLAG_NO_CHECK_TIME);
                good = X509_verify_cert(v) == 1;
        }
        X509_STORE_CTX_free(v);
        ERR_clear_error();
        return good;
}

static int take_own(TlsContext *c, const TlsFiles *files, TlsMistake *m)
{
        _cleanup_(EVP_PKEY_freep) EVP_PKEY *key = NULL;
        char text[sizeof(m->text)];

        if (!files->cert)
                return 0;
        int r = read_certs(files->cert, TLS_FILE_CERT, m, &c->chain);
        if (r >= 0)
                r = read_key(files->key, m, &key);
        if (r < 0)
                return r;
        X509 *own = sk_X509_value(c->chain, 0);
        tls_cert_read(&c->own, own);
        c->own_trusted = is_trusted(SSL_CTX_get_cert_store(c->ssl), own, c->chain);
        if (SSL_CTX_use_certificate(c->ssl, own) != 1) {
                tls_error_text(text, sizeof(text));
                return mistake(m, TLS_FILE_CERT, -EBADMSG, text);
        }
        for (int i = 1; i < sk_X509_num(c->chain); i++)
                if (SSL_CTX_add1_chain_cert(c->ssl, sk_X509_value(c->chain, i)) != 1)
                        return -ENOMEM;
        if (X509_check_private_key(own, key) != 1) {
                (void)snprintf(text, sizeof(text), "does not belong to the certificate in %s",
                               files->cert);
                return mistake(m, TLS_FILE_KEY, -EBADMSG, text);
        }
        if (SSL_CTX_use_PrivateKey(c->ssl, key) != 1) {
                tls_error_text(text, sizeof(text));
                return mistake(m, TLS_FILE_KEY, -EBADMSG, text);
        }
        return 0;
}

/* As gRPC has it: TLS 1.2 at least, a certificate of the file is trusted whoever signed it, and no
 * opinion on the strength of keys, which BoringSSL has not either. What we would refuse and Ray
 * would not is not Ray's trouble. */
static int set_rules(SSL_CTX *s)
{
        static const unsigned char alpn[] = {2, 'h', '2'};

        SSL_CTX_set_security_level(s, 0);
        SSL_CTX_set_max_cert_list(s, CERT_LIST_MAX);
        SSL_CTX_set_session_cache_mode(s, SSL_SESS_CACHE_OFF);
        (void)SSL_CTX_set_options(s, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
        (void)SSL_CTX_set_mode(s,
                               SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
        /* one record a call: a peer that floods with what is no data must not hold the loop */
        (void)SSL_CTX_clear_mode(s, SSL_MODE_AUTO_RETRY);
        if (X509_STORE_set_flags(SSL_CTX_get_cert_store(s), X509_V_FLAG_PARTIAL_CHAIN) != 1 ||
            SSL_CTX_set_min_proto_version(s, TLS1_2_VERSION) != 1 ||
            SSL_CTX_set_alpn_protos(s, alpn, sizeof(alpn)) != 0)
                return -EIO;
        return 0;
}

int tls_context_new(const TlsFiles *files, TlsMistake *reterr, TlsContext **ret)
{
        _cleanup_(tls_context_freep) TlsContext *c = new0(TlsContext, 1);
        if (!c)
                return -ENOMEM;
        if (!files->cert != !files->key)
                return mistake(reterr, files->cert ? TLS_FILE_CERT : TLS_FILE_KEY, -EINVAL,
                               files->cert ? "has no key to go with it"
                                           : "has no certificate to go with it");
        ERR_clear_error();
        c->bio = tls_socket_method();
        c->ssl = SSL_CTX_new(TLS_client_method());
        if (!c->bio || !c->ssl)
                return -EIO;
        int r = set_rules(c->ssl);
        if (r >= 0)
                r = free_and_strdup(&c->ca_file, files->ca);
        if (r >= 0)
                r = free_and_strdup(&c->cert_file, files->cert);
        if (r >= 0)
                r = take_cas(c, files->ca, reterr);
        if (r >= 0)
                r = take_own(c, files, reterr);
        ERR_clear_error();
        if (r < 0)
                return r;
        *ret = TAKE_PTR(c);
        return 0;
}
