/*
 *   CONNECTING --TCP up--> CONNECTED --SETTINGS--> SERVING --GOAWAY--> GOING
 *       |                     |    |                  |                  |
 *       |                     |    +--other bytes-----|--> NOT_HTTP2     |
 *       +--> FAILED <---------+-----------------------+--> BROKEN <------+--> EOF, FAILED
 *
 * nghttp2's callbacks only take notes; callers hear of them from a defer source, one note a turn,
 * so that nothing is freed under nghttp2's feet.
 */
#include "sys/h2.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "sys/h2-private.h"

/* Large enough that a table of nodes comes in a few round trips. */
#define WINDOW_SIZE (1 << 20)
/* While the kernel does not take our bytes we make no more of them; nghttp2 then bounds what the
 * peer can make it queue (1000 acknowledgements). */
#define OUTPUT_HIGH ((size_t)64 << 10)

static const char *const phase_table[_H2_PHASE_MAX] = {
        [H2_CONNECTING] = "connecting", [H2_CONNECTED] = "connected",    [H2_SERVING] = "serving",
        [H2_GOING] = "going away",      [H2_NOT_HTTP2] = "not HTTP/2",   [H2_BROKEN] = "broken",
        [H2_FAILED] = "failed",         [H2_EOF] = "closed by the peer",
};

const char *h2_phase_to_string(H2Phase p)
{
        return p >= 0 && p < _H2_PHASE_MAX ? phase_table[p] : NULL;
}

void h2_wake(H2 *h)
{
        (void)sd_event_source_set_enabled(h->defer, SD_EVENT_ONESHOT);
}

static void h2_set_phase(H2 *h, H2Phase phase, int error)
{
        if (h2_phase_ended(h->phase) || phase <= h->phase)
                return;
        h->phase = phase; /* the only line that does */
        h->error = error;
        if (h2_phase_ended(phase)) {
                int e = error < 0 ? error : phase == H2_EOF ? -EPIPE : -EPROTO;
                for (H2Request *q = h->requests; q; q = q->next)
                        h2_request_finish(q, e, h->goaway_code);
                h->stream = stream_free(h->stream);
        }
        h2_wake(h);
}

void h2_flush(H2 *h)
{
        while (h->stream && h->phase != H2_CONNECTING && stream_pending(h->stream) < OUTPUT_HIGH) {
                const uint8_t *data;
                ssize_t n = nghttp2_session_mem_send(h->session, &data);
                if (n == 0)
                        return;
                if (n < 0 || stream_write(h->stream, data, (size_t)n) < 0) {
                        h2_set_phase(h, H2_BROKEN, -EPROTO);
                        return;
                }
        }
}

/* --- what nghttp2 tells; notes only -------------------------------------------------------------
 */

static int note_frame(nghttp2_session *session, const nghttp2_frame *frame, void *userdata)
{
        H2 *h = userdata;

        if (frame->hd.type == NGHTTP2_SETTINGS && !(frame->hd.flags & NGHTTP2_FLAG_ACK))
                h2_set_phase(h, H2_SERVING, 0);
        else if (frame->hd.type == NGHTTP2_GOAWAY) {
                h->goaway_code = frame->goaway.error_code;
                h2_set_phase(h, H2_GOING, 0);
        }
        return 0;
}

/* --- what the stream tells ----------------------------------------------------------------------
 */

/* A server's first frame is SETTINGS (RFC 9113 3.4): its length is under 16 KiB, so the first byte
 * is 0, and its type, the fourth byte, is 4. Said at the first byte: other protocols greet with
 * less than a frame's head and would keep us waiting. */
static bool is_http2(const H2 *h)
{
        return (h->n_first < 1 || h->first[0] == 0) && (h->n_first < 4 || h->first[3] == 4);
}

static void on_stream_connected(Stream *s, void *userdata)
{
        H2 *h = userdata;

        h->was_connected = true;
        h2_set_phase(h, H2_CONNECTED, 0);
        h2_flush(h);
}

static void on_stream_data(Stream *s, const uint8_t *data, size_t size, void *userdata)
{
        H2 *h = userdata;

        h->received += size;
        if (h->n_first < sizeof(h->first)) {
                size_t n = MIN(size, sizeof(h->first) - h->n_first);
                memcpy(h->first + h->n_first, data, n);
                h->n_first += n;
        }
        if (h->phase == H2_CONNECTED && !is_http2(h)) {
                h2_set_phase(h, H2_NOT_HTTP2, 0);
                return;
        }
        ssize_t n = nghttp2_session_mem_recv(h->session, data, size);
        if (n < 0) {
                h2_set_phase(h, h->phase == H2_CONNECTED ? H2_NOT_HTTP2 : H2_BROKEN, -EPROTO);
                return;
        }
        h2_flush(h);
        if (!nghttp2_session_want_read(h->session) && !nghttp2_session_want_write(h->session))
                h2_set_phase(h,
                             h->phase == H2_CONNECTED ? H2_NOT_HTTP2
                             : h->phase == H2_GOING   ? H2_EOF
                                                      : H2_BROKEN,
                             h->phase == H2_GOING ? 0 : -EPROTO);
}

