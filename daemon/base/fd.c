#include "base/fd.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"

int safe_close(int fd)
{
        if (fd >= 0) {
                int saved = errno;
                (void)close(fd);
                errno = saved;
        }
        return -EBADF;
}

int read_file(const char *path, size_t max, char **ret, size_t *ret_size)
{
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        if (fd < 0)
                return -errno;

        _cleanup_free_ char *data = NULL;
        size_t cap = 0, size = 0;
        for (;;) {
                int r = array_reserve((void **)&data, &cap, size + 4096, 1);
                if (r < 0)
                        return r;
                ssize_t n = read(fd, data + size, cap - size - 1);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        break;
                size += (size_t)n;
                if (size > max)
                        return -E2BIG;
        }
        data[size] = 0;
        if (ret_size)
                *ret_size = size;
        *ret = TAKE_PTR(data);
        return 0;
}

static int write_all(int fd, const char *p, size_t size)
{
        while (size > 0) {
                ssize_t n = write(fd, p, size);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                p += n;
                size -= (size_t)n;
        }
        return 0;
}

int write_file_atomic(const char *path, const void *data, size_t size, mode_t mode, gid_t gid)
{
        _cleanup_free_ char *temp = str_printf("%s.XXXXXX", path);
        if (!temp)
                return -ENOMEM;
        _cleanup_close_ int fd = mkostemp(temp, O_CLOEXEC);
        if (fd < 0)
                return -errno;

        int r = write_all(fd, data, size);
        if (r >= 0 && gid != (gid_t)-1 && fchown(fd, (uid_t)-1, gid) < 0)
                r = -errno;
        if (r >= 0 && fchmod(fd, mode) < 0)
                r = -errno;
        if (r >= 0 && fsync(fd) < 0)
                r = -errno;
        if (r >= 0 && rename(temp, path) < 0)
                r = -errno;
        if (r < 0)
                (void)unlink(temp);
        return r;
}

int sync_dir(const char *path)
{
        _cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        return fsync(fd) < 0 ? -errno : 0;
}

char *path_join(const char *a, const char *b)
{
        return str_printf("%s%s%s", a, endswith(a, "/") ? "" : "/", b);
}
