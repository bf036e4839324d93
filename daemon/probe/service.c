#include "probe/service.h"

#include "wire/tls-record.h"

#define H2_HEADER    9
#define H2_SETTINGS  4
#define SETTING_SIZE 6
#define GRPC_CORE_ID 0xfe03
/* gRPC core sends six settings; a list longer than this is of another make */
#define SETTINGS_BYTES_MAX 240

static const char *const service_kind_table[_SERVICE_KIND_MAX] = {
        [SERVICE_UNKNOWN] = "nothing", [SERVICE_GRPC] = "gRPC",
        [SERVICE_HTTP2] = "HTTP/2",    [SERVICE_HTTP1] = "HTTP/1",
        [SERVICE_REDIS] = "Redis",     [SERVICE_SSH] = "SSH",
        [SERVICE_TLS] = "TLS",         [SERVICE_OTHER] = "an unknown service",
        [SERVICE_CLOSED] = "closed",
};

DEFINE_STRTAB(service_kind, ServiceKind);

/* 1 = begins with it, 0 = may still, -1 = no */
static int begins(const uint8_t *data, size_t n, const char *prefix)
{
        size_t want = strlen(prefix);
        if (memcmp(data, prefix, n < want ? n : want) != 0)
                return -1;
        return n >= want;
}

/* A server's HTTP/2 connection begins with a SETTINGS frame on stream 0 (RFC 9113 3.4). */
static ServiceKind identify_h2(const uint8_t *data, size_t n)
{
        if (n < H2_HEADER)
                return SERVICE_UNKNOWN;
        size_t len = (size_t)data[0] << 16 | (size_t)data[1] << 8 | data[2];
        bool stream0 = !(data[5] & 0x7f) && !data[6] && !data[7] && !data[8];
        if (data[3] != H2_SETTINGS || data[4] != 0 || !stream0 || len % SETTING_SIZE != 0 ||
            len > SETTINGS_BYTES_MAX)
                return SERVICE_OTHER;
        for (size_t i = H2_HEADER; i + SETTING_SIZE <= n && i < H2_HEADER + len; i += SETTING_SIZE)
                if ((data[i] << 8 | data[i + 1]) == GRPC_CORE_ID)
                        return SERVICE_GRPC;
        return n >= H2_HEADER + len ? SERVICE_HTTP2 : SERVICE_UNKNOWN;
}

ServiceKind service_identify(const uint8_t *data, size_t n, bool eof)
{
        static const struct {
                const char *prefix;
                ServiceKind kind;
        } banners[] = {
                {"SSH-", SERVICE_SSH},
                {"HTTP/1.", SERVICE_HTTP1},
                {"<!DOCTYPE", SERVICE_HTTP1},
                {"<html", SERVICE_HTTP1},
                {"-ERR unknown command", SERVICE_REDIS},
                {"-ERR wrong number of arguments", SERVICE_REDIS},
                {"-ERR Protocol error", SERVICE_REDIS},
                {"-DENIED Redis", SERVICE_REDIS},
                {"-NOAUTH", SERVICE_REDIS},
                {"-LOADING Redis", SERVICE_REDIS},
        };
        if (n == 0)
                return eof ? SERVICE_CLOSED : SERVICE_UNKNOWN;
        if (n > SERVICE_BYTES_MAX)
                n = SERVICE_BYTES_MAX;

        bool more = false;
        for (size_t i = 0; i < ELEMENTSOF(banners); i++) {
                int r = begins(data, n, banners[i].prefix);
                if (r > 0)
                        return banners[i].kind;
                more = more || r == 0;
        }
        TlsSniff tls = tls_sniff(data, n, NULL);
        if (tls == TLS_SNIFF_HANDSHAKE || tls == TLS_SNIFF_ALERT)
                return SERVICE_TLS;
        more = more || tls == TLS_SNIFF_MORE;
        ServiceKind kind = data[0] == 0 ? identify_h2(data, n) : SERVICE_OTHER;
        if (kind == SERVICE_OTHER && more)
                kind = SERVICE_UNKNOWN;
        return kind;
}

static const uint8_t http2_greeting[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";

static const uint8_t http1_greeting[] =
        "GET / HTTP/1.1\r\nHost: ray-probe\r\nConnection: close\r\n\r\n";

/* A ClientHello that every TLS 1.2 and 1.3 server answers with a ServerHello or an alert: either
 * shows that it speaks TLS, and no key is ever used. */
static const uint8_t tls_greeting[] = {
        0x16, 0x03, 0x01, 0x00, 0x9b,       /* handshake record, 155 bytes */
        0x01, 0x00, 0x00, 0x97, 0x03, 0x03, /* ClientHello, 151 bytes, legacy version 1.2 */
        'r',  'a',  'y',  '-',  'p',  'r',  'o',  'b',  'e',  ' ',  'a',  's',
        'k',  's',  ' ',  'f',  'o',  'r',  ' ',  'T',  'L',  'S',  ' ',  'o',
        'n',  'l',  'y',  '.',  '.',  '.',  '.',  '.', /* random: 32 bytes */
        0x00,                                          /* no session id */
        0x00, 0x0e,                                    /* seven suites */
        0x13, 0x01, 0x13, 0x02, 0x13, 0x03, 0xc0, 0x2f, 0xc0, 0x2b, 0xc0, 0x30,
        0x00, 0x9c, 0x01, 0x00,                                     /* no compression */
        0x00, 0x60,                                                 /* extensions: 96 bytes */
        0x00, 0x0a, 0x00, 0x06, 0x00, 0x04, 0x00, 0x1d, 0x00, 0x17, /* x25519, P-256 */
        0x00, 0x0b, 0x00, 0x02, 0x01, 0x00,                         /* uncompressed points */
        0x00, 0x0d, 0x00, 0x10, 0x00, 0x0e,                         /* signatures */
        0x04, 0x03, 0x05, 0x03, 0x08, 0x04, 0x08, 0x05, 0x08, 0x06, 0x04, 0x01,
        0x05, 0x01, 0x00, 0x10, 0x00, 0x05, 0x00, 0x03, 0x02, 'h',  '2', /* ALPN h2 */
        0x00, 0x2b, 0x00, 0x05, 0x04, 0x03, 0x04, 0x03, 0x03,            /* versions 1.3, 1.2 */
        0x00, 0x33, 0x00, 0x26, 0x00, 0x24, 0x00, 0x1d, 0x00, 0x20,      /* key share: x25519 */
        0x09, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
};

const uint8_t *greeting_bytes(Greeting g, size_t *ret_size)
{
        switch (g) {
        case GREETING_TLS:
                *ret_size = sizeof(tls_greeting);
                return tls_greeting;
        case GREETING_HTTP1:
                *ret_size = sizeof(http1_greeting) - 1;
                return http1_greeting;
        case GREETING_NONE:
                *ret_size = 0;
                return http1_greeting;
        case GREETING_HTTP2:
        default:
                *ret_size = sizeof(http2_greeting) - 1;
                return http2_greeting;
        }
}