static void on_stream_drained(Stream *s, void *userdata)
{
        h2_flush(userdata);
}

static void on_stream_closed(Stream *s, int error, void *userdata)
{
        h2_set_phase(userdata, error < 0 ? H2_FAILED : H2_EOF, error);
}

static const StreamOps stream_ops = {
        .on_connected = on_stream_connected,
        .on_data = on_stream_data,
        .on_drained = on_stream_drained,
        .on_closed = on_stream_closed,
};

/* --- what callers hear --------------------------------------------------------------------------
 */

static H2Request *next_done(const H2 *h)
{
        for (H2Request *q = h->requests; q; q = q->next)
                if (q->done)
                        return q;
        return NULL;
}

/* One note a turn, the call back as the last thing: the connection may be gone after it. */
static int on_defer(sd_event_source *source, void *userdata)
{
        H2 *h = userdata;
        H2Phase before = h->told;

        if (before != h->phase) {
                h->told = h->phase;
                if (next_done(h))
                        h2_wake(h);
                if (h->ops.on_phase)
                        h->ops.on_phase(h, before, h->told, h->userdata);
                return 0;
        }
        H2Request *q = next_done(h);
        if (!q)
                return 0;
        h2_request_unlink(q);
        if (next_done(h))
                h2_wake(h);
        q->cb(q, &q->response, q->userdata);
        return 0;
}

/* --- the connection -----------------------------------------------------------------------------
 */

static int session_new(H2 *h)
{
        nghttp2_session_callbacks *callbacks;
        if (nghttp2_session_callbacks_new(&callbacks) != 0)
                return -ENOMEM;
        nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, note_frame);
        h2_request_set_callbacks(callbacks);
        int r = nghttp2_session_client_new(&h->session, callbacks, h);
        nghttp2_session_callbacks_del(callbacks);
        if (r != 0)
                return -ENOMEM;

        nghttp2_settings_entry settings[] = {
                {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
                {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, WINDOW_SIZE},
                {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, H2_HEADERS_SIZE},
        };
        if (nghttp2_submit_settings(h->session, NGHTTP2_FLAG_NONE, settings,
                                    ELEMENTSOF(settings)) != 0 ||
            nghttp2_session_set_local_window_size(h->session, NGHTTP2_FLAG_NONE, 0, WINDOW_SIZE) !=
                    0)
                return -ENOMEM;
        return 0;
}

static int h2_new(sd_event *event, const char *authority, const H2Ops *ops, void *userdata,
                  H2 **ret)
{
        _cleanup_(h2_freep) H2 *h = new0(H2, 1);
        if (!h)
                return -ENOMEM;
        *h = (H2){.ops = ops ? *ops : (H2Ops){0}, .userdata = userdata};
        h->authority = strdup(authority);
        if (!h->authority)
                return -ENOMEM;
        int r = session_new(h);
        if (r < 0)
                return r;
        r = sd_event_add_defer(event, &h->defer, on_defer, h);
        if (r < 0)
                return r;
        r = sd_event_source_set_enabled(h->defer, SD_EVENT_OFF);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(h);
        return 0;
}

int h2_connect(sd_event *event, const Addr *addr, const H2Ops *ops, void *userdata, H2 **ret)
{
        _cleanup_(h2_freep) H2 *h = NULL;
        char authority[ADDR_PORT_MAX];
        Addr named = *addr;

        named.scope = 0; /* a zone is this machine's own business (RFC 6874) */
        int r = h2_new(event, addr_format_port(authority, &named), ops, userdata, &h);
        if (r < 0)
                return r;
        r = stream_connect(event, addr, &stream_ops, h, &h->stream);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(h);
        return 0;
}

int h2_new_fd(sd_event *event, int fd, const char *authority, const H2Ops *ops, void *userdata,
              H2 **ret)
{
        _cleanup_(h2_freep) H2 *h = NULL;

        int r = h2_new(event, authority, ops, userdata, &h);
        if (r < 0)
                return r;
        r = stream_new_fd(event, fd, &stream_ops, h, &h->stream);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(h);
        return 0;
}

void h2_set_layer(H2 *h, const StreamLayer *layer, void *data)
{
        stream_set_layer(h->stream, layer, data);
        h->secure = true;
}

H2 *h2_free(H2 *h)
{
        if (!h)
                return NULL;
        for (H2Request *q = h->requests, *next; q; q = next) {
                next = q->next;
                q->h = NULL;
                q->next = NULL;
                q->stream = -1;
        }
        h->requests = NULL;
        sd_event_source_disable_unref(h->defer);
        stream_free(h->stream);
        nghttp2_session_del(h->session);
        free(h->authority);
        free(h);
        return NULL;
}

H2Phase h2_phase(const H2 *h)
{
        return h->phase;
}

bool h2_was_connected(const H2 *h)
{
        return h->was_connected;
}

int h2_error(const H2 *h)
{
        return h->error;
}

size_t h2_first_bytes(const H2 *h, const uint8_t **ret)
{
        *ret = h->first;
        return h->n_first;
}

uint64_t h2_received(const H2 *h)
{
        return h->received;
}

int h2_fd(const H2 *h)
{
        return h->stream ? stream_fd(h->stream) : -EBADF;
}
