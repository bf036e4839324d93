/* What the other side of the way saw. */
#include "probe/judge.h"

bool judge_other_side(const Evidence *e, Judgement *j)
{
        return false;
}

bool judge_way_back(const Evidence *e, Judgement *j)
{
        return false;
}
