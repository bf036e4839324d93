#include "probe-cli/args-check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/addr.h"
#include "base/alloc.h"
#include "base/str.h"

/* RFC 1035 2.3.4 */
#define NAME_MAX_BYTES  253
#define LABEL_MAX_BYTES 63

int mistake(const char *fmt, ...)
{
        char line[1024];
        va_list ap;

        va_start(ap, fmt);
        (void)vsnprintf(line, sizeof(line), fmt, ap);
        va_end(ap);
        for (char *p = line; *p; p++) /* of a file's name, say: one line is one line */
                if ((unsigned char)*p < ' ' || *p == 0x7f)
                        *p = '?';
        fprintf(stderr, "ray-probe: %s\n", line);
        return -EINVAL;
}

int check_from(const char *s)
{
        Addr a;
        int r = addr_parse(s, &a);
        if (r >= 0 && (addr_is_any(&a) || addr_is_multicast(&a)))
                return mistake("--from %s: is the address of no machine", s);
        if (r >= 0 || r == -ENODEV)
                return 0;
        if (*s && strlen(s) < IF_NAMESIZE && !strpbrk(s, "/ :"))
                return 0;
        return mistake("--from %s: neither an address nor an interface name", s);
}

/* What would break the line that names it. */
static bool has_control(const char *s)
{
        for (; *s; s++)
                if ((unsigned char)*s < ' ' || *s == 0x7f)
                        return true;
        return false;
}

static bool is_broadcast(const Addr *a)
{
        return a->family == AF_INET && a->in.s_addr == INADDR_BROADCAST;
}

/* An attempt at an address, or at an address with its port, that addr_parse() does not take. */
static int check_colons(const char *s)
{
        Addr a;
        const char *slashes = strstr(s, "://");
        if (slashes)
                return mistake("HOST %s: a name or an address, without %.*s", s,
                               (int)(slashes + 3 - s), s);
        const char *colon = strrchr(s, ':');
        if (addr_parse_port(s, &a) >= 0 || strchr(s, ':') == colon)
                return mistake("HOST %s: the port is an argument of its own: ray-probe %.*s %s", s,
                               (int)(colon - s), s, colon + 1);
        return mistake("HOST %s: not an IPv6 address", s);
}

static int check_label(const char *host, const char *label, size_t n)
{
        static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                      "0123456789-_";
        if (n == 0)
                return mistake("HOST %s: has an empty part between its dots", host);
        if (n > LABEL_MAX_BYTES)
                return mistake("HOST %s: has a part of more than %d characters", host,
                               LABEL_MAX_BYTES);
        size_t good = strspn(label, letters);
        if (good < n && (label[good] & 0x80))
                return mistake("HOST %s: a name as DNS has it, please (xn--...)", host);
        if (good < n)
                return mistake("HOST %s: no name has the character '%c'", host, label[good]);
        if (*label == '-')
                return mistake("HOST %s: no part of a name begins with '-'", host);
        return 0;
}

static int check_name(const char *s)
{
        if (strlen(s) > NAME_MAX_BYTES)
                return mistake("HOST is longer than a name can be (%d characters)", NAME_MAX_BYTES);
        struct in_addr short_form; /* "127.1" */
        if (strspn(s, "0123456789.") == strlen(s))
                return inet_aton(s, &short_form) ? 0 : mistake("HOST %s: not an IPv4 address", s);
        for (const char *p = s; *p;) {
                size_t n = strcspn(p, ".");
                int r = check_label(s, p, n);
                if (r < 0)
                        return r;
                p += n + (p[n] == '.'); /* one dot at the end is the root's */
        }
        return 0;
}

int check_host(const char *s)
{
        Addr a;
        if (!*s)
                return mistake("HOST is empty");
        if (has_control(s) || !utf8_is_printable(s)) {
                _cleanup_free_ char *safe = str_escape(s, strlen(s), NAME_MAX_BYTES);
                return mistake("HOST %s: has characters that no name has", strempty(safe));
        }
        int r = addr_parse(s, &a);
        if (r >= 0 && (addr_is_any(&a) || addr_is_multicast(&a) || is_broadcast(&a)))
                return mistake("HOST %s: is the address of no machine", s);
        if (r >= 0 || r == -ENODEV)
                return 0;
        return strchr(s, ':') ? check_colons(s) : check_name(s);
}

int check_cluster_id(const char *s, RayId *ret)
{
        if (ray_id_parse(s, ret) >= 0 && !ray_id_is_nil(ret))
                return 0;
        _cleanup_free_ char *safe = str_escape(s, strlen(s), 2 * (size_t)RAY_ID_STR_MAX);
        return mistake("--cluster-id %s: not %d hex digits", strempty(safe), RAY_ID_STR_MAX - 1);
}

static bool is_other_family(int family, const char *s)
{
        Addr a;
        return family != AF_UNSPEC && s && addr_parse(s, &a) >= 0 && a.family != family;
}

int check_family(int family, const char *host, const char *from)
{
        int digit = family == AF_INET6 ? '6' : '4';
        if (is_other_family(family, host))
                return mistake("HOST %s: not an IPv%c address, as -%c wants", host, digit, digit);
        if (is_other_family(family, from))
                return mistake("--from %s: not an IPv%c address, as -%c wants", from, digit, digit);
        return 0;
}
