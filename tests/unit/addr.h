/* Addresses in a test, by their words. */
#pragma once

#include "base/addr.h"

_unused_ static Addr A(const char *s)
{
        Addr a;
        assert_int_equal(addr_parse(s, &a), 0);
        return a;
}

_unused_ static Addr AP(const char *s, uint16_t port)
{
        Addr a = A(s);
        a.port = port;
        return a;
}
