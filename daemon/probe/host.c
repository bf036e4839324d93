#include "probe/host.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fd.h"
#include "base/parse.h"
#include "base/str.h"

/* 150 bytes a socket; with more than 200,000 of them a count would not help anybody */
#define PROC_NET_MAX ((size_t)32 << 20)
#define SMALL_MAX    ((size_t)16 << 10)

/* systemd-resolved's own address in resolv.conf, and what it asks itself */
#define RESOLVED_STUB "127.0.0.53"
#define RESOLVED_CONF "/run/systemd/resolve/resolv.conf"

static bool read_range(uint16_t *ret_first, uint16_t *ret_last)
{
        _cleanup_free_ char *text = NULL;
        unsigned first, last;

        /* IPv6 uses it, too */
        if (read_file("/proc/sys/net/ipv4/ip_local_port_range", SMALL_MAX, &text, NULL) < 0 ||
            sscanf(text, "%u %u", &first, &last) != 2 || first > last || last > UINT16_MAX)
                return false;
        *ret_first = (uint16_t)first;
        *ret_last = (uint16_t)last;
        return true;
}

static bool read_setting(const char *path, unsigned *ret)
{
        _cleanup_free_ char *text = NULL;
        return read_file(path, SMALL_MAX, &text, NULL) >= 0 &&
               parse_unsigned(str_strip(text), ret) >= 0;
}

void host_gather(HostFacts *h)
{
        struct rlimit files;

        h->ports_known = read_range(&h->port_first, &h->port_last);
        h->files_known = getrlimit(RLIMIT_NOFILE, &files) == 0;
        h->files_max = h->files_known ? files.rlim_cur : 0;
        h->mtu_probing_known = read_setting("/proc/sys/net/ipv4/tcp_mtu_probing", &h->mtu_probing);
}

unsigned host_ports_in(const char *text, uint16_t first, uint16_t last, uint8_t seen[8192])
{
        unsigned n = 0;
        for (const char *line = strchr(text, '\n'); line && line[1]; line = strchr(line, '\n')) {
                unsigned port;
                line++;
                /* "  0: 0100007F:9C40 …": slot, address, port */
                if (sscanf(line, " %*u: %*32[0-9A-F]:%4x", &port) != 1 || port < first ||
                    port > last || (seen[port / 8] & 1U << port % 8))
                        continue;
                seen[port / 8] |= (uint8_t)(1U << port % 8);
                n++;
        }
        return n;
}

static void count_ports(HostFacts *h)
{
        static const char *const files[] = {"/proc/self/net/tcp", "/proc/self/net/tcp6"};
        uint8_t seen[8192] = {0};

        h->ports_used = 0;
        for (size_t i = 0; i < ELEMENTSOF(files); i++) {
                _cleanup_free_ char *text = NULL;
                if (read_file(files[i], PROC_NET_MAX, &text, NULL) < 0)
                        continue;
                h->ports_counted = true;
                h->ports_used += host_ports_in(text, h->port_first, h->port_last, seen);
        }
}

static void count_files(HostFacts *h)
{
        /* with no descriptor left this fails: then there are as many as may be */
        DIR *d = opendir("/proc/self/fd");
        h->files_counted = true;
        h->files_open = (unsigned)MIN(h->files_max, (uint64_t)UINT32_MAX);
        if (!d)
                return;
        h->files_open = 0;
        for (const struct dirent *e = readdir(d); e; e = readdir(d))
                h->files_open += e->d_name[0] != '.';
        closedir(d);
        h->files_open--; /* the one just used */
}

void host_count(HostFacts *h)
{
        if (h->ports_known)
                count_ports(h);
        if (h->files_known)
                count_files(h);
}

void host_resolv_conf(const char *text, char *buf, size_t size)
{
        size_t len = 0;

        *buf = 0;
        for (const char *line = text; line && *line; line = strchr(line, '\n')) {
                char server[64];
                line += *line == '\n';
                if (sscanf(line, "nameserver %63[0-9a-fA-F.:%%a-z]", server) != 1)
                        continue;
                int n = snprintf(buf + len, size - len, "%s%s", len ? ", " : "", server);
                if (n < 0 || (size_t)n >= size - len) {
                        buf[len] = 0;
                        return;
                }
                len += (size_t)n;
        }
}

void host_servers(HostFacts *h, const char *servers)
{
        _cleanup_free_ char *text = NULL;

        (void)snprintf(h->servers, sizeof(h->servers), "%s", servers);
        if (streq(servers, RESOLVED_STUB) && read_file(RESOLVED_CONF, SMALL_MAX, &text, NULL) >= 0)
                host_resolv_conf(text, h->upstream, sizeof(h->upstream));
}
