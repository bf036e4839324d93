/* gRPC over HTTP/2 as bytes and strings: the five-byte frame around a message, the status line of
 * the trailers (grpc: PROTOCOL-HTTP2.md). No fd, no clock. */
#pragma once

#include "base/buf.h"

#define GRPC_FRAME_HEAD 5

/* Appends flag 0, the length, and the message. -EMSGSIZE, -ENOMEM. */
int grpc_frame(Buf *out, const void *message, size_t size);

/* The message at the front of `data`. 1: *ret_message (points into data), *ret_size, *ret_used
 * (frame and message) are set; 0: more bytes are needed; -EBADMSG: compressed though nobody asked
 * for it, or a flag that does not exist; -EMSGSIZE: its length is over `max`. Said as soon as it
 * can be known: a huge length is refused before the bytes come. */
int grpc_unframe(const uint8_t *data, size_t size, size_t max, const uint8_t **ret_message,
                 size_t *ret_size, size_t *ret_used);

/* A unary answer: exactly one message and nothing behind it. 0; -EBADMSG (none, cut, more than
 * one); -EMSGSIZE. */
int grpc_unframe_only(const uint8_t *data, size_t size, size_t max, const uint8_t **ret_message,
                      size_t *ret_size);

/* "application/grpc", alone or followed by "+…" or ";…". */
bool grpc_is_content_type(const char *value);

/* The trailer's number: 0 to GRPC_STATUS_MAX; -EINVAL. Leading spaces are allowed. */
#define GRPC_STATUS_MAX 16
int grpc_parse_status(const char *value);
/* "UNAVAILABLE"; "unknown status" for what does not exist. */
const char *grpc_status_name(int status);

/* Percent-decodes grpc-message for people: at most GRPC_MESSAGE_MAX bytes of it, what is not
 * printable UTF-8 as '?', broken escapes as they stand. A new string, NULL when out of memory. */
#define GRPC_MESSAGE_MAX ((size_t)1024)
char *grpc_decode_message(const char *value);
