#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/parse.h"
#include "cli/backup-text.h"
#include "cli/passphrase.h"
#include "conf/conf.h"
#include "member/backup.h"
#include "sys/mac.h"
#include "sys/seal.h"

/* Reads as the owner of the state: nothing that he puts there makes root read what he may not. */
static int gather_as_owner(const BackupPaths *p, Buf *ret, char **reterr)
{
        struct stat st;

        bool changes = geteuid() == 0 && stat(p->state, &st) == 0 && st.st_uid != 0;
        if (changes && (setgroups(0, NULL) < 0 || setegid(st.st_gid) < 0 || seteuid(st.st_uid) < 0))
                return -errno;
        int r = backup_make(p, now_real(), ret, reterr);
        if (changes && (seteuid(0) < 0 || setegid(0) < 0))
                return -errno;
        return r;
}

static int gather(Buf *ret)
{
        _cleanup_free_ char *dir = backup_state_dir(), *error = NULL;
        char node[BACKUP_TEXT_MAX] = "";

        if (!dir)
                return backup_fail(-ENOMEM, "backup", NULL);
        if (gethostname(node, sizeof(node)) < 0)
                return backup_fail(-errno, "the host name", NULL);
        BackupPaths p = {.state = dir, .conf_file = CONF_FILE, .conf_dir = CONF_DIR, .node = node};
        int r = gather_as_owner(&p, ret, &error);
        return r < 0 ? backup_fail(r, dir, error) : EXIT_OK;
}

/* What was gathered, sealed; it is read again before anybody relies on it. */
static int seal(const Passphrase *pass, const Buf *plain, Buf *ret)
{
        _cleanup_forget_buf_ Buf again = {.limit = BACKUP_MAX};

        int r = seal_close(pass->text, pass->size, SEAL_COST, buf_data(plain), buf_size(plain),
                           ret);
        if (r >= 0)
                r = seal_open(pass->text, pass->size, buf_data(ret), buf_size(ret), &again);
        if (r >= 0 && (buf_size(&again) != buf_size(plain) ||
                       memcmp(buf_data(&again), buf_data(plain), buf_size(plain)) != 0))
                r = -EIO;
        return r < 0 ? backup_fail(r, "encryption", NULL) : EXIT_OK;
}

static int write_out(const char *path, const Buf *sealed)
{
        _cleanup_free_ char *dir = NULL;
        const char *slash = strrchr(path, '/');

        dir = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
        int r = dir ? write_file_atomic(path, buf_data(sealed), buf_size(sealed), 0600, (gid_t)-1)
                    : -ENOMEM;
        if (r >= 0)
                r = sync_dir(dir);
        return r < 0 ? backup_fail(r, path, NULL) : EXIT_OK;
}

static int report(const char *path, const Buf *plain, const Buf *sealed)
{
        _cleanup_free_ char *error = NULL;
        char size[SIZE_STR_MAX];
        Backup b;

        int r = backup_read(buf_data(plain), buf_size(plain), &b, &error);
        if (r < 0)
                return backup_fail(r, path, error);
        printf("%s: a backup of this head, encrypted, %s\n\n", path,
               format_size(size, buf_size(sealed)));
        backup_print(&b);
        printf("\nWhoever has this file and its passphrase is the head of this cluster: keep the "
               "two apart.\nThere is no way back in without the passphrase. raycluster restore "
               "reads it.\n");
        return EXIT_OK;
}

static int run(const Cli *cli, const CliArgs *args)
{
        _cleanup_forget_buf_ Buf plain = {.limit = BACKUP_MAX};
        _cleanup_buf_ Buf sealed = {.limit = BACKUP_MAX + SEAL_OVERHEAD};
        _cleanup_passphrase_ Passphrase pass = {0};

        int status = gather(&plain);
        if (status == EXIT_OK)
                status = passphrase_new(cli_get(&verb_backup, args, "passphrase-file"), &pass);
        if (status == EXIT_OK)
                status = seal(&pass, &plain, &sealed);
        if (status == EXIT_OK)
                status = write_out(args->rest[0], &sealed);
        return status == EXIT_OK ? report(args->rest[0], &plain, &sealed) : status;
}

const Verb verb_backup = {
        .name = "backup",
        .usage = "[--passphrase-file=FILE] FILE",
        .summary = "Save what makes this machine the head, encrypted",
        .help = "The authority, the tokens and members, Ray's token and the settings, in FILE.\n"
                "The daemon may run. What Ray itself keeps is not in it.",
        .options = {{"passphrase-file", 0, "FILE", "Its first line is the passphrase; -: stdin"}},
        .n_min = 1,
        .n_max = 1,
        .run = run,
};
