/* What an admin has a member do: CommandMember of org.raycluster1.Members, answered when the member
 * has; userdata is the MembersBus. */
#pragma once

#include <systemd/sd-bus.h>

int orders_on_command_member(sd_bus_message *call, void *userdata, sd_bus_error *error);
