/* Any bytes as a certificate request: what is taken is a key, and the certificate made of it has
 * that key and the names that we chose. */
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

#include "sys/pki-ca.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define DAY (24 * 60 * USEC_PER_MIN)

static const PkiNames names = {
        .role = PKI_WORKER, .cluster = "lab", .node = "w1", .name = "compute04"};

static void issue(const PkiRequest *q)
{
        static PkiKey *key;
        static PkiCert *ca;
        _cleanup_(pki_cert_freep) PkiCert *c = NULL;
        uint8_t of_request[PKI_PIN_SIZE], of_cert[PKI_PIN_SIZE];
        PkiDefect defect;
        PkiNames n;

        if (!ca && (pki_key_new(&key) < 0 || pki_ca_new(key, "lab", 0, 9 * DAY, &ca) < 0))
                abort();
        if (pki_issue(key, ca, q, &names, DAY, 2 * DAY, &c) < 0 || pki_cert_names(c, &n) < 0 ||
            !streq(n.node, "w1") || n.role != PKI_WORKER)
                abort();
        pki_request_pin(q, of_request);
        pki_cert_pin(c, of_cert);
        if (memcmp(of_request, of_cert, PKI_PIN_SIZE) != 0 ||
            pki_cert_verify(c, &ca, 1, DAY, &defect) < 0 || defect != PKI_DEFECT_NONE)
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_(pki_request_freep) PkiRequest *q = NULL;

        int r = pki_request_read(data, size, &q);
        if (ERR_peek_error() || (r < 0) != !q || (size > PKI_REQUEST_MAX && r != -EMSGSIZE))
                abort();
        if (q)
                issue(q);
        return 0;
}
