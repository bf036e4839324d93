/* conf/: a configuration file with anything in it gives a configuration or mistakes, never both. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* libconfig 1.5 loses the last text it scanned when its parser gives up: a few bytes for each
 * reload of a file with a mistake of syntax, and not ours to mend. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
        return "leak:libconfig\n";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_conf_errors_ ConfErrors e = {};
        Conf *c _cleanup_(conf_freep) = NULL;
        char *text = malloc(size + 1);

        if (!text)
                return 0;
        memcpy(text, data, size);
        text[size] = 0;
        int r = conf_load_text("fuzz.conf", text, size, &c, &e);
        if (r == 0 ? e.n != 0 || !c : r != -EBADMSG || e.n == 0 || c)
                abort();
        for (size_t i = 0; i < e.n; i++)
                free(conf_error_format(&e.errors[i]));
        free(text);
        return 0;
}
