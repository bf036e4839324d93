/* ray-headd: see ray-headd(8). */
#include "base/log.h"
#include "head/head.h"

static int run(int argc, char **argv)
{
        _cleanup_(options_done) Options o = {};
        _cleanup_(conf_freep) Conf *conf = NULL;
        _cleanup_(head_freep) Head *h = NULL;

        log_init(daemon_name(ROLE_HEAD), LOG_TARGET_AUTO, LOG_INFO);
        int r = options_parse(argc, argv, daemon_name(ROLE_HEAD),
                              "Makes this machine the head of a Ray cluster.", &o);
        if (r <= 0)
                return r < 0 ? EXIT_USAGE : EXIT_OK;
        log_set_role(role_to_string(ROLE_HEAD));
        r = daemon_load_conf(ROLE_HEAD, &o, &conf);
        if (r < 0)
                return r == -EBADMSG ? EXIT_CONF : EXIT_INTERNAL;
        if (o.check)
                return EXIT_OK;
        r = head_new(&o, &conf, &h);
        if (r >= 0)
                r = head_start(h);
        return r < 0 ? EXIT_INTERNAL : head_run(h);
}

int main(int argc, char **argv)
{
        return run(argc, argv);
}
