/* What is inside a backup of a head (wire/backup.proto), as values and as bytes. No fd, no clock,
 * no key. The names of the files are a closed list: nothing that is read here leads out of the
 * directories that it belongs to. */
#pragma once

#include <errno.h>

#include "base/buf.h"
#include "base/time.h"

#define BACKUP_VERSION 1

#define BACKUP_TEXT_MAX 65 /* a host name, a cluster, a version and the end */
#define BACKUP_PIN_SIZE 32
/* The state, the configuration and as many parts of it as a person keeps apart. */
#define BACKUP_FILES_MAX 72
#define BACKUP_NAME_MAX  96
/* The whole: 10,000 members have some 6 MiB. */
#define BACKUP_MAX ((size_t)48 << 20)

#define BACKUP_AUTHORITY     "authority.pem"
#define BACKUP_IDENTITY      "identity.pem"
#define BACKUP_STORE         "members.db"
#define BACKUP_RAY_TOKEN     "ray-token"
#define BACKUP_RAY_AUTHORITY "ray-authority.pem"
#define BACKUP_RAY_MARK      "ray-token.known-to" /* that the token is to be rotated */
#define BACKUP_CONF          "raycluster.conf"
#define BACKUP_CONF_DIR      "raycluster.conf.d" /* with /NAME.conf */

typedef enum BackupKind {
        BACKUP_STATE,   /* of the state directory */
        BACKUP_SETTING, /* of /etc */
        _BACKUP_KIND_MAX,
        _BACKUP_KIND_INVALID = -EINVAL,
} BackupKind;

/* Files of the state, in the order in which they are kept; NULL-ended. */
extern const char *const backup_state_files[];

/* Whose the name is, or _BACKUP_KIND_INVALID: it is none of the list. */
BackupKind backup_kind(const char *name);
/* Most that a file of that name holds, bytes. */
size_t backup_size_max(const char *name);

typedef struct BackupFile {
        char name[BACKUP_NAME_MAX];
        const uint8_t *data; /* borrowed */
        size_t size;
} BackupFile;

typedef struct Backup {
        unsigned version;
        char software[BACKUP_TEXT_MAX], cluster[BACKUP_TEXT_MAX], node[BACKUP_TEXT_MAX];
        uint8_t pin[BACKUP_PIN_SIZE];
        usec_t created; /* Unix time */
        BackupFile files[BACKUP_FILES_MAX];
        size_t n_files;
} Backup;

/* The file of that name, or NULL. */
const BackupFile *backup_find(const Backup *b, const char *name);

/* Appends, in one piece, so that no growing buffer leaves a copy of a key behind. -EINVAL: over a
 * bound, a name of no list, or one twice; -EMSGSIZE: over BACKUP_MAX, or the buffer's limit;
 * -ENOMEM. */
int backup_encode(const Backup *b, Buf *ret);
/* *ret points into data. -EBADMSG: no such message, or against a rule of backup_encode();
 * -EPROTONOSUPPORT: of a later version. */
int backup_decode(const void *data, size_t n, Backup *ret);
