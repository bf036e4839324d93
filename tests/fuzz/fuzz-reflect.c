/* Frames and messages between a probe and a reflector; the first byte chooses. What is accepted
 * must keep every bound, and come out of the encoder as it went in. */
#include <stdlib.h>
#include <string.h>

#include "reflect/session.h"
#include "wire/reflect-codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void frames(const uint8_t *data, size_t size)
{
        ReflectFrame f, cut;

        for (size_t at = 0; at < size;) {
                int r = reflect_frame_parse(data + at, size - at, &f);
                if (r <= 0)
                        return;
                if (f.size < 6 || f.size > size - at || f.kind <= 0 ||
                    f.kind >= _REFLECT_FRAME_KIND_MAX)
                        abort();
                if (f.kind == REFLECT_FRAME_SEALED && f.body_size + REFLECT_SEALED_HEAD != f.size)
                        abort();
                if (f.kind == REFLECT_FRAME_BYE && !reflect_bye_to_string(f.bye))
                        abort();
                /* one byte less is none */
                if (reflect_frame_parse(data + at, f.size - 1, &cut) != 0)
                        abort();
                at += f.size;
        }
}

/* A stranger's bytes to either side of a conversation: never a body, since the code is not known.
 */
static void conversation(SessionRole role, const uint8_t *data, size_t size)
{
        const ReflectCode code = {.secret = {1, 2, 3}, .port = 1};
        _cleanup_buf_ Buf in = {0};
        SessionWord w = {.event = SESSION_HELLO};
        Session s;

        if (session_init(&s, role, &code) < 0 || buf_append(&in, data, size) < 0)
                return;
        while (w.event != SESSION_MORE && session_next(&s, &in, &w) >= 0)
                if (w.event == SESSION_BODY || s.proven)
                        abort();
        session_done(&s);
}

static void request(const uint8_t *data, size_t size)
{
        _cleanup_buf_ Buf out = {0}, again = {0};
        ReflectRequest q, p;

        if (reflect_decode_request(data, size, &q) < 0)
                return;
        if (q.n_back > BACK_TRIES_MAX || q.n_claimed > CLAIMED_MAX || q.filler > REFLECT_BULK_MAX ||
            q.bulk > REFLECT_BULK_MAX || !reflect_kind_to_string(q.kind))
                abort();
        /* an unset address and a kind of a later version cannot be said by us */
        if (reflect_encode_request(&out, &q) < 0)
                return;
        if (reflect_decode_request(buf_data(&out), buf_size(&out), &p) < 0 ||
            reflect_encode_request(&again, &p) < 0 || buf_size(&again) != buf_size(&out) ||
            memcmp(buf_data(&again), buf_data(&out), buf_size(&out)) != 0)
                abort();
}

static void reply(const uint8_t *data, size_t size)
{
        _cleanup_buf_ Buf out = {0}, again = {0};
        ReflectReply p, q;

        if (reflect_decode_reply(data, size, &p) < 0)
                return;
        if (p.n_back > BACK_TRIES_MAX || p.filler > REFLECT_BULK_MAX ||
            !reflect_refusal_to_string(p.refusal) || !clock_sync_to_string(p.clock_sync) ||
            !firewall_manager_to_string(p.firewall))
                abort();
        for (size_t i = 0; i < p.n_back; i++)
                if (!back_result_to_string(p.back[i].result) || !addr_is_set(&p.back[i].addr))
                        abort();
        if (reflect_encode_reply(&out, &p) < 0 ||
            reflect_decode_reply(buf_data(&out), buf_size(&out), &q) < 0 ||
            reflect_encode_reply(&again, &q) < 0 || buf_size(&again) != buf_size(&out) ||
            memcmp(buf_data(&again), buf_data(&out), buf_size(&out)) != 0)
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        if (size == 0)
                return 0;
        switch (*data++ % 5) {
        case 0:
                frames(data, size - 1);
                break;
        case 1:
                conversation(SESSION_SERVER, data, size - 1);
                break;
        case 2:
                conversation(SESSION_CLIENT, data, size - 1);
                break;
        case 3:
                request(data, size - 1);
                break;
        default:
                reply(data, size - 1);
                break;
        }
        return 0;
}
