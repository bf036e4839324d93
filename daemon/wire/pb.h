/* protobuf-c with bounds: a reader of one message's fields, an unpack whose memory is limited,
 * because two bytes on the wire become fifty in memory, and a pack into a Buf. For wire/ only. */
#pragma once

#include <protobuf-c/protobuf-c.h>

#include "base/buf.h"

typedef struct PbField {
        uint32_t number;
        uint64_t value;      /* of varint and fixed fields */
        const uint8_t *data; /* of length-delimited fields, else NULL */
        size_t size;
} PbField;

/* The next field at *p (which moves). 1; 0 at the end; -EBADMSG: cut, groups, field number 0. */
int pb_next(const uint8_t **p, const uint8_t *end, PbField *ret);

/* Most that unpacking one message may allocate. */
#define PB_BUDGET ((size_t)4 << 20)

static inline void pb_freep(void *p)
{
        ProtobufCMessage **m = p;

        if (*m)
                protobuf_c_message_free_unpacked(*m, NULL);
}
#define _cleanup_pb_ _cleanup_(pb_freep)

/* *ret: a pointer to the generated type. -EBADMSG: not such a message; -EMSGSIZE: over PB_BUDGET;
 * -ENOMEM. */
int pb_unpack(const ProtobufCMessageDescriptor *type, const void *data, size_t size, void *ret);
/* Adds the message to *out. -ENOMEM. */
int pb_pack(Buf *out, const ProtobufCMessage *m);
