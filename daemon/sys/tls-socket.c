/* OpenSSL's own socket BIO raises SIGPIPE and shows nothing of what comes. Without read-ahead it is
 * asked for exactly one record's head, then for its body. */
#include <sys/epoll.h>
#include <sys/socket.h>

#include "sys/tls-private.h"

static int on_read(BIO *b, char *data, int size)
{
        TlsSocket *s = BIO_get_data(b);

        BIO_clear_retry_flags(b);
        if (s->idle > s->idle_max) {
                s->over = true;
                return -1;
        }
        ssize_t n = recv(s->fd, data, (size_t)size, MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
                BIO_set_retry_read(b);
                return -1;
        }
        if (n < 0)
                s->io_error = errno;
        if (n == 0)
                s->eof = true;
        if (n <= 0)
                return (int)n;
        s->idle += (size_t)n;
        if (s->n_first < sizeof(s->first)) {
                size_t take = MIN((size_t)n, sizeof(s->first) - s->n_first);
                memcpy(s->first + s->n_first, data, take);
                s->n_first += take;
        }
        return (int)n;
}

static int on_write(BIO *b, const char *data, int size)
{
        TlsSocket *s = BIO_get_data(b);

        BIO_clear_retry_flags(b);
        ssize_t n = send(s->fd, data, (size_t)size, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                BIO_set_retry_write(b);
        else if (n < 0)
                s->io_error = errno;
        return (int)n;
}

static long on_ctrl(BIO *b, int cmd, long num, void *data)
{
        return cmd == BIO_CTRL_FLUSH; /* nothing is kept here */
}

BIO_METHOD *tls_socket_method(void)
{
        BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "stream");
        if (!m)
                return NULL;
        (void)BIO_meth_set_read(m, on_read);
        (void)BIO_meth_set_write(m, on_write);
        (void)BIO_meth_set_ctrl(m, on_ctrl);
        return m;
}

void tls_socket_init(TlsSocket *s, size_t idle_max)
{
        *s = (TlsSocket){.fd = -EBADF, .idle_max = idle_max};
}

int tls_socket_attach(TlsSocket *s, const BIO_METHOD *method, SSL *ssl)
{
        BIO *b = BIO_new(method);
        if (!b)
                return -ENOMEM;
        BIO_set_data(b, s);
        BIO_set_init(b, 1);
        SSL_set_bio(ssl, b, b);
        return 0;
}

ssize_t tls_socket_write(TlsSocket *s, SSL *ssl, const void *data, size_t size,
                         uint32_t *ret_events)
{
        ERR_clear_error();
        int r = SSL_write(ssl, data, (int)MIN(size, (size_t)INT_MAX));
        if (r > 0)
                return r;
        switch (SSL_get_error(ssl, r)) {
        case SSL_ERROR_WANT_READ:
                *ret_events = EPOLLIN;
                return -EAGAIN;
        case SSL_ERROR_WANT_WRITE:
                *ret_events = EPOLLOUT;
                return -EAGAIN;
        default:
                ERR_clear_error();
                int error = s->io_error;
                s->io_error = 0;
                return error > 0 ? -error : -EPIPE;
        }
}
