/* What gcs/client and gcs/calls share: a call under way. Not for others. */
#pragma once

#include "base/buf.h"
#include "gcs/client.h"
#include "sys/grpc-call.h"
#include "wire/gcs-codec.h"

#define CALL_WORDS_MAX 512

typedef struct Conn Conn;
typedef struct Call Call;

/* Reads an answer in order. 0: done; 1: the next step is under way; negative: cannot be read. A
 * verdict of Ray's own goes into call->verdict and ->words. */
typedef int (*CallRead)(Call *call, const uint8_t *data, size_t size);
/* Tells the caller; the client may be gone afterwards. */
typedef void (*CallTell)(GcsClient *c, Call *call, const GcsResult *result);

struct Call {
        GcsClient *client; /* weak */
        Conn *conn;
        GrpcCall *grpc;
        Call *next;
        GcsMethod method;
        usec_t deadline;
        uint64_t received; /* bytes of the connection when the step began */
        CallRead read;
        CallTell tell;
        union {
                gcs_alive_cb alive;
                gcs_cluster_id_cb cluster_id;
                gcs_nodes_cb nodes;
                gcs_cluster_cb cluster;
                gcs_kv_cb kv;
                gcs_versions_cb versions;
                gcs_done_cb done;
                gcs_agents_cb agents;
        } cb;
        void *userdata;

        /* what came so far */
        GcsStatus verdict;
        char words[CALL_WORDS_MAX];
        Versions versions;
        RayId id;
        bool whole; /* the table, not some of its nodes */
        NodeSet *nodes;
        GcsDemand demand;
        void *value;
        size_t value_size;
        int dashboard_agent, runtime_env_agent;
        Buf later; /* the request of the second step */
};

/* Begins a call as a copy of proto (its `later` is taken, also on failure): tell, cb, userdata and
 * what the steps need are set. Within c's time. */
int call_begin(GcsClient *c, Call proto, GcsMethod method, const Buf *message, CallRead read);
/* From inside a CallRead: sends the next request of the call, in the time that is left. */
int call_step(Call *call, GcsMethod method, const Buf *message, CallRead read);
/* "10.0.0.1:6379" */
const char *gcs_client_name(const GcsClient *c);
