/* What is inside a backup: what is taken keeps every bound and leads nowhere but into the
 * directories that it is for, and comes out of the encoder as it went in. */
#include <stdlib.h>
#include <string.h>

#include "wire/backup-codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const Backup *b, const uint8_t *data, size_t size)
{
        if (b->version != BACKUP_VERSION || b->n_files > BACKUP_FILES_MAX)
                abort();
        for (size_t i = 0; i < b->n_files; i++) {
                const BackupFile *f = &b->files[i];
                BackupKind kind = backup_kind(f->name);
                if (kind < 0 || f->size > backup_size_max(f->name) || strstr(f->name, "/.") ||
                    strstr(f->name, "..") == f->name || f->name[0] == '/')
                        abort();
                if (kind == BACKUP_STATE && strchr(f->name, '/'))
                        abort();
                if (f->size > 0 &&
                    (f->data < data || f->size > size || f->data + f->size > data + size))
                        abort();
                if (backup_find(b, f->name) != f)
                        abort();
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_buf_ Buf first = {.limit = BACKUP_MAX}, second = {.limit = BACKUP_MAX};
        Backup b, again;

        if (backup_decode(data, size, &b) < 0)
                return 0;
        check(&b, data, size);
        if (backup_encode(&b, &first) < 0 ||
            backup_decode(buf_data(&first), buf_size(&first), &again) < 0 ||
            backup_encode(&again, &second) < 0 || buf_size(&first) != buf_size(&second) ||
            memcmp(buf_data(&first), buf_data(&second), buf_size(&first)) != 0)
                abort();
        return 0;
}
