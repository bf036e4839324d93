/* Methods of org.raycluster1.Members for machines that wait for an admin's word; userdata is the
 * MembersBus. */
#pragma once

#include <systemd/sd-bus.h>

int approvals_on_get_pending(sd_bus_message *m, void *userdata, sd_bus_error *error);
int approvals_on_approve(sd_bus_message *m, void *userdata, sd_bus_error *error);
int approvals_on_deny(sd_bus_message *m, void *userdata, sd_bus_error *error);
int approvals_on_auto_approve(sd_bus_message *m, void *userdata, sd_bus_error *error);
int approvals_on_get_auto_approvals(sd_bus_message *m, void *userdata, sd_bus_error *error);
