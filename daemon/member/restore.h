/* A machine becomes the head that a backup was made of. The daemon must not run. */
#pragma once

#include <sys/types.h>

#include "member/backup.h"

/* Replaces the state directory by one with what b holds: written beside it, on the disk, then
 * exchanged in one step, so that whatever fails, the directory is as it was. Its files belong to
 * the owner of the directory before; when there was none, to owner and group. The directory before
 * stays as DIR.old-DATE (*ret_old, caller frees; NULL: there was none, or nothing in it). now: Unix
 * time.
 *
 * -EEXIST: there is an identity already, of a head or of a member, and force is not set. *reterr as
 * in backup.h. */
int restore_state(const Backup *b, const char *dir, bool force, uid_t owner, gid_t group,
                  usec_t now, char **ret_old, char **reterr);

/* Writes the settings that are not already so on this machine: in place, the file before kept as
 * FILE.old-DATE, or else as FILE.restored, which no daemon reads. What is written is added to the
 * list *ret (caller frees), also on failure. */
int restore_settings(const Backup *b, const char *conf_file, const char *conf_dir, bool in_place,
                     usec_t now, char ***ret, char **reterr);
