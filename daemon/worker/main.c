/* ray-workerd: see ray-workerd(8). */
#include "base/log.h"
#include "worker/membership.h"
#include "worker/worker.h"

static int run(int argc, char **argv)
{
        _cleanup_(options_done) Options o = {};
        _cleanup_(conf_freep) Conf *conf = NULL;
        _cleanup_(worker_freep) Worker *w = NULL;

        log_init(daemon_name(ROLE_WORKER), LOG_TARGET_AUTO, LOG_INFO);
        int r = options_parse(argc, argv, daemon_name(ROLE_WORKER),
                              "Makes this machine a worker of a Ray cluster.", &o);
        if (r <= 0)
                return r < 0 ? EXIT_USAGE : EXIT_OK;
        log_set_role(role_to_string(ROLE_WORKER));
        if (!o.check)
                membership_tidy(daemon_state_dir());
        r = daemon_load_conf(ROLE_WORKER, &o, &conf);
        if (r < 0)
                return r == -EBADMSG ? EXIT_CONF : EXIT_INTERNAL;
        if (o.check)
                return EXIT_OK;
        r = worker_new(&o, &conf, &w);
        if (r >= 0)
                r = worker_start(w);
        return r < 0 ? EXIT_INTERNAL : worker_run(w);
}

int main(int argc, char **argv)
{
        return run(argc, argv);
}
