/* First bytes of any service, in any pieces: named or not, never read past their end, and a name
 * once said of a prefix stays the name of the whole. */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "probe/service.h"
#include "sys/netstat.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        ServiceKind first = SERVICE_UNKNOWN;
        for (size_t n = 1; n <= size && n <= 2 * SERVICE_BYTES_MAX; n++) {
                uint8_t *exact = malloc(n);
                if (!exact)
                        return 0;
                memcpy(exact, data, n);
                ServiceKind k = service_identify(exact, n, n == size);
                free(exact);
                if (!service_kind_to_string(k))
                        abort();
                if (first != SERVICE_UNKNOWN && k != first)
                        abort();
                first = k;
        }

        /* the kernel's counters, as text */
        char *text = malloc(size + 1);
        if (!text)
                return 0;
        memcpy(text, data, size);
        text[size] = 0;
        uint64_t v;
        (void)netstat_value(text, "TcpExt:", "TCPRetransFail", &v);
        (void)netdev_tx_packets(text, "eth0", &v);
        (void)snmp6_value(text, "Ip6OutNoRoutes", &v);
        NetCounters counters;
        (void)netstat_counters_parse(AF_INET, text, text, &counters);
        (void)netstat_counters_parse(AF_INET6, text, text, &counters);
        free(text);
        return 0;
}
