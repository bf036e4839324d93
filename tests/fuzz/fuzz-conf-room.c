/* conf/: whatever a head says, or is left of it on a disk, a member starts; what is each machine's
 * own stays its own; and what a head tells of a good file arrives as it was. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "conf/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* As in fuzz-conf: libconfig loses a few bytes with each mistake of syntax. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
        return "leak:libconfig\n";
}

static Conf *member_of(const char *text, size_t size, bool clean)
{
        _cleanup_conf_errors_ ConfErrors e = {}, ignored = {};
        Conf *c = NULL;

        if (conf_load_member("/dev/null", "/nonexistent", text, size, &c, &e, &ignored) < 0 ||
            e.n > 0 || !c->settings || (clean && ignored.n > 0))
                abort();
        for (size_t i = 0; i < ignored.n; i++)
                free(conf_error_format(&ignored.errors[i]));
        return c;
}

static void check_own(const Settings *s)
{
        if (!streq(s->disco.cluster, "default") || *s->disco.head || *s->node.name ||
            *s->engine.venv || s->resources.cpus != -1 || s->resources.labels)
                abort();
}

/* The input as the file of a head: what it tells, its member has. */
static void there_and_back(const char *text, size_t size)
{
        _cleanup_conf_errors_ ConfErrors e = {};
        Conf *head _cleanup_(conf_freep) = NULL;

        if (conf_load_text("fuzz.conf", text, size, &head, &e) < 0)
                return;
        if (strlen(head->room) >= CONF_ROOM_MAX || !utf8_is_printable(head->room))
                abort();
        Conf *member _cleanup_(conf_freep) = member_of(head->room, strlen(head->room), true);
        if (memcmp(&head->settings->ports, &member->settings->ports, sizeof(PortPlan)) != 0 ||
            strv_length(head->settings->engine.env) != strv_length(member->settings->engine.env) ||
            head->settings->engine.drain != member->settings->engine.drain ||
            !streq(head->settings->auth_mode, member->settings->auth_mode))
                abort();
        STRV_FOREACH (a, head->settings->engine.env)
                if (!strv_contains(member->settings->engine.env, *a))
                        abort();
        STRV_FOREACH (a, head->settings->engine.start_args)
                if (!strv_contains(member->settings->engine.start_args, *a))
                        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        char *text = malloc(size + 1);

        if (!text)
                return 0;
        memcpy(text, data, size);
        text[size] = 0;
        Conf *c _cleanup_(conf_freep) = member_of(text, size, false);
        check_own(c->settings);
        there_and_back(text, size);
        free(text);
        return 0;
}
