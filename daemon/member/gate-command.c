/* Commands to members: each is answered, late, or lost with the connection. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "member/gate-private.h"

struct GateCommand {
        Visitor *visitor; /* weak */
        uint64_t number;
        gate_command_cb cb;
        void *userdata;
        Deadline *deadline;
        Gate *gate; /* weak */
        char node[STORE_ID_MAX];
};

static const char *const gate_command_end_table[_GATE_COMMAND_END_MAX] = {
        [GATE_COMMAND_DONE] = "done",
        [GATE_COMMAND_LATE] = "late",
        [GATE_COMMAND_LOST] = "lost",
};
DEFINE_STRTAB(gate_command_end, GateCommandEnd);

GateCommand *gate_command_free(GateCommand *c)
{
        if (!c)
                return NULL;
        deadline_free(c->deadline);
        free(c);
        return NULL;
}
DEFINE_CLEANUP(GateCommand *, gate_command_free);

void gate_command_end(GateCommand *c, const GateCommandResult *r)
{
        if (!c)
                return;
        GateCommand over = *c;
        gate_command_free(c);
        over.cb(over.gate, over.node, r, over.userdata);
}

/* It may answer later: that number is nobody's then. */
static void on_late(void *userdata)
{
        const GateCommandResult late = {.end = GATE_COMMAND_LATE, .text = ""};
        GateCommand *c = userdata;

        c->visitor->command = NULL;
        gate_command_end(c, &late);
}

static int command_new(Visitor *v, usec_t deadline, gate_command_cb cb, void *userdata,
                       GateCommand **ret)
{
        Gate *g = v->gate;
        _cleanup_(gate_command_freep) GateCommand *c = new0(GateCommand, 1);

        if (!c)
                return -ENOMEM;
        *c = (GateCommand){.visitor = v, .cb = cb, .userdata = userdata, .gate = g};
        str_copy(c->node, sizeof(c->node), v->row.node);
        int r = deadline_new(g->event, deadline ? deadline : GATE_COMMAND_MAX, USEC_PER_SEC / 4,
                             on_late, c, &c->deadline);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(c);
        return 0;
}

int gate_command(Gate *g, const char *node, MemberOrder order, const char *argument,
                 usec_t deadline, gate_command_cb cb, void *userdata)
{
        MemberMessage m = {.kind = MEMBER_COMMAND, .command = {.order = order}};
        Visitor *v = visitor_find(g, node, NULL);
        _cleanup_(gate_command_freep) GateCommand *c = NULL;

        if (!v)
                return -ENOENT;
        if (!(v->can & MEMBER_CAN_COMMANDS))
                return -EOPNOTSUPP;
        if (v->command)
                return -EBUSY;
        if (strlen(strempty(argument)) >= sizeof(m.command.argument))
                return -EINVAL;
        int r = command_new(v, deadline, cb, userdata, &c);
        if (r < 0)
                return r;
        m.command.number = c->number = ++g->last_command;
        str_copy(m.command.argument, sizeof(m.command.argument), strempty(argument));
        r = peer_send(v->peer, &m);
        if (r >= 0)
                v->command = TAKE_PTR(c);
        return r;
}

void visitor_inherit_command(Visitor *v, Visitor *from)
{
        v->command = TAKE_PTR(from->command);
        if (v->command)
                v->command->visitor = v;
}

void visitor_done(Visitor *v, const MemberCommandDone *d)
{
        const GateCommandResult done = {.end = GATE_COMMAND_DONE, .ok = d->ok, .text = d->text};

        if (v->command && v->command->number == d->number)
                gate_command_end(TAKE_PTR(v->command), &done);
}
