/* It works, but badly. */
#include "probe/judge.h"

bool judge_quality(const Evidence *e, Judgement *j)
{
        return false;
}
