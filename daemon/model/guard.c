#include "model/guard.h"

#include <string.h>

/* Never 0, 0. */
static void key_of(const Addr *from, uint64_t ret[2])
{
        ret[0] = 1;
        ret[1] = 0;
        if (from->family == AF_INET)
                ret[1] = from->in.s_addr;
        else if (from->family == AF_INET6) {
                ret[0] = 2;
                memcpy(&ret[1], &from->in6, sizeof(ret[1]));
        }
}

static bool is_of(const GuardSource *s, const uint64_t key[2])
{
        return s->key[0] == key[0] && s->key[1] == key[1];
}

static const GuardSource *find(const Guard *g, const Addr *from)
{
        uint64_t key[2];

        key_of(from, key);
        for (size_t i = 0; i < GUARD_SOURCES; i++)
                if (is_of(&g->sources[i], key))
                        return &g->sources[i];
        return NULL;
}

/* Its place, an empty one, or that of whoever was quiet for longest. */
static GuardSource *place(Guard *g, const Addr *from)
{
        GuardSource *oldest = &g->sources[0];
        uint64_t key[2];

        key_of(from, key);
        for (size_t i = 0; i < GUARD_SOURCES; i++) {
                GuardSource *s = &g->sources[i];
                if (is_of(s, key))
                        return s;
                if (s->seen < oldest->seen)
                        oldest = s;
        }
        *oldest = (GuardSource){.key = {key[0], key[1]}};
        return oldest;
}

static bool is_flood(const Guard *g, usec_t now)
{
        return g->all >= GUARD_ALL && usec_sub(now, g->minute) < USEC_PER_MIN;
}

usec_t guard_wait(const Guard *g, const Addr *from, usec_t now)
{
        const GuardSource *s = find(g, from);
        usec_t own = s ? usec_sub(s->until, now) : 0;
        usec_t all = is_flood(g, now) ? usec_sub(usec_add(g->minute, USEC_PER_MIN), now) : 0;

        return MAX(own, all);
}

usec_t guard_wrong(Guard *g, const Addr *from, usec_t now)
{
        GuardSource *s = place(g, from);

        if (g->all == 0 || usec_sub(now, g->minute) >= USEC_PER_MIN) {
                g->minute = now;
                g->all = 0;
        }
        g->all++;
        s->seen = now;
        s->wrong++;
        if (s->wrong < GUARD_FREE)
                return 0;
        usec_t pause = GUARD_PAUSE;
        for (unsigned i = GUARD_FREE; i < s->wrong && pause < GUARD_LONGEST; i++)
                pause *= 2;
        pause = MIN(pause, GUARD_LONGEST);
        s->until = usec_add(now, pause);
        return pause;
}

void guard_right(Guard *g, const Addr *from)
{
        if (find(g, from))
                *place(g, from) = (GuardSource){0};
}
