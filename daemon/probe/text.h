/* A judgement in words: one language for the command line and for the worker's reasons. All strings
 * are new (caller frees), NULL when out of memory. */
#pragma once

#include "probe/verdict.h"

/* What is wrong and on which machine; no full stop, fit to stand behind "waiting: ". */
char *text_sentence(const Evidence *e, const Judgement *j);
/* The facts it rests on, separated by semicolons. */
char *text_because(const Evidence *e, const Judgement *j);
/* One command on a named machine, or what to look at; "" when nothing is to be done. */
char *text_hint(const Evidence *e, const Judgement *j);
/* "key=value" for programs. */
int text_facts(const Evidence *e, char ***ret);
/* "fact: what would be needed to know it" */
int text_missing(const Evidence *e, const Judgement *j, char ***ret);

/* Of the interface that is down, and of the route that a connect failed by: for sentence and hint.
 */
const char *text_down_link(const Evidence *e);
const char *text_route_kind(int error);

/* Why a reflector that was to be asked has not said what it was asked for; "" when nothing is
 * known to have gone wrong. */
const char *text_other_side(const Evidence *e);
