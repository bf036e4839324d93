/* The way back, in words. */
#include "probe/phrase.h"

char *sentence_two_way(const Evidence *e, const Judgement *j, const char *head)
{
        return NULL;
}

char *hint_two_way(const Evidence *e, const Judgement *j, const char *name)
{
        return NULL;
}
