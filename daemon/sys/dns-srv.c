#include "sys/dns-srv.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static uint32_t random_up_to(uint32_t max)
{
        uint32_t x = 0;
        (void)!getrandom(&x, sizeof(x), GRND_NONBLOCK);
        return (uint32_t)((uint64_t)x * ((uint64_t)max + 1) >> 32);
}

static int srv_cmp(const void *a, const void *b)
{
        const Srv *x = a, *y = b;
        if (x->priority != y->priority)
                return x->priority < y->priority ? -1 : 1;
        /* "place all those with weight 0 at the beginning" */
        return (x->weight > 0) - (y->weight > 0);
}

void srv_order(Srv *srv, size_t n, uint32_t (*rnd)(uint32_t max))
{
        if (n < 2)
                return;
        qsort(srv, n, sizeof(*srv), srv_cmp);
        for (size_t i = 0; i + 1 < n; i++) {
                /* srv[i..end) have one priority and are not placed yet */
                size_t end = i;
                uint32_t sum = 0;
                for (; end < n && srv[end].priority == srv[i].priority; end++)
                        sum += srv[end].weight;
                uint32_t pick = rnd ? rnd(sum) : random_up_to(sum), running = 0;
                size_t k = i;
                for (; k + 1 < end; k++) {
                        running += srv[k].weight;
                        if (running >= pick)
                                break;
                }
                Srv chosen = srv[k];
                memmove(&srv[i + 1], &srv[i], (k - i) * sizeof(*srv));
                srv[i] = chosen;
        }
}
