/* What works badly, in words. */
#include "probe/phrase.h"

char *sentence_quality(const Evidence *e, const Judgement *j, const char *head)
{
        return NULL;
}

char *hint_quality(const Evidence *e, const Judgement *j, const char *name)
{
        return NULL;
}
