#include "member/backup.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fd.h"
#include "base/str.h"
#include "member/identity.h"
#include "member/store.h"
#include "sys/mac.h"

static_assert(BACKUP_PIN_SIZE == PKI_PIN_SIZE, "the pin of the manifest is that of a key");
static_assert(BACKUP_TEXT_MAX >= PKI_NAME_MAX && BACKUP_TEXT_MAX >= PKI_CLUSTER_MAX, "texts");

typedef struct Gathered {
        Backup b;
        Buf data[BACKUP_FILES_MAX]; /* b.files point in here */
} Gathered;

static Gathered *gathered_free(Gathered *g)
{
        if (!g)
                return NULL;
        for (size_t i = 0; i < ELEMENTSOF(g->data); i++)
                mac_forget_buf(&g->data[i]);
        free(g);
        return NULL;
}
DEFINE_CLEANUP(Gathered *, gathered_free);

static int complain(char **reterr, int r, const char *what, const char *why)
{
        if (r == -ENOMEM)
                return r;
        *reterr = str_printf("%s: %s", what, why);
        return *reterr ? r : -ENOMEM;
}

/* --- gathering ----------------------------------------------------------------------------------
 */

static int read_whole(const char *path, size_t max, Buf *ret)
{
        _cleanup_free_ char *text = NULL;
        size_t n;

        int r = read_file(path, max, &text, &n);
        if (r < 0)
                return r;
        r = buf_append(ret, text, n);
        mac_forget(text, n);
        return r;
}

/* -ENOENT: there is none, and nothing is said. */
static int add(Gathered *g, const char *path, const char *name, char **reterr)
{
        if (g->b.n_files == BACKUP_FILES_MAX)
                return complain(reterr, -E2BIG, path,
                                "there are too many files of settings; join some of them");
        BackupFile *f = &g->b.files[g->b.n_files];
        Buf *data = &g->data[g->b.n_files];

        data->limit = backup_size_max(name);
        int r = streq(name, BACKUP_STORE) ? db_snapshot(path, data)
                                          : read_whole(path, data->limit, data);
        if (r == -E2BIG || r == -EMSGSIZE)
                return complain(reterr, r, path, "is larger than any that raycluster writes");
        if (r == -EBADMSG)
                return complain(reterr, r, path, "is damaged, and no backup of it is worth much");
        if (r < 0 && r != -ENOENT)
                return complain(reterr, r, path, strerror(-r));
        if (r < 0)
                return r;
        str_copy(f->name, sizeof(f->name), name);
        f->data = buf_data(data);
        f->size = buf_size(data);
        g->b.n_files++;
        return 0;
}

static int add_state(Gathered *g, const char *dir, char **reterr)
{
        for (size_t i = 0; backup_state_files[i]; i++) {
                const char *name = backup_state_files[i];
                _cleanup_free_ char *path = path_join(dir, name);
                if (!path)
                        return -ENOMEM;
                /* SQLite does not tell "there is none" from "you may not" */
                int r = access(path, F_OK) < 0 ? -errno : add(g, path, name, reterr);
                if (r == -ENOENT && !streq(name, BACKUP_AUTHORITY) && !streq(name, BACKUP_STORE))
                        continue;
                if (r == -ENOENT)
                        return complain(reterr, r, path,
                                        "is not there; a backup is made on the head, after its "
                                        "first start (systemctl start ray-head)");
                if (r < 0)
                        return *reterr ? r : complain(reterr, r, path, strerror(-r));
        }
        return 0;
}

static int is_setting(const struct dirent *e)
{
        return e->d_name[0] != '.' && endswith(e->d_name, ".conf");
}

static int add_drop_in(Gathered *g, const char *dir, const char *part, char **reterr)
{
        _cleanup_free_ char *path = path_join(dir, part);
        _cleanup_free_ char *name = path_join(BACKUP_CONF_DIR, part);
        if (!path || !name)
                return -ENOMEM;
        if (backup_kind(name) < 0)
                return complain(reterr, -EINVAL, path,
                                "a backup takes names of up to 70 letters, digits and ._-+@; "
                                "rename it");
        int r = add(g, path, name, reterr);
        return r == -ENOENT ? 0 : r;
}

static int add_settings(Gathered *g, const BackupPaths *p, char **reterr)
{
        struct dirent **list = NULL;

        int r = add(g, p->conf_file, BACKUP_CONF, reterr);
        if (r < 0 && r != -ENOENT)
                return r;
        int n = scandir(p->conf_dir, &list, is_setting, alphasort);
        if (n < 0)
                return errno == ENOENT ? 0 : complain(reterr, -errno, p->conf_dir, strerror(errno));
        r = 0;
        for (int i = 0; i < n; i++) {
                if (r >= 0)
                        r = add_drop_in(g, p->conf_dir, list[i]->d_name, reterr);
                free(list[i]);
        }
        free(list);
        return r;
}

