#include "model/verdict.h"

static const char *const verdict_table[_VERDICT_MAX] = {
#define RAYCLUSTER_VERDICT_NAME(name, code) [VERDICT_##name] = #name,
        RAYCLUSTER_VERDICTS(RAYCLUSTER_VERDICT_NAME)};

static const int code_table[_VERDICT_MAX] = {
#define RAYCLUSTER_VERDICT_CODE(name, code) [VERDICT_##name] = (code),
        RAYCLUSTER_VERDICTS(RAYCLUSTER_VERDICT_CODE)};

DEFINE_STRTAB(verdict, Verdict);

static const char *const probe_confidence_table[_PROBE_CONFIDENCE_MAX] = {
        [PROBE_PROVEN] = "proven",
        [PROBE_LIKELY] = "likely",
        [PROBE_INCONCLUSIVE] = "inconclusive",
};
DEFINE_STRTAB(probe_confidence, ProbeConfidence);

static const char *const probe_direction_table[_PROBE_DIRECTION_MAX] = {
        [PROBE_DIRECTION_OUT] = "out",
        [PROBE_DIRECTION_BACK] = "back",
        [PROBE_DIRECTION_BOTH] = "both",
        [PROBE_DIRECTION_LOCAL] = "local",
};
DEFINE_STRTAB(probe_direction, ProbeDirection);

static const char *const probe_place_table[_PROBE_PLACE_MAX] = {
        [PROBE_PLACE_UNKNOWN] = "unknown", [PROBE_PLACE_HERE] = "local",
        [PROBE_PLACE_DNS] = "dns",         [PROBE_PLACE_ROUTER] = "router",
        [PROBE_PLACE_PATH] = "path",       [PROBE_PLACE_HEAD] = "head",
};
DEFINE_STRTAB(probe_place, ProbePlace);

int verdict_code(Verdict v)
{
        return v >= 0 && v < _VERDICT_MAX ? code_table[v] : -EINVAL;
}

bool verdict_is_degraded(Verdict v)
{
        int code = verdict_code(v);
        return code >= 80 && code <= 89;
}
