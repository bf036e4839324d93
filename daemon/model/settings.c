#include "model/settings.h"

#include "base/str.h"

static const char *const disco_source_table[_DISCO_SOURCE_MAX] = {
        [DISCO_STATIC] = "static",
        [DISCO_DNS] = "dns",
        [DISCO_MDNS] = "mdns",
        [DISCO_LAST_KNOWN] = "last-known",
};
DEFINE_STRTAB(disco_source, DiscoSource);

Settings *settings_free(Settings *s)
{
        if (!s)
                return NULL;
        free(s->disco.cluster);
        free(s->disco.head);
        free(s->disco.domain);
        free(s->node.name);
        free(s->node.address);
        free(s->node.interface);
        free(s->node.group);
        free(s->engine.version);
        free(s->engine.venv);
        free(s->engine.temp_dir);
        free(s->engine.gcs_store);
        strv_free(s->engine.env);
        strv_free(s->engine.start_args);
        strv_free(s->resources.custom);
        strv_free(s->resources.labels);
        free(s->log.ray);
        free(s->dashboard_bind);
        free(s->auth_mode);
        free(s->auth_enrol);
        free(s->auth_tls);
        free(s);
        return NULL;
}
