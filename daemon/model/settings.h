/* What /etc/raycluster.conf says, as plain values. conf/ fills a Settings; features get the part
 * that concerns them, by pointer, and copy what they keep. Strings are owned by the Settings and
 * never NULL ("" = find it yourself) unless said. Units: usec_t for times, bytes for sizes.
 * Defaults and bounds: the key table in conf/, raycluster.conf(5). */
#pragma once

#include "base/strtab.h"
#include "base/strv.h"
#include "base/time.h"

/* Where a value came from, for `raycluster config --effective`. */
typedef enum DiscoSource {
        DISCO_STATIC,
        DISCO_DNS,
        DISCO_MDNS,
        DISCO_LAST_KNOWN,
        _DISCO_SOURCE_MAX,
        _DISCO_SOURCE_INVALID = -EINVAL,
} DiscoSource;

DECLARE_STRTAB(disco_source, DiscoSource);

typedef struct DiscoSettings {
        char *cluster;                        /* cluster.name */
        char *head;                           /* cluster.head: a name, an address, or "" */
        DiscoSource order[_DISCO_SOURCE_MAX]; /* discovery.order */
        size_t n_order;
        char *domain;          /* discovery.domain; "" = the host's own domain and search list */
        usec_t timeout;        /* discovery.timeout: for one source's one round */
        uint16_t control_port; /* ports.control: static and dns address records */
        uint16_t gcs_port;     /* ports.gcs: unless TXT says otherwise */
} DiscoSettings;

typedef struct NodeSettings {
        char *name;      /* node.name; "" = the host name */
        char *address;   /* node.address, a literal, or "" */
        char *interface; /* node.interface or "" */
        char *group;     /* node.group or "" */
} NodeSettings;

typedef struct PortPlan {
        uint16_t gcs, node_manager, object_manager, runtime_env_agent, dashboard_agent_grpc,
                metrics_export, dashboard_agent, dashboard_metrics, autoscaler_metrics, control,
                dashboard, client;
        uint16_t worker_first, worker_last;
} PortPlan;

typedef struct EngineSettings {
        char *version;     /* engine.version: "auto" or a full version, "2.60.0" */
        char *venv;        /* engine.venv: a site's own environment, or "" */
        char *temp_dir;    /* engine.temp_dir */
        char *gcs_store;   /* "rocksdb" or "memory" */
        usec_t drain;      /* engine.drain */
        char **env;        /* engine.env as "KEY=value" */
        char **start_args; /* engine.start_args as "--key=value" or "--key" */
} EngineSettings;

typedef struct ResourceSettings {
        int64_t cpus;                 /* -1 = auto */
        int64_t gpus;                 /* -1 = auto */
        uint64_t memory;              /* bytes; 0 = auto */
        uint64_t object_store_memory; /* bytes; 0 = auto */
        char **custom;                /* resources.custom as "name=number" */
        char **labels;                /* resources.labels as "key=value" */
} ResourceSettings;

typedef struct LogSettings {
        int level;  /* syslog priority */
        int target; /* LogTarget */
        char *ray;  /* "journal", "files" or "stderr" */
} LogSettings;

typedef struct Settings {
        DiscoSettings disco;
        NodeSettings node;
        PortPlan ports;
        EngineSettings engine;
        ResourceSettings resources;
        LogSettings log;
        char *dashboard_bind; /* "auto", or a literal address */
        char *auth_mode;      /* "auto", "token" or "disabled" */
        char *auth_enrol;     /* "token" or "ask" */
        char *auth_tls;       /* "off" or "on" */
} Settings;

Settings *settings_free(Settings *s);
DEFINE_CLEANUP(Settings *, settings_free);
