#include "base/messages.h"

#include "base/macro.h"

static const struct {
        const char *name, *id, *summary;
} table[_MSG_MAX] = {
#define RAYCLUSTER_MESSAGE_ROW(n, i, t) {#n, i, t},
        RAYCLUSTER_MESSAGES(RAYCLUSTER_MESSAGE_ROW)};

const char *message_id_string(MessageId id)
{
        return table[id].id;
}

const char *message_id_name(MessageId id)
{
        return table[id].name;
}

const char *message_id_summary(MessageId id)
{
        return table[id].summary;
}
