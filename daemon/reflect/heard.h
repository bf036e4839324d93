/* What the answers of a reflector say, put into a Reflection. */
#pragma once

#include "model/reflection.h"
#include "reflect/doors.h"
#include "wire/reflect-codec.h"

void heard_begin(Reflection *r, const ReflectReply *p);
void heard_look(Reflection *r, const ReflectReply *p);
/* Behind what was heard before; what there is no room for is not known. doors: which of the ports
 * were ours. */
void heard_back(Reflection *r, const ReflectReply *p, const Doors *doors);
/* Why something was not done, for people. */
void heard_refusal(Reflection *r, const ReflectReply *p);
/* The offset of the clocks, where this answer tells it better than those before. t1, t4: realtime
 * here when the request left and when the answer came. */
void heard_clock(Reflection *r, const ReflectReply *p, int64_t t1, int64_t t4);
