#include "probe/remedy.h"

#include "base/alloc.h"
#include "base/str.h"

/* A copy with every `from` written as `to`. */
static char *swap(const char *s, char from, char to)
{
        char *copy = strdup(s);
        for (char *p = copy; p && *p; p++)
                if (*p == from)
                        *p = to;
        return copy;
}

static bool is_list(const char *ports)
{
        return strchr(ports, ',');
}

char *remedy_where(const char *machine)
{
        return machine ? str_printf("on %s, as root: ", machine) : strdup("here, as root: ");
}

static char *firewalld_ports(const char *ports, RemedyProfile profile)
{
        static const char *const services[_REMEDY_PROFILE_MAX] = {
                [REMEDY_PROFILE_HEAD] = "raycluster-head",
                [REMEDY_PROFILE_WORKER] = "raycluster-worker",
        };
        _cleanup_free_ char *adds = NULL;

        if (services[profile])
                return str_printf("firewall-cmd --permanent --add-service=%s && firewall-cmd "
                                  "--reload",
                                  services[profile]);
        for (const char *p = ports; p && *p;) {
                size_t n = strcspn(p, ",");
                char *more = str_printf("%s --add-port=%.*s/tcp", strempty(adds), (int)n, p);
                if (!more)
                        return NULL;
                free(adds);
                adds = more;
                p += n + (p[n] == ',');
        }
        return str_printf("firewall-cmd --permanent%s && firewall-cmd --reload", strempty(adds));
}

static char *ufw_ports(const char *ports, RemedyProfile profile)
{
        static const char *const applications[_REMEDY_PROFILE_MAX] = {
                [REMEDY_PROFILE_HEAD] = "Ray head",
                [REMEDY_PROFILE_WORKER] = "Ray worker",
        };
        _cleanup_free_ char *colons = swap(ports, '-', ':');

        if (applications[profile])
                return str_printf("ufw allow '%s'", applications[profile]);
        return colons ? str_printf("ufw allow %s/tcp", colons) : NULL;
}

/* Debian, Fedora and their kin ship a table "inet filter"; another name is the reader's own. */
static char *nftables_ports(const char *ports)
{
        return str_printf("nft insert rule inet filter input tcp dport %s%s%s accept # and in "
                          "/etc/nftables.conf",
                          is_list(ports) ? "'{ " : "", ports, is_list(ports) ? " }'" : "");
}

static char *iptables_ports(int family, const char *ports)
{
        _cleanup_free_ char *colons = swap(ports, '-', ':');
        _cleanup_free_ char *rule = NULL;

        if (!colons)
                return NULL;
        rule = str_printf("-I INPUT -p tcp %s %s -j ACCEPT",
                          is_list(ports) ? "-m multiport --dports" : "--dport", colons);
        if (!rule)
                return NULL;
        if (family == AF_UNSPEC)
                return str_printf("for t in iptables ip6tables; do $t %s; done && "
                                  "netfilter-persistent save",
                                  rule);
        return str_printf("%s %s && netfilter-persistent save",
                          family == AF_INET6 ? "ip6tables" : "iptables", rule);
}

static char *open_words(FirewallManager m, int family, const char *ports, RemedyProfile profile)
{
        switch (m) {
        case FIREWALL_FIREWALLD:
                return firewalld_ports(ports, profile);
        case FIREWALL_UFW:
                return ufw_ports(ports, profile);
        case FIREWALL_NFTABLES:
                return nftables_ports(ports);
        case FIREWALL_IPTABLES:
                return iptables_ports(family, ports);
        default: {
                _cleanup_free_ char *a = firewalld_ports(ports, profile);
                _cleanup_free_ char *b = ufw_ports(ports, profile);
                return a && b ? str_printf("%s, or: %s", a, b) : NULL;
        }
        }
}

char *remedy_open_ports(FirewallManager m, const char *machine, int family, const char *ports,
                        RemedyProfile profile)
{
        if (m == FIREWALL_NONE)
                return remedy_show_rules(machine);
        _cleanup_free_ char *where = remedy_where(machine);
        _cleanup_free_ char *words = open_words(m, family, ports, profile);
        return where && words ? str_printf("%s%s", where, words) : NULL;
}

