#include "probe/notes.h"

#include <stdarg.h>
#include <stdio.h>

void notes_add(Notes *n, const char *name, usec_t at, usec_t took, const char *fmt, ...)
{
        if (n->n >= NOTES_MAX)
                return;
        Note *note = &n->notes[n->n++];
        va_list ap;
        *note = (Note){.name = name, .at = at, .took = took};
        va_start(ap, fmt);
        (void)vsnprintf(note->text, sizeof(note->text), fmt, ap);
        va_end(ap);
}
