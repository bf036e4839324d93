/* A passphrase: from the terminal, not shown, or from a file. Never from the command line or the
 * environment, where others can read it. */
#pragma once

#include "base/macro.h"

/* In bytes, without the end. */
#define PASSPHRASE_MIN 8 /* of a new one */
#define PASSPHRASE_MAX 1024

typedef struct Passphrase {
        char text[PASSPHRASE_MAX + 1];
        size_t size;
} Passphrase;

void passphrase_done(Passphrase *p);
#define _cleanup_passphrase_ _cleanup_(passphrase_done)

/* Its first line. path: "-" is standard input. Says itself what is wrong; an exit status, as
 * passphrase_ask(). */
int passphrase_read(const char *path, Passphrase *ret);
/* From /dev/tty. A signal that comes meanwhile does what it does when the echo is on again. */
int passphrase_ask(const char *prompt, Passphrase *ret);
/* A new one, twice from the terminal, or once from the file (NULL: none); it must be long enough.
 */
int passphrase_new(const char *path, Passphrase *ret);
