/* This machine's identity: one that is raycluster's alone, so that the machine id itself never
 * leaves the host (machine-id(5)). */
#pragma once

#include "base/macro.h"

#define MACHINE_ID_STR_MAX 33

/* 32 hex digits, the same over reboots and for every role; two machines never share it unless one
 * is a copy with the same /etc/machine-id. -ENOENT, -ENOMEDIUM or -ENOPKG without a machine id. */
int machine_id_for_app(char ret[MACHINE_ID_STR_MAX]);

/* 32 hex digits, others after each boot. */
int machine_boot_id(char ret[MACHINE_ID_STR_MAX]);
