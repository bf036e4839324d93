#include "wire/tls-record.h"

#include "base/macro.h"

#define RECORD_ALERT     21
#define RECORD_HANDSHAKE 22
#define MAJOR            3 /* of every version since SSL 3.0 */
#define RECORD_HEAD      5
/* a ciphertext may be this much longer than 2^14 (RFC 5246 6.2.3) */
#define RECORD_MAX ((1 << 14) + 2048)

static const char *const alert_table[] = {
        [0] = "close notify",
        [10] = "unexpected message",
        [20] = "bad record mac",
        [21] = "decryption failed",
        [22] = "record overflow",
        [30] = "decompression failure",
        [40] = "handshake failure",
        [41] = "no certificate",
        [42] = "bad certificate",
        [43] = "unsupported certificate",
        [44] = "certificate revoked",
        [45] = "certificate expired",
        [46] = "certificate unknown",
        [47] = "illegal parameter",
        [48] = "unknown ca",
        [49] = "access denied",
        [50] = "decode error",
        [51] = "decrypt error",
        [60] = "export restriction",
        [70] = "protocol version",
        [71] = "insufficient security",
        [80] = "internal error",
        [86] = "inappropriate fallback",
        [90] = "user canceled",
        [100] = "no renegotiation",
        [109] = "missing extension",
        [110] = "unsupported extension",
        [111] = "certificate unobtainable",
        [112] = "unrecognized name",
        [113] = "bad certificate status response",
        [114] = "bad certificate hash value",
        [115] = "unknown psk identity",
        [TLS_ALERT_CERTIFICATE_REQUIRED] = "certificate required",
        [TLS_ALERT_NO_APPLICATION_PROTOCOL] = "no application protocol",
};

TlsSniff tls_sniff(const uint8_t *data, size_t n, int *ret_alert)
{
        if (ret_alert)
                *ret_alert = -1;
        if (n >= 1 && data[0] != RECORD_ALERT && data[0] != RECORD_HANDSHAKE)
                return TLS_SNIFF_OTHER;
        if (n >= 2 && data[1] != MAJOR)
                return TLS_SNIFF_OTHER;
        if (n < RECORD_HEAD)
                return TLS_SNIFF_MORE;
        unsigned size = (unsigned)data[3] << 8 | data[4];
        if (size == 0 || size > RECORD_MAX)
                return TLS_SNIFF_OTHER;
        if (data[0] == RECORD_HANDSHAKE)
                return TLS_SNIFF_HANDSHAKE;
        /* level, description */
        if (ret_alert && n >= RECORD_HEAD + 2)
                *ret_alert = data[RECORD_HEAD + 1];
        return TLS_SNIFF_ALERT;
}

const char *tls_alert_name(int alert)
{
        return alert >= 0 && (size_t)alert < ELEMENTSOF(alert_table) ? alert_table[alert] : NULL;
}

bool tls_alert_is_about_certificate(int alert)
{
        return (alert >= 41 && alert <= 46) || (alert >= 48 && alert <= 49) || alert == 51 ||
               alert == TLS_ALERT_CERTIFICATE_REQUIRED;
}
