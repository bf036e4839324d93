/* Frames and messages between a head and its members, from one who is not known yet: what is
 * accepted keeps every bound, and comes out of the encoder as it went in. */
#include <stdlib.h>
#include <string.h>

#include "wire/member-codec.h"
#include "wire/member-frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_clean(const char *s)
{
        for (; *s; s++)
                if ((unsigned char)*s < ' ' || *s == 0x7f)
                        return false;
        return true;
}

static bool later_texts(const MemberMessage *m)
{
        switch (m->kind) {
        case MEMBER_PENDING:
                return is_clean(m->pending.words);
        case MEMBER_SETTINGS:
                return strlen(m->settings) < MEMBER_SETTINGS_MAX;
        case MEMBER_COMMAND:
                return is_clean(m->command.argument) &&
                       member_order_to_string(m->command.order) != NULL;
        case MEMBER_COMMAND_DONE:
                return is_clean(m->done.text);
        case MEMBER_EVENT:
                return is_clean(m->event.text) && !strpbrk(m->event.message_id, "/=\n");
        default:
                return true;
        }
}

static void texts(const MemberMessage *m)
{
        bool clean = true;

        if (m->kind == MEMBER_HELLO)
                clean = is_clean(m->hello.software);
        else if (m->kind == MEMBER_ENROL)
                clean = is_clean(m->enrol.name) && !strchr(m->enrol.token, '/') &&
                        !strchr(m->enrol.node, '/');
        else if (m->kind == MEMBER_REFUSED)
                clean = is_clean(m->refused.text) &&
                        member_refusal_to_string(m->refused.reason) != NULL;
        else if (m->kind == MEMBER_FACTS)
                clean = is_clean(m->facts.name) && m->facts.n_addrs <= MEMBER_ADDRS_MAX;
        else if (m->kind == MEMBER_WELCOME)
                clean = is_clean(m->welcome.cluster) && is_clean(m->welcome.ray_token);
        else
                clean = later_texts(m);
        if (!clean || !member_kind_to_string(m->kind))
                abort();
}

/* Encoded again it is the same; a reason of a later version cannot be said by us. */
static void again(const MemberMessage *m)
{
        _cleanup_member_message_ MemberMessage n = {0};
        _cleanup_buf_ Buf first = {0}, second = {0};
        MemberFrame f;

        if (member_encode(&first, m) < 0)
                return;
        if (member_frame_parse(buf_data(&first), buf_size(&first), MEMBER_FRAME_MAX, &f) != 1 ||
            member_decode(f.body, f.body_size, &n) < 0 || member_encode(&second, &n) < 0 ||
            buf_size(&first) != buf_size(&second) ||
            memcmp(buf_data(&first), buf_data(&second), buf_size(&first)) != 0)
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        MemberFrame f, cut;

        for (size_t at = 0; at < size;) {
                _cleanup_member_message_ MemberMessage m = {0};
                if (member_frame_parse(data + at, size - at, MEMBER_FRAME_MAX_UNKNOWN, &f) <= 0)
                        return 0;
                if (f.size < 5 || f.size > size - at || f.body_size + 4 != f.size)
                        abort();
                /* one byte less is none */
                if (member_frame_parse(data + at, f.size - 1, MEMBER_FRAME_MAX_UNKNOWN, &cut) != 0)
                        abort();
                if (member_decode(f.body, f.body_size, &m) >= 0) {
                        texts(&m);
                        again(&m);
                }
                at += f.size;
        }
        return 0;
}
