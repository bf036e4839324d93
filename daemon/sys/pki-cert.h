/* A certificate of the cluster's own PKI: read, shown, verified. Times are Unix time and always
 * somebody else's: there is no clock in here. */
#pragma once

#include "base/time.h"
#include "sys/pki-key.h"
#include "sys/pki-names.h"

/* Longest DER certificate read. Ours have 400 bytes to one KiB. */
#define PKI_CERT_MAX ((size_t)8 << 10)
/* A certificate, the CA, its successor, and as many again by mistake. */
#define PKI_BUNDLE_MAX 5
/* At most 20 octets (RFC 5280 4.1.2.2). */
#define PKI_SERIAL_MAX (2 * 20 + 1)

typedef struct PkiCert PkiCert;

/* Reading, for all: -EBADMSG: not a certificate, or one whose dates or serial number (positive, of
 * at most 20 octets) cannot be read. -EMSGSIZE: longer than PKI_CERT_MAX. -ENOMEM, -EIO. The key
 * may be of any kind; whether it is ours is for pki_cert_verify() to say. */

/* Nothing may follow: -EBADMSG. */
int pki_cert_from_der(const void *der, size_t n, PkiCert **ret);
/* The first certificate of a PEM text (RFC 7468); what follows is not looked at. -EBADMSG: there is
 * none. -EMSGSIZE: longer than PKI_PEM_MAX. */
int pki_cert_from_pem(const void *pem, size_t n, PkiCert **ret);
PkiCert *pki_cert_free(PkiCert *c);
DEFINE_CLEANUP(PkiCert *, pki_cert_free);

typedef struct PkiBundle {
        PkiCert *certs[PKI_BUNDLE_MAX]; /* owned */
        size_t n;
} PkiBundle;

/* All certificates of a PEM text, in its order. As pki_cert_from_pem(), for each of them; -E2BIG:
 * more than PKI_BUNDLE_MAX. */
int pki_bundle_from_pem(const void *pem, size_t n, PkiBundle *ret);
void pki_bundle_done(PkiBundle *b);

/* Both append. -EMSGSIZE, -ENOMEM, -EIO. */
int pki_cert_to_der(const PkiCert *c, Buf *ret);
int pki_cert_to_pem(const PkiCert *c, Buf *ret);

/* Of its public key. */
void pki_cert_pin(const PkiCert *c, uint8_t ret[static PKI_PIN_SIZE]);
/* Both to the second. not_before is 0 for what lies before 1970, not_after USEC_INFINITY for
 * 99991231235959Z, which is no end (RFC 5280 4.1.2.5). At not_after itself it is over, which is how
 * OpenSSL has it. */
void pki_cert_dates(const PkiCert *c, usec_t *ret_not_before, usec_t *ret_not_after);
/* Hex digits in lower case, two an octet, without leading zero octets; 32 for what we issue. */
const char *pki_cert_serial(const PkiCert *c);
/* Whom it is for, as the certificate says: to be believed when it is verified. -EBADMSG: no URI or
 * more than one, one that is not ours, a CA that calls itself a node or the reverse, over
 * PKI_ADDRS_MAX addresses, or a common name that is missing, long or not printable ASCII. Names of
 * other kinds (DNS, mail) are not looked at. -ENOMEM. */
int pki_cert_names(const PkiCert *c, PkiNames *ret);

/* The signature alone: neither names nor dates nor what ca may do. */
bool pki_cert_is_signed_by(const PkiCert *c, const PkiCert *ca);

/* In the order in which they are looked for: a stranger's is untrusted, whatever else is wrong with
 * it. BROKEN may come at any point. */
typedef enum PkiDefect {
        PKI_DEFECT_NONE,
        PKI_DEFECT_UNTRUSTED,     /* signed by none of the CAs, or by one that may not */
        PKI_DEFECT_NOT_YET_VALID, /* it, or its CA */
        PKI_DEFECT_EXPIRED,       /* it, or its CA */
        PKI_DEFECT_NOT_A_NODE,    /* a CA, or not for both ends of TLS (RFC 5280 4.2.1.12) */
        PKI_DEFECT_BROKEN,        /* breaks a rule of RFC 5280 */
        _PKI_DEFECT_MAX,
        _PKI_DEFECT_INVALID = -EINVAL,
} PkiDefect;

DECLARE_STRTAB(pki_defect, PkiDefect);

/* Is leaf, at the time now, the certificate of a node that one of cas[0..n-1] signed? (RFC 5280 6,
 * with OpenSSL's strict rules.) *ret_defect is set when 0 is returned; -ENOMEM and -EIO: it could
 * not be found out. */
int pki_cert_verify(const PkiCert *leaf, PkiCert *const *cas, size_t n, usec_t now,
                    PkiDefect *ret_defect);
