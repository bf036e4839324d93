#include "disco/ownaddr.h"

#include "base/alloc.h"
#include "base/str.h"
#include "base/strv.h"
#include "sys/netlink.h"

/* An address that Ray could be told: on an interface that is up and has a carrier (an idle docker0
 * has none), no privacy address. */
static bool is_choice(const NetAddr *a)
{
        NetLink link;

        return a->global && a->usable && !a->temporary && addr_is_usable(&a->addr) &&
               netlink_link_by_index(a->ifindex, &link) >= 0 && link.up && link.carrier &&
               !link.loopback;
}

/* "10.0.0.4 on eth0, 192.168.1.4 on eth1" of one family (AF_UNSPEC: both); NULL out of memory. */
static char *list_choices(const NetAddr *addrs, size_t n, int family)
{
        _cleanup_strv_free_ char **l = NULL;
        char buf[ADDR_MAX];

        for (size_t i = 0; i < n; i++)
                if ((family == AF_UNSPEC || addrs[i].addr.family == family) &&
                    is_choice(&addrs[i]) &&
                    strv_extendf(&l, "%s on %s", addr_format(buf, &addrs[i].addr),
                                 addrs[i].ifname) < 0)
                        return NULL;
        return l ? strv_join(l, ", ") : strdup("none");
}

static int say(char **ret_why, char *why)
{
        if (!why)
                return -ENOMEM;
        *ret_why = why;
        return 0;
}

/* --- node.address ------------------------------------------------------------------------------
 */

static int by_address(const char *address, const NetAddr *addrs, size_t n, Addr *ret,
                      char **ret_why)
{
        Addr a;

        if (addr_parse(address, &a) < 0)
                return say(ret_why,
                           str_printf("node.address: \"%s\" is not an IP address", address));
        int own = netlink_is_own(&a);
        if (own < 0)
                return own;
        if (own == 0) {
                _cleanup_free_ char *have = list_choices(addrs, n, AF_UNSPEC);
                return say(ret_why,
                           str_printf("node.address: %s is not an address of this machine (it has "
                                      "%s); give it to an interface, or correct node.address",
                                      address, strna(have)));
        }
        a.port = 0;
        *ret = a;
        return 1;
}

/* --- node.interface ----------------------------------------------------------------------------
 */

static char *list_links(void)
{
        _cleanup_strv_free_ char **l = NULL;
        _cleanup_free_ NetLink *links = NULL;
        size_t n = 0;

        if (netlink_links(&links, &n) < 0)
                return NULL;
        for (size_t i = 0; i < n; i++)
                if (!links[i].loopback && strv_extend(&l, links[i].name) < 0)
                        return NULL;
        return l ? strv_join(l, ", ") : strdup("none");
}

/* The family that the head has, else IPv4 before IPv6; the first one is the interface's primary. */
static int by_interface(const char *interface, int family, const NetAddr *addrs, size_t n,
                        Addr *ret, char **ret_why)
{
        const NetAddr *best = NULL;
        NetLink link;

        int r = netlink_link_by_name(interface, &link);
        if (r == -ENODEV) {
                _cleanup_free_ char *have = list_links();
                return say(ret_why, str_printf("node.interface: there is no interface %s on this "
                                               "machine (it has %s)",
                                               interface, strna(have)));
        }
        if (r < 0)
                return r;
        for (size_t i = 0; i < n; i++) {
                const NetAddr *a = &addrs[i];
                if (a->ifindex != link.ifindex || !a->usable || !addr_is_usable(&a->addr))
                        continue;
                if (!best || (best->addr.family != family && a->addr.family == family))
                        best = a;
        }
        if (!best)
                return say(ret_why,
                           str_printf("node.interface: %s has no address%s; give it one, or name "
                                      "another interface",
                                      interface, link.up ? "" : " and is down"));
        *ret = best->addr;
        return 1;
}

/* --- by the head -------------------------------------------------------------------------------
 */

static int by_route(const Addr *head, Addr *ret, char **ret_why)
{
        char buf[ADDR_MAX];
        NetRoute route;

        if (!head)
                return say(ret_why, strdup("the head's address is not known yet"));
        int r = netlink_route(head, NULL, 0, &route);
        if (r == -ENETUNREACH)
                return say(ret_why,
                           str_printf("this machine has no route to the head %s; check its "
                                      "interfaces and its default gateway",
                                      addr_format(buf, head)));
        if (r == -EINVAL || r == -EHOSTUNREACH || r == -EACCES)
                return say(ret_why,
                           str_printf("a %s route of this machine forbids the head %s; see `ip "
                                      "route get %s`",
                                      r == -EINVAL         ? "blackhole"
                                      : r == -EHOSTUNREACH ? "unreachable"
                                                           : "prohibit",
                                      addr_format(buf, head), buf));
        if (r < 0)
                return r;
        if (!addr_is_set(&route.source) || addr_is_link_local(&route.source))
                return say(ret_why,
                           str_printf("%s, the interface towards the head %s, has no address that "
                                      "Ray can use; give it one, or set node.address",
                                      route.ifname, addr_format(buf, head)));
        *ret = route.source;
        return 1;
}

/* --- the only one ------------------------------------------------------------------------------
 */

static int by_being_alone(const NetAddr *addrs, size_t n, Addr *ret, char **ret_why)
{
        static const int families[] = {AF_INET, AF_INET6};

        for (size_t f = 0; f < ELEMENTSOF(families); f++) {
                const NetAddr *only = NULL;
                size_t count = 0;
                for (size_t i = 0; i < n; i++)
                        if (addrs[i].addr.family == families[f] && is_choice(&addrs[i])) {
                                only = &addrs[i];
                                count++;
                        }
                if (count == 1) {
                        *ret = only->addr;
                        return 1;
                }
                if (count == 0)
                        continue;
                _cleanup_free_ char *have = list_choices(addrs, n, families[f]);
                return say(ret_why,
                           str_printf("this machine has %zu addresses (%s); say with "
                                      "node.interface or node.address which one Ray is to use",
                                      count, strna(have)));
        }
        return say(ret_why, strdup("this machine has no network address that other machines could "
                                   "reach; bring up an interface, or set node.address"));
}

int own_address(const NodeSettings *node, Role role, const Addr *head, Addr *ret, char **ret_why)
{
        _cleanup_free_ NetAddr *addrs = NULL;
        size_t n = 0;

        int r = netlink_addrs(AF_UNSPEC, &addrs, &n);
        if (r < 0)
                return r;
        if (!isempty(node->address))
                return by_address(node->address, addrs, n, ret, ret_why);
        if (!isempty(node->interface))
                return by_interface(node->interface, head ? head->family : AF_INET, addrs, n, ret,
                                    ret_why);
        if (role == ROLE_WORKER)
                return by_route(head, ret, ret_why);
        if (head && addr_is_usable(head) && netlink_is_own(head) > 0) {
                *ret = *head;
                ret->port = 0;
                return 1;
        }
        return by_being_alone(addrs, n, ret, ret_why);
}
