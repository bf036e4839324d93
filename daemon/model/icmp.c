#include "model/icmp.h"

#define ICMP4_UNREACH  3
#define ICMP4_EXCEEDED 11
#define ICMP6_UNREACH  1
#define ICMP6_EXCEEDED 3

static const struct {
        int family;
        uint8_t type, code;
        IcmpMeaning meaning;
        const char *name;
} icmp_table[] = {
        {AF_INET, ICMP4_UNREACH, 0, ICMP_MEANS_NET, "net-unreachable"},
        {AF_INET, ICMP4_UNREACH, 1, ICMP_MEANS_HOST, "host-unreachable"},
        {AF_INET, ICMP4_UNREACH, 2, ICMP_MEANS_PROTO, "protocol-unreachable"},
        {AF_INET, ICMP4_UNREACH, 3, ICMP_MEANS_PORT, "port-unreachable"},
        {AF_INET, ICMP4_UNREACH, 6, ICMP_MEANS_NET, "net-unknown"},
        {AF_INET, ICMP4_UNREACH, 7, ICMP_MEANS_HOST, "host-unknown"},
        {AF_INET, ICMP4_UNREACH, 9, ICMP_MEANS_PROHIBITED, "net-prohibited"},
        {AF_INET, ICMP4_UNREACH, 10, ICMP_MEANS_PROHIBITED, "host-prohibited"},
        {AF_INET, ICMP4_UNREACH, 13, ICMP_MEANS_PROHIBITED, "admin-prohibited"},
        {AF_INET, ICMP4_EXCEEDED, 0, ICMP_MEANS_LOOP, "time-exceeded"},
        {AF_INET6, ICMP6_UNREACH, 0, ICMP_MEANS_NET, "no-route"},
        {AF_INET6, ICMP6_UNREACH, 1, ICMP_MEANS_PROHIBITED, "admin-prohibited"},
        {AF_INET6, ICMP6_UNREACH, 3, ICMP_MEANS_HOST, "addr-unreachable"},
        {AF_INET6, ICMP6_UNREACH, 4, ICMP_MEANS_PORT, "port-unreachable"},
        {AF_INET6, ICMP6_UNREACH, 5, ICMP_MEANS_PROHIBITED, "policy-fail"},
        {AF_INET6, ICMP6_UNREACH, 6, ICMP_MEANS_PROHIBITED, "reject-route"},
        {AF_INET6, ICMP6_EXCEEDED, 0, ICMP_MEANS_LOOP, "time-exceeded"},
};

const char *icmp_name(int family, uint8_t type, uint8_t code)
{
        for (size_t i = 0; i < ELEMENTSOF(icmp_table); i++)
                if (icmp_table[i].family == family && icmp_table[i].type == type &&
                    icmp_table[i].code == code)
                        return icmp_table[i].name;
        return NULL;
}

IcmpMeaning icmp_meaning(int family, const IcmpNote *n)
{
        for (size_t i = 0; i < ELEMENTSOF(icmp_table); i++)
                if (icmp_table[i].family == family && icmp_table[i].type == n->type &&
                    icmp_table[i].code == n->code)
                        return icmp_table[i].meaning;
        return ICMP_MEANS_UNKNOWN;
}
