/* Requests of a connection: what is sent, what nghttp2 says came for them. Its callbacks take notes
 * only; callers hear of them from the connection's defer source. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "sys/h2-private.h"

void h2_request_finish(H2Request *q, int error, uint32_t code)
{
        if (q->done)
                return;
        q->done = true;
        q->stream = -1;
        if (!q->sent) /* still the question */
                buf_consume(&q->body, buf_size(&q->body));
        if (q->response.error == 0)
                q->response.error = error;
        q->response.h2_code = code;
        q->response.headers = q->headers;
        q->response.body = buf_size(&q->body) ? buf_data(&q->body) : NULL;
        q->response.body_size = buf_size(&q->body);
        q->h->n_requests--;
        h2_wake(q->h);
}

void h2_request_unlink(H2Request *q)
{
        if (!q->h)
                return;
        for (H2Request **p = &q->h->requests; *p; p = &(*p)->next)
                if (*p == q) {
                        *p = q->next;
                        break;
                }
        q->h = NULL;
}

/* --- what nghttp2 tells -------------------------------------------------------------------------
 */

static int note_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                       size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                       void *userdata)
{
        H2Request *q = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);

        if (!q)
                return 0;
        q->headers_size += name_len + value_len;
        if (q->response.n_headers >= H2_HEADERS_MAX || q->headers_size > H2_HEADERS_SIZE) {
                q->response.error = -EMSGSIZE;
                return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; /* ends this stream only */
        }
        char *s = malloc(name_len + value_len + 2);
        if (!s) {
                q->response.error = -ENOMEM;
                return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
        }
        memcpy(s, name, name_len);
        s[name_len] = 0;
        memcpy(s + name_len + 1, value, value_len);
        s[name_len + 1 + value_len] = 0;
        q->names[q->response.n_headers] = s;
        q->headers[q->response.n_headers++] = (H2Header){.name = s, .value = s + name_len + 1};
        return 0;
}

static int note_data(nghttp2_session *session, uint8_t flags, int32_t stream_id,
                     const uint8_t *data, size_t size, void *userdata)
{
        H2Request *q = nghttp2_session_get_stream_user_data(session, stream_id);

        if (!q || q->response.error != 0)
                return 0;
        if (!q->sent) { /* an answer before the question is through: what is left is not needed */
                buf_consume(&q->body, buf_size(&q->body));
                q->sent = true;
        }
        q->body.limit = q->body_max;
        int r = buf_append(&q->body, data, size);
        if (r < 0) {
                q->response.error = r;
                (void)nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, stream_id,
                                                NGHTTP2_CANCEL);
        }
        return 0;
}

static int note_close(nghttp2_session *session, int32_t stream_id, uint32_t code, void *userdata)
{
        H2Request *q = nghttp2_session_get_stream_user_data(session, stream_id);

        if (q)
                h2_request_finish(q, code == NGHTTP2_NO_ERROR ? 0 : -ECONNABORTED, code);
        return 0;
}

static ssize_t give_body(nghttp2_session *session, int32_t stream_id, uint8_t *data, size_t size,
                         uint32_t *flags, nghttp2_data_source *source, void *userdata)
{
        /* not source->ptr: the request may have been freed since */
        H2Request *q = nghttp2_session_get_stream_user_data(session, stream_id);
        size_t n = !q || q->sent ? 0 : MIN(size, buf_size(&q->body));

        if (!q) {
                *flags |= NGHTTP2_DATA_FLAG_EOF;
                return 0;
        }
        if (n > 0) {
                memcpy(data, buf_data(&q->body), n);
                buf_consume(&q->body, n);
        }
        if (q->sent || buf_size(&q->body) == 0) {
                q->sent = true;
                *flags |= NGHTTP2_DATA_FLAG_EOF;
        }
        return (ssize_t)n;
}

void h2_request_set_callbacks(nghttp2_session_callbacks *callbacks)
{
        nghttp2_session_callbacks_set_on_header_callback(callbacks, note_header);
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, note_data);
        nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, note_close);
}

/* --- the object ---------------------------------------------------------------------------------
 */

static nghttp2_nv nv(const char *name, const char *value)
{
        return (nghttp2_nv){.name = (uint8_t *)name,
                            .namelen = strlen(name),
                            .value = (uint8_t *)value,
                            .valuelen = strlen(value)};
}

static int request_submit(H2Request *q, const char *path, const H2Header *headers, size_t n_headers)
{
        nghttp2_nv fields[4 + H2_HEADERS_MAX];
        size_t n = 0;

        if (n_headers > H2_HEADERS_MAX)
                return -E2BIG;
        fields[n++] = nv(":method", "POST");
        fields[n++] = nv(":scheme", q->h->secure ? "https" : "http");
        fields[n++] = nv(":path", path);
        fields[n++] = nv(":authority", q->h->authority);
        for (size_t i = 0; i < n_headers; i++) {
                fields[n] = nv(headers[i].name, headers[i].value);
                /* not into HPACK's table: a secret has no business in a compression context */
                if (streq(headers[i].name, "authorization"))
                        fields[n].flags = NGHTTP2_NV_FLAG_NO_INDEX;
                n++;
        }
        nghttp2_data_provider body = {.read_callback = give_body};
        int id = nghttp2_submit_request(q->h->session, NULL, fields, n, &body, q);
        if (id < 0)
                return id == NGHTTP2_ERR_NOMEM ? -ENOMEM : -EPIPE;
        q->stream = id;
        return 0;
}

int h2_post(H2 *h, const char *path, const H2Header *headers, size_t n_headers, const void *body,
            size_t body_size, size_t body_max, h2_response_cb cb, void *userdata, H2Request **ret)
{
        if (h->phase >= H2_GOING)
                return -EPIPE;
        if (h->n_requests >= H2_REQUESTS_MAX)
                return -EBUSY;
        _cleanup_(h2_request_freep) H2Request *q = new0(H2Request, 1);
        if (!q)
                return -ENOMEM;
        *q = (H2Request){.stream = -1,
                         .body.limit = body_size,
                         .body_max = body_max,
                         .cb = cb,
                         .userdata = userdata};
        int r = buf_append(&q->body, body, body_size);
        if (r < 0)
                return r;
        q->h = h;
        r = request_submit(q, path, headers, n_headers);
        if (r < 0) {
                q->h = NULL;
                return r;
        }
        q->next = h->requests;
        h->requests = q;
        h->n_requests++;
        h2_flush(h);
        *ret = TAKE_PTR(q);
        return 0;
}

H2Request *h2_request_free(H2Request *q)
{
        if (!q)
                return NULL;
        if (q->h) {
                H2 *h = q->h;
                if (q->stream >= 0) {
                        (void)nghttp2_session_set_stream_user_data(h->session, q->stream, NULL);
                        (void)nghttp2_submit_rst_stream(h->session, NGHTTP2_FLAG_NONE, q->stream,
                                                        NGHTTP2_CANCEL);
                        h->n_requests--;
                        q->sent = true;
                }
                h2_request_unlink(q);
                h2_flush(h);
        }
        for (size_t i = 0; i < q->response.n_headers; i++)
                free(q->names[i]);
        buf_done(&q->body);
        free(q);
        return NULL;
}

const char *h2_response_header(const H2Response *r, const char *name)
{
        for (size_t i = r->n_headers; i > 0; i--)
                if (streq(r->headers[i - 1].name, name))
                        return r->headers[i - 1].value;
        return NULL;
}
