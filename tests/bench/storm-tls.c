/* OpenSSL alone: what one connection of the same kind takes of a server's memory. Bare SSL objects
 * after a mutual handshake of TLS 1.3 with the certificates of a head and of one of its workers, no
 * tickets, buffers given back; the clients are gone, and so are the pipes in between, which would
 * count for OpenSSL.
 *
 *   storm-tls HEAD.pem WORKER.pem AUTHORITY.pem N -> bytes on the heap and resident, each
 */
#include <malloc.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "storm.h"

static SSL_CTX *context(const SSL_METHOD *method, const char *own, const char *ca)
{
        SSL_CTX *c = SSL_CTX_new(method);

        if (!c || SSL_CTX_use_certificate_chain_file(c, own) != 1 ||
            SSL_CTX_use_PrivateKey_file(c, own, SSL_FILETYPE_PEM) != 1 ||
            SSL_CTX_load_verify_file(c, ca) != 1 ||
            SSL_CTX_set_min_proto_version(c, TLS1_3_VERSION) != 1 ||
            SSL_CTX_set_num_tickets(c, 0) != 1)
                STORM_DIE("%s: %s", own, ERR_reason_error_string(ERR_peek_error()));
        SSL_CTX_set_verify(c, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
        SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
        (void)SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS);
        return c;
}

/* In place of a connection. */
static void join_up(SSL *server, SSL *client)
{
        BIO *a = NULL, *b = NULL;

        if (!server || !client || BIO_new_bio_pair(&a, 0, &b, 0) != 1)
                STORM_DIE("out of memory");
        SSL_set_bio(server, a, a);
        SSL_set_bio(client, b, b);
        SSL_set_accept_state(server);
        SSL_set_connect_state(client);
}

static SSL *one(SSL_CTX *server, SSL_CTX *client)
{
        SSL *s = SSL_new(server), *c = SSL_new(client);
        char byte = 0;

        join_up(s, c);
        for (int turn = 0; turn < 8; turn++) {
                (void)SSL_do_handshake(c);
                (void)SSL_do_handshake(s);
        }
        /* one record each way: as much as a connection that is in use */
        if (SSL_write(c, "", 1) != 1 || SSL_read(s, &byte, 1) != 1 || SSL_write(s, "", 1) != 1 ||
            SSL_get_verify_result(s) != X509_V_OK || !SSL_get0_peer_certificate(s))
                STORM_DIE("no handshake: %s", ERR_reason_error_string(ERR_peek_error()));
        SSL_free(c);
        SSL_set_bio(s, NULL, NULL);
        return s;
}

static size_t resident(void)
{
        FILE *f = fopen("/proc/self/statm", "re");
        size_t all, pages;

        if (!f || fscanf(f, "%zu %zu", &all, &pages) != 2)
                STORM_DIE("/proc/self/statm: %m");
        (void)fclose(f);
        return pages * (size_t)sysconf(_SC_PAGESIZE);
}

int main(int argc, char **argv)
{
        if (argc != 5)
                STORM_DIE("storm-tls HEAD.pem WORKER.pem AUTHORITY.pem N");
        SSL_CTX *server = context(TLS_server_method(), argv[1], argv[3]);
        SSL_CTX *client = context(TLS_client_method(), argv[2], argv[3]);
        size_t n = (size_t)atoi(argv[4]);
        SSL **all = calloc(n, sizeof(SSL *));

        if (!all || n == 0)
                STORM_DIE("how many?");
        SSL_free(one(server, client)); /* what OpenSSL keeps from its first time on */
        size_t heap = mallinfo2().uordblks, rss = resident();
        for (size_t i = 0; i < n; i++)
                all[i] = one(server, client);
        printf("heap %zu rss %zu\n", (mallinfo2().uordblks - heap) / n, (resident() - rss) / n);
        for (size_t i = 0; i < n; i++)
                SSL_free(all[i]);
        free(all);
        SSL_CTX_free(server);
        SSL_CTX_free(client);
        return EXIT_SUCCESS;
}
