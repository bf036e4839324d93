/* SRV records and the order in which they are to be tried (RFC 2782). */
#pragma once

#include <stddef.h>
#include <stdint.h>

typedef struct Srv {
        uint16_t priority; /* lower first */
        uint16_t weight;   /* among equals, by chance */
        uint16_t port;
        char *target; /* host name without the final dot */
} Srv;

/* Orders by priority, then by weighted chance as in RFC 2782; rnd(max) gives 0..max, any when NULL.
 */
void srv_order(Srv *srv, size_t n, uint32_t (*rnd)(uint32_t max));
