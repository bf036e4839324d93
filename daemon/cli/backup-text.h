/* What the verbs backup and restore say alike. */
#pragma once

#include "cli/cli.h"
#include "wire/backup-codec.h"

/* Where the state of the head lies: the first of STATE_DIRECTORY, as systemd gives it to a unit, or
 * the installed one. NULL when out of memory; caller frees. */
char *backup_state_dir(void);
/* Of whom it is, what is inside, and the words that tell its authority from any other. */
void backup_print(const Backup *b);
/* The sentence that a room gave with r, or that of r; an exit status. */
int backup_fail(int r, const char *what, const char *error);
