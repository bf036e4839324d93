/* The head that served last, from the state directory: a place to knock when nobody says where the
 * head is. Written by disco_remember(), read once at the start. */
#include <stdio.h>

#include "base/fd.h"
#include "base/str.h"
#include "disco/source.h"
#include "wire/last-known.h"

static void last_known_refresh(Source *s)
{
        const SourceContext *x = s->context;
        _cleanup_(candidate_freep) Candidate *c = NULL;
        _cleanup_free_ char *text = NULL;
        char buf[ADDR_PORT_MAX];
        size_t size;

        int r = read_file(x->last_known_path, LAST_KNOWN_SIZE_MAX, &text, &size);
        if (r == -ENOENT) {
                source_set(s, SOURCE_NOTHING, strdup("no head has served this machine yet"), NULL,
                           0);
                return;
        }
        if (r >= 0)
                r = last_known_parse(text, size, &c);
        if (r < 0) {
                source_set(s, SOURCE_FAILED,
                           r == -EBADMSG || r == -E2BIG
                                   ? str_printf("%s is damaged; it is written anew when a head "
                                                "serves",
                                                x->last_known_path)
                                   : str_printf("%s cannot be read: %s", x->last_known_path,
                                                strerror(-r)),
                           NULL, 0);
                return;
        }
        if (!streq(c->cluster, x->settings->cluster)) {
                source_set(s, SOURCE_NOTHING,
                           str_printf("the head that served last belongs to cluster \"%s\", not to "
                                      "\"%s\"",
                                      c->cluster, x->settings->cluster),
                           NULL, 0);
                return;
        }
        if (free_and_strdup(&c->how, "last known good") < 0) {
                source_set(s, SOURCE_FAILED, NULL, NULL, 0);
                return;
        }
        char *found =
                str_printf("%s served last, at %s", c->name, addr_format_port(buf, &c->addrs[0]));
        source_set(s, SOURCE_FOUND, found, (Candidate *[]){TAKE_PTR(c)}, 1);
}

static int last_known_start(Source *s)
{
        last_known_refresh(s);
        return 0;
}

static void last_known_done(Source *s)
{
}

const SourceVTable source_last_known = {
        .kind = DISCO_LAST_KNOWN,
        .size = sizeof(Source),
        .start = last_known_start,
        .refresh = last_known_refresh,
        .done = last_known_done,
};
