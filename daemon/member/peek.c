#include "member/peek.h"

#include "base/alloc.h"
#include "sys/deadline.h"

struct Peek {
        peek_cb cb;
        void *userdata;
        TlsParty *party; /* nobody */
        Stream *stream;
        TlsLink *tls; /* the stream's */
        Deadline *deadline;
};

static void on_connected(Stream *s, void *userdata)
{
        Peek *p = userdata;
        const PkiCert *authority = tls_link_authority(p->tls);
        uint8_t pin[PKI_PIN_SIZE];

        if (authority)
                pki_cert_pin(authority, pin);
        p->cb(p, authority ? pin : NULL, p->userdata);
}

/* It speaks first, which no head does before it was spoken to: not taken. */
static void on_data(Stream *s, const uint8_t *data, size_t size, void *userdata)
{
}

static void on_closed(Stream *s, int error, void *userdata)
{
        Peek *p = userdata;
        p->cb(p, NULL, p->userdata);
}

static void on_deadline(void *userdata)
{
        Peek *p = userdata;
        p->cb(p, NULL, p->userdata);
}

int peek_new(sd_event *event, const Addr *head, peek_cb cb, void *userdata, Peek **ret)
{
        static const StreamOps ops = {
                .on_connected = on_connected, .on_data = on_data, .on_closed = on_closed};
        const TlsLinkPolicy policy = {.first_sight = true};
        _cleanup_(peek_freep) Peek *p = new0(Peek, 1);

        if (!p)
                return -ENOMEM;
        *p = (Peek){.cb = cb, .userdata = userdata};
        int r = deadline_new(event, PEEK_MAX, USEC_PER_SEC / 4, on_deadline, p, &p->deadline);
        if (r >= 0)
                r = tls_party_new(NULL, NULL, NULL, 0, &p->party);
        if (r >= 0)
                r = tls_link_new(p->party, &policy, &p->tls);
        if (r < 0)
                return r;
        r = stream_connect(event, head, &ops, p, &p->stream);
        if (r < 0) {
                tls_link_free(p->tls);
                return r;
        }
        stream_set_layer(p->stream, &tls_link_layer, p->tls);
        *ret = TAKE_PTR(p);
        return 0;
}

Peek *peek_free(Peek *p)
{
        if (!p)
                return NULL;
        deadline_free(p->deadline);
        stream_free(p->stream);
        tls_party_unref(p->party);
        free(p);
        return NULL;
}
