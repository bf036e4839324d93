#include "sys/netstat.h"

#include <netinet/in.h>

#include "base/fd.h"
#include "base/parse.h"
#include "base/str.h"

/* Some hundred counters; the kernel's own text is under 8 KiB. */
#define NETSTAT_MAX ((size_t)64 << 10)
/* A container host has thousands of interfaces of some 130 bytes each. */
#define NETDEV_MAX ((size_t)2 << 20)
/* bytes, packets, errors, drops, fifo, frame, compressed, multicast received; bytes, packets sent
 */
#define NETDEV_TX_PACKETS 9

/* The n-th word of the line at s, or NULL. */
static const char *word(const char *s, unsigned n, size_t *ret_len)
{
        for (unsigned i = 0;; i++) {
                s += strspn(s, " ");
                size_t len = strcspn(s, " \n");
                if (len == 0)
                        return NULL;
                if (i == n) {
                        *ret_len = len;
                        return s;
                }
                s += len;
        }
}

static int parse_word(const char *s, unsigned n, uint64_t *ret)
{
        char digits[24];
        size_t len;
        const char *w = word(s, n, &len);
        if (!w || len >= sizeof(digits))
                return -EINVAL;
        memcpy(digits, w, len);
        digits[len] = 0;
        return parse_u64(digits, ret);
}

int netstat_value(const char *text, const char *group, const char *name, uint64_t *ret)
{
        const char *names = NULL;
        for (const char *line = text; *line;) {
                const char *rest = startswith(line, group);
                const char *end = strchr(line, '\n');
                if (rest && !names)
                        names = rest;
                else if (rest) {
                        size_t len;
                        const char *w;
                        for (unsigned i = 0; (w = word(names, i, &len)); i++) {
                                if (len != strlen(name) || memcmp(w, name, len) != 0)
                                        continue;
                                return parse_word(rest, i, ret);
                        }
                        return -ENOENT;
                }
                if (!end)
                        break;
                line = end + 1;
        }
        return names ? -EINVAL : -ENOENT;
}

int netdev_tx_packets(const char *text, const char *ifname, uint64_t *ret)
{
        for (const char *line = text; line && *line;) {
                const char *s = line + strspn(line, " ");
                const char *rest = startswith(s, ifname);
                if (rest && *rest == ':')
                        return parse_word(rest + 1, NETDEV_TX_PACKETS, ret);
                line = strchr(line, '\n');
                if (line)
                        line++;
        }
        return -ENOENT;
}

int snmp6_value(const char *text, const char *name, uint64_t *ret)
{
        for (const char *line = text; line && *line;) {
                const char *rest = startswith(line, name);
                if (rest && (*rest == ' ' || *rest == '\t')) {
                        rest += strspn(rest, " \t");
                        return parse_word(rest, 0, ret);
                }
                line = strchr(line, '\n');
                if (line)
                        line++;
        }
        return -ENOENT;
}

int netdev_read_tx_packets(const char *ifname, uint64_t *ret)
{
        _cleanup_free_ char *text = NULL;
        int r = read_file("/proc/self/net/dev", NETDEV_MAX, &text, NULL);
        return r < 0 ? r : netdev_tx_packets(text, ifname, ret);
}

/* The text of netstat and snmp, which are of the same form. */
static int read_both(char **ret)
{
        _cleanup_free_ char *netstat = NULL, *snmp = NULL;
        int r = read_file("/proc/self/net/netstat", NETSTAT_MAX, &netstat, NULL);
        if (r >= 0)
                r = read_file("/proc/self/net/snmp", NETSTAT_MAX, &snmp, NULL);
        if (r < 0)
                return r;
        char *both = str_printf("%s%s", netstat, snmp);
        if (!both)
                return -ENOMEM;
        *ret = both;
        return 0;
}

int netstat_read_value(const char *group, const char *name, uint64_t *ret)
{
        _cleanup_free_ char *text = NULL;
        int r = read_both(&text);
        return r < 0 ? r : netstat_value(text, group, name, ret);
}

