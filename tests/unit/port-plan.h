/* The ports of Ray as a configuration leaves them that names none. */
#pragma once

#include "model/port-plan.h"

static const PortPlan plan = {
        .gcs = 6379,
        .node_manager = 6380,
        .object_manager = 6381,
        .runtime_env_agent = 6382,
        .dashboard_agent_grpc = 6383,
        .metrics_export = 6384,
        .dashboard_agent = 6385,
        .dashboard_metrics = 6386,
        .autoscaler_metrics = 6387,
        .control = 6388,
        .dashboard = 8265,
        .client = 10001,
        .worker_first = 10002,
        .worker_last = 19999,
};
