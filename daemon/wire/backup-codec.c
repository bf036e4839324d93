#include "wire/backup-codec.h"

#include <string.h>

#include "base/str.h"
#include "wire/backup.pb-c.h"
#include "wire/pb.h"

const char *const backup_state_files[] = {
        BACKUP_AUTHORITY,     BACKUP_IDENTITY, BACKUP_STORE, BACKUP_RAY_TOKEN,
        BACKUP_RAY_AUTHORITY, BACKUP_RAY_MARK, NULL,
};

/* The names that came later: earlier versions refuse a `file` that they do not know, and do without
 * these. */
static bool is_more(const char *name)
{
        return streq(name, BACKUP_RAY_MARK);
}

/* "NAME.conf" of letters that need no thought in a path. */
static bool is_drop_in(const char *s)
{
        static const char ok[] =
                "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-+@";

        return s[0] != '.' && s[strspn(s, ok)] == 0 && endswith(s, ".conf");
}

BackupKind backup_kind(const char *name)
{
        if (strlen(name) >= BACKUP_NAME_MAX)
                return _BACKUP_KIND_INVALID;
        for (size_t i = 0; backup_state_files[i]; i++)
                if (streq(name, backup_state_files[i]))
                        return BACKUP_STATE;
        const char *part = startswith(name, BACKUP_CONF_DIR "/");
        if (streq(name, BACKUP_CONF) || (part && is_drop_in(part)))
                return BACKUP_SETTING;
        return _BACKUP_KIND_INVALID;
}

size_t backup_size_max(const char *name)
{
        if (streq(name, BACKUP_STORE))
                return (size_t)32 << 20;
        if (streq(name, BACKUP_RAY_TOKEN) || streq(name, BACKUP_RAY_MARK))
                return 4096;
        return (size_t)(backup_kind(name) == BACKUP_STATE ? 64 << 10 : 1 << 20);
}

const BackupFile *backup_find(const Backup *b, const char *name)
{
        for (size_t i = 0; i < b->n_files; i++)
                if (streq(b->files[i].name, name))
                        return &b->files[i];
        return NULL;
}

static bool text_is_valid(const char *s)
{
        size_t n = strlen(s);

        for (const char *p = s; *p; p++)
                if (*p <= ' ' || *p > '~')
                        return false;
        return n > 0 && n < BACKUP_TEXT_MAX;
}

static bool is_valid(const Backup *b)
{
        if (b->n_files > BACKUP_FILES_MAX || !text_is_valid(b->software) ||
            !text_is_valid(b->cluster) || !text_is_valid(b->node))
                return false;
        for (size_t i = 0; i < b->n_files; i++) {
                const BackupFile *f = &b->files[i];
                if (backup_kind(f->name) < 0 || f->size > backup_size_max(f->name) ||
                    backup_find(b, f->name) != f)
                        return false;
        }
        return true;
}

int backup_encode(const Backup *b, Buf *ret)
{
        Backuppb__File files[BACKUP_FILES_MAX], *list[BACKUP_FILES_MAX], *more[BACKUP_FILES_MAX];
        Backuppb__Backup m = BACKUPPB__BACKUP__INIT;

        if (b->version != BACKUP_VERSION || !is_valid(b))
                return -EINVAL;
        for (size_t i = 0; i < b->n_files; i++) {
                backuppb__file__init(&files[i]);
                files[i].name = (char *)b->files[i].name;
                files[i].data =
                        (ProtobufCBinaryData){b->files[i].size, (uint8_t *)b->files[i].data};
                if (is_more(b->files[i].name))
                        more[m.n_more++] = &files[i];
                else
                        list[m.n_files++] = &files[i];
        }
        m.version = b->version;
        m.software = (char *)b->software;
        m.cluster = (char *)b->cluster;
        m.node = (char *)b->node;
        m.pin = (ProtobufCBinaryData){sizeof(b->pin), (uint8_t *)b->pin};
        m.created_usec = b->created;
        m.files = list;
        m.more = more;
        if (backuppb__backup__get_packed_size(&m) > BACKUP_MAX)
                return -EMSGSIZE;
        return pb_pack(ret, &m.base);
}

/* --- in -----------------------------------------------------------------------------------------
 */

static int take_text(const PbField *f, char *dest, size_t max)
{
        if (!f->data || f->size >= max || memchr(f->data, 0, f->size))
                return -EBADMSG;
        memcpy(dest, f->data, f->size);
        dest[f->size] = 0;
        return 0;
}

static int take_file(const PbField *field, BackupFile *ret)
{
        const uint8_t *p = field->data;
        PbField f;
        int r;

        if (!p)
                return -EBADMSG;
        const uint8_t *end = p + field->size;
        *ret = (BackupFile){0};
        while ((r = pb_next(&p, end, &f)) > 0) {
                if (f.number == 1)
                        r = take_text(&f, ret->name, sizeof(ret->name));
                else if (f.number == 2 && !f.data)
                        r = -EBADMSG;
                else if (f.number == 2) {
                        ret->data = f.data;
                        ret->size = f.size;
                }
                if (r < 0)
                        return r;
        }
        return r;
}

/* Of a name that is not known yet: a restored head does without. */
static int take_more(const PbField *field, Backup *b)
{
        BackupFile file;

        int r = take_file(field, &file);
        if (r < 0 || backup_kind(file.name) < 0)
                return r;
        if (b->n_files == BACKUP_FILES_MAX)
                return -EBADMSG;
        b->files[b->n_files++] = file;
        return 0;
}

static int take(const PbField *f, Backup *b)
{
        switch (f->number) {
        case 1:
                b->version = (unsigned)MIN(f->value, (uint64_t)UINT32_MAX);
                return f->data ? -EBADMSG : 0;
        case 2:
                return take_text(f, b->software, sizeof(b->software));
        case 3:
                return take_text(f, b->cluster, sizeof(b->cluster));
        case 4:
                if (!f->data || f->size != sizeof(b->pin))
                        return -EBADMSG;
                memcpy(b->pin, f->data, sizeof(b->pin));
                return 0;
        case 5:
                return take_text(f, b->node, sizeof(b->node));
        case 6:
                b->created = f->value;
                return f->data ? -EBADMSG : 0;
        case 7:
                if (b->n_files == BACKUP_FILES_MAX)
                        return -EBADMSG;
                return take_file(f, &b->files[b->n_files++]);
        case 8:
                return take_more(f, b);
        default:
                return 0;
        }
}

/* Field by field, where it lies: unpacked, every key would be in memory twice. */
int backup_decode(const void *data, size_t n, Backup *ret)
{
        Backup b = {0};
        PbField f;
        int r;

        if (n == 0 || n > BACKUP_MAX)
                return -EBADMSG;
        const uint8_t *p = data, *end = p + n;
        while ((r = pb_next(&p, end, &f)) > 0) {
                /* the version stands first: what a later one says is not for us to judge */
                if (b.version == 0 && f.number != 1)
                        return -EBADMSG;
                r = take(&f, &b);
                if (r < 0)
                        return r;
                if (b.version > BACKUP_VERSION)
                        return -EPROTONOSUPPORT;
        }
        if (r < 0 || b.version != BACKUP_VERSION || !is_valid(&b))
                return -EBADMSG;
        *ret = b;
        return 0;
}
