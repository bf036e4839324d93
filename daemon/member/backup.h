/* All that makes this machine the head of its cluster, gathered into one piece, and looked at
 * before anybody trusts it: authority, own identity, tokens and members, Ray's token and authority,
 * and the settings. It is not encrypted here (sys/seal.h), and written nowhere. The caller forgets
 * what is in the buffers (mac_forget). Not in it: what Ray keeps. */
#pragma once

#include "wire/backup-codec.h"

typedef struct BackupPaths {
        const char *state;     /* the state directory */
        const char *conf_file; /* /etc/raycluster.conf */
        const char *conf_dir;  /* /etc/raycluster.conf.d */
        const char *node;      /* host name, for people */
} BackupPaths;

/* Appends to *ret, whose limit should be BACKUP_MAX, as wire/backup.proto. The head may run: what
 * it writes meanwhile is in it whole, or not. Here and below *reterr (caller frees) is one sentence
 * for every error but -ENOMEM. */
int backup_make(const BackupPaths *p, usec_t now, Buf *ret, char **reterr);

/* Decodes, and checks what a head could not start with: key and certificate of the authority go
 * together and are those that the manifest names, the store has no damaged page and is of no later
 * version. *ret points into data. -EBADMSG, -EPROTONOSUPPORT. */
int backup_read(const void *data, size_t n, Backup *ret, char **reterr);
