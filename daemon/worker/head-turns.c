#include "worker/head-turns.h"

#include <string.h>

const Addr *head_turns_now(const HeadTurns *t)
{
        return t->n > 0 ? &t->addrs[t->at] : NULL;
}

void head_turns_only(HeadTurns *t, const Addr *head)
{
        *t = (HeadTurns){.addrs = {*head}, .n = 1, .last = *head};
}

void head_turns_found(HeadTurns *t, bool sure)
{
        t->last = t->addrs[t->at];
        if (sure)
                t->tried = 0;
}

bool head_turns_next(HeadTurns *t)
{
        t->at = (t->at + 1) % t->n;
        t->tried = (t->tried + 1) % t->n;
        return t->tried != 0;
}

HeadTurnsChange head_turns_set(HeadTurns *t, const Addr *addrs, size_t n, bool only)
{
        Addr now = t->addrs[t->at];
        bool news = false;

        n = MIN(n, (size_t)HEAD_TURNS_MAX);
        for (size_t i = 0; i < n; i++)
                news = news || !addr_port_in(t->addrs, t->n, &addrs[i]);
        bool keep = !only && addr_is_set(&t->last) && !addr_port_in(addrs, n, &t->last);
        if (n == 0 || (!news && n + keep == t->n))
                return HEAD_TURNS_SAME;
        memcpy(t->addrs, addrs, n * sizeof(*addrs));
        if (keep)
                t->addrs[n++] = t->last;
        t->n = n;
        t->at = t->tried = 0;
        for (size_t i = 0; i < n; i++)
                if (addr_port_equal(&t->addrs[i], &now))
                        t->at = i;
        return news ? HEAD_TURNS_NEW : HEAD_TURNS_FEWER;
}
