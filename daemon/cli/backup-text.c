#include "cli/backup-text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/parse.h"
#include "cli/out.h"
#include "model/key-words.h"

#define STATE_DIR "/var/lib/raycluster"

static_assert(BACKUP_PIN_SIZE == KEY_WORDS_FP_SIZE, "words of the pin");

char *backup_state_dir(void)
{
        const char *dirs = getenv("STATE_DIRECTORY");

        return isempty(dirs) ? strdup(STATE_DIR) : strndup(dirs, strcspn(dirs, ":"));
}

void backup_print(const Backup *b)
{
        char words[KEY_WORDS_MAX], size[SIZE_STR_MAX], since[OUT_SINCE_MAX];

        out_line("Cluster", "%s", b->cluster);
        out_line("Authority", "%s", key_words(b->pin, words));
        out_line("Head", "%s, raycluster %s", b->node, b->software);
        out_line("Made", "%s", out_since(since, b->created));
        for (size_t i = 0; i < b->n_files; i++)
                out_line(i == 0 ? "Inside" : "", "%-28s %s", b->files[i].name,
                         format_size(size, b->files[i].size));
}

int backup_fail(int r, const char *what, const char *error)
{
        const char *remedy = r == -EACCES && geteuid() != 0 ? "; try it as root" : "";

        errno = -r;
        if (error)
                return cli_fail(EXIT_INTERNAL, "%s%s", error, remedy);
        return cli_fail(EXIT_INTERNAL, "%s: %m%s", what, remedy);
}
