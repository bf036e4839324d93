#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/strv.h"
#include "cli/backup-text.h"
#include "cli/client.h"
#include "cli/passphrase.h"
#include "conf/conf.h"
#include "member/restore.h"
#include "sys/mac.h"
#include "sys/seal.h"

#define DAEMON_USER "raycluster"

/* 1: its name is on the bus; 0: it is not. */
static int is_up(sd_bus *bus, Role role)
{
        _cleanup_message_ sd_bus_message *m = NULL;
        int up;

        int r = sd_bus_call_method(bus, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                   "org.freedesktop.DBus", "NameHasOwner", NULL, &m, "s",
                                   CLIENT_NAME(role));
        if (r >= 0)
                r = sd_bus_message_read(m, "b", &up);
        return r < 0 ? r : up;
}

/* Both daemons keep their state in the one directory, and would go on with what they know. */
static int refuse_running(bool force)
{
        _cleanup_bus_ sd_bus *bus = NULL;

        int r = sd_bus_open_system(&bus);
        if (r >= 0)
                r = sd_bus_set_method_call_timeout(bus, CLIENT_TIMEOUT);
        for (Role role = 0; r >= 0 && role < _ROLE_MAX; role++) {
                r = is_up(bus, role);
                if (r > 0)
                        return cli_fail(EXIT_INTERNAL,
                                        "ray-%s runs here, and would not see what is restored; "
                                        "first: systemctl stop ray-%s%s",
                                        role_to_string(role), role_to_string(role),
                                        role == ROLE_HEAD ? " (and ray-head.socket, if it is used)"
                                                          : "");
        }
        if (r >= 0 || force)
                return EXIT_OK;
        errno = -r;
        return cli_fail(EXIT_INTERNAL,
                        "cannot find out on the system bus whether ray-head runs: %m; make sure "
                        "that it does not, and say --force");
}

static int read_sealed(const char *path, Buf *ret)
{
        _cleanup_free_ char *data = NULL;
        SealHeader h;
        size_t n;

        int r = read_file(path, BACKUP_MAX + SEAL_OVERHEAD, &data, &n);
        if (r >= 0)
                r = seal_read_header(data, n, &h);
        if (r == -E2BIG || r == -EBADMSG)
                return cli_fail(EXIT_INTERNAL,
                                "%s: is not what raycluster backup writes, or was cut short", path);
        if (r == -EPROTONOSUPPORT)
                return cli_fail(EXIT_INTERNAL,
                                "%s: is of a later raycluster; install that version here", path);
        if (r == -ERANGE)
                return cli_fail(EXIT_INTERNAL,
                                "%s: wants more memory for its passphrase than any backup does; it "
                                "was changed",
                                path);
        if (r >= 0)
                r = buf_append(ret, data, n);
        return r < 0 ? backup_fail(r, path, NULL) : EXIT_OK;
}

static int unseal(const char *path, const char *passphrase_file, Buf *ret)
{
        _cleanup_buf_ Buf sealed = {.limit = BACKUP_MAX + SEAL_OVERHEAD};
        _cleanup_passphrase_ Passphrase pass = {0};

        int status = read_sealed(path, &sealed);
        if (status == EXIT_OK)
                status = passphrase_file ? passphrase_read(passphrase_file, &pass)
                                         : passphrase_ask("Passphrase", &pass);
        if (status != EXIT_OK)
                return status;
        int r = seal_open(pass.text, pass.size, buf_data(&sealed), buf_size(&sealed), ret);
        if (r == -EKEYREJECTED)
                return cli_fail(EXIT_INTERNAL,
                                "%s: this is not its passphrase, or the file was changed", path);
        return r < 0 ? backup_fail(r, path, NULL) : EXIT_OK;
}

