/* Every message that has an id. One table; the catalog (units/raycluster.catalog) and raycluster(7)
 * hold the same set, by test. Ids are never reused and never change meaning. Made with
 * systemd-id128 new. */
#pragma once

/* X(NAME, "id", "what happened") */
#define RAYCLUSTER_MESSAGES(X)                                                                     \
        X(HEAD_SERVING, "2a7f7c8e92be4cdd85d67723a6816170", "head: the GCS serves")                \
        X(HEAD_LOST, "772d117f64c94c469c08f5b7430ab656", "head: the GCS no longer serves")         \
        X(HEAD_PUBLISHED, "4e430babf58c469ca0ddd963fad41ac3", "head: published by mDNS")           \
        X(WORKER_WAITING, "b45d3082e2124947bc89c2bf9666294c", "worker: waiting, with the reason")  \
        X(WAIT_NAME, "2c7220392e74472ab985f900fd8e8f6f",                                           \
          "worker: waiting, the head's name leads nowhere")                                        \
        X(WAIT_LOCAL, "483a60a7e21b44c09c7075b4492a04af",                                          \
          "worker: waiting, this machine itself is in the way")                                    \
        X(WAIT_PATH, "47b8bb6f1d5c4b5a9d54b8e649011460",                                           \
          "worker: waiting, the way to the head is broken")                                        \
        X(WAIT_FIREWALL, "af014ca4e17a423289c40cd3c59a18eb",                                       \
          "worker: waiting, a firewall keeps it from the head")                                    \
        X(WAIT_SERVICE, "3b3051e9dd7140edb640c709c578283b",                                        \
          "worker: waiting, no GCS answers at the head")                                           \
        X(WAIT_TLS, "b300b31876a14e799fce044a6e239658",                                            \
          "worker: waiting, TLS with the head does not come about")                                \
        X(WAIT_ACCESS, "bd6a7d5cbe3c47edb4359d3a95514165",                                         \
          "worker: waiting, the head does not let it in")                                          \
        X(WAIT_BACK, "2791209552814c119a63da971476f306",                                           \
          "worker: waiting, the head does not reach this machine")                                 \
        X(WAIT_QUALITY, "bbab3c29b90b469a8425cf5b8a9a06ba",                                        \
          "worker: waiting, the way to the head works badly")                                      \
        X(HEAD_FOUND, "17c227e8dc1e4c0f99dcc9c9932e5fa8", "worker: a head was found")              \
        X(WORKER_JOINED, "6fbaa6dae55743068e3d8814581c3507",                                       \
          "worker: this node is ALIVE in the cluster")                                             \
        X(CLUSTER_CHANGED, "cb326339eeb746299582e48c1b8f2650",                                     \
          "worker: the head has a new cluster id; the engine restarts")                            \
        X(BLOCKED, "d1e70436c4574105bfe55943da9ee775", "the machine is not ready, with remedy")    \
        X(UNBLOCKED, "76c20fa14c3e4b499ccfa66e3195dc01", "the machine is ready again")             \
        X(CONFIG_INVALID, "628410fcf28b4e7cafbb2d967efe69fd", "the configuration has mistakes")    \
        X(CONFIG_RELOADED, "683d662e5bb3410887012a8b9f99ace9", "the configuration was read again") \
        X(RESTART_DUE, "ddb3c5cbd8b64bb783d25f59a95f0741",                                         \
          "changed settings need a restart of Ray")                                                \
        X(ENGINE_STARTED, "e9002e03c2864d118f389e6e191e8127", "the engine unit was started")       \
        X(ENGINE_READOPTED, "8fb7069973fa4c9db1a3c4952c604057",                                    \
          "a running engine unit was taken up again")                                              \
        X(ENGINE_STOPPED, "0d662a0339204a238593bb1a3096034c",                                      \
          "the engine unit was stopped as asked")                                                  \
        X(ENGINE_FAILED, "56c1ee09aa944ec397a38dcdcd10603a", "the engine unit failed, with cause") \
        X(ENGINE_REPAIR, "4a0b8ff913224c1cac44b2160c4f9976",                                       \
          "the engine unit is restarted by the daemon")                                            \
        X(ENGINE_PROCESS_LOST, "bb93cea917ac4b309b34f982d6e45f0e",                                 \
          "supervisor: a process Ray cannot do without ended")                                     \
        X(ENGINE_FROZEN, "9cd25170f547477ba28208403ffccd7f",                                       \
          "supervisor: a process does not answer any more")                                        \
        X(NODE_DEAD, "2a2428e32a3c480ca22f8b1332ca99fd",                                           \
          "the GCS calls this node dead while its unit runs")                                      \
        X(VERSION_MISMATCH, "b5f0910575ba4142b8a3619942753f2f",                                    \
          "Ray or Python differ from the head's")                                                  \
        X(DRAINING, "ad66d4a536884ea7bb195940601f74df", "draining before a stop")                  \
        X(AUTH_OFF, "e328759a8f41456bb44832c5bb56d1f2", "authentication of Ray is off")            \
        X(HEADS_AMBIGUOUS, "33b7efdf374240cc87f5c9538beea94c",                                     \
          "two heads answer to one cluster name")                                                  \
        X(RAY_LOG_SUPPRESSED, "98b27198bd8e4ecab5e24eab797e75e5",                                  \
          "lines of Ray's logs were held back")                                                    \
        X(CONTROL_CLOSED, "2de7d28ddd4f4525899f6f952ca65545",                                      \
          "head: the control port cannot be opened")                                               \
        X(GATE_ABUSED, "e175e848b8ae4c08be02a1da594b44d3", "head: the control port is misused")    \
        X(MEMBER_ENROLLED, "392881a605b8441388599bfe01d585c5", "head: a machine became a member")  \
        X(MEMBER_REFUSED, "57a65754351c40b58cb7971d7f6920b0", "head: a machine was not let in")    \
        X(MEMBER_PENDING, "729dab096ab34179af0f4a7826f3f622",                                      \
          "head: a machine waits for an admin's word")                                             \
        X(TOKEN_ROTATED, "53710c94b7844a17b553acbe8925ef65", "head: Ray has another token")        \
        X(MEMBER_HERE, "d39306f26a4843bc8760300db7ec0864", "head: a member has connected")         \
        X(MEMBER_LOST, "4deeb94ed86e4f2e9321807695b41ab6", "head: a member is gone")               \
        X(MEMBER_LEFT, "13f7b410976e47329332079097ed6ae9", "head: a member has left the cluster")  \
        X(MEMBER_EVENT, "df9e0c6859be4c6cbb97bf91f62c5e2b", "head: a member tells of an event")    \
        X(MEMBER_COPIED, "7bd9a0615ad643dd9d1feb6620f5cac2", "head: two machines have one key")    \
        X(MEMBER_REVOKED, "0970d13d76a84f488a32e7a577155a23", "head: a member was revoked")        \
        X(MEMBER_FORBIDDEN, "a294c2ed26d94a9eb6876d0074e4cc14",                                    \
          "head: a member asked for tests of what is not its own")                                 \
        X(ENROLLED, "a53d5ae2086e427a8683bda344ac587d",                                            \
          "worker: this machine became a member of a cluster")                                     \
        X(LEFT, "3a44135b4af4430aab04ab1111abf37e", "worker: this machine left its cluster")       \
        X(CONTROL_JOINED, "2b4a6ffa92134f8e8cdd78cb4cf3885b",                                      \
          "worker: connected to the head's control port")                                          \
        X(CONTROL_LOST, "f86ffb863c94444a805071263647ecc8",                                        \
          "worker: the connection to the head's control port is gone")                             \
        X(CONTROL_REFUSED, "e514412ec9764b4383c0b7261e45b96d",                                     \
          "worker: the head does not let this member in")                                          \
        X(ORDERED, "9c824feb9b1d49b5add2635b4e70bd57",                                             \
          "worker: the head's admin has ordered something")

#define RAYCLUSTER_MESSAGE_ENUM(name, id, text) MSG_##name,
typedef enum MessageId { RAYCLUSTER_MESSAGES(RAYCLUSTER_MESSAGE_ENUM) _MSG_MAX } MessageId;

/* 32 hex digits, as MESSAGE_ID= wants them. */
const char *message_id_string(MessageId id);
const char *message_id_name(MessageId id);
const char *message_id_summary(MessageId id);
