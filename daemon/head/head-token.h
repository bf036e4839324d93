/* What the head knows of Ray's token. One that cannot be read now stays what it was: its members
 * take an empty one for an end of authentication, and throw theirs away. */
#pragma once

#include "model/settings.h"

typedef struct HeadToken {
        char *text;    /* NULL: authentication is off, or `missing` says why it is not known */
        char *missing; /* a sentence, told to the journal when it is new and when it is over */
} HeadToken;

/* Makes it, too, as token_provide(). true: it is another one than before. */
bool head_token_load(HeadToken *t, const Settings *s, const char *state_dir);
void head_token_done(HeadToken *t);
