#include "probe/phrase.h"

#include <stdio.h>

const char *head_label(const Evidence *e, char buf[HEAD_MAX])
{
        char addr[ADDR_MAX];
        if (!addr_is_set(&e->addr))
                return e->host;
        addr_format(addr, &e->addr);
        if (e->name == NAME_LITERAL && (isempty(e->host) || streq(e->host, addr)))
                str_copy(buf, HEAD_MAX, addr);
        else
                (void)snprintf(buf, HEAD_MAX, "%s (%s)", e->host, addr);
        return buf;
}

bool is_plain_word(const char *s)
{
        static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                    "0123456789.:%_+-";
        return *s && *s != '-' && strspn(s, plain) == strlen(s);
}

const char *head_name(const Evidence *e, char buf[ADDR_MAX])
{
        if (e->local.own)
                return "this machine";
        return !is_plain_word(e->host) && addr_is_set(&e->addr) ? addr_format(buf, &e->addr)
                                                                : e->host;
}

const char *own_name(const Evidence *e, char buf[ADDR_MAX])
{
        const Addr *a = addr_is_set(&e->tcp.local) && !addr_is_any(&e->tcp.local)
                                ? &e->tcp.local
                                : &e->local.route.source;
        return addr_is_set(a) ? addr_format(buf, a) : "the address of this machine";
}
