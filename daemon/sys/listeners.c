#include "sys/listeners.h"

#include <dirent.h>
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"

#define TCP_LISTEN_HEX "0A"
/* tcp lines are 150 bytes; a machine with 100,000 connections still fits */
#define PROC_NET_MAX ((size_t)32 << 20)

static int hex_u32(const char *s, uint32_t *ret)
{
        return sscanf(s, "%8x", ret) == 1 ? 0 : -EINVAL;
}

/* "0100007F:18EB": 32-bit words in host order, then the port. */
static int parse_local(const char *s, Addr *ret)
{
        const char *colon = strchr(s, ':');
        unsigned port;
        Addr a = {0};

        if (!colon || sscanf(colon + 1, "%4x", &port) != 1)
                return -EINVAL;
        size_t n = (size_t)(colon - s);
        if (n == 8) {
                a.family = AF_INET;
                if (hex_u32(s, &a.in.s_addr) < 0)
                        return -EINVAL;
        } else if (n == 32) {
                a.family = AF_INET6;
                for (int i = 0; i < 4; i++)
                        if (hex_u32(s + (size_t)i * 8, &a.in6.s6_addr32[i]) < 0)
                                return -EINVAL;
        } else
                return -EINVAL;
        a.port = (uint16_t)port;
        *ret = a;
        return 0;
}

static int read_one(const char *path, Listener **l, size_t *n, size_t *cap)
{
        _cleanup_free_ char *data = NULL;
        char *save = NULL;

        int r = read_file(path, PROC_NET_MAX, &data, NULL);
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        for (char *line = strtok_r(data, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
                char local[48], state[4];
                unsigned uid;
                unsigned long inode;
                if (sscanf(line, " %*d: %47s %*s %3s %*s %*s %*s %u %*s %lu", local, state, &uid,
                           &inode) != 4 ||
                    !streq(state, TCP_LISTEN_HEX))
                        continue;
                Listener one = {.uid = uid, .inode = inode};
                if (parse_local(local, &one.addr) < 0)
                        continue;
                if (*n >= LISTENERS_MAX)
                        return 0;
                r = array_reserve((void **)l, cap, *n + 1, sizeof(Listener));
                if (r < 0)
                        return r;
                (*l)[(*n)++] = one;
        }
        return 0;
}

int listeners_read(const char *proc, Listener **ret, size_t *ret_n)
{
        _cleanup_free_ Listener *l = NULL;
        size_t n = 0, cap = 0;

        if (!proc)
                proc = "/proc";
        _cleanup_free_ char *v4 = path_join(proc, "self/net/tcp"),
                            *v6 = path_join(proc, "self/net/tcp6");
        if (!v4 || !v6)
                return -ENOMEM;
        int r = read_one(v4, &l, &n, &cap);
        if (r >= 0)
                r = read_one(v6, &l, &n, &cap);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(l);
        *ret_n = n;
        return 0;
}

/* From the file, not through NSS: a directory service that hangs must not hang a daemon. */
static char *user_name(uid_t uid)
{
        _cleanup_fclose_ FILE *f = fopen("/etc/passwd", "re");
        struct passwd *p;

        while (f && (p = fgetpwent(f)))
                if (p->pw_uid == uid)
                        return strdup(p->pw_name);
        return str_printf("%u", uid);
}

static bool holds_inode(const char *pid, unsigned long inode)
{
        char link[64], want[48];

        _cleanup_free_ char *dir = str_printf("/proc/%s/fd", pid);
        if (!dir)
                return false;
        (void)snprintf(want, sizeof(want), "socket:[%lu]", inode);
        DIR *d = opendir(dir);
        if (!d)
                return false;
        bool found = false;
        struct dirent *e;
        while (!found && (e = readdir(d))) {
                ssize_t n = readlinkat(dirfd(d), e->d_name, link, sizeof(link) - 1);
                if (n <= 0)
                        continue;
                link[n] = 0;
                found = streq(link, want);
        }
        closedir(d);
        return found;
}

char *listener_owner(const Listener *l)
{
        _cleanup_free_ char *user = user_name(l->uid), *text = NULL;

        DIR *d = user ? opendir("/proc") : NULL;
        if (!d)
                return NULL;
        struct dirent *e;
        while (!text && (e = readdir(d))) {
                if (e->d_name[0] < '1' || e->d_name[0] > '9' || !holds_inode(e->d_name, l->inode))
                        continue;
                _cleanup_free_ char *path = str_printf("/proc/%s/comm", e->d_name), *comm = NULL;
                if (path && read_file(path, 64, &comm, NULL) >= 0)
                        text = str_printf("%s (pid %s, user %s)", str_strip(comm), e->d_name, user);
        }
        closedir(d);
        return text ? TAKE_PTR(text)
                    : str_printf("a process of user %s (named by ss -Hltnp sport = :%u as root)",
                                 user, l->addr.port);
}