char *remedy_open_out(FirewallManager m, const char *machine, const Addr *to, const char *ports)
{
        _cleanup_free_ char *where = remedy_where(machine);
        _cleanup_free_ char *dashes = ports ? strdup(ports) : str_printf("%u", to->port);
        _cleanup_free_ char *colons = dashes ? swap(dashes, '-', ':') : NULL;
        bool six = to->family == AF_INET6, list = dashes && is_list(dashes);
        const char *match = list ? "-m multiport --dports" : "--dport";
        char addr[ADDR_MAX];

        if (!where || !colons)
                return NULL;
        addr_format(addr, to);
        switch (m) {
        case FIREWALL_FIREWALLD:
                return str_printf("%sfirewall-cmd --permanent --direct --add-rule ipv%c filter "
                                  "OUTPUT 0 -p tcp -d %s %s %s -j ACCEPT && firewall-cmd --reload",
                                  where, six ? '6' : '4', addr, match, colons);
        case FIREWALL_UFW:
                return str_printf("%sufw allow out to %s port %s proto tcp", where, addr, colons);
        case FIREWALL_NFTABLES:
                return str_printf("%snft insert rule inet filter output %s daddr %s tcp dport "
                                  "%s%s%s accept # and in /etc/nftables.conf",
                                  where, six ? "ip6" : "ip", addr, list ? "'{ " : "", dashes,
                                  list ? " }'" : "");
        case FIREWALL_IPTABLES:
                return str_printf("%s%s -I OUTPUT -p tcp -d %s %s %s -j ACCEPT && "
                                  "netfilter-persistent save",
                                  where, six ? "ip6tables" : "iptables", addr, match, colons);
        default:
                return str_printf("%snft list ruleset | grep -n -A9 'hook output' # systemd units "
                                  "may block too: IPAddressDeny=",
                                  where);
        }
}

char *remedy_show_rules(const char *machine)
{
        _cleanup_free_ char *where = remedy_where(machine);
        return where ? str_printf("%snft list ruleset | grep -nE 'hook|drop|reject' # made by "
                                  "hand: no firewall manager runs there",
                                  where)
                     : NULL;
}

char *remedy_route(const char *machine, const Addr *to, const Addr *via)
{
        _cleanup_free_ char *where = remedy_where(machine);
        char dest[ADDR_MAX], gateway[ADDR_MAX] = "ROUTER";

        if (!where)
                return NULL;
        if (via && addr_is_set(via))
                addr_format(gateway, via);
        return str_printf("%sip%s route add %s via %s", where, to->family == AF_INET6 ? " -6" : "",
                          addr_format(dest, to), gateway);
}

char *remedy_clock(ClockKeeper k, const char *machine)
{
        static const char *const chrony = "systemctl enable --now chronyd && chronyc makestep";
        static const char *const timesyncd = "timedatectl set-ntp true && systemctl restart "
                                             "systemd-timesyncd";
        _cleanup_free_ char *where = remedy_where(machine);

        if (!where)
                return NULL;
        switch (k) {
        case CLOCK_KEEPER_CHRONY:
                return str_printf("%s%s", where, chrony);
        case CLOCK_KEEPER_TIMESYNCD:
                return str_printf("%s%s", where, timesyncd);
        default:
                return str_printf("%s%s, or: %s", where, chrony, timesyncd);
        }
}

char *remedy_node_address(const char *machine, const Addr *address)
{
        _cleanup_free_ char *where = remedy_where(machine);
        char addr[ADDR_MAX];

        return where ? str_printf("%secho 'node: { address = \"%s\"; };' "
                                  ">/etc/raycluster.conf.d/address.conf && raycluster check && "
                                  "systemctl reload ray-worker && raycluster restart-engine",
                                  where, addr_format(addr, address))
                     : NULL;
}
