#include "sys/firewall.h"

#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <unistd.h>

#include "base/fd.h"
#include "sys/netlink-private.h"

/* ufw.conf has two settings and their comments. */
#define UFW_CONF_MAX ((size_t)16 << 10)
/* Some three hundred lines of a hundred bytes. */
#define MODULES_MAX ((size_t)1 << 20)

/* systemd keeps this link while a unit is active, also one that has done its work and exited
 * (RemainAfterExit=); it is there for journald, and readable by all. */
static bool unit_is_active(const char *root, const char *unit)
{
        char target[64];
        _cleanup_free_ char *path = str_printf("%s/run/systemd/units/invocation:%s", root, unit);

        return path && readlink(path, target, sizeof(target)) > 0;
}

static bool any_is_active(const char *root, const char *const *units)
{
        for (; *units; units++)
                if (unit_is_active(root, *units))
                        return true;
        return false;
}

/* The line ENABLED=yes, in any case and with or without quotes, as ufw itself reads it. */
static bool ufw_is_enabled(const char *root)
{
        _cleanup_free_ char *path = str_printf("%s/etc/ufw/ufw.conf", root), *text = NULL;
        char *save = NULL;

        if (!path || read_file(path, UFW_CONF_MAX, &text, NULL) < 0)
                return false;
        for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
                const char *s = str_strip(line);
                if (strncasecmp(s, "ENABLED=", strlen("ENABLED=")) != 0)
                        continue;
                s += strlen("ENABLED=");
                s += strspn(s, "\"'");
                return strncasecmp(s, "yes", 3) == 0;
        }
        return false;
}

/* A line of /proc/modules begins with the name. */
static bool has_module(const char *modules, const char *name)
{
        size_t n = strlen(name);

        for (const char *line = modules; line && *line;) {
                if (strncmp(line, name, n) == 0 && line[n] == ' ')
                        return true;
                line = strchr(line, '\n');
                if (line)
                        line++;
        }
        return false;
}

/* --- the rules themselves: root only ------------------------------------------------------------
 */

typedef struct ChainQuery {
        bool input;    /* a chain that filters what comes in */
        bool iptables; /* and it is one that iptables makes */
} ChainQuery;

static bool attr_is(const struct nlattr *attr, const char *s)
{
        return attr && (size_t)nla_len(attr) > strlen(s) && streq(nla_data(attr), s);
}

static int parse_chain(struct nlmsghdr *h, void *arg)
{
        ChainQuery *q = arg;
        struct nlattr *tb[NFTA_CHAIN_MAX + 1], *hook[NFTA_HOOK_MAX + 1];

        if (h->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWCHAIN))
                return 0;
        if (nlmsg_parse(h, sizeof(struct nfgenmsg), tb, NFTA_CHAIN_MAX, NULL) < 0)
                return -EBADMSG;
        /* only a base chain has a hook */
        if (!tb[NFTA_CHAIN_HOOK] ||
            nla_parse_nested(hook, NFTA_HOOK_MAX, tb[NFTA_CHAIN_HOOK], NULL) < 0 ||
            !hook[NFTA_HOOK_HOOKNUM] || nla_len(hook[NFTA_HOOK_HOOKNUM]) < 4 ||
            ntohl(nla_get_u32(hook[NFTA_HOOK_HOOKNUM])) != NF_INET_LOCAL_IN)
                return 0;
        q->input = true;
        q->iptables = q->iptables || (attr_is(tb[NFTA_CHAIN_TABLE], "filter") &&
                                      attr_is(tb[NFTA_CHAIN_NAME], "INPUT"));
        return 0;
}

/* -EPERM without privilege. */
static int ask_kernel(FirewallManager *ret)
{
        _cleanup_(nlmsg_freep) struct nl_msg *msg = NULL;
        struct nfgenmsg g = {.nfgen_family = NFPROTO_UNSPEC, .version = NFNETLINK_V0};
        ChainQuery q = {0};

        int r = netlink_message_new(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETCHAIN, NLM_F_DUMP, &g,
                                    sizeof(g), &msg);
        if (r >= 0)
                r = netlink_request(NETLINK_NETFILTER, msg, parse_chain, &q);
        if (r < 0)
                return r;
        *ret = q.iptables ? FIREWALL_IPTABLES : q.input ? FIREWALL_NFTABLES : FIREWALL_NONE;
        return 0;
}

FirewallManager firewall_manager(const char *root)
{
        static const char *const firewalld[] = {"firewalld.service", NULL};
        static const char *const nftables[] = {"nftables.service", NULL};
        static const char *const iptables[] = {"netfilter-persistent.service", "iptables.service",
                                               "ip6tables.service", NULL};
        const char *top = root ? root : "";
        FirewallManager of_kernel;

        if (any_is_active(top, firewalld))
                return FIREWALL_FIREWALLD;
        if (ufw_is_enabled(top))
                return FIREWALL_UFW;
        if (any_is_active(top, nftables))
                return FIREWALL_NFTABLES;
        if (any_is_active(top, iptables))
                return FIREWALL_IPTABLES;

        /* Rules without a manager. A distribution builds both kinds as modules, loaded by the first
         * rule; a kernel that has them built in does not tell. */
        _cleanup_free_ char *path = str_printf("%s/proc/modules", top), *modules = NULL;
        if (path && read_file(path, MODULES_MAX, &modules, NULL) >= 0) {
                if (has_module(modules, "iptable_filter") || has_module(modules, "ip6table_filter"))
                        return FIREWALL_IPTABLES;
                if (*modules && !has_module(modules, "nf_tables"))
                        return FIREWALL_NONE;
        }
        if (root || ask_kernel(&of_kernel) < 0)
                return FIREWALL_UNKNOWN;
        return of_kernel;
}
