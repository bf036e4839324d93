#include "model/verdict.h"

static const struct {
        const char *name;
        Verdict verdict;
} table[] = {
#define RAYCLUSTER_VERDICT_ROW(n, c) {#n, (Verdict)(c)},
        RAYCLUSTER_VERDICTS(RAYCLUSTER_VERDICT_ROW)};

const char *verdict_to_string(Verdict v)
{
        for (size_t i = 0; i < ELEMENTSOF(table); i++)
                if (table[i].verdict == v)
                        return table[i].name;
        return NULL;
}

Verdict verdict_from_string(const char *s)
{
        for (size_t i = 0; i < ELEMENTSOF(table); i++)
                if (streq_ptr(table[i].name, s))
                        return table[i].verdict;
        return _VERDICT_INVALID;
}
