#include "sys/port-witness.h"

#include <errno.h>

#include "base/fd.h"
#include "sys/netstat.h"
#include "sys/probe-fd.h"

static int count_failed(uint64_t *ret)
{
        return netstat_read_value("TcpExt:", "TCPRetransFail", ret);
}

int port_witnesses_begin(PortWitnesses *w)
{
        w->begin = now_mono();
        return count_failed(&w->fail);
}

void port_witnesses_add(PortWitnesses *w, uint32_t port, int fd)
{
        assert(w->n < PORT_WITNESSES);
        w->each[w->n++] = (PortWitness){.port = port, .fd = fd};
}

void port_witness_close(PortWitness *w)
{
        w->fd = safe_close(w->fd);
}

void port_witnesses_drop(PortWitnesses *w)
{
        for (size_t i = 0; i < w->n; i++)
                port_witness_close(&w->each[i]);
        w->n = 0;
}

usec_t port_witnesses_end(const PortWitnesses *w)
{
        return usec_add(w->begin, PORT_WITNESS_TIME);
}

bool port_witnesses_silent(const PortWitnesses *w)
{
        for (size_t i = 0; i < w->n; i++)
                if (w->each[i].fd >= 0)
                        return true;
        return false;
}

int port_witnesses_hear(const PortWitnesses *w, unsigned *ret_retrans, uint64_t *ret_fail)
{
        unsigned retrans = 0;
        uint64_t fail;

        if (w->n == 0 || now_mono() < port_witnesses_end(w) || count_failed(&fail) < 0)
                return -EAGAIN;
        for (size_t i = 0; i < w->n; i++) {
                struct tcp_info ti;
                if (w->each[i].fd >= 0 && probe_fd_tcp_info(w->each[i].fd, &ti) >= 0)
                        retrans += ti.tcpi_total_retrans;
        }
        *ret_retrans = retrans;
        *ret_fail = fail >= w->fail ? fail - w->fail : 0;
        return 0;
}