/* Of a state directory that is not there yet. */
static int find_owner(uid_t *ret_owner, gid_t *ret_group)
{
        const struct passwd *pw = geteuid() == 0 ? getpwnam(DAEMON_USER) : getpwuid(geteuid());

        if (!pw)
                return cli_fail(EXIT_INTERNAL,
                                "there is no user %s here; install the package raycluster first",
                                DAEMON_USER);
        *ret_owner = pw->pw_uid;
        *ret_group = pw->pw_gid;
        return EXIT_OK;
}

static int restore(const Backup *b, bool force)
{
        _cleanup_free_ char *dir = backup_state_dir(), *old = NULL, *error = NULL;
        uid_t owner = geteuid();
        gid_t group = getegid();

        if (!dir)
                return backup_fail(-ENOMEM, "restore", NULL);
        if (access(dir, F_OK) < 0) {
                int status = find_owner(&owner, &group);
                if (status != EXIT_OK)
                        return status;
        }
        int r = restore_state(b, dir, force, owner, group, now_real(), &old, &error);
        if (r < 0)
                return backup_fail(r, dir, error);
        printf("%s: this machine is the head of this cluster now\n\n", dir);
        backup_print(b);
        if (old)
                printf("\nWhat was there before is kept in %s.\n", old);
        return EXIT_OK;
}

static int settings(const Backup *b, bool in_place)
{
        _cleanup_strv_free_ char **written = NULL;
        _cleanup_free_ char *error = NULL;

        int r = restore_settings(b, CONF_FILE, CONF_DIR, in_place, now_real(), &written, &error);
        if (written)
                printf("\n%s", in_place ? "Settings of the backup, now in use (those before are "
                                          "kept as FILE.old-DATE):\n"
                                        : "Settings that are others here; compare, and take over "
                                          "what is to be:\n");
        STRV_FOREACH (s, written)
                printf("  %s\n", *s);
        return r < 0 ? backup_fail(r, "the settings", error) : EXIT_OK;
}

static int run(const Cli *cli, const CliArgs *args)
{
        _cleanup_forget_buf_ Buf plain = {.limit = BACKUP_MAX};
        _cleanup_free_ char *error = NULL;
        bool force = cli_get(&verb_restore, args, "force");
        Backup b;

        int status = refuse_running(force);
        if (status == EXIT_OK)
                status = unseal(args->rest[0], cli_get(&verb_restore, args, "passphrase-file"),
                                &plain);
        if (status != EXIT_OK)
                return status;
        int r = backup_read(buf_data(&plain), buf_size(&plain), &b, &error);
        if (r < 0)
                return backup_fail(r, args->rest[0], error);
        /* a passphrase takes its time, and a socket unit or systemd may have started one */
        status = refuse_running(force);
        if (status == EXIT_OK)
                status = restore(&b, force);
        if (status == EXIT_OK)
                status = settings(&b, cli_get(&verb_restore, args, "settings"));
        if (status == EXIT_OK)
                printf("\nThe old head must not start again. Then: systemctl enable --now "
                       "ray-head\nWorkers follow by themselves where they find this machine: "
                       "cluster.head, DNS, or mDNS.\nWhat was revoked after the backup is good "
                       "again: compare raycluster node list and token list,\nand if a machine is "
                       "to be out, revoke it again, then raycluster ray-token --rotate.\n");
        return status;
}

const Verb verb_restore = {
        .name = "restore",
        .usage = "[--passphrase-file=FILE] [--force] [--settings] FILE",
        .summary = "Make this machine the head that a backup is of",
        .help = "Of what raycluster backup wrote. ray-head must not run. All of it is restored, or "
                "nothing.",
        .options = {{"passphrase-file", 0, "FILE", "Its first line is the passphrase; -: stdin"},
                    {"force", 0, NULL, "Also where there is an identity; it is kept beside"},
                    {"settings", 0, NULL, "Also /etc/raycluster.conf and conf.d, in place"}},
        .n_min = 1,
        .n_max = 1,
        .run = run,
};
