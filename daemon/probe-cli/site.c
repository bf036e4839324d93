#include "probe-cli/site.h"

#include <errno.h>
#include <string.h>

#include "base/addr.h"

int site_load(const char *room, Conf **ret, char **ret_note)
{
        _cleanup_conf_errors_ ConfErrors errors = {0}, none = {0}, ignored = {0};
        _cleanup_free_ char *note = NULL;

        int r = conf_load_member(NULL, NULL, room, room ? strlen(room) : 0, ret, &errors, &ignored);
        if (r >= 0 || r == -ENOMEM) {
                *ret_note = NULL;
                return r;
        }
        /* a user may not be allowed to read it, and a mistake in it is raycluster's to name */
        if (r == -EBADMSG && errors.n > 0) {
                _cleanup_free_ char *first = conf_error_format(&errors.errors[0]);
                note = str_printf("%s; the default ports are used", strna(first));
        } else
                note = str_printf("%s: %s; the default ports are used", CONF_FILE, strerror(-r));
        if (!note)
                return -ENOMEM;
        r = conf_load_text("default", "", 0, ret, &none);
        if (r < 0)
                return r;
        *ret_note = TAKE_PTR(note);
        return 0;
}

bool site_dashboard_is_local(const Conf *c, const char *token)
{
        const Settings *s = c->settings;
        Addr bind;

        if (addr_parse(s->dashboard_bind, &bind) >= 0)
                return addr_is_loopback(&bind);
        /* auto: open to others where who asks must show a token */
        return streq(s->auth_mode, "disabled") || (isempty(token) && !streq(s->auth_mode, "token"));
}
