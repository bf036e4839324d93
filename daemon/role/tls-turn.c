#include "role/tls-turn.h"

#include "engine/tls.h"

bool tls_turn_has_come(sd_event_source *timer, const Settings *s, const EngineArgs *running)
{
        _cleanup_engine_tls_ EngineTls tls = {0};

        (void)sd_event_source_set_enabled(timer, SD_EVENT_OFF);
        if (!running || isempty(running->tls_serial) || !s || engine_tls(s, &tls) <= 0)
                return false;
        usec_t now = now_real(), at = engine_tls_restart_at(&tls, running);
        if (at <= now)
                return true;
        (void)sd_event_source_set_time(timer, MIN(at, usec_add(now, TLS_TURN_LOOK)));
        (void)sd_event_source_set_enabled(timer, SD_EVENT_ONESHOT);
        return false;
}
