#include <arpa/inet.h>
#include <stdio.h>
#include <time.h>

#include "base/alloc.h"
#include "base/str.h"
#include "sys/tls-private.h"

/* Escaped, and with "..." where it is cut. */
static void copy_foreign(char *buf, size_t size, const char *s, size_t len)
{
        _cleanup_free_ char *clean = str_escape(s, MIN(len, size), 4 * size);

        str_copy(buf, size, strempty(clean));
        if (clean && (strlen(clean) >= size || len > size))
                memcpy(buf + size - 4, "...", 4);
}

void tls_name_format(char buf[TLS_CERT_NAME_MAX], const X509_NAME *name)
{
        _cleanup_(BIO_freep) BIO *b = BIO_new(BIO_s_mem());
        char *data = NULL;
        long n = 0;

        buf[0] = 0;
        if (b && name && X509_NAME_print_ex(b, name, 0, XN_FLAG_RFC2253) >= 0)
                n = BIO_get_mem_data(b, &data);
        if (n > 0)
                copy_foreign(buf, TLS_CERT_NAME_MAX, data, (size_t)n);
        ERR_clear_error();
}

/* "DNS:compute04", "IP:10.77.0.1"; false for what is neither. */
static bool format_alt_name(char *buf, size_t size, const GENERAL_NAME *g)
{
        char text[INET6_ADDRSTRLEN] = "";
        const ASN1_STRING *s;

        if (g->type == GEN_DNS) {
                s = g->d.dNSName;
                _cleanup_free_ char *clean = str_escape((const char *)ASN1_STRING_get0_data(s),
                                                        (size_t)ASN1_STRING_length(s), 64);
                (void)snprintf(buf, size, "DNS:%s", strempty(clean));
                return true;
        }
        if (g->type != GEN_IPADD)
                return false;
        s = g->d.iPAddress;
        int n = ASN1_STRING_length(s);
        if (n != 4 && n != 16)
                return false;
        (void)inet_ntop(n == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(s), text, sizeof(text));
        (void)snprintf(buf, size, "IP:%s", text);
        return true;
}

static void read_names(TlsCert *c, X509 *x)
{
        GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
        const size_t room = sizeof(c->names) - sizeof(", and 1000000 more");
        size_t len = 0;
        int left = 0;

        for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
                char one[80];
                if (!format_alt_name(one, sizeof(one), sk_GENERAL_NAME_value(names, i)) ||
                    left > 0 || len + strlen(one) + 2 > room) {
                        left++;
                        continue;
                }
                len += (size_t)snprintf(c->names + len, sizeof(c->names) - len, "%s%s",
                                        len > 0 ? ", " : "", one);
        }
        if (left > 0)
                (void)snprintf(c->names + len, sizeof(c->names) - len, "%s%d more",
                               len > 0 ? ", and " : "", left);
        GENERAL_NAMES_free(names);
}

static usec_t read_time(const ASN1_TIME *t, usec_t unknown)
{
        struct tm tm;

        if (!t || !ASN1_TIME_to_tm(t, &tm))
                return unknown;
        time_t s = timegm(&tm);
        return s < 0 ? 0 : (usec_t)s * USEC_PER_SEC;
}

static void read_fingerprint(TlsCert *c, const X509 *x)
{
        unsigned char md[EVP_MAX_MD_SIZE];
        unsigned n = 0;

        if (!X509_digest(x, EVP_sha256(), md, &n))
                return;
        for (size_t i = 0, len = 0; i < n && len < sizeof(c->sha256); i++)
                len += (size_t)snprintf(c->sha256 + len, sizeof(c->sha256) - len, "%s%02X",
                                        i > 0 ? ":" : "", md[i]);
}

void tls_cert_read(TlsCert *c, X509 *x)
{
        *c = (TlsCert){.known = true};
        tls_name_format(c->subject, X509_get_subject_name(x));
        tls_name_format(c->issuer, X509_get_issuer_name(x));
        read_names(c, x);
        read_fingerprint(c, x);
        c->not_before = read_time(X509_get0_notBefore(x), 0);
        c->not_after = read_time(X509_get0_notAfter(x), USEC_INFINITY);
        ERR_clear_error();
}

void tls_error_text(char *buf, size_t size)
{
        const char *reason = ERR_reason_error_string(ERR_peek_last_error());

        str_copy(buf, size, reason ? reason : "for no reason that OpenSSL names");
        ERR_clear_error();
}
