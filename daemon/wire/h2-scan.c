#include "wire/h2-scan.h"

#include <errno.h>

#include "base/macro.h"

enum {
        FRAME_DATA = 0,
        FRAME_HEADERS = 1,
        FRAME_RST_STREAM = 3,
        FRAME_SETTINGS = 4,
        FRAME_PING = 6,
        FRAME_GOAWAY = 7,
};

#define FLAG_ACK        1 /* of SETTINGS and PING */
#define FLAG_END_STREAM 1 /* of DATA and HEADERS */

static uint32_t frame_length(const H2Scan *s)
{
        return (uint32_t)s->head[0] << 16 | (uint32_t)s->head[1] << 8 | s->head[2];
}

static int frame_begin(H2Scan *s)
{
        s->left = frame_length(s);
        if (s->left > H2_FRAME_MAX || (!s->greeted && s->head[3] != FRAME_SETTINGS))
                return -EPROTO;
        return 0;
}

static void frame_end(H2Scan *s)
{
        bool stream0 = !(s->head[5] & 0x7f) && !s->head[6] && !s->head[7] && !s->head[8];
        uint8_t flags = s->head[4];

        switch (s->head[3]) {
        case FRAME_SETTINGS:
                s->greeted = true;
                break;
        case FRAME_PING:
                s->pong = s->pong || (flags & FLAG_ACK);
                break;
        case FRAME_GOAWAY:
                s->going = true;
                break;
        case FRAME_RST_STREAM:
                s->stream_ended = s->stream_ended || !stream0;
                break;
        case FRAME_DATA:
        case FRAME_HEADERS:
                s->stream_ended = s->stream_ended || (!stream0 && (flags & FLAG_END_STREAM));
                break;
        default:
                break;
        }
        s->n_head = 0;
}

int h2_scan(H2Scan *s, const uint8_t *data, size_t n)
{
        s->received += n;
        while (n > 0) {
                if (s->n_head < H2_FRAME_HEAD) {
                        s->head[s->n_head++] = *data++;
                        n--;
                        if (s->n_head < H2_FRAME_HEAD)
                                continue;
                        int r = frame_begin(s);
                        if (r < 0)
                                return r;
                } else {
                        size_t k = MIN(n, (size_t)s->left);
                        s->left -= (uint32_t)k;
                        data += k;
                        n -= k;
                }
                if (s->left == 0)
                        frame_end(s);
        }
        return 0;
}
