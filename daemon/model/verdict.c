#include "model/verdict.h"

static const char *const verdict_table[_VERDICT_MAX] = {
#define RAYCLUSTER_VERDICT_NAME(name, code) [VERDICT_##name] = #name,
        RAYCLUSTER_VERDICTS(RAYCLUSTER_VERDICT_NAME)};

static const int code_table[_VERDICT_MAX] = {
#define RAYCLUSTER_VERDICT_CODE(name, code) [VERDICT_##name] = (code),
        RAYCLUSTER_VERDICTS(RAYCLUSTER_VERDICT_CODE)};

DEFINE_STRTAB(verdict, Verdict);

int verdict_code(Verdict v)
{
        return v >= 0 && v < _VERDICT_MAX ? code_table[v] : -EINVAL;
}

bool verdict_is_degraded(Verdict v)
{
        int code = verdict_code(v);
        return code >= 80 && code <= 89;
}
