/* TLS as gRPC's servers have it: a certificate is demanded of whoever calls, and who shows none, or
 * one of another authority, is hung up on without a word. */
#pragma once

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>

#include "sys/stream.h"

static int fake_tls_end(SSL *ssl, int r, uint32_t *ret_events)
{
        int e = SSL_get_error(ssl, r);

        ERR_clear_error();
        *ret_events = e == SSL_ERROR_WANT_WRITE ? EPOLLOUT : EPOLLIN;
        return e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE ? -EAGAIN : -ECONNRESET;
}

static int fake_tls_handshake(void *layer, int fd, uint32_t *ret_events)
{
        SSL *ssl = layer;

        if (SSL_get_fd(ssl) < 0 && SSL_set_fd(ssl, fd) != 1)
                abort();
        int r = SSL_do_handshake(ssl);
        if (r != 1)
                return fake_tls_end(ssl, r, ret_events);
        return SSL_get0_peer_certificate(ssl) && SSL_get_verify_result(ssl) == X509_V_OK
                       ? 0
                       : -ECONNRESET;
}

/* A request is shorter than the record that a stream reads at once: nothing is left inside. */
static ssize_t fake_tls_read(void *layer, int fd, void *data, size_t size, uint32_t *ret_events)
{
        int r = SSL_read(layer, data, (int)size);

        if (r > 0)
                return r;
        bool eof = SSL_get_error(layer, r) == SSL_ERROR_ZERO_RETURN;
        return eof ? 0 : fake_tls_end(layer, r, ret_events);
}

static ssize_t fake_tls_write(void *layer, int fd, const void *data, size_t size,
                              uint32_t *ret_events)
{
        int r = SSL_write(layer, data, (int)size);

        return r > 0 ? r : fake_tls_end(layer, r, ret_events);
}

static void fake_tls_free(void *layer)
{
        SSL_free(layer);
}

static const StreamLayer fake_tls_layer = {
        .handshake = fake_tls_handshake,
        .read = fake_tls_read,
        .write = fake_tls_write,
        .free = fake_tls_free,
};

static int fake_tls_take_any(int good, X509_STORE_CTX *store)
{
        return 1;
}

static int fake_tls_choose_h2(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                              const unsigned char *in, unsigned in_len, void *userdata)
{
        *out = (const unsigned char *)"h2";
        *out_len = 2;
        return SSL_TLSEXT_ERR_OK;
}

/* "CA,CERT,KEY", as paths. */
static SSL_CTX *fake_tls_new(const char *files)
{
        char ca[256], cert[256], key[256];
        SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

        if (!ctx || sscanf(files, "%255[^,],%255[^,],%255s", ca, cert, key) != 3 ||
            SSL_CTX_load_verify_locations(ctx, ca, NULL) != 1 ||
            SSL_CTX_use_certificate_chain_file(ctx, cert) != 1 ||
            SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1) {
                ERR_print_errors_fp(stderr);
                exit(1);
        }
        (void)SSL_CTX_set_mode(ctx,
                               SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, fake_tls_take_any);
        SSL_CTX_set_alpn_select_cb(ctx, fake_tls_choose_h2, NULL);
        return ctx;
}

static void fake_tls_begin(SSL_CTX *ctx, Stream *stream)
{
        SSL *ssl = SSL_new(ctx);

        if (!ssl)
                abort();
        SSL_set_accept_state(ssl);
        stream_set_layer(stream, &fake_tls_layer, ssl);
}
