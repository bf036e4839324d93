/* What a TLS connection shows in the clear: whether it is TLS at all, and the number of an alert
 * (RFC 8446 5.1 and 6, RFC 5246 7.2). A pure parser of foreign bytes. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum TlsSniff {
        TLS_SNIFF_MORE,      /* as far as it goes it may be TLS */
        TLS_SNIFF_HANDSHAKE, /* a handshake record: a server's ServerHello */
        TLS_SNIFF_ALERT,     /* an alert in the clear; *ret_alert */
        TLS_SNIFF_OTHER,     /* no TLS: a server begins with none of the other records */
} TlsSniff;

/* The first bytes of a server's side. *ret_alert: 0 to 255; -1 as long as the byte is not there.
 * May be NULL. */
TlsSniff tls_sniff(const uint8_t *data, size_t n, int *ret_alert);

/* "certificate required"; NULL for a number that has no name. */
const char *tls_alert_name(int alert);

/* Alerts that say: the certificate you sent, or did not send, is the reason. */
#define TLS_ALERT_CERTIFICATE_EXPIRED  45
#define TLS_ALERT_CERTIFICATE_REQUIRED 116
bool tls_alert_is_about_certificate(int alert);
/* No protocol of the other's list (ALPN) is spoken here. */
#define TLS_ALERT_NO_APPLICATION_PROTOCOL 120
