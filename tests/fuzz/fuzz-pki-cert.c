/* Any bytes as a certificate, DER or PEM: what is said of it holds, and only what our CA signed is
 * a node of ours. */
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

#include "sys/pki-cert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* 2027-01-15, when the certificates of the corpus are good. */
#define NOW (1800000000 * USEC_PER_SEC)

/* The CA of the corpus, whose key nobody has any more. */
static const char ca_pem[] = "-----BEGIN CERTIFICATE-----\n"
                             "MIIBlzCCAT2gAwIBAgIRAJ2Xc4z7bSTY6FgtiURmjVcwCgYIKoZIzj0EAwIwHDEa\n"
                             "MBgGA1UEAwwRcmF5Y2x1c3RlciBDQSBsYWIwIBcNMjcwMTA1MDgwMDAwWhgPOTk5\n"
                             "OTEyMzEyMzU5NTlaMBwxGjAYBgNVBAMMEXJheWNsdXN0ZXIgQ0EgbGFiMFkwEwYH\n"
                             "KoZIzj0CAQYIKoZIzj0DAQcDQgAE0dO85H5jDnoGhgbuJgZYcmnhxg4BpTzMNH6U\n"
                             "v0+S6oM9pdgJ6gjkyBbVljQt+086EBH+u724Qye3TtO5eSiE6aNeMFwwEgYDVR0T\n"
                             "AQH/BAgwBgEB/wIBADAOBgNVHQ8BAf8EBAMCAQYwHQYDVR0OBBYEFFRm4a9HFUx2\n"
                             "69Unw8Unbyy2uqCkMBcGA1UdEQQQMA6GDHNwaWZmZTovL2xhYjAKBggqhkjOPQQD\n"
                             "AgNIADBFAiEAz7fHX/oTgziuYYBAib7/k5hX88TvwksiVTAfMm8cf7kCIGTOTykJ\n"
                             "w1GCKRaAZKaIKs5MVuxf51mpcSWKjYi6xn5y\n"
                             "-----END CERTIFICATE-----\n";

static void check_text(const char *s, size_t size)
{
        size_t n = strnlen(s, size);

        if (n == size)
                abort();
        for (size_t i = 0; i < n; i++)
                if (s[i] < 0x20 || s[i] > 0x7e)
                        abort();
}

static void check_names(const PkiCert *c)
{
        PkiNames n;

        int r = pki_cert_names(c, &n);
        if (r == -EBADMSG)
                return;
        if (r < 0 || !pki_label_is_valid(n.cluster) || n.n_addrs > PKI_ADDRS_MAX ||
            !pki_role_to_string(n.role) ||
            (n.role == PKI_CA ? n.node[0] : !pki_label_is_valid(n.node)))
                abort();
        check_text(n.name, sizeof(n.name));
        for (size_t i = 0; i < n.n_addrs; i++)
                if (!addr_is_set(&n.addrs[i]))
                        abort();
}

static void check_verdict(const PkiCert *c)
{
        static PkiCert *ca;
        PkiDefect defect;

        if (!ca && pki_cert_from_pem(ca_pem, sizeof(ca_pem) - 1, &ca) < 0)
                abort();
        if (pki_cert_verify(c, &ca, 1, NOW, &defect) < 0 || !pki_defect_to_string(defect))
                abort();
        if (defect == PKI_DEFECT_NONE && !pki_cert_is_signed_by(c, ca))
                abort();
        if (pki_cert_is_signed_by(c, ca) && defect == PKI_DEFECT_UNTRUSTED)
                abort();
}

/* Written out and read again it is the same. */
static void check_again(const PkiCert *c)
{
        _cleanup_(pki_cert_freep) PkiCert *by_der = NULL, *by_pem = NULL;
        _cleanup_buf_ Buf der = {0}, pem = {0};
        uint8_t a[PKI_PIN_SIZE], b[PKI_PIN_SIZE];

        if (pki_cert_to_der(c, &der) < 0 || pki_cert_to_pem(c, &pem) < 0 ||
            pki_cert_from_der(buf_data(&der), buf_size(&der), &by_der) < 0 ||
            pki_cert_from_pem(buf_data(&pem), buf_size(&pem), &by_pem) < 0)
                abort();
        pki_cert_pin(c, a);
        pki_cert_pin(by_pem, b);
        if (memcmp(a, b, PKI_PIN_SIZE) != 0 || !streq(pki_cert_serial(c), pki_cert_serial(by_der)))
                abort();
}

static void check(const PkiCert *c)
{
        usec_t from, until;

        check_text(pki_cert_serial(c), PKI_SERIAL_MAX);
        pki_cert_dates(c, &from, &until);
        if (isempty(pki_cert_serial(c)) || from % USEC_PER_SEC != 0)
                abort();
        check_names(c);
        check_verdict(c);
        check_again(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_(pki_bundle_done) PkiBundle all = {0};
        _cleanup_(pki_cert_freep) PkiCert *c = NULL;

        int r = pki_cert_from_der(data, size, &c);
        if (ERR_peek_error() || (r < 0) != !c || (size > PKI_CERT_MAX && r != -EMSGSIZE))
                abort();
        if (c)
                check(c);
        r = pki_bundle_from_pem(data, size, &all);
        if (ERR_peek_error() || (r < 0) != (all.n == 0))
                abort();
        for (size_t i = 0; i < all.n; i++)
                check(all.certs[i]);
        if (ERR_peek_error())
                abort();
        return 0;
}
