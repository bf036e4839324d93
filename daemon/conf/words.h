/* What single values have to look like: the judges of the key table. Each returns NULL, or what is
 * wrong in a few words (a literal). */
#pragma once

#include "conf/schema.h"

const char *check_cluster_name(const char *s);
const char *check_head(const char *s);
const char *check_domain(const char *s);
const char *check_node_name(const char *s);
const char *check_address(const char *s);
const char *check_interface(const char *s);
const char *check_group(const char *s);
const char *check_version(const char *s);
const char *check_venv(const char *s);
const char *check_temp_dir(const char *s);
const char *check_bind(const char *s);

const char *entry_env(const char *name, const ConfRaw *raw, char **ret, bool *oom);
const char *entry_start_arg(const char *name, const ConfRaw *raw, char **ret, bool *oom);
const char *entry_custom(const char *name, const ConfRaw *raw, char **ret, bool *oom);
const char *entry_label(const char *name, const ConfRaw *raw, char **ret, bool *oom);

/* Ray makes sockets below its temp dir, at worst
 * TEMP/session_2026-11-23_07-47-09_531123_1234567/sockets/dash_TaskEventsHead: 71 bytes more than
 * TEMP, of the 107 that an AF_UNIX path may have. */
#define CONF_TEMP_DIR_MAX (107 - 71)