/* --- looking at it ------------------------------------------------------------------------------
 */

/* Its authority: *ret_names and *ret_pin. -EBADMSG. */
static int read_authority(const Backup *b, PkiNames *ret_names,
                          uint8_t ret_pin[static PKI_PIN_SIZE])
{
        const BackupFile *f = backup_find(b, BACKUP_AUTHORITY);
        _cleanup_identity_ Identity i = {0};

        int r = f ? identity_read(f->data, f->size, &i) : -EBADMSG;
        if (r >= 0)
                r = pki_cert_names(i.cert, ret_names);
        if (r < 0)
                return r == -ENOMEM ? r : -EBADMSG;
        pki_cert_pin(i.cert, ret_pin);
        return ret_names->role == PKI_CA ? 0 : -EBADMSG;
}

static int check_authority(const Backup *b, char **reterr)
{
        uint8_t pin[PKI_PIN_SIZE];
        PkiNames names;

        int r = read_authority(b, &names, pin);
        if (r < 0)
                return complain(reterr, r, BACKUP_AUTHORITY, "is damaged");
        if (!streq(names.cluster, b->cluster) || memcmp(pin, b->pin, sizeof(pin)) != 0)
                return complain(reterr, -EBADMSG, BACKUP_AUTHORITY,
                                "is not the one that the backup says it is of");
        return 0;
}

static int check_pem(const Backup *b, const char *name, char **reterr)
{
        const BackupFile *f = backup_find(b, name);
        _cleanup_identity_ Identity i = {0};

        int r = f ? identity_read(f->data, f->size, &i) : 0;
        return r < 0 ? complain(reterr, r, name, "is damaged") : 0;
}

static int check_store(const Backup *b, char **reterr)
{
        const BackupFile *f = backup_find(b, BACKUP_STORE);

        int r = f ? store_check(f->data, f->size) : -EBADMSG;
        if (r == -EUCLEAN)
                return complain(reterr, -EPROTONOSUPPORT, BACKUP_STORE,
                                "is of a later raycluster; install that version here");
        return r < 0 ? complain(reterr, r, BACKUP_STORE, f ? "is damaged" : "is missing") : 0;
}

static int check(const Backup *b, char **reterr)
{
        int r = check_authority(b, reterr);
        if (r >= 0)
                r = check_pem(b, BACKUP_IDENTITY, reterr);
        if (r >= 0)
                r = check_pem(b, BACKUP_RAY_AUTHORITY, reterr);
        return r < 0 ? r : check_store(b, reterr);
}

int backup_make(const BackupPaths *p, usec_t now, Buf *ret, char **reterr)
{
        _cleanup_(gathered_freep) Gathered *g = new0(Gathered, 1);
        PkiNames names;

        if (!g)
                return -ENOMEM;
        g->b.version = BACKUP_VERSION;
        g->b.created = now;
        str_copy(g->b.software, sizeof(g->b.software), RAYCLUSTER_VERSION);
        str_copy(g->b.node, sizeof(g->b.node), p->node);
        int r = add_state(g, p->state, reterr);
        if (r >= 0)
                r = add_settings(g, p, reterr);
        if (r < 0)
                return r;
        r = read_authority(&g->b, &names, g->b.pin);
        if (r < 0)
                return complain(reterr, r, BACKUP_AUTHORITY,
                                "is damaged, and no backup of it is worth much");
        str_copy(g->b.cluster, sizeof(g->b.cluster), names.cluster);
        r = check(&g->b, reterr);
        if (r >= 0)
                r = backup_encode(&g->b, ret);
        if (r < 0 && !*reterr)
                return complain(reterr, r, p->state,
                                r == -EMSGSIZE ? "its files are too large together" : strerror(-r));
        return r;
}

int backup_read(const void *data, size_t n, Backup *ret, char **reterr)
{
        Backup b;

        int r = backup_decode(data, n, &b);
        if (r == -EPROTONOSUPPORT)
                return complain(reterr, r, "this backup",
                                "is of a later raycluster; install that version here");
        if (r < 0)
                return complain(reterr, r, "this backup", "its contents make no sense");
        r = check(&b, reterr);
        if (r < 0)
                return r;
        *ret = b;
        return 0;
}