/* --- the counters of a head ---------------------------------------------------------------------
 */

/* What came less what went on or was counted as an error. */
static int undelivered4(const char *text, int64_t *ret)
{
        static const struct {
                const char *group, *name;
        } lesser[] = {
                {"Ip:", "InDelivers"},         {"Ip:", "ForwDatagrams"},
                {"Ip:", "InHdrErrors"},        {"Ip:", "InAddrErrors"},
                {"Ip:", "InUnknownProtos"},    {"Ip:", "InDiscards"},
                {"Ip:", "ReasmReqds"},         {"IpExt:", "InNoRoutes"},
                {"IpExt:", "InTruncatedPkts"}, {"TcpExt:", "IPReversePathFilter"},
        };
        uint64_t v;

        int r = netstat_value(text, "Ip:", "InReceives", &v);
        if (r < 0)
                return r;
        uint64_t level = v;
        for (size_t i = 0; i < ELEMENTSOF(lesser); i++) {
                r = netstat_value(text, lesser[i].group, lesser[i].name, &v);
                if (r < 0)
                        return r;
                level -= v;
        }
        *ret = (int64_t)level;
        return 0;
}

static int undelivered6(const char *text6, int64_t *ret)
{
        static const char *const lesser[] = {
                "Ip6InDelivers",      "Ip6OutForwDatagrams", "Ip6InHdrErrors", "Ip6InAddrErrors",
                "Ip6InUnknownProtos", "Ip6InDiscards",       "Ip6InNoRoutes",  "Ip6InTooBigErrors",
                "Ip6InTruncatedPkts", "Ip6ReasmReqds",
        };
        uint64_t v;

        int r = snmp6_value(text6, "Ip6InReceives", &v);
        if (r < 0)
                return r;
        uint64_t level = v;
        for (size_t i = 0; i < ELEMENTSOF(lesser); i++) {
                r = snmp6_value(text6, lesser[i], &v);
                if (r < 0)
                        return r;
                level -= v;
        }
        *ret = (int64_t)level;
        return 0;
}

int netstat_counters_parse(int family, const char *text, const char *text6, NetCounters *ret)
{
        NetCounters c = {0};

        int r = netstat_value(text, "TcpExt:", "ListenOverflows", &c.listen_overflows);
        if (r >= 0)
                r = netstat_value(text, "TcpExt:", "ListenDrops", &c.listen_drops);
        if (r >= 0)
                r = netstat_value(text, "TcpExt:", "IPReversePathFilter", &c.rp_filter);
        if (r >= 0)
                r = netstat_value(text, "Tcp:", "OutRsts", &c.resets);
        if (r >= 0)
                r = family == AF_INET6 ? snmp6_value(text6, "Ip6OutNoRoutes", &c.no_routes)
                                       : netstat_value(text, "Ip:", "OutNoRoutes", &c.no_routes);
        if (r < 0)
                return r;
        uint64_t multicast;
        r = family == AF_INET6 ? undelivered6(text6, &c.undelivered_most)
                               : undelivered4(text, &c.undelivered_most);
        if (r >= 0)
                r = family == AF_INET6 ? snmp6_value(text6, "Ip6InMcastPkts", &multicast)
                                       : netstat_value(text, "IpExt:", "InMcastPkts", &multicast);
        c.undelivered_known = r >= 0;
        if (r >= 0)
                c.undelivered = (int64_t)((uint64_t)c.undelivered_most - multicast);
        *ret = c;
        return 0;
}

int netstat_counters(int family, NetCounters *ret)
{
        _cleanup_free_ char *text = NULL, *text6 = NULL;
        int r = read_both(&text);
        if (r >= 0 && family == AF_INET6)
                r = read_file("/proc/self/net/snmp6", NETSTAT_MAX, &text6, NULL);
        return r < 0 ? r : netstat_counters_parse(family, text, text6, ret);
}
