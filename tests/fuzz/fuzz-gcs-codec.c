/* Every decoder of the GCS's answers; the first byte chooses. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "wire/gcs-codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void nodes(const uint8_t *data, size_t size)
{
        _cleanup_(node_set_freep) NodeSet *set = NULL, *other = NULL;
        GcsReplyStatus status;
        uint64_t requests;
        size_t shapes;

        if (gcs_decode_nodes(data, size, true, &status, &set) < 0 || !set)
                return;
        if (set->n > NODE_SET_MAX)
                abort();
        for (size_t i = 0; i < set->n; i++)
                if (set->nodes[i].n_resources > GCS_RESOURCES_MAX || !set->nodes[i].hostname ||
                    !set->nodes[i].death_reason)
                        abort();
        (void)gcs_decode_cluster_status(data, size, set, &shapes, &requests);
        if (gcs_decode_nodes(data, size, true, &status, &other) < 0 || !node_set_same(set, other))
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_free_ void *value = NULL;
        GcsReplyStatus status;
        NodeSet empty = {0};
        Versions versions;
        uint64_t requests;
        bool accepted;
        char ray[32];
        RayId id;
        size_t n;
        int a, b;

        if (size == 0)
                return 0;
        switch (*data++ % 9) {
        case 0:
                nodes(data, size - 1);
                break;
        case 1:
                (void)gcs_decode_cluster_status(data, size - 1, &empty, &n, &requests);
                break;
        case 2:
                (void)gcs_decode_check_alive(data, size - 1, &status, ray);
                break;
        case 3:
                (void)gcs_decode_cluster_id(data, size - 1, &status, &id);
                break;
        case 4:
                (void)gcs_decode_kv_get(data, size - 1, &status, &value, &n);
                break;
        case 5:
                (void)gcs_decode_cluster_metadata(data, size - 1, &versions);
                break;
        case 6:
                (void)gcs_decode_drain(data, size - 1, &status, &accepted);
                break;
        case 7:
                (void)gcs_decode_health(data, size - 1, &a);
                break;
        default:
                (void)gcs_decode_agent_pids(data, size - 1, &a, &b);
        }
        return 0;
}
