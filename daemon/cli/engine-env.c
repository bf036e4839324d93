#include "cli/engine-env.h"

#include <stdio.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/log.h"
#include "conf/conf.h"
#include "engine/args.h"
#include "engine/select.h"
#include "engine/tls.h"

void engine_env_done(EngineEnv *e)
{
        free(e->venv);
        strv_free(e->env);
        free(e->why);
        *e = (EngineEnv){};
}

Conf *engine_env_conf(const char *room)
{
        _cleanup_conf_errors_ ConfErrors e = {}, ignored = {}, none = {};
        Conf *c = NULL;

        if (conf_load_member(NULL, NULL, room, strlen(strempty(room)), &c, &e, &ignored) < 0)
                (void)conf_load_text("built-in", "", 0, &c, &none);
        return c;
}

static int choose_venv(const View *v, const Conf *c, EngineEnv *e)
{
        Engine engine _cleanup_(engine_done) = {};
        _cleanup_free_ char *why = NULL;

        if (v && *v->engine_path) {
                e->venv = strdup(v->engine_path);
                return e->venv ? 0 : -ENOMEM;
        }
        int r = engine_select(&c->settings->engine, NULL, v ? v->ray_version : NULL, &engine, &why);
        if (r < 0)
                return r;
        if (r == 0)
                return cli_fail(EXIT_INTERNAL, "%s", strempty(why));
        e->venv = TAKE_PTR(engine.venv);
        return 0;
}

static int set_auth(const char *auth, const Conf *c, EngineEnv *e)
{
        _cleanup_free_ char *path = NULL;

        /* where the token is, whether or not the daemon can be asked what it uses */
        int r = engine_auth(c->settings, ROLE_WORKER, NULL, &path);
        if (r == -ENOMEM)
                return r;
        if (auth ? !streq(auth, "token") : r <= 0)
                return strv_extend(&e->env, "RAY_AUTH_MODE=disabled");
        r = strv_extend(&e->env, "RAY_AUTH_MODE=token");
        if (r < 0 || !path)
                return r;
        if (access(path, R_OK) < 0)
                cli_fail(0,
                         "cannot read %s: %m; people in group ray can (log in again after being "
                         "added to it)",
                         path);
        return strv_extendf(&e->env, "RAY_AUTH_TOKEN_PATH=%s", path);
}

/* A driver shows this machine's certificate, as Ray's own processes here do. */
static int set_tls(const Conf *c, EngineEnv *e)
{
        _cleanup_engine_tls_ EngineTls t = {0};

        int r = engine_tls_found(c->settings, &t);
        if (r <= 0)
                return r;
        if (access(t.key, R_OK) < 0)
                cli_fail(0,
                         "cannot read %s: %m; people in group ray can (log in again after being "
                         "added to it)",
                         t.key);
        r = strv_extend(&e->env, "RAY_USE_TLS=1");
        if (r >= 0)
                r = strv_extendf(&e->env, "RAY_TLS_CA_CERT=%s", t.ca);
        if (r >= 0)
                r = strv_extendf(&e->env, "RAY_TLS_SERVER_CERT=%s", t.cert);
        return r < 0 ? r : strv_extendf(&e->env, "RAY_TLS_SERVER_KEY=%s", t.key);
}

/* Without a daemon: a literal cluster.head is as good as anything it would find. */
static int set_address_from_conf(const Conf *c, EngineEnv *e)
{
        char buf[ADDR_PORT_MAX];
        Addr a;

        if (addr_parse(c->settings->disco.head, &a) < 0) {
                e->why = strdup("no daemon of raycluster runs here, so the head is not known; "
                                "raycluster status says why");
                return e->why ? 0 : -ENOMEM;
        }
        a.port = c->settings->ports.gcs;
        e->found = true;
        return strv_extendf(&e->env, "RAY_ADDRESS=%s", addr_format_port(buf, &a));
}

/* A worker does not know where the dashboard of its head is; it is where the configuration, which
 * is one for the whole room, has it. */
static int set_dashboard(const View *v, const Conf *c, EngineEnv *e)
{
        const char *colon = strrchr(v->head_address, ':');

        if (*v->dashboard_url)
                return strv_extendf(&e->env, "RAY_API_SERVER_ADDRESS=%s", v->dashboard_url);
        if (!colon)
                return 0;
        int r = addr_parse(c->settings->dashboard_bind, &e->dashboard);
        if (r < 0 || addr_is_any(&e->dashboard)) {
                _cleanup_free_ char *host =
                        strndup(v->head_address, (size_t)(colon - v->head_address));
                if (!host)
                        return -ENOMEM;
                if (addr_parse(host, &e->dashboard) < 0)
                        return 0;
        }
        e->dashboard.port = c->settings->ports.dashboard;
        char buf[ADDR_PORT_MAX];
        return strv_extendf(&e->env, "RAY_API_SERVER_ADDRESS=http://%s",
                            addr_format_port(buf, &e->dashboard));
}

static int set_address(const View *v, const Conf *c, EngineEnv *e)
{
        int r;

        if (!*v->head_address) {
                e->why = str_printf("the head is not known yet (%s)", v->reason);
                return e->why ? 0 : -ENOMEM;
        }
        e->found = true;
        r = strv_extendf(&e->env, "RAY_ADDRESS=%s", v->head_address);
        return r < 0 ? r : set_dashboard(v, c, e);
}

int engine_env(const Cli *cli, EngineEnv *ret)
{
        _cleanup_engine_env_ EngineEnv e = {};
        _cleanup_bus_ sd_bus *bus = NULL;
        _cleanup_view_ View v = {};
        Conf *c _cleanup_(conf_freep) = NULL;
        Role role;
        int up = 0;

        if (client_open(cli, &bus) >= 0)
                up = client_view(bus, &v, &role);
        c = engine_env_conf(up > 0 ? v.head_settings : NULL);
        if (!c)
                return log_oom(), EXIT_INTERNAL;
        int r = choose_venv(up > 0 ? &v : NULL, c, &e);
        if (r > 0)
                return r;
        if (r >= 0)
                r = up > 0 ? set_address(&v, c, &e) : set_address_from_conf(c, &e);
        /* a driver's own log of events is made with rights that other users do not have, and Ray
         * aborts for it */
        if (r >= 0)
                r = strv_extend(&e.env, "RAY_event_log_reporter_enabled=0");
        if (r >= 0)
                r = strv_extend(&e.env, "RAY_USAGE_STATS_ENABLED=0");
        if (r >= 0)
                r = set_auth(up > 0 && *v.auth ? v.auth : NULL, c, &e);
        if (r >= 0)
                r = set_tls(c, &e);
        if (r < 0) {
                errno = -r;
                return cli_fail(EXIT_INTERNAL, "%m");
        }
        *ret = e;
        e = (EngineEnv){};
        return 0;
}
