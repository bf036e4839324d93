#include "member/first-sight.h"

#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fd.h"
#include "base/hex.h"
#include "base/str.h"

#define FILE_MAX ((size_t)256)

static char *file_of(const char *path)
{
        return str_printf("%s.pending", path);
}

int first_sight_load(const char *path, uint8_t ret[static PKI_PIN_SIZE], Addr *ret_head)
{
        _cleanup_free_ char *file = file_of(path), *text = NULL;

        if (!file)
                return -ENOMEM;
        int r = read_file(file, FILE_MAX, &text, NULL);
        if (r < 0)
                return r;
        char *at = strchr(text, '\n');
        if (at)
                *at++ = 0;
        if (hex_decode(str_strip(text), ret, PKI_PIN_SIZE) < 0)
                return -EBADMSG;
        if (ret_head && (!at || addr_parse_port(str_strip(at), ret_head) < 0))
                *ret_head = (Addr){0};
        return 0;
}

int first_sight_save(const char *path, const uint8_t pin[static PKI_PIN_SIZE], const Addr *head)
{
        char at[ADDR_PORT_MAX];
        _cleanup_free_ char *file = file_of(path), *hex = hex_encode(pin, PKI_PIN_SIZE);

        if (!file || !hex)
                return -ENOMEM;
        _cleanup_free_ char *text = str_printf("%s\n%s\n", hex, addr_format_port(at, head));
        if (!text)
                return -ENOMEM;
        return write_file_atomic(file, text, strlen(text), 0600, (gid_t)-1);
}

void first_sight_forget(const char *path)
{
        _cleanup_free_ char *file = file_of(path);

        if (file)
                (void)unlink(file);
}
