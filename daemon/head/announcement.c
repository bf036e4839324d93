#include "head/announcement.h"

#include <stdio.h>

#include "base/log.h"
#include "wire/txt.h"

int announcement_make(Publisher *p, const Settings *c, const Status *s, const Watch *w)
{
        const WatchFacts *f = watch_facts(w);
        _cleanup_strv_free_ char **txt = NULL;
        HeadTxt t = {.role = "head", .gcs = watch_addr(w)->port};
        char id[RAY_ID_STR_MAX] = "";

        _cleanup_free_ char *instance =
                str_printf("%.30s on %.28s", c->disco.cluster, s->text[STATUS_NODE_NAME]);
        if (!instance)
                return -ENOMEM;
        if (watch_is_known(f))
                ray_id_format(id, &f->cluster_id);
        (void)snprintf(t.cluster, sizeof(t.cluster), "%s", c->disco.cluster);
        (void)snprintf(t.id, sizeof(t.id), "%.16s", id);
        (void)snprintf(t.ray, sizeof(t.ray), "%s", f->versions.ray);
        (void)snprintf(t.python, sizeof(t.python), "%s", f->versions.python);
        (void)snprintf(t.auth, sizeof(t.auth), "%s", s->text[STATUS_AUTH]);
        int r = head_txt_format(&t, &txt);
        return r < 0 ? r : publisher_set(p, instance, c->ports.control, txt);
}

void announcement_show(const Publisher *p, Status *s)
{
        int r = status_set(s, STATUS_PUBLISHED, publisher_text(p));
        if (r > 0 && publisher_is_published(p))
                log_event(LOG_INFO, MSG_HEAD_PUBLISHED, NULL, "%s", publisher_text(p));
}
