/* Which Ray environment this machine runs. Engines are installed side by side in ENGINE_DIR/<full
 * version>/; a worker takes the one its head runs, a head the newest (design 2). Local files only;
 * synchronous and quick. */
#pragma once

#include "model/identity.h"
#include "model/settings.h"

#define ENGINE_DIR "/usr/lib/raycluster-engine"

/* More installed engines than this are not looked at (a machine has two or three). */
#define ENGINES_MAX 64

typedef struct Engine {
        char *venv;   /* prefix: bin/ray and bin/python are in it */
        char ray[32]; /* its Ray version; "" for a site's own environment, whose versions only the
                         supervisor asks */
} Engine;

void engine_done(Engine *e);

/* The engines installed, the newest Ray first; none = NULL; caller frees. Of Python the patch level
 * is not known. dir: NULL = ENGINE_DIR; a missing folder is an empty one. */
int engine_list(const char *dir, Versions **ret, size_t *ret_n);

/* head_ray: what the head runs (worker), or NULL / "" = the newest. Returns 1 and *ret; or 0 and
 * *ret_why: one sentence with the remedy, caller frees; or a negative errno. dir: NULL =
 * ENGINE_DIR. */
int engine_select(const EngineSettings *settings, const char *dir, const char *head_ray,
                  Engine *ret, char **ret_why);
