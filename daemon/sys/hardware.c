#include "sys/hardware.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"

static void closedirp(DIR **d)
{
        if (*d)
                closedir(*d);
}

/* NVIDIA's driver has a folder for each GPU, named by its PCI address. */
static unsigned count_nvidia(const char *root)
{
        _cleanup_free_ char *path = str_printf("%s/proc/driver/nvidia/gpus", root);
        _cleanup_(closedirp) DIR *d = path ? opendir(path) : NULL;
        struct dirent *e;
        unsigned n = 0;

        while (d && (e = readdir(d)))
                n += e->d_name[0] != '.';
        return n;
}

/* AMD's has a node for each processor, too: those have no GPU id. */
static unsigned count_amd(const char *root)
{
        _cleanup_free_ char *path = str_printf("%s/sys/class/kfd/kfd/topology/nodes", root);
        _cleanup_(closedirp) DIR *d = path ? opendir(path) : NULL;
        struct dirent *e;
        unsigned n = 0;

        while (d && (e = readdir(d))) {
                if (e->d_name[0] == '.')
                        continue;
                _cleanup_free_ char *id = str_printf("%s/%s/gpu_id", path, e->d_name);
                _cleanup_free_ char *text = NULL;
                if (id && read_file(id, 64, &text, NULL) >= 0)
                        n += strtoul(text, NULL, 10) != 0;
        }
        return n;
}

unsigned hardware_gpus(const char *root)
{
        return count_nvidia(root) + count_amd(root);
}

Hardware hardware_read(void)
{
        long cpus = sysconf(_SC_NPROCESSORS_ONLN);
        struct sysinfo info;

        return (Hardware){
                .cpus = cpus > 0 ? (unsigned)cpus : 0,
                .gpus = hardware_gpus(""),
                .memory_bytes = sysinfo(&info) == 0 ? (uint64_t)info.totalram * info.mem_unit : 0,
        };
}
