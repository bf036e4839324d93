#include "reflect/session.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#include "sys/mac.h"

static_assert(MAC_SIZE == REFLECT_MAC_SIZE, "the frame has room for our MAC");

/* What the key is for stands in it: the same code made into a key elsewhere gives another one. */
static const char purpose[] = "ray-probe reflector 1";

int session_init(Session *s, SessionRole role, const ReflectCode *code)
{
        struct iovec part = {.iov_base = (void *)purpose, .iov_len = sizeof(purpose)};

        *s = (Session){.role = role};
        int r = mac_hmac_sha256(code->secret, sizeof(code->secret), &part, 1, s->key);
        return r < 0 ? r : random_bytes(s->own_nonce, sizeof(s->own_nonce));
}

void session_done(Session *s)
{
        mac_forget(s->key, sizeof(s->key));
}

int session_hello(Session *s, Buf *out)
{
        return reflect_frame_hello(out, s->own_nonce);
}

/* from: who says it. Every part but the body has a fixed length, so nothing can slide from one into
 * the other. */
static int mac_make(const Session *s, SessionRole from, uint64_t seq, const void *body, size_t size,
                    uint8_t ret[static MAC_SIZE])
{
        bool server = s->role == SESSION_SERVER;
        const uint8_t *of_server = server ? s->own_nonce : s->peer_nonce;
        const uint8_t *of_client = server ? s->peer_nonce : s->own_nonce;
        uint8_t direction = from == SESSION_SERVER ? 'S' : 'C';
        uint64_t be = htobe64(seq);
        const struct iovec parts[] = {
                {.iov_base = &direction, .iov_len = sizeof(direction)},
                {.iov_base = (void *)of_server, .iov_len = REFLECT_HELLO_NONCE},
                {.iov_base = (void *)of_client, .iov_len = REFLECT_HELLO_NONCE},
                {.iov_base = &be, .iov_len = sizeof(be)},
                {.iov_base = (void *)body, .iov_len = size},
        };
        return mac_hmac_sha256(s->key, sizeof(s->key), parts, ELEMENTSOF(parts), ret);
}

int session_seal(Session *s, Buf *out, const void *body, size_t size)
{
        uint8_t mac[MAC_SIZE];

        if (!s->greeted)
                return -EBADMSG;
        int r = mac_make(s, s->role, s->seq_out, body, size, mac);
        if (r >= 0)
                r = reflect_frame_sealed(out, s->seq_out, mac, body, size);
        if (r >= 0)
                s->seq_out++;
        return r;
}

static int take_hello(Session *s, const ReflectFrame *f)
{
        if (s->greeted)
                return -EBADMSG;
        if (f->version != REFLECT_FRAME_VERSION)
                return -EPROTONOSUPPORT;
        /* our own greeting, sent back to us, would let us answer ourselves */
        if (memcmp(f->nonce, s->own_nonce, REFLECT_HELLO_NONCE) == 0)
                return -EBADMSG;
        memcpy(s->peer_nonce, f->nonce, REFLECT_HELLO_NONCE);
        s->greeted = true;
        return 0;
}

static int take_sealed(Session *s, const ReflectFrame *f)
{
        SessionRole peer = s->role == SESSION_SERVER ? SESSION_CLIENT : SESSION_SERVER;
        uint8_t mac[MAC_SIZE];

        if (!s->greeted)
                return -EBADMSG;
        int r = mac_make(s, peer, f->seq, f->body, f->body_size, mac);
        if (r < 0)
                return r;
        if (!mac_equal(mac, f->mac, sizeof(mac)))
                return -EACCES;
        if (f->seq != s->seq_in)
                return -EBADMSG;
        s->seq_in++;
        s->proven = true;
        return 0;
}

int session_next(Session *s, Buf *in, SessionWord *ret)
{
        ReflectFrame f;

        int r = reflect_frame_parse(buf_data(in), buf_size(in), &f);
        if (r < 0)
                return r;
        SessionWord w = {.event = SESSION_MORE};
        if (r == 0) {
                *ret = w;
                return 0;
        }
        switch (f.kind) {
        case REFLECT_FRAME_HELLO:
                w.event = SESSION_HELLO;
                r = take_hello(s, &f);
                break;
        case REFLECT_FRAME_SEALED:
                w.event = SESSION_BODY;
                w.body = f.body;
                w.body_size = f.body_size;
                r = take_sealed(s, &f);
                break;
        default:
                w.event = SESSION_BYE;
                w.bye = f.bye;
                r = 0;
                break;
        }
        if (r < 0)
                return r;
        buf_consume(in, f.size);
        *ret = w;
        return 0;
}
